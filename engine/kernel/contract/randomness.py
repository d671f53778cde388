"""Chance as an input: bytes drawn from the run's seed, the action's path and the number of the draw.

The same run gives the same `guid()` and `rand()` however often it is replayed; another run, iteration or call gives
others. The seed is 32 random bytes that the host puts into the start record, which is sealed.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from hashlib import _Hash

_FIRST_BLOCK: Final = bytes(4)
_FIRST_DRAW: Final = b"\0" + bytes(4) + _FIRST_BLOCK
_BLOCK: Final = 64
_INNER: Final = bytes(byte ^ 0x36 for byte in range(256))
_OUTER: Final = bytes(byte ^ 0x5C for byte in range(256))


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
    return hmac.digest(seed, _key_label(path), "sha256")[:16].hex()


class Keys:
    """The idempotency keys of one run, as `idempotency_key` gives them: the seed is hashed once for all of them.

    To be held by the run's state and by nothing that outlives it, since it stands for the seed.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, seed: bytes) -> None:
        block = (seed if len(seed) <= _BLOCK else hashlib.sha256(seed).digest()).ljust(_BLOCK, b"\0")
        self._inner: _Hash = hashlib.sha256(block.translate(_INNER))
        self._outer: _Hash = hashlib.sha256(block.translate(_OUTER))

    def of(self, path: str) -> str:
        """The key of the action at `path`."""
        inner = self._inner.copy()
        inner.update(_key_label(path))
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:16].hex()


@lru_cache(maxsize=1_024)  # the same for all runs of a flow
def _key_label(path: str) -> bytes:
    return f"{path}\0key".encode("utf-8", "surrogatepass") + _FIRST_DRAW


def unsubscribe_key(seed: bytes, path: str) -> str:
    """The idempotency key of the request with which a webhook action leaves."""
    return draw(seed, f"{path}\0unsubscribe", 0, 16).hex()


def callback_token(seed: bytes, path: str) -> str:
    """What authorises a callback for the action at `path`: 32 hexadecimal digits that only the run's seed gives away.

    Apart from the idempotency key, which services write into their logs.
    """
    return draw(seed, f"{path}\0callback", 0, 16).hex()
