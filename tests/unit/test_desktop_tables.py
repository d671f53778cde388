"""The pure actions that filter, join, read, write and search tables, and that find entities in texts."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.datatypes import DataTable, Datum
from sealflow.engine.desktop.actions import pure_action
from sealflow.engine.desktop.actions.port import Given
from sealflow.engine.desktop.expressions.culture import culture_of
from sealflow.engine.desktop.expressions.errors import ActionError

NOW = datetime(2026, 3, 29, 23, 30)
PEOPLE = DataTable(
    ("Name", "Age", "City"),
    (("Ann", 31, "Bern"), ("Bob", 17, "Basel"), ("Cy", None, "bern"), ("Dora", "45", "")),
)


def do(action: str, culture: str = "en-US", **arguments: Any) -> dict[str, Datum]:
    found = pure_action(action)
    assert found is not None, action
    return dict(found.run(Given(arguments, culture_of(culture), NOW, bytes, "Europe/Berlin")))


def fails(error: str, action: str, **arguments: Any) -> str:
    with pytest.raises(ActionError) as caught:
        do(action, **arguments)
    assert caught.value.code == error, caught.value
    return caught.value.message


def rules(*rows: tuple[Datum, ...], columns: tuple[str, ...] = ("Column", "Operator", "Value", "Rule")) -> DataTable:
    return DataTable(columns, rows)


def names(found: DataTable, **more: Any) -> list[Datum]:
    table = do("Variables.FilterDataTable", DataTable=PEOPLE, FilterParameters=found, **more)["FilteredDataTable"]
    assert isinstance(table, DataTable)
    assert table.columns == PEOPLE.columns
    return [row[0] for row in table.rows]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (("City", "Equal to", "Bern"), ["Ann"]),
        (("2", "<>", "Bern"), ["Bob", "Cy", "Dora"]),
        (("Age", "Greater than", 20), ["Ann", "Dora"]),
        (("age", "Less than or equal to", 31), ["Ann", "Bob"]),
        (("Name", "Contains", "o"), ["Bob", "Dora"]),
        (("Name", "Does not contain", "o"), ["Ann", "Cy"]),
        (("City", "Begins with", "B"), ["Ann", "Bob"]),
        (("Name", "Variables.FilterOperator.EndsWith", "y"), ["Cy"]),
        (("Name", "Does not end with", "y"), ["Ann", "Bob", "Dora"]),
        (("Age", "Is empty", ""), ["Cy"]),
        (("City", "Is not empty", None), ["Ann", "Bob", "Cy"]),
    ],
)
def test_one_rule(rule: tuple[Datum, ...], expected: list[str]) -> None:
    assert names(rules((*rule, "And"))) == expected


def test_rules_are_joined_by_and_and_or_and_and_binds_closer() -> None:
    both = rules(("Age", ">", 20, "And"), ("City", "=", "Bern", "And"), ("Name", "=", "Bob", "Or"))
    assert names(both) == ["Ann", "Bob"]
    other = rules(("Name", "=", "Bob", ""), ("Age", ">", 20, "Or"), ("City", "=", "Bern", "And"))
    assert names(other) == ["Ann", "Bob"]
    assert names(rules()) == ["Ann", "Bob", "Cy", "Dora"]


def test_case_is_matched_unless_told_otherwise() -> None:
    found = rules(("City", "=", "BERN", "And"))
    assert names(found) == []
    assert names(found, MatchCase=False) == ["Ann", "Cy"]
    assert names(rules(("City", "contains", "ERN", "")), MatchCase=False) == ["Ann", "Cy"]


def test_the_columns_of_rules_are_told_by_name_or_by_place() -> None:
    swapped = rules(("And", "=", "Bern", "City"), columns=("LogicalOperator", "Operator", "Value", "ColumnName"))
    assert names(swapped) == ["Ann"]
    assert names(rules(("City", "=", "Bern"), columns=("a", "b", "c"))) == ["Ann"]


def test_what_no_rule_may_say() -> None:
    action, mixed = "Variables.FilterDataTable", DataTable(("A",), ((1,), ("x",)))
    fails("ColumnNotFoundError", action, DataTable=PEOPLE, FilterParameters=rules(("Zip", "=", 1, "")))
    fails("InvalidIndexError", action, DataTable=PEOPLE, FilterParameters=rules((3, "=", 1, "")))
    fails("InvalidArgumentError", action, DataTable=PEOPLE, FilterParameters=rules((0, "like", 1, "")))
    fails("TypeMismatchError", action, DataTable=mixed, FilterParameters=rules((0, ">", 0, "")))


def test_filtering_a_list() -> None:
    items: list[Datum] = ["apple", "Avocado", "berry", 7]
    starts = rules(("Begins with", "a"), columns=("Operator", "Value"))
    assert do("Variables.FilterList", ListToFilter=items, FilterParameters=starts) == {"FilteredList": ["apple"]}
    loose = do("Variables.FilterList", ListToFilter=items, FilterParameters=starts, IgnoreCase=True)
    assert loose["FilteredList"] == ["apple", "Avocado"]
    either = rules(("=", 7, "And"), ("=", "berry", "Or"), columns=("Operator", "Value", "Logical"))
    assert do("Variables.FilterList", ListToFilter=items, FilterParameters=either)["FilteredList"] == ["berry", 7]


ORDERS = DataTable(("Id", "Item"), ((1, "a"), ("2", "b"), (2, "c"), (9, "d")))
CUSTOMERS = DataTable(("Id", "Name"), ((1, "Ann"), (2, "Bob"), (3, "Cy")))


@pytest.mark.parametrize(
    ("how", "more"),
    [
        ("Inner", ()),
        ("Left", ((3, "Cy", None, None),)),
        ("Variables.JoinOperationType.Full", ((3, "Cy", None, None), (None, None, 9, "d"))),
    ],
)
def test_joining_tables(how: str, more: tuple[tuple[Datum, ...], ...]) -> None:
    on = DataTable(("FirstColumn", "Operator", "SecondColumn"), (("Id", "=", 0),))
    joined = do(
        "Variables.JoinDataTable",
        FirstDataTable=CUSTOMERS,
        SecondDataTable=ORDERS,
        JoinOperation=how,
        JoinParameters=on,
    )["JoinedDataTable"]
    same = ((1, "Ann", 1, "a"), (2, "Bob", "2", "b"), (2, "Bob", 2, "c"))
    assert joined == DataTable(("Id", "Name", "Id2", "Item"), same + more)


def test_what_tables_are_not_joined_by() -> None:
    def on(*rows: tuple[Datum, ...]) -> dict[str, Any]:
        return {
            "FirstDataTable": CUSTOMERS,
            "SecondDataTable": ORDERS,
            "JoinParameters": DataTable(("First", "Second", "Operator"), rows),
        }

    fails("ColumnNotFoundError", "Variables.JoinDataTable", **on(("Zip", "Id", "=")))
    fails("InvalidIndexError", "Variables.JoinDataTable", **on(("Id", 5, "=")))
    fails("InvalidArgumentError", "Variables.JoinDataTable", **on(("Id", "Id", ">")))
    fails("InvalidArgumentError", "Variables.JoinDataTable", **on())


def read(text: str, selector: str = "ReadPredefinedSeparator", **more: Any) -> DataTable:
    found = do(f"Variables.GenerateDataTableFromCSV.{selector}", CSVText=text, **more)["CSVTable"]
    assert isinstance(found, DataTable)
    return found


def test_reading_csv_text() -> None:
    text = 'Id,Name,Name\r\n1, "x" ,"a ""b"", c\nd"\n\n02,1.5\n'
    found = read(text, FirstLineContainsColumnNames=True)
    assert found == DataTable(("Id", "Name", "Name2"), ((1, '"x"', 'a "b", c\nd'), ("02", Decimal("1.5"), "")))
    as_text = read("1, 2 \r", ReadFieldsAsText=True, TrimFields=False)
    assert as_text == DataTable(("Column1", "Column2"), (("1", " 2 "),))
    assert read("a;b", ColumnsSeparator="Variables.CSVColumnsSeparator.Semicolon").rows == (("a", "b"),)
    assert read("a||b|c", "ReadCustomSeparator", CustomColumnsSeparator="||").rows == (("a", "b|c"),)
    assert read("ab 12\ncde3", "ReadFixedColumnWidths", FixedColumnWidths="3,2").rows == (("ab", 12), ("cde", 3))
    assert read("") == DataTable()
    assert read('""').rows == (("",),)


def test_csv_text_that_is_none() -> None:
    action = "Variables.GenerateDataTableFromCSV."
    fails("CSVParsingFailedError", action + "ReadPredefinedSeparator", CSVText='a,"b')
    fails("CSVParsingFailedError", action + "ReadCustomSeparator", CSVText="a", CustomColumnsSeparator="")
    fails("CSVParsingFailedError", action + "ReadFixedColumnWidths", CSVText="a", FixedColumnWidths="3,x")


def test_a_table_as_text() -> None:
    table = DataTable(("A", "B;C"), ((1, "x;y"), (None, 'say "hi"'), (Decimal("2.50"), "two\nlines")))
    action = "Variables.ConvertDataTableToCSV."
    done = do(
        action + "DataTableToCSVCommonSeparator", DataTable=table, IncludeColumnNames=True, ColumnsSeparator="Semicolon"
    )
    assert str(done["CSVText"]).split("\r\n")[:3] == ['A;"B;C"', '1;"x;y"', ';"say ""hi"""']
    assert do(action + "DataTableToCSVCustomSeparator", DataTable=DataTable(("A", "B"), ((1, 2),)),
              CustomColumnsSeparator="--") == {"CSVText": "1--2"}  # fmt: skip
    fails("ConversionFailedError", action + "DataTableToCSVCustomSeparator", DataTable=table, CustomColumnsSeparator="")


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8)


