"""What `runs show --action` prints: one action with its inputs and outputs, or what its expressions evaluated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...output.writing import json_text, note, one_line, paint, printable, say, shown

if TYPE_CHECKING:
    from .....runtime.observe.tracing import Trace

_LONGEST = 200
"""Characters of the value of a part that are shown without `--full`."""


def show_action(action: dict[str, Any], full: bool) -> None:
    """An action as `RunResult.actions` has it."""
    from ...output.tree import duration_of
    from ...output.watching import coloured_status

    took = duration_of(action)
    say(f"{printable(action['path'])} ({action['type']})")
    attempts = f", {action['attempts']} attempts" if action["attempts"] > 1 else ""
    code = f" ({action['code']})" if action["code"] else ""
    say(f"{coloured_status(action['status'])}{code}{f' in {took}' if took else ''}{attempts}")
    say(f"start  {action['start']}")
    say(f"end    {action['end'] or '-'}")
    for name in ("inputs", "outputs", "error"):
        if name in action.get("secured", ()):
            say(f"{name}: secured")
        elif action[name] is not None:
            say(f"{name}:")
            say(f"  {shown(action[name], full=full, indent=2)}")


def show_trace(trace: Trace, full: bool) -> None:
    """Each expression with its place, its parts in the order of evaluation, and its value."""
    from ...output.watching import coloured_status

    say(f"{printable(trace.path)} ({trace.type})")
    say(f"{coloured_status(trace.status)}{f' ({trace.code})' if trace.code else ''}")
    for each in trace.expressions:
        iteration = f" after iteration {each['iteration']}" if "iteration" in each else ""
        say(f"{paint(one_line(each['pointer']) or '-', 'bold')}{iteration}: {one_line(each['text'], _cut(full))}")
        if not each["evaluated"]:
            say("  not evaluated")
            continue
        for part in each["parts"]:
            say(f"    {paint(one_line(part['expression'], _cut(full)), 'cyan')} = {_told(part, full)}")
        say(f"  = {_told(each, full)}")
    if not trace.expressions:
        note("This action has no expressions.")
    if trace.left_out:
        note(f"{trace.left_out:,} more evaluations are not shown.")


def _cut(full: bool) -> int:
    return 0 if full else _LONGEST


def _told(outcome: dict[str, Any], full: bool) -> str:
    if "secured" in outcome:
        return "secured"
    if "error" in outcome:
        error = outcome["error"]
        return paint(f"{error['code']}: {one_line(error['message'], _cut(full))}", "red")
    value = outcome["value"]
    return one_line(f"'{value}'" if isinstance(value, str) else json_text(value), _cut(full))
