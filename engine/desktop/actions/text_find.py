"""Pure actions that look for something in a text: parse, replace, crop, escape.

Source: desktop flows, "Text actions": positions count from 0, and a position that is not found is -1.
"""

from __future__ import annotations

import re
from typing import Final

from ..expressions.errors import ARGUMENT, ActionError
from .port import Given, Outputs, PureAction, table_of
from .text_patterns import matches, replaced

_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", "0": "\0", "v": "\v", "f": "\f", "b": "\b", "a": "\a"}
_ESCAPE: Final = re.compile(r"\\([nrt\\0vfba])")


def _start(given: Given, text: str) -> int:
    start = given.integer("StartingPosition", 0)
    if not 0 <= start <= len(text):
        raise ActionError(ARGUMENT, f"The text has {len(text)} characters; {start} is no position in it.")
    return start


def _places(wanted: str, text: str, start: int, *, ignore_case: bool) -> list[int]:
    if not wanted:
        return []
    expression = re.compile(re.escape(wanted), re.IGNORECASE if ignore_case else 0)
    return [match.start() for match in expression.finditer(text, start)]


def _parse(given: Given) -> Outputs:
    text = given.text("Text", "")
    found = _places(
        given.text("TextToFind", ""), text, _start(given, text), ignore_case=given.boolean("IgnoreCase", False)
    )
    return {"OccurrencePositions": list(found), "Positions": list(found)}


def _parse_first(given: Given) -> Outputs:
    text = given.text("Text", "")
    found = _places(
        given.text("TextToFind", ""), text, _start(given, text), ignore_case=given.boolean("IgnoreCase", False)
    )
    first = found[0] if found else -1
    return {"OccurrencePosition": first, "Position": first}


def _parse_pattern(given: Given) -> Outputs:
    text = given.text("Text", "")
    found = matches(
        given.text("TextToFind", ""), text, _start(given, text), ignore_case=given.boolean("IgnoreCase", False)
    )
    places = [match.start() for match in found]
    return {
        "OccurrencePositions": list(places),
        "Positions": list(places),
        "Matches": [str(match.group()) for match in found],
    }


def _parse_pattern_first(given: Given) -> Outputs:
    text = given.text("Text", "")
    found = matches(
        given.text("TextToFind", ""), text, _start(given, text), ignore_case=given.boolean("IgnoreCase", False)
    )
    first = found[0].start() if found else -1
    return {
        "OccurrencePosition": first,
        "Position": first,
        "Match": str(found[0].group()) if found else "",
    }


def _replacement(given: Given) -> str:
    text = given.text("ReplaceWith", "")
    if not given.boolean("ActivateEscapeSequences", False):
        return text
    return _ESCAPE.sub(lambda match: _ESCAPES[match.group(1)], text)


def _replace(given: Given) -> Outputs:
    text, wanted, new = given.text("Text", ""), given.text("TextToFind", ""), _replacement(given)
    ignore_case = given.boolean("IgnoreCase", False)
    if given.boolean("IsRegEx", False):
        return _outputs(replaced(wanted, new, text, ignore_case=ignore_case))
    if not wanted:
        raise ActionError(ARGUMENT, "There is nothing to look for.")
    if ignore_case:
        return _outputs(re.sub(re.escape(wanted), lambda _: new, text, flags=re.IGNORECASE))
    return _outputs(text.replace(wanted, new))


def _replace_pattern(given: Given) -> Outputs:
    ignore_case = given.boolean("IgnoreCase", False)
    return _outputs(
        replaced(given.text("TextToFind", ""), _replacement(given), given.text("Text", ""), ignore_case=ignore_case)
    )


def _outputs(text: str) -> Outputs:
    return {"Result": text, "Replaced": text}


def _crop(given: Given) -> Outputs:
    """What is before, after or between flags; the whole text where a flag is not found."""
    text = given.text("Text", "")
    ignore_case = given.boolean("IgnoreCase", False)
    start, end = 0, len(text)
    if given.has("FromFlag"):
        flag = given.text("FromFlag")
        found = _places(flag, text, 0, ignore_case=ignore_case)
        if not found:
            return {"CroppedText": text, "IsFlagFound": False}
        start = found[0] + len(flag)
    if given.has("ToFlag"):
        found = _places(given.text("ToFlag"), text, start, ignore_case=ignore_case)
        if not found:
            return {"CroppedText": text, "IsFlagFound": False}
        end = found[0]
    return {"CroppedText": text[start:end], "IsFlagFound": True}


_SPECIAL: Final = frozenset("\\*+?|{[()^$.# \t\n\r\f")
_ESCAPED_SPACE: Final = {"\t": "\\t", "\n": "\\n", "\r": "\\r", "\f": "\\f"}


def _escape(given: Given) -> Outputs:
    """As .NET's Regex.Escape: the characters that mean something, and white space."""
    text = given.text("Text", "")
    return {
        "EscapedText": "".join(_ESCAPED_SPACE.get(sign, f"\\{sign}") if sign in _SPECIAL else sign for sign in text)
    }


ACTIONS: Final = table_of(
    [
        PureAction("Text.ParseText.Parse", _parse),
        PureAction("Text.ParseText.ParseForFirstOccurrence", _parse_first),
        PureAction("Text.ParseText.RegexParse", _parse_pattern),
        PureAction("Text.ParseText.RegexParseForFirstOccurrence", _parse_pattern_first),
        PureAction("Text.Replace", _replace),
        PureAction("Text.Replace.ReplaceText", _replace),
        PureAction("Text.Replace.ReplaceTextWithRegex", _replace_pattern),
        PureAction("Text.CropText.CropTextAfterFlag", _crop),
        PureAction("Text.CropText.CropTextBeforeFlag", _crop),
        PureAction("Text.CropText.CropTextBetweenFlags", _crop),
        PureAction("Text.EscapeForRegularExpression", _escape),
    ]
)
