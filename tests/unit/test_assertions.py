"""Assertions of the tests that hold whatever happens: this test finds them in the syntax trees of all test files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
BROAD = {
    "Exception",
    "BaseException",
    "ArithmeticError",
    "AssertionError",
    "AttributeError",
    "ConnectionError",
    "IndexError",
    "KeyError",
    "LookupError",
    "OSError",
    "RuntimeError",
    "TypeError",
    "ValueError",
    # Sealflow's: a base of others, or one class with many codes.
    "ActionError",
    "Conflict",
    "DefinitionError",
    "Denied",
    "ConnectorError",
    "Fault",
    "IntegrityError",
    "LogicError",
    "ScriptError",
    "SealflowError",
    "StorageError",
}
ANY_FAILURE = {
    "conformance/test_connectors.py::test_the_suite_notices",  # an assertion of a suite fails, which have no message
    "conformance/test_key_provider_suite.py::test_the_suite_notices",
}


def weak(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Each weak assertion of a module, with what is wrong with it."""
    for function in [
        tree,
        *(node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)),
    ]:
        for node in own_nodes(function):
            if isinstance(node, ast.Assert) and isinstance(node.test, ast.BoolOp) and isinstance(node.test.op, ast.Or):
                yield node, "an assertion of 'a or b': say with 'if' when each of them has to hold"
            if isinstance(node, ast.With | ast.AsyncWith):
                for item in node.items:
                    yield from ((node, each) for each in weak_raises(item, function))


def own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a module or function without those of the functions inside of it."""
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from own_nodes(node)


def weak_raises(item: ast.withitem, function: ast.AST) -> Iterator[str]:
    call = item.context_expr
    if not isinstance(call, ast.Call) or ast.unparse(call.func) != "pytest.raises" or not call.args:
        return
    named = {node.attr if isinstance(node, ast.Attribute) else node.id for node in names(call.args[0])}
    if named & {"Exception", "BaseException"}:
        yield "raises(Exception): name the class"
    elif named & BROAD and not any(each.arg in ("match", "check") for each in call.keywords):
        error = item.optional_vars
        if isinstance(error, ast.Name) and is_read(error.id, function):
            return
        yield f"raises({', '.join(sorted(named & BROAD))}) without 'match' and without a check of the error"


def names(expression: ast.AST) -> Iterator[ast.Name | ast.Attribute]:
    """The classes in the first argument of `raises`: one, several, or one by a condition."""
    if isinstance(expression, ast.Name | ast.Attribute):
        yield expression
    else:
        for each in ast.iter_child_nodes(expression):
            yield from names(each)


def is_read(name: str, function: ast.AST) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load) for node in ast.walk(function)
    )


@cache
def files() -> list[Path]:
    return sorted(TESTS.rglob("*.py"))


@pytest.mark.parametrize("folder", sorted({path.relative_to(TESTS).parts[0] for path in files()}))
def test_no_assertion_holds_whatever_happens(folder: str) -> None:
    found = []
    for path in files():
        name = path.relative_to(TESTS).as_posix()
        if not name.startswith(folder):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        allowed = {
            line
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and f"{name}::{node.name}" in ANY_FAILURE
            for line in range(node.lineno, (node.end_lineno or 0) + 1)
        }
        found += [f"{name}:{node.lineno}: {what}" for node, what in weak(tree) if node.lineno not in allowed]  # type: ignore[attr-defined]
    assert found == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("assert a or b", 1),
        ("assert (a or b) and c", 0),
        ("def f():\n def g():\n  assert a or b", 1),
        ("with pytest.raises(Exception, match='x'): f()", 1),
        ("with pytest.raises(StorageError): f()", 1),
        ("async def f():\n async with x, pytest.raises((KeyError, Gone)): f()", 1),
        ("with pytest.raises(sealflow.StorageError): f()", 1),
        ("with pytest.raises(StorageError if a else Gone) as caught: f()", 1),
        ("with pytest.raises(StorageError) as caught: f()\nassert caught.value.code == 'x'", 0),
        ("with pytest.raises(StorageError, match='x'): f()", 0),
        ("with pytest.raises(Gone): f()", 0),
    ],
)
def test_weak_assertions_are_found(text: str, count: int) -> None:
    assert len(list(weak(ast.parse(text)))) == count
