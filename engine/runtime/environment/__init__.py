"""An open environment: its keys, its lock, and what a host does with it."""
