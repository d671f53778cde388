"""Repairs of runs whose row was overwritten: what `verify --repair` recovers, and what it refuses to prove."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import pytest
import sealflow
from attacked_store import AttackedStore, Row
from cli_session import Cli, wait
from customer_keys import ENVIRONMENT
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.engine.runtime.environment.repair import REPAIR, Repair, repair_environment
from sealflow.storage import Actor, NotPermitted, StoreBusy, TamperedHistory

HOUR = 3600 * SECOND

WAITS: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "first": {"type": "Compose", "inputs": "@triggerBody()"},
        "wait": {
            "type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"first": ["Succeeded"]},
        },
        "second": {"type": "Compose", "inputs": "@outputs('first')", "runAfter": {"wait": ["Succeeded"]}},
        "again": {
            "type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"second": ["Succeeded"]},
        },
        "third": {"type": "Compose", "inputs": "@outputs('second')", "runAfter": {"again": ["Succeeded"]}},
    },
}  # fmt: skip


class Damaged:
    """A run that slept, got a fresh key and went on, and its row as it was before each of them."""

    def __init__(self, attacked: AttackedStore) -> None:
        self.attacked = attacked
        self.clock = sealflow.VirtualClock(17_000_000_000_000_000)
        self.run = ""
        self.rows: list[Row] = []

    @property
    def run_id(self) -> bytes:
        return bytes.fromhex(self.run.replace("-", ""))

    def opened(self) -> sealflow.Engine:
        return sealflow.open(self.attacked.keys.home, keystore=self.attacked.keys.keystore, clock=self.clock)

    async def start(self) -> None:
        """The run sleeps for the first time."""
        async with self.opened() as engine:
            env = await engine.environment(ENVIRONMENT)
            await env.deploy("f", WAITS)
            (run,) = await env.start("f", body={"n": 7})
            self.run = run.id
            await self._asleep(0)
        await self._keep()

    async def rotate(self) -> None:
        """Its environment gets new data keys, and with it the run."""
        async with self.attacked.keys.administration() as administration:
            await administration.rotate(ENVIRONMENT, data_keys=True)
        async with self.attacked.keys.vault() as vault:
            assert await vault.try_become_executor()
            await vault.migrate()
        await self._keep()

    async def go_on(self) -> None:
        """It goes on under the new key, until it sleeps again."""
        (before,) = await self.attacked.rows("snapshots")
        self.clock.advance(HOUR)
        pages = len(await self.attacked.rows("pages"))
        async with self.opened() as engine:
            run = await (await engine.environment(ENVIRONMENT)).run(self.run)
            waiting = asyncio.ensure_future(run.wait())  # it is brought back for whoever waits
            while len(await self.attacked.rows("pages")) == pages:
                await asyncio.sleep(0)
            waiting.cancel()
            await self._asleep(before["seq"])
        await self._keep()

    async def end(self) -> Any:
        """It resumes and ends: status and the outputs of its last action."""
        self.clock.advance(HOUR)
        async with self.opened() as engine:
            run = await (await engine.environment(ENVIRONMENT)).run(self.run)
            status = await run.wait()
            (third,) = [each for each in (await run.result()).actions if each["path"] == "/third"]
            return status, third["outputs"]

    async def put_back(self, row: Row, *columns: str) -> None:
        """Overwrites columns of its row by those of an earlier one."""
        setting = ", ".join(f"{column} = ?" for column in columns)
        await self.attacked.changed(
            f"UPDATE runs SET {setting} WHERE id = {row['id']}", *(row[name] for name in columns)
        )

    async def repair(self, actor: Actor | None = None) -> Repair:
        async with self.attacked.keys.administration(actor) as administration:
            return await repair_environment(administration, ENVIRONMENT)

    async def refused(self, reason: str) -> None:
        """A repair refuses the run and changes nothing."""
        before = await self.attacked.copy("runs", "snapshots", "pages")
        found = await self.repair()
        assert found.repaired == []
        ((run_id, said),) = found.refused
        assert run_id == self.run_id
        assert reason in said
        assert await self.attacked.copy("runs", "snapshots", "pages") == before
        assert self.run_id in {finding.run for finding in (await self.attacked.verify()).findings}

    async def _asleep(self, behind: int) -> None:
        while not [row for row in await self.attacked.rows("snapshots") if row["seq"] > behind]:
            await asyncio.sleep(0)

    async def _keep(self) -> None:
        (row,) = await self.attacked.rows("runs")
        self.rows.append(row)


@pytest.fixture
async def slept(attacked: AttackedStore) -> Damaged:
    """A run with a row from before its fresh key, one from after it, and one from after it went on."""
    made = Damaged(attacked)
    await made.start()
    await made.rotate()
    await made.go_on()
    return made


OVERWRITTEN = {
    "head": (0, ("status", "head", "head_version", "summary_version")),
    "head and summary": (0, ("status", "head", "head_version", "summary", "summary_version")),
    "summary": (0, ("summary", "summary_version")),
    "summary version": (0, ("summary_version",)),
}
"""What an earlier owner wrote over: which row that is, and which columns of it."""


@pytest.mark.parametrize("what", OVERWRITTEN)
async def test_a_row_is_overwritten_by_an_earlier_owner(slept: Damaged, what: str) -> None:
    """An earlier owner's head or summary is written over a run's row. `verify` names the run, a repair seals a fresh
    row from its whole pages, on record, and the run ends as it would have.
    """
    number, columns = OVERWRITTEN[what]
    await slept.put_back(slept.rows[number], *columns)
    assert {finding.run for finding in (await slept.attacked.verify()).findings} == {slept.run_id}
    async with slept.attacked.keys.vault() as vault:
        with pytest.raises(TamperedHistory):
            await vault.run(slept.run_id)
    assert await slept.repair() == Repair([slept.run_id], [])
    assert (await slept.attacked.verify()).ok
    assert await slept.repair() == Repair()
    async with slept.attacked.keys.administration() as administration:
        acts = [act async for act in administration.audit.acts() if act.kind == REPAIR]
    assert [(act.actor, act.subject, act.status, act.detail) for act in acts] == [
        ("ada", ENVIRONMENT, status, {"runs": [slept.run]}) for status in ("Running", "Succeeded")
    ]
    assert await slept.end() == ("Succeeded", {"n": 7})
    assert (await slept.attacked.verify()).ok


async def test_a_row_of_an_ended_run_is_overwritten(slept: Damaged) -> None:
    """An earlier owner's head is written over the row of an ended run. The repair takes the end from its pages."""
    assert await slept.end() == ("Succeeded", {"n": 7})
    (ended,) = await slept.attacked.rows("runs")
    await slept.put_back(slept.rows[0], "status", "ended_ms", "head", "head_version", "summary_version")
    assert await slept.repair() == Repair([slept.run_id], [])
    (row,) = await slept.attacked.rows("runs")
    assert (row["status"], row["ended_ms"]) == (ended["status"], ended["ended_ms"])
    assert (await slept.attacked.verify()).ok
    assert await slept.end() == ("Succeeded", {"n": 7})


