"""The rows that administrators' acts lead to, edited by somebody who can write the databases: refused, each of them."""

# ruff: noqa: E501 (one line a change)

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from copied_places import copied
from customer_keys import ENVIRONMENT, Customer, customer
from refusals import REFUSED_ROW
from sealflow.storage import IntegrityError, KeyDenied, StorageError, StoreRolledBack, WrongKey, verify_environment
from sealflow.storage.format.envelope import environment_key_payload, random_key
from sealflow.storage.format.purposes import Role
from sealflow.storage.keys.provider_calls import CALLS
from sealflow.storage.keys.providers.file import disable_key
from sealflow.storage.policies.audit import FAILED, RUNNING, SUCCEEDED
from sealflow.storage.stores import reencryption as migration_module

CONTROL, STORE = "control.db", "store.db"
COLUMNS = {
    f"{file} {table}.{column}": (file, table, column)
    for file, table, columns in (
        (STORE, "key_state", "epoch lock_epoch record"),
        (STORE, "environment_keys", "kek kid wrapped policy_epoch mac predecessor_mac created_ms domain version"),
        (STORE, "connections", "connection_id name_index domain row_version created_ms updated_ms record"),
        (STORE, "operations", "operation_id row_version created_ms ended_ms record"),
        (CONTROL, "policies", "policy_id name_index row_version created_ms record"),
        (CONTROL, "assignments", "environment_id row_version updated_ms record"),
        (CONTROL, "audit", "number created_ms link record"),
        (CONTROL, "operations", "operation_id row_version created_ms ended_ms record"),
    )
    for column in columns.split()
}
NEWEST = {
    "environment_keys": "ORDER BY domain DESC, version DESC",
    "audit": "ORDER BY number DESC",
}


@pytest.fixture
async def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Customer:
    monkeypatch.setattr(migration_module, "_PAUSE", 0.0)
    link, _ = await copied(tmp_path, "key-rows", made_place)
    return Customer(link)


async def made_place(folder: Path) -> None:
    """A policy, a swap, new data keys, a migration, a lock that was taken away, and a connection of each class."""
    made = await customer(folder)
    async with made.administration() as administration, made.vault() as vault:
        assert await vault.try_become_executor()
        await administration.apply("one", ENVIRONMENT)
        for oauth in (True, False):
            await vault.create_connection(f"{oauth}", "c", oauth=oauth, parameter_set=None, values={"v": oauth})
        await administration.apply("two", ENVIRONMENT)
        await administration.rotate(ENVIRONMENT, data_keys=True)
        await vault.begin_migration()
        await vault.migrate()
        await administration.lock(ENVIRONMENT)
        await administration.unlock(ENVIRONMENT)


def edit(place: Customer, file: str, *statements: str, parameters: tuple[object, ...] = ()) -> None:
    """Changes a database from outside."""
    path = place.database() if file == STORE else place.home / CONTROL
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            assert connection.execute(statement, parameters).rowcount > 0


async def read_all(place: Customer) -> None:
    """Reads all of these rows; raises if any is not as it was written."""
    async with place.administration() as administration:
        await administration.policies.all()
        await administration.policies.assignments()
        async for _ in administration.audit.acts():
            pass
    async with place.vault() as vault:
        await vault.operations()
        for connection in await vault.connections():
            assert await vault.connection_values(connection.name) == {"v": connection.oauth}


async def refused(place: Customer) -> None:
    with pytest.raises((IntegrityError, WrongKey), match=REFUSED_ROW):
        await read_all(place)


async def test_untouched_rows_are_read(place: Customer) -> None:
    await read_all(place)


@pytest.mark.parametrize("name", COLUMNS)
async def test_each_column_is_authenticated(place: Customer, name: str) -> None:
    file, table, column = COLUMNS[name]
    path = place.database() if file == STORE else place.home / CONTROL
    with closing(sqlite3.connect(path)) as connection, connection:
        newest = f"FROM {table} {NEWEST.get(table, '')} LIMIT 1"
        number, value = connection.execute(f"SELECT rowid, {column} {newest}").fetchone()
        changed = (value or 0) + 1 if isinstance(value, int | None) else bytes([value[0] ^ 1]) + value[1:]
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, number))
    await refused(place)


@pytest.mark.parametrize("name", [name for name in COLUMNS if not name.endswith((".domain", ".version", ".number"))])
async def test_another_type_is_refused(place: Customer, name: str) -> None:
    file, table, column = COLUMNS[name]
    edit(place, file, f"UPDATE {table} SET {column} = 'text' WHERE rowid = (SELECT max(rowid) FROM {table})")
    await refused(place)


