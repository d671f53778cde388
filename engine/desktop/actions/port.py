"""The port of pure actions: what they are given and what they give back.

A pure action is evaluated inside of the kernel, in one record: it does no I/O, reads no clock and draws no chance but
what it is given. Everything that touches the world is a connector's (`connectors/desktop`).

An action is `PureAction(id, work)`. `work(given)` returns the values of its outputs by name. An argument that is
changed in place (the list of AddItemToList) is an output of the same name: the machine assigns it to the variable that
was given. It raises ActionError with the id of a documented error; a LogicError of a conversion becomes
InvalidArgumentError of the action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeAlias

from ...datatypes import DataTable, Datum
from ..expressions import conversions
from ..expressions.culture import Culture
from ..expressions.errors import ARGUMENT, ActionError, LogicError
from ..expressions.numbers import Number

Outputs: TypeAlias = Mapping[str, Datum]
_MISSING: Final = object()


class Given:
    """The arguments of one action, by name in any case, each as the type that the action wants.

    `now` is the time of the run as a datetime in UTC, `zone` the name of its time zone (IANA), `draw` gives so many
    bytes of chance. A getter without a default raises ActionError where the argument was not given.
    """

    __slots__ = ("_draw", "_values", "culture", "now", "zone")

    def __init__(
        self,
        values: Mapping[str, Datum],
        culture: Culture,
        now: datetime,
        draw: Callable[[int], bytes],
        zone: str = "UTC",
    ) -> None:
        self._values = {name.lower(): value for name, value in values.items()}
        self.culture = culture
        self.now = now
        self.zone = zone
        self._draw = draw

    def draw(self, length: int) -> bytes:
        """So many bytes of chance, other ones at each call."""
        return self._draw(length)

    def has(self, name: str) -> bool:
        """Whether an argument was given."""
        return name.lower() in self._values

    def value(self, name: str, default: Any = _MISSING) -> Datum:
        """An argument as it is."""
        found = self._values.get(name.lower(), default)
        if found is _MISSING:
            raise ActionError(ARGUMENT, f"The argument '{name}' is missing.")
        return found  # type: ignore[no-any-return]

    def text(self, name: str, default: Any = _MISSING) -> str:
        return conversions.to_text(self.value(name, default), self.culture)

    def number(self, name: str, default: Any = _MISSING) -> Number:
        return conversions.to_number(self.value(name, default), self.culture)

    def integer(self, name: str, default: Any = _MISSING) -> int:
        return conversions.to_integer(self.value(name, default), self.culture)

    def boolean(self, name: str, default: Any = _MISSING) -> bool:
        return conversions.to_boolean(self.value(name, default), self.culture)

    def choice(self, name: str, default: Any = _MISSING, *, among: Iterable[str] = ()) -> str:
        """The value of an enumeration, in lower case and without its type. Raises ActionError for one not `among`."""
        word = self.text(name, default).rsplit(".", 1)[-1].lower()
        known = {each.lower() for each in among}
        if known and word not in known:
            raise ActionError(ARGUMENT, f"'{word}' is no value of the argument '{name}'.")
        return word

    def items(self, name: str, default: Any = _MISSING) -> list[Any]:
        """A list; not to be changed. One that was never assigned is empty: published flows rely on it."""
        value = self.value(name, default)
        return [] if value is None else conversions.to_list(value)

    def table(self, name: str, default: Any = _MISSING) -> DataTable:
        return conversions.to_table(self.value(name, default))

    def moment(self, name: str, default: Any = _MISSING) -> datetime:
        return conversions.to_datetime(self.value(name, default), self.culture)


@dataclass(frozen=True, slots=True)
class PureAction:
    """An action by its canonical id. `changes`: the arguments that are changed in place."""

    id: str
    work: Callable[[Given], Outputs]
    changes: tuple[str, ...] = ()

    def run(self, given: Given) -> Outputs:
        """Carry it out. Raises ActionError, and nothing else for whatever it was given."""
        try:
            return self.work(given)
        except LogicError as error:
            raise ActionError(ARGUMENT, error.message) from None


def table_of(actions: Iterable[PureAction]) -> dict[str, PureAction]:
    """Actions by their ids in lower case; what each module of actions exports as ACTIONS."""
    return {action.id.lower(): action for action in actions}