@settings(max_examples=60)
@given(rows=st.lists(st.tuples(cells, cells), min_size=1, max_size=4))
def test_what_is_written_is_read_again(rows: list[tuple[str, str]]) -> None:
    table = DataTable(("Column1", "Column2"), tuple(rows))
    text = do("Variables.ConvertDataTableToCSV.DataTableToCSVCommonSeparator", DataTable=table)["CSVText"]
    assert read(str(text), ReadFieldsAsText=True, TrimFields=False) == table


def search(which: str, **arguments: Any) -> dict[str, Datum]:
    table = DataTable(("A", "B"), (("one", "ONE two"), (11, "one")))
    return do(f"Variables.FindOrReplaceInDataTable.{which}", DataTable=table, **arguments)


def test_finding_in_a_table() -> None:
    def found(which: str, **arguments: Any) -> tuple[tuple[Datum, ...], ...]:
        table = search(which, **arguments)["DataTableMatches"]
        assert isinstance(table, DataTable)
        assert table.columns == ("Row", "Column")
        return table.rows

    assert found("FindItemInDataTableEverywhere", ValueToFind="one") == ((0, 0), (0, 1), (1, 1))
    assert found("FindItemInDataTableEverywhere", ValueToFind="one", AllMatches=False) == ((0, 0),)
    assert found("FindItemInDataTableEverywhere", ValueToFind="one", MatchCase=True) == ((0, 0), (1, 1))
    whole = {"ValueToFind": "one", "MatchEntireCellContents": True}
    assert found("FindItemInDataTableByColumnIndex", ColumnNameOrIndex="B", **whole) == ((1, 1),)
    assert found("FindItemInDataTableWithRegexEverywhere", ValueToFind=r"^\d+$") == ((1, 0),)
    assert found("FindItemInDataTableWithRegexByColumnIndex", ValueToFind="n", ColumnNameOrIndex=0) == ((0, 0),)


