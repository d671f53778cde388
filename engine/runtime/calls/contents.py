"""Large content of a run as its calls have it: read and kept piece by piece, in the run's own history."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final, Literal

from ....connectors import ConnectorError
from ....storage import RunLog, StoredValue, ValueTooLarge
from ....storage.format.stored_values import BASE64, CHUNK_BYTES, TEXT

_KINDS: Final[dict[int, Literal["text", "base64"]]] = {TEXT: "text", BASE64: "base64"}


class RunContent:
    """`connectors.port.Content` of one run. Raises the store's errors, which are none of the call's."""

    least = CHUNK_BYTES

    def __init__(self, log: RunLog) -> None:
        self._log = log

    def kind(self, value: object) -> Literal["text", "base64", "other"]:
        return _KINDS.get(_stored(value).form, "other")

    def size(self, value: object) -> int:
        return _stored(value).size

    def read(self, value: object) -> AsyncIterator[bytes]:
        return self._log.parts(_stored(value))

    async def whole(self, value: Any) -> Any:
        return await self._log.whole(value)

    async def keep(self, parts: AsyncIterator[bytes], *, text: bool) -> object:
        writer = self._log.value_writer(TEXT if text else BASE64)
        try:
            async for part in parts:
                await writer.write(part)
            return await self._log.finish(writer)
        except ValueTooLarge as error:
            writer.drop()
            raise ConnectorError(error.code, error.message, hint=error.hint) from None
        except BaseException:
            writer.drop()
            raise


def _stored(value: object) -> StoredValue:
    if not isinstance(value, StoredValue):
        raise TypeError("no large value of a run")
    return value
