"""Built-in connectors whose files are imported with their first call: a flow that calls nothing loads none of them."""

from __future__ import annotations

from typing import Final

from ..engine import lazy
from .port import Call, Connector, ConnectorResponse, Recovery, Services, Subscribed

BUILT_IN: Final[dict[str, tuple[str, Recovery]]] = {
    "http": (".http.operation:HttpConnector", "keyed"),
    "inline-code": (".inline:JavaScriptConnector", "rerun"),
    "xslt": (".inline:XsltConnector", "rerun"),
    "liquid": (".inline:LiquidConnector", "rerun"),
    "xml": (".inline:XmlConnector", "rerun"),
    "flat-file": (".inline:FlatFileConnector", "rerun"),
    "artifacts": (".inline:ArtifactConnector", "rerun"),
}
"""By their ids: the place of the class, and what it says of interrupted calls, which is asked before any call."""


STREAMING: Final = frozenset({"http"})
"""Those that say `streams`, which is asked before any call too."""


class LateConnector:
    """The built-in connector with this id."""

    def __init__(self, id: str) -> None:
        self._place, self._recovery = BUILT_IN[id]
        self._connector: Connector | None = None
        self.streams = id in STREAMING

    @property
    def recovery(self) -> Recovery:
        """As the connector has it."""
        return self._recovery

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse | Subscribed:
        """Make the call. Raises what the connector raises."""
        return await self.loaded().invoke(call, services)

    def loaded(self) -> Connector:
        """The connector itself."""
        if self._connector is None:
            made: Connector = lazy.load(self._place, __package__)()
            self._connector = made
        return self._connector

    async def aclose(self) -> None:
        """Close what it holds, if there was a call."""
        close = getattr(self._connector, "aclose", None)
        if close is not None:
            await close()
