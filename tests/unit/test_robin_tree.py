"""What is read of a script: the tree, its rows as the designer counts them, declarations, texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from sealflow.engine.desktop.syntax.parse import parse, script
from sealflow.engine.desktop.syntax.parse_expression import DEEPEST, HIGHEST
from sealflow.engine.desktop.syntax.tree import (
    Action,
    Binary,
    Block,
    CallSubflow,
    Constant,
    DatetimeLiteral,
    Element,
    EnumValue,
    Exit,
    Expression,
    Function,
    If,
    Index,
    LoopFrom,
    Name,
    Place,
    Property,
    Protected,
    Remark,
    Set,
    Slice,
    Switch,
    TableLiteral,
    Text,
    Unary,
    WaitFor,
    While,
)


def one(text: str) -> Any:
    (statement,) = script(text).main.body
    return statement


def value(text: str) -> Expression:
    statement = one(f"SET x TO {text}")
    assert isinstance(statement, Set)
    return statement.value


def shown(node: Expression) -> str:
    """An expression with all brackets, for precedence."""
    if isinstance(node, Binary):
        return f"({shown(node.left)} {node.operator} {shown(node.right)})"
    if isinstance(node, Unary):
        return f"({node.operator} {shown(node.operand)})"
    if isinstance(node, Name):
        return node.name
    if isinstance(node, Constant):
        return str(node.value)
    raise AssertionError(node)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)"),
        ("a mod 2 * 3", "((a mod 2) * 3)"),
        ("a = 1 AND b < 2 OR c", "(((a = 1) AND (b < 2)) OR c)"),
        ("a OR b XOR c AND d", "((a OR b) XOR (c AND d))"),
        ("NOT a = b", "(NOT (a = b))"),
        ("NOT a AND b", "((NOT a) AND b)"),
        ("-a + 1", "((- a) + 1)"),
        ("2 - -1", "(2 - -1)"),
        ("(1 + 2) * 3", "((1 + 2) * 3)"),
        ("a + b >= c", "((a + b) >= c)"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    assert shown(value(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("-5", -5),
        ("3.14", Decimal("3.14")),
        ("1E3", 1000),
        ("1.50", Decimal("1.50")),
        ("1e-2", Decimal("0.01")),
        ("True", True),
        ("false", False),
        ("'it\\'s'", "it's"),
        ("$'''C:\\temp\\new'''", "C:\\temp\\new"),
        ("$'''\\\\\\\\server\\\\share'''", "\\\\server\\share"),
        ("$'''50%% \\\"x\\\" \\''''", '50% "x" \''),
        ("$'''%''%'''", ""),
        ("$'''a%'b'%c'''", "abc"),
        ("$'''a\r\nb'''", "a\r\nb"),
        ("$''''''", ""),
    ],
)
def test_constants(text: str, expected: object) -> None:
    found = value(text)
    assert isinstance(found, Constant)
    assert (found.value, type(found.value)) == (expected, type(expected))


def test_interpolation() -> None:
    found = value("$'''a %b + 1% c%Row['x'].Length%%%'''")
    assert isinstance(found, Text)
    assert [part if isinstance(part, str) else type(part).__name__ for part in found.parts] == [
        "a ", "Binary", " c", "Property", "%",
    ]  # fmt: skip
    inner = found.parts[1]
    assert isinstance(inner, Binary)
    assert (inner.left.place, inner.place) == (Place(1, 17), Place(1, 19))


def test_places_count_lines_inside_of_texts() -> None:
    first, second = script("SET a TO $'''x\ny %b% z'''\nSET c TO d").main.body
    assert isinstance(first, Set)
    assert isinstance(first.value, Text)
    (inner,) = (part for part in first.value.parts if not isinstance(part, str))
    assert inner.place == Place(2, 4)
    assert second.place == Place(3, 1)


def test_access() -> None:
    assert value("L[1:2]") == Slice(
        Name("L", Place(1, 10)), Constant(1, Place(1, 12)), Constant(2, Place(1, 14)), Place(1, 11)
    )
    found = value("T[r]['Col'].Name")
    assert isinstance(found, Property)
    assert isinstance(found.target, Index)
    assert isinstance(value("File.Directory.Name"), EnumValue)  # unless there is such a variable
    _, other = script("LOOP FOREACH File IN Files\nEND\nSET x TO File.Directory.Name").main.body
    assert isinstance(other, Set)
    assert isinstance(other.value, Property)


def test_literals() -> None:
    assert isinstance(value("{}"), TableLiteral)
    table = value("{^['A', 'B'], [1, 2], Row}")
    assert isinstance(table, TableLiteral)
    assert table.header is not None
    assert (len(table.header), len(table.rows)) == (2, 2)
    assert value("appmask['Page']['Go']") == Element("appmask", ("Page", "Go"), Place(1, 10))
    assert value("P'abc'") == Protected("abc", Place(1, 10))
    assert "abc" not in repr(value("P'abc'"))
    found = value("$'''%d\"2024-01-31\"%'''")
    assert isinstance(found, Text)
    assert isinstance(found.parts[0], DatetimeLiteral)
    call = value("contains(a, 'b', True)")
    assert isinstance(call, Function)
    assert call.name == "Contains"


def test_an_action() -> None:
    found = one("@@note: 'x'\nDISABLE Text.Trim Text: $'''a''' TrimOption: Text.TrimOption.Both TrimmedText=> t")
    assert isinstance(found, Action)
    assert (found.id, found.disabled, dict(found.notes)) == ("Text.Trim", True, {"note": "x"})
    assert [name for name, _ in found.arguments] == ["Text", "TrimOption"]
    assert found.arguments[1][1] == EnumValue("Text.TrimOption", "Both", Place(2, 46))
    assert found.outputs == (("TrimmedText", "t"),)
    called = one("External.RunFlow FlowId: 'g' @In: v @'a/b': 2 @Out=> w")
    assert [name for name, _ in called.arguments] == ["FlowId", "@In", "@a/b"]
    assert called.outputs == (("@Out", "w"),)


def test_an_actions_handler() -> None:
    found = one(
        "File.Delete Files: f\nON ERROR REPEAT 3 TIMES WAIT 5\nON ERROR FileNotFoundError\nSET n TO 0\n"
        "DISABLE CALL s\nON ERROR\nGOTO L\nEND"
    )
    assert isinstance(found, Action)
    assert found.on_error is not None
    assert found.on_error.times == Constant(3, Place(2, 17))
    first, second = found.on_error.sections
    assert (first.error, [(rule.kind, rule.name, rule.disabled) for rule in first.rules]) == (
        "FileNotFoundError",
        [("set", "", False), ("call", "s", True)],
    )
    assert (second.error, [(rule.kind, rule.name) for rule in second.rules]) == (None, [("goto", "L")])


def test_the_handler_of_a_tested_action() -> None:
    found = one("IF (File.IfFile.Exists File: p) THEN\nON ERROR\nEND\nSET a TO 1\nEND")
    assert isinstance(found, If)
    tested = found.branches[0].condition
    assert isinstance(tested, Action)
    assert tested.on_error is not None
    assert len(found.branches[0].body) == 1


def test_a_block() -> None:
    found = one(
        "BLOCK Try\nON BLOCK ERROR Mine\nREPEAT BLOCK\nON BLOCK ERROR all CaptureLogicErrors: True\nEND\n"
        "SET a TO 1\nEND"
    )
    assert isinstance(found, Block)
    assert (found.name, found.logic_errors, [each.error for each in found.sections]) == ("Try", True, ["Mine", None])
    assert (found.index, found.body[0].index, found.end) == (1, 2, 3)


def test_rows_are_counted_as_in_the_designer() -> None:
    text = """# a comment
