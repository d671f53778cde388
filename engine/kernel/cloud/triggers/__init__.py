"""Triggers of cloud flows: recurrence, polling, batches, and the runs they start."""
