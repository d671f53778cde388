"""`sealflow verify`: everything that is stored, compared with its keys, its links and an anchor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...arguments import write_file
from ...errors import FAILED, OK, UsageError, of_os_error
from ...output.progress_line import RedrawnLine
from ...output.writing import one_line, paint, say, say_json
from ...session import DEFAULT_ENVIRONMENT, opened, wait_for

if TYPE_CHECKING:
    from ......storage import EnvironmentInfo, Verification
    from .....runtime.environment.repair import Repair


def verify(
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment",
            "-e",
            metavar="NAME",
            help="Environment to verify. Default: all, and the control store.",
            show_default=False,
        ),
    ] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Verify one run, by its whole id.", show_default=False)
    ] = None,
    anchor: Annotated[
        Path | None,
        typer.Option("--anchor", metavar="FILE", help="Compare with this anchor.", show_default=False),
    ] = None,
    write_anchor: Annotated[
        str | None,
        typer.Option(
            "--write-anchor", metavar="FILE", help="Write an anchor if there is no problem.", show_default=False
        ),
    ] = None,
    repair: Annotated[
        bool, typer.Option("--repair", help="First recover runs whose row was overwritten from their pages.")
    ] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Verify every stored run, flow, key and audit entry. The exit code is 1 if there is a problem.

    Without --environment all are verified; an anchor says of which it is, and a new one, or a run, is of the
    environment default, or of the only one. Of several environments, one whose key is not given is a problem of its
    own; the others are verified. An anchor, kept away from the store, also finds what was put back to an earlier state
    or removed with its key.
    --repair needs an environment administrator and is recorded in the audit. No other process may execute the
    environment meanwhile.
    With --json: {"ok","checked","problems":[{"run","at","problem"}]}; with --write-anchor also "anchor", with --repair
    also "repaired":[RUN] and "refused":[{"run","reason"}].
    """
    if run and write_anchor:
        raise UsageError("An anchor is of a whole environment: leave --run out.")
    if repair and (anchor or write_anchor):
        raise UsageError(
            "--repair cannot be used with --anchor or --write-anchor. Repair first, then compare or write the anchor."
        )
    if (who or role) and not repair:
        raise UsageError("--as and --role are only for --repair.")
    given = _read(anchor) if anchor is not None else None
    progress = RedrawnLine()
    try:
        one = bool(run or anchor or write_anchor or repair)
        acting = Acting(home, who, role) if repair else None
        found, repairs = wait_for(
            _verify(home, environment, one, _run_id(run), given, write_anchor is not None, acting, progress)
        )
    finally:
        progress.end()
    problems = [problem for name, result in found for problem in _problems(name, result)]
    ok = all(result.ok for _, result in found)
    if write_anchor is not None and (made := found[0][1].anchor) is not None:
        write_file(write_anchor, made, secret=False)
    if repairs is not None and not json:
        _tell_repairs(repairs)
    _tell(ok, sum(result.checked for _, result in found), problems, write_anchor if ok else None, repairs, json)
    return OK if ok else FAILED


