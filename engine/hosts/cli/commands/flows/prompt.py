"""The prompt of `sealflow eval`: one expression after the other, with completion of function names.

Lines are kept in memory for the arrow keys and nowhere else: they may hold data of a flow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from .....errors import SealflowError
from .....expressions import CONTEXT_FUNCTIONS, FUNCTIONS, Function
from ...arguments import json_object
from ...errors import OK, UsageError, report
from ...output.writing import note, say
from .eval import answer

_COMMANDS: Final = {
    ":context FILE": "take variables, actions, the trigger and so on from a JSON file",
    ":trace": "show every sub-expression with its value, or stop doing so",
    ":help [FUNCTION]": "this, or what a function does",
    ":quit": "leave (Ctrl-D does, too)",
}
_WORD: Final = re.compile(r"[A-Za-z0-9:]+$")


def prompt(context: dict[str, Any], *, trace: bool = False) -> int:
    """Ask and answer until the input ends; the exit code."""
    _prepare_line_editing()
    note("Expressions of the cloud language, such as add(1, 2). :help says more, :quit leaves.")
    session = Session(context, trace)
    while True:
        try:
            line = input("> ")
        except EOFError:
            say()
            return OK
        except KeyboardInterrupt:
            say()
            continue
        try:
            if not session.take(line.strip()):
                return OK
        except KeyboardInterrupt:
            note("interrupted")


class Session:
    """What the prompt remembers from line to line."""

    def __init__(self, context: dict[str, Any], trace: bool = False) -> None:
        self.context = context
        self.trace = trace

    def take(self, line: str) -> bool:
        """Carry out a line; whether to go on. Errors are told, never raised."""
        if not line.startswith(":"):
            if line:
                answer(line, self.context, trace=self.trace)
            return True
        command, _, argument = line.partition(" ")
        try:
            return self._command(command.lower(), argument.strip())
        except SealflowError as error:
            report(error, as_json=False)
        return True

    def _command(self, command: str, argument: str) -> bool:
        match command:
            case ":quit" | ":q" | ":exit":
                return False
            case ":help" | ":h" | ":?":
                for text in _help(argument):
                    say(text)
            case ":trace":
                self.trace = not self.trace
                note(f"trace {'on' if self.trace else 'off'}")
            case ":context":
                if argument in ("", "-"):
                    raise UsageError(":context needs a file.", hint=":context context.json")
                self.context = json_object(argument, ":context")
                note(f"context: {', '.join(self.context) or 'empty'}")
            case _:
                raise UsageError(f"There is no command '{command[:40]}'.", hint=":help lists them.")
        return True


def _functions() -> Iterable[Function]:
    yield from CONTEXT_FUNCTIONS.values()
    yield from FUNCTIONS.values()


def _help(name: str) -> list[str]:
    if not name:
        width = max(map(len, _COMMANDS))
        commands = [f"  {command.ljust(width)}  {meaning}" for command, meaning in _COMMANDS.items()]
        names = sorted((function.name for function in _functions()), key=str.lower)
        return ["Type an expression, or a text with @{...} in it.", "", *commands, "", "Functions:", *_columns(names)]
    wanted = name.rstrip("()").lower()
    for function in _functions():
        if function.name.lower() == wanted:
            most = "any number of" if function.maximum is None else str(function.maximum)
            least = "" if function.minimum == function.maximum else f"{function.minimum} to "
            return [f"{function.name}: {least}{most} argument{'' if most == '1' else 's'}. {function.rule}"]
    raise FUNCTIONS.unknown(name, [function.name for function in CONTEXT_FUNCTIONS.values()])


def _columns(names: list[str], across: int = 4) -> list[str]:
    width = max(map(len, names)) + 2
    return [
        "  " + "".join(each.ljust(width) for each in names[at : at + across]).rstrip()
        for at in range(0, len(names), across)
    ]


def completions(line: str) -> list[str]:
    """What the last word of a line may become."""
    word = _WORD.search(line)
    begun = word[0].lower() if word else ""
    if line.startswith(":"):
        return [command.split(" ")[0] for command in _COMMANDS if command.startswith(begun)] if begun else []
    names = sorted((function.name for function in _functions()), key=str.lower)
    return [f"{name}(" for name in names if begun and name.lower().startswith(begun)]


def _prepare_line_editing() -> None:
    try:
        import readline
    except ImportError:  # a Python without it still reads lines
        return
    readline.set_completer_delims(" \t\n(),@{}[]?.'")
    readline.set_completer(_completer(readline.get_line_buffer))
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in (readline.__doc__ or "") else "tab: complete")


def _completer(buffer: Callable[[], str]) -> Callable[[str, int], str | None]:
    def complete(word: str, state: int) -> str | None:
        line = buffer()
        found = completions(line if line.startswith(":") else word)
        return found[state] if state < len(found) else None

    return complete
