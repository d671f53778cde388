"""Kinds of addresses, and the many ways of writing one. Pure: nothing here resolves or connects.

An IPv6 address can carry an IPv4 address that the connection reaches in the end (mapped, NAT64, 6to4, Teredo, ISATAP).
Such an address is judged by what it carries.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


class Kind(Enum):
    """What an address belongs to. The value is what errors call it."""

    PUBLIC = "a public address"
    PRIVATE = "a private address"
    LOOPBACK = "a loopback address"
    TRANSLATED = "an address of a local IPv4/IPv6 translation"
    METADATA = "a link-local address or a metadata service of a cloud"
    UNUSABLE = "not the address of a server (unspecified, multicast, broadcast or reserved)"


METADATA_NAMES: Final = frozenset(
    {
        "instance-data",
        "instance-data.ec2.internal",
        "metadata",
        "metadata.azure.internal",
        "metadata.goog",
        "metadata.google.internal",
        "metadata.oraclecloud.com",
        "metadata.tencentyun.com",
    }
)
"""Names of metadata services, refused whatever they resolve to."""

_METADATA: Final = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # link-local (RFC 3927); metadata of AWS, Azure, GCP, Oracle and others
            "fe80::/10",  # link-local (RFC 4291)
            "168.63.129.16/32",  # Azure: platform services of the host
            "100.100.100.200/32",  # Alibaba Cloud
            "192.0.0.192/32",  # Oracle Cloud
            "fd00:ec2::/32",  # AWS: metadata, DNS, time and credentials of pods
            "fd20:ce::/64",  # Google Cloud
            "fd00:c1::a9fe:a9fe/128",  # Oracle Cloud
            "fd00:42::42/128",  # Scaleway
        ),
    )
)
_UNUSABLE: Final = tuple(map(ip_network, ("0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "::/128", "ff00::/8", "100::/64")))
_PRIVATE: Final = tuple(map(ip_network, ("100.64.0.0/10", "fc00::/7", "fec0::/10")))
_LOCAL_NAT64: Final = IPv6Network("64:ff9b:1::/48")
_LAST_32: Final = tuple(map(IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")))
"""Mapped, translated (RFC 2765), NAT64 (RFC 6052), compatible: the last 32 bits are the IPv4 address."""
_TEREDO: Final = IPv6Network("2001::/32")
_6TO4: Final = IPv6Network("2002::/16")


def parsed(text: str) -> Address | None:
    """The address that a resolver gave, None for what is none. A zone (`%eth0`) belongs to link-local addresses only
    and is refused with them: an address with one is None.
    """
    try:
        return ip_address(text)
    except ValueError:
        return None


def carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address may lead to; empty for one that carries none."""
    return tuple(_carried(address)) if isinstance(address, IPv6Address) else ()


def _carried(address: IPv6Address) -> Iterator[IPv4Address]:
    number = int(address)
    if number <= 1:  # unspecified and loopback
        return
    if any(address in network for network in _LAST_32):
        yield IPv4Address(number & 0xFFFFFFFF)
    elif address in _LOCAL_NAT64:
        # The operator chooses the length of the prefix (RFC 8215), and with it the place (RFC 6052, section 2.2).
        yield IPv4Address(number & 0xFFFFFFFF)
        for length in (48, 56, 64):
            joined = (number >> (128 - 64)) & ((1 << (64 - length)) - 1)
            rest = 32 - (64 - length)
            behind = (number >> (64 - 8 - rest)) & ((1 << rest) - 1)
            yield IPv4Address(joined << rest | behind)
    elif address in _TEREDO:
        yield IPv4Address((number >> 64) & 0xFFFFFFFF)
        yield IPv4Address(~number & 0xFFFFFFFF)
    elif address in _6TO4:
        yield IPv4Address((number >> 80) & 0xFFFFFFFF)
    elif (number >> 32) & 0xFDFFFFFF == 0x5EFE:  # ISATAP (RFC 5214), with either bit of its interface identifier
        yield IPv4Address(number & 0xFFFFFFFF)


def is_locally_translated(address: Address) -> bool:
    """Whether it belongs to a NAT64 of the local network, whose real target cannot be told from the address."""
    return isinstance(address, IPv6Address) and address in _LOCAL_NAT64


def kind_of(address: Address) -> Kind:
    """The kind of an address itself, without what it carries."""
    if _in(address, _METADATA):
        return Kind.METADATA
    if address.is_loopback:
        return Kind.LOOPBACK
    if _in(address, _UNUSABLE):
        return Kind.UNUSABLE
    if is_locally_translated(address):
        return Kind.TRANSLATED
    if _in(address, _PRIVATE) or address.is_private or not address.is_global:
        return Kind.PRIVATE
    return Kind.PUBLIC


def _in(address: Address, networks: tuple[object, ...]) -> bool:
    return any(address in network for network in networks)  # type: ignore[operator]


# --- texts

_DOTS: Final = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
_NUMBER: Final = re.compile(r"0x[0-9a-f]*|[0-9]+")


def canonical_host(text: str) -> str:
    """A host as rules compare it: lower case, ASCII (IDNA), without brackets, zone and final dots; an address in its
    shortest form, also where it was written in octal, hexadecimal or as one number.
    """
    host = text.strip().removeprefix("[").removesuffix("]").partition("%")[0]
    host = unicodedata.normalize("NFKC", host.translate(_DOTS)).lower().rstrip(".")
    if not host.isascii():
        try:
            host = ".".join(label.encode("idna").decode("ascii") for label in host.split("."))
        except UnicodeError:
            return host
    try:
        return str(ip_address(host))
    except ValueError:
        number = _ipv4_number(host)
        return host if number is None else str(IPv4Address(number))


def _ipv4_number(host: str) -> int | None:
    """The number of an IPv4 address as `inet_aton` reads it: one to four parts, each decimal, octal or hexadecimal."""
    parts = host.split(".")
    if len(parts) > 4 or not all(_NUMBER.fullmatch(part) for part in parts):
        return None
    try:
        numbers = [_integer(part) for part in parts]
    except ValueError:
        return None
    *high, last = numbers
    if any(number > 255 for number in high) or last >= 1 << (8 * (5 - len(parts))):
        return None
    return sum(number << (24 - 8 * place) for place, number in enumerate(high)) + last


def _integer(part: str) -> int:
    if part.startswith("0x"):
        return int(part[2:] or "0", 16)
    return int(part, 8 if len(part) > 1 and part[0] == "0" else 10)
