"""The application: all commands under one name, and one place where whatever they raise becomes an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Annotated, Any

import typer

from .command_table import add_commands, wanted
from .errors import INTERRUPTED, OK, UsageError, of_os_error, report
from .output.writing import discard, note, say


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        say(f"sealflow {version('sealflow')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@cache
def application(only: str = "") -> typer.Typer:
    """All commands, or `only` one command or family."""
    app = typer.Typer(
        name="sealflow",
        help="Run Power Automate and Logic Apps flows. All their data is encrypted at rest.",
        epilog=(
            "Exit codes: 0 done, 1 the flow failed, 2 invalid, 3 not found, 4 locked or denied, 124 --timeout, "
            "130 interrupted."
        ),
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    add_commands(app, only)
    return app


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
        from .hints import given_home

        code = report(_usage(error), as_json=as_json, home=given_home(given))
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


@cache
def _parser(only: str) -> Callable[..., Any]:
    """What reads a command line, made once: that takes longer than most of what commands do."""
    return typer.main.get_command(application(only))


def _invoke(arguments: list[str]) -> int:
    command = _parser(wanted(arguments))
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
