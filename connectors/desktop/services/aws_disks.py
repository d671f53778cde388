"""The AWS module, volumes and snapshots of EBS. Sessions, and the names of errors: `aws`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..port import Operation, Outputs, Table, reads
from ..session import Session
from .aws import (
    AUTHENTICATION,
    AUTHORIZATION,
    DETACH,
    IN_USE,
    LIMIT,
    PARAMETER,
    SNAPSHOT,
    STATE,
    UNSUPPORTED,
    USER,
    VOLUME,
    ZONE,
    ZONE_TYPE,
    client_of,
    datum,
    optional,
    texts,
)

_LOGIN: Final = (AUTHENTICATION, AUTHORIZATION)
_VOLUME: Final = (
    "Attachments", "AvailabilityZone", "CreateTime", "Encrypted", "FastRestored", "Iops", "KmsKeyId",
    "MultiAttachEnabled", "OutpostArn", "Size", "SnapshotId", "State", "Tags", "VolumeId", "VolumeType",
)  # fmt: skip
_SNAPSHOT: Final = (
    "DataEncryptionKeyId", "Description", "Encrypted", "KmsKeyId", "OwnerAlias", "OwnerId", "Progress", "SnapshotId",
    "StartTime", "State", "StateMessage", "Tags", "VolumeId", "VolumeSize",
)  # fmt: skip
"""The properties of the two. Source: data type properties of desktop flows; the names are Amazon's."""

_TYPES: Final = ("Gp2", "Standard", "Io1", "Sc1", "St1")


def _item(kind: str, name: str, known: tuple[str, ...], found: Mapping[str, Any]) -> Item:
    return Item(kind, str(found.get(name, "")), {each: datum(found.get(each)) for each in known})


def _volume(found: Mapping[str, Any]) -> Item:
    return _item("EbsVolume", "VolumeId", _VOLUME, found)


def _snapshot(found: Mapping[str, Any]) -> Item:
    return _item("EbsSnapshot", "SnapshotId", _SNAPSHOT, found)


def _tags(arguments: Arguments, kind: str) -> list[dict[str, Any]] | None:
    """Name and purpose: Amazon has no fields for them but tags."""
    given = {name: optional(arguments, name) for name in ("Name", "Purpose")}
    tags = [{"Key": name, "Value": value} for name, value in given.items() if value is not None]
    return [{"ResourceType": kind, "Tags": tags}] if tags else None


# --- snapshots


def create_snapshot(arguments: Arguments, session: Session) -> Outputs:
    """AWS.CreateSnapshot."""
    found = client_of(arguments, session).ask(
        "create_snapshot",
        *_LOGIN,
        VOLUME,
        LIMIT,
        VolumeId=arguments.text("VolumeId"),
        Description=optional(arguments, "Description"),
        TagSpecifications=_tags(arguments, "snapshot"),
    )
    return {"Snapshot": _snapshot(found)}


