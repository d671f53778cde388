"""A script's text as a tree: the rows that hold others, subflows, and the whole script.

All problems of a text are collected, row by row; a row that cannot be read is left out of the tree. Names are not
resolved here: that is `check`'s.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from .clipboard import cut_off
from .lexer import LARGEST, Line, lex
from .parse_structure import Structure
from .problem import Problem, Problems, RobinError, in_order
from .reading import Rows
from .tree import Place, Script, Subflow

_LONG: Final = 100_000
"""Characters from which on a text is long."""

Kind = Literal["file", "clipboard", "solution"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a text. With a problem of severity `error` the script is not whole."""

    script: Script
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not any(problem.severity == "error" for problem in self.problems)


def parse(text: str, *, kind: Kind = "file", repositories: dict[str, Any] | None = None) -> Reading:
    """A script in the text of a file, of the clipboard (`kind` then refuses what cannot be pasted) or of a solution.

    `repositories`: UI elements and images by `appmask` and `imgrepo`; those behind a copied text are found.
    Never raises.
    """
    if len(text) > LARGEST:
        text, copied = cut_off(text)  # the pictures are what makes it large
        if len(text) > LARGEST:
            problem = Problem(
                "TooLarge", "error", "1:1", f"The script has more than {LARGEST:,} characters.", "Is it the right file?"
            )
            return Reading(Script(Subflow("Main", (), Place(1, 1)), {}, kind=kind), (problem,))
    else:
        text, copied = cut_off(text)
    with _no_collections(len(text)):
        reading = _best(text, kind)
    found = {**copied, **(repositories or {})}
    if found:
        reading = replace(reading, script=replace(reading.script, repositories=found))
    return reading


def _best(text: str, kind: Kind) -> Reading:
    """The reading with fewer problems, where ON ERROR REPEAT can be read in two ways."""
    lines, faults = lex(text)
    reading, rows = _read(lines, faults, kind, bare_retries=False)
    if rows.met_bare_retry and not reading.ok:
        other, _ = _read(lines, faults, kind, bare_retries=True)
        if len(other.problems) < len(reading.problems):
            return other
    return reading


@contextmanager
def _no_collections(length: int) -> Iterator[None]:
    """Of a long text all records stay alive and none are in cycles: looking for garbage takes half of the time."""
    if length < _LONG or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def script(text: str, *, kind: Kind = "file") -> Script:
    """As `parse`, for a text that has to be right. Raises RobinError with the first error."""
    reading = parse(text, kind=kind)
    for problem in reading.problems:
        if problem.severity == "error":
            line, _, column = problem.at.partition(":")
            raise RobinError(problem.message, Place(int(line), int(column)), code=problem.code, hint=problem.hint)
    return reading.script


def _read(lines: list[Line], faults: Iterable[Problem], kind: Kind, *, bare_retries: bool) -> tuple[Reading, Rows]:
    problems = Problems()
    problems.found += faults
    rows = Rows(lines, assigned(lines), problems, bare_retries=bare_retries)
    parser = Structure(rows, pasted=kind == "clipboard")
    parser.whole()
    declared = parser.declarations
    found = Script(
        Subflow("Main", tuple(parser.main), Place(1, 1)),
        parser.subflows,
        tuple(declared.inputs),
        tuple(declared.outputs),
        frozenset(declared.sensitive),
        declared.headers,
        kind=kind,
    )
    return Reading(found, in_order(problems.found)), rows


def assigned(lines: Iterable[Line]) -> frozenset[str]:
    """Lower-case names of everything that rows seem to assign, for telling properties from enumerations."""
    found = set()
    for line in lines:
        tokens = line.tokens
        if line.head in ("set", "loop"):
            for token in tokens[1:3]:
                if token[0] == "name":
                    found.add(token[1].lower())
        elif tokens and tokens[0][1] == "@" and len(tokens) > 2:
            found.add(str(tokens[2][1]).lower())
        if line.head in ("", "error"):
            for at, token in enumerate(tokens):
                if token[0] == "op" and token[1] == "=>" and at + 1 < len(tokens):
                    found.add(str(tokens[at + 1][1]).lower())
    return frozenset(found)
