"""Backups: taken, registered and restored, into the same environment or another one."""
