"""Whatever a text holds: the reader never raises, and says where each problem is. Work grows with the length only."""

from __future__ import annotations

import sys

from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.desktop.checks.check import check, report
from sealflow.engine.desktop.syntax.lexer import LARGEST
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.desktop.syntax.recognition import decoded

WORDS = [
    "SET", "x", "TO", "IF", "THEN", "ELSE", "END", "LOOP", "FOREACH", "IN", "FROM", "WHILE", "SWITCH", "CASE",
    "DEFAULT", "BLOCK", "ON", "BLOCK ERROR", "ERROR", "all", "REPEAT", "TIMES", "WAIT", "FUNCTION", "END FUNCTION",
    "GLOBAL", "CALL", "GOTO", "LABEL", "EXIT", "NEXT", "ACTION", "THROW", "DISABLE", "Text.Trim", "Text:",
    "TrimmedText=>", "@INPUT", "@", "@@n:", "IMPORT", "**REGION", "/#", "#/", "#", "$'''", "'''", "'", '"', "%",
    "%%", "\\", "(", ")", "[", "]", "{", "}", "{{", "}}", "^", ",", ":", ".", "=", "<>", "=>", "+", "-", "mod",
    "AND", "NOT", "1", "1.5", "1E9", "appmask", "P'a'", 'd"1"', "``", "_", "\n", "\r\n", "\r", "\t", "\u2028",
    "\x00", "\ud800", "é", "٣",
]  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join))
def test_words_in_any_order(text: str) -> None:
    judge(text)


@settings(max_examples=80, deadline=None)
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    judge(text)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert isinstance(decoded(data), str)
    assert report(data, "a.robin")["kind"] == "desktop"


SCRIPT = """@INPUT Rows : {'Type': 'List'}
BLOCK Try
ON BLOCK ERROR all
    SET Failed TO True
END
    LOOP FOREACH Row IN Rows
        IF Row = $'''%'a'%\\'''' THEN
            Text.Trim Text: $'''x %Row[0] + 1% y''' TrimmedText=> t
            ON ERROR REPEAT 2 TIMES WAIT 1
            ON ERROR
                CALL Fix
            END
        END
    END
END
FUNCTION Fix GLOBAL
    WAIT (File.WaitForFile.Created File: t) FOR 3
END FUNCTION
"""


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SCRIPT)), st.integers(0, 20), st.text(max_size=5))
def test_a_script_with_a_wound(at: int, length: int, put: str) -> None:
    judge(SCRIPT[:at] + put + SCRIPT[at + length :])


def test_the_script_itself_is_whole() -> None:
    assert parse(SCRIPT).problems == ()


def judge(text: str) -> None:
    reading = parse(text)
    lines = text.count("\n") + text.count("\r") + 1
    for problem in check(reading):
        line, _, column = problem.at.partition(":")
        assert 1 <= int(line) <= lines
        assert 1 <= int(column) <= len(text) + 1
        assert problem.code.isalpha()
        assert problem.message
    assert parse(text) == reading


def test_work_grows_with_the_length_only() -> None:
    """Calls are counted, not time: a text twice as long takes twice as many."""
    counts = []
    for times in (10, 20, 40):
        text = SCRIPT.partition("FUNCTION")[0] * times
        calls = 0

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal calls
            if event == "call":
                calls += 1

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            parse(text)
        finally:
            sys.setprofile(before)
        counts.append(calls)
    assert counts[1] < counts[0] * 2.1
    assert counts[2] < counts[1] * 2.1


def test_unclosed_things_do_not_take_for_ever() -> None:
    for opening in ("$'''", "'''", "'", '"', "$'''%", "$'''%'", "/# ", "(", "[", "{", "P'", "SET x TO $'''a\n"):
        assert not parse(opening * 3000 + "a" * 3000).ok


def test_a_file_can_be_too_large() -> None:
    (problem,) = parse(" " * (LARGEST + 1)).problems
    assert problem.code == "TooLarge"
