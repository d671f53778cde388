"""Looking things up in the catalogue: actions, modules, enumerations, reasons. Names in any case.

Where the tables stand: `actions.tsv` (see `entry`) and `enums.tsv` (type, whether its values are known to be all, the
values).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import Final

from .aliases import ALIASES, PREFIXES
from .entry import ActionSpec, entries
from .refusals import windows_reason

_REASONS: Final[Mapping[str, str]] = {
    "cmd": "it types into a command prompt of Windows",
    "display": "it shows a dialog on the desktop",
    "excel": "it drives a running Excel",
    "mouseandkeyboard": "it moves the mouse or presses keys on the desktop",
    "outlook": "it drives a running Outlook",
    "sap": "it drives the SAP GUI for Windows",
    "scripting": "it runs a script of the Windows Script Host",
    "terminalemulation": "it drives a terminal emulator",
    "triggers": "it waits for an event of the Windows desktop",
    "uiautomation": "it works on windows of desktop applications",
    "services": "it controls services of Windows",
    "workstation": "it controls the Windows workstation",
}


_UNLISTED: Final = frozenset({"sap"})
"""Modules that newer designers have and that need Windows whole; no reference lists their actions."""


def lookup(action_id: str) -> ActionSpec | None:
    """An action by id, in any case and by its older ids too; None where there is none."""
    return _table().get(canonical(action_id).lower())


def canonical(action_id: str) -> str:
    """The id in the catalogue's spelling, an older one by what it is called now; an unknown one as it is."""
    wanted = action_id.lower()
    known = _table()
    alias = ALIASES.get(wanted)
    if alias is None:
        for prefix, now in PREFIXES.items():
            if wanted.startswith(prefix):
                alias = now + action_id[len(prefix) :]
    if alias is None and wanted not in known:
        alias = _shortened().get(wanted)
    if alias is not None and alias.lower() in known:
        wanted = alias.lower()
    found = known.get(wanted)
    return found.id if found is not None else action_id


def actions() -> tuple[ActionSpec, ...]:
    """All variants of the actions that the reference has, in the order of the table."""
    return tuple(_read("actions.tsv").values())


def later() -> tuple[ActionSpec, ...]:
    """Variants and actions that newer designers write besides."""
    return tuple(_read("later.tsv").values())


def modules() -> frozenset[str]:
    """What ids begin with, in lower case."""
    return _modules()


def is_module(name: str) -> bool:
    return name.lower() in _modules()


def is_enum(kind: str) -> bool:
    """Whether `Module.Type` is an enumeration that is known."""
    return kind.lower() in _enums()


def enum_values(kind: str) -> tuple[tuple[str, ...], bool]:
    """The values of an enumeration, and whether they are known to be all."""
    return _enums().get(kind.lower(), ((), False))


def is_windows_only(action_id: str) -> bool:
    """Whether an action that is not in the catalogue is of a family, or else a module, that all needs Windows."""
    parts = action_id.lower().split(".")
    if parts[0] in _UNLISTED:
        return True
    for length in (2, 1):
        prefix = ".".join(parts[:length])
        kin = [spec.platform for key, spec in _table().items() if f"{key}.".startswith(f"{prefix}.")]
        if kin:
            return all(platform == "windows-only" for platform in kin)
    return False


def reason(action_id: str) -> str:
    """Why an action of the class windows-only needs Windows, as the end of a sentence."""
    spec = lookup(action_id)
    if own := windows_reason(spec.id if spec is not None else action_id):
        return own
    for module in (*((spec.module,) if spec is not None else ()), action_id.partition(".")[0]):
        if module.lower() in _REASONS:
            return _REASONS[module.lower()]
    return "it needs a Windows desktop"


@lru_cache(maxsize=1)
def _table() -> Mapping[str, ActionSpec]:
    return {**_read("actions.tsv"), **_read("later.tsv")}


@lru_cache(maxsize=2)
def _read(name: str) -> Mapping[str, ActionSpec]:
    found = {}
    for line in _lines(name):
        for spec in entries(line):
            found[spec.id.lower()] = replace(spec, platform="windows-only") if windows_reason(spec.id) else spec
    return found


@lru_cache(maxsize=1)
def _shortened() -> Mapping[str, str]:
    """`Module.Selector` by lower-case name, as the first versions wrote it, where only one action has it."""
    found: dict[str, str] = {}
    for spec in _table().values():
        parts = spec.id.split(".")
        if len(parts) == 3:
            short = f"{parts[0]}.{parts[2]}".lower()
            found[short] = spec.id if short not in found else ""
    return {short: now for short, now in found.items() if now}


@lru_cache(maxsize=1)
def _modules() -> frozenset[str]:
    return frozenset(name.partition(".")[0] for name in (*_table(), *ALIASES))


@lru_cache(maxsize=1)
def _enums() -> Mapping[str, tuple[tuple[str, ...], bool]]:
    found = {}
    for line in _lines("enums.tsv"):
        kind, complete, values = line.split("\t")
        found[kind.lower()] = (tuple(values.split()), complete == "yes")
    return found


def _lines(name: str) -> list[str]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    return text.splitlines()[1:]
