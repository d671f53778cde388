"""From a definition to a plan: everything that depends only on the version of a flow."""
