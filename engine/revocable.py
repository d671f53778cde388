"""Objects with plain values of an environment that a host may keep. They are emptied when the environment's key is
revoked. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any, ClassVar


class Revocable:
    """The base of a slotted dataclass whose fields `revoke` removes.

    Reading a removed field raises the error of the revocation. Values that the host took out of the object before are
    its own: nothing here reaches them.
    """

    __slots__ = ("__weakref__", "_refusal")

    kept_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold no plain value. They stay."""

    if TYPE_CHECKING:
        _refusal: Callable[[], Exception]

    @property
    def revoked(self) -> bool:
        """Whether the fields were removed."""
        try:
            object.__getattribute__(self, "_refusal")
        except AttributeError:
            return False
        return True

    def __repr__(self) -> str:
        if self.revoked:
            return f"{type(self).__name__}(revoked)"
        shown = (f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(shown)})"

    def revoke(self, refusal: Callable[[], Exception]) -> None:
        """Remove the fields. `refusal` makes the error that reading one raises from now on."""
        object.__setattr__(self, "_refusal", refusal)  # subclasses may be frozen
        for kind in type(self).__mro__:
            if kind is not Revocable:
                for name in kind.__dict__.get("__slots__", ()):
                    if name not in self.kept_fields:
                        with suppress(AttributeError):  # it was revoked before
                            object.__delattr__(self, name)

    if not TYPE_CHECKING:  # to a type checker, every name would be a field

        def __getattr__(self, name: str) -> Any:
            if name != "_refusal" and not name.startswith("__") and self.revoked:
                raise self._refusal()
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
