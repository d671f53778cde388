"""What desktop flows do outside: one connector for each module of actions, `desktop.file`, `desktop.excel` and so on.

What an action means is in its module's file; what it may touch is its `Session`'s.
"""

from __future__ import annotations

from .session import Session, Settings

__all__ = ["Session", "Settings"]