**REGION r
IF a = 1 THEN
    SET b TO 1  # behind
    ON_IS_NO_KEYWORD.x
    ON ERROR
        SET c TO 1
    END
ELSE IF a = 2 THEN
ELSE
    LOOP FROM 1 TO 2
    END
END
SWITCH a
    CASE = 1
        CALL s
    DEFAULT
END
**ENDREGION
EXIT
FUNCTION s
    EXIT FUNCTION
END FUNCTION"""
    read = script(text)
    remark, region, test, switch, end, leave = read.main.body
    assert [each.index for each in (remark, region, test, switch, end, leave)] == [1, 2, 3, 12, 17, 18]
    assert isinstance(remark, Remark)
    assert isinstance(region, Remark)
    assert isinstance(end, Remark)
    assert isinstance(test, If)
    assert test.otherwise is not None
    assert [(type(each).__name__, each.index) for each in test.branches[0].body] == [
        ("Set", 4), ("Remark", 5), ("Action", 6),
    ]  # fmt: skip
    assert [branch.index for branch in test.branches] == [3, 7]
    assert (test.otherwise.index, test.end) == (8, 11)
    (loop,) = test.otherwise.body
    assert isinstance(loop, LoopFrom)
    assert (loop.index, loop.end) == (9, 10)
    assert isinstance(switch, Switch)
    assert switch.otherwise is not None
    assert (switch.cases[0].index, switch.cases[0].body[0].index, switch.otherwise.index, switch.end) == (
        13,
        14,
        15,
        16,
    )
    assert isinstance(leave, Exit)
    assert [each.index for each in read.subflows["s"].body] == [1]


def test_declarations() -> None:
    read = script(
        "@@ConnectionString: ''\nIMPORT 'a' AS appmask\n@SENSITIVE: [Pass]\n"
        "@INPUT Age : { 'Description': '''a\nb''', 'FriendlyName': 'age', 'Type': 'Numeric', 'IsOptional': True, "
        "'DefaultValue': -5 }\n"
        "@INPUT Rows : { 'Type': 'Datatable', 'DefaultValue': {^['A'], [1], [2]} }\n"
        "@OUTPUT Ok : { 'FriendlyName': 'Ok', 'Type': 'Bool' }\nSET Ok TO True"
    )
    age, table = read.inputs
    assert (age.name, age.external, age.type, age.optional, age.default, age.description) == (
        "Age", "age", "Numeric", True, -5, "a\nb",
    )  # fmt: skip
    assert (table.external, table.type, table.default) == ("Rows", "Datatable", [{"A": 1}, {"A": 2}])
    assert [(each.name, each.type) for each in read.outputs] == [("Ok", "Bool")]
    assert read.sensitive == {"pass"}
    assert read.headers == {"ConnectionString": ""}


def test_notes_at_the_top_belong_to_the_first_action() -> None:
    read = script("@@copilotGeneratedAction: 'False'\nText.Trim Text: t")
    assert dict(read.main.body[0].notes) == {"copilotGeneratedAction": "False"}
    assert dict(read.headers) == {}


def test_waiting() -> None:
    found = one("WAIT (File.WaitForFile.Created File: f) FOR 30\nON ERROR TimeoutError\nEND")
    assert isinstance(found, WaitFor)
    assert found.on_error is not None
    assert found.timeout == Constant(30, Place(1, 45))
    loop = one("LOOP WHILE (File.IfFile.Exists File: f)\nEND")
    assert isinstance(loop, While)
    assert isinstance(loop.condition, Action)
    tested = one("LOOP WHILE (o.flag) = True\nEND")
    assert isinstance(tested, While)
    assert isinstance(tested.condition, Binary)
    assert isinstance(one("CALL 'my subflow'"), CallSubflow)


@pytest.mark.parametrize("opening", ["(", "[", "-(", "{[", "NOT ("])
def test_nesting_has_a_limit(opening: str) -> None:
    (problem,) = parse("SET x TO " + opening * 5000).problems
    assert problem.code == "TooDeep"


@pytest.mark.parametrize(
    "text",
    [
        "1" + " + 1" * 5000,
        "a" + ".b" * 5000,
        "a" + "[1]" * 5000,
        "".join(f"a[{'(b + ' * 20}" for _ in range(20)),
        "$'''" + "%a + %" * 3 + "'''",
        "- " * 5000 + "a",
    ],
)
def test_height_has_a_limit(text: str) -> None:
    assert not parse(f"SET x TO {text}").ok


def test_ordinary_heights_are_read() -> None:
    assert parse("SET x TO " + "(" * (DEEPEST - 1) + "1" + ")" * (DEEPEST - 1)).ok
    assert parse("SET x TO 1" + " + 1" * (HIGHEST - 2)).ok


def test_statements_nest_to_a_limit() -> None:
    deep = "IF a THEN\n" * 5000 + "END\n" * 5000 + "SET x TO 1"
    reading = parse(deep)
    assert [problem.code for problem in reading.problems] == ["TooDeep"]
    assert len(reading.script.main.body) == 2
