"""`policy requests`, `policy approve`, `policy reject`: acts on keys that wait for a second administrator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK
from ...moments import clock_ms, iso_ms
from ...output.writing import note, one_line, say, say_json, say_table
from ...session import wait_for

if TYPE_CHECKING:
    from ......storage import Request

RequestId = Annotated[
    str, typer.Argument(metavar="REQUEST", help="The request's id, or the unique beginning of it.", show_default=False)
]


def requests(
    everything: Annotated[bool, typer.Option("--all", help="Those that were decided or have expired as well.")] = False,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """List the requests that wait for a second administrator, or were approved and not used. A request expires after a
    day.

    With --json: [{"request","act","environment","detail","by","status":"Pending|Approved|Refused|Used|Expired",
    "approver","createdTime","expires"}].
    """

    async def work() -> list[Request]:
        async with Acting(home).opened() as (_, acts):
            return [each for each in await acts.requests.all() if everything or each.waits]

    found = wait_for(work())
    if json:
        say_json([_request_json(each) for each in found])
        return OK
    if not found:
        note("no requests")
        return OK
    rows = [
        [
            each.id.hex()[:12], each.kind, each.environment, _detail(each), each.by, each.status, each.approver or "-",
            clock_ms(each.expires_ms),
        ]
        for each in found
    ]  # fmt: skip
    say_table(["REQUEST", "ACT", "ENVIRONMENT", "DETAIL", "BY", "STATUS", "DECIDED BY", "EXPIRES"], rows)
    return OK


def approve(
    request: RequestId, who: Who = None, role: Role = None, json: options.Json = False, home: options.Home = None
) -> int:
    """Approve the request of another administrator. It can then be done once, exactly as requested.

    It takes the role of a key administrator. With --json as one of `policy requests`.
    """

    decided = Acting(home, who, role).do(lambda acts: acts.approve(request))
    if json:
        say_json(_request_json(decided))
    else:
        what = f"{decided.kind} of {one_line(decided.environment)}"
        say(f"Approved: {one_line(decided.by)} may do '{what}' until {clock_ms(decided.expires_ms)}")
        say(f"next: {one_line(decided.by)} gives the same command again")
    return OK


def reject(
    request: RequestId, who: Who = None, role: Role = None, json: options.Json = False, home: options.Home = None
) -> int:
    """Reject the request of an administrator, or withdraw your own.

    With --json as one of `policy requests`.
    """

    decided = Acting(home, who, role).do(lambda acts: acts.refuse(request))
    if json:
        say_json(_request_json(decided))
    else:
        say(f"Rejected: '{decided.kind} of {one_line(decided.environment)}' by {one_line(decided.by)}")
    return OK


def _request_json(request: Request) -> dict[str, Any]:
    return {
        "request": request.id.hex(),
        "act": request.kind,
        "environment": request.environment,
        "detail": request.detail,
        "by": request.by,
        "status": request.status,
        "approver": request.approver,
        "createdTime": iso_ms(request.created_ms),
        "expires": iso_ms(request.expires_ms),
    }


def _detail(request: Request) -> str:
    return ", ".join(f"{name} {value}" for name, value in (request.detail or {}).items()) or "-"
