"""Commands that errors and warnings name, made to fit the store of this command: whoever has given `--home` can type
what he reads.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final

COMMANDS: Final = ("run", "check", "eval", "replay", "worker", "verify")
FAMILIES: Final = ("runs", "flow", "env", "connection", "policy", "key", "queue", "machine-group", "audit", "backup")
WITHOUT: Final = ("key list", "env permissions")
"""The commands of these that have no `--home`."""

_COMMAND = re.compile(
    rf"\bsealflow ((?:{'|'.join(COMMANDS)})\b(?!-)|env permissions (?:show|set|reset)|(?:{'|'.join(FAMILIES)}) [a-z-]+)"
)


def given_home(arguments: Sequence[str]) -> str | None:
    """What a command line says with `--home`, which the next one does not know."""
    home = None
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--home" and number + 1 < len(arguments):
            home = arguments[number + 1]
        elif argument.startswith("--home="):
            home = argument.removeprefix("--home=")
    return home


def for_home(text: str, home: str | None) -> str:
    """The text, where each command that has a `--home` is given this one."""
    if home is None or "sealflow " not in text or "--home" in text or "--help" in text:
        return text
    return _COMMAND.sub(lambda match: _completed(match, home), text)


def _completed(match: re.Match[str], home: str) -> str:
    return match[0] if match[1] in WITHOUT else f"{match[0]} --home {shlex.quote(home)}"
