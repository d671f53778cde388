"""The one flow of a file: of a definition in any form, or of a package (an archive, or a project's folder).

`cloud.package` tells all flows of a package; this says which one is meant where a single one is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...cloud import Source, read
from ...desktop.syntax.recognition import is_script
from ...errors import DefinitionError, NotFound
from .script_files import FlowSource, source_of

if TYPE_CHECKING:
    from ...importers.packages import Package

_TOLD: Final = 10
"""How many flows of a package an error names."""

_END_OF_ARCHIVE: Final = b"PK\x05\x06"
_LONGEST_END: Final = 22 + 65_535
"""Bytes at the end of a zip archive in which that must stand. What is none is not tried: unpacking is much code."""


def read_flow_file(path: Path, flow: str | None = None) -> FlowSource:
    """The flow in a file or folder. `flow` says which one of several: its name, its file or an id that it had there.

    Raises NotFound for a missing file and an unknown flow; DefinitionError: SeveralFlows, NoDefinition and what is
    wrong with the file; PackageError for an archive that is not read.
    """
    if path.is_dir():
        from .packages import read_package

        return _one(read_package(path), path.resolve().name, flow)
    return flow_of(_read_file(path), path.name, flow)


def flow_of(data: bytes, name: str, flow: str | None = None) -> FlowSource:
    """As `read_flow_file`, of bytes that are already read; `name` is that of their file."""
    if is_script(name, data):
        return source_of(data, Path(name).stem)
    files: Mapping[str, bytes] = {name: data}
    if data.startswith(b"PK") or _END_OF_ARCHIVE in data[-_LONGEST_END:]:
        from .packages import package_of

        files = package_of(data, name)
    return _one(files, Path(name).stem, flow)


def _one(files: Mapping[str, bytes], name: str, flow: str | None) -> Source:
    if isinstance(files, dict):  # a single file, no archive
        source = read(*files.values(), name=name)
        if flow is None and not any(problem.code == "SeveralWorkflows" for problem in source.problems):
            return source
    from ...importers.packages import open_package

    package = open_package(files, name=name)
    problems = package.problems if flow is None else package.shared_problems()
    fault = next((problem for problem in problems if problem.severity == "error"), None)
    if fault is not None:
        raise DefinitionError(fault.message, at=fault.at, code=fault.code, hint=fault.hint)
    return chosen(package, flow)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}.", hint="Check the path.") from None
    except OSError as error:
        raise DefinitionError(f"{path} cannot be read: {error.strerror}.", code="UnreadableFile") from None


def chosen(package: Package, flow: str | None) -> Source:
    """The flow that is meant. Raises DefinitionError SeveralFlows and NoDefinition, NotFound."""
    names = ", ".join(source.name for source in package.flows[:_TOLD])
    if flow is not None:
        for source in package.flows:
            if is_called(source, flow):
                return source
        raise NotFound(f"The package has no flow '{flow}'.", hint=f"It has: {names}." if names else None)
    if not package.flows:
        raise DefinitionError(
            "There is no cloud flow in the package.", code="NoDefinition", hint="Export it again, with its flows."
        )
    if len(package.flows) > 1:
        raise DefinitionError(
            f"The package holds {len(package.flows)} flows: {names}.",
            code="SeveralFlows",
            hint="Choose one of them with --flow NAME, or deploy all of them with `sealflow flow import`.",
        )
    return package.flows[0]


def is_called(source: Source, wanted: str) -> bool:
    """Whether a flow of a package is meant: by its name, its file or an id, in any case."""
    wanted = wanted.strip("{}").lower()
    return wanted in (source.name.lower(), source.file.lower(), *(alias.lower() for alias in source.aliases))
