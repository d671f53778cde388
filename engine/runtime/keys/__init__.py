"""The keys of an open environment: watch them, drop them at a lock, and keep what arrives meanwhile."""
