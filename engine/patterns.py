"""Regular expressions as .NET writes them, by the `regex` library: patterns, replacements, and a limit of time.

The library takes most of .NET's syntax as it is: named groups, lookbehind of any length, Unicode categories. What it
lacks - balancing groups - is refused with its name. Nothing here knows of flows.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final

from .effort import Costly, counts
from .errors import SealflowError

SECONDS: Final = 5.0
"""How long one expression may look; a pattern that takes longer runs away."""

_GLANCE: Final = 0.02

_QUOTED_GROUP = re.compile(r"\(\?'([^\W\d]\w*)'")
_BALANCING = re.compile(r"\(\?[<'][^>'=!]*-")
_SUBSTITUTION = re.compile(r"\$(?:(\$)|(&)|\{(\w+)\}|(\d+)|(`)|('))")


class PatternError(SealflowError):
    """An expression is invalid, or looked for too long; or the library is not installed (code `LibraryMissing`)."""

    code = "InvalidPattern"


@lru_cache(maxsize=256)
def compiled(pattern: str, ignore_case: bool = False) -> Any:
    """The compiled pattern. Raises PatternError for one that is none."""
    try:
        import regex
    except ImportError as error:
        what = "Regular expressions need a library that is not installed: pip install 'sealflow[desktop]'."
        raise PatternError(what, code="LibraryMissing") from error
    if _BALANCING.search(pattern):
        raise PatternError("Balancing groups are not supported here.")
    flags = regex.VERSION0 | (regex.IGNORECASE if ignore_case else 0)
    try:
        return regex.compile(_QUOTED_GROUP.sub(r"(?P<\1>", pattern), flags)
    except (regex.error, RecursionError, OverflowError) as error:
        raise PatternError(f"{error}") from None


def _patience() -> float:
    """Seconds that one look may take: few where it keeps others waiting, since it can be repeated elsewhere."""
    return _GLANCE if counts() else SECONDS


def matches(pattern: str, text: str, start: int = 0, *, ignore_case: bool = False) -> list[Any]:
    """All matches from `start` on. Raises PatternError."""
    try:
        return list(compiled(pattern, ignore_case).finditer(text, start, timeout=_patience()))
    except TimeoutError:
        raise _slow() from None


def pieces(pattern: str, text: str) -> list[str]:
    """The text cut at the matches; what groups caught stands between the pieces, as .NET has it.

    Raises PatternError.
    """
    found, at = [], 0
    for match in matches(pattern, text):
        found.append(text[at : match.start()])
        found += [group for group in match.groups() if group is not None]
        at = match.end()
    return [*found, text[at:]]


def replaced(pattern: str, replacement: str, text: str, *, ignore_case: bool = False) -> str:
    """The text with every match replaced; `$1`, `${name}`, `$&` and `$$` in the replacement mean what .NET says.

    Raises PatternError.
    """

    def substitute(match: Any) -> str:
        def part(sign: re.Match[str]) -> str:
            dollar, whole, name, number, before, after = sign.groups()
            if dollar:
                return "$"
            if whole:
                return str(match.group())
            if before or after:
                return text[: match.start()] if before else text[match.end() :]
            try:
                return match.group(int(number) if number else int(name) if name.isdigit() else name) or ""
            except (IndexError, KeyError):
                return sign.group()

        return _SUBSTITUTION.sub(part, replacement)

    try:
        return str(compiled(pattern, ignore_case).sub(substitute, text, timeout=_patience()))
    except TimeoutError:
        raise _slow() from None


def _slow() -> Exception:
    if counts():
        return Costly()
    return PatternError(f"The expression looked for longer than {SECONDS:g} seconds.")
