"""Documents that are ZIP packages (.xlsx, .docx): whether one may be unfolded into memory. Nothing of it is read here.

A package's list of contents says how long each part is, and a part is never read beyond that; so the list can be
believed.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

from ..fault import Fault
from ..session import Session

MOST_UNFOLDED: Final = 512 * 1024 * 1024
"""Bytes that the parts of one document may have together."""

_MOST_PARTS: Final = 50_000

_SMALL: Final = 64 * 1024 * 1024
_MOST_RATIO: Final = 400
"""How many times its size a document of more than `_SMALL` may unfold to."""

_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Other methods unfold all at once whatever is read of a part; no program writes documents with them."""


def judge_size(path: Path, session: Session) -> None:
    """Raises Fault FileTooLargeError. What is no package, or not there, passes: opening it says so."""
    try:
        size = path.stat().st_size
        parts: list[zipfile.ZipInfo] = []
        if size <= session.settings.file_bytes and path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as package:
                parts = package.infolist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return
    if size > session.settings.file_bytes:
        raise Fault("FileTooLargeError", f"'{path.name}' has more than {session.settings.file_bytes:,} bytes.")
    unfolded = sum(part.file_size for part in parts)
    if len(parts) > _MOST_PARTS or unfolded > MOST_UNFOLDED:
        raise Fault("FileTooLargeError", f"'{path.name}' unfolds to more than {MOST_UNFOLDED:,} bytes.")
    if unfolded > _SMALL and unfolded > _MOST_RATIO * size:
        raise Fault("FileTooLargeError", f"'{path.name}' unfolds to more than {_MOST_RATIO} times its size.")
    if any(part.compress_type not in _METHODS for part in parts):
        raise Fault("FileTooLargeError", f"'{path.name}' is compressed by a method that documents do not use.")
