"""From a definition to a plan: everything that depends on the flow's version only."""
