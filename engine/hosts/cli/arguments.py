"""What is given to commands: files, JSON, `NAME=JSON` pairs, ids. Read here, understood elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ...values import from_json
from .errors import UsageError, about, of_os_error
from .output.writing import raw_stdout


def read_file(name: str) -> bytes:
    """The bytes of a file, `-` being stdin. Raises NotFound, Denied, or SealflowError for a folder and the like."""
    try:
        if name == "-":
            return sys.stdin.buffer.read()
        return Path(name).read_bytes()
    except OSError as error:
        raise of_os_error(error, name) from None


def write_file(name: str, data: bytes, *, secret: bool = False) -> None:
    """Write a file whole or not at all, `-` being stdout. A `secret` one is for its owner only."""
    if name == "-":
        stdout = raw_stdout()
        stdout.write(data)
        stdout.flush()
        return
    import os
    import tempfile

    target = Path(name)
    try:
        if target.exists() and not target.is_file():
            # A device or a pipe is written to; putting a file in its place would take it away from everybody.
            with target.open("wb") as stream:
                stream.write(data)
            return
        handle, part = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
                if not secret:
                    umask = os.umask(0)
                    os.umask(umask)
                    os.chmod(part, 0o666 & ~umask)
            os.replace(part, target)
        except BaseException:
            os.unlink(part)
            raise
    except OSError as error:
        raise of_os_error(error, name) from None


def json_value(text: str | bytes, what: str) -> Any:
    """The JSON in a text. `what` names it in errors: UsageError, with line and column."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise UsageError(f"{what} is not text in UTF-8: byte {error.start} does not belong there.") from None
    try:
        return from_json(text)
    except json.JSONDecodeError as error:
        place = f" at line {error.lineno}, column {error.colno}" if "\n" in text or len(text) > 40 else ""
        raise UsageError(f"{what} is no JSON: {error.msg}{place}.", code="InvalidJson", hint=_word_hint(text)) from None
    except RecursionError:
        raise UsageError(f"{what} nests too deep.", code="InvalidJson") from None
    except ValueError as error:
        raise UsageError(f"{what} is no JSON: {error}.", code="InvalidJson") from None


def _word_hint(text: str) -> str | None:
    word = text.strip()
    if word and len(word) <= 60 and not any(sign in word for sign in "\"'{}[]\n"):
        return f"""A text needs its quotes: '"{word}"' (and the shell needs the single ones)."""
    return None


def given_json(argument: str, option: str) -> Any:
    """The value of an option that takes JSON, `@FILE` or `@-`."""
    if argument.startswith("@"):
        name = argument[1:]
        with about(name):
            return json_value(read_file(name), "The input" if name == "-" else f"The file '{name}'")
    return json_value(argument, f"The value of {option}")


def json_object(argument: str, option: str) -> dict[str, Any]:
    """As a file's JSON, which has to be an object."""
    with about(argument):
        value = json_value(read_file(argument), "The input" if argument == "-" else f"The file '{argument}'")
        if not isinstance(value, dict):
            raise UsageError(f"{option} needs a JSON object.")
        return value


def pairs(arguments: Iterable[str], option: str) -> dict[str, Any]:
    """`NAME=JSON`, several times. The value may be `@FILE` too."""
    found: dict[str, Any] = {}
    for argument in arguments:
        name, sign, text = argument.partition("=")
        if not sign or not name:
            raise UsageError(f"{option} needs NAME=JSON, not '{argument}'.", hint=f"""For example {option} limit=5""")
        if name in found:
            raise UsageError(f"{option} gives '{name}' twice.")
        try:
            found[name] = given_json(text, f"{option} {name}")
        except UsageError as fault:
            if fault.hint and fault.code == "InvalidJson" and not text.startswith("@"):
                fault.hint = f"""A text needs its quotes: {option} {name}='"{text}"' (the single ones for the shell)."""
            raise
    return found


def texts(arguments: Iterable[str], option: str) -> dict[str, str]:
    """`NAME=VALUE`, several times, each value a text as it stands."""
    found: dict[str, str] = {}
    for argument in arguments:
        name, sign, text = argument.partition("=")
        if not sign or not name:
            # What was meant for a header can be a secret.
            raise UsageError(f"{option} needs NAME=VALUE.", hint=f"For example {option} id=5")
        if name in found:
            raise UsageError(f"{option} gives '{name}' twice.")
        found[name] = text
    return found
