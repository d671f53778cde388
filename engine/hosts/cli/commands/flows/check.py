"""`sealflow check`: every problem of flow files, without opening a store."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .....errors import SealflowError
from ... import options
from ...arguments import read_file
from ...errors import INVALID, OK
from ...output.writing import one_line, paint, printable, say, say_json

_COLOURS = {"error": "red", "warning": "yellow", "info": "cyan"}


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Flow files; '-' reads one from stdin.")],
    json: options.Json = False,
    home: options.Home = None,
    format: Annotated[
        str,
        typer.Option("--format", metavar="text|json|sarif", help="Output format; sarif is for code scanners."),
    ] = "text",
    allow_unsupported: Annotated[
        bool,
        typer.Option(
            "--allow-unsupported", help="Report desktop actions that cannot run here as warnings, not errors."
        ),
    ] = False,
) -> int:
    """Check flow files: structure, references, expressions, limits and unsupported features.

    Each problem has a place (FILE:POINTER, of a desktop flow FILE:LINE:COLUMN), a code and a message. Exit code 2 when
    any file has an error, warnings do not count. A script of a desktop flow is a .robin file, or text.

    With --json, one line for each file:
    {"file","ok","kind","actions","problems":[{"code","severity","at","message"}]}
    With --format sarif, one SARIF 2.1.0 log for all files.
    """
    if format not in ("text", "json", "sarif"):
        raise typer.BadParameter(f"'{format}' is not text, json or sarif.", param_hint="'--format'")
    json = json or format == "json"
    reports = []
    texts = []
    for file in files:
        found, text = _report(file, allow_unsupported)
        if format == "sarif":
            texts.append(text)
        elif json:
            say_json(found)
        else:
            _show(found)
        sys.stdout.flush()
        reports.append(found)
    if format == "sarif":
        say_json(_sarif(reports, texts))
    elif not json and len(files) > 1:
        say(_summary(reports))
    return OK if all(each["ok"] for each in reports) else INVALID


def _sarif(reports: list[dict[str, Any]], texts: list[str]) -> dict[str, Any]:
    from importlib.metadata import version

    from .....cloud import sarif
    from .....cloud.report.explanations import explanations

    # A code that both kinds of flows have is explained as for most of the files.
    cloud, desktop = explanations(), explanations("sealflow.engine.desktop")
    scripts = sum(each["kind"] == "desktop" for each in reports)
    explained = {**cloud, **desktop} if 2 * scripts > len(reports) else {**desktop, **cloud}
    return sarif(zip(reports, texts, strict=True), version("sealflow"), explained)


def _report(file: str, allow_unsupported: bool) -> tuple[dict[str, Any], str]:
    """The report of a file and its text, "" where it cannot be read."""
    from .....cloud.checks.check import report
    from .....desktop.syntax.recognition import decoded, is_script

    try:
        text = read_file(file)
    except SealflowError as error:
        problem = {"code": error.code, "severity": "error", "at": "", "message": error.message}
        if error.hint:
            problem["hint"] = error.hint
        return {"file": file, "ok": False, "kind": "unknown", "actions": 0, "problems": [problem]}, ""
    if is_script(file, text):
        from .....desktop.checks import check as desktop
        from .....runtime.flows.scripts import rules

        return desktop.report(text, file, rules(allow_unsupported=allow_unsupported)), decoded(text)
    return report(text, file), text.decode("utf-8-sig", "replace") if isinstance(text, bytes) else text


def _show(found: dict[str, Any]) -> None:
    file = one_line(found["file"])
    for problem in found["problems"]:
        place = f"{file}:{one_line(problem['at'])}" if problem["at"] else file
        severity = paint(problem["severity"], _COLOURS[problem["severity"]])
        say(f"{place}: {severity} {problem['code']}: {printable(problem['message'])}")
        if problem.get("hint"):
            say(f"    next: {printable(problem['hint'])}")
    errors = sum(problem["severity"] == "error" for problem in found["problems"])
    others = len(found["problems"]) - errors
    verdict = paint("ok", "green") if found["ok"] else paint(_count(errors, "error"), "red")
    if others:
        verdict += f", {_count(others, 'remark')}"
    say(f"{file}: {verdict} ({found['kind']}, {_count(found['actions'], 'action')})")


def _summary(reports: list[dict[str, Any]]) -> str:
    errors = sum(problem["severity"] == "error" for each in reports for problem in each["problems"])
    good = sum(each["ok"] for each in reports)
    return f"{len(reports)} files: {good} ok, {len(reports) - good} with errors ({errors} in all)"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
