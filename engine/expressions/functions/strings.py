"""String functions: concat, case, trim, replace, split, substring, slice and the searches.

Positions and lengths are UTF-16 code units. Searches that the document calls "not case-sensitive" compare without case
by the invariant culture; contains, replace and split are case-sensitive. Source throughout: "Logic Apps, expression
functions reference: string functions".
"""

from __future__ import annotations

from typing import Any

from ...errors import ExpressionError
from ...values import Value, to_text
from ..table import DESIGNER, Family
from . import utf16
from .arguments import bounded_items, bounded_length, fault, integer, text

FAMILY = Family("strings", "Logic Apps, expression functions reference: string functions")


class _CaseMap(dict[int, int]):
    """One character to one character, as the invariant culture maps them; filled as it is used.

    The dotted and dotless i of Turkish (U+0130, U+0131) stay as they are; so does what has no single counterpart.
    """

    def __init__(self, upper: bool) -> None:
        super().__init__({0x130: 0x130, 0x131: 0x131})
        self._upper = upper

    def __missing__(self, code: int) -> int:
        character = chr(code)
        mapped = character.upper() if self._upper else character.lower()
        if len(mapped) > 1:
            mapped = (
                character.title()
            )  # some have a single counterpart only in title case, as the host's simple mapping
        result = ord(mapped) if len(mapped) == 1 else code
        self[code] = result
        return result


_TO_UPPER = _CaseMap(upper=True)
_TO_LOWER = _CaseMap(upper=False)

# char.IsWhiteSpace; Python's own idea has U+001C to U+001F in addition.
_SPACE = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)


def upper(value: str) -> str:
    """A text in upper case by the invariant culture."""
    return value.upper() if value.isascii() else value.translate(_TO_UPPER)


@FAMILY.function("concat", 1, None)
def concat(*values: Value) -> str:
    """All values as text, by the rule of string(), joined."""
    texts = list(map(to_text, values))
    bounded_length(sum(map(len, texts)), "concat")
    return "".join(texts)


@FAMILY.function("toLower", 1)
def to_lower(value: Value) -> str:
    """The text in lower case, character by character, by the invariant culture."""
    if type(value) is str and value.isascii():
        return value.lower()
    return text(value, "toLower").translate(_TO_LOWER)


@FAMILY.function("toUpper", 1)
def to_upper(value: Value) -> str:
    """The text in upper case, character by character, by the invariant culture: the Turkish dotless i stays."""
    return upper(text(value, "toUpper"))


@FAMILY.function("trim", 1)
def trim(value: Value) -> str:
    """The text without white space (Unicode) at its ends."""
    return text(value, "trim").strip(_SPACE)


@FAMILY.function("replace", 3)
def replace(value: Value, old: Value, new: Value) -> str:
    """The text with every `old` replaced; case-sensitive. An empty `old` is an error."""
    source = value if type(value) is str else text(value, "replace", 1)
    wanted = old if type(old) is str else text(old, "replace", 2)
    other = new if type(new) is str else text(new, "replace", 3)
    if not wanted:
        raise fault("replace", "expects its second parameter not to be empty: a string cannot be of zero length.")
    if len(other) > len(wanted) and len(source) * len(other) > 1_000_000:
        bounded_length(len(source) + source.count(wanted) * (len(other) - len(wanted)), "replace")
    return source.replace(wanted, other)


@FAMILY.function("split", 2)
def split(value: Value, delimiter: Value) -> list[Any]:
    """The pieces between the delimiters; case-sensitive. An empty delimiter gives the whole text as the one piece."""
    source = value if type(value) is str else text(value, "split", 1)
    between = delimiter if type(delimiter) is str else text(delimiter, "split", 2)
    if not between:
        return [source]
    if len(source) > 1_000_000:
        bounded_items(source.count(between), "split")
    return source.split(between)


def _out_of_range(fn: str) -> ExpressionError:
    return ExpressionError(
        f"The template language function '{fn}' parameters are out of range: 'start index' and 'length' must be "
        "non-negative integers and their sum must be no larger than the length of the string.",
        hint="slice() and take() tolerate positions beyond the end.",
    )


