"""`verify --repair`: recovers runs whose row was overwritten, from their pages, as an act of an administrator.

Storage says whether the pages are whole and whose they are. What they mean is said here: the start record has to be one
of this run and its flow, each record has to follow from those before, and the run has ended or goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ....storage import IntegrityError, Outcome, Page, RecordNotFound, RunReader, StoreBusy, TamperedHistory, Vault
from ...errors import DefinitionError, NotFound
from ...kernel import MismatchError, from_stored
from ...kernel.contract import records as event
from ...kernel.contract.status import RUNNING, WAITING
from ..flows.library import Library
from ..flows.start import run_name
from ..history.reading import is_held
from ..history.state_loading import Refolding

if TYPE_CHECKING:
    from ....storage import Administration, Recovered

REPAIR: Final = "environment repair"

_ROOM: Final = 16 << 20
"""Bytes of large values that are in memory while a history is read."""

_AT_ONCE: Final = 256
"""Runs that one act on record names."""

_UNFIT: Final = (
    KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RecursionError, MismatchError,
)  # fmt: skip
"""What applying records of another flow may end in."""

Progress = Callable[[str], None]
"""Called with what is being done."""


@dataclass(frozen=True, slots=True)
class Repair:
    """The runs that were repaired, and those that were refused, each with the reason."""

    repaired: list[bytes] = field(default_factory=list)
    refused: list[tuple[bytes, str]] = field(default_factory=list)


async def repair_environment(
    administration: Administration,
    environment: str,
    *,
    run_id: bytes | None = None,
    progress: Progress = lambda what: None,
) -> Repair:
    """Repair all runs of an environment whose row does not open, or one of them.

    No process may execute the environment meanwhile. Raises NotPermitted, RecordNotFound, EnvironmentLocked, StoreBusy,
    and the errors of the stores. Runs that cannot be repaired are part of the answer; nothing of them is changed.
    """
    administration.need_environment_administrator("repair its runs")
    store, repair = administration.store, Repair()
    info = await store.environment(environment)
    vault = await store.open_vault(info.name)
    try:
        if not await vault.try_become_executor():
            raise StoreBusy(f"The environment {info.name} is in use.", hint="End the processes that execute its runs.")
        progress("looking for damaged runs")
        ready: list[tuple[Recovered, Outcome]] = []
        async for damaged in _damaged(vault, run_id):
            progress(f"reading run {run_name(damaged)}")
            try:
                ready.append(await _recovered(vault, damaged))
            except (IntegrityError, RecordNotFound, NotFound, DefinitionError) as error:
                repair.refused.append((damaged, error.message))
            if len(ready) == _AT_ONCE:
                await _repair(administration, info.name, vault, ready, repair)
        if ready:
            await _repair(administration, info.name, vault, ready, repair)
    finally:
        await vault.close()
    return repair


async def _damaged(vault: Vault, run_id: bytes | None) -> AsyncIterator[bytes]:
    if run_id is None:
        async for damaged in vault.repairs.damaged():
            yield damaged
    elif await vault.repairs.is_damaged(run_id):
        yield run_id


async def _repair(
    administration: Administration,
    environment: str,
    vault: Vault,
    ready: list[tuple[Recovered, Outcome]],
    repair: Repair,
) -> None:
    """Repair these runs, on record."""
    names = [run_name(found.run_id) for found, _ in ready]
    async with administration.act(REPAIR, environment, {"runs": names}):
        for found, outcome in ready:
            await vault.repairs.repair(found, outcome)
            repair.repaired.append(found.run_id)
    ready.clear()


async def _recovered(vault: Vault, run_id: bytes) -> tuple[Recovered, Outcome]:
    """What the pages of a run say. Raises TamperedHistory and other errors for pages that do not fit."""
    history = _History(vault, run_id)
    found = await vault.repairs.recover(run_id, history.take)
    return found, history.outcome()


class _History:
    """Folds the pages of one run, as a worker that resumes it does."""

    def __init__(self, vault: Vault, run_id: bytes) -> None:
        self._vault = vault
        self._run_id = run_id
        self._flow = ""
        self._folding: Refolding | None = None

    async def take(self, page: Page, reader: RunReader) -> None:
        """Apply the next page. Raises TamperedHistory."""
        try:
            if self._folding is None:
                self._folding = await self._begun(page, reader)
            await self._folding.take(page, reader)
        except _UNFIT as error:
            raise self._unfit("its records are not those of its flow.", page.seq) from error

    async def _begun(self, page: Page, reader: RunReader) -> Refolding:
        head = reader.head
        assert head is not None  # noqa: S101 (read before the pages)
        flow = await self._vault.flow(head.flow_id)
        self._flow = flow.name
        record: Any = from_stored(page.records[0])
        if record[1] != event.START:
            raise self._unfit("its first record is no start.", page.seq)
        at, pins = record[2], record[4]
        named = str(pins["workflow"]["name"]).casefold()
        said = (pins["run"], pins["version"], at // 10_000, named)
        if said != (run_name(self._run_id), head.version, head.started_ms, flow.name.casefold()):
            raise self._unfit("its start record is of another run, flow or version.", page.seq)
        plan = await Library(self._vault).plan(head.flow_id, head.version, head.definition_digest)
        return Refolding(plan, _ROOM)

    def outcome(self) -> Outcome:
        """How the run stands at the end of its pages."""
        assert self._folding is not None  # noqa: S101 (a history has one page at least)
        state = self._folding.state
        end = state.end
        if end is None:
            return Outcome(WAITING if is_held(state) else RUNNING, None, {"flow": self._flow})
        return Outcome(end.status, state.now // 10_000, {"flow": self._flow, "code": end.code, "error": end.error})

    def _unfit(self, problem: str, seq: int) -> TamperedHistory:
        return TamperedHistory(problem, run=self._run_id.hex(), seq=seq)
