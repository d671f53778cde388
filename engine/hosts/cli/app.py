"""The application: all commands under one name, and one place where whatever they raise becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from . import (
    approving,
    audit,
    backup,
    check,
    connection,
    deleting,
    env,
    env_allow,
    env_move,
    env_status,
    flow,
    flow_callback,
    flow_import,
    flow_switch,
    key,
    key_export,
    policy,
    queue,
    replay,
    resetting,
    run,
    runs,
    runs_callback,
    runs_screenshot,
    verify,
)
from . import eval as evaluation
from . import worker as work
from .errors import INTERRUPTED, OK, UsageError, of_os_error, report
from .output import discard, note, say

app = typer.Typer(
    name="sealflow",
    help="Runs Power Automate and Logic Apps flows, everything about them encrypted at rest.",
    epilog=(
        "Exit codes: 0 done, 1 the flow failed, 2 invalid, 3 not found, 4 locked or denied, 124 --timeout, "
        "130 interrupted."
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"sealflow {version('sealflow')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command("run")(run.run)
app.command("check")(check.check)
app.command("eval")(evaluation.evaluate)
app.command("replay")(replay.replay)
app.command("worker")(work.worker)
app.command("verify")(verify.verify)
runs.app.command("callback")(runs_callback.callback)
runs.app.command("screenshot")(runs_screenshot.screenshot)
runs.app.command("delete")(deleting.delete_runs)
app.add_typer(runs.app, name="runs")
env.app.command("allow")(env_allow.allow)
flow.app.command("enable")(flow_switch.enable)
flow.app.command("disable")(flow_switch.disable)
flow.app.command("callback")(flow_callback.callback)
flow.app.command("delete")(deleting.delete_flow)
flow.app.command("retention")(deleting.retention)
flow.app.command("import")(flow_import.import_)
flow.app.command("export")(flow_import.export)
app.add_typer(flow.app, name="flow")
env.app.command("status")(env_status.status)
env.app.command("lock")(env_status.lock)
env.app.command("unlock")(env_status.unlock)
env.app.command("delete")(deleting.delete_environment)
env.app.command("move")(env_move.move)
env.app.command("reset")(resetting.reset)
env.app.command("sweep")(resetting.sweep)
app.add_typer(env.app, name="env")
app.add_typer(connection.app, name="connection")
policy.app.command("requests")(approving.requests)
policy.app.command("approve")(approving.approve)
policy.app.command("refuse")(approving.refuse)
app.add_typer(policy.app, name="policy")
key.app.command("export")(key_export.export)
app.add_typer(key.app, name="key")
app.add_typer(queue.app, name="queue")
app.add_typer(audit.app, name="audit")
app.add_typer(backup.app, name="backup")


def execute(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Nothing is raised, whatever happens."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json = "--json" in (given[: given.index("--")] if "--" in given else given)
    code = OK
    try:
        code = _invoke(given)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):
        # Whoever read our output has had enough, which is no fault of the command. Typer makes a SystemExit of that.
        discard(sys.stdout)
        return code
    except (KeyboardInterrupt, typer.Abort):
        note("interrupted")
        return INTERRUPTED
    except Exception as error:
        code = report(_usage(error), as_json=as_json)
    return _flushed(code)


def _flushed(code: int) -> int:
    """The exit code, once all output is written; a result that could not be written is an error of its own."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        return max(code, report(of_os_error(error, "stdout"), as_json=False))
    return code


def _invoke(arguments: list[str]) -> int:
    command: Callable[..., Any] = typer.main.get_command(app)
    if not arguments:
        arguments = ["--help"]
    result = command(args=arguments, prog_name="sealflow", standalone_mode=False)
    return result if isinstance(result, int) else OK


def _usage(error: Exception) -> Exception:
    """A complaint of the command-line parser as one of our errors."""
    context = getattr(error, "ctx", None)
    if not hasattr(error, "format_message"):
        return error
    path = context.command_path if context is not None else "sealflow"
    return UsageError(error.format_message(), hint=f"{path} --help")
