"""The Azure module: sessions, subscriptions and resource groups.

Virtual machines: `azure_machines`; disks and snapshots: `azure_disks`; how Azure is talked to: `azure_client`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .azure_client import KIND, Account, Azure, Refused, client_of, failed, segment, shared, text, there

CLOUDS: Final[dict[str, tuple[str, str]]] = {
    "global": ("https://login.microsoftonline.com", "https://management.azure.com"),
    "china": ("https://login.chinacloudapi.cn", "https://management.chinacloudapi.cn"),
    "us": ("https://login.microsoftonline.us", "https://management.usgovcloudapi.net"),
    "german": ("https://login.microsoftonline.de", "https://management.microsoftazure.de"),
}
"""Where one logs in, and the Resource Manager, by the first word of the environment's name."""

_GROUPS_VERSION: Final = "2021-04-01"
_SUBSCRIPTIONS_VERSION: Final = "2022-12-01"
_NO_CLIENT: Final = "Failed to create Azure client"
_GROUP_MISSING: Final = "Resource group not found"
_GROUP_THERE: Final = "Resource group already exists"


# --- sessions


async def create(arguments: Arguments, session: Session) -> Outputs:
    """Azure.CreateSession, .CreateSessionViaServicePrincipal, .CreateSessionViaFile."""
    if arguments.selector.casefold().endswith("viafile"):
        account, subscription = _from_file(arguments, session)
    else:
        cloud = text(arguments, "AzureEnvironment", "Environment").rsplit(".", 1)[-1].casefold()
        places = next((where for name, where in CLOUDS.items() if cloud.startswith(name)), CLOUDS["global"])
        account = Account(
            arguments.text("ClientId"), arguments.text("ClientSecret"), arguments.text("TenantId").strip(), *places
        )
        subscription = text(arguments, "SubscriptionId")
    azure = Azure(account, session)
    try:
        await azure.log_in()
        if not subscription:
            known = await azure.all("/subscriptions", _SUBSCRIPTIONS_VERSION)
            if not known:
                raise fault(_NO_CLIENT, "The application can reach no subscription.")
            subscription = str(known[0]["subscriptionId"])
    except Refused as refused:
        await azure.aclose()
        raise failed(_NO_CLIENT, refused) from None
    except Fault:
        await azure.aclose()
        raise
    azure.subscription = subscription
    return {"AzureClient": session.keep(KIND, azure, {"SubscriptionId": subscription})}


_FILE_NAMES: Final = {
    "client": "clientId",
    "key": "clientSecret",
    "tenant": "tenantId",
    "subscription": "subscriptionId",
    "authURL": "activeDirectoryEndpointUrl",
    "baseURL": "resourceManagerEndpointUrl",
}
"""What the older form of the file, lines of `name=value`, calls the members of the newer one."""


def _from_file(arguments: Arguments, session: Session) -> tuple[Account, str]:
    named = arguments.text(arguments.named("AuthenticationFile", "AuthFile", "FilePath"))
    path = session.folders.resolve(named)
    try:
        with path.open("rb") as stream:
            kept = stream.read(1_000_000).decode("utf-8-sig")
    except (OSError, UnicodeError):
        raise fault(_NO_CLIENT, f"There is no text file '{named}'.") from None
    found: dict[str, str]
    try:
        found = {str(name): str(value) for name, value in json.loads(kept).items()}
    except (ValueError, AttributeError, RecursionError):
        lines = (line.partition("=") for line in kept.splitlines() if "=" in line and not line.startswith("#"))
        pairs = ((name.strip(), value.strip().replace("\\:", ":")) for name, _, value in lines)
        found = {_FILE_NAMES.get(name, name): value for name, value in pairs}
    missing = [name for name in ("clientId", "clientSecret", "tenantId") if not found.get(name)]
    if missing:
        raise fault(_NO_CLIENT, f"'{named}' has no {missing[0]}.")
    authority, manager = CLOUDS["global"]
    authority = _server(found.get("activeDirectoryEndpointUrl", authority))
    manager = _server(found.get("resourceManagerEndpointUrl", manager))
    account = Account(found["clientId"], found["clientSecret"], found["tenantId"], authority, manager)
    return account, text(arguments, "SubscriptionId") or found.get("subscriptionId", "")


