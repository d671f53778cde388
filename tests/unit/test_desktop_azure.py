"""The Azure module, against a stand-in of the Resource Manager on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from azure_manager import CLIENT, ROOT, SECRET, SUBSCRIPTION, TENANT, Manager
from desktop_world import World
from sealflow.connectors.desktop.services import azure
from sealflow.engine.datatypes import Datum, Item
from sealflow.engine.desktop.catalog import actions, lookup

WHO: dict[str, Datum] = {"ClientId": CLIENT, "ClientSecret": SECRET, "TenantId": TENANT}


@pytest.fixture
async def manager(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Manager]:
    made = Manager()
    await made.server.start()
    monkeypatch.setitem(azure.CLOUDS, "global", (made.server.url, made.server.url))
    made.group("Lab")
    stored = {"osDisk": {"osType": "Linux", "managedDisk": {"id": "os"}}, "dataDisks": []}
    made.thing("Lab", "virtualMachines", "vm1", properties={"storageProfile": stored})
    yield made
    await made.server.stop()


@pytest.fixture
async def world(tmp_path: Path, manager: Manager) -> AsyncIterator[World]:
    made = World(tmp_path)
    made.clock.hastens = True
    yield made
    await made.session.aclose()


async def opened(world: World, **more: Datum) -> Item:
    made = await world.do("Azure.CreateSession", **{**WHO, "SubscriptionId": SUBSCRIPTION, **more})
    client = made["AzureClient"]
    assert isinstance(client, Item)
    return client


def names(found: Datum) -> list[str]:
    assert isinstance(found, list)
    return [each.text for each in found]


def one(found: Datum) -> Item:
    assert isinstance(found, list)
    [item] = found
    assert isinstance(item, Item)
    return item


async def test_what_a_published_script_does(world: World, manager: Manager) -> None:
    manager.power[f"{ROOT}/resourceGroups/Lab/providers/Microsoft.Compute/virtualMachines/vm1".lower()] = "deallocated"
    client = await opened(world)
    listed: dict[str, Datum] = {"AzureClient": client, "ResourceGroup": "Lab"}
    found = (await world.do("Azure.GetVirtualMachines", **listed, Status="Azure.VMStatus.Any"))["VirtualMachinesInfo"]
    machine = one(found)
    assert (machine.get("Name"), machine.get("Status"), machine.get("ResourceGroup")) == ("vm1", "deallocated", "Lab")
    await world.do("Azure.StartVirtualMachine", **listed, VirtualMachineName="vm1")
    running = await world.do("Azure.GetVirtualMachines", **listed, Status="Running")
    assert names(running["VirtualMachinesInfo"]) == ["vm1"]
    made = await world.do(
        "Azure.CreateManagedDisk.CreateManagedDisk",
        **listed,
        DiskName="disk2",
        ResourceGroupCreateOption="Azure.ResourceGroupCreateOption.UseExisting",
        Location="westeurope",
        SizeInGb=10,
        StorageAccountType="Azure.StorageAccountType.Standard",
    )
    disk = made["ManagedDisk"]
    assert isinstance(disk, Item)
    told = [disk.get(name) for name in ("Name", "SizeInGB", "Type", "ResourceGroup", "IsAttachedToVirtualMachine")]
    assert told == ["disk2", 10, "Standard_LRS", "Lab", False]
    which: dict[str, Datum] = {**listed, "VirtualMachineName": "vm1", "DiskName": "disk2"}
    await world.do("Azure.AttachDisk.AttachManagedDisk", **which, DiskResourceGroup="Lab")
    stored = manager.things[f"{ROOT}/resourceGroups/Lab/providers/Microsoft.Compute/virtualMachines/vm1".lower()]
    attached = stored["properties"]["storageProfile"]["dataDisks"]
    assert [(each["name"], each["lun"], each["createOption"]) for each in attached] == [("disk2", 0, "Attach")]
    await world.do("Azure.DetachDisk", **which)
    await world.fails("FailedToDetachDiskIsntAttachedToTheSpecifiedVMError", "Azure.DetachDisk", **which)
    await world.do("Azure.EndSession", AzureClient=client)
    await world.fails("InstanceLost", "Azure.GetVirtualMachines", **listed)


async def test_machines_are_described_and_moved(world: World, manager: Manager) -> None:
    manager.group("Other")
    for name in ("vm2", "vm3", "vm4"):
        manager.thing("Other", "virtualMachines", name, properties={"hardwareProfile": {"vmSize": "B1"}})
    client: dict[str, Any] = {"AzureClient": await opened(world)}
    vm: dict[str, Datum] = {"VirtualMachineName": "vm1", "ResourceGroup": "Lab"}
    for action, state in (
        ("StopVirtualMachine", "deallocated"),
        ("RestartVirtualMachine", "running"),
        ("ShutDownVirtualMachine", "stopped"),
    ):
        await world.do(f"Azure.{action}", **client, **vm)
        told = await world.do(
            "Azure.DescribeVirtualMachine.DescribeVirtualMachinesByNameAndResourceGroup", **client, **vm
        )
        machine = one(told["VirtualMachines"])
        assert machine.get("Status") == state
    for mode, more, wanted in (
        ("AllVirtualMachines", {}, ["vm1", "vm2", "vm3", "vm4"]),  # two pages
        ("VirtualMachinesByResourceGroup", {"ResourceGroup": "Other"}, ["vm2", "vm3", "vm4"]),
        ("VirtualMachinesByName", {"VirtualMachineName": "VM3"}, ["vm3"]),
    ):
        told = await world.do(f"Azure.DescribeVirtualMachine.Describe{mode}", **client, **more)
        assert names(told["VirtualMachines"]) == wanted
    machine = one(told["VirtualMachines"])
    assert machine.get("Size") == "B1"


async def test_disks_and_snapshots(world: World, manager: Manager) -> None:
    client: dict[str, Any] = {"AzureClient": await opened(world)}
    manager.group("Other")
    manager.thing("Lab", "disks", "d1", properties={"diskSizeGB": 4}, managedBy=f"{ROOT}/x/virtualMachines/vm1")
    manager.thing("Other", "disks", "d2")
    for mode, more, wanted in (
        ("GetAllDisks", {}, ["d1", "d2"]),
        ("GetDisksByResourceGroup", {"ResourceGroup": "Other"}, ["d2"]),
        ("GetDisksByName", {"DiskName": "d1"}, ["d1"]),
        ("GetDisksByNameAndResourceGroup", {"DiskName": "d2", "ResourceGroup": "Other"}, ["d2"]),
    ):
        assert names((await world.do(f"Azure.GetDisks.{mode}", **client, **more))["Disks"]) == wanted
    disk = one((await world.do("Azure.GetDisks.GetDisksByName", **client, DiskName="d1"))["Disks"])
    assert (disk.get("VirtualMachine"), disk.get("IsAttachedToVirtualMachine")) == ("vm1", True)
    taken = await world.do(
        "Azure.CreateSnapshot",
        **client,
        SnapshotName="s1",
        ResourceGroupCreateOption="CreateNew",
        ResourceGroup="New",
        Location="westeurope",
        DiskName="d1",
        DiskResourceGroup="Lab",
    )
    snapshot = taken["Snapshot"]
    assert isinstance(snapshot, Item)
    assert (snapshot.get("CreationSourceType"), snapshot.get("ResourceGroup")) == ("Copy", "New")
    assert str(snapshot.get("CreationSourceId")).endswith("/disks/d1")
    for mode, more in (
        ("GetAllSnapshots", {}),
        ("GetSnapshotsByName", {"SnapshotName": "s1"}),
        ("GetSnapshotsByResourceGroup", {"ResourceGroup": "New"}),
        ("GetSnapshotsByNameAndResourceGroup", {"SnapshotName": "s1", "ResourceGroup": "New"}),
    ):
        assert names((await world.do(f"Azure.GetSnapshots.{mode}", **client, **more))["Snapshots"]) == ["s1"]
    where: dict[str, Datum] = {**client, "ResourceGroup": "Lab", "Location": "westeurope"}
    copied = await world.do(
        "Azure.CreateManagedDisk.CreateManagedDiskFromSnapshot",
        **where,
        DiskName="d3",
        SnapshotName="s1",
        SnapshotResourceGroup="New",
        StorageAccountType="PremiumSSD",
        AvailabilityZone="1",
    )
    assert copied["ManagedDisk"].get("Type") == "Premium_LRS"  # type: ignore[union-attr]
    blob = "https://store.blob.core.windows.net/c/a.vhd"
    await world.do(
        "Azure.CreateManagedDisk.CreateManagedDiskFromStorageBlob",
        **where, DiskName="d4", BlobUrl=blob, StorageAccountName="store", SizeInGb=3,
    )  # fmt: skip
    source = manager.things[f"{ROOT}/resourceGroups/Lab/providers/Microsoft.Compute/disks/d4".lower()]["properties"]
    assert source["creationData"]["sourceUri"] == blob
    await world.do("Azure.DeleteDisk", **client, DiskName="d3", ResourceGroup="Lab")
    await world.do("Azure.DeleteSnapshot", **client, SnapshotName="s1", ResourceGroup="New")
    assert names((await world.do("Azure.GetDisks.GetAllDisks", **client))["Disks"]) == ["d1", "d2", "d4"]


async def test_resource_groups_and_subscriptions(world: World, manager: Manager) -> None:
    client: dict[str, Any] = {"AzureClient": await opened(world)}
    made = await world.do("Azure.CreateResourceGroup", **client, GroupName="More", Location="northeurope")
    group = made["ResourceGroup"]
    assert isinstance(group, Item)
    assert (group.get("Location"), group.get("SubscriptionId")) == ("northeurope", SUBSCRIPTION)
    assert names((await world.do("Azure.GetResourceGroups", **client))["ResourceGroups"]) == ["Lab", "More"]
    named = await world.do("Azure.GetResourceGroups", **client, GroupName="More")
    assert names(named["ResourceGroups"]) == ["More"]
    await world.do("Azure.DeleteResourceGroup", **client, GroupName="More")
    assert names((await world.do("Azure.GetResourceGroups", **client))["ResourceGroups"]) == ["Lab"]
    known = one((await world.do("Azure.GetSubscriptions", **client))["Subscriptions"])
    assert (known.get("SubscriptionId"), known.get("Name"), known.get("State")) == (SUBSCRIPTION, "Main", "Enabled")


async def test_sessions(world: World, manager: Manager) -> None:
    # Without a subscription it is the first one; a token that has run out is fetched again.
    client = await opened(world, SubscriptionId="")
    assert client.get("SubscriptionId") == SUBSCRIPTION
    assert manager.tokens == 1
    world.clock.at += 4_000 * 10_000_000
    await world.do("Azure.GetSubscriptions", AzureClient=client)
    assert manager.tokens == 2
    found = {"clientId": CLIENT, "clientSecret": SECRET, "tenantId": TENANT, "subscriptionId": SUBSCRIPTION}
    found |= {"activeDirectoryEndpointUrl": manager.server.url, "resourceManagerEndpointUrl": f"{manager.server.url}/"}
    world.file("auth.json", json.dumps(found))
    lines = f"subscription={SUBSCRIPTION}\nclient={CLIENT}\nkey={SECRET}\ntenant={TENANT}\nbaseURL="
    world.file("auth.properties", lines + manager.server.url.replace(":", "\\:") + f"\nauthURL={manager.server.url}")
    for file in ("auth.json", "auth.properties"):
        made = await world.do("Azure.CreateSession.CreateSessionViaFile", AuthenticationFile=f"C:\\{file}")
        assert made["AzureClient"].get("SubscriptionId") == SUBSCRIPTION  # type: ignore[union-attr]
    world.file("bad.json", json.dumps({**found, "activeDirectoryEndpointUrl": "http://example.org"}))
    world.file("none.json", "{}")
    for file in ("bad.json", "none.json", "missing.json"):
        await world.fails(
            "FailedToCreateAzureClientError",
            "Azure.CreateSession.CreateSessionViaFile",
            AuthenticationFile=f"C:\\{file}",
        )
    for wrong in ({"ClientSecret": "other"}, {"TenantId": "../x"}):
        action = "Azure.CreateSession.CreateSessionViaServicePrincipal"
        failure = await world.fails("FailedToCreateAzureClientError", action, **{**WHO, **wrong})
        assert "other" not in str(failure)


async def test_a_token_goes_to_its_server_only(world: World, manager: Manager) -> None:
    client = await opened(world)
    other = Manager()
    await other.server.start()
    try:
        own, manager.server.url = manager.server.url, other.server.url  # what it names from here on is elsewhere
        for name in ("d1", "d2", "d3"):
            manager.thing("Lab", "disks", name)
        await world.fails(
            "FailedToGetDisksForTheSpecifiedCriteriaError", "Azure.GetDisks.GetAllDisks", AzureClient=client
        )
        manager.server.url = own
        assert [seen.headers.get("authorization") for seen in other.server.seen] == [None]
    finally:
        await other.server.stop()


VM: dict[str, Datum] = {"VirtualMachineName": "vm1", "ResourceGroup": "Lab"}
DISK: dict[str, Datum] = {"DiskName": "d1", "ResourceGroup": "Lab"}
SNAPSHOT: dict[str, Datum] = {"SnapshotName": "s1", "ResourceGroup": "Lab"}
NO_VM = {"VirtualMachineName": "none"}
NO_GROUP = {"ResourceGroup": "none"}
NEW: dict[str, Datum] = {**DISK, "DiskName": "new", "Location": "l", "SizeInGb": 1}
TAKEN = {"ResourceGroupCreateOption": "CreateNew"}
SOURCE: dict[str, Datum] = {
    "SnapshotName": "new", "ResourceGroup": "Lab", "Location": "l", "DiskName": "d1",
    "DiskResourceGroup": "Lab",
}  # fmt: skip
COPY = {"SnapshotName": "none", "SnapshotResourceGroup": "Lab"}
UNMANAGED: dict[str, Datum] = {**VM, "StorageAccount": "a", "Container": "c", "VhdName": "v.vhd"}

CASES: list[tuple[str, dict[str, Datum], dict[str, dict[str, Any]]]] = [
    ("Azure.GetVirtualMachines", {}, {"ResourceGroupNotFound": NO_GROUP, "FailedToGetVMsAndBasicInformation": {}}),
    (
        "Azure.DescribeVirtualMachine.DescribeVirtualMachinesByNameAndResourceGroup",
        VM,
        {"VirtualMachineNotFound": NO_VM, "ResourceGroupNotFound": NO_GROUP, "FailedToGetVMBasicInformation": {}},
    ),
    ("Azure.StartVirtualMachine", VM, {"VirtualMachineNotFound": NO_VM, "FailedToStartVM": {}}),
    ("Azure.StopVirtualMachine", VM, {"VirtualMachineNotFound": NO_VM, "FailedToStopVM": {}}),
    ("Azure.ShutDownVirtualMachine", VM, {"VirtualMachineNotFound": NO_VM, "FailedToShutDownVM": {}}),
    ("Azure.RestartVirtualMachine", VM, {"VirtualMachineNotFound": NO_VM, "FailedToRestartVM": {}}),
    (
        "Azure.GetDisks.GetDisksByNameAndResourceGroup",
        DISK,
        {
            "DiskNotFound": {"DiskName": "none"},
            "ResourceGroupNotFound": NO_GROUP,
            "FailedToGetDisksForTheSpecifiedCriteria": {},
        },
    ),
    (
        "Azure.GetSnapshots.GetSnapshotsByNameAndResourceGroup",
        SNAPSHOT,
        {
            "SnapshotNotFound": {"SnapshotName": "none"},
            "ResourceGroupNotFound": NO_GROUP,
            "FailedToGetSnapshotsForTheSpecifiedCriteria": {},
        },
    ),
    (
        "Azure.AttachDisk.AttachManagedDisk",
        {**VM, "DiskName": "d1", "DiskResourceGroup": "Lab"},
        {"VirtualMachineNotFound": NO_VM, "DiskNotFound": {"DiskName": "none"}, "FailedToAttachDisk": {}},
    ),
    (
        "Azure.AttachDisk.AttachUnManagedDisk",
        UNMANAGED,
        {"VMCantUseManagedAndUnmanagedDisksAtTheSameTime": {"Container": "c"}},
    ),
    ("Azure.DetachDisk", {**VM, "DiskName": "d1"}, {"VirtualMachineNotFound": NO_VM, "FailedToDetachDisk": {}}),
    (
        "Azure.CreateManagedDisk.CreateManagedDisk",
        NEW,
        {
            "ResourceGroupAlreadyExists": TAKEN,
            "ResourceGroupNotFound": NO_GROUP,
            "AResourceWithTheSpecifiedNameAlreadyExists": {"DiskName": "d1"},
            "FailedToCreateDisk": {},
        },
    ),
    ("Azure.CreateManagedDisk.CreateManagedDiskFromSnapshot", {**NEW, **COPY}, {"SnapshotNotFound": {"SizeInGb": 2}}),
    (
        "Azure.CreateSnapshot",
        SOURCE,
        {
            "ResourceGroupAlreadyExists": TAKEN,
            "ResourceGroupNotFound": NO_GROUP,
            "AResourceWithTheSpecifiedNameAlreadyExists": {"SnapshotName": "s1"},
            "DiskNotFound": {"DiskName": "none"},
            "FailedToCreateSnapshot": {},
        },
    ),
    (
        "Azure.DeleteDisk",
        DISK,
        {
            "DiskNotFound": {"DiskName": "none"},
            "DiskIsAttachedToAVMAndCantBeDeleted": {"DiskName": "d2"},
            "FailedToDeleteDisk": {},
        },
    ),
    ("Azure.DeleteSnapshot", SNAPSHOT, {"SnapshotNotFound": {"SnapshotName": "none"}, "FailedToDeleteSnapshot": {}}),
    ("Azure.GetResourceGroups", {}, {"FailedToGetResourceGroupsForTheSpecifiedCriteria": {}}),
    (
        "Azure.CreateResourceGroup",
        {"GroupName": "new", "Location": "l"},
        {"ResourceGroupAlreadyExists": {"GroupName": "Lab"}, "FailedToCreateResourceGroup": {}},
    ),
    ("Azure.DeleteResourceGroup", {"GroupName": "Lab"}, {"FailedToDeleteResourceGroup": {}}),
    ("Azure.GetSubscriptions", {}, {"FailedToGetSubscriptionsForTheSpecifiedCriteria": {}}),
]


@pytest.mark.parametrize(("action", "given", "faults"), CASES, ids=[action for action, _, _ in CASES])
async def test_errors_have_the_documented_names(
    action: str, given: dict[str, Datum], faults: dict[str, dict[str, Any]], world: World, manager: Manager
) -> None:
    manager.thing("Lab", "disks", "d1")
    manager.thing("Lab", "disks", "d2", managedBy="/x/vm1")
    manager.thing("Lab", "snapshots", "s1")
    client = await opened(world)
    for name, change in faults.items():
        manager.refuse = None if change else (403, "AuthorizationFailed")
        failure = await world.fails(f"{name}Error", action, AzureClient=client, **{**given, **change})
        assert SECRET not in str(failure)


def test_every_documented_error_is_among_them() -> None:
    told: dict[str, set[str]] = {"Detach disk": {"FailedToDetachDiskIsntAttachedToTheSpecifiedVMError"}}  # see above
    documented: dict[str, set[str]] = {}
    for action, _, found in CASES:
        spec = lookup(action)
        assert spec is not None
        told.setdefault(spec.name, set()).update(f"{name}Error" for name in found)
        documented[spec.name] = {error.id for error in spec.errors}
    assert told == documented
    every = {each.name for each in actions() if each.module == "Azure" and each.errors}
    assert every == {*documented, "Create session"}


async def test_what_fails_only_later(world: World, manager: Manager) -> None:
    client = await opened(world)
    manager.fail = "AllocationFailed"
    failure = await world.fails("FailedToStartVMError", "Azure.StartVirtualMachine", AzureClient=client, **VM)
    assert "AllocationFailed" in failure.message


async def test_a_disk_of_the_other_kind_is_attached(world: World, manager: Manager) -> None:
    stored = {"osDisk": {"vhd": {"uri": "u"}}, "dataDisks": [{"lun": 0, "name": "x", "vhd": {"uri": "v"}}]}
    path = manager.thing("Lab", "virtualMachines", "old", properties={"storageProfile": stored})
    client, vm = await opened(world), {**UNMANAGED, "VirtualMachineName": "old"}
    await world.do("Azure.AttachDisk.AttachUnManagedDisk", AzureClient=client, **vm)
    added = manager.things[path.lower()]["properties"]["storageProfile"]["dataDisks"][1]
    assert (added["lun"], added["vhd"]["uri"]) == (1, "https://a.blob.core.windows.net/c/v.vhd")
    manager.thing("Lab", "disks", "d1")
    await world.fails(
        "VMCantUseManagedAndUnmanagedDisksAtTheSameTimeError",
        "Azure.AttachDisk.AttachManagedDisk",
        AzureClient=client,
        VirtualMachineName="old",
        ResourceGroup="Lab",
        DiskName="d1",
        DiskResourceGroup="Lab",
    )
