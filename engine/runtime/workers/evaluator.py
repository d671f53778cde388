"""The process that evaluates what is too much for a turn: without keys, files or a network, until its stdin ends.

A job is one pickle on stdin, `(plan's number, its document or None, snapshot, values)`; the answer is one on stdout.
Values that are stored elsewhere stay names in it (`Elsewhere`). What comes back is read with a list of the few classes
that it may name.
"""

from __future__ import annotations

import pickle
import resource
import signal
import sys
from decimal import Decimal
from typing import Any, BinaryIO, Final

from ...cloud import parse
from ...kernel import Plan, build
from ...kernel.cloud.external_evaluation import Missing, Packed, evaluate

CONTENT, GIVEN, MISSING = 1, 2, 3
"""What an answer begins with: nothing that an evaluation gives looks like it."""

_CLASSES: Final = {("decimal", "Decimal"): Decimal}


class Elsewhere:
    """Stands for a value that is stored apart: the number it has in the job, and its size."""

    is_elsewhere = True

    def __init__(self, number: int, size: int) -> None:
        self.number = number
        self.size = size

    def __reduce__(self) -> tuple[Any, ...]:
        return Elsewhere, (self.number, self.size)


class Writer(pickle.Pickler):
    """Writes a job: names of stored values become numbers, and are kept in `names`."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, 5)
        self.names: list[Any] = []

    def reducer_override(self, value: Any) -> Any:
        """See `pickle.Pickler`. It is asked of no plain value."""
        if not isinstance(value, type | Elsewhere) and getattr(value, "is_elsewhere", False):
            self.names.append(value)
            return Elsewhere, (len(self.names) - 1, value.size)
        return NotImplemented


class Reader(pickle.Unpickler):
    """Reads an answer: plain values, numbers with a decimal point, and names of stored values. Nothing else."""

    def __init__(self, file: BinaryIO, names: list[Any]) -> None:
        super().__init__(file)
        self._names = names

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler`."""
        if (module, name) == (Elsewhere.__module__, Elsewhere.__name__):
            return lambda number, size: self._names[number]
        if (module, name) in _CLASSES:
            return _CLASSES[module, name]
        raise pickle.UnpicklingError(f"an evaluation gave a {module}.{name}")


def main() -> None:
    """Do jobs until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the engine, which ends this process
    for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(kind, (most, most))
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    plans: dict[int, Plan] = {}
    while True:
        try:
            number, document, snapshot, values = pickle.load(source)  # noqa: S301 (the engine writes it)
        except EOFError:
            return
        if document is not None:
            definition, dialect, pointer = document
            plans[number] = build(parse(definition, dialect=dialect, pointer=pointer))
        found = evaluate(plans[number], Packed(snapshot, values))
        answer = (MISSING, found.at) if isinstance(found, Missing) else (GIVEN, found)
        pickle.Pickler(sink, 5).dump(answer)
        sink.flush()
