"""What other processes ask of an environment's executor, by number: they are written to the inbox and taken from there."""

from __future__ import annotations

from typing import Final

START: Final = 1
CANCEL: Final = 2
RESUME: Final = 3
