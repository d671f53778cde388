"""Which modules there are: the connectors of desktop actions, by the first part of an action's id.

A module is imported when it is first needed: what it needs may be an extra that is not installed.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from ...engine import lazy
from ..port import Call, ConnectorError, ConnectorResponse, Recovery, Services

if TYPE_CHECKING:
    from .port import ModuleConnector, Table

MODULES: Final = "desktop."
"""The ids that the connectors of modules begin with."""

# The files that make up a module; each has a TABLE.
_FILES: Final[dict[str, tuple[str, ...]]] = {
    "file": ("files.file", "files.csv_file"),
    "folder": ("files.folder",),
    "excel": ("office.excel", "office.excel_edit"),
    "database": ("database",),
    "clipboard": ("programs.clipboard",),
    "scripting": ("programs.scripting",),
    "system": ("programs.system",),
    "web": ("web.requests",),
    "compression": ("files.compression",),
    "pdf": ("office.pdf",),
    "word": ("office.word",),
    "xml": ("xml_documents",),
    "cryptography": ("hashing", "aes"),
    "webautomation": ("web.automation", "web.extract"),
    "display": ("programs.display",),
    "cmd": ("programs.cmd_session",),
    "ftp": ("ftp.actions", "ftp.sync"),
    "email": ("services.mail_send", "services.mail_box"),
    "powerpoint": ("office.powerpoint",),
    "ocr": ("office.ocr",),
    "aws": ("services.aws", "services.aws_disks"),
    "azure": ("services.azure", "services.azure_machines", "services.azure_disks"),
    "cyberark": ("services.cyberark",),
    "flowcontrol": ("programs.flow_control",),
    "googlecognitive": ("services.google_cognitive",),
}

EXTRA: Final = "desktop"
"""The extra that installs the libraries of all modules."""

_EXTRAS: Final[dict[str, str]] = {
    "aws": "aws",
    "database": "database",
    "excel": "excel",
    "ftp": "ftp",
    "ocr": "documents",
    "pdf": "documents",
    "powerpoint": "documents",
    "webautomation": "browser",
    "word": "documents",
}
"""The smaller extra of a module that has one of its own."""


def module_names() -> tuple[str, ...]:
    """The modules that are here, lower-case: `file`, `folder`..."""
    return tuple(_FILES)


@cache
def table_of(module: str) -> Table:
    """The operations of a module, by the ids of their actions.

    Raises KeyError where there is no module of that name, ImportError where what it needs is not installed.
    """
    table: dict[str, object] = {}
    for file in _FILES[module.lower()]:
        table.update(lazy.load(f".{file}:TABLE", __package__))
    return table  # type: ignore[return-value]


def is_built(action: str) -> bool:
    """Whether an action, by its id in any case, is carried out by one of these modules.

    Of a module whose libraries are not installed that cannot be told, and is taken to be so.
    """
    module = action.partition(".")[0].lower()
    if module not in _FILES:
        return False
    try:
        return action.casefold() in _known(module)
    except ImportError:
        return True


@cache
def _known(module: str) -> frozenset[str]:
    return frozenset(action.casefold() for action in table_of(module))


class LazyModule:
    """The connector of a module that is imported with its first call. See `ModuleConnector`."""

    recovery: Recovery = "never"

    def __init__(self, module: str) -> None:
        self.module = module
        self._connector: ModuleConnector | None = None

    def recovery_of(self, operation: str) -> Recovery:
        """What is done about a call of this operation that a crash interrupted."""
        try:
            return self._loaded().recovery_of(operation)
        except ConnectorError:
            return self.recovery

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Perform the action. Raises ConnectorError, LibraryMissing where the module's libraries are not installed."""
        return await self._loaded().invoke(call, services)

    def _loaded(self) -> ModuleConnector:
        if self._connector is None:
            try:
                from .port import ModuleConnector

                self._connector = ModuleConnector(table_of(self.module))
            except ImportError as error:
                what = f"The actions of '{self.module}' need a library that is not installed: {error.name}."
                extra = _EXTRAS.get(self.module, EXTRA)
                raise ConnectorError("LibraryMissing", what, hint=f"pip install 'sealflow[{extra}]'") from error
        return self._connector


def connectors() -> dict[str, LazyModule]:
    """All of them, by the ids they are registered under: `desktop.file`..."""
    return {MODULES + module: LazyModule(module) for module in _FILES}