REMOVED = {
    "the state": (STORE, "DELETE FROM key_state"),
    "the state and its key": (STORE, "DELETE FROM key_state", "DELETE FROM keys WHERE kind = 9"),
    "the key of the state": (STORE, "DELETE FROM keys WHERE kind = 9"),
    "the newest key": (STORE, "DELETE FROM environment_keys WHERE domain = 2 AND version = 3"),
    "an earlier key": (STORE, "DELETE FROM environment_keys WHERE domain = 2 AND version = 1"),
    "the customer's keys": (STORE, "DELETE FROM environment_keys WHERE domain = 2"),
    "the service's keys": (STORE, "DELETE FROM environment_keys WHERE domain = 1"),
    "the key of an operation": (STORE, "DELETE FROM keys WHERE kind = 12"),
    "the key of a connection": (STORE, "DELETE FROM keys WHERE kind = 3"),
    "the key of a policy": (CONTROL, "DELETE FROM keys WHERE kind = 10"),
    "the first act": (CONTROL, "DELETE FROM audit WHERE number = 1"),
    "an act": (CONTROL, "DELETE FROM audit WHERE number = 3"),
    "all acts": (CONTROL, "DELETE FROM audit"),
    "the key of the acts": (CONTROL, "DELETE FROM keys WHERE kind = 11"),
    "the last act": (CONTROL, "DELETE FROM audit WHERE number = (SELECT max(number) FROM audit)"),
    "the head of the acts": (CONTROL, "DELETE FROM operations"),
    "all acts and their head": (CONTROL, "DELETE FROM audit", "DELETE FROM operations"),
    "every trace of the acts": (
        CONTROL,
        "DELETE FROM audit",
        "DELETE FROM operations",
        "DELETE FROM keys WHERE kind = 11",
    ),
}


@pytest.mark.parametrize("what", REMOVED)
async def test_what_was_removed_is_missed(place: Customer, what: str) -> None:
    file, *statements = REMOVED[what]
    edit(place, file, *statements)
    await refused(place)


EXCHANGED = {
    "two acts": (CONTROL, "UPDATE audit SET number = CASE number WHEN 2 THEN -3 ELSE -2 END WHERE number IN (2, 3)",
                 "UPDATE audit SET number = -number WHERE number < 0"),
    "two policies": (CONTROL, "UPDATE policies SET record = (SELECT p.record FROM policies p WHERE p.policy_id != policies.policy_id)"),
    "two connections": (STORE, "UPDATE connections SET record = (SELECT c.record FROM connections c WHERE c.connection_id != connections.connection_id)"),
    "two keys": (STORE, "UPDATE environment_keys SET (kid, wrapped) = (SELECT e.kid, e.wrapped FROM environment_keys e WHERE e.domain = 2 AND e.version = 1) WHERE domain = 2 AND version = 3"),
    "the domain of a connection": (STORE, "UPDATE keys SET domain = 1, key_version = 1 WHERE kind = 3 AND domain = 2"),
    "an act that is repeated": (CONTROL, "INSERT INTO audit SELECT number + 1, created_ms, link, record FROM audit ORDER BY number DESC LIMIT 1"),
}  # fmt: skip


@pytest.mark.parametrize("what", EXCHANGED)
async def test_what_was_exchanged_is_refused(place: Customer, what: str) -> None:
    file, *statements = EXCHANGED[what]
    edit(place, file, *statements)
    await refused(place)


async def test_changed_rows_of_the_control_store_are_refused(place: Customer) -> None:
    """The audit's own words for it."""
    edit(place, CONTROL, "UPDATE audit SET link = zeroblob(32) WHERE number = 4")
    async with place.administration() as administration:
        with pytest.raises(IntegrityError, match="Act number 4 of the audit was altered"):
            async for _ in administration.audit.acts():
                pass
        edit(place, CONTROL, "DELETE FROM audit WHERE number = 3")
        with pytest.raises(IntegrityError, match="no act number 3"):
            async for _ in administration.audit.acts():
                pass


async def test_the_audit_tells_every_act(place: Customer) -> None:
    async with place.administration() as administration:
        on_record = [act async for act in administration.audit.acts()]
        assert [act.number for act in on_record] == list(range(1, len(on_record) + 1))
        made, *acts = [act for act in on_record if act.kind not in CALLS]
        assert (made.kind, made.subject, made.status) == ("environment create", ENVIRONMENT, SUCCEEDED)
        assert {act.actor for act in acts} == {"ada"}
        kinds = [act.kind for act in acts if act.status == SUCCEEDED]
        assert kinds == [
            "policy create", "policy create", "policy apply", "policy apply", "key rotate", "environment lock",
            "environment unlock",
        ]  # fmt: skip
        begun = [act.kind for act in acts if act.status == RUNNING]
        assert begun == kinds[2:]
        disable_key(place.file, "one")
        with pytest.raises(KeyDenied):
            await administration.apply("one", ENVIRONMENT)
        *_, last = [act async for act in administration.audit.acts(after=len(on_record))]
        assert (last.kind, last.status, last.detail["code"]) == ("policy apply", FAILED, "KeyDenied")
        assert "ada" not in repr(last)


