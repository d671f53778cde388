"""What `sealflow.storage` exports, and what its error tree promises."""

from __future__ import annotations

from pkgutil import iter_modules

import sealflow.storage as storage
from sealflow.storage import errors


def test_everything_promised_is_there() -> None:
    assert [name for name in storage.__all__ if not hasattr(storage, name)] == []
    assert storage.__all__ == sorted(storage.__all__)


def test_no_name_of_the_face_is_that_of_a_file() -> None:
    """Names are loaded when they are first used; a file of the same name would be taken for what is in it."""
    files = {module.name for module in iter_modules(storage.__path__)}
    assert files.isdisjoint(storage.__all__)


def test_every_error_is_exported_with_a_code_of_its_own() -> None:
    tree = [
        error for error in vars(errors).values() if isinstance(error, type) and issubclass(error, errors.StorageError)
    ]
    assert {error.__name__ for error in tree} <= set(storage.__all__)
    assert [error.code for error in tree] == [error.__name__ for error in tree]


def test_an_error_says_what_to_do() -> None:
    error = errors.StoreFull("full")
    assert (error.code, error.message, str(error)) == ("StoreFull", "full", "full")
    assert error.hint
    assert errors.StoreFull("full", hint="other").hint == "other"
