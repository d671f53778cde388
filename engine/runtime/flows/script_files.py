"""Desktop flows as files give them, and how their documents are told from those of cloud flows.

Nothing of the language is imported here: what a script says is read by `scripts`, which is loaded with the first one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ...cloud import Source
from ...desktop.syntax.recognition import decoded

if TYPE_CHECKING:
    from ...desktop.syntax.parse import Kind

DESKTOP: Final = "desktop"
"""What `kind` says of such a flow."""
ROBIN: Final = "robin"
"""What `dialect` says."""


@dataclass(frozen=True, slots=True)
class ScriptSource:
    """A desktop flow in a file. `repositories` are the UI elements and images that came with it.

    `file` is its path in the package it came in, `aliases` further names by which other flows may call it.
    """

    name: str
    text: str = field(repr=False)
    repositories: Mapping[str, Any] = field(default_factory=dict, repr=False)
    form: Kind = "file"
    file: str = ""
    aliases: tuple[str, ...] = ()
    enabled: bool = True
    kind: str = DESKTOP
    screenshots: bool = True
    """Whether a picture is kept of runs that fail with a browser open."""
    timeout: int | None = None
    """Seconds that a run may last at most."""
    allow_unsupported: bool = False
    """Whether what cannot run here fails when it is reached, instead of being refused."""


FlowSource: TypeAlias = "Source | ScriptSource"
"""A flow in a file, of either kind."""


def source_of(data: bytes | str, name: str) -> ScriptSource:
    """The script of a file; `name` is the flow's."""
    return ScriptSource(name, data if isinstance(data, str) else decoded(data))


def is_desktop(document: Mapping[str, Any]) -> bool:
    """Whether what was deployed is a desktop flow."""
    return document.get("kind") == DESKTOP
