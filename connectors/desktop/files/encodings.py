"""The encodings that file actions offer, by the names of their enumerations."""

from __future__ import annotations

import codecs
from typing import Final

from ..fault import Fault

# Name of the enumeration's value: codec, and the mark that a new file begins with.
_ENCODINGS: Final[dict[str, tuple[str, bytes]]] = {
    "utf8": ("utf-8", codecs.BOM_UTF8),
    "utf8nobom": ("utf-8", b""),
    "unicode": ("utf-16-le", codecs.BOM_UTF16_LE),
    "unicodenobom": ("utf-16-le", b""),
    "bigendianunicode": ("utf-16-be", codecs.BOM_UTF16_BE),
    "ascii": ("ascii", b""),
    "systemdefault": ("utf-8", b""),
    "defaultencoding": ("utf-8", b""),
    "default": ("utf-8", b""),
}
_OTHER_SPELLINGS: Final = {
    "utf8withoutbom": "utf8nobom",
    "utf8nobyteordermark": "utf8nobom",
    "unicodewithoutbom": "unicodenobom",
    "unicodenobyteordermark": "unicodenobom",
    "unicodebigendian": "bigendianunicode",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _known(name: str) -> tuple[str, bytes]:
    plain = name.rsplit(".", 1)[-1].replace("-", "").replace("_", "").casefold()
    found = _ENCODINGS.get(_OTHER_SPELLINGS.get(plain, plain))
    if found is None:
        raise Fault("ArgumentTypeError", f"'{name}' is no encoding that files are written in here.")
    return found


def decoded(data: bytes, name: str) -> str:
    """The text of a file. A byte order mark says more than `name`. Bytes that are none of the encoding are replaced."""
    for mark, codec in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(codec, "replace")
    return data.decode(_known(name)[0], "replace")


def encoded(text: str, name: str, *, first: bool) -> bytes:
    """The bytes of a text; with the encoding's byte order mark if it is the `first` of its file."""
    codec, mark = _known(name)
    return (mark if first else b"") + text.encode(codec, "replace")
