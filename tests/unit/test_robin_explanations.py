"""Every code that reading and checking scripts can report is explained; the references say what the code does."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sealflow.engine.cloud.report.explanations import explanations
from sealflow.engine.desktop.checks.check import check
from sealflow.engine.desktop.syntax.lexer import LARGEST
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.desktop.syntax.parse_expression import DEEPEST, HIGHEST
from sealflow.engine.desktop.syntax.parse_structure import DEEPEST as STATEMENTS_DEEPEST
from sealflow.engine.desktop.syntax.words import FUNCTIONS, RESERVED

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "sealflow.engine.desktop"


def reported() -> Iterator[str]:
    """The codes that the modules about problems name: by keyword, or first in a call that reports one."""
    folder = ROOT / "engine" / "desktop"
    for pattern in (
        "syntax/lexer*.py",
        "syntax/parse*.py",
        "syntax/reading.py",
        "checks/*.py",
        "sources.py",
        "syntax/problem.py",
    ):
        for path in sorted(folder.glob(pattern)):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Call):
                    yield from _codes(node)


def _codes(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    first = call.args[0] if call.args else None
    if (
        name in ("error", "warning", "info", "_fault", "note", "Problem")
        and isinstance(first, ast.Constant)
        and isinstance(first.value, str)
    ):
        yield first.value
    for keyword in call.keywords:
        if keyword.arg == "code":
            for node in ast.walk(keyword.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value[:1].isupper():
                    yield node.value


def test_every_code_is_explained_and_no_other() -> None:
    # The two that are given as variables, and the one that an error has by itself.
    indirect = {"InvalidSyntax", "UnexpectedEnd", "Misplaced", "RepeatOnBlock"}
    assert set(explanations(PACKAGE)) == set(reported()) | indirect


def test_explanations_are_sentences_of_one_line() -> None:
    for each in explanations(PACKAGE).values():
        assert each.meaning.endswith("."), each.code
        assert each.remedy.endswith((".", "`")), each.code
        assert "|" not in each.meaning + each.example + each.remedy, each.code
        assert set(each.severities) <= {"error", "warning", "info"}, each.code


def test_the_reference_is_the_table() -> None:
    text = (ROOT / "docs" / "reference" / "robin-problems.md").read_text("utf-8")
    rows = [
        f"| `{each.code}` | {', '.join(each.severities)} | {each.meaning} | {each.example} | {each.remedy} |"
        for each in explanations(PACKAGE).values()
    ]
    assert [line for line in text.splitlines() if line.startswith("| `")] == rows


def test_the_examples_of_the_language_reference_are_right() -> None:
    text = (ROOT / "docs" / "reference" / "robin.md").read_text("utf-8")
    blocks = re.findall(r"^```robin\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 7
    assert [check(parse(block)) for block in blocks] == [()] * 7


def test_the_language_reference_has_all_words_and_limits() -> None:
    text = (ROOT / "docs" / "reference" / "robin.md").read_text("utf-8")
    named = re.search(r"These words are reserved: (.*?)\. Labels", text, re.DOTALL)
    assert named is not None
    assert set(re.findall(r"\w+", named[1])) == RESERVED
    assert all(f"`{name}`" in text for name, _, _ in FUNCTIONS.values())
    limits = dict(re.findall(r"^\| (.+?) \| (\d+)\b.* \|$", text.partition("\n## Limits\n")[2], re.MULTILINE))
    assert limits == {
        "size of a script": str(LARGEST // 1024 // 1024),
        "nesting of statements": str(STATEMENTS_DEEPEST),
        "nesting of brackets": str(DEEPEST),
        "height of an expression": str(HIGHEST),
    }
