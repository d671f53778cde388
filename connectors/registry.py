"""Which connector answers which id.

Definitions name connectors in several ways - `shared_office365`, `office365`, a connection such as
`shared_office365-1` - and all of them find the connector registered as any of the first two, in any case. Nothing is
registered behind the user's back: a fresh registry is empty, `standard()` has the built-in ones.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import TypeAlias

from ..engine.values import Value
from .port import Call, Connector, ConnectorError, ConnectorResponse, Recovery, Services, Subscribed

Handler: TypeAlias = "Callable[[Call], Awaitable[ConnectorResponse | Subscribed | Value]]"
"""A connector in its simplest form: a JSON value as the answer is the body of a reply with status 200."""

# Connections are numbered when there are several of one connector: shared_office365-1, shared_office365_1.
_NUMBERED = re.compile(r"[-_]\d+$")


class FunctionConnector:
    """An async function as a connector."""

    def __init__(self, handler: Handler, recovery: Recovery = "keyed") -> None:
        self._handler = handler
        self._recovery = recovery

    @property
    def recovery(self) -> Recovery:
        """As registered."""
        return self._recovery

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse | Subscribed:
        """Await the function. Whoever takes the reply checks it, like that of any connector."""
        answer = await self._handler(call)
        return answer if isinstance(answer, (ConnectorResponse, Subscribed)) else ConnectorResponse(200, {}, answer)


class Registry:
    """The connectors of one engine, by id."""

    def __init__(self) -> None:
        self._connectors: dict[str, Connector] = {}

    def register(self, id: str, connector: Connector | Handler, *, recovery: Recovery = "keyed") -> None:
        """Let `connector`, or an async function of one `Call`, answer for `id`; an earlier one is replaced.

        `recovery` counts for functions only, connectors declare theirs. Raises TypeError for anything else.
        """
        if isinstance(connector, Connector) and not inspect.isclass(connector):
            self._connectors[canonical(id)] = connector
        elif callable(connector) and (
            inspect.iscoroutinefunction(connector) or inspect.iscoroutinefunction(getattr(connector, "__call__", None))  # noqa: B004
        ):
            self._connectors[canonical(id)] = FunctionConnector(connector, recovery)
        else:
            raise TypeError(
                f"the connector '{id}' must be an async function of one Call, "
                "or an object with `recovery` and `async invoke(call, services)`"
            )

    def connector(self, id: str, *, recovery: Recovery = "keyed") -> Callable[[Handler], Handler]:
        """`register` as a decorator: `@registry.connector("office365")`."""

        def register(handler: Handler) -> Handler:
            self.register(id, handler, recovery=recovery)
            return handler

        return register

    def find(self, id: str) -> Connector:
        """The connector for `id`. Raises ConnectorError `ConnectorNotFound`, which says what to do."""
        name = canonical(id)
        found = self._connectors.get(name) or self._connectors.get(_NUMBERED.sub("", name))
        if found is None:
            raise ConnectorError(
                "ConnectorNotFound",
                f"There is no connector '{name or id}' here.",
                hint=f"Register one (`registry.register({name or id!r}, ...)`), or simulate: --simulate, --mocks FILE.",
            )
        return found

    def __contains__(self, id: object) -> bool:
        name = canonical(id) if isinstance(id, str) else ""
        return name in self._connectors or _NUMBERED.sub("", name) in self._connectors

    @property
    def ids(self) -> list[str]:
        """The ids that are registered, sorted, without `shared_`."""
        return sorted(self._connectors)

    async def aclose(self) -> None:
        """Close every connector that holds connections; they open new ones if they are called again."""
        for connector in dict.fromkeys(self._connectors.values()):
            close = getattr(connector, "aclose", None)
            if close is not None:
                await close()


@lru_cache(maxsize=1_024)  # asked for with every call
def canonical(id: str) -> str:
    """The form in which ids are compared: the last part of a resource id, lower-case, without `shared_`."""
    return id.rstrip("/").rsplit("/", 1)[-1].lower().removeprefix("shared_")


def standard() -> Registry:
    """A registry with the built-in connectors: `http`, scripts, maps and schemas, and the modules of desktop flows."""
    from .desktop.modules import connectors as desktop_connectors
    from .late import BUILT_IN, LateConnector

    registry = Registry()
    for id in BUILT_IN:
        registry.register(id, LateConnector(id))
    for id, connector in desktop_connectors().items():
        registry.register(id, connector)
    return registry
