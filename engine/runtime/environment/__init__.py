"""An open environment: its settings, opening and closing, and everything that a host can do with it."""
