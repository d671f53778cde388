"""Where scripts come from: files in their encodings, copied text with UI elements, solutions of both generations."""

from __future__ import annotations

import codecs
import json

import pytest
from sealflow.engine.desktop.sources import of_definition, of_project, read
from sealflow.engine.desktop.syntax.clipboard import cut_off
from sealflow.engine.desktop.syntax.parse import parse
from sealflow.engine.desktop.syntax.recognition import decoded, is_script

SCRIPT = "SET größe TO 1\r\nCALL s\r\nFUNCTION s GLOBAL\r\nEND FUNCTION\r\n"
SCREENS = {"Screens": [{"Name": "Page", "Controls": [{"Name": "Go"}]}]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings(encoding: str) -> None:
    assert decoded(SCRIPT.encode(encoding)) == SCRIPT
    assert decoded(codecs.BOM_UTF16_LE + SCRIPT.encode("utf-16-le")) == SCRIPT


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.robin", "{}", True),
        ("a.txt", "SET a TO 1", True),
        ("-", "# a comment", True),
        ("a.txt", "  @INPUT x : {}", True),
        ("a.json", "SET a TO 1", False),
        ("a.txt", ' {"definition": {}}', False),
        ("a.txt", "[]", False),
        ("a.txt", "", False),
    ],
)
def test_what_is_taken_for_a_script(name: str, text: str, expected: bool) -> None:
    assert is_script(name, text.encode()) is expected


BLOCK = {
    "ControlRepositorySymbols": [{"Name": "appmask", "Repository": json.dumps(SCREENS)}],
    "ImageRepositorySymbols": [{"Name": "imgrepo", "Repository": "{}"}],
    "ConnectionReferences": [],
}
COPIED = f"SET a TO 1\n# [ControlRepository][PowerAutomateDesktop]\n\n{json.dumps(BLOCK, indent=2)}\n"


def test_copied_text_with_its_elements() -> None:
    text, repositories = cut_off(COPIED)
    assert text == "SET a TO 1\n"
    assert repositories == {"appmask": [SCREENS], "imgrepo": [{}]}
    reading = parse(COPIED, kind="clipboard")
    assert reading.problems == ()
    assert len(reading.script.main.body) == 1
    assert reading.script.repositories == repositories
    assert "Page" not in repr(reading.script)


@pytest.mark.parametrize("block", ["{", "no json", "[]", '{"ControlRepositorySymbols": [1, {"Repository": "{"}]}'])
def test_a_broken_block_is_cut_off_all_the_same(block: str) -> None:
    text, _ = cut_off(f"SET a TO 1\n# [ControlRepository][PowerAutomateDesktop]\n{block}")
    assert text == "SET a TO 1\n"


def test_a_large_block_does_not_count_as_script() -> None:
    picture = json.dumps({"ImageRepositorySymbols": [{"Repository": "x" * 9_000_000}]})
    assert parse(f"SET a TO 1\n# [ControlRepository][PowerAutomateDesktop]\n{picture}").problems == ()


def test_the_script_of_a_solution() -> None:
    binaries = {
        "desktopflowbinaries/1/data/ControlRepository_1.json": json.dumps(SCREENS).encode(),
        "desktopflowbinaries/1/data/ManifestFile_1.json": b'{"PowerFxEnabled": false}',
        "desktopflowbinaries/1/data/other.json": b"{",
        "desktopflowbinaries/1/data/ImageRepository_1.json": json.dumps(
            {"Name": "imgrepo", "Repository": "{}"}
        ).encode(),
    }
    for definition in (json.dumps(SCRIPT), f"  {json.dumps(SCRIPT)}\n", SCRIPT):
        found = of_definition(definition, binaries)
        reading = read(found)
        assert reading.ok
        assert reading.script.kind == "solution"
        assert set(reading.script.subflows) == {"s"}
        assert reading.script.repositories == {"appmask": [SCREENS], "imgrepo": [{}]}


def test_the_script_of_an_earlier_solution() -> None:
    files = {
        "script.robin": codecs.BOM_UTF16_LE + SCRIPT.encode("utf-16-le"),
        "controlRepo.appmask": codecs.BOM_UTF16_LE + json.dumps(SCREENS).encode("utf-16-le"),
        "imageRepo.imgrepo": b"broken",
        "project.manifest": b"{}",
    }
    found = of_project(files)
    assert found is not None
    assert found.text == SCRIPT
    assert found.repositories == {"appmask": [SCREENS]}
    assert read(found).ok
    assert of_project({"other": b""}) is None


def test_power_fx_is_recognised_and_refused() -> None:
    found = of_definition(json.dumps("SET a TO =1+1"), {"d/data/ManifestFile_1.json": b'{"PowerFxEnabled" : true}'})
    (problem,) = read(found).problems
    assert (problem.code, problem.severity) == ("PowerFxFlow", "error")
