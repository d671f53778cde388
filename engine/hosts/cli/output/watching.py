"""Waiting for runs: their progress while they go on, their end as people and as programs read it."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....kernel import Entry
from ....kernel.contract.timing import from_iso
from ..errors import FAILED, OK, InterruptedRunError, WaitTimeoutError
from ..session import DEFAULT_ENVIRONMENT, again
from .display import Display, PlainLines, display_on
from .progress import Progress, duration_text
from .writing import flush, json_text, note, one_line, paint, printable, say, say_json_with, shown

if TYPE_CHECKING:
    from ....runtime.observe.report import RunReport
    from ....runtime.observe.run import Run

QUIET: float = 5.0
"""Seconds without news after which a follower says that perhaps nobody executes the run."""

MOST_FOLLOWED = 20
"""Runs at once of which each action is shown."""

_COLOURS = {"Succeeded": "green", "Running": "cyan", "Waiting": "cyan", "Skipped": "dim"}

Begin = Callable[[Callable[[Entry], None]], Awaitable["Sequence[Run]"]]
"""Starts or resumes runs, given whom to tell of each change of an action in this process."""


@dataclass
class Watch:
    """One command's waiting. With `as_json` progress goes to stderr and results, one line each, to stdout."""

    as_json: bool
    full: bool
    timeout: float | None
    simulated: bool = False
    home: Path | None = None
    environment: str = DEFAULT_ENVIRONMENT
    runs: Sequence[Run] = field(default_factory=list)
    _early: list[Entry] | None = field(default_factory=list)
    _display: Display | None = None

    @property
    def stream(self) -> Any:
        return sys.stderr if self.as_json else sys.stdout

    def begin(self, text: str) -> None:
        """The line before the actions: what runs, in which version, under which id."""
        (note if self.as_json else say)(text)
        flush(self.stream)

    async def carry_out(self, begin: Begin, headline: Callable[[Run], Awaitable[str]]) -> int:
        """Begin runs and wait for their ends; the exit code.

        Raises WaitTimeoutError and InterruptedRunError; the runs stay resumable.
        """
        loop = asyncio.get_running_loop()
        lapse = loop.time() + self.timeout if self.timeout is not None else None
        try:
            # However short the time is, what has begun has an id that can be told.
            self.runs = await begin(self._changed)
            if len(self.runs) != 1:
                self._early = None  # each of several is followed on its own
            async with asyncio.timeout_at(lapse):
                results = await self._watched(headline)
        except TimeoutError:
            raise WaitTimeoutError(f"Not finished after {self.timeout:g} s.{self._left()}", hint=self._next()) from None
        except asyncio.CancelledError:
            raise InterruptedRunError(f"Interrupted.{self._left()}", hint=self._next()) from None
        for number, result in enumerate(results, 1):
            await self.tell(result, _mark(number) if len(results) > 1 else "")
        return OK if all(result.status == "Succeeded" for result in results) else FAILED

    def _changed(self, entry: Entry) -> None:
        if self._display is not None:
            self._display.show(entry)
        elif self._early is not None:
            self._early.append(entry)

    async def _watched(self, headline: Callable[[Run], Awaitable[str]]) -> list[RunReport]:
        several = len(self.runs) > 1
        for number, run in enumerate(self.runs, 1):
            self.begin(f"{_mark(number) if several else ''}{await headline(run)}")
        if len(self.runs) > MOST_FOLLOWED:
            note(f"The actions of more than {MOST_FOLLOWED} runs are not shown as they happen, only how each run ends.")
            for run in self.runs:
                await run.wait()
            return [await run.report() for run in self.runs]
        if several:
            await asyncio.gather(*(self._follow_among(number, run) for number, run in enumerate(self.runs, 1)))
        for run in self.runs if not several else ():
            async with display_on(self.stream, self._progress()) as display:
                for entry in self._early or ():
                    display.show(entry)
                self._display, self._early = display, None
                await (run.wait() if run.told else self._follow(run, display))
        return [await run.report() for run in self.runs]

    def _progress(self) -> Progress:
        return Progress(now=None if self.simulated else _now, full=self.full)

    async def _follow_among(self, number: int, run: Run) -> None:
        """Show a run among others: each line says which run it belongs to."""
        async with PlainLines(self.stream, self._progress(), _mark(number)) as display:
            await self._follow(run, display)

    async def _follow(self, run: Run, display: Display) -> None:
        """Show a run from its first action on, as far as it is stored."""
        loop = asyncio.get_running_loop()
        told = None if run.here else loop.call_later(QUIET, self._tell_quiet, display, run.id)
        async for entry in run.follow():
            if told is not None:
                told.cancel()
            display.show(entry)
        if told is not None:
            told.cancel()

    def _tell_quiet(self, display: Display, run_id: str) -> None:
        display.note(f"Nothing happens yet. If no process executes this run: {self._command(f'runs resume {run_id}')}")

    def _left(self) -> str:
        if not self.runs:
            return ""
        if not any(run.here for run in self.runs):
            return f" Run {self.runs[0].id} was left as it is." if len(self.runs) == 1 else " The runs go on."
        what = f"Run {self.runs[0].id} is" if len(self.runs) == 1 else f"{len(self.runs)} runs are"
        return f" {what} kept and can be resumed."

    def _next(self) -> str | None:
        if not self.runs:
            return None
        # Resuming follows a run that another process executes, and takes it up where none does any more.
        if len(self.runs) == 1:
            return self._command(f"runs resume {self.runs[0].id}")
        return self._command("runs resume --all")

    def _command(self, command: str) -> str:
        return again(command, home=self.home, environment=self.environment)

    # ---- the end

    async def tell(self, result: RunReport, mark: str = "") -> None:
        """A run's result: for people its status, counts, causes, response and outputs; for programs its JSON."""
        if self.as_json:
            note(f"{mark}{last_line(result, sys.stderr)}")
            await say_json_with(result.head(), "actions", result.actions_json(json_text))
            return
        say(f"{mark}{last_line(result, sys.stdout)}")
        for line in causes(result):
            say(f"  {line}")
        if result.response is not None:
            say(f"response {result.response.get('statusCode')}")
            if "secured" in result.response:
                say("  secured")
            elif result.response.get("body") is not None:
                say(f"  {shown(result.response['body'], full=self.full, indent=2)}")
        if result.outputs:
            say("outputs")
            say(f"  {shown(result.outputs, full=self.full, indent=2)}")
        say(f"next: {self._command(f'runs show {result.run}')}")


