"""The vault, and behind it one store for each kind of object of an environment."""
