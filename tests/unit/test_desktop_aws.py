"""The AWS module: instances, volumes and snapshots as moto plays EC2, and errors by the codes that Amazon answers."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from desktop_world import World
from sealflow.engine.datatypes import Datum, Item

pytest.importorskip("moto.ec2", reason="pip install 'moto[server]'")

from moto.moto_server.threaded_moto_server import ThreadedMotoServer

REGION = "eu-west-1"
KEYS: dict[str, Datum] = {"AccessKeyId": "AKIAEXAMPLE", "Secret": "very-secret", "RegionEndpoint": REGION}
IMAGE = "ami-12c6146b"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """EC2 on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop()


@pytest.fixture
async def world(tmp_path: Path, moto: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", moto)
    made = World(tmp_path)
    yield made
    await made.session.aclose()


async def opened(world: World) -> Item:
    made = await world.do("AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys", **KEYS)
    client = made["Ec2Client"]
    assert isinstance(client, Item)
    return client


def launched(moto: str, zone: str = "eu-west-1a") -> str:
    """An instance that somebody else has started."""
    from botocore.session import Session

    client = Session().create_client(
        "ec2", region_name=REGION, endpoint_url=moto, aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key="x"
    )
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}]
    made = client.run_instances(
        ImageId=IMAGE, MinCount=1, MaxCount=1, Placement={"AvailabilityZone": zone}, TagSpecifications=tags
    )
    client.close()
    return str(made["Instances"][0]["InstanceId"])


def only(found: Datum, id: str) -> Item:
    assert isinstance(found, list)
    [item] = [each for each in found if each.text == id]
    assert isinstance(item, Item)
    return item


async def test_instances_are_stopped_started_and_rebooted(world: World, moto: str) -> None:
    id, client = launched(moto), await opened(world)
    info = (await world.do("AWS.GetAvailableEC2Instances", Ec2Client=client))["Ec2InstancesInfo"]
    found = only(info, id)
    assert (found.get("InstanceID"), found.get("InstanceState"), found.get("Name")) == (id, "Running", "web")
    assert found.get("AvailabilityZone") == "eu-west-1a"
    stopping = await world.do("AWS.StopEC2Instance", Ec2Client=client, InstanceIds=[id], Force=True)
    change = only(stopping["StoppingEc2Instances"], id)
    assert change.get("PreviousState") == {"Code": 16, "Name": "running"}
    stopped = await world.do(
        "AWS.GetAvailableEC2Instances", Ec2Client=client, InstanceState="AWS.InstanceState.Stopped"
    )
    assert only(stopped["Ec2InstancesInfo"], id).get("InstanceState") == "Stopped"
    # One id may be given as it stands, as published scripts do.
    starting = await world.do("AWS.StartEC2Instance", Ec2Client=client, InstanceIds=id)
    only(starting["StartingEc2Instances"], id)
    await world.do("AWS.RebootEC2Instance", Ec2Client=client, InstanceIds=[id])
    still = await world.do("AWS.GetAvailableEC2Instances", Ec2Client=client, InstanceState="Stopped")
    assert id not in [each.text for each in still["Ec2InstancesInfo"]]  # type: ignore[union-attr]
    told = await world.do("AWS.DescribeEC2Instance", Ec2Client=client, InstanceIds=[id], InstanceState="Running")
    assert only(told["Ec2Instances"], id).get("ImageId") == IMAGE
    elsewhere = await world.do("AWS.DescribeEC2Instance", Ec2Client=client, AvailabilityZone="eu-west-1b")
    assert id not in [each.text for each in elsewhere["Ec2Instances"]]  # type: ignore[union-attr]


