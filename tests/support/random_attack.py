"""Random changes of rows: put back, delete, swap and splice, from any earlier moment, over all tables of both stores.

The tables and their columns are read from the schema, so that a new table is attacked by itself.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from attacked_store import Row

Tables = dict[str, list[Row]]
"""The rows of each table of one store."""

ENVIRONMENT: Final = 0
CONTROL: Final = 1

Moment = tuple[Tables, Tables]
"""The environment's store and the control store at one moment."""

COORDINATION: Final = frozenset({"schema_version", "writers", "executor", "workers"})
"""Not attacked: the number of the schema, and rows that say which process works. They hold nothing that is served."""

KINDS: Final = (
    "put back table", "put back rows", "put back thing", "put back things", "put back store", "put back state",
    "put back all", "delete rows", "delete thing", "swap column", "swap rows", "splice", "insert again",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """One change. The numbers choose among what there is: each is taken modulo that, so that all of them are valid."""

    kind: str
    store: int
    table: int
    moment: int
    row: int
    other: int
    column: int


def random_changes(source: random.Random) -> list[Change]:
    """One to five changes."""
    return [
        Change(source.choice(KINDS), source.randrange(2), *(source.randrange(1 << 16) for _ in range(5)))
        for _ in range(source.choice((1, 1, 1, 2, 2, 3, 5)))
    ]


def changed(moments: Sequence[Moment], changes: Sequence[Change]) -> Moment:
    """The rows after these changes of the last moment, all by rows of it and of those before."""
    now: Moment = (_copied(moments[-1][0]), _copied(moments[-1][1]))
    for change in changes:
        _WAYS[change.kind](moments, now, change)
    return now


def _copied(tables: Tables) -> Tables:
    return {name: [dict(row) for row in rows] for name, rows in tables.items()}


def _table(tables: Tables, number: int) -> str:
    filled = sorted(name for name in tables if name not in COORDINATION)
    return filled[number % len(filled)]


def _earlier(moments: Sequence[Moment], change: Change) -> Moment:
    return moments[change.moment % len(moments)]


def _put_back_table(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    name = _table(now[change.store], change.table)
    now[change.store][name] = [dict(row) for row in _earlier(moments, change)[change.store].get(name, [])]


def _put_back_rows(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    name = _table(now[change.store], change.table)
    there = now[change.store][name]
    for number, row in enumerate(_earlier(moments, change)[change.store].get(name, [])):
        if change.row >> (number % 16) & 1:
            there[:] = [each for each in there if not _same_place(name, each, row)]
            there.append(dict(row))


def _insert_again(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """One row of an earlier moment, beside those that there are."""
    name = _table(now[change.store], change.table)
    rows = _earlier(moments, change)[change.store].get(name, [])
    if rows:
        row = rows[change.row % len(rows)]
        if not any(_same_place(name, each, row) for each in now[change.store][name]):
            now[change.store][name].append(dict(row))


def _put_back_thing(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """Everything of one thing, key rows included: a flow, a run, a connection, a policy."""
    before = _earlier(moments, change)[change.store]
    scopes = sorted({row["scope"] for row in [*before["keys"], *now[change.store]["keys"]]})
    if scopes:
        _put_back_scope(before, now[change.store], scopes[change.row % len(scopes)])


def _put_back_things(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """Some of the tables of one thing."""
    before = _earlier(moments, change)[change.store]
    scopes = sorted({row["scope"] for row in [*before["keys"], *now[change.store]["keys"]]})
    if scopes:
        only = {name for number, name in enumerate(sorted(before)) if change.column >> (number % 16) & 1}
        _put_back_scope(before, now[change.store], scopes[change.row % len(scopes)], only)


def _put_back_scope(before: Tables, now: Tables, scope: bytes, only: set[str] | None = None) -> None:
    for name in now:
        if name not in COORDINATION and (only is None or name in only):
            kept = [row for row in now[name] if not _belongs(row, scope, now)]
            now[name] = kept + [dict(row) for row in before.get(name, []) if _belongs(row, scope, before)]


def _delete_thing(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    scopes = sorted({row["scope"] for row in now[change.store]["keys"]})
    if scopes:
        _put_back_scope({}, now[change.store], scopes[change.row % len(scopes)])


def _belongs(row: Row, scope: bytes, tables: Tables) -> bool:
    if scope in row.values():
        return True
    return "run" in row and any(run["id"] == row["run"] and run["run_id"] == scope for run in tables.get("runs", []))


def _put_back_store(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """A whole store; of the other one, nothing."""
    before = _earlier(moments, change)[change.store]
    now[change.store].update({n: [dict(r) for r in rows] for n, rows in before.items() if n not in COORDINATION})


def _put_back_all(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    for store in (ENVIRONMENT, CONTROL):
        before = _earlier(moments, change)[store]
        now[store].update({n: [dict(r) for r in rows] for n, rows in before.items() if n not in COORDINATION})


def _put_back_state(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """Key rows and the state of keys, with some of what the control store says of them."""
    environment, control = _earlier(moments, change)
    for number, name in enumerate(("key_state", "environment_keys", "keys")):
        if name == "key_state" or change.row >> number & 1:
            now[ENVIRONMENT][name] = [dict(row) for row in environment[name]]
    for number, name in enumerate(("assignments", "operations", "keys", "audit", "policies", "environments")):
        if change.column >> number & 1:
            now[CONTROL][name] = [dict(row) for row in control[name]]


def _delete_rows(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    name = _table(now[change.store], change.table)
    rows = now[change.store][name]
    now[change.store][name] = [row for number, row in enumerate(rows) if not change.row >> (number % 16) & 1]


def _swap_column(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    rows = now[change.store][_table(now[change.store], change.table)]
    if len(rows) > 1:
        one, other = rows[change.row % len(rows)], rows[change.other % len(rows)]
        column = sorted(one)[change.column % len(one)]
        one[column], other[column] = other[column], one[column]


def _swap_rows(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """Everything of two rows but where they are."""
    name = _table(now[change.store], change.table)
    rows = now[change.store][name]
    if len(rows) > 1:
        one, other = rows[change.row % len(rows)], rows[change.other % len(rows)]
        for column in one:
            if column not in _PLACES.get(name, ("id",)):
                one[column], other[column] = other[column], one[column]


def _splice(moments: Sequence[Moment], now: Moment, change: Change) -> None:
    """One column of a row, from any row of an earlier moment: of the same table, or of another that has the column."""
    name = _table(now[change.store], change.table)
    rows = now[change.store][name]
    if not rows:
        return
    row = rows[change.row % len(rows)]
    column = sorted(row)[change.column % len(row)]
    before = _earlier(moments, change)
    sources = [each for tables in before for each in tables.values() if each and column in each[0]]
    if change.other % 3:
        sources = [before[change.store].get(name, [])]
    found = [each[column] for source in sources for each in source]
    if found:
        row[column] = found[change.other % len(found)]


_PLACES: Final = {
    "environment_keys": ("domain", "version"),
    "environments": ("environment_id",),
    "versions": ("flow_id", "number"),
    "pages": ("run", "seq"),
    "snapshots": ("run",),
    "policies": ("policy_id",),
    "assignments": ("environment_id",),
    "audit": ("number",),
    "ledger": ("number",),
    "connections": ("connection_id",),
    "operations": ("operation_id",),
    "retention": ("flow_id",),
    "backups": ("backup_id",),
}
"""What says where a row is; of a table that is not named here, `id`, or all of it."""


def _same_place(table: str, one: Row, other: Row) -> bool:
    columns = _PLACES.get(table) or (("id",) if "id" in one else tuple(one))
    return all(one.get(column) == other.get(column) for column in columns)


_WAYS: Final[dict[str, Callable[[Sequence[Moment], Moment, Change], None]]] = {
    "put back table": _put_back_table,
    "put back rows": _put_back_rows,
    "put back thing": _put_back_thing,
    "put back things": _put_back_things,
    "put back store": _put_back_store,
    "put back state": _put_back_state,
    "put back all": _put_back_all,
    "delete rows": _delete_rows,
    "delete thing": _delete_thing,
    "swap column": _swap_column,
    "swap rows": _swap_rows,
    "splice": _splice,
    "insert again": _insert_again,
}
