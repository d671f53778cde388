"""Back up an environment, register backups, and restore them into the same environment or another one."""
