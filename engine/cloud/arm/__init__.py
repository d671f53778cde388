"""ARM templates: their workflows, and the values of their template expressions."""
