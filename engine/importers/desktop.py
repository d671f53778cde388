"""Desktop flows in solutions: found, and handed on as they are; reading scripts is not this package's.

Source: exported solutions. Those of today keep the script in `<Definition>` of customizations.xml and UI elements in
`desktopflowbinaries/*/data`; those until 2022 keep both in an archive, in base64, in the flow's file.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .files import PackageFiles, XmlElement

_DESIGNER: Final = ("", "2")
"""`UIFlowType` of what Power Automate for desktop makes; others were recorded by earlier products."""

_BINARY: Final = r"desktopflowbinaries/([^/]+)/.*"


@dataclass(frozen=True, slots=True)
class DesktopFlow:
    """A desktop flow of a package, not read yet.

    Either `definition` is the text that holds the script, and `files` what belongs to it, or `archive` is a zip of all.
    `inputs` and `outputs` are JSON schemas, None where there are none. `file` is its place in the package.
    """

    name: str
    id: str
    file: str
    definition: str = field(default="", repr=False)
    archive: bytes = field(default=b"", repr=False)
    files: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    inputs: Any = None
    outputs: Any = None
    metadata: Any = None
    enabled: bool = True


def desktop_flow(
    files: PackageFiles, element: XmlElement, name: str, guid: str, file: str, at: str, *, alone: bool, enabled: bool
) -> DesktopFlow | None:
    """The desktop flow of a `<Workflow>`; None where there is no script in it. `alone`: it is the only one there."""
    if element.text_of("UIFlowType") not in _DESIGNER:
        return None
    definition = element.text_of("Definition")
    archive = _archive(files, file) if not definition else b""
    if not definition and not archive:
        return None
    return DesktopFlow(
        name,
        guid,
        at if definition else files.place(file),
        definition,
        archive,
        _binaries(files, guid, alone=alone) if definition else {},
        _json(element.text_of("Inputs")),
        _json(element.text_of("Outputs")),
        _json(element.text_of("Metadata")),
        enabled,
    )


def _archive(files: PackageFiles, path: str) -> bytes:
    """The package in an earlier flow's file; empty where there is none."""
    if path not in files:
        return b""
    found: Any = files.json(path)
    for key in ("properties", "definition", "package"):
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, str):
        return b""
    try:
        return base64.b64decode("".join(found.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _binaries(files: PackageFiles, guid: str, *, alone: bool) -> dict[str, bytes]:
    """The files with UI elements and the like: those whose description names the flow, or all where it is alone."""
    folders: dict[str, list[str]] = {}
    for path, match in files.matching(_BINARY):
        folders.setdefault(match[1], []).append(path)
    found: dict[str, bytes] = {}
    for paths in folders.values():
        described = [path for path in paths if path.lower().endswith(".xml")]
        if alone or any(re.search(re.escape(guid).encode(), files.bytes(path), re.IGNORECASE) for path in described):
            found.update((path, files.bytes(path)) for path in paths if not path.lower().endswith(".xml"))
    return found


def _json(text: str) -> Any:
    """What stands in an element as JSON, at times as the text of JSON in JSON."""
    for _ in range(2):
        if not isinstance(text, str) or not text:
            break
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            return None
    return text or None