def test_replacing_changes_the_table() -> None:
    done = search("ReplaceItemInDataTableEverywhere", ValueToFind="one", TextToReplaceWith=r"\1")
    assert done["DataTable"] == DataTable(("A", "B"), ((r"\1", r"\1 two"), (11, r"\1")))
    one = search(
        "ReplaceItemInDataTableWithRegexByColumnIndex",
        ValueToFind="(o)(n)",
        TextToReplaceWith="$2$1",
        ColumnNameOrIndex="A",
        AllMatches=True,
    )
    assert one["DataTable"] == DataTable(("A", "B"), (("noe", "ONE two"), (11, "one")))
    action = pure_action("Variables.FindOrReplaceInDataTable.ReplaceItemInDataTableEverywhere")
    assert action is not None
    assert action.changes == ("DataTable",)


def test_searches_that_fail() -> None:
    action = "Variables.FindOrReplaceInDataTable.FindItemInDataTable"
    table = DataTable(("A",), ())
    fails("InvalidRegexError", action + "WithRegexEverywhere", DataTable=table, ValueToFind="(")
    by_column = {"DataTable": table, "ValueToFind": "a"}
    fails("ColumnNotFoundError", action + "ByColumnIndex", ColumnNameOrIndex="B", **by_column)
    fails("ColumnIndexInvalidError", action + "ByColumnIndex", ColumnNameOrIndex=1, **by_column)


