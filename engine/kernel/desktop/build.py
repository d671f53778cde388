"""From a script to a plan: statements become instructions, names become places, expressions become closures.

Raises DefinitionError, with line and column, for what cannot run; the checker says the same earlier and all at once.
Here are the statements that hold others; the rows in them are built by `script_build_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ...desktop.expressions.compile import compile_truth, names_in
from ...desktop.expressions.scope import Scope
from ...desktop.syntax import tree as syntax
from .build_rows import MAIN, Loop, Rows, fault
from .plan import (
    AGAIN,
    ASK,
    CASE,
    COUNT,
    DEFAULT,
    EACH,
    ENTER,
    JUMP,
    LEAVE,
    PASS,
    SWITCH,
    TEST,
    Handler,
    Instruction,
    ScriptPlan,
)


def build_script(script: syntax.Script) -> ScriptPlan:
    """The plan of a script. Actions have the catalogue's ids; what it does not know keeps its own and is a call."""
    scope = Scope()
    for declared in (*script.inputs, *script.outputs):
        scope.place(declared.name)
    plan = ScriptPlan(script, scope, sensitive=script.sensitive)
    names = {MAIN.lower(), *script.subflows}
    calls: list[tuple[Instruction, str, syntax.Place]] = []
    for subflow in (script.main, *script.subflows.values()):
        main = subflow is script.main
        builder = Builder(plan, MAIN if main else subflow.name, main, names, calls)
        plan.entries[MAIN.lower() if main else subflow.name.lower()] = len(plan.nodes)
        builder.body(subflow.body)
        builder.finish()
    for ins, name, _ in calls:
        ins.jump = plan.entries[name.lower()]
    return plan


