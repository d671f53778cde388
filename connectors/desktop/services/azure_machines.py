"""The Azure module, virtual machines: what there is, in which state, and starting and stopping them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .azure import needs_group
from .azure_client import Azure, Refused, client_of, failed, group_of, shared, text

VERSION: Final = "2024-07-01"
KIND: Final = "virtualMachines"
MISSING: Final = "Virtual machine not found"
_STATES: Final = ("Running", "Deallocating", "Deallocated", "Starting", "Stopped", "Stopping", "Unknown", "Any")


def path_of(azure: Azure, group: str, name: str, *more: str) -> str:
    """The path of a machine, or of something that it can do."""
    return azure.inside(group, "providers", "Microsoft.Compute", KIND, name, *more)


async def information(arguments: Arguments, session: Session) -> Outputs:
    """Azure.GetVirtualMachines: the most important things of each."""
    failing = "Failed to get VMs and basic information"
    azure = client_of(arguments, session)
    try:
        found = await _chosen(azure, arguments, text(arguments, "ResourceGroup"), "")
    except Refused as refused:
        raise failed(failing, refused) from None
    listed: list[Datum] = [
        Item("AzureVirtualMachineInfo", str(each.get("name", "")), _basic(each, status)) for each, status in found
    ]
    return {"VirtualMachinesInfo": listed}


async def described(arguments: Arguments, session: Session) -> Outputs:
    """Azure.DescribeVirtualMachine.*"""
    azure = client_of(arguments, session)
    mode = arguments.selector.casefold()
    name = text(arguments, "VirtualMachineName") if "byname" in mode else ""
    group = text(arguments, "ResourceGroup") if mode.endswith("resourcegroup") else ""
    try:
        found = await _chosen(azure, arguments, group, name)
    except Refused as refused:
        raise failed("Failed to get VM basic information", refused) from None
    listed: list[Datum] = [
        Item(
            "AzureVirtualMachine",
            str(each.get("name", "")),
            {
                **_basic(each, status),
                "Size": each.get("properties", {}).get("hardwareProfile", {}).get("vmSize", ""),
                "OperationSystem": each.get("properties", {}).get("storageProfile", {}).get("osDisk", {}).get("osType"),
                "AvailabilityZones": each.get("zones") or [],
                "Configuration": each.get("properties", {}),
            },
        )
        for each, status in found
    ]
    return {"VirtualMachines": listed}


def _basic(found: Mapping[str, Any], status: str) -> dict[str, Datum]:
    return {**shared(found), "ResourceGroup": group_of(found), "Status": status}


async def _chosen(azure: Azure, arguments: Arguments, group: str, name: str) -> list[tuple[Any, str]]:
    """The machines and their states. Raises Fault for a group or a machine that is not there, and Refused."""
    wanted = arguments.choice("Status", _STATES, "Any")
    if group:
        await needs_group(azure, group)
        found = await azure.all(azure.inside(group, "providers", "Microsoft.Compute", KIND), VERSION)
    else:
        found = await azure.all(azure.everywhere(KIND), VERSION)
    if name:
        found = [each for each in found if str(each.get("name", "")).casefold() == name.casefold()]
        if not found:
            raise fault(MISSING, f"There is no virtual machine '{name}'.")
    states = [(each, await _status(azure, each)) for each in found]
    return [pair for pair in states if wanted in ("any", pair[1])]


async def _status(azure: Azure, found: Mapping[str, Any]) -> str:
    """As Azure writes it, `running`; `unknown` where it says none. A list of machines does not tell."""
    path = path_of(azure, group_of(found), str(found.get("name", "")), "instanceView")
    view = await azure.ask(path, VERSION)
    codes = [str(each.get("code", "")) for each in view.get("statuses", [])]
    return next((code.partition("/")[2] for code in codes if code.startswith("PowerState/")), "unknown")


def _moving(word: str, failing: str) -> Any:
    async def move(arguments: Arguments, session: Session) -> Outputs:
        azure = client_of(arguments, session)
        name = arguments.text("VirtualMachineName")
        try:
            await azure.ask(path_of(azure, arguments.text("ResourceGroup"), name, word), VERSION, method="POST")
        except Refused as refused:
            if refused.status == 404:
                raise fault(MISSING, f"There is no virtual machine '{name}'.") from None
            raise failed(failing, refused) from None
        return None

    return move


TABLE: Table = {
    "Azure.GetVirtualMachines": reads(information),
    **{
        f"Azure.DescribeVirtualMachine.Describe{each}": reads(described)
        for each in (
            "AllVirtualMachines",
            "VirtualMachinesByName",
            "VirtualMachinesByNameAndResourceGroup",
            "VirtualMachinesByResourceGroup",
        )
    },
    "Azure.StartVirtualMachine": Operation(_moving("start", "Failed to start VM")),
    # Stopping also gives back what it runs on; shutting down only ends its system.
    "Azure.StopVirtualMachine": Operation(_moving("deallocate", "Failed to stop VM")),
    "Azure.ShutDownVirtualMachine": Operation(_moving("powerOff", "Failed to shut down VM")),
    "Azure.RestartVirtualMachine": Operation(_moving("restart", "Failed to restart VM")),
}
