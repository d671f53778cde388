"""Where progress is drawn: plain lines, or on a terminal lines with a live part below them that shows what is under
way.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self, TextIO

from ....kernel import Entry
from .printable import printable, styled
from .progress import Line, Progress
from .writing import coloured, flush, paint, write

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

REFRESH: Final = 0.2
"""Seconds between two looks at what is under way."""

LIVE_LINES: Final = 8


class Display(Protocol):
    """Shows the entries it is given; used with `async with`."""

    async def __aenter__(self) -> Display: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
    def show(self, entry: Entry) -> None: ...
    def note(self, text: str) -> None: ...


def display_on(stream: TextIO, progress: Progress) -> Display:
    """The display that the stream can take."""
    return LiveLines(stream, progress) if coloured(stream) else PlainLines(stream, progress)


class _Ticking:
    """Calls `tick` every now and then while it is entered."""

    _task: asyncio.Task[None] | None = None

    def tick(self) -> None:
        raise NotImplementedError

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(REFRESH)
            self.tick()

    async def __aenter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._ticks())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.end()

    async def end(self) -> None:
        """Tick no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


class PlainLines(_Ticking):
    """Lines that are written once, each behind a `mark`: for files, pipes, terminals without colour, several runs."""

    def __init__(self, stream: TextIO, progress: Progress, mark: str = "") -> None:
        self._stream = stream
        self._progress = progress
        self._mark = mark

    def show(self, entry: Entry) -> None:
        self._write(self._progress.take(entry))

    def note(self, text: str) -> None:
        write(self._stream, f"{self._mark}{text}")
        flush(self._stream)

    def tick(self) -> None:
        self._write(self._progress.periodic())

    def _write(self, lines: Sequence[Line]) -> None:
        for line in lines:
            write(self._stream, f"{self._mark}{line}")
        if lines:
            flush(self._stream)


class LiveLines(_Ticking):
    """Finished lines scroll up, what is under way is redrawn below them."""

    def __init__(self, stream: TextIO, progress: Progress) -> None:
        self._stream = stream
        self._progress = progress
        self._live: Live | None = None
        self._drawn: list[Line] = []

    async def end(self) -> None:
        await super().end()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def show(self, entry: Entry) -> None:
        for line in self._progress.take(entry):
            if line.symbol != "…":  # what is under way stands in the live part
                symbol = paint(line.symbol, line.colour, self._stream)
                self.note(f"{'  ' * line.depth}{symbol} {_painted(line, self._stream)}")

    def note(self, text: str) -> None:
        if self._live is None:
            write(self._stream, text)
            flush(self._stream)
        else:
            from rich.text import Text

            self._live.console.print(Text.from_ansi(styled(text)), soft_wrap=True)

    def tick(self) -> None:
        lines = self._progress.current()
        if self._live is None:
            if not lines:
                return
            # Most runs are over before this is needed: rich takes longer to load than they do to run.
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
            self._live = Live(console=console, transient=True, auto_refresh=False, redirect_stdout=False)
            self._live.start()
        if lines != self._drawn:
            self._drawn = lines
            self._live.update(self._below(lines), refresh=True)

    def _below(self, lines: Sequence[Line]) -> Text:
        from rich.text import Text

        width = shutil.get_terminal_size().columns
        shown = [Text(printable(str(line))[: width - 1], style=line.colour) for line in lines[:LIVE_LINES]]
        if len(lines) > LIVE_LINES:
            shown.append(Text(f"… and {len(lines) - LIVE_LINES} more", style="dim"))
        return Text("\n").join(shown)


def _painted(line: Line, stream: TextIO) -> str:
    return paint(line.text, line.colour, stream) if line.colour in ("red", "dim") else line.text
