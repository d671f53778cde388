"""Links behind a value, `root?['a']['b'].c`, as few closures as possible.

A chain of literal names is one closure that subscripts straight through; whatever is not as plain as that (another
case, a missing property, a path, a null) is looked at again, link by link, by `values.get`, which knows all the rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ExpressionError
from ..values import Value, get, holds_elsewhere
from .evaluators import Compiled, Evaluator, Suspend

# What plain subscripting raises on null, scalars, arrays and missing names.
_MISSED = (KeyError, TypeError, IndexError)


@dataclass(frozen=True, slots=True)
class Link:
    """One compiled link. `key` is a constant wherever the key was a literal."""

    key: Compiled
    optional: bool
    at: int


def follow(
    root: Evaluator, links: Sequence[Link], source: str | None, *, body: bool = False, direct: bool = False
) -> Evaluator:
    """An evaluator of `links` behind `root`. With `body`, `.body` comes first and forgives what has no body; `direct`
    where the root does nothing but read a value, of which a part may be at hand (`Suspend.part`).
    """
    evaluate, pending, lead = root, list(links), body
    while pending or lead:
        names: list[str] = []
        run: list[Link] = []
        while pending and _plain(pending[0]) and len(names) + lead < 6:
            names.append(str(pending[0].key.value))
            run.append(pending.pop(0))
        if names or lead:
            evaluate = _names(evaluate, ["body", *names] if lead else names, _slowly(run, source, lead), direct)
            lead = False
        elif pending[0].key.constant:
            evaluate = _constant(evaluate, pending.pop(0), source)
        else:
            evaluate = _dynamic(evaluate, pending.pop(0), source)
        direct = False
    return evaluate


def _plain(link: Link) -> bool:
    if not link.key.constant:
        return False
    key = link.key.value
    return type(key) is str and "/" not in key


def _slowly(links: Sequence[Link], source: str | None, body: bool) -> Callable[[Value], Value]:
    steps = tuple((link.key.value, link.optional, link.at) for link in links)

    def slowly(value: Value) -> Value:
        if body:
            value = get(value, "body", True) if type(value) is dict else None
        for key, optional, at in steps:
            value = _get(value, key, optional, at, source)
        return value

    return slowly


def _get(value: Value, key: Value, optional: bool, at: int, source: str | None) -> Value:
    try:
        return get(value, key, optional)
    except ExpressionError as error:
        if error.position is None:
            error.position, error.expression = at, source
        raise


def _names(root: Any, names: Sequence[str], slowly: Callable[[Value], Value], direct: bool) -> Evaluator:
    # `root` is untyped: what it gives is subscripted first and asked questions later.
    a, b, c, d, e, f = [*names, *("" for _ in range(6 - len(names)))]

    def partly(stop: Suspend) -> Value:
        """What the links lead to in the part that is at hand. Raises `stop` where that is not enough."""
        if not direct or stop.part is None:
            raise stop
        value = stop.part
        for name in names:
            if type(value) is not dict or name not in value:
                raise stop
            value = value[name]
        if holds_elsewhere(value):
            raise stop
        return value  # type: ignore[no-any-return]

    def one(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    def two(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a][b]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    def three(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a][b][c]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    def four(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a][b][c][d]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    def five(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a][b][c][d][e]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    def six(frame: Any) -> Value:
        try:
            value = root(frame)
        except Suspend as stop:
            return partly(stop)
        try:
            return value[a][b][c][d][e][f]  # type: ignore[no-any-return]
        except _MISSED:
            return slowly(value)

    return (one, two, three, four, five, six)[len(names) - 1]


def _constant(root: Any, link: Link, source: str | None) -> Evaluator:
    key, optional, at = link.key.value, link.optional, link.at
    if type(key) is int and key >= 0:

        def index(frame: Any) -> Value:
            value = root(frame)
            if type(value) is list and key < len(value):
                return value[key]  # type: ignore[no-any-return]
            return _get(value, key, optional, at, source)

        return index
    if type(key) is str:
        return _path(root, key, optional, at, source)
    return lambda frame: _get(root(frame), key, optional, at, source)


def _path(root: Any, key: str, optional: bool, at: int, source: str | None) -> Evaluator:
    # `body/value`: the most frequent link of Power Automate flows. The literal name comes first.
    first, *rest = key.split("/")

    def path(frame: Any) -> Value:
        value = root(frame)
        if type(value) is dict and key not in value:
            try:
                inner = value[first]
                for part in rest:
                    inner = inner[part]
                return inner  # type: ignore[no-any-return]
            except _MISSED:
                pass
        return _get(value, key, optional, at, source)

    return path


def _dynamic(root: Evaluator, link: Link, source: str | None) -> Evaluator:
    key, optional, at = link.key.evaluate, link.optional, link.at
    return lambda frame: _get(root(frame), key(frame), optional, at, source)