class Builder(Rows):
    """Builds one subflow with all that stands in it."""

    def statement(self, statement: syntax.Statement) -> None:
        _STATEMENTS[type(statement)](self, statement)

    def _condition(self, condition: syntax.Condition | None, word: str, index: int, place: syntax.Place) -> Instruction:
        if isinstance(condition, syntax.Action):
            return self.build_action(condition, index, place, condition.on_error, ASK)
        ins = self.emit(TEST, word, index, place, "Loops" if word == "LoopCondition" else "Conditionals")
        assert condition is not None  # noqa: S101
        ins.condition = compile_truth(condition, self.scope)
        ins.reads = names_in(condition)
        ins.arguments = (("expression", ins.condition),)
        return ins

    def if_(self, row: syntax.If) -> None:
        ends: list[Instruction] = []
        tests: list[Instruction] = []
        first = True
        for branch in row.branches:
            if branch.disabled:
                continue
            if not first:
                ends.append(self.emit(JUMP, "", 0, branch.place))
                tests[-1].jump = self.here
            test = self._condition(branch.condition, "If" if first else "ElseIf", branch.index, branch.place)
            tests.append(test)
            self.body(branch.body)
            first = False
        if row.otherwise is not None and not row.otherwise.disabled:
            if tests:
                ends.append(self.emit(JUMP, "", 0, row.otherwise.place))
                tests[-1].jump = self.here
            self.emit(PASS, "Else", row.otherwise.index, row.otherwise.place, "Conditionals")
            self.body(row.otherwise.body)
        elif tests:
            tests[-1].jump = self.here
        end = self.emit(PASS, "End", row.end, row.place, "FlowControl")
        for jump in ends:
            jump.jump = end.pc
        for test in tests:
            test.after = end.next
            _answers_no(test)

    def switch(self, row: syntax.Switch) -> None:
        head = self.emit(SWITCH, "Switch", row.index, row.place, "Conditionals")
        head.value = self.expression(row.subject, head)
        head.arguments = (("valueToCheck", head.value),)
        ends: list[Instruction] = []
        tests: list[Instruction] = []
        for case in row.cases:
            if case.disabled:
                continue
            if tests:
                ends.append(self.emit(JUMP, "", 0, case.place))
                tests[-1].jump = self.here
            test = self.emit(CASE, "Case", case.index, case.place, "Conditionals")
            if case.condition is None or isinstance(case.condition, syntax.Action):
                raise fault("InvalidCondition", "A CASE compares with a value.", case.place)
            test.value = self.expression(case.condition, test)
            test.reads = test.reads | head.reads
            test.arguments = (("valueToCompare", test.value),)
            test.relation = case.relation
            tests.append(test)
            self.body(case.body)
        if tests:
            ends.append(self.emit(JUMP, "", 0, row.place))
            tests[-1].jump = self.here
        if row.otherwise is not None and not row.otherwise.disabled:
            self.emit(DEFAULT, "CaseDefault", row.otherwise.index, row.otherwise.place, "Conditionals")
            self.body(row.otherwise.body)
        else:
            self.emit(DEFAULT, "", 0, row.place)
        end = self.emit(PASS, "End", row.end, row.place, "FlowControl")
        for jump in ends:
            jump.jump = end.pc
        for test in (head, *tests):
            test.after = end.next

    def count(self, row: syntax.LoopFrom) -> None:
        head = self.emit(COUNT, "Loop", row.index, row.place, "Loops")
        head.title = "Loop"
        if row.variable is not None:
            head.slot, head.variable = self.scope.place(row.variable), row.variable.lower()
        step = row.step if row.step is not None else syntax.Constant(1, row.place)
        bounds = (("startFrom", row.start), ("endTo", row.stop), ("incrementBy", step))
        head.arguments = tuple((name, self.expression(tree, head)) for name, tree in bounds)
        self._loop(head, row.body, row.end, row.place)

    def each(self, row: syntax.ForEach) -> None:
        head = self.emit(EACH, "Foreach", row.index, row.place, "Loops")
        head.title = "For each"
        head.slot, head.variable = self.scope.place(row.variable), row.variable.lower()
        head.value = self.expression(row.items, head)
        head.arguments = (("valueToIterate", head.value),)
        if isinstance(row.items, syntax.Name):
            head.alias = row.items.name.lower()
        self._loop(head, row.body, row.end, row.place)

    def _loop(self, head: Instruction, body: tuple[syntax.Statement, ...], end: int, place: syntax.Place) -> None:
        loop = Loop(self.depth, self.depth + 1)
        outside, self.around = self.around, (*self.around, head.pc)
        self.depth += 1
        self.loops.append(loop)
        self.body(body)
        self.loops.pop()
        tail = self.emit(AGAIN, "End", end, place, "FlowControl")
        self.depth -= 1
        self.around = outside
        head.jump = head.after = tail.after = self.here
        self._leave(loop, tail.pc)

    def _leave(self, loop: Loop, again: int) -> None:
        for ins in loop.nexts:
            ins.jump, ins.depth = again, loop.inside
        for ins in loop.exits:
            ins.jump, ins.depth = self.here, loop.depth

    def while_(self, row: syntax.While) -> None:
        head = self._condition(row.condition, "LoopCondition", row.index, row.place)
        loop = Loop(self.depth, self.depth)
        outside, self.around = self.around, (*self.around, head.pc)
        self.loops.append(loop)
        self.body(row.body)
        self.loops.pop()
        self.around = outside
        tail = self.emit(JUMP, "End", row.end, row.place, "FlowControl")
        tail.jump = head.pc
        head.jump = head.after = self.here
        _answers_no(head)
        self._leave(loop, tail.pc)

    def block(self, row: syntax.Block) -> None:
        head = self.emit(ENTER, "Block", row.index, row.place, "FlowControl")
        head.title, head.variable = "On block error", row.name or ""
        outside, self.around = self.around, (*self.around, head.pc)
        self.depth += 1
        self.body(row.body)
        self.depth -= 1
        self.around = outside
        tail = self.emit(LEAVE, "End", row.end, row.place, "FlowControl")
        head.after = tail.next
        if row.sections:
            handler = Handler("block", [], tail.next, head.next, logic=row.logic_errors)
            head.handler = handler
            self.handlers.append((handler, row.sections, self.depth, self.around))

    def exit_loop(self, row: syntax.ExitLoop) -> None:
        self._innermost(row, "EXIT LOOP").exits.append(self.emit(JUMP, "ExitLoop", row.index, row.place, "Loops"))

    def next_loop(self, row: syntax.NextLoop) -> None:
        self._innermost(row, "NEXT LOOP").nexts.append(self.emit(JUMP, "NextLoop", row.index, row.place, "Loops"))

    def _innermost(self, row: syntax.ExitLoop | syntax.NextLoop, words: str) -> Loop:
        if not self.loops:
            raise fault("NotInLoop", f"'{words}' stands outside of any loop.", row.place)
        return self.loops[-1]


_STATEMENTS: Final[Mapping[type, Callable[[Builder, Any], object]]] = {
    syntax.Set: Builder.set,
    syntax.Action: Builder.action,
    syntax.CallSubflow: Builder.call,
    syntax.Wait: Builder.wait,
    syntax.WaitFor: Builder.wait_for,
    syntax.If: Builder.if_,
    syntax.Switch: Builder.switch,
    syntax.LoopFrom: Builder.count,
    syntax.ForEach: Builder.each,
    syntax.While: Builder.while_,
    syntax.Block: Builder.block,
    syntax.Label: Builder.label,
    syntax.Goto: Builder.goto,
    syntax.ExitLoop: Builder.exit_loop,
    syntax.NextLoop: Builder.next_loop,
    syntax.ExitSubflow: Builder.exit_subflow,
    syntax.Exit: Builder.exit,
    syntax.LastError: Builder.last_error,
    syntax.Remark: Builder.remark,
}


def _answers_no(test: Instruction) -> None:
    """Where an action that is asked fails, and its handler lets the flow go on, it is as if it had said no."""
    if test.handler is not None:
        test.handler.after = test.jump
