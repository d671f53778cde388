"""The pure actions on texts and datetimes."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.datatypes import Datum
from sealflow.engine.desktop.actions import pure_action
from sealflow.engine.desktop.actions.port import Given
from sealflow.engine.desktop.expressions.culture import culture_of
from sealflow.engine.desktop.expressions.errors import ActionError

NOW = datetime(2026, 3, 29, 1, 30)


def do(action: str, culture: str = "en-US", **arguments: Any) -> dict[str, Datum]:
    count = 0

    def draw(length: int) -> bytes:
        nonlocal count
        count += 1
        return sha256(bytes([count % 256])).digest()[:length]

    found = pure_action(action)
    assert found is not None, action
    return dict(found.run(Given(arguments, culture_of(culture), NOW, draw, "Europe/Berlin")))


def one(action: str, culture: str = "en-US", **arguments: Any) -> Datum:
    """The first output."""
    return next(iter(do(action, culture, **arguments).values()))


def fails(error: str, action: str, **arguments: Any) -> ActionError:
    with pytest.raises(ActionError) as caught:
        do(action, **arguments)
    assert caught.value.code == error, caught.value
    return caught.value


@pytest.mark.parametrize(
    ("action", "arguments", "expected"),
    [
        ("Text.AppendLine", {"Text": "a", "LineToAppend": "b"}, "a\r\nb"),
        ("Text.ChangeCase", {"Text": "abc", "NewCase": "Text.CaseOption.UpperCase"}, "ABC"),
        ("Text.ChangeCase", {"Text": "the QUICK o'neil NATO", "NewCase": "TitleCase"}, "The QUICK O'neil NATO"),
        (
            "Text.ChangeCase",
            {"Text": "HELLO there. how ARE you? ok", "NewCase": "SentenceCase"},
            "Hello there. How are you? Ok",
        ),
        ("Text.Trim", {"Text": "\t a \n"}, "a"),
        ("Text.Trim", {"Text": " a ", "TrimOption": "Text.TrimOption.FromStart"}, "a "),
        ("Text.Trim", {"Text": " a ", "TrimOption": "ToEnd"}, " a"),
        ("Text.Pad", {"Text": "7", "TotalLength": 3, "PaddingText": "0"}, "007"),
        ("Text.Pad", {"Text": "7", "TotalLength": 4, "PaddingText": "ab", "PadPosition": "Right"}, "7aba"),
        ("Text.Pad", {"Text": "long", "TotalLength": 2, "PaddingText": "0"}, "long"),
        ("Text.Reverse", {"Text": "abc"}, "cba"),
        ("Text.GetSubtext.GetSubtext", {"Text": "abcdef", "CharacterPosition": 1, "NumberOfChars": 3}, "bcd"),
        ("Text.GetSubtext.GetSubtextFrom", {"Text": "abcdef", "CharacterPosition": "2"}, "cdef"),
        ("Text.GetSubtext.GetSubtextFromStartTo", {"Text": "abcdef", "NumberOfChars": 2}, "ab"),
        ("Text.JoinText.Join", {"List": ["a", 1, True]}, "a1True"),
        ("Text.JoinText.JoinWithDelimiter", {"List": ["a", "b"], "StandardDelimiter": "NewLine"}, "a\r\nb"),
        ("Text.JoinText.JoinWithCustomDelimiter", {"List": ["a", "b"], "CustomDelimiter": "; "}, "a; b"),
        ("Text.SplitText.Split", {"Text": "a  b c", "DelimiterTimes": 2}, ["a", "b c"]),
        ("Text.SplitText.Split", {"Text": "a\nb\r\nc", "StandardDelimiter": "NewLine"}, ["a", "b", "c"]),
        ("Text.SplitText.SplitWithDelimiter", {"Text": "a,b,,c", "CustomDelimiter": ","}, ["a", "b", "", "c"]),
        (
            "Text.SplitText.SplitWithDelimiter",
            {"Text": "a1b22c", "CustomDelimiter": r"\d+", "IsRegEx": True},
            ["a", "b", "c"],
        ),
        ("Text.SplitText.SplitAtNumberOfCharacters", {"Text": "abcde", "SplitInterval": 2}, ["ab", "cd", "e"]),
        ("Text.ToNumber", {"Text": " 1,234.50 "}, Decimal("1234.50")),
        ("Text.FromNumber", {"Number": Decimal("1234.5")}, "1,234.50"),
        ("Text.FromNumber", {"Number": Decimal("1234.5"), "UseThousandsSeparator": False}, "1234.50"),
        ("Text.FromNumber", {"Number": -2, "DecimalPlaces": 0}, "-2"),
        ("Text.ConvertTextToDateTime.ToDateTime", {"Text": "3/1/2026 5:04 PM"}, datetime(2026, 3, 1, 17, 4)),
        (
            "Text.ConvertTextToDateTime.ToDateTimeCustomFormat",
            {"Text": "01.03.26", "CustomFormat": "dd.MM.yy"},
            datetime(2026, 3, 1),
        ),
        (
            "Text.ConvertDateTimeToText.FromCustomDateTime",
            {"DateTime": datetime(2026, 3, 1, 17, 4, 5), "CustomFormat": "yyyy-MM-dd_HHmmss"},
            "2026-03-01_170405",
        ),
        (
            "Text.ConvertDateTimeToText.FromDateTime",
            {"DateTime": datetime(2026, 3, 1), "StandardFormat": "SortableDateTime"},
            "2026-03-01T00:00:00",
        ),
        ("Text.ParseText.Parse", {"Text": "abcABCabc", "TextToFind": "abc"}, [0, 6]),
        (
            "Text.ParseText.Parse",
            {"Text": "abcABC", "TextToFind": "abc", "IgnoreCase": True, "StartingPosition": 1},
            [3],
        ),
        ("Text.ParseText.ParseForFirstOccurrence", {"Text": "abc", "TextToFind": "x"}, -1),
        ("Text.ParseText.RegexParseForFirstOccurrence", {"Text": "id 42 43", "TextToFind": r"(?<n>\d+)"}, 3),
        (
            "Text.Replace",
            {"Text": "a.b.c", "TextToFind": ".", "ReplaceWith": "\\n", "ActivateEscapeSequences": True},
            "a\nb\nc",
        ),
        ("Text.Replace", {"Text": "aAa", "TextToFind": "a", "ReplaceWith": "$1", "IgnoreCase": True}, "$1$1$1"),
        (
            "Text.Replace",
            {"Text": "2026-03", "TextToFind": r"(\d+)-(?<m>\d+)", "ReplaceWith": "${m}/$1 $$ $&", "IsRegEx": True},
            "03/2026 $ 2026-03",
        ),
        ("Text.Replace.ReplaceTextWithRegex", {"Text": "a1", "TextToFind": r"\p{Lu}|\d", "ReplaceWith": "-"}, "a-"),
        ("Text.CropText.CropTextBetweenFlags", {"Text": "x[a]y", "FromFlag": "[", "ToFlag": "]"}, "a"),
        ("Text.CropText.CropTextBeforeFlag", {"Text": "x[a]y", "ToFlag": "["}, "x"),
        ("Text.CropText.CropTextAfterFlag", {"Text": "xAyAz", "FromFlag": "a", "IgnoreCase": True}, "yAz"),
        ("Text.CropText.CropTextAfterFlag", {"Text": "xyz", "FromFlag": "a"}, "xyz"),
        ("Text.EscapeForRegularExpression", {"Text": "a.b (c)\n"}, "a\\.b\\ \\(c\\)\\n"),
        (
            "DateTime.Add",
            {"DateTime": datetime(2026, 1, 31), "TimeToAdd": 1, "TimeUnit": "DateTime.TimeUnit.Months"},
            datetime(2026, 2, 28),
        ),
        (
            "DateTime.Add",
            {"DateTime": datetime(2024, 2, 29), "TimeToAdd": -1, "TimeUnit": "Years"},
            datetime(2023, 2, 28),
        ),
        (
            "DateTime.Add",
            {"DateTime": datetime(2026, 1, 1), "TimeToAdd": Decimal("1.5"), "TimeUnit": "Hours"},
            datetime(2026, 1, 1, 1, 30),
        ),
        (
            "DateTime.Subtract",
            {"FromDate": datetime(2026, 1, 2, 12), "SubstractDate": datetime(2026, 1, 1), "TimeUnit": "Days"},
            Decimal("1.5"),
        ),
        ("DateTime.GetCurrentDateTime.Local", {}, datetime(2026, 3, 29, 3, 30)),
        (
            "DateTime.GetCurrentDateTime.Local",
            {"DateTimeFormat": "DateTime.DateTimeFormat.DateOnly"},
            datetime(2026, 3, 29),
        ),
    ],
)
def test_action(action: str, arguments: dict[str, Any], expected: Datum) -> None:
    assert one(action, **arguments) == expected


def test_the_culture_decides_how_numbers_and_datetimes_are_written() -> None:
    assert one("Text.FromNumber", "de-DE", Number=Decimal("1234.5")) == "1.234,50"
    assert one("Text.ToNumber", "de-DE", Text="1.234,5") == Decimal("1234.5")
    assert one("Text.ConvertDateTimeToText.FromDateTime", "de-DE", DateTime=datetime(2026, 3, 1)) == "01.03.2026"
    assert one("Text.ConvertTextToDateTime.ToDateTime", "en-GB", Text="2/3/2026") == datetime(2026, 3, 2)


def test_the_documented_errors_have_their_names() -> None:
    fails("ProvidedTextValueCantBeConvertedIntoAValidNumberError", "Text.ToNumber", Text="twelve")
    fails("ProvidedTextValueCantBeConvertedIntoAValidDatetimeError", "Text.ConvertTextToDateTime.ToDateTime", Text="x")
    fails("StartIndexOrLengthAreOutOfRangeError", "Text.GetSubtext.GetSubtextFrom", Text="a", CharacterPosition=2)
    fails("ProvidedRegularExpressionIsInvalidError", "Text.ParseText.RegexParse", Text="a", TextToFind="(")
    fails("ProvidedRegularExpressionIsInvalidError", "Text.ParseText.RegexParse", Text="a", TextToFind="(?<a-b>x)")
    fails("InvalidArgumentError", "Text.Pad", Text="a", TotalLength=10**12, PaddingText="x")
    fails("InvalidArgumentError", "DateTime.Add", DateTime=NOW, TimeToAdd=10**9, TimeUnit="Years")


def test_random_texts_come_of_the_chance_that_is_given() -> None:
    text = one("Text.Random", UseSymbols=False, UseDigits=False, MinimumLength=8, MaximumLength=8)
    assert isinstance(text, str)
    assert len(text) == 8
    assert text.isalpha()
    assert text == one("Text.Random", UseSymbols=False, UseDigits=False, MinimumLength=8, MaximumLength=8)
    fails("InvalidArgumentError", "Text.Random", MinimumLength=5, MaximumLength=4)


def test_entities_in_one_list_of_matches() -> None:
    done = do("Text.ParseText.RegexParse", Text="a1b22", TextToFind=r"\d+")
    assert (done["Matches"], done["Positions"]) == (["1", "22"], [1, 3])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(
        [
            "Text.Trim",
            "Text.ChangeCase",
            "Text.ToNumber",
            "Text.SplitText.Split",
            "Text.Replace",
            "Text.ParseText.RegexParse",
        ]
    ),
    st.text(),
    st.text(),
)
def test_no_text_breaks_an_action(action: str, text: str, wanted: str) -> None:
    found = pure_action(action)
    assert found is not None
    arguments: dict[str, Datum] = {"Text": text, "TextToFind": wanted, "ReplaceWith": wanted, "IsRegEx": True}
    try:
        found.run(Given(arguments, culture_of("en-US"), NOW, bytes))
    except ActionError:
        pass
