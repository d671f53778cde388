"""What tells a script from other files, and its bytes as text. Nothing of the language is needed for that, and nothing
of it is imported: whoever opens a file asks here before it is known to be a script.
"""

from __future__ import annotations

import codecs
from typing import Final

_ARCHIVE: Final = b"PK\x03\x04"


def decoded(data: bytes) -> str:
    """A script's bytes as text: UTF-8, or UTF-16 with a mark or where every other byte is zero. Never raises."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    sample = data[:200]
    if len(sample) > 3 and sample[1::2].count(0) > len(sample) // 3:
        return data.decode("utf-16-le", "replace")
    if len(sample) > 3 and sample[0::2].count(0) > len(sample) // 3:
        return data.decode("utf-16-be", "replace")
    return data.decode("utf-8-sig", "replace")


def is_script(name: str, data: bytes) -> bool:
    """Whether a file is a script, by its name, or for other names than .json by its first character."""
    lowered = name.lower()
    if lowered.endswith(".robin"):
        return True
    if data.startswith(_ARCHIVE):
        return False
    head = decoded(data[:400]).lstrip()
    return not lowered.endswith(".json") and bool(head) and (head[0].isalpha() or head[0] in "#@*")
