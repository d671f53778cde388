"""`sealflow eval`: one expression, a file of them or a prompt, in a context given as JSON. Opens no store."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from .....errors import SealflowError
from ... import options
from ...arguments import json_object, json_value
from ...errors import INVALID, OK, UsageError, error_json, of_os_error, report
from ...output.writing import json_text, note, one_line, paint, say, say_json, shown


def evaluate(
    expression: Annotated[
        str | None,
        typer.Argument(
            metavar="EXPRESSION", help="'@add(1,2)', 'add(1,2)' or a text with '@{...}'.", show_default=False
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option("--context", metavar="FILE", help="The JSON context; '-' reads stdin.", show_default=False),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option("--batch", metavar="FILE", help="JSON lines to evaluate; '-' reads stdin.", show_default=False),
    ] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show every sub-expression with its value.")] = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Evaluate a cloud expression.

    With --json: {"value":...} or {"error":{"code","message"}}, and with --trace also
    "trace":[{"expression","value"}], innermost first. Without, the value: texts as they are, except that control
    characters are written out; the rest as JSON.
    Without EXPRESSION, on a terminal, it asks for one after the other.

    --batch reads lines {"expression","context"?} and writes one such object for each, in order; a broken line gives
    an error object and the rest goes on. The exit code is then 0.

    The context: {"variables":{}, "parameters":{}, "trigger":{"outputs":{}},
    "actions":{NAME:{"status","inputs","outputs"}}, "item":..., "items":{LOOP:...}, "iterationIndexes":{LOOP:0},
    "now":"2026-01-31T08:00:00Z"}. Without "now" it is the current time.
    """
    interactive = expression is None and batch is None and not json and sys.stdin.isatty() and sys.stdout.isatty()
    if (expression is None) == (batch is None) and not interactive:
        raise UsageError("Give either an EXPRESSION or --batch FILE.", hint="sealflow eval '@add(1, 2)'")
    if context == "-" and (batch == "-" or interactive):
        raise UsageError("Only one of --context and --batch can read stdin, and no prompt beside it.")
    if trace and batch is not None:
        raise UsageError("--trace shows one expression, not a --batch.")
    given = json_object(context, "--context") if context is not None else {}
    if batch is not None:
        return _batch(batch, given)
    if interactive:
        from .prompt import prompt

        return prompt(given, trace=trace)
    return answer(expression, given, trace=trace, as_json=json)


def answer(expression: str | None, context: dict[str, Any], *, trace: bool, as_json: bool = False) -> int:
    """Evaluate, and print the value or the error; the exit code."""
    steps: list[tuple[str, Any]] = []
    more: dict[str, Any] = {}
    try:
        value = _value(expression, context, steps if trace else None)
    except SealflowError as error:
        if as_json:
            more = {"trace": _steps_json(steps)} if trace else {}
            say_json({"error": error_json(error), **more})
            return INVALID
        _show_steps(steps)
        return report(error, as_json=False)
    if as_json:
        more = {"trace": _steps_json(steps)} if trace else {}
        say_json({"value": value, **more})
        return OK
    _show_steps(steps)
    if isinstance(value, str):
        say(value)
    else:
        say(shown(value, full=True))
    return OK


def _steps_json(steps: list[tuple[str, Any]]) -> list[dict[str, Any]]:
    return [{"expression": expression, "value": value} for expression, value in steps]


def _show_steps(steps: list[tuple[str, Any]]) -> None:
    for expression, value in steps:
        written = json_text(value) if not isinstance(value, str) else f"'{value}'"
        note(f"{paint(one_line(expression, 100), 'cyan', sys.stderr)} = {one_line(written, 200)}")


def _value(expression: Any, context: Any, steps: list[tuple[str, Any]] | None = None) -> Any:
    from .....expressions.context import ContextScope, compile_text, evaluate_text
    from .....expressions.observe import Steps
    from .....expressions.syntax import unparse

    if not isinstance(expression, str):
        raise UsageError("'expression' must be a text.")
    if not isinstance(context, dict):
        raise UsageError("'context' must be an object.")
    used = context if "now" in context else {**context, "now": _now()}
    if steps is None:
        return evaluate_text(expression, used)
    seen = Steps()
    try:
        return compile_text(expression, ContextScope(), observe=seen).evaluate(used)
    finally:
        steps += [(unparse(step.node), step.value) for step in seen.steps if step.error is None]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")


def _batch(file: str, context: dict[str, Any]) -> int:
    for line in _lines(file):
        if line.strip():
            say(_answer(line, context))
            if file == "-":
                sys.stdout.flush()
    return OK


def _answer(line: bytes, context: dict[str, Any]) -> str:
    """The answer to one line, as JSON. Whatever is wrong with a line, the others are still answered."""
    try:
        request = json_value(line, "The line")
        if not isinstance(request, dict):
            raise UsageError("The line must be an object with 'expression'.")
        return json_text({"value": _value(request.get("expression"), request.get("context", context))})
    except Exception as error:
        return json_text({"error": error_json(error)})


def _lines(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with open(file, "rb") as stream:
            yield from stream
    except OSError as error:
        raise of_os_error(error, file) from None
