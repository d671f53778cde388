"""Register, schedule and fire triggers."""
