"""The one error of what the language inherits from .NET."""

from __future__ import annotations


class FormatError(ValueError):
    """A text, pattern, culture or zone that cannot be used; the message is a clause for the user."""
