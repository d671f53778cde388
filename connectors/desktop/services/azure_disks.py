"""The Azure module, managed disks and snapshots: listing, making, deleting, attaching to virtual machines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import fault
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .azure import made_group, needs_group
from .azure_client import Azure, Refused, client_of, failed, group_of, shared, text, there
from .azure_machines import MISSING as MACHINE_MISSING
from .azure_machines import VERSION as MACHINE_VERSION
from .azure_machines import path_of

_VERSION: Final = "2024-03-02"
_DISKS: Final = "disks"
_SNAPSHOTS: Final = "snapshots"
_DISK_MISSING: Final = "Disk not found"
_SNAPSHOT_MISSING: Final = "Snapshot not found"
_NAME_TAKEN: Final = "A resource with the specified name already exists"
_MIXED: Final = "VM can't use managed and unmanaged disks at the same time"
_ATTACHED: Final = "Disk is attached to a VM and can't be deleted"
_NOT_ATTACHED: Final = "Failed to detach: disk isn't attached to the specified VM"


def _path(azure: Azure, group: str, kind: str, name: str) -> str:
    return azure.inside(group, "providers", "Microsoft.Compute", kind, name)


def _shared(found: Mapping[str, Any]) -> dict[str, Datum]:
    properties = found.get("properties", {})
    return {
        **shared(found),
        "ResourceGroup": group_of(found),
        "OperationSystem": properties.get("osType", ""),
        "SizeInGB": properties.get("diskSizeGB"),
        "TimeCreated": properties.get("timeCreated", ""),
    }


def _disk(found: Mapping[str, Any]) -> Item:
    properties = found.get("properties", {})
    machine = str(found.get("managedBy") or "")
    return Item(
        "AzureManagedDisk",
        str(found.get("name", "")),
        {
            **_shared(found),
            "AvailabilityZones": found.get("zones") or [],
            "Configuration": properties,
            "Encrypted": bool((properties.get("encryptionSettingsCollection") or {}).get("enabled", False)),
            "IopsSLimit": properties.get("diskIOPSReadWrite"),
            "IsAttachedToVirtualMachine": bool(machine),
            "State": properties.get("diskState", ""),
            "ThroughputLimit": properties.get("diskMBpsReadWrite"),
            "Type": (found.get("sku") or {}).get("name", ""),
            "VirtualMachine": machine.rpartition("/")[2],
        },
    )


def _snapshot(found: Mapping[str, Any]) -> Item:
    source = found.get("properties", {}).get("creationData", {})
    return Item(
        "AzureSnapshot",
        str(found.get("name", "")),
        {
            **_shared(found),
            "CreationSourceId": source.get("sourceResourceId", ""),
            "CreationSourceType": source.get("createOption", ""),
            "StorageAccountType": (found.get("sku") or {}).get("name", ""),
        },
    )


# --- what there is


def _listing(kind: str, output: str, made: Callable[[Mapping[str, Any]], Item], missing: str) -> Any:
    async def listed(arguments: Arguments, session: Session) -> Outputs:
        azure, mode = client_of(arguments, session), arguments.selector.casefold()
        name = text(arguments, "DiskName" if kind == _DISKS else "SnapshotName") if "byname" in mode else ""
        group = text(arguments, "ResourceGroup") if mode.endswith("resourcegroup") else ""
        try:
            if mode.endswith("resourcegroup"):
                await needs_group(azure, group)
                found = await azure.all(azure.inside(group, "providers", "Microsoft.Compute", kind), _VERSION)
            else:
                found = await azure.all(azure.everywhere(kind), _VERSION)
        except Refused as refused:
            raise failed(f"Failed to get {kind} for the specified criteria", refused) from None
        if "byname" in mode:
            found = [each for each in found if str(each.get("name", "")).casefold() == name.casefold()]
            if not found:
                raise fault(missing, f"There is none of the name '{name}'.")
        return {output: [made(each) for each in found]}

    return listed


# --- making and deleting

_SKUS: Final = (("ultra", "UltraSSD_LRS"), ("premium", "Premium_LRS"), ("ssd", "StandardSSD_LRS"))


async def _place(azure: Azure, arguments: Arguments, location: str) -> str:
    """The resource group to make something in, made if that is wanted. Raises Fault as documented, and Refused."""
    name = arguments.text("ResourceGroup")
    if arguments.choice("ResourceGroupCreateOption", ("UseExisting", "CreateNew"), "UseExisting") == "createnew":
        await made_group(azure, name, location)
    else:
        await needs_group(azure, name)
    return name


async def create_disk(arguments: Arguments, session: Session) -> Outputs:
    """Azure.CreateManagedDisk.*"""
    azure, mode = client_of(arguments, session), arguments.selector.casefold()
    name, location = arguments.text("DiskName"), arguments.text("Location")
    kind = text(arguments, "StorageAccountType").casefold()
    zone = text(arguments, "AvailabilityZone")
    size = arguments.integer("SizeInGb") if mode == "createmanageddisk" or text(arguments, "SizeInGb") else None
    source: dict[str, Any] = {"createOption": "Empty"}
    try:
        if mode.endswith("fromsnapshot"):
            copied = arguments.text("SnapshotName")
            path = _path(azure, arguments.text("SnapshotResourceGroup"), _SNAPSHOTS, copied)
            found = await there(azure, path, _VERSION)
            if found is None:
                raise fault(_SNAPSHOT_MISSING, f"There is no snapshot '{copied}'.")
            source = {"createOption": "Copy", "sourceResourceId": found["id"]}
        elif mode.endswith("fromstorageblob"):
            account = text(arguments, "StorageAccountName")
            source = {"createOption": "Import", "sourceUri": arguments.text("BlobUrl")}
            if account:
                home = azure.inside(arguments.text("ResourceGroup"))
                source["storageAccountId"] = f"{home}/providers/Microsoft.Storage/storageAccounts/{account}"
        group = await _place(azure, arguments, location)
        path = _path(azure, group, _DISKS, name)
        if await there(azure, path, _VERSION) is not None:
            raise fault(_NAME_TAKEN, f"There is a disk '{name}'.")
        body: dict[str, Any] = {
            "location": location,
            "sku": {"name": next((sku for word, sku in _SKUS if word in kind), "Standard_LRS")},
            "properties": {"creationData": source, **({} if size is None else {"diskSizeGB": size})},
        }
        if zone:
            body["zones"] = [zone]
        await azure.ask(path, _VERSION, method="PUT", body=body)
        return {"ManagedDisk": _disk(await azure.ask(path, _VERSION))}
    except Refused as refused:
        raise failed("Failed to create disk", refused) from None


async def create_snapshot(arguments: Arguments, session: Session) -> Outputs:
    """Azure.CreateSnapshot."""
    azure = client_of(arguments, session)
    name, location = arguments.text("SnapshotName"), arguments.text("Location")
    disk = arguments.text("DiskName")
    try:
        home = arguments.text("DiskResourceGroup")
        found = await there(azure, _path(azure, home, _DISKS, disk), _VERSION)
        if found is None:
            raise fault(_DISK_MISSING, f"There is no disk '{disk}'.")
        path = _path(azure, await _place(azure, arguments, location), _SNAPSHOTS, name)
        if await there(azure, path, _VERSION) is not None:
            raise fault(_NAME_TAKEN, f"There is a snapshot '{name}'.")
        source = {"createOption": "Copy", "sourceResourceId": found["id"]}
        body = {"location": location, "properties": {"creationData": source}}
        await azure.ask(path, _VERSION, method="PUT", body=body)
        return {"Snapshot": _snapshot(await azure.ask(path, _VERSION))}
    except Refused as refused:
        raise failed("Failed to create snapshot", refused) from None


async def delete_disk(arguments: Arguments, session: Session) -> Outputs:
    """Azure.DeleteDisk."""
    azure, name = client_of(arguments, session), arguments.text("DiskName")
    try:
        path = _path(azure, arguments.text("ResourceGroup"), _DISKS, name)
        found = await there(azure, path, _VERSION)
        if found is None:
            raise fault(_DISK_MISSING, f"There is no disk '{name}'.")
        if found.get("managedBy"):
            raise fault(_ATTACHED, f"'{name}' is attached.")
        await azure.ask(path, _VERSION, method="DELETE")
    except Refused as refused:
        raise failed("Failed to delete disk", refused) from None
    return None


async def delete_snapshot(arguments: Arguments, session: Session) -> Outputs:
    """Azure.DeleteSnapshot."""
    azure, name = client_of(arguments, session), arguments.text("SnapshotName")
    try:
        path = _path(azure, arguments.text("ResourceGroup"), _SNAPSHOTS, name)
        if await there(azure, path, _VERSION) is None:
            raise fault(_SNAPSHOT_MISSING, f"There is no snapshot '{name}'.")
        await azure.ask(path, _VERSION, method="DELETE")
    except Refused as refused:
        raise failed("Failed to delete snapshot", refused) from None
    return None


# --- disks of machines


async def _machine(azure: Azure, arguments: Arguments) -> tuple[str, dict[str, Any]]:
    """The path of the machine, and what is stored of its disks."""
    name = arguments.text("VirtualMachineName")
    path = path_of(azure, arguments.text("ResourceGroup"), name)
    found = await there(azure, path, MACHINE_VERSION)
    if found is None:
        raise fault(MACHINE_MISSING, f"There is no virtual machine '{name}'.")
    return path, dict(found.get("properties", {}).get("storageProfile", {}))


async def attach(arguments: Arguments, session: Session) -> Outputs:
    """Azure.AttachDisk.AttachManagedDisk, .AttachUnManagedDisk."""
    azure = client_of(arguments, session)
    managed = arguments.selector.casefold() != "attachunmanageddisk"
    try:
        path, stored = await _machine(azure, arguments)
        disks = list(stored.get("dataDisks") or [])
        lun = next(number for number in range(len(disks) + 1) if number not in [each.get("lun") for each in disks])
        if managed:
            name = arguments.text("DiskName")
            home = arguments.text("DiskResourceGroup")
            found = await there(azure, _path(azure, home, _DISKS, name), _VERSION)
            if found is None:
                raise fault(_DISK_MISSING, f"There is no disk '{name}'.")
            added = {"lun": lun, "createOption": "Attach", "managedDisk": {"id": found["id"]}}
        else:
            account, container = arguments.text("StorageAccount"), arguments.text("Container")
            file = arguments.text("VhdName")
            uri = f"https://{account}.blob.core.windows.net/{container}/{file}"
            name = file.rpartition("/")[2].removesuffix(".vhd")
            added = {"lun": lun, "createOption": "Attach", "name": name, "vhd": {"uri": uri}}
        if any(("vhd" in each and each["vhd"] is not None) == managed for each in (stored.get("osDisk", {}), *disks)):
            raise fault(_MIXED, "The machine's other disks are of the other kind.")
        body = {"properties": {"storageProfile": {"dataDisks": [*disks, added]}}}
        await azure.ask(path, MACHINE_VERSION, method="PATCH", body=body)
    except Refused as refused:
        raise failed("Failed to attach disk", refused) from None
    return None


async def detach(arguments: Arguments, session: Session) -> Outputs:
    """Azure.DetachDisk."""
    azure, name = client_of(arguments, session), arguments.text("DiskName")
    try:
        path, stored = await _machine(azure, arguments)
        disks = list(stored.get("dataDisks") or [])
        left = [each for each in disks if str(each.get("name", "")).casefold() != name.casefold()]
        if len(left) == len(disks):
            raise fault(_NOT_ATTACHED, f"'{name}' is none of the machine's disks.")
        body = {"properties": {"storageProfile": {"dataDisks": left}}}
        await azure.ask(path, MACHINE_VERSION, method="PATCH", body=body)
    except Refused as refused:
        raise failed("Failed to detach disk", refused) from None
    return None


_GET_DISKS: Final = _listing(_DISKS, "Disks", _disk, _DISK_MISSING)
_GET_SNAPSHOTS: Final = _listing(_SNAPSHOTS, "Snapshots", _snapshot, _SNAPSHOT_MISSING)
_BY: Final = ("ByName", "ByNameAndResourceGroup", "ByResourceGroup")

TABLE: Table = {
    "Azure.GetDisks.GetAllDisks": reads(_GET_DISKS),
    **{f"Azure.GetDisks.GetDisks{each}": reads(_GET_DISKS) for each in _BY},
    "Azure.GetSnapshots.GetAllSnapshots": reads(_GET_SNAPSHOTS),
    **{f"Azure.GetSnapshots.GetSnapshots{each}": reads(_GET_SNAPSHOTS) for each in _BY},
    **{
        f"Azure.CreateManagedDisk.CreateManagedDisk{each}": Operation(create_disk)
        for each in ("", "FromSnapshot", "FromStorageBlob")
    },
    "Azure.CreateSnapshot": Operation(create_snapshot),
    "Azure.DeleteDisk": Operation(delete_disk),
    "Azure.DeleteSnapshot": Operation(delete_snapshot),
    "Azure.AttachDisk.AttachManagedDisk": Operation(attach),
    "Azure.AttachDisk.AttachUnManagedDisk": Operation(attach),
    "Azure.DetachDisk": Operation(detach),
}