async def test_volumes_and_snapshots(world: World, moto: str) -> None:
    id, client = launched(moto), await opened(world)
    made = await world.do(
        "AWS.CreateVolume.CreateVolume",
        Ec2Client=client,
        Name="data",
        Purpose="tests",
        AvailabilityZone="eu-west-1a",
        Size="8",
        Encrypted=True,
        VolumeType="AWS.VolumeType.Gp2",
    )
    volume = made["Volume"]
    assert isinstance(volume, Item)
    assert [volume.get(name) for name in ("Size", "VolumeType", "Encrypted", "State")] == [8, "gp2", True, "available"]
    name: dict[str, Any] = {"Ec2Client": client, "VolumeId": volume.text}
    await world.do("AWS.AttachVolume", **name, InstanceId=id, Device="/dev/sdh")
    attached = await world.do("AWS.DescribeVolumes.DescribeVolumesByInstance", Ec2Client=client, InstanceId=id)
    there = only(attached["Volumes"], volume.text)
    assert there.get("State") == "in-use"
    assert {"Key": "Purpose", "Value": "tests"} in there.get("Tags")  # type: ignore[operator]
    await world.fails("ResourceIsInUseError", "AWS.DeleteVolume", **name)
    taken = await world.do("AWS.CreateSnapshot", **name, Description="nightly", Name="s")
    snapshot = taken["Snapshot"]
    assert isinstance(snapshot, Item)
    assert (snapshot.get("VolumeId"), snapshot.get("Description")) == (volume.text, "nightly")
    by_id = await world.do("AWS.DescribeSnapshots.DescribeSnapshotsById", Ec2Client=client, SnapshotIds=snapshot.text)
    assert only(by_id["Snapshots"], snapshot.text).get("VolumeSize") == 8
    for mode, more in (
        ("AllSnapshots", {}),
        ("SnapshotsByOwnerId", {"OwnerIds": [snapshot.get("OwnerId")]}),
        ("SnapshotsByCustomFilter", {"SnapshotIds": [snapshot.text], "OwnerIds": [snapshot.get("OwnerId")]}),
    ):
        listed = await world.do(f"AWS.DescribeSnapshots.Describe{mode}", Ec2Client=client, **more)
        only(listed["Snapshots"], snapshot.text)
    copied = await world.do(
        "AWS.CreateVolume.CreateVolumeFromSnapshot",
        Ec2Client=client,
        AvailabilityZone="eu-west-1a",
        SnapshotId=snapshot.text,
        SnapshotSize="",
    )
    copy = copied["Volume"]
    assert isinstance(copy, Item)
    assert (copy.get("SnapshotId"), copy.get("Size")) == (snapshot.text, 8)
    await world.do("AWS.DetachVolume", **name, InstanceId=id, Device="/dev/sdh", Force=False)
    await world.do("AWS.DeleteVolume", **name)
    rest = await world.do("AWS.DescribeVolumes.DescribeAllVolumes", Ec2Client=client)
    assert volume.text not in [each.text for each in rest["Volumes"]]  # type: ignore[union-attr]
    ids = await world.do("AWS.DescribeVolumes.DescribeVolumesByIds", Ec2Client=client, VolumeIds=[copy.text])
    only(ids["Volumes"], copy.text)
    await world.do("AWS.DeleteSnapshot", Ec2Client=client, SnapshotId=snapshot.text)
    await world.fails(
        "InvalidSnapshotIDError",
        "AWS.DescribeSnapshots.DescribeSnapshotsById",
        Ec2Client=client,
        SnapshotIds=snapshot.text,
    )


async def test_a_session_that_has_ended(world: World) -> None:
    client = await opened(world)
    for _ in range(2):
        await world.do("AWS.EndEC2Session", Ec2Client=client)
    await world.fails("InstanceLost", "AWS.GetAvailableEC2Instances", Ec2Client=client)


async def test_a_profile_of_a_file(world: World) -> None:
    world.file(
        "keys",
        "[default]\naws_access_key_id = A\naws_secret_access_key = s\nregion = eu-west-1\n"
        "[profile other]\ncredential_process = touch /tmp/never\nregion = eu-west-1\n"
        "[bare]\naws_access_key_id = A\naws_secret_access_key = s\n",
    )
    action, place = "AWS.CreateEc2Session.CreateEc2SessionWithProfile", "C:\\keys"
    made = await world.do(action, ProfileName="default", ProfileLocation=place)
    assert isinstance(made["Ec2Client"], Item)
    assert made["Ec2Client"].get("Region") == REGION
    for error, given in (
        ("ProfileDoesntExistError", {"ProfileName": "none", "ProfileLocation": place}),
        ("ProfileDoesntExistError", {"ProfileName": "default", "ProfileLocation": "C:\\none"}),
        ("ProfileDoesntExistError", {"ProfileName": "default"}),  # never the profiles of this machine
        ("InvalidProfileError", {"ProfileName": "other", "ProfileLocation": place}),  # nor what one would have run
        ("InvalidProfileError", {"ProfileName": "bare", "ProfileLocation": place}),
        ("AccessDeniedError", {"ProfileName": "default", "ProfileLocation": "/etc/passwd"}),
    ):
        await world.fails(error, action, **given)


@pytest.mark.parametrize("region", ["", "eu west", "evil.example/", "a@b", "eu-west-1.evil"])
async def test_a_region_names_no_other_server(world: World, region: str) -> None:
    failure = await world.fails(
        "FailedToCreateSessionError",
        "AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys",
        **{**KEYS, "RegionEndpoint": region},
    )
    assert "very-secret" not in str(failure)


async def test_the_server_is_judged_by_the_egress_policy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://169.254.169.254")
    await world.fails("EgressRefused", "AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys", **KEYS)


class Refusing(BaseHTTPRequestHandler):
    """Answers every request with the code of the error that is set, in the form of EC2's errors."""

    code = ""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        text = (
            f"<Response><Errors><Error><Code>{self.code}</Code><Message>No.</Message></Error></Errors>"
            "<RequestID>r</RequestID></Response>"
        ).encode()
        self.send_response(400)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
