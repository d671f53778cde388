"""`sealflow env status`, `env lock`, `env unlock`: which key seals what in an environment, and whether it is locked."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .....errors import Denied
from ... import options
from ...administrator import Acting, Role, Who
from ...errors import OK
from ...hints import for_home
from ...output.damage import damaged_error, damaged_id, exit_code, say_damaged
from ...output.writing import one_line, paint, say, say_json
from ...session import DEFAULT_ENVIRONMENT, again, opened, other_home, wait_for
from ..keys.migrating import operation_json, operation_line

if TYPE_CHECKING:
    from ......storage import CorruptRecord, EnvironmentStatus

Name = Annotated[str, typer.Argument(metavar="[NAME]", help="The environment's name.")]

_COLOURS = {"active": "green", "suspended": "yellow", "locked": "red"}
_SEALED = "(sealed)"


def status(name: Name = "default", json: options.Json = False, home: options.Home = None) -> int:
    """Show which key encrypts what in an environment, work in progress, and warnings. Works for a locked environment.

    What the customer's key sealed has no name while that key is not given. With --json: {"environment","state",
    "policy","key":{"uri","version"},"flows":[{"name","domain","key_id"}],"connections":[{"name","class","domain",
    "key_id"}],"runs":{DOMAIN:COUNT},"operations":[{"kind","status","done","total",...}],"warnings":[TEXT]}, and
    "recovery":[URI] where there are recovery copies. What was changed outside of Sealflow and does not open is in
    "damaged":[{"kind","id","error":{"code","message","hint"}}]; the exit code is 1 then.
    """

    async def work() -> EnvironmentStatus:
        async with opened(home) as engine:
            return await engine.environment_status(name)

    from .....runtime.keys.warnings import warnings

    found = wait_for(work())
    told = warnings(found, time.time_ns() // 1_000_000)
    if json:
        say_json(_status_json(found, told))
        return exit_code(found.damaged)
    for line in _lines(found):
        say(line)
    say_damaged(found.damaged, home=home, environment=name)
    for warning in told:
        say(f"{paint('warning:', 'yellow')} {one_line(for_home(warning, other_home(home)))}")
    return exit_code(found.damaged)


def lock(
    name: Name = "default", who: Who = None, role: Role = None, json: options.Json = False, home: options.Home = None
) -> int:
    """Lock an environment. Every process drops its keys, and nothing can be read until `env unlock`.

    With --json: {"environment","state"}.
    """

    Acting(home, who, role).do(lambda acts: acts.lock(name))
    return _tell_lock(name, "locked", json, f"next: {env_command('unlock', name, home)}")


def unlock(
    name: Name = "default",
    recovery: Annotated[
        bool,
        typer.Option("--recovery", help="Use the recovery key of the policy in place of a lost key."),
    ] = False,
    who: Who = None,
    role: Role = None,
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Unlock an environment. This needs its original key; the exit code is 4 if the key is not available.

    With --recovery the environment's keys are opened by the policy's second key, which wraps them from then on; apply a
    policy on another key afterwards. With --json: {"environment","state"}.
    """

    async def work() -> EnvironmentStatus:
        async with Acting(home, who, role).opened() as (engine, acts):
            await (acts.recover(name) if recovery else acts.unlock(name))
            return await engine.environment_status(name)

    problem = wait_for(work()).problem
    if problem is not None:
        raise Denied(
            f"The environment {name} is not locked, but its key cannot be used: {problem.message}",
            code=problem.code,
            hint="Restore the key and the service's access to it.",
        )
    return _tell_lock(name, "active", json, f"next: {again('worker', home=home, environment=name)}")


def env_command(verb: str, name: str, home: Path | None) -> str:
    """The command to type next, of those that take the environment as their argument."""
    return again(f"env {verb}" if name == DEFAULT_ENVIRONMENT else f"env {verb} {shlex.quote(name)}", home=home)


def _tell_lock(name: str, state: str, as_json: bool, next_step: str) -> int:
    if as_json:
        say_json({"environment": name, "state": state})
    else:
        say(f"The environment {one_line(name)} is {'unlocked' if state == 'active' else state}")
        say(next_step)
    return OK


def key_json(status: EnvironmentStatus) -> dict[str, Any]:
    """The part of a status about the key itself."""
    return {
        "environment": status.environment.name,
        "state": status.condition,
        "policy": status.policy,
        "key": {"uri": status.uri, "version": status.version},
    }


def recoveries(status: EnvironmentStatus) -> list[str]:
    """The keys that open the environment besides its own, by recovery copies."""
    return sorted({cover.recovery for cover in status.state.covers.values() if cover.recovery is not None})


def domain_label(status: EnvironmentStatus, domain: int) -> str:
    """A domain's name in one line."""
    return one_line(status.state.domain_name(domain))


def runs_by_domain(status: EnvironmentStatus) -> dict[str, int]:
    """How many runs each domain has, by its name: one that was given back to the service counts as the service's."""
    counted: dict[str, int] = {}
    for domain, runs in sorted(status.runs.items()):
        name = status.state.domain_name(domain)
        counted[name] = counted.get(name, 0) + runs
    return counted


def _status_json(status: EnvironmentStatus, told: list[str]) -> dict[str, Any]:
    name = status.state.domain_name
    return {
        **key_json(status),
        **({"recovery": recoveries(status)} if recoveries(status) else {}),
        "flows": [{"name": each.name, "domain": name(each.domain), "key_id": each.key_id} for each in status.flows],
        "connections": [
            {"name": each.name, "class": class_of(each.oauth), "domain": name(each.domain), "key_id": each.key_id}
            for each in status.connections
        ],
        "runs": runs_by_domain(status),
        "operations": [operation_json(each) for each in status.operations],
        "warnings": told,
        **({"damaged": [_damaged_json(each) for each in status.damaged]} if status.damaged else {}),
    }


def _damaged_json(each: CorruptRecord) -> dict[str, Any]:
    return {"kind": each.kind, "id": damaged_id(each), "error": damaged_error(each)}


def _lines(status: EnvironmentStatus) -> Iterator[str]:
    yield f"environment {one_line(status.environment.name)}, {paint(status.condition, _COLOURS[status.condition])}"
    yield f"policy      {one_line(status.policy) if status.policy is not None else '-'}"
    yield f"key         {one_line(status.uri)} version {status.version[:16]}"
    for recovery in recoveries(status):
        yield f"recovery    {one_line(recovery)}"
    for flow in status.flows:
        yield f"flow        {one_line(flow.name or _SEALED)}  {domain_label(status, flow.domain)}  {flow.key_id[:16]}"
    for each in status.connections:
        kind = class_of(each.oauth) or _SEALED
        yield (
            f"connection  {one_line(each.name or _SEALED)}  {kind}  {domain_label(status, each.domain)}  "
            f"{each.key_id[:16]}"
        )
    counts = ", ".join(f"{count:,} {one_line(name)}" for name, count in runs_by_domain(status).items())
    yield f"runs        {counts or '0'}"
    for operation in status.operations:
        yield f"operation   {operation_line(operation)}"


def class_of(oauth: bool | None) -> str | None:
    """The class of a connection, as the contract names it."""
    return None if oauth is None else ("oauth" if oauth else "non-oauth")
