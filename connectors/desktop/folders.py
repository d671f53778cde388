"""Which files a desktop flow can see: the folders that an administrator allowed, under the names the script knows.

Scripts name files as Windows does - `C:\\Data\\a.txt`, `\\\\server\\share\\a.txt` - or as this system does. Drives and
shares are mapped to folders; everything else is a path of this system. Whatever a path goes through - links, `..` - it
has to end in an allowed folder.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .fault import Fault

DENIED: Final = "AccessDeniedError"

_LONGEST: Final = 255
"""Bytes that one name in a path may have, here as on Windows."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A folder that may be read, and written to if `write`."""

    path: Path
    write: bool = True


class Folders:
    """The allowed folders and the mapping of drives (`C:`) and shares (`\\\\server\\share`) to folders.

    With nothing allowed there is nothing to see. `working` is where relative paths begin.
    """

    def __init__(
        self, allowed: tuple[Allowed, ...] = (), mapping: Mapping[str, Path] | None = None, working: Path | None = None
    ) -> None:
        self._allowed = tuple(Allowed(Path(os.path.realpath(each.path)), each.write) for each in allowed)
        self._mapping = {_key(name): Path(os.path.realpath(path)) for name, path in (mapping or {}).items()}
        self.working = working

    def resolve(self, text: str, *, write: bool = False) -> Path:
        """The real path of what a script names. Raises Fault AccessDeniedError, InvalidPathError.

        Where the last part is a link it is followed; the path need not exist.
        """
        return self.checked(self._placed(text), write=write, named=text)

    def checked(self, path: Path, *, write: bool = False, named: str = "") -> Path:
        """The real path of a path of this system, such as a file that was found in a folder. Raises as `resolve`.

        Of allowed folders that lie in one another the inner one says whether it may be written to.
        """
        try:
            os.fsencode(path)
            real = Path(os.path.realpath(path))
        except (UnicodeError, ValueError):
            raise Fault("InvalidPathError", "The path holds characters that no name of a file has.") from None
        if any(len(os.fsencode(part)) > _LONGEST for part in real.parts):
            raise Fault("InvalidPathError", f"A name in the path has more than {_LONGEST} bytes.")
        around = [each for each in self._allowed if real == each.path or each.path in real.parents]
        inner = max(around, key=lambda each: len(each.path.parts), default=None)
        if inner is not None and (inner.write or not write):
            return real
        text = named or self.shown(path)
        kind = "write to" if write else "see"
        raise Fault(
            DENIED,
            f"This environment's desktop flows may not {kind} '{text}'.",
            hint="An administrator can allow a folder: sealflow env permissions set ENV --folder PATH.",
        )

    def around(self, path: Path) -> Path:
        """The outermost allowed folder that a real path is in. Raises Fault AccessDeniedError."""
        found = [each.path for each in self._allowed if path == each.path or each.path in path.parents]
        if not found:
            raise Fault(DENIED, f"This environment's desktop flows may not see '{self.shown(path)}'.")
        return min(found, key=lambda each: len(each.parts))

    def holds(self, path: Path) -> bool:
        """Whether a folder has an allowed one somewhere inside: whatever is done with it whole is done to that too."""
        return any(path in each.path.parents for each in self._allowed)

    def shown(self, path: Path) -> str:
        """The path as the script would write it: with its drive or share where one is mapped to it."""
        known = [(name, folder) for name, folder in self._mapping.items() if path == folder or folder in path.parents]
        if not known:
            return str(path)
        name, folder = max(known, key=lambda each: len(each[1].parts))
        return (name.upper() if len(name) == len("C:") else name) + "\\" + "\\".join(path.relative_to(folder).parts)

    def _placed(self, text: str) -> Path:
        if not text or "\0" in text:
            raise Fault("InvalidPathError", "A path must not be empty, nor hold a null character.")
        name = text.replace("/", "\\")
        if name.startswith("\\\\"):
            return self._mapped("\\".join(name.split("\\")[:4]), name, text)
        if len(name) > 1 and name[1] == ":":
            return self._mapped(name[:2], name, text)
        if text.startswith("/") or name.startswith("\\"):
            return Path(text.replace("\\", "/"))
        if self.working is None:
            raise Fault("InvalidPathError", f"'{text}' is no full path.")
        return self.working / name.replace("\\", "/")

    def _mapped(self, root: str, name: str, text: str) -> Path:
        folder = self._mapping.get(_key(root))
        if folder is None:
            raise Fault(
                DENIED,
                f"'{root}' of '{text}' is no folder that this environment's desktop flows know.",
                hint=f"An administrator can map it: sealflow env permissions set ENV --map '{root}=PATH'.",
            )
        return folder / name[len(root) :].lstrip("\\").replace("\\", "/")


def _key(name: str) -> str:
    return name.replace("/", "\\").rstrip("\\").casefold()
