"""The AWS module, sessions and instances of EC2, and how Amazon's errors are named; volumes: `aws_disks`.

A session is made of what the flow gives it: access keys, or a profile in a file of an allowed folder. What this machine
can log in with - its role, its own profiles, variables - is never used, and of a profile only the keys that stand in
it: a profile may also name a program that is to be run.
"""

from __future__ import annotations

import configparser
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import Loader
from botocore.parsers import ResponseParserError
from botocore.session import Session as Login

from ....engine.datatypes import Datum, Item, from_float
from ...egress.policy import EgressRefused
from ..arguments import Arguments
from ..fault import Fault, fault
from ..port import Operation, Outputs, Table, reads
from ..reach import SECONDS, address_of
from ..session import Session
from .aws_connections import guard_connections

# At level DEBUG botocore logs what it sends, and with it what it signs with.
logging.getLogger("botocore").setLevel(logging.INFO)

KIND: Final = "Ec2Client"
MOST: Final = 10_000
"""Things that one answer may list."""

_LOADER: Final = Loader()  # the description of EC2 is large: read once for all sessions
_REGION: Final = re.compile(r"[a-z]{2,8}(?:-[a-z0-9]{1,16}){1,4}")
_NO_SESSION: Final = "Failed to create session"
_NO_PROFILE: Final = "Profile doesn't exist"
_BAD_PROFILE: Final = "Invalid profile"

# --- errors. Amazon's codes: EC2 API reference, "Error codes". What an action does not document, or is not here, is
# the last one.

AUTHENTICATION: Final = "Authentication failed"
AUTHORIZATION: Final = "Not authorized operation"
UNSUPPORTED: Final = "Unsupported operation"
PARAMETER: Final = "Invalid parameter"
INSTANCE: Final = "Invalid instance ID"
STATE: Final = "Incorrect state for request"
CAPACITY: Final = "Insufficient capacity"
VOLUME: Final = "Invalid volume"
SNAPSHOT: Final = "Invalid snapshot ID"
USER: Final = "Invalid user ID"
ZONE: Final = "Invalid zone"
ZONE_TYPE: Final = "Volume type isn't supported in the specified zone"
LIMIT: Final = "Resource limit exceeded"
IN_USE: Final = "Resource is in use"
DETACH: Final = "Invalid detach attempt"
REQUEST: Final = "Amazon service request failed"

_NAMED: Final = tuple(
    (re.compile(pattern), display)
    for pattern, display in (
        (
            r"AuthFailure|InvalidClientTokenId|SignatureDoesNotMatch|UnrecognizedClient.*|MissingAuthenticationToken"
            r"|ExpiredToken.*|RequestExpired|IncompleteSignature|InvalidAccessKeyId",
            AUTHENTICATION,
        ),
        (r"UnauthorizedOperation|AccessDenied.*|OptInRequired|Blocked|PendingVerification", AUTHORIZATION),
        (r"Unsupported.*|OperationNotPermitted", UNSUPPORTED),
        (r"InvalidInstanceID.*", INSTANCE),
        (r"IncorrectState|IncorrectInstanceState", STATE),
        (r"Insufficient\w*Capacity.*", CAPACITY),
        (r"InvalidVolume(ID)?\..*", VOLUME),
        (r"VolumeInUse|InvalidSnapshot\.InUse", IN_USE),
        (r"InvalidSnapshot(ID)?\..*", SNAPSHOT),
        (r"InvalidUserID\..*", USER),
        (r"InvalidZone\.NotFound|InvalidAvailabilityZone", ZONE),
        (r"VolumeTypeNotAvailableInZone|UnknownVolumeType", ZONE_TYPE),
        (r".*LimitExceeded|ResourceCountExceeded", LIMIT),
        (r"InvalidAttachment.*", DETACH),
        (r"InvalidParameter.*|MissingParameter|UnknownParameter", PARAMETER),
    )
)


def _named(code: str, documented: tuple[str, ...]) -> str:
    for pattern, display in _NAMED:
        if pattern.fullmatch(code) and display in documented:
            return display
    return REQUEST


