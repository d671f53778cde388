"""Pieces joined to a text: templates and `concat`, by one rule and one set of closures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..values import Value, to_text
from .evaluators import Compiled, Evaluator, constant, located
from .functions.arguments import MAXIMUM_TEXT, bounded_length


def join(parts: Sequence[Compiled], name: str, at: int | None, source: str | None) -> Compiled:
    """The text of all parts in their order; neighbouring constants are joined once. `name` is what errors speak of."""
    pieces: list[str | Evaluator] = []
    for part in parts:
        if part.constant and isinstance(part.value, (str, int, float, type(None))):
            text = to_text(part.value)
            if pieces and isinstance(pieces[-1], str):
                pieces[-1] += text
            elif text:
                pieces.append(text)
        else:
            pieces.append(part.evaluate)
    if not pieces:
        return constant("")
    if len(pieces) == 1 and isinstance(pieces[0], str):
        return constant(pieces[0])
    return Compiled(_specialised(pieces, name, at, source) or _general(pieces, name, at, source))


def _specialised(pieces: list[str | Evaluator], name: str, at: int | None, source: str | None) -> Evaluator | None:
    # One to three values, each with plain text (perhaps empty) before and behind it: the bulk of all templates.
    plain = [""]
    values: list[Any] = []
    for piece in pieces:
        if isinstance(piece, str):
            plain[-1] = piece
        else:
            values.append(piece)
            plain.append("")
    if len(values) > 3:
        return None
    first, second, third = [*values, None, None][:3]
    p0, p1, p2, p3 = [*plain, "", ""][:4]

    def one(frame: Any) -> Value:
        try:
            a = first(frame)
            text = f"{p0}{a if type(a) is str else to_text(a)}{p1}"
            if len(text) > MAXIMUM_TEXT:
                bounded_length(len(text), name)
        except Exception as error:
            raise located(error, name, at, source) from None
        return text

    def two(frame: Any) -> Value:
        try:
            a = first(frame)
            b = second(frame)
            text = f"{p0}{a if type(a) is str else to_text(a)}{p1}{b if type(b) is str else to_text(b)}{p2}"
            if len(text) > MAXIMUM_TEXT:
                bounded_length(len(text), name)
        except Exception as error:
            raise located(error, name, at, source) from None
        return text

    def three(frame: Any) -> Value:
        try:
            a = first(frame)
            b = second(frame)
            c = third(frame)
            text = (
                f"{p0}{a if type(a) is str else to_text(a)}{p1}{b if type(b) is str else to_text(b)}"
                f"{p2}{c if type(c) is str else to_text(c)}{p3}"
            )
            if len(text) > MAXIMUM_TEXT:
                bounded_length(len(text), name)
        except Exception as error:
            raise located(error, name, at, source) from None
        return text

    return (one, two, three)[len(values) - 1]


def _general(pieces: list[str | Evaluator], name: str, at: int | None, source: str | None) -> Evaluator:
    def many(frame: Any) -> Value:
        try:
            texts = []
            length = 0
            for piece in pieces:
                text = piece if isinstance(piece, str) else to_text(piece(frame))
                length += len(text)
                if length > MAXIMUM_TEXT:
                    bounded_length(length, name)
                texts.append(text)
        except Exception as error:
            raise located(error, name, at, source) from None
        return "".join(texts)

    return many
