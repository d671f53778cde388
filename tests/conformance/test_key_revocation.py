"""For every key store: after a key is disabled, or the service loses access, the environment is locked and its keys are
dropped within the probe interval of the policy plus two seconds. An outage locks nothing, and a recovered key opens
everything.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from key_servers import BaoServer, FileServer
from makers import compose, flow
from revocable import PROBE, HandClock, Revocable
from sealflow.storage import EnvironmentLocked
from sealflow.storage.testing.providers import Change

NAME = "contoso"
KINDS = ["azure", "aws", "transit", "softhsm", "file"]
REFUSALS = [*((kind, "disabling") for kind in KINDS), *((kind, "revoking") for kind in ("azure", "aws", "transit"))]


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The key store of this kind."""
    if kind == "transit":
        return BaoServer(request.getfixturevalue("bao"))
    return FileServer(tmp_path) if kind == "file" else request.getfixturevalue(kind)


@asynccontextmanager
async def covered(folder: Path, server: Any) -> AsyncIterator[Revocable]:
    """An environment under a policy on the key `main` of this key store, with a run."""
    await server.make_key("main")
    async with sealflow.open(folder / "home", keystore=folder / "service" / "k.json") as engine:
        engine.store.customers = lambda uri: server.provider("main")
        clock = engine.boot_clock = HandClock()
        admin = engine.administration("maria")
        provider = server.provider("main")
        await engine.create_environment(NAME)
        await admin.create_policy("main", provider.uri, probe=PROBE)
        await provider.aclose()
        await admin.apply("main", NAME)
        env = await engine.environment(NAME)
        (run,) = await env.start(await env.deploy("f", flow(c=compose("secret"))))
        assert (await run.result()).status == "Succeeded"
        yield Revocable(engine, env, clock, folder)


async def locked_in_time(world: Revocable, change: Change) -> None:
    await world.after(PROBE)  # a good answer, from which the interval counts
    begun = world.clock.now()
    await change.make("main")
    await world.after(PROBE)
    await world.after(2)
    assert world.clock.now() - begun <= PROBE + 2
    for work in (world.env.flows(), world.env.runs(), world.env.start("f")):
        await world.refused(work)
    with pytest.raises(EnvironmentLocked):
        await world.engine.store.open_vault(NAME)


@pytest.mark.parametrize(("kind", "how"), REFUSALS)
async def test_a_refusal_locks_within_the_interval_and_two_seconds(server: Any, how: str, tmp_path: Path) -> None:
    """The key store refuses the key. The environment is locked within the interval plus two seconds."""
    change: Change = getattr(server, how)
    assert change.undo is not None
    async with covered(tmp_path, server) as world:
        await locked_in_time(world, change)
        await change.undo("main")
        await world.unlock()
        (run,) = await world.env.runs()
        assert (await (await world.env.run(run.id)).snapshot()).actions[0]["outputs"] == "secret"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_outage_locks_nothing(server: Any, tmp_path: Path) -> None:
    """The key store is unreachable. The environment is not locked."""
    async with covered(tmp_path, server) as world:
        await server.outage.make("main")
        try:
            await world.after(PROBE)
            await world.after(2)
            assert len(await world.env.runs()) == 1
        finally:
            await server.outage.undo("main")
        await world.after(60)
        assert len(await world.env.runs()) == 1
