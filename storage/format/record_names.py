"""What an error says of a row that does not open: which one it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import NotARecord


@contextmanager
def named(what: str) -> Iterator[None]:
    """Errors of a record that is none say of what it is. Raises NotARecord."""
    try:
        yield
    except NotARecord as error:
        raise NotARecord(f"{what}: {error.message[:1].lower()}{error.message[1:]}") from error
