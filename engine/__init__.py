"""Read, check and run flows."""