def _mark(number: int) -> str:
    """What stands before the lines of one run among several."""
    return f"[{number}] "


def causes(result: RunReport) -> list[str]:
    """Why a run did not succeed: the actions that failed, or the run's own error."""
    if result.status in ("Succeeded", "Running", "Waiting"):
        return []
    lines = [f"{one_line(each.path)}: {each.code}: {printable(each.message)}" for each in result.failures]
    if result.failed > len(lines):
        lines.append(f"… and {result.failed - len(lines):,} more failed actions")
    if result.code != "ActionFailed" and result.error is not None:
        lines.insert(0, f"{result.code}: {printable(str(result.error.get('message', '')))}")
    return lines


def counts(result: RunReport) -> str:
    """`12 actions: 10 succeeded, 1 failed, 1 skipped`."""
    found = result.counts
    number = f"{result.total:,} action" + ("" if result.total == 1 else "s")
    order = ("Succeeded", "Failed", "TimedOut", "Cancelled", "Skipped", "Running", "Waiting")
    words = {"TimedOut": "timed out"}
    parts = [f"{found[status]:,} {words.get(status, status.lower())}" for status in order if status in found]
    return f"{number}: {', '.join(parts)}" if parts else number


def coloured_status(status: str, stream: Any = None) -> str:
    """A status in its colour."""
    return paint(status, _COLOURS.get(status, "red"), stream)


def last_line(result: RunReport, stream: Any) -> str:
    """Status, time from the first action's start to the last one's end, counts."""
    both = result.begun is not None and result.ended is not None
    ticks = from_iso(result.ended) - from_iso(result.begun) if both else 0
    took = f" in {duration_text(ticks)}" if ticks >= 10_000 else ""
    return f"{coloured_status(result.status, stream)}{took}, {counts(result)}"


def _now() -> int:
    return time.time_ns() // 100