class Ec2:
    """An open session."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ask(self, operation: str, *documented: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one request; parameters that are None are left out.

        Raises Fault: what Amazon says, if it is among the errors that are documented, else that the request failed.
        """
        given = {name: value for name, value in parameters.items() if value is not None}
        try:
            if self._client.can_paginate(operation):
                pages = self._client.get_paginator(operation).paginate(**given, PaginationConfig={"MaxItems": MOST})
                found: dict[str, Any] = pages.build_full_result()
            else:
                found = getattr(self._client, operation)(**given)
        except ClientError as error:
            told = error.response.get("Error", {})
            code = str(told.get("Code", ""))
            raise fault(_named(code, documented), f"{code}: {told.get('Message', '')}") from None
        except (BotoCoreError, ResponseParserError, ValueError) as error:
            refused = getattr(error, "kwargs", {}).get("error")
            if isinstance(refused, EgressRefused):
                raise Fault(refused.code, refused.message, hint=refused.hint) from None
            raise fault(REQUEST, f"{error}") from None
        return found

    def close(self) -> None:
        """Ends the session."""
        self._client.close()


def client_of(arguments: Arguments, session: Session) -> Ec2:
    """The session that the action names."""
    return session.use(arguments.item("Ec2Client", KIND), Ec2)


def datum(found: Any) -> Datum:
    """What Amazon tells as a value of a flow; times in UTC."""
    if isinstance(found, Mapping):
        return {str(name): datum(value) for name, value in found.items()}
    if isinstance(found, (list, tuple)):
        return [datum(each) for each in found]
    if isinstance(found, datetime):
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo is not None else found
    if isinstance(found, float):
        return from_float(found)
    return found if found is None or isinstance(found, (bool, int, str)) else str(found)


def texts(arguments: Arguments, name: str) -> list[str] | None:
    """A list of texts, or one text as a list of it; None where it is not given, or empty."""
    found = [f"{each.text if isinstance(each, Item) else each}" for each in arguments.list(name, [])]
    return [each for each in found if each.strip()] or None


def optional(arguments: Arguments, name: str) -> str | None:
    """A text, None where it is not given or empty."""
    return arguments.text(name, "").strip() or None


# --- sessions


def create(arguments: Arguments, session: Session) -> Outputs:
    """AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys, ...WithProfile."""
    if arguments.selector.casefold().endswith("withprofile"):
        key, secret, token, region = _profile(arguments, session)
    else:
        key, secret = arguments.text("AccessKeyId"), arguments.text("Secret")
        token, region = None, arguments.text("RegionEndpoint")
    region = region.strip().lower()
    if not _REGION.fullmatch(region):
        raise fault(_NO_SESSION, "The region is to be named as Amazon does: eu-central-1.")
    try:
        login = Login()
        login.register_component("data_loader", _LOADER)
        client = login.create_client(
            "ec2",
            region_name=region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": 2}, proxies={}),
        )
        guard_connections(client, lambda: session.egress)
    except (BotoCoreError, ValueError) as error:
        raise fault(_NO_SESSION, f"{error}") from None
    server = urlsplit(str(client.meta.endpoint_url))
    try:
        address_of(server.hostname or "", server.port or 443, session, _NO_SESSION)
    except Fault:
        client.close()
        raise
    return {"Ec2Client": session.keep(KIND, Ec2(client), {"Region": region})}


def _profile(arguments: Arguments, session: Session) -> tuple[str, str, str | None, str]:
    name = optional(arguments, "ProfileName") or "default"
    place = optional(arguments, "ProfileLocation")
    if place is None:
        raise fault(
            _NO_PROFILE, "The profiles of this machine are not used: ProfileLocation has to name a file of profiles."
        )
    path = session.folders.resolve(place)
    profiles = configparser.RawConfigParser(strict=False)
    try:
        if path.stat().st_size > 1_000_000:
            raise fault(_BAD_PROFILE, f"'{path.name}' is too large for a file of profiles.")
        profiles.read_string(path.read_text("utf-8-sig"))
    except OSError:
        raise fault(_NO_PROFILE, f"There is no file '{place}'.") from None
    except (configparser.Error, UnicodeError):
        raise fault(_BAD_PROFILE, f"'{place}' is no file of profiles.") from None
    found = next((each for each in (name, f"profile {name}") if profiles.has_section(each)), None)
    if found is None:
        raise fault(_NO_PROFILE, f"'{place}' has no profile '{name}'.")
    kept = profiles[found]
    key, secret = kept.get("aws_access_key_id", ""), kept.get("aws_secret_access_key", "")
    region = kept.get("region", "")
    if not key or not secret or not region:
        missing = "aws_access_key_id and aws_secret_access_key" if not key or not secret else "region"
        raise fault(_BAD_PROFILE, f"The profile '{name}' has no {missing}.")
    return key, secret, kept.get("aws_session_token"), region