async def test_an_earlier_state_is_refused(place: Customer) -> None:
    """Put back as it was before the policy was taken away."""
    with closing(sqlite3.connect(place.database())) as connection:
        state = connection.execute("SELECT epoch, lock_epoch, record FROM key_state").fetchone()
    async with place.administration() as administration:
        await administration.remove(ENVIRONMENT)
    await read_all(place)
    edit(place, STORE, "UPDATE key_state SET epoch = ?, lock_epoch = ?, record = ?", parameters=state)
    await refused(place)


@pytest.mark.parametrize("certified", [False, True])
async def test_a_planted_key_is_refused(place: Customer, certified: bool) -> None:
    """Wrapping proves nothing about who wrapped: the customer's key may be asked to by others, too."""
    async with place.vault() as vault:
        environment, row = vault.environment.id, vault._keyring.rows[-1]
    payload = environment_key_payload(random_key(), environment, Role.ENVIRONMENT, 2, row.version + 1)
    wrapped = await place.provider("two").wrap(payload, b"")
    mac = row.mac if certified else bytes(32)
    with closing(sqlite3.connect(place.database())) as connection, connection:
        connection.execute(
            "INSERT INTO environment_keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (2, row.version + 1, wrapped.kek, row.kid, wrapped.data, row.policy_epoch, mac, mac, row.created_ms),
        )
    await refused(place)


async def test_rows_of_another_environment_are_refused(place: Customer) -> None:
    """Its file, under the same policy, in the place of this one's."""
    first = place.database()
    async with place.administration() as administration:
        other = await administration._store.create_environment("second")
        await administration.apply("two", "second")
    second = place.home / "environments" / other.id.hex() / STORE
    shutil.copy(first, second)
    with pytest.raises(IntegrityError, match="is not the store of environment second"):
        async with place.vault("second"):
            pass


async def test_an_earlier_copy_needs_the_earlier_version(place: Customer) -> None:
    """And the control store of its time: with the present one it is refused in any case."""
    files, earlier = (place.database(), place.home / "control.db"), place.folder / "earlier"
    earlier.mkdir()
    for file in files:
        shutil.copy(file, earlier)
    async with place.administration() as administration:
        await administration.apply("one", ENVIRONMENT)
    await read_all(place)
    current = place.folder / "current.db"
    shutil.copy(place.database(), current)
    shutil.copy(earlier / STORE, place.database())
    with pytest.raises(StoreRolledBack):
        await read_all(place)
    disable_key(place.file, "two")
    with pytest.raises(StoreRolledBack):
        await read_all(place)
    shutil.copy(current, place.database())
    await read_all(place)
    async with place.administration() as administration:
        assert await administration.reconcile() == []
    for file in files:
        shutil.copy(earlier / file.name, file)
    with pytest.raises(KeyDenied):
        async with place.vault():
            pass


async def test_no_error_tells_a_name(place: Customer) -> None:
    edit(place, STORE, "UPDATE connections SET record = zeroblob(100)")
    async with place.vault() as vault:
        with pytest.raises(StorageError) as error:
            await vault.connections()
        assert "True" not in f"{error.value!r} {error.value}"


@pytest.mark.parametrize("what", ["the last act", "the head of the acts", "all acts", "all acts and their head",
                                  "every trace of the acts"])  # fmt: skip
async def test_nothing_goes_on_record_after_an_audit_that_was_cut(place: Customer, what: str) -> None:
    """Otherwise the next act would cover up what is missing."""
    file, *statements = REMOVED[what]
    edit(place, file, *statements)
    async with place.administration() as administration:
        with pytest.raises(IntegrityError, match="audit"):
            await administration.lock(ENVIRONMENT)
    await refused(place)


async def test_an_earlier_head_of_the_audit_is_refused(place: Customer) -> None:
    with closing(sqlite3.connect(place.home / CONTROL)) as connection:
        head = connection.execute("SELECT row_version, record FROM operations").fetchone()
    async with place.administration() as administration:
        await administration.lock(ENVIRONMENT)
        await administration.unlock(ENVIRONMENT)
        await read_all(place)
        edit(place, CONTROL, "UPDATE operations SET row_version = ?, record = ?", parameters=head)
        with pytest.raises(IntegrityError, match="head of the audit is an earlier one"):
            async for _ in administration.audit.acts():
                pass


async def test_the_state_s_key_in_another_domain_is_no_lock(place: Customer) -> None:
    edit(place, STORE, "UPDATE keys SET domain = 2 WHERE kind = 9")
    disable_key(place.file, "two")
    await refused(place)
    async with place.administration() as administration:
        with pytest.raises(IntegrityError, match="not the service's"):
            await administration.unlock(ENVIRONMENT)
        (finding,) = (await verify_environment(administration.store, ENVIRONMENT)).findings
    assert "which policy covers the environment is not the service's" in finding.problem