@pytest.mark.parametrize(
    ("mode", "text", "expected"),
    [
        ("Email", "To a.b+c@ex-ample.co.uk, or @home, x@y.", ["a.b+c@ex-ample.co.uk"]),
        ("Url", "See https://a.example/b?c=d#e, (www.example.org). ftp://x/y", ["https://a.example/b?c=d#e",
         "www.example.org", "ftp://x/y"]),
        ("PhoneNumber", "Call +49 30 1234567 or (555) 123-4567; not 2026-03-29, 12 or 1234.",
         ["+49 30 1234567", "(555) 123-4567"]),
        ("IpAddress", "10.0.0.1 256.1.1.1 ::1 2001:DB8::5 and 1.2.3", ["10.0.0.1", "::1", "2001:db8::5"]),
        ("Guid", "id 0F8FAD5B-D9CB-469F-A165-70867728950E, 0f8fad5b", ["0F8FAD5B-D9CB-469F-A165-70867728950E"]),
        ("Hashtag", "#one a#two #3 #4th", ["#one", "#4th"]),
        ("Mention", "@ann wrote to bob@example.com and @c.d.", ["@ann", "@c.d"]),
        ("QuotedText", "He said \"yes\", 'no' and “maybe”; don't and can't", ["yes", "no", "maybe"]),
        ("Number", "1,234.5 and -7, two hundred and five, twenty-one; v2 1.2.3", [Decimal("1234.5"), -7, 205, 21]),
        ("Number", "three million two thousand", [3_002_000]),
        ("Number", "one" + " hundred" * 3_000, []),
        ("Percentage", "5%, 2.5 percent, ten per cent", [5, Decimal("2.5"), 10]),
        ("Currency", "$1,250.50, 20 EUR and 3 dollars; £7", [Decimal("1250.50"), 20, 3, 7]),
        ("DateTime", "On 2026-03-01T08:05, March 3rd, 2026 at 5:30 pm, 24 Dec 2025, 13/40/2026, 2/3/2026; at 7:15.",
         [datetime(2026, 3, 1, 8, 5), datetime(2026, 3, 3, 17, 30), datetime(2025, 12, 24), datetime(2026, 2, 3),
          "07:15:00"]),
        ("DateTime", "today, 31 February 2026, 99:99", [datetime(2026, 3, 30)]),
        ("DateTime", "", []),
    ],
)  # fmt: skip
def test_entities(mode: str, text: str, expected: list[Datum]) -> None:
    found = do("Text.RecognizeEntitiesInText", Text=text, Mode=f"Text.RecognizerMode.{mode}")["RecognizedEntities"]
    assert isinstance(found, DataTable)
    assert [row[1] for row in found.rows] == expected
    for shown, _, _, position in found.rows:
        assert isinstance(position, int)
        assert text[position:].startswith(str(shown))


def test_the_unit_of_money() -> None:
    found = do("Text.RecognizeEntitiesInText", Text="$1 2 euros CHF 3", Mode="Currency")["RecognizedEntities"]
    assert isinstance(found, DataTable)
    assert found.columns == ("Text", "Value", "Unit", "Position")
    assert [row[2] for row in found.rows] == ["USD", "EUR", "CHF"]


def test_entities_that_are_not_recognized_here() -> None:
    action = "Text.RecognizeEntitiesInText"
    assert "german" in fails("InvalidArgumentError", action, Text="a", Mode="Email", Language="German")
    assert "temperature" in fails("InvalidArgumentError", action, Text="a", Mode="Temperature")


@settings(max_examples=60)
@given(text=st.text(max_size=200), mode=st.sampled_from(["DateTime", "Number", "Url", "PhoneNumber", "IpAddress"]))
def test_any_text_has_entities_or_none(text: str, mode: str) -> None:
    assert isinstance(do("Text.RecognizeEntitiesInText", Text=text, Mode=mode)["RecognizedEntities"], DataTable)