def end(arguments: Arguments, session: Session) -> Outputs:
    """AWS.EndEC2Session. Ending what has ended is nothing."""
    opened = session.drop(arguments.item("Ec2Client", KIND))
    if isinstance(opened, Ec2):
        opened.close()
    return None


# --- instances

_LOGIN: Final = (AUTHENTICATION, AUTHORIZATION)
_STATES: Final = ("Pending", "All", "Unknown", "Running", "ShuttingDown", "Terminated", "Stopping", "Stopped")


def start(arguments: Arguments, session: Session) -> Outputs:
    """AWS.StartEC2Instance."""
    found = client_of(arguments, session).ask(
        "start_instances", *_LOGIN, INSTANCE, CAPACITY, InstanceIds=texts(arguments, "InstanceIds") or []
    )
    return {"StartingEc2Instances": _changes(found["StartingInstances"])}


def stop(arguments: Arguments, session: Session) -> Outputs:
    """AWS.StopEC2Instance."""
    found = client_of(arguments, session).ask(
        "stop_instances",
        *_LOGIN,
        UNSUPPORTED,
        INSTANCE,
        InstanceIds=texts(arguments, "InstanceIds") or [],
        Force=arguments.boolean("Force", False),
        Hibernate=arguments.boolean("Hibernate", False) or None,
    )
    return {"StoppingEc2Instances": _changes(found["StoppingInstances"])}


def reboot(arguments: Arguments, session: Session) -> Outputs:
    """AWS.RebootEC2Instance."""
    client_of(arguments, session).ask(
        "reboot_instances", *_LOGIN, UNSUPPORTED, INSTANCE, STATE, InstanceIds=texts(arguments, "InstanceIds") or []
    )
    return None


def available(arguments: Arguments, session: Session) -> Outputs:
    """AWS.GetAvailableEC2Instances: the most important things of each instance."""
    return {
        "Ec2InstancesInfo": [
            Item(
                "Ec2InstanceInfo",
                each["InstanceId"],
                {
                    "InstanceID": each["InstanceId"],
                    "InstanceState": _state(each),
                    "Name": next((tag["Value"] for tag in each.get("Tags", ()) if tag["Key"] == "Name"), ""),
                    "InstanceType": each.get("InstanceType", ""),
                    "AvailabilityZone": each.get("Placement", {}).get("AvailabilityZone", ""),
                    "PublicIpAddress": each.get("PublicIpAddress", ""),
                    "PrivateIpAddress": each.get("PrivateIpAddress", ""),
                },
            )
            for each in _instances(arguments, session, *_LOGIN)
        ]
    }


def describe(arguments: Arguments, session: Session) -> Outputs:
    """AWS.DescribeEC2Instance: whatever Amazon tells, by its names."""
    return {
        "Ec2Instances": [
            Item("Ec2Instance", each["InstanceId"], {name: datum(value) for name, value in each.items()})
            for each in _instances(arguments, session, *_LOGIN, INSTANCE)
        ]
    }


def _instances(arguments: Arguments, session: Session, *documented: str) -> list[dict[str, Any]]:
    state = arguments.choice("InstanceState", _STATES, "All")
    zone = optional(arguments, "AvailabilityZone")
    found = client_of(arguments, session).ask(
        "describe_instances",
        *documented,
        InstanceIds=texts(arguments, "InstanceIds"),
        Filters=[{"Name": "availability-zone", "Values": [zone]}] if zone else None,
    )
    instances = [each for reservation in found["Reservations"] for each in reservation["Instances"]]
    return [each for each in instances if state in ("all", _state(each).casefold())]


def _state(instance: Mapping[str, Any]) -> str:
    name = str(instance.get("State", {}).get("Name", "")).title().replace("-", "")
    return name if name in _STATES else "Unknown"


def _changes(found: list[dict[str, Any]]) -> list[Datum]:
    return [
        Item("InstanceStateChange", each["InstanceId"], {name: datum(value) for name, value in each.items()})
        for each in found
    ]


TABLE: Table = {
    "AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys": Operation(create),
    "AWS.CreateEc2Session.CreateEc2SessionWithProfile": Operation(create),
    "AWS.EndEC2Session": Operation(end),
    "AWS.StartEC2Instance": Operation(start),
    "AWS.StopEC2Instance": Operation(stop),
    "AWS.RebootEC2Instance": Operation(reboot),
    "AWS.GetAvailableEC2Instances": reads(available),
    "AWS.DescribeEC2Instance": reads(describe),
}
