"""The desktop flows of packages, read, and made ready to be deployed: archives in archives are opened here, since what
reads scripts is pure.
"""

from __future__ import annotations

from typing import Any

from ...desktop.sources import Found, of_definition, of_project, read
from ...desktop.syntax.parse import Reading
from ...desktop.syntax.problem import RobinError
from ...desktop.syntax.tree import Place
from ...importers.desktop import DesktopFlow
from .packages import PackageError, package_of
from .script_files import ScriptSource


def reading_of(flow: DesktopFlow) -> Reading:
    """The script of a desktop flow, with all its problems. Raises RobinError (NoDefinition) where there is none."""
    return read(_found(flow))


def source_in(flow: DesktopFlow, name: str = "") -> ScriptSource:
    """A desktop flow as it is deployed, under its name or another; other flows call it by its id too. Raises as
    `reading_of`.
    """
    found = _found(flow)
    aliases = tuple(dict.fromkeys(alias.lower() for alias in (flow.id, flow.name if name else "") if alias))
    return ScriptSource(
        name or flow.name,
        found.text,
        found.repositories,
        "solution",
        flow.file,
        aliases,
        flow.enabled,
        screenshots=not _said(flow.metadata, "disableScreenshotCaptureOnError"),
        timeout=_timeout(flow.metadata),
    )


def _said(metadata: Any, name: str) -> bool:
    """Whether the metadata of a flow says yes to this."""
    found = metadata.get(name) if isinstance(metadata, dict) else None
    return found is True or str(found).lower() == "true"


def _timeout(metadata: Any) -> int | None:
    """How long runs of a flow may last, as its metadata say it; nothing where that is no time, or 0."""
    found = metadata.get("flowTimeout") if isinstance(metadata, dict) else None
    try:
        seconds = int(found) if isinstance(found, (int, str)) and not isinstance(found, bool) else 0
    except ValueError:
        return None
    return seconds if seconds > 0 else None


def _found(flow: DesktopFlow) -> Found:
    if flow.definition:
        return of_definition(flow.definition, flow.files)
    try:
        found = of_project(package_of(flow.archive, "package"))
    except PackageError as error:
        raise RobinError(error.message, Place(1, 1), code=error.code, hint=error.hint) from error
    if found is None:
        raise RobinError(
            f"There is no script in the package of '{flow.name}'.",
            Place(1, 1),
            code="NoDefinition",
            hint="Export the solution again.",
        )
    return found
