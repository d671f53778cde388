"""How inputs of the fuzzer are changed and made smaller: JSON values, texts, bytes, lists of arguments and files.

A change copies only the path to the place that it changes and shares the rest, so code under test must not modify its
input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import Any, Final

NASTY_TEXTS: Final = (
    "", " ", "\0", "\ud800", "\ufeff", "é" * 300, "x" * 9000, "a/b", "../a", "..", "/etc/passwd", "C:\\x", "a\\b",
    "__proto__", "constructor", "__class__", "__init__", "toString", "hasOwnProperty", "null", "true", "NaN", "-0",
    "1e999", "9" * 400, "PT5S", "P400Y", "2026-01-31T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.9Z", "@",
    "@@", "@{", "@{}", "@()", "@item()", "@null", "@{@{1}}", "[", "[concat('a')]", "%", "%x%", "%1%", "{0}", "${x}",
    "$'''", "'''", "'", '"', "<a/>", "<!DOCTYPE a>", "&lt;", "\r\n", "\t", "\x1b[2J", "\u202e", "\u2028",
    "﷽", "İ", "ß",
)  # fmt: skip
NASTY_NUMBERS: Final = (
    0, 1, -1, 2, 7, 255, 256, 1000, 65_536, 10**6, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, 2**64, -(2**63),
    10**30, 10**400, 0.0, -0.0, 0.1, 0.5, 1e-300, 1e300, 1.5e15,
)  # fmt: skip
NASTY_BYTES: Final = (
    b"",
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xc0",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\x57\x01\x01\x01",
)


def leaf(rng: Random) -> Any:
    """A value without parts."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(NASTY_TEXTS)
    if kind < 6:
        return rng.choice(NASTY_NUMBERS)
    return rng.choice((None, True, False, [], {}))


def changed_json(value: Any, rng: Random, pool: Sequence[Any], texts: Sequence[str]) -> Any:
    """The value with one place changed; `pool` and `texts` are what may be put in."""
    return _changed(value, rng, pool, texts, 0)


def _changed(value: Any, rng: Random, pool: Sequence[Any], texts: Sequence[str], depth: int) -> Any:
    if isinstance(value, dict) and value and rng.random() < 0.88:
        name = rng.choice(list(value))
        how = rng.randrange(12) if depth else 11
        made = dict(value)
        if how == 0:
            del made[name]
        elif how == 1:
            made[_renamed(name, rng, texts)] = made.pop(name)
        elif how == 2:
            made[_renamed(name, rng, texts)] = value[name]
        elif how == 3:
            made[name] = value[rng.choice(list(value))]
        else:
            made[name] = _changed(value[name], rng, pool, texts, depth + 1)
        return made
    if isinstance(value, list) and value and rng.random() < 0.88:
        at = rng.randrange(len(value))
        how = rng.randrange(8)
        if how == 0:
            return value[:at] + value[at + 1 :]
        if how == 1:
            return [*value[:at], value[at], *value[at:]]
        return [*value[:at], _changed(value[at], rng, pool, texts, depth + 1), *value[at + 1 :]]
    return _instead(value, rng, pool, texts)


def _instead(value: Any, rng: Random, pool: Sequence[Any], texts: Sequence[str]) -> Any:
    how = rng.randrange(10)
    if how < 3 and isinstance(value, str):
        return changed_text(value, rng, texts)
    if how < 3 and isinstance(value, int | float) and not isinstance(value, bool):
        return rng.choice(
            (value + 1, value - 1, -value, value * 1000, str(value), float(value) if abs(value) < 1e300 else 0)
        )
    if how < 5:
        return rng.choice(pool)
    if how == 5 and texts:
        return rng.choice(texts)
    if how == 6:
        return [value] if rng.random() < 0.5 else {"a": value}
    if how == 7 and rng.random() < 0.05:
        for _ in range(rng.choice((30, 90, 150))):
            value = [value] if rng.random() < 0.5 else {"actions": value}
        return value
    return leaf(rng)


def _renamed(name: Any, rng: Random, texts: Sequence[str]) -> str:
    how = rng.randrange(6)
    if how == 0:
        return str(name).upper()
    if how == 1:
        return str(name) + rng.choice(("", " ", "_", "\u0301", "1"))
    if how == 2 and texts:
        return rng.choice(texts)[:200]
    if how == 3:
        return changed_text(str(name), rng, texts)
    return rng.choice(NASTY_TEXTS)


