"""Flows: read from files and packages, checked, deployed and made into plans."""
