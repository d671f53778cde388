"""What a run holds open: for how long, and that a handle never names another thing."""

from __future__ import annotations

from pathlib import Path

import pytest
from desktop_world import World
from sealflow.connectors.desktop import Session
from sealflow.connectors.desktop.fault import Fault
from sealflow.connectors.desktop.modules import connectors
from sealflow.connectors.port import Services
from sealflow.connectors.registry import standard
from sealflow.engine.runtime.calls.sessions import Sessions

RUN = bytes(16)


class Thing:
    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_what_comes_after_the_end_is_closed_at_once(world: World) -> None:
    first, late = Thing(), Thing()
    world.session.keep("Thing", first)
    world.session.kept["clipboard"] = "text"
    await world.session.aclose()
    with pytest.raises(Fault) as caught:
        world.session.keep("Thing", late)
    assert (caught.value.name, first.closed, late.closed, world.session.kept) == ("InstanceLost", 1, 1, {})


async def test_a_handle_of_an_earlier_session_names_nothing(world: World) -> None:
    sessions = Sessions(world.session.settings, Services(clock=world.clock))
    old = sessions.of(RUN)
    item = old.keep("Thing", Thing())
    assert sessions.of(RUN) is old
    sessions.end(RUN)
    await sessions.aclose()
    assert len(sessions) == 0
    new = Session.__new__(Session)
    new.__init__(world.session.settings, world.clock, run=old.run)  # type: ignore[misc]
    again = new.keep("Thing", Thing())
    assert again.handle != item.handle
    with pytest.raises(Fault, match="is not open any more"):
        new.use(item, Thing)


async def test_one_that_cannot_be_closed_does_not_keep_the_others_open(world: World) -> None:
    class Stuck(Thing):
        def close(self) -> None:
            raise OSError

    other = Thing()
    world.session.keep("Thing", other)
    world.session.keep("Thing", Stuck())
    await world.session.aclose()
    assert other.closed == 1


def test_every_module_is_in_the_registry() -> None:
    registry = standard()
    for name in connectors():
        assert name in registry, name


@pytest.mark.parametrize(
    ("module", "operation", "recovery"),
    [
        ("file", "File.ReadTextFromFile.ReadText", "rerun"),
        ("file", "file.readtextfromfile.readtext", "rerun"),
        ("file", "File.WriteText", "never"),
        ("excel", "Excel.SaveExcel.Save", "never"),
        ("file", "File.NoSuchThing", "never"),
    ],
)
def test_what_is_done_about_an_interrupted_call(module: str, operation: str, recovery: str) -> None:
    assert connectors()[f"desktop.{module}"].recovery_of(operation) == recovery
