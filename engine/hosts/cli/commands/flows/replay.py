"""`sealflow replay`: feed recorded histories to the kernel again, show the first thing that it would do otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .....errors import NotFound
from ... import options
from ...arguments import read_file
from ...errors import FAILED, OK, UsageError, about
from ...output.writing import one_line, paint, say, say_json, shown
from ...session import opened, wait_for

if TYPE_CHECKING:
    from .....runtime.observe.bundles import ReplayReport
    from ....embedded import Engine


def replay(
    bundles: Annotated[list[str], typer.Argument(metavar="BUNDLE...", help="Files that `sealflow runs export` wrote.")],
    definition: Annotated[
        str | None,
        typer.Option(
            "--definition",
            metavar="FILE",
            help="Replay against this definition, not the recorded one.",
            show_default=False,
        ),
    ] = None,
    full: options.Full = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Replay recorded runs: compare the decisions of this version with the recorded ones.

    Nothing is called and nothing is stored. A sealed bundle needs the store whose environment it is sealed to.

    With --json: {"ok","runs","actions","differences":[{"run","path","kind","expected","actual"}]}.

    Exit codes: 0 the same, 1 different, 2 not readable.
    """
    reports = wait_for(_replay(bundles, definition, home))
    differences = [difference for each in reports for difference in each.differences]
    if json:
        actions = sum(each.actions for each in reports)
        say_json({"ok": not differences, "runs": len(reports), "actions": actions, "differences": differences})
    else:
        for file, report in zip(bundles, reports, strict=True):
            _show(file, report, full)
    return FAILED if differences else OK


async def _replay(files: Sequence[str], definition: str | None, home: Path | None) -> list[ReplayReport]:
    from ....replaying import replay as replay_bundle

    other = _definition(definition) if definition is not None else None
    reports = []
    async with AsyncExitStack() as stack:
        engine: Engine | None = None
        for file in files:
            data = _content(file)
            if engine is None and data.lstrip()[:1] != b"{":
                engine = await _store(file, home, stack)
            with about(file):
                reports.append(await replay_bundle(data, definition=other, engine=engine))
    return reports


async def _store(file: str, home: Path | None, stack: AsyncExitStack) -> Engine:
    try:
        return await stack.enter_async_context(opened(home))
    except NotFound as error:
        raise UsageError(
            f"'{file}' is sealed to an environment, or no bundle. {error.message}",
            code="UnreadableBundle",
            hint=error.hint,
        ) from None


def _content(file: str) -> bytes:
    try:
        return read_file(file)
    except NotFound as error:
        raise UsageError(error.message, code="UnreadableBundle", hint=error.hint) from None


def _definition(file: str) -> dict[str, Any]:
    from .....cloud.syntax.json_text import read_json

    with about(file):
        value = read_json(read_file(file)).value
        if not isinstance(value, dict):
            raise UsageError("The file holds no JSON object.", code="NoDefinition")
        return value


def _show(file: str, report: ReplayReport, full: bool) -> None:
    name = one_line(file)
    actions = f"{report.actions} action" + ("" if report.actions == 1 else "s")
    if not report.differences:
        say(f"{name}: {paint('the same', 'green')} (run {report.run}, {actions})")
        return
    for difference in report.differences:
        where = one_line(difference["path"]) or "the run itself"
        verdict = paint("different", "red")
        say(f"{name}: {verdict} at {where}: {difference['kind']} (run {report.run}, {actions} compared)")
        for side in ("expected", "actual"):
            value = _distinct(difference[side], difference["actual" if side == "expected" else "expected"])
            say(f"  {side}: {shown(value, full=full, indent=2) if value is not None else 'nothing'}")


def _distinct(value: Any, other: Any) -> Any:
    """Of a record, what the other one has otherwise; all of it where there is no other."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return value
    return {
        name: member
        for name, member in value.items()
        if name in ("record", "path") or name not in other or other[name] != member
    }
