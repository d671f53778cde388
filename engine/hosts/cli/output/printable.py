"""What a terminal may be sent: every control or invisible character of a text is written out, never sent.

`printable` is the one function for text that others wrote (flows, files, services, other users). `output.write` applies
it to every line of every command, so a command that forgets it cannot send an escape sequence either. Colours of this
program travel through it as noncharacters, which `styled` turns into sequences at the very end.
"""

from __future__ import annotations

import re
from typing import Final

_UNSAFE: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 and C1 without line feed and tab: cursor, title, screen, ESC and CSI
    "\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2"  # soft hyphen, joiners, marks of direction
    "\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0"  # letters without a shape
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"  # zero width, line ends, embeddings, overrides, isolates
    "\ud800-\udfff"  # lone surrogates, which no encoding has
    "\ufdd0-\ufdef\ufff0-\ufffb\ufffe\uffff"  # noncharacters, interlinear annotation
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"  # of scripts
    "\U000e0000-\U000e0fff"  # tags and supplementary variation selectors
    + "".join(f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(1, 17))
)
_CONTROL: Final = re.compile(f"[{_UNSAFE}]")
_LINE_CONTROL: Final = re.compile(f"[\t\n{_UNSAFE}]")

_FIRST_STYLE: Final = 0xFDD0
_STYLES: Final = {"green": "32", "red": "31", "yellow": "33", "cyan": "36", "dim": "2", "bold": "1"}
_MARKS: Final = {name: chr(_FIRST_STYLE + number) for number, name in enumerate(("", *_STYLES))}
_SEQUENCES: Final = {ord(_MARKS[name]): f"\x1b[{code}m" for name, code in {"": "0", **_STYLES}.items()}
_UNMARKED: Final = re.compile(f"[{_UNSAFE.replace(f'{chr(0xFDD0)}-', f'{chr(_FIRST_STYLE + len(_MARKS))}-')}]")


def printable(text: str) -> str:
    r"""The text with control and format characters written as `\x1b`, `\u202e` (line ends and tabs stay)."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_spelled, text)


def one_line(text: str, longest: int = 0) -> str:
    """As `printable`, in one line, cut off after `longest` characters where that is given."""
    if not (text.isascii() and text.isprintable()):
        text = _LINE_CONTROL.sub(_spelled, text)
    return text if not longest or len(text) <= longest else text[: longest - 1] + "…"


def printable_json(text: str) -> str:
    """JSON text with the same characters as JSON escapes: the same value, and safe to show."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(_json_escape, text)


def marked(text: str, style: str) -> str:
    """The text in a style of `styled`: green, red, yellow, cyan, dim, bold."""
    return f"{_MARKS[style]}{text}{_MARKS['']}"


def styled(text: str) -> str:
    """A line as it is sent: marks of `marked` become sequences of the terminal, everything else is `printable`."""
    if text.isascii() and text.isprintable():
        return text
    return _UNMARKED.sub(_spelled, text).translate(_SEQUENCES)


def _spelled(match: re.Match[str]) -> str:
    sign = match[0]
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(sign)
    if short is not None:
        return short
    code = ord(sign)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _json_escape(match: re.Match[str]) -> str:
    return "".join(f"\\u{unit:04x}" for unit in _units(ord(match[0])))


def _units(code: int) -> tuple[int, ...]:
    if code < 0x10000:
        return (code,)
    code -= 0x10000
    return (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))
