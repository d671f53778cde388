"""`sealflow runs callback`: answer a flow that waits, in the place of the service that it asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .....errors import NotFound
from ... import options
from ...arguments import given_json
from ...errors import FAILED, OK, UsageError
from ...output.writing import one_line, printable, say, say_json
from ...session import again, opened, wait_for

if TYPE_CHECKING:
    from .....runtime.calls.callbacks import Delivery
    from .....runtime.environment.environment import Environment


def callback(
    target: Annotated[str, typer.Argument(metavar="RUN|URL", help="Id of the run, or the callback URL of its action.")],
    action: Annotated[
        str | None,
        typer.Option(
            "--action",
            metavar="PATH",
            help="Action that waits, by path or name, if there are several.",
            show_default=False,
        ),
    ] = None,
    body: Annotated[
        str | None,
        typer.Option("--body", metavar="JSON|@FILE|@-", help="Body of the callback.", show_default=False),
    ] = None,
    status: Annotated[
        int,
        typer.Option(
            "--status",
            metavar="CODE",
            min=100,
            max=599,
            help="Status of the callback. With 400 or more, the action fails.",
        ),
    ] = 200,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Answer an action that waits for its callback, as its service does.

    Only the first callback of an action counts. It is kept, and recorded by the process that executes the run or by
    the next one that does; while the environment is locked, only a URL can be answered. Exit codes: 0 it counts,
    1 there was one before or the action is over, 3 nobody waits.
    With --json: {"run","action","status","accepted"}, the status being what an HTTP host answers.
    """
    given = {} if body is None else {"body": given_json(body, "--body")}
    delivery = wait_for(_deliver(home, environment, target, action, {**given, "status": status}))
    if delivery.run is None:
        ask = "flow callback URL" if "trigger/" in target else "runs list --status Waiting"
        raise NotFound(
            "There is no action that waits for this callback.", hint=again(ask, home=home, environment=environment)
        )
    if json:
        accepted = {"status": delivery.status, "accepted": delivery.accepted}
        say_json({"run": delivery.run, "action": delivery.path, **accepted})
    elif delivery.accepted and delivery.path is None:
        say(f"The environment is locked. Run {delivery.run} takes the callback up once it is not.")
    elif delivery.accepted:
        say(f"{printable(delivery.path or '')} of run {delivery.run} has its answer.")
        say(f"next: {again(f'runs resume {delivery.run}', home=home, environment=environment)}")
    elif delivery.retry_after is not None:
        say(f"The locked environment takes nothing more in: try again in {delivery.retry_after} s.")
    else:
        action = "The action" if delivery.path is None else printable(delivery.path)
        say(f"{action} of run {delivery.run} had its answer before, or is over.")
    return OK if delivery.accepted else FAILED


async def _deliver(home: Path | None, name: str, target: str, action: str | None, given: dict[str, Any]) -> Delivery:
    from ......storage import EnvironmentLocked

    is_address = "/" in target
    if is_address and action is not None:
        raise UsageError("--action belongs to a RUN; a URL names its action.")
    async with opened(home) as engine:
        try:
            env = await engine.environment(name, create=False)
        except EnvironmentLocked:
            if not is_address:
                raise  # which run that is cannot be read now
            return await (await engine.inbox(name)).callback(target, **given)
        return await env.callback(target if is_address else await _address(env, target, action), **given)


async def _address(env: Environment, run_id: str, action: str | None) -> str:
    """The callback URL of the one action that waits, or of the named one."""
    run = await env.run(run_id)
    waiting = await run.callbacks()
    if action is not None:
        wanted = action.lower()
        matches = {wanted, f"/{wanted}"}
        waiting = {
            path: url
            for path, url in waiting.items()
            if path.lower() in matches or path.rpartition("/")[2].lower() == wanted
        }
    if not waiting:
        what = "no callback" if action is None else f"no callback for '{one_line(action, 80)}'"
        raise NotFound(f"Run {run.id} waits for {what}.", hint=f"sealflow runs show {run.id}")
    if len(waiting) > 1:
        some = ", ".join(list(waiting)[:5])
        raise UsageError(f"{len(waiting)} actions of run {run.id} wait: give one of them with --action.", hint=some)
    return next(iter(waiting.values()))
