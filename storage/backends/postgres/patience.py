"""How long a server that cannot be reached is tried again."""

from __future__ import annotations

import asyncio

PATIENCE_SECONDS = 20.0
"""How long a connection that was lost is tried again before StoreUnreachable."""
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.5)


class Patience:
    """Pauses between attempts to reach a server, until that has taken too long."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + PATIENCE_SECONDS
        self._attempts = 0

    async def left(self) -> bool:
        """False once the time is over; until then, True after a pause."""
        if self._loop.time() >= self._end:
            return False
        await asyncio.sleep(_PAUSES[min(self._attempts, len(_PAUSES) - 1)])
        self._attempts += 1
        return True
