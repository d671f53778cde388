"""`sealflow policy`: enterprise policies, the environments they cover, and moving what is there under them."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ... import options
from ...administrator import Acting, Role, Who
from ...errors import DENIED, OK
from ...moments import clock_ms, iso_ms
from ...output.writing import note, one_line, say, say_json, say_table
from ...session import again, wait_for
from ..environments.status import env_command
from .migrating import migrate as migrate_keys
from .migrating import operation_json, operation_line

if TYPE_CHECKING:
    from ......storage import Operation, Policy
    from ......storage.keys.key_state import KeyState

app = typer.Typer(
    help="Create, apply, migrate, approve and remove policies with customers' keys.", no_args_is_help=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The policy's name.")]


@app.command("create")
def create(
    name: Name,
    key: Annotated[
        str,
        typer.Option(
            "--key",
            metavar="URI",
            help="The key: file:PATH#NAME, azure:VAULT-URL/keys/NAME, aws:ARN, vault:URL/MOUNT/NAME or pkcs11:...",
        ),
    ],
    location: Annotated[
        str,
        typer.Option("--location", metavar="L", help="The region of the key: environments of another one are refused."),
    ] = "local",
    reader: Annotated[
        list[str] | None,
        typer.Option(
            "--reader", metavar="WHO", help="Who else may put environments under it; * for all.", show_default=False
        ),
    ] = None,
    probe: Annotated[
        float, typer.Option("--probe", metavar="SECONDS", min=1, help="How often each process asks for the key again.")
    ] = 300.0,
    grace: Annotated[
        float,
        typer.Option("--grace", metavar="SECONDS", min=0, help="How long to work on while the key is out of reach."),
    ] = 1800.0,
    all_connections: Annotated[
        bool, typer.Option("--all-connections", help="Cover connections without OAuth as well.")
    ] = False,
    approvals: Annotated[
        int,
        typer.Option(
            "--approvals",
            metavar="N",
            min=1,
            max=2,
            help="2: whoever acts on the keys of a covered environment needs a second administrator's approval.",
        ),
    ] = 1,
    recovery: Annotated[
        str | None,
        typer.Option(
            "--recovery",
            metavar="URI",
            help="A second key, by which environment keys are wrapped too, for `env unlock --recovery`.",
            show_default=False,
        ),
    ] = None,
    delete_after: Annotated[
        int | None,
        typer.Option(
            "--delete-after",
            metavar="DAYS",
            min=1,
            max=36_500,
            help="Delete an environment that was locked for so long, its key refused. Otherwise never.",
            show_default=False,
        ),
    ] = None,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Create a policy with a customer's key. A key that could be lost for good is refused.

    With --json as `policy show`.
    """

    async def work() -> Policy:
        async with Acting(home, who, role).opened() as (_, acts):
            return await acts.create_policy(
                name, key, location=location, readers=tuple(reader or ()), probe=probe, grace=grace,
                all_connections=all_connections, approvals=approvals, recovery=recovery, delete_after=delete_after,
            )  # fmt: skip

    made = wait_for(work())
    if json:
        say_json(_policy_json(made, []))
    else:
        say(f"Created the policy {one_line(made.name)} on {one_line(made.uri)}")
        say(f"next: {again(f'policy apply {shlex.quote(made.name)}', home=home)} --environment NAME")
    return OK


@app.command("list")
def list_(json: options.Json = False, home: options.Home = None) -> int:
    """List the policies, oldest first.

    With --json: an array of what `policy show` gives.
    """
    found = wait_for(_all(Acting(home)))
    if json:
        say_json([_policy_json(policy, covered) for policy, covered in found])
        return OK
    if not found:
        note("no policies")
        return OK
    rows = [
        [policy.name, policy.uri, policy.location, clock_ms(policy.created_ms), ", ".join(covered) or "-"]
        for policy, covered in found
    ]
    say_table(["POLICY", "KEY", "LOCATION", "CREATED", "ENVIRONMENTS"], rows)
    return OK


@app.command("show")
def show(name: Name, json: options.Json = False, home: options.Home = None) -> int:
    """Show a policy and the environments that it covers.

    With --json: {"policy","id","key","location","owner","readers","createdTime","probe","grace","allConnections",
    "approvals","recovery","deleteAfter","environments"}.
    """

    async def work() -> tuple[Policy, list[str]]:
        async with Acting(home).opened() as (_, acts):
            policy = await acts.policies.one(name)
        return next((each, covered) for each, covered in await _all(Acting(home)) if each.id == policy.id)

    policy, covered = wait_for(work())
    if json:
        say_json(_policy_json(policy, covered))
        return OK
    say(f"policy       {one_line(policy.name)} ({policy.id.hex()})")
    say(f"key          {one_line(policy.uri)}")
    say(f"location     {one_line(policy.location)}")
    say(f"owner        {one_line(policy.owner)}")
    say(f"readers      {one_line(', '.join(policy.readers)) or '-'}")
    say(f"created      {clock_ms(policy.created_ms)}")
    say(f"probe        every {policy.probe:g} s, {policy.grace:g} s of grace")
    say(f"connections  {'all' if policy.all_connections else 'with OAuth'}")
    say(f"approvals    {policy.approvals}")
    if policy.recovery is not None:
        say(f"recovery     {one_line(policy.recovery)}")
    if policy.delete_after is not None:
        say(f"deletes      what was locked for {policy.delete_after} days, its key refused")
    say(f"environments {one_line(', '.join(covered)) or '-'}")
    return OK


