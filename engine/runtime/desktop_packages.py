"""The desktop flows of packages, read: archives in archives are opened here, since what reads scripts is pure."""

from __future__ import annotations

from ..cloud.package_desktop import DesktopFlow
from ..desktop.parse import Reading
from ..desktop.problem import RobinError
from ..desktop.sources import of_definition, of_project, read
from ..desktop.syntax import Place
from .packages import PackageError, package_of


def reading_of(flow: DesktopFlow) -> Reading:
    """The script of a desktop flow, with all its problems. Raises RobinError (NoDefinition) where there is none."""
    if flow.definition:
        return read(of_definition(flow.definition, flow.files))
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
    return read(found)
