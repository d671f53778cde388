"""Functions as the compiler sees them: a record for each, families that collect them, a table that finds them by name.

No function is implemented here, and nothing here knows what an action, a variable or a run is.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import ExpressionError

# Functions of the designer's own list (Azure/LogicAppsUX, templatefunctions.ts) that no document describes: names and
# arguments are the designer's, the rules .NET's.
DESIGNER = "undocumented; known from the designer"

# Implementations differ in their parameters, so this one place is untyped: arguments and result are JSON values.
Implementation = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Function:
    """One function of the language.

    `implementation` takes plain JSON values in the order of the arguments. With `clock` its first parameter is the
    time of the evaluation, text like `2026-01-02T03:04:05.0000000Z`; with `random` it is a source `Callable[[int],
    bytes]`. Neither is counted in `minimum` and `maximum`. `maximum` None: any number of arguments.

    Dates are texts between functions, but need not become texts inside of one expression: the first `times` arguments
    may also be given as moments, and `moment` gives the moment that the result of a call without a format stands for.
    """

    name: str
    implementation: Implementation
    minimum: int
    maximum: int | None
    clock: bool = False
    random: bool = False
    times: int = 0
    moment: Implementation | None = None
    source: str = ""

    @property
    def rule(self) -> str:
        """What the function does, in a sentence or two; `source` says where that is written."""
        return " ".join((self.implementation.__doc__ or "").split())

    @property
    def pure(self) -> bool:
        """Whether equal arguments always give an equal result, so that a call on literals may be folded."""
        return not (self.clock or self.random)

    def accepts(self, count: int) -> bool:
        """Whether the function can be called with `count` arguments."""
        return count >= self.minimum and (self.maximum is None or count <= self.maximum)

    def wrong_count(self, count: int, *, position: int | None = None) -> ExpressionError:
        """The error for a call with `count` arguments."""
        return ExpressionError(
            f"The template language function '{self.name}' expects {self._expected()}. "
            f"The function was invoked with {_parameters(count)}.",
            hint=f"Please see https://aka.ms/logicexpressions#{self.name} for usage details.",
            position=position,
        )

    def check_count(self, count: int, *, position: int | None = None) -> None:
        """Raise ExpressionError unless the function can be called with `count` arguments."""
        if not self.accepts(count):
            raise self.wrong_count(count, position=position)

    def _expected(self) -> str:
        if self.maximum is None:
            return f"at least {_parameters(self.minimum, words=True)}"
        if self.maximum == self.minimum:
            return _parameters(self.minimum, words=True)
        return f"{self.minimum} to {_parameters(self.maximum)}"


def _parameters(count: int, *, words: bool = False) -> str:
    number = _WORDS[count] if words and count < len(_WORDS) else str(count)
    return f"{number} parameter{'' if count == 1 else 's'}"


_WORDS = ("no", "one", "two", "three", "four")


class Family:
    """A family of functions: what one file of `functions/` registers. `source` is the document of their rules."""

    def __init__(self, name: str, source: str = "") -> None:
        self.name = name
        self.source = source
        self.functions: list[Function] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its functions, as they are spelled."""
        return tuple(function.name for function in self.functions)

    def load(self) -> Family:
        """Itself: it is loaded already, which a `LateFamily` is not."""
        return self

    def function(
        self,
        name: str,
        minimum: int,
        maximum: int | None = -1,
        *,
        clock: bool = False,
        random: bool = False,
        times: int = 0,
        moment: Implementation | None = None,
        aliases: tuple[str, ...] = (),
        source: str = "",
    ) -> Callable[[Implementation], Implementation]:
        """Register the decorated implementation as `name` (and `aliases`), for `minimum` to `maximum` arguments.

        Without `maximum` the count is exactly `minimum`; `maximum=None` means any number. `source` replaces the
        family's.
        """
        highest = minimum if maximum == -1 else maximum
        origin = source or self.source

        def register(implementation: Implementation) -> Implementation:
            for each in (name, *aliases):
                self.functions.append(
                    Function(each, implementation, minimum, highest, clock, random, times, moment, origin)
                )
            return implementation

        return register


@dataclass(frozen=True, slots=True)
class LateFamily:
    """A family whose functions are known by name, and loaded when one of them is asked for."""

    names: tuple[str, ...]
    load: Callable[[], Family]


class FunctionTable(Mapping[str, Function]):
    """Functions by name, ignoring case."""

    def __init__(self, families: Iterable[Family | LateFamily]) -> None:
        self._families: dict[str, Family | LateFamily] = {}
        self._spelled: dict[str, str] = {}
        self._functions: dict[str, Function] = {}
        for family in families:
            for name in family.names:
                if name.lower() in self._spelled:
                    raise ValueError(f"the function {name} is defined twice")
                self._spelled[name.lower()] = name
                self._families[name.lower()] = family

    def __getitem__(self, name: str) -> Function:
        key = name.lower()
        if key not in self._functions:
            loaded = self._families[key].load()
            self._functions |= {function.name.lower(): function for function in loaded.functions}
        return self._functions[key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._spelled

    def __iter__(self) -> Iterator[str]:
        """The names, lower-cased."""
        return iter(self._spelled)

    def __len__(self) -> int:
        return len(self._spelled)

    def nearest(self, name: str, others: Iterable[str] = ()) -> str | None:
        """The documented spelling of the function most like `name`, looking at `others` (context functions) too."""
        spelled = dict(self._spelled)
        spelled.update((other.lower(), other) for other in others)
        # Long names are cut: similarity is quadratic in the length and a name comes from untrusted text.
        found = difflib.get_close_matches(name[:80].lower(), spelled, n=1, cutoff=0.6)
        return spelled[found[0]] if found else None

    def unknown(self, name: str, others: Iterable[str] = (), *, position: int | None = None) -> ExpressionError:
        """The error for a name that is no function."""
        nearest = self.nearest(name, others)
        return ExpressionError(
            f"The template function '{name}' is not defined or not valid.",
            hint=f"Did you mean '{nearest}'?" if nearest else "See the list of functions of the expression language.",
            position=position,
        )