@FAMILY.function("substring", 2, 3)
def substring(value: Value, start: Value, *rest: Value) -> str:
    """The characters from `start`, up to the length or the end.

    A position past the end is an error, unlike slice() and take().
    """
    if type(value) is str and type(start) is int and value.isascii():
        end = start + rest[0] if rest and type(rest[0]) is int else len(value)
        if 0 <= start <= end <= len(value) and (not rest or type(rest[0]) is int):
            return value[start:end]
    source, first = text(value, "substring", 1), integer(start, "substring", 2)
    size = utf16.length(source)
    wanted = integer(rest[0], "substring", 3) if rest else size - first
    if first < 0 or wanted < 0 or first + wanted > size:
        raise _out_of_range("substring")
    return utf16.part(source, first, first + wanted)


@FAMILY.function("slice", 2, 3)
def slice_(value: Value, start: Value, *rest: Value) -> str:
    """The characters from `start` to before the third argument or the end.

    Negative positions count from the end, no position is out of range.
    """
    source = text(value, "slice", 1)
    size = utf16.length(source)
    first = _within(integer(start, "slice", 2), size)
    last = _within(integer(rest[0], "slice", 3), size) if rest else size
    return utf16.part(source, first, last) if last > first else ""


def _within(position: int, size: int) -> int:
    return max(position + size, 0) if position < 0 else min(position, size)


@FAMILY.function("startsWith", 2)
def starts_with(value: Value, wanted: Value) -> bool:
    """Whether the text starts with another; not case-sensitive."""
    return upper(text(value, "startsWith", 1)).startswith(upper(text(wanted, "startsWith", 2)))


@FAMILY.function("endsWith", 2)
def ends_with(value: Value, wanted: Value) -> bool:
    """Whether the text ends with another; not case-sensitive."""
    return upper(text(value, "endsWith", 1)).endswith(upper(text(wanted, "endsWith", 2)))


@FAMILY.function("indexOf", 2)
def index_of(value: Value, wanted: Value) -> int:
    """The position of the first occurrence, -1 if there is none; not case-sensitive. An empty search is at 0."""
    source = value if type(value) is str else text(value, "indexOf", 1)
    other = wanted if type(wanted) is str else text(wanted, "indexOf", 2)
    if source.isascii() and other.isascii():
        return source.lower().find(other.lower())
    return utf16.position(source, upper(source).find(upper(other)))


@FAMILY.function("lastIndexOf", 2)
def last_index_of(value: Value, wanted: Value) -> int:
    """The position of the last occurrence, -1 if there is none; not case-sensitive.

    An empty search is at the last character (document), in an empty text at 0.
    """
    source, other = text(value, "lastIndexOf", 1), text(wanted, "lastIndexOf", 2)
    if not other:
        return max(utf16.length(source) - 1, 0)
    return utf16.position(source, upper(source).rfind(upper(other)))


@FAMILY.function("nthIndexOf", 3)
def nth_index_of(value: Value, wanted: Value, occurrence: Value) -> int:
    """The position of the nth occurrence, -1 if there is none; a negative n counts from the end, 0 is an error.

    Case-sensitive; occurrences may overlap.
    """
    source, other = text(value, "nthIndexOf", 1), text(wanted, "nthIndexOf", 2)
    n = integer(occurrence, "nthIndexOf", 3)
    if n == 0:
        raise fault("nthIndexOf", "expects its third parameter not to be zero.")
    if not other:
        raise fault("nthIndexOf", "expects its second parameter not to be empty.")
    at = -1 if n > 0 else len(source) + 1
    for _ in range(abs(n)):
        at = source.find(other, at + 1) if n > 0 else source.rfind(other, 0, at + len(other) - 1)
        if at < 0:
            return -1
    return utf16.position(source, at)


@FAMILY.function("trimByteOrderMark", 1, source=DESIGNER)
def trim_byte_order_mark(value: Value) -> str:
    """The text without a leading byte order mark."""
    return text(value, "trimByteOrderMark").removeprefix("\ufeff")
