"""The outside actions of desktop flows: one connector for each module, `desktop.file`, `desktop.excel` and so on.

A module defines what its actions do. `Session` decides what they may access.
"""

from __future__ import annotations

from .session import Session, Settings

__all__ = ["Session", "Settings"]
