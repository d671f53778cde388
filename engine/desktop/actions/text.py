"""Pure actions on texts: case, trimming, padding, cutting, joining and splitting, numbers and datetimes as texts.

Source: desktop flows, "Text actions". Positions count from 0. What looks for something is in `text_find`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Final

from ...errors import error_name
from ...expressions.dotnet.date_format import format_moment
from ...expressions.dotnet.date_parse_exact import parse_exact
from ...expressions.dotnet.faults import FormatError
from ...expressions.dotnet.moment import EPOCH
from ...expressions.dotnet.number_format import format_number
from ..expressions.conversions import to_text
from ..expressions.culture import moment_of
from ..expressions.errors import ARGUMENT, ActionError
from ..expressions.numbers import fitted
from .port import Given, Outputs, PureAction, table_of
from .text_patterns import pieces

_NO_NUMBER: Final = error_name("Provided text value can't be converted into a valid number")
_NO_DATETIME: Final = error_name("Provided text value can't be converted into a valid datetime")
_OUT_OF_RANGE: Final = error_name("StartIndex or length are out of range")

LONGEST: Final = 104_857_600
"""Characters that a text made by one action may have."""

_DELIMITERS: Final = {"space": " ", "tab": "\t", "newline": "\r\n"}


# --- changing


def _append(given: Given) -> Outputs:
    return {"Result": f"{given.text('Text', '')}\r\n{given.text('LineToAppend', '')}"}


def _case(given: Given) -> Outputs:
    text = given.text("Text", "")
    return {"Result": _CASES[given.choice("NewCase", "UpperCase", among=_CASES)](text)}


def _title(text: str) -> str:
    """Each word with a capital; words that are all capitals stay so, as .NET leaves them."""
    out: list[str] = []
    word = ""
    for sign in text + " ":
        if sign.isalpha() or (sign in "'’" and word):
            word += sign
            continue
        out.append(word if len(word) > 1 and word.isupper() else word[:1].upper() + word[1:].lower())
        out.append(sign)
        word = ""
    return "".join(out)[:-1]


def _sentence(text: str) -> str:
    out: list[str] = []
    starts = True
    for sign in text.lower():
        out.append(sign.upper() if starts and sign.isalpha() else sign)
        if sign in ".!?":
            starts = True
        elif not sign.isspace():
            starts = False
    return "".join(out)


_CASES: Final[dict[str, Callable[[str], str]]] = {
    "uppercase": str.upper,
    "lowercase": str.lower,
    "titlecase": _title,
    "sentencecase": _sentence,
}


def _trim(given: Given) -> Outputs:
    text, option = given.text("Text", ""), given.choice("TrimOption", "Both", among=("FromStart", "ToEnd", "Both"))
    if option != "toend":
        text = text.lstrip()
    return {"TrimmedText": text if option == "fromstart" else text.rstrip()}


def _pad(given: Given) -> Outputs:
    text, padding, length = given.text("Text", ""), given.text("PaddingText", " "), given.integer("TotalLength", 10)
    if not padding:
        raise ActionError(ARGUMENT, "There is nothing to pad with.")
    if length > LONGEST:
        raise ActionError(ARGUMENT, f"A text has at most {LONGEST:,} characters.")
    missing = max(length - len(text), 0)
    filling = (padding * (missing // len(padding) + 1))[:missing]
    left = given.choice("PadPosition", "Left", among=("Left", "Right")) == "left"
    return {"PaddedText": filling + text if left else text + filling}


def _reverse(given: Given) -> Outputs:
    return {"ReversedText": given.text("Text", "")[::-1]}


def _html(given: Given) -> Outputs:
    return {"HtmlContent": given.text("HtmlEditor", "")}


def _random(given: Given) -> Outputs:
    kinds = (
        ("UseUpperCaseLetters", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        ("UseLowerCaseLetters", "abcdefghijklmnopqrstuvwxyz"),
        ("UseDigits", "0123456789"),
        ("UseSymbols", "!#$%&()*+,-./:;<=>?@[]^_{|}~"),
    )
    signs = "".join(alphabet for name, alphabet in kinds if given.boolean(name, True))
    low, high = given.integer("MinimumLength", 6), given.integer("MaximumLength", 10)
    if not signs or not 0 <= low <= high <= 100_000:
        raise ActionError(ARGUMENT, "A random text needs characters to be made of, and from 0 to 100,000 of them.")
    length = low + _below(given, high - low + 1)
    return {"RandomText": "".join(signs[_below(given, len(signs))] for _ in range(length))}


def _below(given: Given, bound: int) -> int:
    """A number from 0 to below `bound`; of eight bytes, so that no remainder is noticeably likelier."""
    return int.from_bytes(given.draw(8), "big") % bound


# --- parts


def _subtext(given: Given) -> Outputs:
    text = given.text("Text", "")
    start = given.integer("CharacterPosition", 0)
    length = given.integer("NumberOfChars", len(text) - start)
    if start < 0 or length < 0 or start + length > len(text):
        what = f"The text has {len(text)} characters; {length} from position {start} are not among them."
        raise ActionError(_OUT_OF_RANGE, what)
    return {"Subtext": text[start : start + length]}


def _join(given: Given) -> Outputs:
    between = _delimiter(given) if given.has("StandardDelimiter") or given.has("CustomDelimiter") else ""
    return {"Result": between.join(to_text(item, given.culture) for item in given.items("List"))}


def _delimiter(given: Given) -> str:
    if given.has("CustomDelimiter"):
        return given.text("CustomDelimiter")
    times = given.integer("DelimiterTimes", 1)
    if not 0 <= times <= 1_000:
        raise ActionError(ARGUMENT, "A delimiter is repeated up to 1,000 times.")
    return _DELIMITERS[given.choice("StandardDelimiter", "Space", among=_DELIMITERS)] * times


def _split(given: Given) -> Outputs:
    text = given.text("Text", "")
    delimiter = _delimiter(given)
    if given.boolean("IsRegEx", False):
        return {"Result": list(pieces(delimiter, text))}
    if not delimiter:
        return {"Result": [text]}
    # A new line may be written in either way.
    plain = text.replace("\r\n", "\n").split(delimiter.replace("\r\n", "\n")) if "\n" in delimiter else None
    return {"Result": plain if plain is not None else text.split(delimiter)}


def _split_at(given: Given) -> Outputs:
    text, length = given.text("Text", ""), given.integer("SplitInterval")
    if length < 1:
        raise ActionError(ARGUMENT, "A piece has at least one character.")
    return {"Result": [text[at : at + length] for at in range(0, len(text), length)]}


# --- numbers and datetimes


def _to_number(given: Given) -> Outputs:
    text = given.text("Text", "")
    number = given.culture.read_number(text)
    if number is None:
        raise ActionError(_NO_NUMBER, "The text is no number.")
    return {"Number": number}


def _from_number(given: Given) -> Outputs:
    number, places = given.number("Number"), given.integer("DecimalPlaces", 2)
    if not 0 <= places <= 28:
        raise ActionError(ARGUMENT, "A number has from 0 to 28 decimal places.")
    pattern = ("N" if given.boolean("UseThousandsSeparator", True) else "F") + str(places)
    return {"FormattedNumber": format_number(fitted(Decimal(number)), pattern, given.culture.rules)}


_FORMATS: Final = {
    "shortdate": "d",
    "longdate": "D",
    "shorttime": "t",
    "longtime": "T",
    "fulldatetimeshorttime": "f",
    "fulldatetimelongtime": "F",
    "generaldatetimeshorttime": "g",
    "generaldatetimelongtime": "G",
    "sortabledatetime": "s",
}


def _from_datetime(given: Given) -> Outputs:
    if given.has("CustomFormat"):
        pattern = given.text("CustomFormat")
    else:
        pattern = _FORMATS[given.choice("StandardFormat", "ShortDate", among=_FORMATS)]
    try:
        return {"Result": format_moment(moment_of(given.moment("DateTime")), pattern, given.culture.rules)}
    except FormatError as error:
        raise ActionError(ARGUMENT, f"The format is none: {error}.") from None


def _to_datetime(given: Given) -> Outputs:
    text = given.text("Text", "")
    if not given.has("CustomFormat"):
        found = given.culture.read_moment(text)
        if found is None:
            raise ActionError(_NO_DATETIME, "The text is no datetime.")
        return {"DateTime": found}
    try:
        moment = parse_exact(text, given.text("CustomFormat"), given.culture.rules)
        return {"DateTime": EPOCH + timedelta(microseconds=moment.ticks // 10)}
    except (FormatError, OverflowError) as error:
        raise ActionError(_NO_DATETIME, f"The text does not fit the format: {error}.") from None


_SUBTEXTS: Final = ("GetSubtext", "GetSubtextFrom", "GetSubtextFromStartTo", "GetText")

ACTIONS: Final = table_of(
    [
        PureAction("Text.AppendLine", _append),
        PureAction("Text.ChangeCase", _case),
        PureAction("Text.Trim", _trim),
        PureAction("Text.Pad", _pad),
        PureAction("Text.Reverse", _reverse),
        PureAction("Text.CreateHTMLContent", _html),
        PureAction("Text.Random", _random),
        *(PureAction(f"Text.GetSubtext.{name}", _subtext) for name in _SUBTEXTS),
        *(PureAction(f"Text.JoinText.{name}", _join) for name in ("Join", "JoinWithCustomDelimiter")),
        PureAction("Text.JoinText.JoinWithDelimiter", _join),
        PureAction("Text.SplitText.Split", _split),
        PureAction("Text.SplitText.SplitWithDelimiter", _split),
        PureAction("Text.SplitText.SplitAtNumberOfCharacters", _split_at),
        PureAction("Text.ToNumber", _to_number),
        PureAction("Text.FromNumber", _from_number),
        PureAction("Text.ConvertDateTimeToText.FromDateTime", _from_datetime),
        PureAction("Text.ConvertDateTimeToText.FromCustomDateTime", _from_datetime),
        PureAction("Text.ConvertTextToDateTime.ToDateTime", _to_datetime),
        PureAction("Text.ConvertTextToDateTime.ToDateTimeCustomFormat", _to_datetime),
    ]
)