async def test_a_page_is_cut_before_a_repair(slept: Damaged) -> None:
    """A database writer damages a run's summary and cuts its last page, which the head still covers. The repair refuses
    the run.
    """
    await slept.put_back(slept.rows[0], "summary_version")
    await slept.attacked.changed("DELETE FROM pages WHERE seq = (SELECT max(seq) FROM pages)")
    await slept.refused("the history ends here")


async def test_the_first_page_is_cut_before_a_repair(slept: Damaged) -> None:
    """A database writer puts back an earlier head and cuts the first page. The repair refuses the run."""
    await slept.put_back(slept.rows[0], *OVERWRITTEN["head"][1])
    await slept.attacked.changed("DELETE FROM pages WHERE seq = 1")
    await slept.refused("pages are missing")


async def test_pages_behind_a_snapshot_are_cut_before_a_repair(slept: Damaged) -> None:
    """A database writer puts back an earlier head and cuts the last page, which a snapshot still covers. The repair
    refuses the run.
    """
    await slept.put_back(slept.rows[0], *OVERWRITTEN["head"][1])
    await slept.attacked.changed("DELETE FROM pages WHERE seq = (SELECT max(seq) FROM pages)")
    await slept.refused("a snapshot was taken")


async def test_a_history_of_an_earlier_key_is_to_be_repaired(slept: Damaged) -> None:
    """A run is put back to before its fresh key, but for that key: nothing that it sealed covers the pages, and the
    holder of the earlier key could have made them. The repair refuses the run.
    """
    await slept.put_back(slept.rows[0], *OVERWRITTEN["head and summary"][1])
    kid = bytes(slept.rows[0]["head"][4:36])
    for table in ("pages", "snapshots"):
        for row in await slept.attacked.rows(table):
            if bytes(row["record"][4:36]) != kid:
                await slept.attacked.changed(f"DELETE FROM {table} WHERE seq = {row['seq']}")
    await slept.refused("of its current key")


async def test_a_snapshot_is_altered_before_a_repair(slept: Damaged) -> None:
    """A database writer puts back an earlier head and alters the snapshot. The repair refuses the run."""
    await slept.put_back(slept.rows[0], *OVERWRITTEN["head"][1])
    await slept.attacked.changed("UPDATE snapshots SET record = ?", bytes(99))
    await slept.refused("snapshot")


async def test_who_may_repair(slept: Damaged) -> None:
    """Somebody repairs runs without the role for it, or while a worker executes them. Both are refused."""
    await slept.put_back(slept.rows[0], *OVERWRITTEN["head"][1])
    with pytest.raises(NotPermitted):
        await slept.repair(Actor("eve", environment_administrator=False))
    async with slept.attacked.keys.vault() as vault:
        assert await vault.workers.join()
        with pytest.raises(StoreBusy):
            await slept.repair()
    assert (await slept.repair()).repaired == [slept.run_id]


def change(cli: Cli, sql: str) -> None:
    (path,) = (cli.folder / ".sealflow" / "environments").glob("*/store.db")
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(sql).rowcount > 0


def test_a_repair_on_the_command_line(cli: Cli) -> None:
    """A run whose row was overwritten is repaired by `verify --repair`, which names it and exits as `verify` does."""
    cli.flow("slow", {"W": wait(9000)})
    assert cli.left("run", "slow.json").code == 124
    (run,) = [each["run"] for each in cli("runs", "list", "--json").json]
    assert cli("verify", "--repair", "--json").json["repaired"] == []
    change(cli, "UPDATE runs SET summary_version = summary_version + 1")
    assert cli("verify").code == 1
    found = cli("verify", "--repair", "--as", "ada", "--json")
    assert (found.code, found.json["repaired"], found.json["refused"]) == (0, [run], [])
    change(cli, "UPDATE runs SET summary_version = summary_version + 1")
    change(cli, "UPDATE pages SET record = zeroblob(99)")
    told = cli("verify", "--repair", "--run", run)
    assert told.code == 1
    assert f"not repaired  run {run}: " in told.out
    assert cli("verify", "--repair", "--role", "key-administrator").code == 4
    for wrong in (("--repair", "--write-anchor", "a"), ("--repair", "--anchor", "a"), ("--as", "ada")):
        assert cli("verify", *wrong).code == 2
