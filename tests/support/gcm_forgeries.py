"""What somebody who knows a key of AES-GCM can do with its tags: they are linear in the ciphertext, over GF(2^128)."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

_R = 0xE1 << 120
_ONE = 1 << 127


def times(left: int, right: int) -> int:
    product = 0
    for bit in range(127, -1, -1):
        if right >> bit & 1:
            product ^= left
        left = (left >> 1) ^ _R if left & 1 else left >> 1
    return product


def inverse(element: int) -> int:
    result, exponent = _ONE, (1 << 128) - 2
    while exponent:
        if exponent & 1:
            result = times(result, element)
        element, exponent = times(element, element), exponent >> 1
    return result


def block(key: bytes, data: bytes) -> int:
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    return int.from_bytes(encryptor.update(data) + encryptor.finalize(), "big")


def salamander(first: bytes, second: bytes, nonce: bytes, associated: bytes) -> bytes:
    """32 bytes and a tag that AES-GCM opens with both keys, for the same associated data."""
    padded = associated + bytes(-len(associated) % 16)
    blocks = _blocks(padded)
    one = int.from_bytes(os.urandom(16), "big")
    lengths = int.from_bytes((len(associated) * 8).to_bytes(8, "big") + (256).to_bytes(8, "big"), "big")

    def tag(key: bytes, two: int) -> int:
        power, total = block(key, bytes(16)), 0
        for each in [*blocks, one, two, lengths]:
            total = times(total ^ each, power)
        return total ^ block(key, nonce + b"\0\0\0\1")

    squares = [times(power, power) for power in (block(first, bytes(16)), block(second, bytes(16)))]
    two = times(tag(first, 0) ^ tag(second, 0), inverse(squares[0] ^ squares[1]))
    return b"".join(part.to_bytes(16, "big") for part in (one, two, tag(first, two)))


def same_tag(key: bytes, nonce: bytes, associated: bytes, tag: bytes, plaintext: bytes, free: int) -> bytes:
    """A ciphertext that opens with this nonce and tag and gives `plaintext`, but for the 16 bytes from `free` on, which
    come out as they must. `free` is a multiple of 16.
    """
    encryptor = Cipher(algorithms.AES(key), modes.CTR(nonce + b"\0\0\0\2")).encryptor()
    body = bytearray(encryptor.update(plaintext))
    body[free : free + 16] = bytes(16)
    lengths = (len(associated) * 8).to_bytes(8, "big") + (len(body) * 8).to_bytes(8, "big")
    before = _blocks(associated)
    blocks = [*before, *_blocks(bytes(body)), int.from_bytes(lengths, "big")]
    power, total = block(key, bytes(16)), 0
    for each in blocks:
        total = times(total ^ each, power)
    wanted = int.from_bytes(tag, "big") ^ block(key, nonce + b"\0\0\0\1")
    weight = _ONE
    for _ in range(len(blocks) - len(before) - free // 16):
        weight = times(weight, power)
    body[free : free + 16] = times(total ^ wanted, inverse(weight)).to_bytes(16, "big")
    return bytes(body) + tag


def _blocks(data: bytes) -> list[int]:
    padded = data + bytes(-len(data) % 16)
    return [int.from_bytes(padded[at : at + 16], "big") for at in range(0, len(padded), 16)]
