"""Find the error codes in the source: those of exceptions and of failed actions.

The codes of the checkers are in `problem_codes` and in the tables of explanations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDERS: Final = ("engine", "storage", "connectors")
OTHER_TABLES: Final = ("engine/cloud", "engine/desktop", "connectors/desktop")
"""Problems of definitions and of scripts, and error names of desktop actions, have tables of their own."""
FAILURES: Final = ("ConnectorError", "Fault", "_failure", "_error", "note_skip")
"""Calls whose positional arguments name the code of a failed action."""
CONSTANTS: Final = (
    "LAPSED",
    "_LATE",
    "CONDITION",
    "DEPENDENCY",
    "TIME_LIMIT",
    "CRASHED",
    "TOO_DEEP",
    "TERMINATED",
    "CODE",
    "CODES",
)
"""Constants of modules that name the code of an action or a run."""
OTHER_NAMES: Final = {"Condition"}
"""A kind of command, in a constant with the name of a code."""
_CODE: Final = re.compile(r"[A-Z][A-Za-z]*[a-z]")


def error_codes() -> set[str]:
    """Return the codes of all errors that commands, the API and failed actions report."""
    found: set[str] = set()
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(OTHER_TABLES):
                found.update(_codes(ast.parse(path.read_text("utf-8"))))
    return {code for code in found if _CODE.fullmatch(code)} - OTHER_NAMES


def _codes(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield from _attribute(node)
        elif isinstance(node, ast.Call):
            yield from _arguments(node)
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "code":
                    yield from _texts(value)
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) in CONSTANTS and node.value is not None:
            yield from _texts(node.value)


def _attribute(node: ast.ClassDef) -> Iterator[str]:
    """Return the class attribute `code` of an exception."""
    for statement in node.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "code":
            yield from _texts(statement.value)


def _arguments(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    for keyword in call.keywords:
        if keyword.arg == "code":
            yield from _texts(keyword.value)
    if name in FAILURES:
        for argument in call.args:
            if isinstance(argument, (ast.Constant, ast.IfExp)):
                # Names that end with Error are those of desktop actions.
                yield from (text for text in _texts(argument) if not text.endswith("Error"))


def _texts(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body)
        yield from _texts(value.orelse)
    elif isinstance(value, ast.Dict):
        for each in value.values:
            yield from _texts(each)
