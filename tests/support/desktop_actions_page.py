"""Makes docs/reference/desktop-actions.md from the catalogue, what is built, and what the tests name.

    python tests/support/desktop_actions_page.py        writes the page; exits with 1 where a built action has no test

An action counts as run only where a test of behaviour names one of its variants, in full or put together from strings
that stand in the same file.
"""

from __future__ import annotations

import ast
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sealflow.engine.desktop.catalog import STATEMENTS, ActionSpec, actions, reason, withdrawn
from sealflow.engine.runtime.flows.scripts import can_run

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "reference" / "desktop-actions.md"
BEHAVIOUR: Final = (
    "tests/unit/test_desktop_*.py",
    "tests/unit/test_script_*.py",
    "tests/acceptance/test_desktop_*.py",
    "tests/scenarios/test_desktop_*.py",
    "tests/scenarios/robin/*.txt",
    "examples/desktop/*.robin",
)
"""Where actions are carried out and looked at: a mention in a test of the parser, say, proves nothing."""
_ID: Final = re.compile(r"\b[A-Za-z]+(?:\.[A-Za-z0-9]+){1,2}\b")
_MOST: Final = 400
"""Strings that one f-string may stand for."""


@dataclass(frozen=True, slots=True)
class Row:
    """An action of the designer. `here`: runs, browser, refused, statement or not yet."""

    module: str
    name: str
    written: str
    here: str
    note: str
    variants: tuple[str, ...] = ()


def rows() -> list[Row]:
    """All of the designer's actions, by module."""
    families: dict[tuple[str, str], list[ActionSpec]] = {}
    for spec in actions():
        families.setdefault((spec.module, spec.name), []).append(spec)
    found = [_row(module, name, variants) for (module, name), variants in families.items()]
    for module, name, word in STATEMENTS:
        built = (word,) if can_run(word) else ()
        found.append(Row(module, name, word, "runs" if built else "statement", "", built))
    return sorted(found, key=lambda row: (row.module.lower(), row.name.lower()))


def _row(module: str, name: str, variants: Sequence[ActionSpec]) -> Row:
    ids = tuple(spec.id for spec in variants)
    built = tuple(each for each in ids if can_run(each))
    parts = [each.split(".") for each in ids]
    alike = [same[0] for same in itertools.takewhile(lambda same: len(set(same)) == 1, zip(*parts, strict=False))]
    text = ".".join(alike)
    platforms = {spec.platform for spec in variants}
    platform = min(platforms)  # "windows-only" only where all of them are
    if built:
        here = "browser" if platform == "browser" else "runs"
        missing = [each.rsplit(".", 1)[-1] for each in ids if each not in built]
        note = f"not {', '.join(missing[:4])}{' and others' if len(missing) > 4 else ''}" if missing else ""
        return Row(module, name, text, here, note, built)
    if platform == "windows-only":
        return Row(module, name, text, "refused", reason(ids[0]))
    if withdrawn(ids[0]):
        return Row(module, name, text, "refused", withdrawn(ids[0]))
    return Row(module, name, text, "not yet", "")


# --- what the tests name


def tested() -> frozenset[str]:
    """The ids of actions that tests of behaviour name, in lower case."""
    found: set[str] = set()
    for pattern in BEHAVIOUR:
        for path in sorted(ROOT.glob(pattern)):
            text = path.read_text("utf-8")
            found.update(_ID.findall(text))
            if path.suffix == ".py":
                found.update(_put_together(ast.parse(text)))
    return frozenset(each.lower() for each in found)


