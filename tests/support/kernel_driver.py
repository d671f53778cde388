"""Drives the kernel as a host would, with a virtual clock and the test's answers; every run is folded and replayed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sealflow.engine import kernel
from sealflow.engine.cloud import parse
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import NAMES

START = 17_000_000_000_000_000
SECOND = 10_000_000
Answer = tuple[int, str, Any, dict[str, Any] | None]

SUCCEEDED = ["Succeeded"]


def ok(outputs: Any = None) -> Answer:
    return 1, "OK", outputs if outputs is not None else {"statusCode": 200, "headers": {}, "body": {}}, None


def failing(code: int, **headers: str) -> Answer:
    outputs = {"statusCode": code, "headers": headers, "body": None}
    return 2, str(code), outputs, {"code": str(code), "message": "no"}


class Driver:
    """One run of a definition. `answer(command, number)` gives the outcome of each call, None where it never ends.

    `parameters` are values, `declared` the definition's parameters.
    """

    def __init__(
        self,
        actions: dict[str, Any],
        *,
        dialect: str = "auto",
        answer: Callable[[Any, int], Answer | None] | None = None,
        trigger: dict[str, Any] | None = None,
        parameters: dict[str, Any] | None = None,
        pins: dict[str, Any] | None = None,
        check: bool = True,
        declared: Any = None,
        **definition: Any,
    ) -> None:
        self.definition = {
            "triggers": {"manual": trigger or {"type": "Request", "kind": "Http"}},
            "actions": actions,
            "parameters": declared,
            **definition,
        }
        self.plan = kernel.build(parse(self.definition, dialect=dialect))  # type: ignore[arg-type]
        self.history = kernel.History(self.plan)
        self.state = kernel.State(self.plan, self.history)
        self.records: list[Any] = []
        self.calls: list[tuple[str, int, Any]] = []
        self.sleeps: list[tuple[str, int]] = []
        self.listening: list[tuple[str, int | None]] = []
        self.responses: list[Any] = []
        self.abandoned: list[str] = []
        self.turns = 0
        self.now = START
        self._answer = answer or (lambda command, number: ok())
        self._queue: list[Any] = []
        self._check = check
        self.pins = {
            "seed": b"\x07" * 32,
            "parameters": kernel.resolve(self.plan.definition, parameters or {}),
            "workflow": {"name": "test"},
            "run": "run",
            "tracking": "run",
            "caller": True,
            "revision": kernel.REVISION,
            **(pins or {}),
        }

    def feed(self, record: Any) -> None:
        records, commands = kernel.decide(self.plan, self.state, record)
        self.turns += 1
        self.records += records
        self.take(commands)

    def take(self, commands: list[Any]) -> None:
        """Queue what is to be carried out."""
        for command in commands:
            if isinstance(command, kernel.Abandon):
                self.abandoned.append(command.path)
                self._queue = [each for each in self._queue if each.path != command.path]
            elif not isinstance(command, kernel.Expire):  # the state tells as well which limits there are
                self._queue.append(command)

    def start(self, body: Any = None) -> Driver:
        trigger = kernel.fire(self.plan, body, at=self.now, pins=self.pins)[0]
        self.feed(event.start(self.now, trigger, self.pins))
        return self

    def step(self) -> bool:
        """Carry out one command or tick; False when nothing is left to do."""
        if kernel.unfinished(self.state):
            missing = self.state.need
            kernel.supply(self.state, {large.at: self.records[large.seq][large.field] for large in missing})
            self.feed(event.resume())
            return True
        if kernel.needs_tick(self.state):
            self.feed(event.tick(self.now))
            return True
        if not self._queue:
            return self._expire(None)
        command = self._queue[0]
        if self._expire(command.due if isinstance(command, kernel.Sleep) else self.now + SECOND):
            return True
        self._queue.pop(0)
        node, it, attempt = command.node.index, command.it, command.attempt
        if isinstance(command, kernel.Invoke):
            self.calls.append((command.path, attempt, command.inputs))
            self.now += SECOND
            answer = self._answer(command, len(self.calls))
            if answer is not None:
                self.feed(event.result(node, it, attempt, self.now, *answer))
        elif isinstance(command, kernel.Sleep):
            self.sleeps.append((command.path, command.due - self.now))
            self.now = max(self.now, command.due)
            self.feed(event.timer(node, it, attempt, self.now))
        elif isinstance(command, kernel.Listen):
            self.listening.append((command.path, command.deadline))
        else:
            self.responses.append(command.response)
        return True

    def call_back(self, name: str, answer: Answer, it: tuple[int, ...] | None = None) -> Driver:
        """The webhook action of this name is called back."""
        node = self.plan.by_key[name.lower()].index
        entry = self.state.open.get((node, it))
        self.feed(event.callback(node, it, entry.attempt if entry is not None else 1, self.now, *answer))
        return self

    def _expire(self, before: int | None) -> bool:
        """Let the first limit lapse that is due `before` then (None: whenever); False where there is none."""
        first = min(self.state.limits.values(), key=lambda limit: limit.due, default=None)
        if first is None or self.state.end is not None or (before is not None and first.due > before):
            return False
        self.now = max(self.now, first.due)
        self.feed(event.deadline(first.node.index, first.frame.it, 1, self.now))
        return True

    def run(self, body: Any = None) -> Driver:
        if not self.records:
            self.start(body)
        while self.step():
            assert len(self.records) < 2_000_000
        if self._check:
            self.verify()
        return self

    def verify(self) -> None:
        """The history folds to the very state that `decide` left, survives a snapshot, and replays strictly."""
        folded = kernel.State(self.plan)
        for record in self.records:
            kernel.apply(self.plan, folded, kernel.from_stored(_stored(record)))
        assert kernel.dump(folded) == kernel.dump(self.state)
        restored = kernel.restore(self.plan, kernel.dump(self.state))
        assert restored is not None
        assert kernel.dump(restored) == kernel.dump(self.state)
        assert kernel.replay(self.records, self.plan).difference is None

    # ---- what came out

    @property
    def status(self) -> str:
        return NAMES[self.state.end.status] if self.state.end is not None else "Running"

    @property
    def end(self) -> Any:
        assert self.state.end is not None
        return self.state.end

    @property
    def statuses(self) -> dict[str, str]:
        return {entry.path: NAMES[entry.status] for entry in self.history.entries}

    def entry(self, path: str) -> Any:
        return next(entry for entry in self.history.entries if entry.path == path)

    def outputs(self, path: str) -> Any:
        return self.entry(path).outputs


def _stored(record: Any) -> Any:
    """As the codec gives it back: lists for tuples."""
    return [list(part) if isinstance(part, tuple) else part for part in record]


def compose(value: Any, *after: str, on: list[str] | None = None) -> dict[str, Any]:
    action: dict[str, Any] = {"type": "Compose", "inputs": value}
    if after:
        action["runAfter"] = dict.fromkeys(after, on or SUCCEEDED)
    return action


def fail(*after: str, on: list[str] | None = None) -> dict[str, Any]:
    """An action that fails."""
    return compose("@int('no number')", *after, on=on)
