from __future__ import annotations
def replay() -> int:
    return 0
