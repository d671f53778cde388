"""Every key row of a store is destroyed: what is sealed in it opens no more, and no copy of it that has no key rows of
its own.
"""

from __future__ import annotations

from typing import Final

from ..port import Backend, Batch, KeyChanges

_STEP: Final = 256


async def keys_destroyed(backend: Backend) -> bool:
    """Removes all scope keys, then the environment keys that wrap them. Nobody needs the store any more.

    Gives whether logs beside it are rid of them too. Again after a crash, it does the rest. Raises the store's errors.
    """
    keys = await backend.keys.environment_keys()
    for domain, version in [(key.domain, key.version) for key in keys]:
        while rows := await backend.keys.wrapped_by(domain, version, _STEP):
            batch = Batch(
                keys=KeyChanges(dropped_generations=[(row.kind, row.scope, row.generation + 1) for _, row in rows])
            )
            await backend.commit(batch)
    if keys:
        await backend.commit(Batch(keys=KeyChanges(retired=[(key.domain, key.version) for key in keys])))
    return await backend.settle()
