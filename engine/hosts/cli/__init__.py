"""The command line: `sealflow run|check|eval|runs|flow|env|replay`.

Each family of commands has a file; they reach the engine through `hosts.embedded` alone. This file stays empty of
imports, so that asking for the entry point costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Without `arguments` it is the command of this process, which leaves no
    core files from here on.
    """
    from .app import execute

    if arguments is None:
        from ..core_files import disable_core_files

        disable_core_files()
    return execute(arguments)


__all__ = ["main"]
