"""Reading: expressions, JSON string values, and finding them in definitions."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.errors import ExpressionError
from sealflow.engine.expressions import (
    Access,
    Call,
    Found,
    Literal,
    Node,
    Scope,
    Template,
    compile_node,
    evaluate_text,
    find_expressions,
    parse_expression,
    parse_string,
    unparse,
    walk,
)
from sealflow.engine.expressions.scope import CONTEXT_FUNCTIONS

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "cloud"

literals = st.builds(
    Literal,
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=10),
)
names = st.from_regex(r"[a-z$_][a-zA-Z0-9$_-]{0,8}", fullmatch=True)


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    calls = st.builds(Call, names, st.lists(inner, max_size=3).map(tuple))
    return calls | st.builds(Access, calls, inner, st.booleans())


nodes = st.recursive(literals, _grown, max_leaves=10)


def bare(node: Node) -> Any:
    """The tree without its offsets."""
    if isinstance(node, Literal):
        return (type(node.value), node.value)
    if isinstance(node, Call):
        return (node.name, [bare(argument) for argument in node.args])
    return (bare(node.target), bare(node.key), node.optional)


@given(nodes)
@settings(deadline=None, max_examples=200)
def test_parsing_what_was_unparsed_gives_the_same_tree(node: Node) -> None:
    assert bare(parse_expression(unparse(node))) == bare(node)


@given(st.text(st.sampled_from("@{}()[]?.,' \n'\"abcdefand1-+e$\\") | st.characters(), max_size=60))
@settings(deadline=None, max_examples=400)
def test_any_text_gives_a_value_or_an_expression_error(text: str) -> None:
    for template in (None, True, False):
        with suppress(ExpressionError):
            evaluate_text(text, {}, template=template)


def test_offsets() -> None:
    node = parse_expression("concat( 'a', first(x())?['b'] )")
    assert isinstance(node, Call)
    assert (node.at, node.end) == (0, 31)
    access = node.args[1]
    assert isinstance(access, Access)
    assert access.optional
    assert access.at == 25
    assert [type(each).__name__ for each in walk(node)] == ["Call", "Literal", "Access", "Call", "Call", "Literal"]


def test_names_and_white_space() -> None:
    assert unparse(parse_expression("body('X')?.a-b.$content")) == "body('X')?['a-b']['$content']"
    assert unparse(parse_expression("a(\n1,\u00a0TRUE , null)")) == "a(1, true, null)"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a(",
        "a(,)",
        "a(1,)",
        "'a",
        '"a"',
        "a()?",
        "a().",
        "a()[",
        "a()[1",
        "1 2",
        "a()b",
        "(1)",
        "[1]",
        "{}",
        "a('b'')",
        "1abc",
    ],
)
def test_damaged_expressions_tell_the_position(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_expression(text)
    assert caught.value.position is not None
    assert caught.value.expression == text
    assert caught.value.hint


def test_limits() -> None:
    parse_expression("a('" + "x" * 8_000 + "')")
    for text in (
        "a('" + "x" * 8_192 + "')",
        "a(" * 101 + ")" * 101,
        "a()" + ".b" * 201,
        "9223372036854775808",
        "-9223372036854775809",
        "9" * 8_000,
        "'" + "''" * 5_000,
    ):
        with pytest.raises(ExpressionError):
            parse_expression(text)
    assert len(list(walk(parse_expression("a(" * 100 + ")" * 100)))) == 100


def test_string_values() -> None:
    assert parse_string("plain @ text") == "plain @ text"
    assert parse_string("@@{a} @{b}") == "@{a} @{b}"
    assert parse_string("x @@{a}") == "x @{a}"
    assert parse_string("@1") == Literal(1, 1)
    assert parse_string("a @{'}'} b") == Template(("a ", Literal("}", 4), " b"))
    assert parse_string("@{1}@{2}") == Template((Literal(1, 2), Literal(2, 6)))
    for text in ("@", "@{", "@{}", "a @{1", "@{1 2}", "@1}"):
        with pytest.raises(ExpressionError) as caught:
            parse_string(text)
        assert caught.value.expression == text


def test_find_expressions() -> None:
    value = {"a/b": ["x", "@c(1)"], "@{k()}": "p @{q()} @{r()}", "bad": "@(", "n": 5}
    found = list(find_expressions(value, "/inputs"))
    assert [each.pointer for each in found] == [
        "/inputs/@{k()}",
        "/inputs/a~1b/1",
        "/inputs/@{k()}",
        "/inputs/@{k()}",
        "/inputs/bad",
    ]
    assert [each.node is None for each in found] == [False, False, False, False, True]
    assert found[-1].error is not None
    assert found[-1].error.position == 1


class Everything(Scope):
    """A scope in which every name means null."""


def _allow_all() -> None:
    named = "outputs record variable parameter agent_parameter items iteration_index results app_setting"
    for name in named.split():
        setattr(Everything, name, lambda self, name: lambda frame: None)
    bare_names = "trigger_outputs trigger_record item workflow current_action callback_url now random"
    for name in bare_names.split():
        setattr(Everything, name, lambda self: lambda frame: None)


_allow_all()

# Samples that are no expressions at all: placeholders such as `@source` where a person was to write one.
DAMAGED = "is no literal and is not followed by '('"


def test_every_expression_of_the_corpus_compiles() -> None:
    paths = sorted(CORPUS.glob("*.json"))
    if not paths:
        pytest.skip("the corpus is not beside this checkout")
    found: list[Found] = []
    for path in paths:
        found.extend(find_expressions(json.loads(path.read_text(encoding="utf-8"))))
    assert len(found) > 4_000
    damaged = [each for each in found if each.error]
    assert all(each.error and DAMAGED in each.error.message and each.error.position for each in damaged)
    assert len(damaged) < 12
    for each in found:
        if each.node:
            compile_node(each.node, Everything())


def test_context_functions_are_no_plain_functions() -> None:
    from sealflow.engine.expressions import FUNCTIONS

    assert not set(CONTEXT_FUNCTIONS) & set(FUNCTIONS)
