"""`sealflow flow callback`: fire a webhook trigger in the place of the service that it subscribed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .....errors import NotFound
from ... import options
from ...arguments import given_json, texts
from ...output.writing import note, one_line
from ...session import again, environment, wait_for

if TYPE_CHECKING:
    from .....kernel import Entry
    from .....runtime.environment.environment import Environment
    from .....runtime.observe.run import Run
    from ...output.watching import Watch


def callback(
    target: Annotated[
        str, typer.Argument(metavar="FLOW|URL", help="Name of the flow, or the callback URL of its trigger.")
    ],
    body: Annotated[
        str | None,
        typer.Option("--body", metavar="JSON|@FILE|@-", help="Body of the callback.", show_default=False),
    ] = None,
    header: options.Headers = None,
    timeout: options.Timeout = None,
    full: options.Full = False,
    environment: options.Environment = "default",
    json: options.Json = False,
    home: options.Home = None,
) -> int:
    """Call the webhook trigger of a flow, as its service does, and show the runs that start.

    The trigger subscribes while a worker runs; until then, and while the flow is disabled, there is nothing to call
    back. Output and exit codes are those of `sealflow run`.
    """
    from ...output.watching import Watch

    given = {} if body is None else {"body": given_json(body, "--body")}
    watch = Watch(json, full, timeout, home=home, environment=environment)
    return wait_for(_call(target, {**given, "headers": texts(header or [], "--header")}, watch))


async def _call(target: str, given: dict[str, Any], watch: Watch) -> int:
    async with environment(watch.home, watch.environment) as env:
        address = target if "trigger/" in target else await _address(env, target, watch)

        async def begin(_: Callable[[Entry], None]) -> list[Run]:
            return await env.trigger_callback(address, **given)

        async def headline(run: Run) -> str:
            return f"{one_line(await run.flow())}, run {run.id}"

        code = await watch.carry_out(begin, headline)
    if not watch.runs:
        note(
            "No run started: a trigger condition is false, splitOn has nothing to split, or the environment is locked."
        )
    return code


async def _address(env: Environment, flow: str, watch: Watch) -> str:
    """The callback URL of a flow's trigger. Raises NotFound."""
    found = await env.trigger(flow)
    if found.callback_url is None:
        raise NotFound(
            f"The trigger of '{one_line(flow)}' waits for no callback.",
            hint=again("worker", home=watch.home, environment=watch.environment)
            if found.kind == "webhook"
            else "Only webhook triggers are called back; `sealflow run FLOW` starts others.",
        )
    return found.callback_url
