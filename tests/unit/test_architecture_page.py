"""The architecture page is true: its diagrams allow every import between rooms, and its tables list every room.

A room is a sub-package of the runtime, the kernel or the storage, or one of the other parts of the engine. The diagrams
of docs/architecture.md are read here: a room may import the rooms that its arrows lead to, directly or through others.
There are no exceptions.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "architecture.md"
PAGES = [PAGE, *sorted(PAGE.with_suffix("").glob("*.md"))]
SPLIT = ("engine.kernel", "engine.runtime")
"""Packages of the engine whose sub-packages are rooms. Those of the storage are rooms too."""
PACKAGES = ("engine", "storage", "connectors")

Edge = tuple[str, str]

_NODE = re.compile(r'^\s*(\w+)\["([\w.]+)"\]$')
_ARROWS = re.compile(r"^\s*(\w+) --> (\w+(?: & \w+)*)$")
_FLOWCHART = re.compile(r"^```mermaid\nflowchart \w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ROOM = re.compile(r"^\| `([\w.]+)` \| [^|`\d][^|]* \|$", re.MULTILINE)
_PATH = re.compile(r"`((?:engine|storage|connectors|tests|docs)/[\w/.-]+)`")


def room_of(module: str) -> str:
    """The room of a module, without the name of the package: `sealflow.engine.values` is in `engine.values`."""
    parts = module.split(".")[1:]
    if not parts or parts[0] == "__main__":
        return "sealflow"
    if parts[0] == "connectors":
        return "connectors"
    deep = parts[0] == "engine" and ".".join(parts[:2]) in SPLIT
    return ".".join(parts[: 3 if deep else 2])


def imports() -> Counter[Edge]:
    """How many imports there are from each room to each other one, those inside of functions and for types included."""
    graph = grimp.build_graph("sealflow", cache_dir=None)
    return Counter(
        (room_of(module), room_of(imported))
        for module in graph.modules
        for imported in graph.find_modules_directly_imported_by(module)
        if room_of(module) != room_of(imported)
    )


def arrows(page: str) -> dict[str, set[str]]:
    """The rooms that each room of the diagrams has an arrow to. Every line of a diagram must be understood."""
    found: dict[str, set[str]] = {}
    for diagram in _FLOWCHART.findall(page):
        names: dict[str, str] = {}
        for line in diagram.splitlines():
            if node := _NODE.match(line):
                names[node[1]] = node[2]
                found.setdefault(node[2], set())
            elif arrow := _ARROWS.match(line):
                found[names[arrow[1]]] |= {names[target] for target in arrow[2].split(" & ")}
            else:
                raise AssertionError(f"This line of a diagram is neither a room nor an arrow: {line!r}")
    return found


def reachable(direct: dict[str, set[str]]) -> set[Edge]:
    """All pairs of rooms that arrows lead from one to the other. Raises CycleError for arrows in a circle."""
    below: dict[str, set[str]] = {}
    for room in TopologicalSorter(direct).static_order():
        below[room] = direct[room].union(*(below[target] for target in direct[room]))
    return {(room, target) for room, targets in below.items() for target in targets}


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text("utf-8")


@pytest.fixture(scope="module")
def real() -> Counter[Edge]:
    return imports()


def test_the_diagrams_allow_every_import(page: str, real: Counter[Edge]) -> None:
    allowed = reachable(arrows(page))
    assert {edge: count for edge, count in real.items() if edge not in allowed} == {}


def test_each_room_has_a_row_and_a_place_in_the_diagrams(page: str) -> None:
    graph = grimp.build_graph("sealflow", cache_dir=None)
    rooms = {room_of(module) for module in graph.modules} - {"engine", "engine.runtime"}
    listed = _ROOM.findall(page)
    assert sorted(listed) == sorted(rooms)
    assert arrows(page).keys() >= rooms


def test_each_package_has_a_docstring() -> None:
    files = [file for folder in PACKAGES for file in (ROOT / folder).rglob("__init__.py")]
    assert len(files) > 40
    assert [file for file in files if not ast.get_docstring(ast.parse(file.read_text("utf-8")))] == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_paths_in_the_pages_exist(path: Path) -> None:
    assert [name for name in _PATH.findall(path.read_text("utf-8")) if not (ROOT / name).exists()] == []


def test_an_import_that_no_arrow_leads_to_is_found() -> None:
    page = '```mermaid\nflowchart TD\n  a["x.a"]\n  b["x.b"]\n  c["x.c"]\n  a --> b\n  b --> c\n```\n'
    allowed = reachable(arrows(page))
    assert allowed == {("x.a", "x.b"), ("x.b", "x.c"), ("x.a", "x.c")}
    with pytest.raises(ValueError, match="cycle"):
        reachable({"a": {"b"}, "b": {"a"}})
