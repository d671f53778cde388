"""Where calls may go: addresses that belong to the machine a flow runs on, not to the flow, are refused.

Link-local addresses answer anyone on the machine, at cloud providers with its credentials. A name is judged by the
addresses it stands for at the moment of connecting, see `http_transport`; nothing here resolves or connects.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

REFUSED: Final = (
    "169.254.0.0/16",  # link-local (RFC 3927), and the metadata service of most providers
    "fe80::/10",  # link-local (RFC 4291)
    "168.63.129.16/32",  # Azure's host
    "100.100.100.200/32",  # Alibaba's metadata service
    "192.0.0.192/32",  # Oracle's metadata service
    "fd00:ec2::254/128",  # Amazon's metadata service
    "fd20:ce::254/128",  # Google's metadata service
)
_REFUSED: Final = tuple(map(ip_network, REFUSED))
_NAT64: Final = IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = IPv6Network("::/96")


@dataclass(frozen=True, slots=True)
class Egress:
    """An environment's policy. `allowed`: addresses or networks, such as `169.254.10.0/24`, that are reached in spite
    of the rule.

    Raises ValueError for text that is no address or network.
    """

    allowed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for each in self.allowed:
            ip_network(each, strict=False)

    def permits(self, address: str) -> bool:
        """Whether a connection to this address (text, no name) may be made. What is no address is not permitted."""
        try:
            faces = _faces(ip_address(address.partition("%")[0]))
        except ValueError:
            return False
        if not any(face in network for face in faces for network in _REFUSED):
            return True
        return any(face in ip_network(each, strict=False) for face in faces for each in self.allowed)


def _faces(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """The address, and the IPv4 address that an IPv6 one may carry inside (mapped, 6to4, NAT64)."""
    faces: list[IPv4Address | IPv6Address] = [address]
    if isinstance(address, IPv6Address):
        for inner in (address.ipv4_mapped, address.sixtofour):
            if inner is not None:
                faces.append(inner)
        if address in _NAT64 or address in _COMPATIBLE:
            faces.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return faces
