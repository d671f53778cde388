"""`env reset`, `env purge`: an environment as if it were new, and those whose time is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ... import options
from ...administrator import Acting, Who
from ...errors import OK, UsageError
from ...hints import for_home
from ...output.writing import note, one_line, say, say_json
from ...session import other_home, wait_for

if TYPE_CHECKING:
    from ......storage import Reset, Shredded


def reset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The environment's name.")],
    yes: Annotated[bool, typer.Option("--yes", help="Confirm. Nothing of it can be read afterwards.")] = False,
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Delete everything in an environment, with runs in flight and backups, and return it to the service key.

    Its name, its id and the audit stay. A locked environment can be reset too; one that a process executes is refused.
    Interrupted, the same command again does the rest. With --json: {"environment","flows","runs","connections",
    "wal":"done|pending","backups":[FILE],"left":[{"file","reason"}]}.
    """
    if not yes:
        raise UsageError(
            f"This deletes everything in the environment {name}, and its backups, for good.",
            hint=f"If that is meant: sealflow env reset {name} --yes",
        )

    async def work() -> Reset:
        from ......storage import reset_environment

        async with Acting(home, who).opened() as (_, administration):
            return await reset_environment(administration, name)

    found = wait_for(work())
    wal = "pending" if found.wal_pending else "done"
    if json:
        left = [{"file": file, "reason": reason} for file, reason in found.left]
        counts = {"flows": found.flows, "runs": found.runs, "connections": found.connections}
        say_json({"environment": name, **counts, "wal": wal, "backups": found.backups, "left": left})
        return OK
    counted = ((found.flows, "flow"), (found.runs, "run"), (found.connections, "connection"))
    told = ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in counted)
    say(f"Reset {one_line(name)}: {told} shredded; it is under the service's key")
    say(f"live store: done; write-ahead log: {wal}; backups destroyed: {len(found.backups):,}")
    for file, reason in found.left:
        say(f"not destroyed: {one_line(file)}: {one_line(reason)}")
    if found.left:
        text = "next: destroy these by hand, and say so: sealflow backup expire ID (sealflow backup list shows them)"
        say(for_home(text, other_home(home)))
    return OK


def purge(
    yes: Annotated[bool, typer.Option("--yes", help="Delete the environments. Without it, only list them.")] = False,
    who: Who = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Delete environments that stayed locked longer than their policy allows.

    This applies to policies that were created with --delete-after, if the key store still refuses the key. A worker
    also deletes its environment by itself; it checks once an hour. With --json: {"overdue":[NAME],"deleted":[NAME]}.
    """

    async def work() -> tuple[list[str], list[str]]:
        from ......storage import delete_overdue, find_overdue

        async with Acting(home, who).opened() as (_, administration):
            found, deleted = await find_overdue(administration), list[str]()
            for each in found if yes else []:
                shredded: Shredded | None = await delete_overdue(administration, each)
                deleted += [] if shredded is None else [each]
            return found, deleted

    found, deleted = wait_for(work())
    if json:
        say_json({"overdue": found, "deleted": deleted})
        return OK
    if not found:
        note("no environment is overdue")
    for each in found:
        say(f"{'Deleted' if each in deleted else 'overdue:'} {one_line(each)}")
    if found and not yes:
        say(for_home("next: sealflow env purge --yes", other_home(home)))
    return OK
