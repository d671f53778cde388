"""Makes editable installs see the repository's root as the package `sealflow`.

The wheel maps the root to `sealflow/`; an editable install cannot map, so it gets a folder of links instead:
`.dev/sealflow/<name>` -> `../../<name>`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = ("__init__.py", "__main__.py", "py.typed", "engine", "storage", "connectors")


class EditableLinks(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            return
        folder = Path(self.root) / ".dev" / "sealflow"
        folder.mkdir(parents=True, exist_ok=True)
        for name in PACKAGE:
            link = folder / name
            if not link.is_symlink():
                link.symlink_to(Path("..") / ".." / name)