async def refusing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = Thread(target=server.serve_forever, daemon=True, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", f"http://127.0.0.1:{server.server_port}")
    made = World(tmp_path)
    yield made
    await made.session.aclose()
    server.shutdown()
    server.server_close()
    thread.join()


CASES: dict[str, tuple[dict[str, Datum], dict[str, str]]] = {
    "AWS.StartEC2Instance": (
        {"InstanceIds": "i-1"},
        {"InvalidInstanceID.NotFound": "InvalidInstanceID", "InsufficientInstanceCapacity": "InsufficientCapacity"},
    ),
    "AWS.StopEC2Instance": (
        {"InstanceIds": "i-1"},
        {
            "InvalidInstanceID.Malformed": "InvalidInstanceID",
            "UnsupportedOperation": "UnsupportedOperation",
            "UnsupportedHibernationConfiguration": "UnsupportedOperation",
        },
    ),
    "AWS.RebootEC2Instance": (
        {"InstanceIds": "i-1"},
        {
            "InvalidInstanceID.NotFound": "InvalidInstanceID",
            "UnsupportedOperation": "UnsupportedOperation",
            "IncorrectInstanceState": "IncorrectStateForRequest",
        },
    ),
    "AWS.GetAvailableEC2Instances": ({}, {}),
    "AWS.DescribeEC2Instance": ({"InstanceIds": "i-1"}, {"InvalidInstanceID.NotFound": "InvalidInstanceID"}),
    "AWS.CreateSnapshot": (
        {"VolumeId": "v"},
        {"InvalidVolume.NotFound": "InvalidVolume", "SnapshotLimitExceeded": "ResourceLimitExceeded"},
    ),
    "AWS.DescribeSnapshots.DescribeSnapshotsByRestorableUserId": (
        {"RestorableByUserIds": ["1"]},
        {"InvalidSnapshot.NotFound": "InvalidSnapshotID", "InvalidUserID.Malformed": "InvalidUserID"},
    ),
    "AWS.DeleteSnapshot": (
        {"SnapshotId": "s"},
        {"InvalidSnapshotID.Malformed": "InvalidSnapshotID", "InvalidSnapshot.InUse": "ResourceIsInUse"},
    ),
    "AWS.CreateVolume.CreateVolume": (
        {"AvailabilityZone": "z", "Size": 1},
        {
            "InvalidParameterValue": "InvalidParameter",
            "InvalidZone.NotFound": "InvalidZone",
            "VolumeLimitExceeded": "ResourceLimitExceeded",
            "VolumeTypeNotAvailableInZone": "VolumeTypeIsntSupportedInTheSpecifiedZone",
        },
    ),
    "AWS.AttachVolume": (
        {"VolumeId": "v", "InstanceId": "i", "Device": "d"},
        {
            "UnsupportedOperation": "UnsupportedOperation",
            "InvalidParameterValue": "InvalidParameter",
            "InvalidVolume.ZoneMismatch": "InvalidVolume",
            "VolumeInUse": "ResourceIsInUse",
            "IncorrectState": "AmazonServiceRequestFailed",  # which this action does not document
        },
    ),
    "AWS.DetachVolume": (
        {"VolumeId": "v"},
        {
            "UnsupportedOperation": "UnsupportedOperation",
            "MissingParameter": "InvalidParameter",
            "InvalidAttachment.NotFound": "InvalidDetachAttempt",
            "IncorrectState": "IncorrectStateForRequest",
        },
    ),
    "AWS.DescribeVolumes.DescribeAllVolumes": ({}, {"InvalidParameterCombination": "InvalidParameter"}),
    "AWS.DeleteVolume": (
        {"VolumeId": "v"},
        {
            "InvalidParameterValue": "InvalidParameter",
            "InvalidVolume.NotFound": "InvalidVolume",
            "IncorrectState": "IncorrectStateForRequest",
            "VolumeInUse": "ResourceIsInUse",
        },
    ),
}
ALWAYS = {
    "AuthFailure": "AuthenticationFailed",
    "UnauthorizedOperation": "NotAuthorizedOperation",
    "SomethingNew": "AmazonServiceRequestFailed",
}


@pytest.mark.parametrize("action", CASES)
async def test_errors_have_the_documented_names(action: str, refusing: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealflow.engine.desktop.catalog import lookup

    client = await opened(refusing)
    given, codes = CASES[action]
    seen = set()
    for code, name in {**codes, **ALWAYS}.items():
        monkeypatch.setattr(Refusing, "code", code)
        failure = await refusing.fails(f"{name}Error", action, Ec2Client=client, **given)
        assert "very-secret" not in str(failure)
        seen.add(failure.code)
    spec = lookup(action)
    assert spec is not None
    assert seen == {error.id for error in spec.errors}
