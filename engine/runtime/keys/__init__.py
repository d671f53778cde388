"""The environment's keys while it is open: watched, dropped at a lock, and what waits meanwhile."""
