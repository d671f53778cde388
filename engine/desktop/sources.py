"""The containers that scripts come in: files, what solutions of today hold, and the packages of earlier solutions.

Whoever reads the disk or unpacks an archive hands bytes in; here they become text, with the UI elements that came too.
Source: exported solutions. Today's keep the script as a JSON string in `<Definition>` and the rest in
`desktopflowbinaries`; until 2022 a package in base64 held `script.robin` (UTF-16), `controlRepo.appmask`,
`imageRepo.imgrepo` and `project.manifest`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from .syntax.clipboard import repository
from .syntax.parse import Reading, parse
from .syntax.problem import Problem
from .syntax.recognition import decoded

_REPOSITORIES: Final = {
    "appmask": re.compile(r"(?:.*/)?(?:ControlRepository_[^/]*\.json|controlRepo\.appmask)", re.IGNORECASE),
    "imgrepo": re.compile(r"(?:.*/)?(?:ImageRepository_[^/]*\.json|imageRepo\.imgrepo)", re.IGNORECASE),
}
_MANIFEST: Final = re.compile(r"(?:.*/)?(?:ManifestFile_[^/]*\.json|project\.manifest)", re.IGNORECASE)
_SCRIPT: Final = re.compile(r"(?:.*/)?script\.robin", re.IGNORECASE)
_POWER_FX: Final = re.compile(r'"PowerFxEnabled"\s*:\s*"?true\b', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Found:
    """A script in a container: its text, what came along by `appmask` and `imgrepo`, whether it is Power Fx."""

    text: str
    repositories: Mapping[str, Any] = field(default_factory=dict, repr=False)
    power_fx: bool = False


def of_definition(definition: str, binaries: Mapping[str, bytes]) -> Found:
    """The script of a `<Definition>`, a JSON string or the bare text; `binaries` are the flow's other files."""
    text = definition.strip()
    if text.startswith('"'):
        try:
            text = json.loads(text)
        except ValueError:
            text = definition
    return _found(text if isinstance(text, str) else definition, binaries)


def of_project(files: Mapping[str, bytes]) -> Found | None:
    """The script of an earlier solution's package, by its unpacked files; None where there is none."""
    for path, data in _matching(files, _SCRIPT):
        del path
        return _found(decoded(data), files)
    return None


def _found(text: str, files: Mapping[str, bytes]) -> Found:
    repositories: dict[str, Any] = {}
    for name, pattern in _REPOSITORIES.items():
        read = [_json(data) for _, data in _matching(files, pattern)]
        kept = [repository(each) for each in read if each is not None]
        if kept:
            repositories[name] = kept
    power_fx = any(_POWER_FX.search(decoded(data)) for _, data in _matching(files, _MANIFEST))
    return Found(text, repositories, power_fx)


def _matching(files: Mapping[str, bytes], pattern: re.Pattern[str]) -> list[tuple[str, bytes]]:
    return [(path, files[path]) for path in sorted(files) if pattern.fullmatch(path)]


def _json(data: bytes) -> Any:
    try:
        return json.loads(decoded(data))
    except (ValueError, RecursionError):
        return None


def read(found: Found) -> Reading:
    """The script of a container, parsed; a Power Fx flow is refused with a problem."""
    reading = parse(found.text, kind="solution", repositories=dict(found.repositories))
    if not found.power_fx:
        return reading
    refused = Problem(
        "PowerFxFlow",
        "error",
        "1:1",
        "This desktop flow has Power Fx switched on: its expressions are of another language, which is not run.",
        "Make the flow without Power Fx.",
    )
    return replace(reading, problems=(refused,))
