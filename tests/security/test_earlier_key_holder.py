"""A holder of the service keystore and of a copy from before a change of keys writes the database afterwards. Nothing
that an earlier key sealed decides how runs proceed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import sealflow
from attacked_store import AttackedStore, Row
from customer_keys import ENVIRONMENT
from earlier_holder import EarlierHolder, earlier_holder
from earlier_version import earlier_version
from postgres_server import shared_server
from sealflow.engine.kernel.contract.timing import SECOND
from sealflow.storage import IntegrityError, Keystore, NotARecord, TamperedHistory, Vault
from sealflow.storage.format.codec import pack
from sealflow.storage.format.envelope import ScopeKey
from sealflow.storage.format.purposes import Domain, Kind, Purpose, Role
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.maintenance.relocation import move_environment
from sealflow.storage.port import EnvironmentKeyRow

RUN = b"r" * 16


async def begun(attacked: AttackedStore, *, ended: bool = False) -> None:
    """A run of three pages under the service's key, with a snapshot unless it has ended."""
    async with attacked.keys.vault() as vault:
        flow = await vault.put_flow("flow", {"v": 1})
        log = vault.create_run(RUN, flow.flow_id, 1, 5, {"s": 1}, status=1)
        for number in range(3):
            log.append([[number, "honest"]])
        if ended:
            log.append([], status=2, ended_ms=9)
        else:
            log.snapshot({"to": "https://honest.example"})
        await vault.flush()


async def migrated(attacked: AttackedStore, *, policy: str = "one", full: bool = False) -> None:
    async with attacked.keys.administration() as administration:
        await administration.apply(policy, ENVIRONMENT)
    async with attacked.keys.vault() as vault:
        assert await vault.try_become_executor()
        await vault.begin_migration(full=full)
        await vault.migrate()


async def held(attacked: AttackedStore, folder: Path) -> EarlierHolder:
    return await earlier_holder(attacked, folder / "kept")


async def history(vault: Vault) -> list[Any]:
    return [record async for page in vault.read_run(RUN) for record in page.records]


async def refused(attacked: AttackedStore, read: Callable[[Vault], Awaitable[object]] = history) -> None:
    """Reading is refused, and `verify` names the run."""
    async with attacked.keys.vault() as vault:
        with pytest.raises(TamperedHistory):
            await read(vault)
    assert {finding.run for finding in (await attacked.verify()).findings} == {RUN}


async def test_a_page_is_exchanged_for_one_with_the_same_tag(attacked: AttackedStore, tmp_path: Path) -> None:
    """The holder changes a page from before a migration and computes a block that gives it the same nonce and tag. The
    page is refused, because its link covers the ciphertext.
    """
    await begun(attacked, ended=True)
    holder = await held(attacked, tmp_path)
    await migrated(attacked)
    page = (await holder.pages(RUN))[1]
    await holder.exchange_page(RUN, page, [[1, "forged"]])
    await refused(attacked)


@pytest.mark.parametrize("ended", [True, False])
async def test_a_page_that_an_earlier_version_linked_is_exchanged(
    attacked: AttackedStore, tmp_path: Path, ended: bool
) -> None:
    """The holder does the same to a page of format 1, whose link covers only nonce and tag. The page is refused,
    because the migration recorded the digest of such pages.
    """
    with earlier_version():
        await begun(attacked, ended=ended)
    holder = await held(attacked, tmp_path)
    await migrated(attacked)
    async with attacked.keys.vault() as vault:
        assert [record[1] for record in await history(vault)] == ["honest"] * 3
    page = (await holder.pages(RUN))[1]
    await holder.exchange_page(RUN, page, [[1, "forged"]])
    await refused(attacked)


async def test_a_page_goes_on_beyond_the_head(attacked: AttackedStore, tmp_path: Path) -> None:
    """The holder replaces the last page from before the migration with one that has more records, so that no page ends
    where the sealed head ends. It is refused.
    """
    await begun(attacked)
    holder = await held(attacked, tmp_path)
    await migrated(attacked)
    pages = await holder.pages(RUN)
    record, link = holder.page(RUN, 3, pages[1]["link"], [[2, "honest"], [3, "forged"]])
    await attacked.changed(
        f"UPDATE pages SET record = ?, link = ? WHERE run = {pages[2]['run']} AND seq = 3", record, link
    )
    await refused(attacked)


