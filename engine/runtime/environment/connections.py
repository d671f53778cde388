"""The connections of one environment as a host uses them: made from a connector's properties, shown without secrets.

Which domain a connection belongs to is storage's decision; here is what it is told: the class, and the values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ....connectors.api_properties import ApiProperties, read_api_properties
from ....storage import ConnectionInfo, CorruptRecord, Vault
from ....storage.stores.listings import split
from ...revocable import Revocable
from ..keys.scopes import keyed

if TYPE_CHECKING:
    from .session import Access


@dataclass(frozen=True, slots=True, repr=False)
class ConnectionDetail(Revocable):
    """A connection with its parameters by name; the value of a secured one is None here. `domain` is `service` or
    `customer:` and a policy's name.
    """

    info: ConnectionInfo
    domain: str
    parameters: Mapping[str, str | None] = field(repr=False)
    secured: tuple[str, ...]


class Connections:
    """Makes, shows and removes connections."""

    def __init__(self, access: Access) -> None:
        self._access = access

    @property
    def _vault(self) -> Vault:
        return self._access.vault

    @keyed
    async def create(
        self,
        name: str,
        properties: ApiProperties | Mapping[str, Any],
        values: Mapping[str, str],
        *,
        connector: str,
        parameter_set: str | None = None,
    ) -> ConnectionDetail:
        """Keep a connection to `connector`; durable on return.

        `properties` is the content of its apiProperties.json, `parameter_set` one of its sets where it has several.
        Raises SealflowError for properties that are none (`InvalidApiProperties`), a set that is not there
        (`UnknownParameterSet`), a value that is missing, unknown or not allowed (`MissingParameter`,
        `UnknownParameter`, `InvalidParameter`), and the store's AlreadyThere.
        """
        if not isinstance(properties, ApiProperties):
            properties = read_api_properties(properties)
        chosen = properties.choose(parameter_set)
        stored = {
            "values": chosen.completed(values),
            "secured": [each.name for each in chosen.parameters if each.secured],
        }
        made = await self._vault.create_connection(
            name, connector, oauth=chosen.oauth, parameter_set=chosen.name, values=stored
        )
        return await self.one(made.name)

    @keyed
    async def all(self, *, damaged: list[CorruptRecord] | None = None) -> list[ConnectionDetail]:
        """All connections, oldest first. What does not open is added to `damaged`, and raises IntegrityError without
        that.
        """
        return [await self.one(each.name) for each in split(await self._vault.listings.connections(), damaged)]

    @keyed
    async def one(self, name: str) -> ConnectionDetail:
        """A connection by its name, in any case. Raises RecordNotFound."""
        info = await self._vault.connection(name)
        stored = await self._vault.connection_values(name)
        secured = tuple(stored["secured"])
        shown = {key: None if key in secured else value for key, value in stored["values"].items()}
        detail = ConnectionDetail(info, self._vault.keys.domain_name(info.domain), shown, secured)
        return self._access.given(detail)

    @keyed
    async def values(self, name: str) -> dict[str, str]:
        """The values of a connection's parameters, secrets included. Raises RecordNotFound."""
        found: dict[str, str] = (await self._vault.connection_values(name))["values"]
        return found

    @keyed
    async def delete(self, name: str) -> None:
        """Remove a connection, and shred its key. Raises RecordNotFound."""
        await self._vault.delete_connection(name)
