"""Texts that must not be found in the clear, and the search for them in every encoding that they may have."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import os
import quopri
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote

_DEFLATED: Final = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda", b"\x1f\x8b\x08")
_MOST: Final = 1 << 22
"""Bytes that a compressed part is opened up to."""


def forms(canary: str) -> dict[str, bytes]:
    """The canary as it would look in a file, by the name of the encoding."""
    plain = canary.encode()
    found = {
        "utf-8": plain,
        "upper": canary.upper().encode(),
        "lower": canary.lower().encode(),
        "utf-16-le": canary.encode("utf-16-le"),
        "utf-16-be": canary.encode("utf-16-be"),
        "utf-32-le": canary.encode("utf-32-le"),
        "hex": plain.hex().encode(),
        "HEX": plain.hex().upper().encode(),
        "json": json.dumps(canary)[1:-1].encode(),
        "url": quote(canary, safe="").encode(),
        "quoted": quopri.encodestring(plain),
        "reversed": plain[::-1],
        "rot1": bytes((each + 1) % 256 for each in plain),
    }
    for shift in range(3):
        # The letters in the middle depend on the canary only, not on what stands around it.
        text = base64.b64encode(b"\0" * shift + plain + b"\0" * ((-shift - len(plain)) % 3))
        inner = text[4 if shift else 0 : len(text) - (4 if (shift + len(plain)) % 3 else 0)]
        found[f"base64+{shift}"] = inner
        found[f"base64url+{shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
        found[f"base32+{shift}"] = base64.b32encode(b"\0" * shift * 5 + plain)[shift * 8 : -8]
    return found


class Canaries:
    """Canaries by what they are planted in. They begin alike, so that one search for their beginning looks for all."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = dict(texts)
        begin = os.path.commonprefix(list(self.texts.values()))  # noqa: RUF071 (letter by letter is what is meant)
        assert len(begin) >= 12
        self._begin = forms(begin)
        self._whole = [(what, form, data) for what, text in self.texts.items() for form, data in forms(text).items()]

    def found(self, haystacks: Mapping[str, bytes]) -> list[str]:
        """Where any canary is, in any form, also in deflated parts."""
        return [
            f"{what} in {place}{inside}"
            for place, data in haystacks.items()
            for inside, part in [("", data), *((f" (deflated at {at})", part) for at, part in inflated(data))]
            for what in self._in(part)
        ]

    def _in(self, data: bytes) -> list[str]:
        begun = [form for form, needle in self._begin.items() if needle in data]
        if not begun:
            return []
        return [f"{what} as {form}" for what, form, needle in self._whole if needle in data] or [f"some as {begun}"]

    def missing(self, data: bytes) -> list[str]:
        """Which canaries are not in this text: the control."""
        return [what for what, text in self.texts.items() if text.encode() not in data]


def inflated(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Parts of the data that zlib or gzip can read, by where they begin."""
    for magic in _DEFLATED:
        at = data.find(magic)
        while at >= 0:
            opened = zlib.decompressobj(wbits=47)
            try:
                part = opened.decompress(data[at : at + _MOST], _MOST)
            except zlib.error:
                part = b""
            if len(part) > 8:
                yield at, part
            at = data.find(magic, at + 1)


def files(*folders: Path) -> dict[str, bytes]:
    """The bytes of all files below, and their names."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(folder.parent))
            found[name] = name.encode("utf-8", "surrogateescape") + b"\n"
            if path.is_file():
                found[name] += path.read_bytes()
    return found


def samples(canary: str) -> dict[str, bytes]:
    """The canary between other bytes, in the ways that a search has to see through."""
    plain = b"before " + canary.encode() + b" after"
    return {
        "plain": plain,
        "zlib": b"junk" + zlib.compress(plain * 3) + b"junk",
        "gzip": gzip.compress(plain * 3),
        "base64": base64.b64encode(plain),
        "base64 of json": base64.b64encode(json.dumps({"x": canary}).encode()),
        "utf-16": plain.decode().encode("utf-16"),
        "hex": plain.hex().encode(),
        "not bz2": bz2.compress(plain),
    }
