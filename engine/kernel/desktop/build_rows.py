"""Builds the rows of one subflow that hold no others: assignments, actions, calls, jumps; and the rules of handlers.

Where the rules of a handler go on, and how many frames stand around a row, is worked out here, so that the machine only
follows numbers. What holds other rows is in `script_build`.

Source: desktop flows, "Flow control actions" (Go to, since version 2.46: a label may stand anywhere in the subflow but
inside of a loop or an error block that the GOTO is not in).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ...desktop.actions import pure_action
from ...desktop.catalog import ActionSpec, lookup
from ...desktop.expressions.compile import Evaluate, compile_expression, compile_target, compile_truth, names_in
from ...desktop.syntax import tree as syntax
from ...errors import DefinitionError
from ..contract.operations import Operation
from .plan import (
    ACTION,
    ASK,
    CALL,
    DELAY,
    EXIT,
    FINISH,
    HANDLED,
    JUMP,
    LAST_ERROR,
    NEXT,
    OUTSIDE,
    PASS,
    REPEAT,
    RETHROW,
    RETRIED_CALL,
    RETURN,
    SET,
    THROW,
    Handler,
    Instruction,
    ScriptPlan,
)

MAIN: Final = "Main"
THROW_CUSTOM: Final = "flowcontrol.throwcustomerror"
_RULES: Final = {"throw": (RETHROW, "Throw"), "next": (NEXT, "NextAction"), "repeat": (REPEAT, "Repeat")}


@dataclass(slots=True)
class Loop:
    """Where NEXT LOOP and EXIT LOOP of the loop around a row go; `exits` are patched when its end is known."""

    depth: int
    inside: int
    nexts: list[Instruction] = field(default_factory=list)
    exits: list[Instruction] = field(default_factory=list)


@dataclass(slots=True)
class LabelPlace:
    """Where a label stands, and in which loops and blocks."""

    pc: int
    depth: int
    around: tuple[int, ...]


class Rows:
    """Builds one subflow: the rows of its body, the rules of its handlers, its jumps."""

    def __init__(
        self,
        plan: ScriptPlan,
        subflow: str,
        main: bool,
        names: set[str],
        calls: list[tuple[Instruction, str, syntax.Place]],
    ) -> None:
        self.plan = plan
        self.scope = plan.scope
        self.subflow = subflow
        self.main = main
        self.names = names
        self.calls = calls
        self.depth = 0
        self.around: tuple[int, ...] = ()
        self.loops: list[Loop] = []
        self.labels: dict[str, LabelPlace] = {}
        self.gotos: list[tuple[Instruction, str, syntax.Place, tuple[int, ...]]] = []
        self.handlers: list[tuple[Handler, tuple[syntax.Section, ...], int, tuple[int, ...]]] = []

    # --- rows

    def emit(self, op: int, word: str, index: int, place: syntax.Place, module: str = "") -> Instruction:
        ins = Instruction(len(self.plan.nodes), op, self.subflow, index, str(place), self.depth, word)
        ins.module = module
        self.plan.nodes.append(ins)
        return ins

    @property
    def here(self) -> int:
        return len(self.plan.nodes)

    def expression(self, tree: syntax.Expression, *readers: Instruction) -> Evaluate:
        for each in readers:
            each.reads = each.reads | names_in(tree)
        return compile_expression(tree, self.scope)

    def body(self, statements: Iterable[syntax.Statement]) -> None:
        for statement in statements:
            if not statement.disabled:
                self.statement(statement)

    def statement(self, statement: syntax.Statement) -> None:
        """Build one statement with what stands in it."""
        raise NotImplementedError

    def finish(self) -> None:
        """What stands behind the last row: the end of the subflow, then the rules of its handlers; then what jumps."""
        place = syntax.Place(0, 0)
        self.emit(FINISH if self.main else RETURN, "End", 0, place)
        while self.handlers:
            handler, sections, depth, around = self.handlers.pop(0)
            self.depth, self.around, self.loops = depth, around, []
            for section in sections:
                handler.sections.append(((section.error or "").lower(), self.here))
                for rule in section.rules:
                    if not rule.disabled:
                        self._rule(rule)
                self.emit(HANDLED, "End", 0, section.place)
        for ins, name, where, around in self.gotos:
            target = self.labels.get(name.lower())
            if target is None:
                raise fault("UnknownLabel", f"There is no label '{name}' in the subflow '{self.subflow}'.", where)
            if around[: len(target.around)] != target.around:
                raise fault("LabelOutOfScope", f"The label '{name}' stands inside of a loop or a block.", where)
            ins.jump, ins.depth = target.pc, target.depth

    def _rule(self, rule: syntax.Rule) -> None:
        at = (rule.index, rule.place)
        if rule.kind == "set":
            assert rule.target is not None  # noqa: S101
            assert rule.value is not None  # noqa: S101
            self._assign(rule.target, rule.value, *at)
        elif rule.kind == "call":
            self._call(rule.name, None, *at)
        elif rule.kind == "goto":
            self._goto(rule.name, *at)
        else:
            op, word = _RULES[rule.kind]
            self.emit(op, word, *at, "FlowControl")

    def handler(self, ins: Instruction, on_error: syntax.OnError | None, kind: str, after: int) -> None:
        if on_error is None:
            return
        handler = Handler(kind, [], after, ins.pc)
        if on_error.times is not None:
            handler.times = self.expression(on_error.times)
            if on_error.interval is not None:
                handler.interval = self.expression(on_error.interval)
        ins.handler = handler
        self.handlers.append((handler, on_error.sections, self.depth, self.around))

    # --- statements

    def set(self, row: syntax.Set) -> None:
        self._assign(row.target, row.value, row.index, row.place)

    def _assign(self, target: syntax.Expression, value: syntax.Expression, index: int, place: syntax.Place) -> None:
        ins = self.emit(SET, "SetVariable", index, place, "Variables")
        ins.title = "Set variable"
        ins.slot, ins.variable, ins.target = compile_target(target, self.scope)
        ins.value = self.expression(value, ins)
        ins.arguments = (("value", ins.value),)
        if isinstance(value, syntax.Name):
            ins.sources = {"value": value.name}
        ins.after = ins.next
        if isinstance(value, syntax.Name) and not ins.target:
            ins.alias = value.name.lower()

    def action(self, row: syntax.Action) -> Instruction:
        return self.build_action(row, row.index, row.place, row.on_error)

    def build_action(
        self, row: syntax.Action, index: int, place: syntax.Place, on_error: syntax.OnError | None, op: int = 0
    ) -> Instruction:
        spec = lookup(row.id)
        id = spec.id if spec is not None else row.id
        module, _, name = id.partition(".")
        ins = self.emit(op or OUTSIDE, name.split(".")[0], index, place, module)
        ins.title = spec.name if spec is not None else ""
        ins.arguments = tuple((name.lstrip("@"), self.expression(tree, ins)) for name, tree in row.arguments)
        ins.outputs = tuple(
            (output.lstrip("@").lower(), name.lower(), self.scope.place(name)) for output, name in row.outputs
        )
        ins.labels = {output.lstrip("@").lower(): _spelled(spec, output) for output, _ in row.outputs}
        ins.sources = {name.lstrip("@"): tree.name for name, tree in row.arguments if isinstance(tree, syntax.Name)}
        ins.after = ins.next
        if id.lower() == THROW_CUSTOM:
            ins.op = THROW
            ins.arguments = _in_order(ins.arguments, ("customerrorcode", "customerrormessage"), place)
            return ins
        pure = pure_action(id)
        if pure is None:
            ins.operation = Operation(
                "connector", f"desktop.{module.lower()}", id, False, frozenset(), {}, self._fixed(row)
            )
            in_place = spec.arguments if spec is not None and spec.arguments is not None else ()
            ins.outputs += self._changed(tuple(each.name for each in in_place if each.in_place), row)
        elif op == ASK:
            raise fault("InvalidCondition", f"'{id}' does not answer yes or no.", place)
        else:
            ins.op, ins.action = ACTION, pure
            ins.outputs += self._changed(pure.changes, row)
        self.handler(ins, on_error, "action", ins.next)
        return ins

    def _changed(self, changes: tuple[str, ...], row: syntax.Action) -> tuple[tuple[str, str, int], ...]:
        """The arguments that are changed in place, as outputs into the variables that were given."""
        given = {name.lower(): tree for name, tree in row.arguments}
        found = []
        for name in changes:
            tree = given.get(name.lower())
            if isinstance(tree, syntax.Name):
                found.append((name.lower(), tree.name.lower(), self.scope.place(tree.name)))
            elif tree is not None:
                raise fault("NotAVariable", f"'{name}' of '{row.id}' has to be a variable: it is changed.", row.place)
        return tuple(found)

    def _fixed(self, row: syntax.Action) -> dict[str, Any]:
        """What an action needs of the flow's UI elements and images; it is not recorded."""
        kinds = {tree.repository for _, tree in row.arguments if isinstance(tree, syntax.Element)}
        repositories = self.plan.script.repositories
        return {f"${kind}": repositories[kind] for kind in sorted(kinds) if kind in repositories}

    def call(self, row: syntax.CallSubflow) -> None:
        self._call(row.name, row.on_error, row.index, row.place)

    def _call(self, name: str, on_error: syntax.OnError | None, index: int, place: syntax.Place) -> None:
        if name.lower() not in self.names:
            raise fault("UnknownSubflow", f"There is no subflow '{name}'.", place)
        retried = on_error is not None and on_error.times is not None
        ins = self.emit(RETRIED_CALL if retried else CALL, "RunSubflow", index, place, "FlowControl")
        ins.title, ins.variable, ins.after = "Run subflow", name, ins.next
        self.calls.append((ins, name, place))
        self.handler(ins, on_error, "call", ins.next)

    def wait(self, row: syntax.Wait) -> None:
        ins = self.emit(DELAY, "Wait", row.index, row.place, "FlowControl")
        ins.title, ins.after = "Wait", ins.next
        ins.value = self.expression(row.seconds, ins)
        ins.arguments = (("duration", ins.value),)
        self.handler(ins, row.on_error, "action", ins.next)

    def wait_for(self, row: syntax.WaitFor) -> None:
        ins = self.build_action(row.condition, row.index, row.place, row.on_error, ASK)
        ins.word, ins.title, ins.jump = "Wait", "Wait", ins.pc
        if row.timeout is not None:
            ins.deadline = self.expression(row.timeout, ins)

    def label(self, row: syntax.Label) -> None:
        ins = self.emit(PASS, "Label", row.index, row.place, "FlowControl")
        ins.title = "Label"
        if row.name.lower() in self.labels:
            raise fault("DuplicateLabel", f"There are two labels '{row.name}' in the subflow.", row.place)
        self.labels[row.name.lower()] = LabelPlace(ins.pc, self.depth, self.around)

    def goto(self, row: syntax.Goto) -> None:
        self._goto(row.name, row.index, row.place)

    def _goto(self, name: str, index: int, place: syntax.Place) -> None:
        ins = self.emit(JUMP, "GoTo", index, place, "FlowControl")
        ins.title = "Go to"
        self.gotos.append((ins, name, place, self.around))

    def exit_subflow(self, row: syntax.ExitSubflow) -> None:
        if self.main and self.plan.script.kind == "clipboard":
            self.emit(FINISH, "ExitSubflow", row.index, row.place, "FlowControl")  # it may be the text of a subflow
            return
        if self.main:
            raise fault("ExitInMain", "'EXIT FUNCTION' stands in the main subflow.", row.place)
        self.emit(RETURN, "ExitSubflow", row.index, row.place, "FlowControl")

    def exit(self, row: syntax.Exit) -> None:
        ins = self.emit(EXIT, "StopFlow", row.index, row.place, "FlowControl")
        ins.title = "Stop flow"
        given = (("code", row.code), ("message", row.message))
        ins.arguments = tuple((name, self.expression(tree, ins)) for name, tree in given if tree is not None)
        ins.after = ins.next

    def last_error(self, row: syntax.LastError) -> None:
        ins = self.emit(LAST_ERROR, "GetLastError", row.index, row.place, "FlowControl")
        ins.title, ins.after = "Get last error", ins.next
        ins.slot, ins.variable = self.scope.place(row.variable), row.variable.lower()
        if row.reset is not None:
            ins.reset = compile_truth(row.reset, self.scope)
            ins.reads = names_in(row.reset)

    def remark(self, row: syntax.Remark) -> None:
        """Comments and regions leave nothing."""


def _spelled(spec: ActionSpec | None, output: str) -> str:
    """An output as the catalogue spells it, else as it is written."""
    known = spec.output(output) if spec is not None else None
    return known.name if known is not None else output.lstrip("@")


def _in_order(
    arguments: tuple[tuple[str, Evaluate], ...], names: tuple[str, ...], place: syntax.Place
) -> tuple[tuple[str, Evaluate], ...]:
    given = {name.lower(): work for name, work in arguments}
    missing = [name for name in names if name not in given]
    if missing:
        raise fault("MissingArgument", f"The argument '{missing[0]}' is missing.", place)
    return tuple((name, given[name]) for name in names)


def fault(code: str, message: str, place: syntax.Place) -> DefinitionError:
    """A definition that cannot run, with its line and column."""
    return DefinitionError(message, at=str(place), code=code)
