"""The checker's reports as SARIF 2.1.0, which code scanners and editors show beside the lines they are about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .explanations import Explanation, explanations
from .positions import positions

_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\.md\)")

_LEVELS = {"error": "error", "warning": "warning", "info": "note"}


def sarif(
    reports: Iterable[tuple[Mapping[str, Any], str]], version: str, explained: Mapping[str, Explanation] | None = None
) -> dict[str, Any]:
    """One SARIF log for reports of `check`, each with the text that it is about. `version` is Sealflow's.

    `explained` are the texts of the rules, those of cloud flows where it is None.

    A result's place is its JSON pointer and, where the pointer stands in the text, line and column.
    """
    results = []
    codes: dict[str, None] = {}
    for found, text in reports:
        # What is missing has no place of its own: the nearest thing around it has.
        places = positions(text, [up for problem in found["problems"] for up in _upwards(problem["at"])])
        for problem in found["problems"]:
            codes[problem["code"]] = None
            results.append(_result(found["file"], problem, places))
    driver = {
        "name": "sealflow check",
        "version": version,
        "rules": [_rule(code, explanations() if explained is None else explained) for code in codes],
    }
    return {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}],
    }


def _rule(code: str, explained: Mapping[str, Explanation]) -> dict[str, Any]:
    """A code as a rule, with the reference's texts; a code that comes from elsewhere has only its name."""
    rule: dict[str, Any] = {"id": code, "name": code, "shortDescription": {"text": _words(code)}}
    known = explained.get(code)
    if known is not None:
        example = f"\n\nExample: {known.example}" if known.example else ""
        rule["fullDescription"] = {"text": _plain(known.meaning)}
        rule["help"] = {"text": _plain(known.remedy), "markdown": f"{known.meaning}{example}\n\n{known.remedy}"}
        rule["defaultConfiguration"] = {"level": _LEVELS[known.severities[0]]}
    return rule


def _plain(markdown: str) -> str:
    """A line of Markdown without its links and marks."""
    return _LINK.sub(r"\1", markdown).replace("`", "")


def _result(file: str, problem: Mapping[str, Any], places: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    message = problem["message"] + (f" {problem['hint']}" if problem.get("hint") else "")
    location: dict[str, Any] = {"artifactLocation": {"uri": _uri(file)}}
    at = problem["at"]
    place = _line_and_column(at) or next((places[up] for up in _upwards(at) if up in places), None)
    if place is not None:
        location["region"] = {"startLine": place[0], "startColumn": place[1]}
    where: dict[str, Any] = {"physicalLocation": location}
    if at.startswith("/"):
        where["logicalLocations"] = [{"fullyQualifiedName": at, "kind": "member"}]
    return {
        "ruleId": problem["code"],
        "level": _LEVELS[problem["severity"]],
        "message": {"text": message},
        "locations": [where],
    }


def _upwards(pointer: str) -> list[str]:
    """The pointer itself and those of everything around it, innermost first."""
    parts = pointer.split("/")
    return ["/".join(parts[:length]) for length in range(len(parts), 1, -1)]


def _line_and_column(at: str) -> tuple[int, int] | None:
    """Of a place in text that is no JSON, which is given as `line:column`."""
    line, colon, column = at.partition(":")
    return (int(line), int(column)) if colon and line.isdecimal() and column.isdecimal() else None


def _uri(file: str) -> str:
    """A file's path as the relative reference that SARIF asks for."""
    safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/"
    path = file.replace("\\", "/")
    return "".join(
        char if char in safe else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace")) for char in path
    )


def _words(code: str) -> str:
    """`UnknownAction` as "Unknown action"."""
    text = "".join(f" {char.lower()}" if char.isupper() else char for char in code).strip()
    return text[:1].upper() + text[1:]
