"""A script driven by a test, event by event, without any runtime."""

from __future__ import annotations

from typing import Any

from sealflow.engine.datatypes import plain
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.commands import Command
from sealflow.engine.kernel.contract.records import Record
from sealflow.engine.kernel.desktop import decide as script
from sealflow.engine.kernel.desktop.build import build_script
from sealflow.engine.kernel.desktop.history import ScriptHistory
from sealflow.engine.kernel.desktop.interface import start_value
from sealflow.engine.kernel.desktop.plan import ScriptPlan
from sealflow.engine.kernel.desktop.state import ScriptState

NOW = 17_000_000_000_000_000
SECOND = 10_000_000


def plan_of(text: str) -> ScriptPlan:
    """The plan of a script, which has to be without errors."""
    reading = parse(text, kind="solution")
    assert reading.ok, [problem.message for problem in reading.problems]
    return build_script(reading.script)


class ScriptRun:
    """A run that has started; `records` and `commands` are all that came of it so far."""

    def __init__(
        self,
        plan: ScriptPlan | str,
        inputs: dict[str, Any] | None = None,
        *,
        history: ScriptHistory | None = None,
        room: int | None = None,
        start: bool = True,
        **pins: Any,
    ) -> None:
        self.plan = plan_of(plan) if isinstance(plan, str) else plan
        self.state = ScriptState(self.plan, history)
        self.state.room = room
        self.records: list[Record] = []
        self.commands: list[Command] = []
        if start:
            pins = {"seed": bytes(32), "revision": script.SCRIPT_REVISION, **pins}
            self.feed(event.start(NOW, start_value(self.plan, inputs or {}), pins))

    def feed(self, happened: Record) -> list[Record]:
        """Take an event in; the records that came of it."""
        made, commands = script.decide(self.plan, self.state, happened)
        self.records += made
        if made or commands:
            self.commands = commands
        return made

    def to_the_end(self) -> ScriptRun:
        """Tick and go on as long as the run asks for nothing else."""
        while script.needs_tick(self.state) or script.unfinished(self.state):
            self.feed(event.resume() if script.unfinished(self.state) else event.tick(self.state.now))
        return self

    def answer(self, body: Any = None, *, status: int = 1, code: str = "OK", message: str = "") -> list[Record]:
        """Answer the call that is under way."""
        (command,) = self.commands
        error = {"code": code, "message": message} if status != 1 else None
        outputs = {"statusCode": 200, "headers": {}, "body": body} if status == 1 else None
        place = (command.node.index, command.it, command.attempt)
        return self.feed(event.result(*place, self.state.now, status, code, outputs, error))

    def __getitem__(self, name: str) -> Any:
        return plain(self.state.slots[self.plan.scope.places[name.lower()]])
