"""Triggers: registered, scheduled and fired."""
