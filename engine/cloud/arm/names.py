"""Names that ARM makes out of others: resource ids, `uniqueString`, `guid`.

Sources: Azure Resource Manager, template functions: resource functions, string functions (guid is a version 5 UUID of
the texts joined by hyphens, in the namespace 11fb06fb-712d-4ddd-98c7-e71bbd588830; uniqueString a 64-bit Murmur hash
of them in base 32).
"""

from __future__ import annotations

import struct
from hashlib import sha1
from typing import Final

_GUID_NAMESPACE: Final = bytes.fromhex("11fb06fb712d4ddd98c7e71bbd588830")
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz234567"
_WORD: Final = 0xFFFFFFFF
_FIRST: Final = 0x239B961B
_SECOND: Final = 0xAB0E9789


def resource_id(parts: tuple[str, ...], *, subscription: str, group: str) -> str:
    """`resourceId([subscription,] [group,] type, name, …)`. Raises ValueError, StopIteration."""
    given, tail = _split(parts)
    if len(given) > 2:
        raise ValueError("more than a subscription and a group before the type")
    group = given.pop() if given else group
    subscription = given.pop() if given else subscription
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{tail}"


def subscription_resource_id(parts: tuple[str, ...], *, subscription: str) -> str:
    """`subscriptionResourceId([subscription,] type, name, …)`."""
    given, tail = _split(parts)
    if len(given) > 1:
        raise ValueError("more than a subscription before the type")
    return f"/subscriptions/{given.pop() if given else subscription}/providers/{tail}"


def tenant_resource_id(parts: tuple[str, ...]) -> str:
    """`tenantResourceId(type, name, …)`."""
    given, tail = _split(parts)
    if given:
        raise ValueError("a type is expected first")
    return f"/providers/{tail}"


def extension_resource_id(scope: str, parts: tuple[str, ...]) -> str:
    """`extensionResourceId(id, type, name, …)`."""
    return f"{scope.rstrip('/')}{tenant_resource_id(parts)}"


def management_group_resource_id(parts: tuple[str, ...]) -> str:
    """`managementGroupResourceId(group, type, name, …)`; which group is the deployment's own is not known here."""
    given, tail = _split(parts)
    if len(given) != 1:
        raise ValueError("a management group is expected first")
    return f"/providers/Microsoft.Management/managementGroups/{given[0]}/providers/{tail}"


def _split(parts: tuple[str, ...]) -> tuple[list[str], str]:
    """What stands before the type, and `Provider/type/name/…`. The type is the first part with a slash."""
    first = next(index for index, part in enumerate(parts) if "/" in part)
    provider, *kinds = parts[first].split("/")
    names = parts[first + 1 :]
    if len(names) != len(kinds) or not all(isinstance(name, str) for name in parts):
        raise ValueError("as many names as types")
    return list(parts[:first]), "/".join(
        [provider, *(f"{kind}/{name}" for kind, name in zip(kinds, names, strict=True))]
    )


def guid(*texts: str) -> str:
    """The deterministic GUID of some texts."""
    data = bytearray(sha1(_GUID_NAMESPACE + "-".join(texts).encode(), usedforsecurity=False).digest()[:16])
    data[6] = data[6] & 0x0F | 0x50
    data[8] = data[8] & 0x3F | 0x80
    digits = data.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def unique_string(*texts: str) -> str:
    """The 13 letters and digits that are always the same for the same texts."""
    number = _murmur("-".join(texts).encode())
    return "".join(_LETTERS[number >> shift & 31] for shift in range(59, -1, -5)) + _LETTERS[number << 1 & 31]


def _murmur(data: bytes) -> int:
    """A 64-bit variant of MurmurHash3, with seed 0."""
    length = len(data)
    whole = length - length % 8
    left = right = 0
    for one, two in struct.iter_unpack("<II", data[:whole]):
        left = (_rotated(left ^ _mixed_left(one), 19) + right) * 5 + 0x561CCD1B & _WORD
        right = (_rotated(right ^ _mixed_right(two), 13) + left) * 5 + 0x0BCAA747 & _WORD
    rest = data[whole:]
    if rest:
        left ^= _mixed_left(int.from_bytes(rest[:4], "little"))
    if len(rest) > 4:
        right ^= _mixed_right(int.from_bytes(rest[4:], "little"))
    right ^= length
    left = (left ^ length) + right & _WORD
    right = right + left & _WORD
    left, right = _final(left), _final(right)
    left = left + right & _WORD
    right = right + left & _WORD
    return right << 32 | left


def _mixed_left(word: int) -> int:
    return _rotated(word * _FIRST & _WORD, 15) * _SECOND & _WORD


def _mixed_right(word: int) -> int:
    return _rotated(word * _SECOND & _WORD, 17) * _FIRST & _WORD


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> 32 - bits) & _WORD


def _final(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 & _WORD
    return word ^ word >> 16
