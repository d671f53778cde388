"""Requests to the executor: as they come, while the environment is locked, and callbacks."""