def _put_together(tree: ast.AST) -> Iterator[str]:
    """What the f-strings of a file come to, for the strings that their names are given anywhere in it."""
    parameters = {
        node.name: [each.arg for each in node.args.args]
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    known: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        for name, value in _given(node, parameters):
            known.setdefault(name, set()).update(_strings(value))
    for node in ast.walk(tree):  # a name may be given an f-string
        for name, value in _given(node, parameters):
            if isinstance(value, ast.JoinedStr):
                known[name].update(list(_resolved(value, known)))
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from _resolved(node, known)


def _given(node: ast.AST, parameters: Mapping[str, list[str]]) -> Iterator[tuple[str, ast.expr]]:
    """Names and what they are given: by an assignment, a loop, a call in the same file, or a parametrised test."""
    if isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, (ast.For, ast.comprehension)) and isinstance(node.iter, (ast.Tuple, ast.List)):
        for item in node.iter.elts:
            yield from _pairs(node.target, item)
    elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("mark.parametrize") and len(node.args) > 1:
        names, values = ", ".join(_strings_of(node.args[0])), node.args[1]
        if names and isinstance(values, (ast.List, ast.Tuple)):
            target = ast.parse(f"({names})", mode="eval").body
            for item in values.elts:
                yield from _pairs(target, item)
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield from zip(parameters.get(node.func.id, ()), node.args, strict=False)


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(target, ast.Name):
        yield target.id, value
    elif isinstance(target, (ast.Tuple, ast.List)) and isinstance(value, (ast.Tuple, ast.List)):
        for one, given in zip(target.elts, value.elts, strict=False):
            yield from _pairs(one, given)


def _strings_of(names: ast.expr) -> list[str]:
    """The names of parameters: in one text, or one by one."""
    parts = names.elts if isinstance(names, (ast.List, ast.Tuple)) else [names]
    return [part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def _strings(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value


def _resolved(node: ast.JoinedStr, known: Mapping[str, set[str]]) -> Iterator[str]:
    choices: list[list[str]] = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            choices.append([str(part.value)])
        elif isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name):
            choices.append(sorted(known.get(part.value.id, ())))
        else:
            choices.append([])
    for parts in itertools.islice(itertools.product(*choices), _MOST):
        yield "".join(parts)


def untested(found: Sequence[Row]) -> list[str]:
    """The actions that are built and that no test of behaviour names."""
    named = tested()
    return [
        f"{row.module}: {row.name}" for row in found if row.variants and not named & {v.lower() for v in row.variants}
    ]


# --- the page

_HEAD = """# Desktop actions

This page lists every action of Power Automate for desktop, and what Sealflow does with it.
`tests/support/desktop_actions_page.py` generates it from the catalogue of actions and the code.
A test runs every action that is marked *runs* or *browser*.

| mark | meaning |
|---|---|
| *runs* | Runs wherever Sealflow runs. An administrator sets [what it can access](../how-to/desktop.md). |
| *browser* | Runs if Chromium is installed. |
| *statement* | A statement of [the language](robin.md), which [runs as described](robin-semantics.md). |
| *refused* | Needs Windows, or a service that was shut down (`WindowsOnlyAction`, `ServiceWithdrawn`). |
| *not yet* | Does not run in this version (`NotYetSupported`). |

## Totals

"""


def page(found: Sequence[Row]) -> str:
    """The text of the page."""
    counted = Counter(row.here for row in found)
    order = ("runs", "browser", "statement", "refused", "not yet")
    text = _HEAD + "| mark | actions |\n|---|--:|\n"
    text += "".join(f"| {word} | {counted[word]} |\n" for word in order) + f"| all | {len(found)} |\n"
    for module, members in itertools.groupby(found, key=lambda row: row.module):
        text += f"\n## {module}\n\n| action | name in scripts | mark | note |\n|---|---|---|---|\n"
        text += "".join(f"| {row.name} | {_code(row.written)} | {row.here} | {row.note} |\n" for row in members)
    return text


def _code(written: str) -> str:
    return f"`{written}`" if written else ""


def main() -> int:
    found = rows()
    PAGE.write_text(page(found), "utf-8")
    missing = untested(found)
    counted = Counter(row.here for row in found)
    print(", ".join(f"{word} {count}" for word, count in counted.most_common()))
    if missing:
        print("built, and named by no test of behaviour:", *missing, sep="\n  ", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