def describe_snapshots(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DescribeSnapshots.*"""
    mode = arguments.selector.casefold().removeprefix("describe")
    by = {
        "SnapshotIds": texts(arguments, "SnapshotIds"),
        "OwnerIds": texts(arguments, "OwnerIds"),
        "RestorableByUserIds": texts(arguments, "RestorableByUserIds"),
    }
    only = {
        "snapshotsbyid": "SnapshotIds",
        "snapshotsbyownerid": "OwnerIds",
        "snapshotsbyrestorableuserid": "RestorableByUserIds",
    }
    wanted = by if mode == "snapshotsbycustomfilter" else {only[mode]: by[only[mode]]} if mode in only else {}
    found = client_of(arguments, session).ask("describe_snapshots", *_LOGIN, SNAPSHOT, USER, **wanted)
    return {"Snapshots": [_snapshot(each) for each in found["Snapshots"]]}


def delete_snapshot(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DeleteSnapshot."""
    client_of(arguments, session).ask(
        "delete_snapshot", *_LOGIN, SNAPSHOT, IN_USE, SnapshotId=arguments.text("SnapshotId")
    )
    return None


# --- volumes


def create_volume(arguments: Arguments, session: Session) -> Outputs:
    """AWS.CreateVolume.CreateVolume, .CreateVolumeFromSnapshot."""
    copied = arguments.selector.casefold().endswith("fromsnapshot")
    size = "SnapshotSize" if copied else "Size"
    found = client_of(arguments, session).ask(
        "create_volume",
        *_LOGIN,
        PARAMETER,
        ZONE,
        LIMIT,
        ZONE_TYPE,
        AvailabilityZone=arguments.text("AvailabilityZone"),
        SnapshotId=arguments.text("SnapshotId") if copied else None,
        Size=None if copied and optional(arguments, size) is None else arguments.integer(size),
        Encrypted=arguments.boolean("Encrypted", False) or None,
        VolumeType=arguments.choice("VolumeType", _TYPES, "Gp2"),
        TagSpecifications=_tags(arguments, "volume"),
    )
    return {"Volume": _volume(found)}


def attach(arguments: Arguments, session: Session) -> Outputs:
    """AWS.AttachVolume."""
    client_of(arguments, session).ask(
        "attach_volume",
        *_LOGIN,
        UNSUPPORTED,
        PARAMETER,
        VOLUME,
        IN_USE,
        VolumeId=arguments.text("VolumeId"),
        InstanceId=arguments.text("InstanceId"),
        Device=arguments.text("Device"),
    )
    return None


def detach(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DetachVolume."""
    client_of(arguments, session).ask(
        "detach_volume",
        *_LOGIN,
        UNSUPPORTED,
        PARAMETER,
        DETACH,
        STATE,
        VolumeId=arguments.text("VolumeId"),
        InstanceId=optional(arguments, "InstanceId"),
        Device=optional(arguments, "Device"),
        Force=arguments.boolean("Force", False) or None,
    )
    return None


def describe_volumes(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DescribeVolumes.*"""
    mode = arguments.selector.casefold()
    wanted: dict[str, Any] = {}
    if mode.endswith("byids"):
        wanted["VolumeIds"] = texts(arguments, "VolumeIds")
    elif mode.endswith("byinstance"):
        instance = arguments.text("InstanceId")
        wanted["Filters"] = [{"Name": "attachment.instance-id", "Values": [instance]}]
    found = client_of(arguments, session).ask("describe_volumes", *_LOGIN, PARAMETER, **wanted)
    volumes: list[Datum] = [_volume(each) for each in found["Volumes"]]
    return {"Volumes": volumes}


def delete_volume(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DeleteVolume."""
    client_of(arguments, session).ask(
        "delete_volume", *_LOGIN, PARAMETER, VOLUME, STATE, IN_USE, VolumeId=arguments.text("VolumeId")
    )
    return None


TABLE: Table = {
    "AWS.CreateSnapshot": Operation(create_snapshot),
    "AWS.DeleteSnapshot": Operation(delete_snapshot),
    "AWS.AttachVolume": Operation(attach),
    "AWS.DetachVolume": Operation(detach),
    "AWS.DeleteVolume": Operation(delete_volume),
    **{f"AWS.CreateVolume.{each}": Operation(create_volume) for each in ("CreateVolume", "CreateVolumeFromSnapshot")},
    **{
        f"AWS.DescribeSnapshots.Describe{each}": reads(describe_snapshots)
        for each in (
            "AllSnapshots",
            "SnapshotsByCustomFilter",
            "SnapshotsById",
            "SnapshotsByOwnerId",
            "SnapshotsByRestorableUserId",
        )
    },
    **{
        f"AWS.DescribeVolumes.Describe{each}": reads(describe_volumes)
        for each in ("AllVolumes", "VolumesByIds", "VolumesByInstance")
    },
}