async def test_pages_are_exchanged_while_the_run_is_open(attacked: AttackedStore, tmp_path: Path) -> None:
    """The holder exchanges pages and their links after a process verified the history. The process loads an earlier
    record again and refuses it.
    """
    await begun(attacked)
    holder = await held(attacked, tmp_path)
    await migrated(attacked)
    async with attacked.keys.vault() as vault:
        log = await vault.open_run(RUN)
        assert await log.record(2) == [1, "honest"]
        pages = await holder.pages(RUN)
        link = pages[0]["link"]
        for seq in (2, 3):
            record, link = holder.page(RUN, seq, link, [[seq - 1, "forged"]])
            where = f"run = {pages[0]['run']} AND seq = {seq}"
            await attacked.changed(f"UPDATE pages SET record = ?, link = ? WHERE {where}", record, link)
        with pytest.raises(TamperedHistory):
            await log.record(2)


async def test_a_snapshot_is_sealed_by_an_earlier_key(attacked: AttackedStore, tmp_path: Path) -> None:
    """The holder seals a snapshot with the key that the run had before a migration. The run resumes from its history,
    and `verify` names it.
    """
    await begun(attacked)
    holder = await held(attacked, tmp_path)
    await migrated(attacked)
    assert (await attacked.verify()).ok
    async with attacked.keys.vault() as vault:  # the change of keys has sealed the honest one anew
        log = await vault.open_run(RUN, from_snapshot=True)
        assert await log.load_snapshot() == (4, {"to": "https://honest.example"})
    key, pages = holder.key(Kind.RUN, RUN), await holder.pages(RUN)
    data = pack([pages[-1]["link"], {"to": "https://attacker.example"}, b""])
    record = key.seal(key.place(Purpose.SNAPSHOT, RUN), 4, 0, data)
    await attacked.changed(f"UPDATE snapshots SET record = ? WHERE run = {pages[0]['run']}", record)
    async with attacked.keys.vault() as vault:
        log = await vault.open_run(RUN, from_snapshot=True)
        assert await log.load_snapshot() is None
        assert (log.seq, await log.record(1)) == (4, [0, "honest"])
    (finding,) = (await attacked.verify()).findings
    assert (finding.run, "snapshot" in finding.problem) == (RUN, True)


async def test_a_forged_snapshot_does_not_steer_a_call(attacked: AttackedStore, tmp_path: Path) -> None:
    """A flow waits and then calls the address in a variable. After a migration, the holder seals its snapshot with the
    earlier key and another address. The call goes to the address that the flow set.
    """
    called: list[str] = []

    async def service(call: sealflow.Call) -> Any:
        inputs: Any = call.inputs
        called.append(inputs["uri"])
        return sealflow.ConnectorResponse(200, {}, None)

    clock = sealflow.VirtualClock(17_000_000_000_000_000)

    def opened() -> Any:
        return sealflow.open(attacked.keys.home, keystore=attacked.keys.keystore, clock=clock)

    async with opened() as engine:
        env = await engine.environment(ENVIRONMENT)
        await env.deploy("f", CALLS)
        (run,) = await env.start("f")
        while not (await attacked.rows("snapshots")):
            await asyncio.sleep(0)
    holder, run_id = await held(attacked, tmp_path), bytes.fromhex(run.id.replace("-", ""))
    (row,) = await attacked.rows("snapshots")
    key = holder.key(Kind.RUN, run_id)
    place = key.place(Purpose.SNAPSHOT, run_id)
    data = key.open(place, row["seq"], 0, row["record"])
    assert b"https://honest" in data
    await migrated(attacked)
    record = key.seal(place, row["seq"], 0, data.replace(b"https://honest", b"https://forged"))
    await attacked.changed("UPDATE snapshots SET record = ?", record)
    async with opened() as engine:
        engine.connectors.register("http", service)
        env = await engine.environment(ENVIRONMENT)
        stored = await env.run(run.id)
        waiting = asyncio.ensure_future(stored.wait())
        while not waiting.done():
            clock.advance(60 * SECOND)
            await asyncio.sleep(0)
        await waiting
    assert called == ["https://honest.example/"]


