"""Run desktop flows: calls, machine groups, queues, sessions and settings."""
