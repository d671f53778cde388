"""Maps and schemas that belong to a flow: the `Artifacts` folder of a Standard project, or one of the same layout.

They are kept with the flow's version as `{"maps": {name: text}, "schemas": {name: text}}`. Names are those of the
files; a flow may give them with or without extension, in any case. Source: Logic Apps, "Add schemas" and "Add maps":
`Artifacts/Maps`, `Artifacts/Schemas`; in Consumption the same are artifacts of an integration account.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..errors import DefinitionError
from .syntax.definition import Action

ArtifactKind = Literal["maps", "schemas"]
Artifacts = Mapping[str, Mapping[str, str]]
"""Texts by kind (`maps`, `schemas`) and name."""

MAXIMUM_ARTIFACT: Final = 8 * 1024 * 1024
"""Bytes of one artifact. Source: Logic Apps, limits and configuration: 8 MB for schemas and maps."""

_FOLDERS: Final[Mapping[str, ArtifactKind]] = {"maps": "maps", "schemas": "schemas"}
_KINDS: Final[Mapping[str, ArtifactKind]] = {
    "xslt": "maps",
    "liquid": "maps",
    "xmlparse": "schemas",
    "xmlcompose": "schemas",
    "xmlvalidation": "schemas",
    "flatfileencoding": "schemas",
    "flatfiledecoding": "schemas",
}
_LOOKED_UP: Final[Mapping[str, ArtifactKind]] = {"map": "maps", "schema": "schemas"}
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*\bencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_FOLDER_NAMES: Final = {"maps": "Artifacts/Maps", "schemas": "Artifacts/Schemas"}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What an action says about its artifact; `path` are the steps from the action's inputs to the name."""

    kind: ArtifactKind
    name: object
    path: tuple[str, ...]


def reference(action: Action, inputs: Any = None) -> Reference | None:
    """The artifact that an action works with, as written or, with `inputs`, as evaluated. None for other actions.

    The name is None where the action gives none.
    """
    return reference_in(action.type, action.inputs if inputs is None else inputs)


def reference_in(type: str, inputs: Any) -> Reference | None:
    """As `reference`, of an action's lower-case type."""
    given = inputs if isinstance(inputs, dict) else {}
    if type == "integrationaccountartifactlookup":
        kind = _LOOKED_UP.get(str(given.get("artifactType")).lower())
        return Reference(kind, given.get("artifactName"), ("artifactName",)) if kind is not None else None
    known = _KINDS.get(type)
    if known is None:
        return None
    part = known[:-1]
    account = given.get("integrationAccount")
    holder = account.get(part) if isinstance(account, dict) else given.get(part)
    path = ("integrationAccount", part, "name") if isinstance(account, dict) else (part, "name")
    return Reference(known, holder.get("name") if isinstance(holder, dict) else None, path)


def find(artifacts: Artifacts, kind: str, name: str) -> str | None:
    """The artifact's own name: the same in any case, else the one of that name without its extension."""
    names = {each.lower(): each for each in artifacts.get(kind, {})}
    wanted = name.lower()
    if wanted in names:
        return names[wanted]
    matches = [each for lower, each in names.items() if lower.rpartition(".")[0] == wanted]
    return matches[0] if len(matches) == 1 else None


def read_artifacts(files: Mapping[str, bytes]) -> dict[str, dict[str, str]]:
    """The artifacts among files by relative path: those in a folder `Maps` or `Schemas`, in any case, at any depth.

    Raises DefinitionError: ArtifactUnreadable for what is no text or too large, DuplicateArtifact for two of one name.
    """
    found: dict[str, dict[str, str]] = {"maps": {}, "schemas": {}}
    for path in sorted(files):
        *folders, name = path.split("/")
        kind = next((_FOLDERS[each.lower()] for each in reversed(folders) if each.lower() in _FOLDERS), None)
        if kind is None or name.startswith("."):
            continue
        if any(each.lower() == name.lower() for each in found[kind]):
            raise DefinitionError(
                f"There are two {kind} of the name '{name}'.", at=path, code="DuplicateArtifact", hint="Rename one."
            )
        found[kind][name] = _text(path, files[path])
    return found


def write_artifacts(artifacts: Artifacts) -> dict[str, bytes]:
    """The artifacts as files of a Standard project, each in the encoding that it declares."""
    return {
        f"{_FOLDER_NAMES[kind]}/{name}": text.encode(_declared(text.encode()))
        for kind, texts in artifacts.items()
        for name, text in texts.items()
    }


def _declared(data: bytes) -> str:
    declared = _ENCODING.match(data)
    return declared[1].decode("ascii") if declared else "utf-8"


def _text(path: str, data: bytes) -> str:
    if len(data) > MAXIMUM_ARTIFACT:
        raise DefinitionError(
            f"The artifact has more than {MAXIMUM_ARTIFACT:,} bytes.", at=path, code="ArtifactUnreadable"
        )
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if encoding is None:
        encoding = _declared(data)
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        raise DefinitionError(
            f"The artifact is no text in {encoding}.", at=path, code="ArtifactUnreadable", hint="Save it as UTF-8."
        ) from None
