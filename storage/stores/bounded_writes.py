"""Writing much in commits of bounded size, in the order in which it comes."""

from __future__ import annotations

from ..port import Backend, Batch


class Parts:
    """Rows go into `batch`, their bytes into `size`; `flush` writes them and begins the next part.

    Ask `full` after each row, since the batch is another one then. Without a guard: for a store that nobody else has.
    """

    def __init__(self, backend: Backend, most_bytes: int) -> None:
        self._backend = backend
        self._most = most_bytes
        self.batch = Batch()
        self.size = 0

    @property
    def full(self) -> bool:
        return self.size > self._most

    async def flush(self) -> None:
        """Durable on return."""
        batch, self.batch, self.size = self.batch, Batch(), 0
        await self._backend.commit(batch)
