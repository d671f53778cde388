"""What the command line writes: JSON, values, tables and text that cannot harm a terminal."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealflow.engine.errors import Denied, ExpressionError, NotFound, SealflowError
from sealflow.engine.hosts.cli import errors
from sealflow.engine.hosts.cli.moments import moment_ms
from sealflow.engine.hosts.cli.output import writing as output
from sealflow.engine.hosts.cli.output.tree import Overview, action_lines
from sealflow.storage import errors as storage_errors

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(VALUES)
def test_json_is_one_line_that_any_utf8_reader_accepts(value: object) -> None:
    text = output.json_text(value)
    assert "\n" not in text
    json.loads(text.encode(), parse_constant=lambda name: pytest.fail(name))


def test_numbers_that_json_lacks_are_texts() -> None:
    assert output.json_text([math.nan, math.inf, -math.inf]) == '["NaN","Infinity","-Infinity"]'


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    shown = output.printable(text)
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in shown)
    assert "\x9b" not in shown
    assert "\n" not in output.one_line(text)


def test_an_encoding_without_symbols_gets_plain_ones() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    output.write(stream, "✓ Grüße … 日")
    stream.flush()
    assert stream.buffer.getvalue() == b"+ Gr\\xfc\\xdfe ... \\u65e5\n"


def test_long_values_are_cut_unless_full() -> None:
    text = output.shown("x" * 5_000)
    assert text.startswith("x" * 2_000 + "… (5,000 characters")
    assert output.shown("x" * 5_000, full=True) == "x" * 5_000
    assert output.shown({"a": [1, "ü"]}, indent=2) == '{\n    "a": [\n      1,\n      "ü"\n    ]\n  }'


def test_tables_align_and_end_without_blanks() -> None:
    assert output.table(["A", "LONG"], [["x\ny", "1"], ["longer", ""]]) == ["A       LONG", "x\\ny    1", "longer"]


# ---- exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SealflowError("x", code="Anything"), 2),
        (ExpressionError("x"), 2),
        (NotFound("x"), 3),
        (NotFound("x", code="EnvironmentNotFound"), 3),
        (Denied("x"), 4),
        (Denied("x", code="EnvironmentLocked"), 4),
        (SealflowError("x", code="AlreadyExists"), 2),
        (errors.WaitTimeoutError("x"), 124),
        (errors.InterruptedRunError("x"), 130),
        (storage_errors.RecordNotFound("x"), 3),
        (storage_errors.AlreadyThere("x"), 2),
        (storage_errors.NotStorable("x"), 2),
        (storage_errors.WrongKey("x"), 4),
        (storage_errors.KeyMissing("x"), 4),
        (storage_errors.KeystoreUnreadable("x"), 4),
        (storage_errors.StoreNotWritable("x"), 4),
        (storage_errors.StoreFull("x"), 4),
        (storage_errors.StoreCorrupt("x"), 4),
        (storage_errors.TamperedHistory("x", run="00", seq=1), 4),
        (FileNotFoundError(2, "No such file", "f"), 3),
        (PermissionError(13, "Permission denied", "f"), 4),
        (OSError(28, "No space left on device", "f"), 4),
        (OSError(30, "Read-only file system", "f"), 4),
        (IsADirectoryError(21, "Is a directory", "f"), 2),
        (RuntimeError("secret value"), 1),
        (MemoryError(), 1),
    ],
)
def test_every_error_has_an_exit_code(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.report(error, as_json=True) == code
    out, err = capsys.readouterr()
    told = json.loads(out)["error"]
    assert set(told) >= {"code", "message", "hint"}
    assert err.startswith("error: ")
    assert "Traceback" not in err
    assert "secret value" not in err + out


def test_an_internal_error_shows_its_traceback_only_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALFLOW_DEBUG", "1")
    errors.report(RuntimeError("inner"), as_json=False)
    assert "RuntimeError: inner" in capsys.readouterr().err


def test_an_error_says_what_where_and_what_next(capsys: pytest.CaptureFixture[str]) -> None:
    error = ExpressionError("No such function.", expression="concat(foo(1))", position=7, hint="Look it up.")
    with pytest.raises(ExpressionError), errors.about("flow.json"):
        raise error
    errors.report(error, as_json=False)
    assert capsys.readouterr().err.splitlines() == [
        "error: No such function. (InvalidTemplate)",
        "  at:   flow.json",
        "  in:   concat(foo(1))",
        "               ^",
        "  next: Look it up.",
    ]


def test_the_mark_stays_below_its_place_in_a_long_expression(capsys: pytest.CaptureFixture[str]) -> None:
    expression = "concat('" + "a" * 300 + "', wrong(1), '" + "b" * 300 + "')"
    place = expression.index("wrong")
    errors.report(ExpressionError("x", expression=expression, position=place), as_json=False)
    _, line, mark = capsys.readouterr().err.splitlines()
    assert line[mark.index("^") :].startswith("wrong(1)")
    assert len(line) < 140


# ---- times


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("1970-01-01T00:00:01Z", 1_000),
        ("1970-01-02", 86_400_000),
        ("1970-01-01T01:00:00+01:00", 0),
        ("2h", (10_000 - 7_200) * 1_000),
        ("90 s", 9_910_000),
    ],
)
def test_moments(text: str, milliseconds: int) -> None:
    assert moment_ms(text, "--since", now=10_000) == milliseconds


def test_a_moment_that_is_none_says_what_is_one() -> None:
    with pytest.raises(errors.UsageError, match="--since needs a time such as"):
        moment_ms("yesterday", "--since")


# ---- the tree of actions


def action(path: str, status: str = "Succeeded", **more: object) -> dict[str, object]:
    name = path.rpartition("/")[2]
    moment = "2026-01-01T00:00:00.0000000Z"
    given = {"code": "OK", "error": None, "start": moment, "end": moment, "attempts": 1}
    return {"path": path, "name": name, "status": status, **given, **more}


def test_actions_are_a_tree_whatever_the_order_of_their_starts() -> None:
    actions = [
        action("/A"),
        action("/Loop", end="2026-01-01T00:00:02.0000000Z"),
        action("/Loop[0]/X"),
        action("/B[0]"),
        action("/Loop[1]/X", "Failed", code="Bad", error={"message": "no"}),
        action("/Loop[0]/Y", "Skipped"),
        action("/B[0]/C", "Running", end=None, code=None),
    ]
    assert action_lines(actions) == [
        "✓ A",
        "✓ Loop (2 iterations) 2 s",
        "  [0]",
        "    ✓ X",
        "    - Y skipped",
        "  [1]",
        "    ✗ X: Bad: no",
        "✓ B[0]",
        "  … C",
    ]


def overview(actions: Sequence[dict[str, object]], *failed: str, certain: bool = True) -> list[str]:
    made = Overview(failed, certain=certain)
    for each in actions:
        if made.wants(str(each["path"])):
            made.take(each)
    return made.lines()


def test_many_iterations_are_cut_but_not_those_that_failed() -> None:
    actions = [action("/L"), *(action(f"/L[{n}]/X", "Failed" if n == 77 else "Succeeded") for n in range(100))]
    lines = overview(actions, "/L[77]/X")
    assert lines[0] == "✓ L (100 iterations)"
    assert [line.strip() for line in lines if line.strip().startswith("[")] == ["[0]", "[1]", "[2]", "[77]"]
    assert lines[-1] == "  … 96 more iterations without failures (--full shows them)"
    assert overview(actions, "/L[77]/X", certain=False)[-1] == "  … 96 more iterations (--full shows them)"
    assert len(action_lines(actions)) == 201


def test_loops_in_loops_are_cut_at_each_level() -> None:
    inner = [action(f"/L[{n}]/M[{m}]/X") for n in range(9) for m in range(9)]
    actions = [action("/L"), *(action(f"/L[{n}]/M") for n in range(9)), *inner]
    lines = overview(actions, "/L[7]/M[8]/X")
    assert sum(line.strip().startswith("✓ X") for line in lines) == 3 * 3 + 4
    assert [line.strip() for line in lines if "more iterations" in line].count(
        "… 6 more iterations without failures (--full shows them)"
    ) == 3
    assert lines[-1] == "  … 5 more iterations without failures (--full shows them)"


def test_a_name_that_looks_like_an_iteration_is_none() -> None:
    assert overview([action("/S[8]"), action("/S[8]/X")]) == ["✓ S[8]", "  ✓ X"]


def test_what_is_in_a_container_of_another_page_is_told_by_its_path() -> None:
    assert action_lines([action("/S/L[4]/X"), action("/S/L[4]/Y")]) == ["✓ /S/L[4]/X", "✓ /S/L[4]/Y"]
