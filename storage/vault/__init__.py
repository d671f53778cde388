"""The door to a store: opening environments, and the vault of each."""
