"""Chance as an input: bytes drawn from the run's seed, the action's path and the number of the draw.

The same run gives the same `guid()` and `rand()` however often it is replayed; another run, iteration or call gives
others. The seed is 32 random bytes that the host puts into the start record, which is sealed.
"""

from __future__ import annotations

import hmac
from typing import Final

_FIRST_BLOCK: Final = bytes(4)
_FIRST_DRAW: Final = b"\0" + bytes(4) + _FIRST_BLOCK


def draw(seed: bytes, path: str, number: int, length: int) -> bytes:
    """`length` bytes for the `number`th call made while evaluating the action at `path`."""
    label = path.encode("utf-8", "surrogatepass") + b"\0" + number.to_bytes(4, "big")
    out = hmac.digest(seed, label + _FIRST_BLOCK, "sha256")
    block = 1
    while len(out) < length:
        out += hmac.digest(seed, label + block.to_bytes(4, "big"), "sha256")
        block += 1
    return out[:length]


def child_run_id(seed: bytes, path: str, attempt: int, at: int) -> bytes:
    """The 16-byte id of the run that an action starts: the same whenever this attempt is repeated.

    Laid out like a UUIDv7 (48 bits of milliseconds first), so that ids sort by time.
    """
    random = bytearray(draw(seed, f"{path}#{attempt}\0child", 0, 10))
    random[0] = 0x70 | random[0] & 0x0F
    random[2] = 0x80 | random[2] & 0x3F
    return (at // 10_000).to_bytes(6, "big") + bytes(random)


def idempotency_key(seed: bytes, path: str) -> str:
    """The key that every attempt of the action at `path` carries: 32 hexadecimal digits."""
    return hmac.digest(seed, f"{path}\0key".encode("utf-8", "surrogatepass") + _FIRST_DRAW, "sha256")[:16].hex()


def unsubscribe_key(seed: bytes, path: str) -> str:
    """The idempotency key of the request with which a webhook action leaves."""
    return draw(seed, f"{path}\0unsubscribe", 0, 16).hex()


def callback_token(seed: bytes, path: str) -> str:
    """What authorises a callback for the action at `path`: 32 hexadecimal digits that only the run's seed gives away.

    Apart from the idempotency key, which services write into their logs.
    """
    return draw(seed, f"{path}\0callback", 0, 16).hex()
