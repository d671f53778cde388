"""Finding a flow by the id it had in the package it came in.

A flow of Power Automate calls its children by their ids there (`workflowReferenceName`), not by the names they are
deployed under. The ids are in the deployed document, sealed with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ....storage import FlowInfo, RecordNotFound, Vault


class Aliases:
    """The ids of the flows of one vault. What is known of a version stays true, so each is opened once."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[tuple[bytes, int], frozenset[str]] = {}

    async def find(self, name: str, document: Callable[[bytes, int], Awaitable[dict[str, Any]]]) -> FlowInfo:
        """A flow by its name, else by an alias of its newest version, in any case and with or without braces.

        Of several flows with the same alias, the one that was deployed last. Raises RecordNotFound.
        """
        try:
            return await self._vault.flow(name)
        except RecordNotFound:
            alias = name.strip("{}").lower()
            for info in sorted(await self._vault.flows(), key=lambda flow: flow.updated_ms, reverse=True):
                key = (info.flow_id, info.version)
                if key not in self._known:
                    held = await document(*key)
                    self._known[key] = frozenset(held.get("aliases", ()))
                if alias in self._known[key]:
                    return info
            raise
