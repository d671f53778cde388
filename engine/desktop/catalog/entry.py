"""The records of the catalogue, and how one line of its table becomes them. No table is read here.

A line is module, display name, class, variants, outputs and errors, with tabs between. A variant is an action id with
its arguments, `Module.Action.Selector!(&Name?:Type=default; ...)`: `!` where the arguments are known to be all, `&` for
one that the action changes in place, `?` for one that may be left out or empty. Without brackets nothing is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ...errors import error_name

Platform = Literal["portable", "browser", "windows-only"]

_VARIANT: Final = re.compile(r"([\w.]+)(!?)(?:\((.*)\))?")
_ARGUMENT: Final = re.compile(r"(&?)(@?[\w/']+)(\??)(?::([^=]*))?(?:=(.*))?")


@dataclass(frozen=True, slots=True)
class ArgumentSpec:
    """An argument. `type` is a data type, or an enumeration (`Text.CaseOption`), or "" where it is not known.

    `default` is the value as the language writes it, for an enumeration its value alone; None where there is none.
    """

    name: str
    type: str = ""
    default: str | None = None
    optional: bool = False
    in_place: bool = False


@dataclass(frozen=True, slots=True)
class OutputSpec:
    name: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class ErrorSpec:
    """An error an action can fail with: the name of its section in a handler, and what the designer shows."""

    id: str
    shown: str


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """An action in one of its variants.

    `id` in the catalogue's spelling, `name` as the designer shows it (the same for all variants), `module` where the
    designer lists it. `arguments` None where none is known; `complete` where they are known to be all. `outputs` are
    those of all variants together.
    """

    id: str
    name: str
    module: str
    platform: Platform
    arguments: tuple[ArgumentSpec, ...] | None
    outputs: tuple[OutputSpec, ...]
    errors: tuple[ErrorSpec, ...]
    complete: bool = False

    def argument(self, name: str) -> ArgumentSpec | None:
        """An argument by its name in any case."""
        wanted = name.casefold()
        return next((each for each in self.arguments or () if each.name.casefold() == wanted), None)

    def output(self, name: str) -> OutputSpec | None:
        """An output by its name in any case."""
        wanted = name.casefold()
        return next((each for each in self.outputs if each.name.casefold() == wanted), None)


def entries(line: str) -> list[ActionSpec]:
    """The variants of one line of the table."""
    module, name, platform, variants, outputs, errors = line.split("\t")
    given = tuple(_output(each) for each in outputs.split("; ") if each)
    faults = tuple(ErrorSpec(error_name(shown), shown) for shown in errors.split("; ") if shown)
    found = []
    for variant in variants.split(" | "):
        match = _VARIANT.fullmatch(variant)
        if match is None:
            raise ValueError(f"not a variant: {variant}")
        arguments = None if match[3] is None else tuple(_argument(each) for each in match[3].split("; ") if each)
        found.append(
            ActionSpec(
                match[1],
                name,
                module,
                platform,  # type: ignore[arg-type]
                arguments,
                given,
                faults,
                bool(match[2]),
            )
        )
    return found


def _output(text: str) -> OutputSpec:
    name, _, kind = text.partition(":")
    return OutputSpec(name, kind)


def _argument(text: str) -> ArgumentSpec:
    match = _ARGUMENT.fullmatch(text)
    if match is None:
        raise ValueError(f"not an argument: {text}")
    in_place, name, optional, kind, default = match.groups()
    return ArgumentSpec(name, kind or "", default, bool(optional), bool(in_place))