def _server(url: str) -> str:
    parts = urlsplit(url.strip().rstrip("/"))
    try:
        local = ip_address(parts.hostname or "").is_loopback
    except ValueError:
        local = False
    if (parts.scheme != "https" and not (parts.scheme == "http" and local)) or not parts.hostname:
        raise fault(_NO_CLIENT, "The servers that the file names have to be reached by https.")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


async def end(arguments: Arguments, session: Session) -> Outputs:
    """Azure.EndSession. Ending what has ended is nothing."""
    opened = session.drop(arguments.item("AzureClient", KIND))
    if isinstance(opened, Azure):
        await opened.aclose()
    return None


async def subscriptions(arguments: Arguments, session: Session) -> Outputs:
    """Azure.GetSubscriptions."""
    try:
        found = await client_of(arguments, session).all("/subscriptions", _SUBSCRIPTIONS_VERSION)
    except Refused as refused:
        raise failed("Failed to get subscriptions for the specified criteria", refused) from None
    listed: list[Datum] = [
        Item(
            "AzureSubscription",
            str(each.get("displayName", "")),
            {
                "Id": each.get("id", ""),
                "SubscriptionId": each.get("subscriptionId", ""),
                "Name": each.get("displayName", ""),
                "State": each.get("state", ""),
                "Tags": each.get("tags") or {},
            },
        )
        for each in found
    ]
    return {"Subscriptions": listed}


# --- resource groups


def _group(found: Mapping[str, Any]) -> Item:
    state = found.get("properties", {}).get("provisioningState", "")
    return Item("AzureResourceGroup", str(found.get("name", "")), {"ProvisioningState": state, **shared(found)})


async def groups(arguments: Arguments, session: Session) -> Outputs:
    """Azure.GetResourceGroups."""
    azure, name = client_of(arguments, session), text(arguments, "GroupName")
    try:
        found = (
            [await azure.ask(azure.inside(name), _GROUPS_VERSION)]
            if name
            else await azure.all(f"/subscriptions/{segment(azure.subscription)}/resourcegroups", _GROUPS_VERSION)
        )
    except Refused as refused:
        raise failed("Failed to get resource groups for the specified criteria", refused) from None
    return {"ResourceGroups": [_group(each) for each in found]}


async def create_group(arguments: Arguments, session: Session) -> Outputs:
    """Azure.CreateResourceGroup."""
    failing = "Failed to create resource group"
    azure = client_of(arguments, session)
    name = arguments.text("GroupName")
    try:
        return {"ResourceGroup": _group(await made_group(azure, name, arguments.text("Location")))}
    except Refused as refused:
        raise failed(failing, refused) from None


async def made_group(azure: Azure, name: str, location: str) -> Any:
    """A new resource group. Raises Fault ResourceGroupAlreadyExistsError."""
    if await there(azure, azure.inside(name), _GROUPS_VERSION) is not None:
        raise fault(_GROUP_THERE, f"There is a resource group '{name}'.")
    return await azure.ask(azure.inside(name), _GROUPS_VERSION, method="PUT", body={"location": location})


async def needs_group(azure: Azure, name: str) -> None:
    """Raises Fault ResourceGroupNotFoundError."""
    if await there(azure, azure.inside(name), _GROUPS_VERSION) is None:
        raise fault(_GROUP_MISSING, f"There is no resource group '{name}'.")


async def delete_group(arguments: Arguments, session: Session) -> Outputs:
    """Azure.DeleteResourceGroup."""
    azure = client_of(arguments, session)
    name = arguments.text("GroupName")
    try:
        await azure.ask(azure.inside(name), _GROUPS_VERSION, method="DELETE")
    except Refused as refused:
        raise failed("Failed to delete resource group", refused) from None
    return None


TABLE: Table = {
    "Azure.CreateSession": Operation(create),
    "Azure.CreateSession.CreateSessionViaServicePrincipal": Operation(create),
    "Azure.CreateSession.CreateSessionViaFile": Operation(create),
    "Azure.EndSession": Operation(end),
    "Azure.GetSubscriptions": reads(subscriptions),
    "Azure.GetResourceGroups": reads(groups),
    "Azure.CreateResourceGroup": Operation(create_group),
    "Azure.DeleteResourceGroup": Operation(delete_group),
}