CALLS: dict[str, Any] = {
    "triggers": {"manual": {"type": "Request", "kind": "Http"}},
    "actions": {
        "to": {
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": "to", "type": "string", "value": "https://honest.example/"}]},
        },
        "wait": {
            "type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}, "runAfter": {"to": ["Succeeded"]},
        },
        "call": {
            "type": "Http", "inputs": {"method": "GET", "uri": "@variables('to')"}, "runAfter": {"wait": ["Succeeded"]},
        },
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("thing", "change"),
    [*((thing, "migration") for thing in ("message", "request", "trigger", "flow")), ("message", "move")],
)
async def test_a_row_is_sealed_anew_by_its_earlier_key(
    attacked: AttackedStore, tmp_path: Path, thing: str, change: str
) -> None:
    """The holder changes a waiting message or request, a trigger or a flow, and seals it with the key from before a
    change of keys. It is refused, and `verify` names it.
    """
    async with attacked.keys.vault() as vault:
        flow = (await vault.put_flow("flow", {"v": 1})).flow_id
        await vault.trigger(flow)
        vault.set_trigger(flow, {"next": 1}, due_ms=7, expected=0)
        await vault.add_message(flow, "p", {"m": 1}, dedupe=b"d")
        await vault.inbox_add(1, {"q": 1}, dedupe=b"d")
        await vault.flush()
    holder = await held(attacked, tmp_path)
    if change == "migration":
        await migrated(attacked)
    else:
        attacked = await moved(attacked)
    async with attacked.keys.vault() as vault:
        assert [message.value for message in await vault.messages(flow)] == [{"m": 1}]
        assert [item.value for item in await vault.inbox()] == [{"q": 1}]
    assert (await attacked.verify()).ok
    kind, table, column, purpose, read, at = PLANTED[thing]
    ((scope,),) = [row.values() for row in await attacked.execute(f"SELECT {column} FROM {table}")]
    (row,) = await attacked.rows(table)
    key = holder.key(kind, scope)
    record = key.seal(key.place(purpose, scope), 0, row.get("row_version", 0), pack(forged(thing, row)))
    await attacked.changed(f"UPDATE {table} SET record = ?", record)
    async with attacked.keys.vault() as vault:
        if thing == "request":
            assert await vault.inbox() == []
        else:
            with pytest.raises(NotARecord):
                await read(vault, scope)
    assert any(at in finding.at for finding in (await attacked.verify()).findings)


def forged(thing: str, row: Row) -> list[Any]:
    """What the attacker puts into a record, as its reader expects it."""
    if thing == "message":
        packed = pack({"m": 2})
        return [row["flow_id"], "p", b"d", row["created_ms"], packed]
    if thing == "request":
        return [row["kind"], row["run_id"], b"d", row["created_ms"], {"q": 2}]
    if thing == "trigger":
        return [row["due_ms"], {"next": 2}]
    if thing == "flow":
        return ["flow", row["version"], row["created_ms"], row["updated_ms"], bytes(32)]
    return ["office", "c", True, None, row["created_ms"], row["updated_ms"], {"v": "forged"}]


async def moved(attacked: AttackedStore) -> AttackedStore:
    """The environment, from a file into a database or back."""
    url = shared_server().url if attacked.url is None else None
    if url is not None:  # copies of one environment have one id, and other tests move theirs
        await AttackedStore(attacked.keys, url).drop()
    async with attacked.keys.administration() as administration:
        await move_environment(administration, ENVIRONMENT, url)
    return AttackedStore(attacked.keys, url)


async def changed(attacked: AttackedStore, folder: Path, change: str) -> EarlierHolder:
    """The keys are changed; the one who holds them as they were before."""
    if change == "another customer":
        await migrated(attacked)
        holder = await earlier_holder(attacked, folder / "kept", {2: attacked.keys.provider("one")})
        await migrated(attacked, policy="two")
        return holder
    holder = await held(attacked, folder)
    if change == "migration":
        await migrated(attacked)
    else:
        async with attacked.keys.administration() as administration:
            await administration.rotate(ENVIRONMENT, data_keys=True)
        async with attacked.keys.vault() as vault:
            assert await vault.try_become_executor()
            await vault.migrate()
    return holder


@pytest.mark.parametrize("change", ["migration", "data keys", "another customer", "move"])
async def test_an_ended_run_is_started_again(attacked: AttackedStore, tmp_path: Path, change: str) -> None:
    """The holder seals a head with the earlier key that claims that an ended run is still running, with a forged
    history. It is refused after each change of keys.
    """
    await begun(attacked, ended=True)
    if change == "move":
        holder = await held(attacked, tmp_path)
        holder.attacked = attacked = await moved(attacked)
    else:
        holder = await changed(attacked, tmp_path, change)
    row, key = await holder.run_row(RUN), holder.key(Kind.RUN, RUN)
    record, link = holder.page(RUN, 1, bytes(32), [[0, "forged"]])
    await attacked.execute(f"DELETE FROM pages WHERE run = {row['id']}")
    await attacked.insert("pages", {"run": row["id"], "seq": 1, "link": link, "record": record})
    version = row["head_version"] + 1
    head = [2, link, 1, None, row["flow_id"], row["version"], b"", row["started_ms"], None, 1, b""]
    sealed = key.seal(key.place(Purpose.HEAD, RUN), 0, version, pack(head))
    summary = key.seal(key.place(Purpose.SUMMARY, RUN), 0, row["summary_version"], pack({"s": 1}))
    await attacked.changed(
        f"UPDATE runs SET status = 1, ended_ms = NULL, head_version = {version}, head = ?, summary = ? "
        f"WHERE id = {row['id']}",
        sealed, summary,
    )  # fmt: skip
    await refused(attacked, lambda vault: vault.open_run(RUN))


async def planted(
    attacked: AttackedStore, kind: Kind, scope: bytes, keyring: Keyring | None = None, domain: int = Domain.SERVICE
) -> ScopeKey:
    """A scope key of the attacker's in the place of those that there are, wrapped by the service's key or by one of
    this keyring.
    """
    (environment,) = (await attacked.execute("SELECT environment_id FROM meta"))[0].values()
    rows = [EnvironmentKeyRow(**row) for row in await attacked.rows("environment_keys", "domain = 1")]
    service = Keystore(attacked.keys.keystore).provider(environment)
    keyring = keyring or await Keyring.open(environment, Role.ENVIRONMENT, {Domain.SERVICE: service}, rows)
    key, key_row = keyring.new_scope(kind, scope, domain, generation=99)
    row = dict(key_row._asdict())
    found = await attacked.execute("SELECT max(id) AS id FROM keys")
    await attacked.execute(f"DELETE FROM keys WHERE kind = {int(kind)} AND scope = ?", scope)
    await attacked.insert("keys", {"id": found[0]["id"] + 1, **row})
    return key


async def _run(vault: Vault, scope: bytes) -> object:
    return [page async for page in vault.read_run(scope)]


async def _message(vault: Vault, _: bytes) -> object:
    return await vault.messages((await vault.flow("flow")).flow_id)


Planted = tuple[Kind, str, str, Purpose, Callable[[Vault, bytes], Awaitable[object]], str]
PLANTED: dict[str, Planted] = {
    "flow": (Kind.FLOW, "flows", "flow_id", Purpose.FLOW, lambda vault, _: vault.flow("flow"), "flow "),
    "run": (Kind.RUN, "runs", "run_id", Purpose.HEAD, _run, "run"),
    "trigger": (Kind.TRIGGER, "triggers", "flow_id", Purpose.TRIGGER, lambda vault, flow: vault.trigger(flow), "trig"),
    "message": (Kind.MESSAGE, "messages", "message_id", Purpose.MESSAGE, _message, "message"),
    "request": (Kind.INBOX, "inbox", "item_id", Purpose.INBOX, lambda vault, _: vault.inbox(), "inbox item"),
    "connection": (
        Kind.CONNECTION, "connections", "connection_id", Purpose.CONNECTION,
        lambda vault, _: vault.connection_values("office"), "connection",
    ),
}  # fmt: skip


@pytest.mark.parametrize("thing", ["flow", "run", "trigger", "message", "request", "connection"])
async def test_something_is_planted_under_the_service_key(attacked: AttackedStore, thing: str) -> None:
    """The holder removes the customer's key of an object and seals the object with a service key. It is refused, and
    `verify` names it, because the last migration closed earlier keys.
    """
    await begun(attacked, ended=True)
    await migrated(attacked)
    async with attacked.keys.vault() as vault:
        flow = (await vault.flow("flow")).flow_id
        await vault.trigger(flow)
        vault.set_trigger(flow, {"next": 1}, due_ms=7, expected=0)
        await vault.add_message(flow, "p", {"m": 1}, dedupe=b"d")
        await vault.inbox_add(1, {"q": 1}, dedupe=b"d")
        await vault.create_connection("office", "c", oauth=True, parameter_set=None, values={"v": 1})
        await vault.flush()
    assert (await attacked.verify()).ok
    kind, table, column, purpose, read, at = PLANTED[thing]
    ((scope,),) = [row.values() for row in await attacked.execute(f"SELECT {column} FROM {table}")]
    key = await planted(attacked, kind, scope)
    place = key.place(purpose, scope)
    if thing == "run":
        row = (await attacked.rows("runs"))[0]
        head = [2, bytes(32), 2, 9, row["flow_id"], 1, b"", row["started_ms"], None, 1, b""]
        sealed = key.seal(place, 0, row["head_version"], pack(head))
        summary = key.seal(key.place(Purpose.SUMMARY, RUN), 0, row["summary_version"], pack({"s": 1}))
        await attacked.changed("UPDATE runs SET domain = 1, head = ?, summary = ?", sealed, summary)
    else:
        (row,) = await attacked.rows(table)
        record = key.seal(place, 0, row.get("row_version", 0), pack(forged(thing, row)))
        domain = ", domain = 1" if "domain" in row else ""
        await attacked.changed(f"UPDATE {table} SET record = ?{domain}", record)
    async with attacked.keys.vault() as vault:
        if thing == "request":
            assert await vault.inbox() == []
        else:
            with pytest.raises(IntegrityError, match=r"service's key|earlier environment key"):
                await read(vault, scope)
    assert any(at in finding.at for finding in (await attacked.verify()).findings)


@pytest.mark.parametrize("change", ["data keys", "another customer"])
async def test_something_is_planted_under_an_earlier_environment_key(
    attacked: AttackedStore, tmp_path: Path, change: str
) -> None:
    """The holder of an environment key from before a rotation or a swap wraps a key of a flow with it and seals the
    flow. It is refused, and `verify` names it, because the migration closed earlier keys.
    """
    await begun(attacked, ended=True)
    holder = await changed(attacked, tmp_path, change)
    assert (await attacked.verify()).ok
    (row,) = await attacked.rows("flows")
    flow, domain = row["flow_id"], row["domain"]
    key = await planted(attacked, Kind.FLOW, flow, holder.keyring, domain)
    record = key.seal(key.place(Purpose.FLOW, flow), 0, row["row_version"], pack(forged("flow", row)))
    await attacked.changed("UPDATE flows SET record = ?", record)
    async with attacked.keys.vault() as vault:
        with pytest.raises(IntegrityError, match="earlier environment key"):
            await vault.flow("flow")
    assert any("flow" in finding.at for finding in (await attacked.verify()).findings)


async def test_the_row_that_closes_earlier_keys_is_removed(attacked: AttackedStore) -> None:
    """The holder removes the row that closes the service's domain, so that forged rows would be accepted. If only the
    row is removed, nothing opens. If its key is removed as well, an anchor detects it.
    """
    await begun(attacked, ended=True)
    await migrated(attacked)
    anchor = (await attacked.verify(new_anchor=True)).anchor
    assert (await attacked.verify(anchor=anchor)).ok
    await attacked.changed("DELETE FROM operations WHERE created_ms = 0")
    with pytest.raises(IntegrityError, match="closes earlier keys"):
        async with attacked.keys.vault():
            pass
    assert not (await attacked.verify()).ok
    await attacked.changed(f"DELETE FROM keys WHERE kind = {int(Kind.CLOSING)}")
    (finding,) = (await attacked.verify(anchor=anchor)).findings
    assert "closing" in finding.at
