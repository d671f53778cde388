"""Going through a script: every statement with where it stands, and what it consists of. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..syntax.tree import (
    Action,
    Binary,
    Block,
    Branch,
    CallSubflow,
    Exit,
    Expression,
    ForEach,
    Function,
    If,
    Index,
    LastError,
    ListLiteral,
    LoopFrom,
    ObjectLiteral,
    Property,
    Rule,
    Script,
    Section,
    Set,
    Slice,
    Statement,
    Subflow,
    Switch,
    TableLiteral,
    Text,
    Unary,
    Wait,
    WaitFor,
    While,
)


@dataclass(frozen=True, slots=True)
class Visit:
    """A statement where it stands.

    `around`: rows of the loops and blocks it is in, outermost first; `loop`: whether one of them is a loop. `disabled`:
    it, or something it is in.
    """

    statement: Statement
    subflow: str
    around: tuple[int, ...]
    loop: bool
    disabled: bool


def subflows(script: Script) -> Iterator[Subflow]:
    """Main, then the others in the order of the text."""
    yield script.main
    yield from script.subflows.values()


def visits(script: Script) -> Iterator[Visit]:
    """Every statement, in the order of the text."""
    for subflow in subflows(script):
        yield from _visits(subflow.body, subflow.name, (), False, False)


def _visits(
    body: tuple[Statement, ...], subflow: str, around: tuple[int, ...], loop: bool, disabled: bool
) -> Iterator[Visit]:
    for statement in body:
        off = disabled or statement.disabled
        yield Visit(statement, subflow, around, loop, off)
        if isinstance(statement, If | Switch):
            for branch in branches(statement):
                yield from _visits(branch.body, subflow, around, loop, off or branch.disabled)
        elif isinstance(statement, LoopFrom | ForEach | While):
            yield from _visits(statement.body, subflow, (*around, statement.index), True, off)
        elif isinstance(statement, Block):
            yield from _visits(statement.body, subflow, (*around, statement.index), loop, off)


def branches(statement: If | Switch) -> tuple[Branch, ...]:
    """All arms, the last one without a condition."""
    arms = statement.branches if isinstance(statement, If) else statement.cases
    return arms if statement.otherwise is None else (*arms, statement.otherwise)


def actions_of(statement: Statement) -> Iterator[Action]:
    """The actions of a statement's own rows: itself, or what it tests."""
    if isinstance(statement, Action):
        yield statement
    elif isinstance(statement, WaitFor):
        yield statement.condition
    elif isinstance(statement, If):
        for branch in statement.branches:
            if isinstance(branch.condition, Action):
                yield branch.condition
    elif isinstance(statement, While) and isinstance(statement.condition, Action):
        yield statement.condition


def sections_of(statement: Statement) -> Iterator[Section]:
    """The sections of handlers that belong to a statement or to an action it tests."""
    if isinstance(statement, Block):
        yield from statement.sections
    if isinstance(statement, CallSubflow | Wait | WaitFor) and statement.on_error is not None:
        yield from statement.on_error.sections
    for action in actions_of(statement):
        if action.on_error is not None:
            yield from action.on_error.sections


def rules_of(statement: Statement) -> Iterator[Rule]:
    """The rules of all handlers of a statement that are not disabled."""
    for section in sections_of(statement):
        for rule in section.rules:
            if not rule.disabled:
                yield rule


def expressions_of(statement: Statement) -> Iterator[Expression]:
    """What a statement's own rows evaluate, its handlers included; the target of a SET only where it is not a name."""
    if isinstance(statement, Set):
        yield statement.target
        yield statement.value
    elif isinstance(statement, If | Switch):
        if isinstance(statement, Switch):
            yield statement.subject
        for branch in branches(statement):
            if branch.condition is not None and not isinstance(branch.condition, Action):
                yield branch.condition
    elif isinstance(statement, LoopFrom):
        yield statement.start
        yield statement.stop
        if statement.step is not None:
            yield statement.step
    elif isinstance(statement, ForEach):
        yield statement.items
    elif isinstance(statement, While):
        if not isinstance(statement.condition, Action):
            yield statement.condition
    elif isinstance(statement, Wait):
        yield statement.seconds
    elif isinstance(statement, WaitFor):
        if statement.timeout is not None:
            yield statement.timeout
    elif isinstance(statement, Exit):
        yield from (each for each in (statement.code, statement.message) if each is not None)
    elif isinstance(statement, LastError) and statement.reset is not None:
        yield statement.reset
    for action in actions_of(statement):
        for _, value in action.arguments:
            yield value
    yield from _handled(statement)


def _handled(statement: Statement) -> Iterator[Expression]:
    handlers = [action.on_error for action in actions_of(statement)]
    if isinstance(statement, CallSubflow | Wait | WaitFor):
        handlers.append(statement.on_error)
    for handler in handlers:
        if handler is not None:
            yield from (each for each in (handler.times, handler.interval) if each is not None)
    for rule in rules_of(statement):
        if rule.target is not None and rule.value is not None:
            yield rule.target
            yield rule.value


def nodes(expression: Expression) -> Iterator[Expression]:
    """An expression and everything in it, outermost first."""
    waiting = [expression]
    while waiting:
        found = waiting.pop()
        yield found
        waiting += reversed(_parts(found))


def _parts(node: Expression) -> list[Expression]:
    if isinstance(node, Text):
        return [part for part in node.parts if not isinstance(part, str)]
    if isinstance(node, Property):
        return [node.target]
    if isinstance(node, Index):
        return [node.target, node.index]
    if isinstance(node, Slice):
        return [node.target, *(each for each in (node.start, node.stop) if each is not None)]
    if isinstance(node, ListLiteral):
        return list(node.items)
    if isinstance(node, TableLiteral):
        return [*(node.header or ()), *node.rows]
    if isinstance(node, ObjectLiteral):
        return [value for _, value in node.pairs]
    if isinstance(node, Function):
        return list(node.arguments)
    if isinstance(node, Unary):
        return [node.operand]
    if isinstance(node, Binary):
        return [node.left, node.right]
    return []
