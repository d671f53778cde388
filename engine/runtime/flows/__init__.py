"""Flows: read them from files and packages, check them, deploy them, and turn them into plans."""
