"""Progress of a desktop flow, as lines: its actions as they end, with their row; the rows of the language are counted.

A loop's thousandth turn is not worth a line: of a row that came up often only every so many-th is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ....kernel.contract.status import FAILED

if TYPE_CHECKING:
    from ....kernel.desktop.history import LogRow

_OFTEN: Final = 20
"""Turns of one row that are told of each."""


class ScriptLines:
    """Says which rows are worth a line. `full`: every one."""

    def __init__(self, *, full: bool) -> None:
        self._full = full
        self._turns: dict[int, int] = {}

    def is_told(self, row: LogRow) -> bool:
        """Whether this change of a row is worth a line."""
        if row.end is None and row.retry_due is None:
            return False
        if row.status == FAILED or row.retry_due is not None or self._full:
            return True
        if row.node.operation is None and row.node.action is None:
            return False  # a row of the language
        turns = self._turns[row.node.pc] = self._turns.get(row.node.pc, 0) + 1
        return turns <= _OFTEN or turns % 1_000 == 0

    def text(self, row: LogRow) -> str:
        """`Main 3 Set clipboard text`, with how often it came up where that is often."""
        node = row.node
        title = node.title or f"{node.module}.{node.word}".strip(".")
        turns = self._turns.get(node.pc, 0)
        often = f" ({turns:,} times so far)" if turns > _OFTEN else ""
        if turns == _OFTEN:
            often = f" ({turns} times so far; further turns are counted)"
        return f"{node.subflow}:{node.row} {title}{often}"
