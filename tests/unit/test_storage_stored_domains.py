"""Whose key sealed what, told from the stored bytes alone: each record names its key, that key is wrapped by one of an
environment's keys, and whoever has the service's keystore only opens what is the service's and nothing else.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from customer_keys import ENVIRONMENT, Customer, customer
from sealflow.storage import EnvironmentLocked
from sealflow.storage.format.envelope import HEADER_BYTES, KID_BYTES, codec_of, format_of
from sealflow.storage.format.purposes import Purpose
from sealflow.storage.keys.keyring import Keyring
from sealflow.storage.port import KeyRow

Record = tuple[str, str, Purpose, bytes, int, int, bytes]
"""What it is of, its column, its place (purpose, id, `seq` and row version), and its bytes."""


async def filled(place: Customer) -> dict[bytes, str]:
    """A flow with a run and connections of both classes, from before the policy and after it. What has which id."""
    names: dict[bytes, str] = {}
    async with place.vault() as vault, place.administration() as administration:
        for when in ("before", "after"):
            flow = (await vault.put_flow(when, {"secret": when})).flow_id
            log = vault.create_run(when.encode().ljust(16), flow, 1, 5, {"secret": when})
            log.append([[1, when]], status=2, ended_ms=9)
            names |= {flow: f"flow {when}", log.run_id: f"run {when}"}
            for oauth in (True, False):
                made = await vault.create_connection(
                    f"{when} {oauth}", "c", oauth=oauth, parameter_set=None, values={"secret": when}
                )
                names[made.id] = f"{'oauth' if oauth else 'non-oauth'} {when}"
            await vault.flush()
            if when == "before":
                await administration.apply("one", ENVIRONMENT)
                await vault.reload_keys()
    return names


def stored(place: Customer, names: dict[bytes, str]) -> tuple[list[Record], dict[bytes, KeyRow]]:
    """All records of flows, runs and connections as they lie in the file, and the keys by their ids."""
    with closing(sqlite3.connect(place.database())) as connection:
        fetch = connection.execute
        records: list[Record] = []
        for scope, version, data in fetch("SELECT connection_id, row_version, record FROM connections"):
            records.append((names[scope], "connections.record", Purpose.CONNECTION, scope, 0, version, data))
        for scope, version, data in fetch("SELECT flow_id, row_version, record FROM flows"):
            records.append((names[scope], "flows.record", Purpose.FLOW, scope, 0, version, data))
        for scope, number, data in fetch("SELECT flow_id, number, record FROM versions"):
            records.append((names[scope], "versions.record", Purpose.VERSION, scope, number, 0, data))
        for scope, seq, data in fetch("SELECT run_id, seq, record FROM pages JOIN runs ON runs.id = pages.run"):
            records.append((names[scope], "pages.record", Purpose.PAGE, scope, seq, 0, data))
        for column, purpose in (("head", Purpose.HEAD), ("summary", Purpose.SUMMARY)):
            for scope, version, data in fetch(f"SELECT run_id, {column}_version, {column} FROM runs"):
                records.append((names[scope], f"runs.{column}", purpose, scope, 0, version, data))
        keys = [
            KeyRow(*row) for row in fetch("SELECT kind, scope, generation, domain, key_version, kid, wrapped FROM keys")
        ]
    return records, {key.kid: key for key in keys}


def opened(keyring: Keyring, record: Record, keys: dict[bytes, KeyRow]) -> bytes:
    """The plaintext of a record, by the key that it names itself."""
    _, _, purpose, scope, seq, version, data = record
    key = keyring.open_scope(keys[data[HEADER_BYTES - KID_BYTES : HEADER_BYTES]])
    assert key.scope == scope
    return key.open(key.place(purpose, scope, codec_of(data), format_of(data)), seq, version, data)


async def test_the_service_opens_what_is_its_own_and_nothing_else(tmp_path: Path) -> None:
    place = await customer(tmp_path)
    names = await filled(place)
    records, keys = stored(place, names)
    assert {column for _, column, *_ in records} == {
        "connections.record", "flows.record", "versions.record", "pages.record", "runs.head", "runs.summary",
    }  # fmt: skip
    store = await place.store()
    away = place.file.rename(place.file.with_suffix(".away"))
    backend, source = await store.open_backend(await store.environment(ENVIRONMENT))
    try:
        keyring = await source.load(locked=True)
        by_the_service: dict[str, set[str]] = {}
        for record in records:
            try:
                assert opened(keyring, record, keys)
            except EnvironmentLocked:
                by_the_service.setdefault("refused", set()).add(record[0])
            else:
                by_the_service.setdefault("opened", set()).add(record[0])
        assert by_the_service == {
            "opened": {"flow before", "run before", "non-oauth before", "non-oauth after"},
            "refused": {"flow after", "run after", "oauth before", "oauth after"},
        }
        away.rename(place.file)
        keyring = await source.load()
        for record in records:
            secret = record[0].split()[-1].encode()
            text = opened(keyring, record, keys)
            if record[1] != "runs.head":
                assert secret in text
    finally:
        await source.aclose()
        await backend.close()
        await store.close()
