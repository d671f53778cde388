"""The codes of problems as the source of the checker has them: read from its syntax, so that none can be forgotten."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from sealflow.engine import cloud, importers

FOLDERS = (Path(cloud.__file__).parent, Path(importers.__file__).parent)
SEVERITIES = ("error", "warning", "info")


def codes_in_source() -> dict[str, set[str]]:
    """Every code that `engine/cloud` or `engine/importers` reports, with its severities; a raised error is an error."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(path for folder in FOLDERS for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                for code, severity in _reported(node):
                    found[code].add(severity)
    return dict(found)


def _reported(call: ast.Call) -> Iterator[tuple[str, str]]:
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [each.value if isinstance(each, ast.Constant) else None for each in call.args]
    named = {each.arg: each.value.value for each in call.keywords if isinstance(each.value, ast.Constant)}
    first = given[0] if given else None
    if function in SEVERITIES and isinstance(first, str):
        yield first, function
    elif function == "Problem" and isinstance(first, str) and isinstance(given[1], str):
        yield first, given[1]
    elif function in ("fault", "DefinitionError"):
        yield str(named.get("code", given[2] if len(given) > 2 else "InvalidDefinition")), "error"