@app.command("delete")
def delete(
    name: Name, who: Who = None, role: Role = None, json: options.Json = False, home: options.Home = None
) -> int:
    """Delete a policy that covers no environment.

    With --json: {"policy","deleted"}.
    """

    async def work() -> str:
        async with Acting(home, who, role).opened() as (_, acts):
            found = await acts.policies.one(name)
            await acts.delete_policy(name)
            return found.name

    deleted = wait_for(work())
    if json:
        say_json({"policy": deleted, "deleted": True})
    else:
        say(f"Deleted the policy {one_line(deleted)}")
    return OK


@app.command("grant")
def grant(
    name: Name,
    reader: Annotated[str, typer.Option("--reader", metavar="WHO", help="An administrator's name; * for all.")],
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Allow a person to apply a policy to environments.

    With --json: {"policy","readers"}.
    """

    policy = Acting(home, who, role).do(lambda acts: acts.grant(name, reader))
    if json:
        say_json({"policy": policy.name, "readers": list(policy.readers)})
    else:
        say(f"{one_line(reader)} may put environments under {one_line(policy.name)}")
    return OK


@app.command("health")
def health(name: Name, json: options.Json = False, home: options.Home = None) -> int:
    """Check whether the key of a policy can be used. The exit code is 4 if it cannot.

    With --json: {"policy","health":"healthy|denied|unavailable","detail"}.
    """

    state, _, detail = Acting(home).do(lambda acts: acts.health(name)).partition(": ")
    if json:
        say_json({"policy": name, "health": state, "detail": detail or None})
    else:
        say(f"{one_line(name)} is {state}{f': {one_line(detail)}' if detail else ''}")
    return OK if state == "healthy" else DENIED


@app.command("apply")
def apply(
    name: Name,
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Apply a policy to an environment. The customer's key encrypts what is created from now on.

    Flows that are there stay under the service's key until `policy migrate`. An environment under another policy goes
    over to this one at once. Exits with 4 where a second administrator has to approve it first.

    With --json: {"environment","policy","domain"}.
    """

    state = Acting(home, who, role).do(lambda acts: acts.apply(name, environment))
    if json:
        say_json(_cover_json(environment, state))
    else:
        say(f"The environment {one_line(environment)} is under the policy {one_line(name)}")
        say(f"next: {env_command('status', environment, home)}")
    return OK


@app.command("remove")
def remove(
    environment: options.Environment = "default",
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Remove the policy from an environment. The service key protects everything again, at once.

    Keep the customer's key for as long as there are backups from before. Exits with 4 where a second administrator has
    to approve it first. With --json: {"environment","policy",
    "domain"}.
    """

    state = Acting(home, who, role).do(lambda acts: acts.remove(environment))
    if json:
        say_json(_cover_json(environment, state))
    else:
        say(f"The environment {one_line(environment)} is under the service's key")
    return OK


@app.command("migrate")
def migrate(
    environment: options.Environment = "default",
    full: Annotated[bool, typer.Option("--full", help="Seal the histories of runs anew as well.")] = False,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave it to the process that executes the environment.")
    ] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Move everything in an environment to its current key, while flows are deployed and run.

    It goes on where it stood after an interruption. With --json, progress on stderr and at the end {"kind","status",
    "done","total","startTime","endTime","error"}.
    """

    async def work() -> Operation:
        async with Acting(home, who, role).opened() as (engine, acts):
            return await migrate_keys(engine, acts, environment, full=full, detach=detach, as_json=json)

    operation = wait_for(work())
    if json:
        say_json(operation_json(operation))
        return OK
    say(operation_line(operation))
    if detach:
        note("It is on record; the process that executes the environment does it, now or when there is one.")
        say(f"next: {env_command('status', environment, home)}")
    return OK


async def _all(acting: Acting) -> list[tuple[Policy, list[str]]]:
    """Every policy with the names of the environments that it covers."""
    async with acting.opened() as (engine, acts):
        names = {each.id: each.name for each in await engine.environments()}
        covering = await acts.policies.assignments()
        return [
            (policy, [names[environment] for environment, by in covering.items() if by == policy.id])
            for policy in await acts.policies.all()
        ]


def _policy_json(policy: Policy, environments: list[str]) -> dict[str, Any]:
    return {
        "policy": policy.name,
        "id": policy.id.hex(),
        "key": policy.uri,
        "location": policy.location,
        "owner": policy.owner,
        "readers": list(policy.readers),
        "createdTime": iso_ms(policy.created_ms),
        "probe": policy.probe,
        "grace": policy.grace,
        "allConnections": policy.all_connections,
        "approvals": policy.approvals,
        "recovery": policy.recovery,
        "deleteAfter": policy.delete_after,
        "environments": environments,
    }


def _cover_json(environment: str, state: KeyState) -> dict[str, Any]:
    return {
        "environment": environment,
        "policy": None if state.cover is None else state.cover.name,
        "domain": state.domain_name(state.domain),
    }
