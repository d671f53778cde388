"""Make the calls of actions: to connectors, child flows and built-in operations, real or simulated."""
