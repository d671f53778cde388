"""Calls of actions: to connectors, child flows and built-in operations, simulated or real."""
