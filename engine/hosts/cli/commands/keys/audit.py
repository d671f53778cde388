"""`sealflow audit`: what administrators did, as it was put on record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting
from ...arguments import write_file
from ...errors import FAILED, OK
from ...moments import iso_ms
from ...output.writing import json_text, note, one_line, say, say_json, say_table
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import Act

app = typer.Typer(help="List, verify and export the audit.", no_args_is_help=True)


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="The newest N.")] = 30,
    act: Annotated[
        str | None,
        typer.Option("--act", metavar="TEXT", help="Only acts that begin like this, as 'policy'.", show_default=False),
    ] = None,
    calls: Annotated[
        bool, typer.Option("--calls/--no-calls", help="With what key stores were asked: wraps, unwraps, probes.")
    ] = True,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """List what administrators did and which calls key stores got, newest last. Each entry is verified.

    With --json: [{"number","time","actor","act","subject","status","detail"}].
    """
    from ......storage.keys.provider_calls import CALLS

    told = [each for each in wait_for(_acts(Acting(home))) if calls or each.kind not in CALLS]
    acts = [each for each in told if each.kind.startswith(act or "")][-limit:]
    if json:
        say_json([_act_json(each) for each in acts])
        return OK
    if not acts:
        note("nothing on record")
        return OK
    rows = [
        [
            str(each.number),
            (iso_ms(each.at_ms) or "")[:19],
            each.actor,
            each.kind,
            each.subject,
            each.status,
            _detail(each),
        ]
        for each in acts
    ]
    say_table(["NUMBER", "TIME", "ACTOR", "ACT", "SUBJECT", "STATUS", "DETAIL"], rows)
    return OK


@app.command("verify")
def verify(json: options.Json = False, home: options.Home = None) -> int:
    """Verify that no audit entry was altered, moved or removed. The exit code is 1 if one was.

    An end that was cut off is missed by the head, which each act rewrites. Where both were put back to an earlier
    state, `sealflow verify` finds it with an anchor. With --json: {"ok","checked","problem"}.
    """

    async def work() -> tuple[int, str | None]:
        from ......storage import IntegrityError

        checked = 0
        async with Acting(home).opened() as (_, administration):
            try:
                async for _act in administration.audit.acts():
                    checked += 1
            except IntegrityError as error:
                return checked, error.message
        return checked, None

    checked, problem = wait_for(work())
    if json:
        say_json({"ok": problem is None, "checked": checked, "problem": problem})
    else:
        verified = f"{checked:,} {'act' if checked == 1 else 'acts'} verified"
        say(verified if problem is None else f"{verified}, then: {one_line(problem)}")
    return OK if problem is None else FAILED


@app.command("export")
def export(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSON lines; - is stdout.")],
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Export the audit as JSON lines. The file is not encrypted and names people, policies and environments.

    With --json: {"file","acts"}.
    """
    acts = wait_for(_acts(Acting(home)))
    write_file(file, "".join(f"{json_text(_act_json(act))}\n" for act in acts).encode(), secret=True)
    if file == "-":
        return OK
    if json:
        say_json({"file": file, "acts": len(acts)})
    else:
        say(f"Wrote {one_line(file)} ({len(acts):,} acts, not encrypted)")
    return OK


async def _acts(acting: Acting) -> list[Act]:
    async with acting.opened() as (_, administration):
        return [act async for act in administration.audit.acts()]


def _act_json(act: Act) -> dict[str, Any]:
    return {
        "number": act.number,
        "time": iso_ms(act.at_ms),
        "actor": act.actor,
        "act": act.kind,
        "subject": act.subject,
        "status": act.status,
        "detail": act.detail,
    }


def _detail(act: Act) -> str:
    return ", ".join(f"{name} {value}" for name, value in (act.detail or {}).items())
