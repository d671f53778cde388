"""Writing: lines for people, JSON for programs, and what a terminal can take.

Results go to stdout, notes and errors to stderr. Every line passes `printable` on its way out, so that no value of a
flow can move a cursor, change a title or reverse a line. Nothing here knows flows or runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO, Final, TextIO

from ....errors import SealflowError
from ....values import to_json
from .printable import marked, printable_json, styled
from .printable import one_line as one_line
from .printable import printable as printable

LONGEST_VALUE: Final = 2_000
"""Characters of a value that are shown without `--full`."""

_PLAIN_SYMBOLS: Final = str.maketrans({"✓": "+", "✗": "x", "↻": "~", "…": "...", "▸": ">", "·": "-", "→": "->"})


def write(stream: TextIO, text: str, end: str = "\n") -> None:
    """Write one line, `printable` but for the styles of `paint`; symbols and letters that the stream's encoding does
    not have are replaced, never an error.
    """
    text = styled(text) if coloured(stream) else printable(text)
    try:
        stream.write(text + end)
    except BrokenPipeError:
        discard(stream)
    except UnicodeEncodeError:
        encoding = stream.encoding or "ascii"
        plain = text.translate(_PLAIN_SYMBOLS)
        stream.write(plain.encode(encoding, "backslashreplace").decode(encoding) + end)


def redraw(stream: TextIO, text: str = "") -> None:
    """Write over the line of a terminal that the cursor is in."""
    stream.write("\r\x1b[K")
    write(stream, text, end="")


def flush(stream: TextIO) -> None:
    """What is written is out; where nobody reads any more, what follows goes nowhere, and the work goes on."""
    try:
        stream.flush()
    except BrokenPipeError:
        discard(stream)


def raw_stdout() -> BinaryIO:
    """Stdout for content as it is, which a file or a pipe takes and a terminal does not: it can hold escape sequences.

    Raises SealflowError, code `TerminalOutput`.
    """
    if sys.stdout.isatty():
        raise SealflowError(
            "The content is not written to a terminal: it can hold control characters.",
            code="TerminalOutput",
            hint="Name a file in place of '-', or write it to a pipe.",
        )
    return sys.stdout.buffer


def discard(stream: TextIO) -> None:
    """What is left to be written goes nowhere: Python would complain about it once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def say(text: str = "") -> None:
    """A line of the result, for people."""
    write(sys.stdout, text)


def note(text: str) -> None:
    """A line beside the result, on stderr."""
    sys.stdout.flush()
    write(sys.stderr, text)
    sys.stderr.flush()


def say_json(value: Any) -> None:
    """A result for programs: one line of compact JSON."""
    write(sys.stdout, json_text(value))


def say_json_object(members: Mapping[str, Any]) -> None:
    """An object as `say_json` writes it, but lists item by item: together those may be more than a value can be."""
    before = "{"
    for name, value in members.items():
        write(sys.stdout, f"{before}{json_text(name)}:", end="")
        if isinstance(value, list):
            for number, item in enumerate(value):
                write(sys.stdout, f"{',' if number else '['}{json_text(item)}", end="")
            write(sys.stdout, "]" if value else "[]", end="")
        else:
            write(sys.stdout, json_text(value), end="")
        before = ","
    write(sys.stdout, "}" if members else "{}")


async def say_json_with(members: Mapping[str, Any], name: str, pieces: AsyncIterable[str]) -> None:
    """An object as `say_json` writes it, and one member more: a list, whose JSON is written as it comes."""
    head = json_text(dict(members))
    write(sys.stdout, f"{head[:-1]}{',' if members else ''}{json_text(name)}:[", end="")
    async for piece in pieces:
        write(sys.stdout, printable_json(piece), end="")
    write(sys.stdout, "]}")


def json_text(value: Any) -> str:
    """Compact JSON that every UTF-8 reader accepts and a terminal can show: control characters, format characters and
    lone surrogates are escaped, infinite numbers are texts.
    """
    return printable_json(to_json(_finite(value)))


def _finite(value: Any) -> Any:
    """JSON has neither NaN nor Infinity, and expressions can make both."""
    if isinstance(value, float):
        if value != value:
            return "NaN"
        return value if abs(value) != float("inf") else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, dict):
        return {name: _finite(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(member) for member in value]
    return value


def shown(value: Any, *, full: bool = False, indent: int = 0) -> str:
    """A value for people: text as it is, everything else as indented JSON, cut off after some 2,000 characters unless
    `full`.
    """
    import json

    text = value if isinstance(value, str) else json.dumps(_finite(value), indent=2, ensure_ascii=False, default=str)
    text = printable(text)
    if not full and len(text) > LONGEST_VALUE:
        text = f"{text[:LONGEST_VALUE]}… ({len(text):,} characters; --full shows them)"
    if indent:
        text = text.replace("\n", "\n" + " " * indent)
    return text


def coloured(stream: TextIO) -> bool:
    """Whether the stream is a terminal that wants colour (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, stream: TextIO | None = None) -> str:
    """The text in a colour (green, red, yellow, cyan, dim, bold) where the stream shows it."""
    if not colour or not coloured(stream if stream is not None else sys.stdout):
        return text
    return marked(printable(text), colour)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell, in lines without trailing blanks."""
    body = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *body]) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in [list(head), *body]
    ]


def say_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of the result, for people."""
    first, *lines = table(head, rows)
    say(paint(first, "bold"))
    for line in lines:
        say(line)
