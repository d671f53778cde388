"""Texts counted in UTF-16 code units, as .NET counts them: characters beyond U+FFFF count twice.

Almost no text has such characters, and those that have none take the short way. A character cut in two becomes U+FFFD,
so that no half of one ever leaves the language.
"""

from __future__ import annotations


def is_plain(text: str) -> bool:
    """Whether every character is one code unit."""
    return text.isascii() or max(text) <= "\uffff"


def length(text: str) -> int:
    """The number of code units."""
    if is_plain(text):
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def part(text: str, start: int, end: int) -> str:
    """The code units from `start` to before `end`; both are within the text, or beyond its end."""
    if is_plain(text):
        return text[start:end]
    return text.encode("utf-16-le", "surrogatepass")[2 * start : 2 * end].decode("utf-16-le", "replace")


def position(text: str, index: int) -> int:
    """The code units before the character at `index`, which may be -1 for `not found`."""
    return index if index <= 0 or is_plain(text) else length(text[:index])