async def _verify(
    home: Path | None,
    environment: str | None,
    one: bool,
    run_id: bytes | None,
    anchor: bytes | None,
    new_anchor: bool,
    acting: Acting | None,
    line: RedrawnLine,
) -> tuple[list[tuple[str, Verification]], Repair | None]:
    from ......storage import (
        EnvironmentLocked,
        IntegrityError,
        KeyDenied,
        KeyMissing,
        KeyUnavailable,
        Verification,
        verify_control,
        verify_environment,
    )
    from ......storage.maintenance.verify import Finding

    def progress(checked: int, what: str) -> None:
        line.show(f"{checked:,} verified, now {what}")

    async with opened(home) as engine:
        if environment is None and one:
            environment = _which(await engine.environments(), anchor)
        repairs = None
        if acting is not None and environment is not None:
            from .....runtime.environment.repair import repair_environment

            administration = acting.administration(engine)
            repairs = await repair_environment(administration, environment, run_id=run_id, progress=line.show)
        if environment is not None:
            result = await verify_environment(
                engine.store, environment, run_id=run_id, anchor=anchor, new_anchor=new_anchor, progress=progress
            )
            return [("", result)], repairs
        control = await verify_control(engine.store, progress=progress)
        found = [("control store", control)]
        try:
            environments = await engine.environments()
        except IntegrityError as error:  # it is told already which of them is damaged
            if control.ok:
                control.findings.append(Finding(None, "environments", error.message))
            return found, None
        for info in environments:
            try:
                result = await verify_environment(engine.store, info.name, progress=progress)
            except (EnvironmentLocked, KeyDenied, KeyMissing, KeyUnavailable) as error:
                # No reason to leave the others out.
                problem = f"It was not verified. {error.message} ({error.code})"
                result = Verification(findings=[Finding(None, "environment", problem)])
            found.append((info.name, result))
        return found, None


def _which(environments: list[EnvironmentInfo], anchor: bytes | None) -> str:
    """The one environment that is meant where none is named. Raises UsageError, InvalidAnchor."""
    from ......storage import InvalidAnchor
    from ......storage.policies.anchor import environment_of

    if anchor is not None:
        wanted = environment_of(anchor)
        for each in environments:
            if each.id == wanted:
                return each.name
        raise InvalidAnchor(f"The anchor is of an environment that is not here: {wanted.hex()}.")
    names = [each.name for each in environments]
    if DEFAULT_ENVIRONMENT in names or not names:
        return DEFAULT_ENVIRONMENT
    if len(names) > 1:
        raise UsageError(
            "There are several environments, and none is the default.", hint=f"--environment NAME: {', '.join(names)}"
        )
    return names[0]


def _problems(name: str, result: Verification) -> list[dict[str, Any]]:
    from .....runtime.flows.start import run_name

    prefix = f"{name}: " if name else ""
    return [
        {
            "run": None if each.run is None else run_name(each.run),
            "at": f"{prefix}{each.at}",
            "problem": each.problem,
        }
        for each in result.findings
    ]


def _tell_repairs(repairs: Repair) -> None:
    from .....runtime.flows.start import run_name

    for run_id in repairs.repaired:
        say(f"repaired  run {run_name(run_id)}: its head and summary were sealed again from its pages")
    for run_id, reason in repairs.refused:
        say(f"not repaired  run {run_name(run_id)}: {one_line(reason)}")


def _tell(
    ok: bool,
    checked: int,
    problems: list[dict[str, Any]],
    anchor: str | None,
    repairs: Repair | None,
    json: bool,
) -> None:
    if json:
        from .....runtime.flows.start import run_name

        told: dict[str, Any] = {"ok": ok, "checked": checked, "problems": problems}
        if anchor:
            told["anchor"] = anchor
        if repairs is not None:
            told["repaired"] = [run_name(run_id) for run_id in repairs.repaired]
            told["refused"] = [{"run": run_name(run_id), "reason": reason} for run_id, reason in repairs.refused]
        say_json(told)
        return
    for each in problems:
        run = f"run {each['run']}, " if each["run"] else ""
        say(f"{paint('wrong', 'red')}  {one_line(run + each['at'])}: {one_line(each['problem'])}")
    say(f"{checked:,} verified, {len(problems):,} wrong" if problems else f"{checked:,} verified, all as written")
    if anchor is not None:
        say(f"Wrote {one_line(anchor)}: keep it where whoever writes the store cannot.")


def _run_id(run: str | None) -> bytes | None:
    if run is None:
        return None
    text = run.replace("-", "")
    if len(text) != 32 or any(digit not in "0123456789abcdefABCDEF" for digit in text):
        raise UsageError(f"'{run}' is not the whole id of a run.", hint="`sealflow runs list` shows the ids.")
    return bytes.fromhex(text)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise of_os_error(error, str(path)) from error