def changed_text(text: str, rng: Random, pieces: Sequence[str]) -> str:
    """The text with one to three places changed: cut, doubled, exchanged, or with a piece put in."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(text) + 1)
        end = min(len(text), at + rng.choice((0, 1, 1, 2, 5, 20)))
        how = rng.randrange(6)
        if how == 0:
            text = text[:at] + text[end:]
        elif how == 1:
            text = text[:end] + text[at:end] * rng.choice((1, 2, 8)) + text[end:]
        elif how == 2:
            text = (
                text[:at]
                + chr(rng.choice((rng.randrange(32, 127), rng.randrange(0x250), rng.randrange(0xD800))))
                + text[end:]
            )
        elif how == 3:
            text = text[:at] + rng.choice(NASTY_TEXTS) + text[end:]
        elif pieces:
            piece = rng.choice(pieces)
            start = rng.randrange(len(piece) + 1) if how == 4 else 0
            text = text[:at] + piece[start : start + 200] + text[end:]
    return text


def changed_bytes(data: bytes, rng: Random, pieces: Sequence[bytes]) -> bytes:
    """The bytes with one to three places changed."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice((0, 1, 1, 2, 4, 16)))
        how = rng.randrange(6)
        if how == 0:
            data = data[:at] + data[end:]
        elif how == 1:
            data = data[:end] + data[at:end] + data[end:]
        elif how == 2 and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif how == 3:
            data = data[:at] + rng.randbytes(rng.choice((1, 2, 4, 8))) + data[end:]
        elif how == 4:
            data = data[:at] + rng.choice(NASTY_BYTES) + data[end:]
        elif pieces:
            piece = rng.choice(pieces)
            start = rng.randrange(len(piece) + 1)
            data = data[:at] + piece[start : start + rng.choice((4, 16, 64))] + data[end:]
    return data


def parts_of(value: Any, most: int = 400) -> list[Any]:
    """Containers inside of a value, to be put elsewhere."""
    found: list[Any] = []
    waiting = [value]
    while waiting and len(found) < most:
        current = waiting.pop()
        if isinstance(current, dict | list) and current:
            found.append(current)
            waiting.extend(current.values() if isinstance(current, dict) else current)
    return found


def texts_of(value: Any, most: int = 4000) -> list[str]:
    """Texts inside of a value, without the long ones."""
    found: list[str] = []
    waiting = [value]
    while waiting and len(found) < most:
        current = waiting.pop()
        if isinstance(current, str) and len(current) < 400:
            found.append(current)
        elif isinstance(current, dict | list):
            waiting.extend(current.values() if isinstance(current, dict) else current)
    return found


def smallest(value: Any, fails: Callable[[Any], bool], tries: int = 400) -> Any:
    """The smallest input that still fails, found by leaving parts out."""
    going_on = True
    while going_on and tries > 0:
        going_on = False
        for smaller in _smaller(value):
            tries -= 1
            if tries <= 0:
                break
            if fails(smaller):
                value, going_on = smaller, True
                break
    return value


def _smaller(value: Any) -> Iterator[Any]:
    if isinstance(value, str | bytes):
        text: Any = value
        yield from (text[:start] + text[end:] for start, end in _stretches(len(text)))
    elif isinstance(value, Mapping):
        for name in value:
            yield {other: part for other, part in value.items() if other != name}
        for name, part in value.items():
            if isinstance(part, Mapping):
                yield part
            for smaller in _smaller(part):
                yield {**value, name: smaller}
    elif isinstance(value, list | tuple):
        kind = type(value)
        for at in range(len(value)):
            yield kind([*value[:at], *value[at + 1 :]])
        for at, part in enumerate(value):
            for smaller in _smaller(part):
                yield kind([*value[:at], smaller, *value[at + 1 :]])


def _stretches(size: int) -> Iterator[tuple[int, int]]:
    """Stretches to leave out, the long ones first."""
    step = size
    while step > 0:
        yield from ((at, at + step) for at in range(0, size, step))
        step //= 2
