"""Actions of desktop flows, performed as a run performs them: through the module's connector, in a session."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sealflow.connectors import Call, ConnectorError, Services
from sealflow.connectors.desktop import Session, Settings
from sealflow.connectors.desktop.folders import Allowed
from sealflow.connectors.desktop.modules import connectors
from sealflow.engine.datatypes import Datum, restored, stored

CONNECTORS = connectors()


class StoodStillClock:
    """2026-03-01T10:20:30Z. Whoever waits waits for ever, or, if it `hastens`, not at all."""

    def __init__(self) -> None:
        self.at = 17_723_604_300_000_000
        self.hastens = False

    def now(self) -> int:
        return self.at

    async def sleep_until(self, due: int) -> None:
        if not self.hastens:
            await asyncio.Event().wait()
        self.at = max(self.at, due)


class World:
    """A folder that the environment allows, as `C:` too, and a session of one run. `outside` is not allowed."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder / "allowed"
        self.folder.mkdir()
        self.outside = folder / "outside"
        self.outside.mkdir()
        allowed = Settings(folders=(Allowed(self.folder),), mapping={"C:": self.folder})
        self.clock = StoodStillClock()
        self.session = Session(replace(allowed, **settings), self.clock, run="r", working=self.folder)  # type: ignore[arg-type]

    async def do(self, action: str, **arguments: Datum) -> dict[str, Datum]:
        """The action's outputs."""
        connector = CONNECTORS["desktop." + action.split(".")[0].lower()]
        call = Call(
            f"desktop.{action.split('.')[0]}", action, {name: stored(value) for name, value in arguments.items()}, "k"
        )
        reply = await connector.invoke(call, Services(clock=self.clock, session=self.session))
        outputs = restored(reply.body)
        assert isinstance(outputs, dict)
        return outputs

    async def fails(self, error: str, action: str, **arguments: Datum) -> ConnectorError:
        """Asserts that the action fails with this error."""
        with pytest.raises(ConnectorError) as caught:
            await self.do(action, **arguments)
        assert caught.value.code == error, caught.value
        return caught.value

    def file(self, name: str, text: str | bytes = "") -> Path:
        """A file in the allowed folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path
