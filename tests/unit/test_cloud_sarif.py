"""`check --format sarif`: places in text, and the shape of the log."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sealflow.engine.cloud import report, sarif
from sealflow.engine.cloud.report.positions import positions
from sealflow.engine.cloud.syntax.pointer import join
from sealflow.engine.hosts.cli import main

BROKEN = """{
  "triggers": {"t": {"type": "Request"}},
  "actions": {
    "A": {"type": "Compose", "inputs": "@nope()"},
    "B b": {"type": "Compose", "inputs": 1,
            "runAfter": {"C": ["Succeeded"]}}
  }
}
"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


def pointers(value: Any, at: str = "") -> list[str]:
    found = [at]
    if isinstance(value, dict):
        for name, member in value.items():
            found += pointers(member, join(at, name))
    elif isinstance(value, list):
        for place, member in enumerate(value):
            found += pointers(member, join(at, str(place)))
    return found


@settings(max_examples=200, deadline=None)
@given(JSON, st.sampled_from([None, 1]), st.booleans())
def test_every_value_has_its_place(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    lines = text.split("\n")
    found = positions(text, pointers(value))
    assert set(found) == set(pointers(value))
    for line, column in found.values():
        assert lines[line - 1][column - 1 : column].strip()


def test_places_behind_comments() -> None:
    text = '{\n  // { "a": 1 }\n  "a": [1, /* 2, */ 3,],\n}'
    assert positions(text, ["/a", "/a/1"]) == {"/a": (3, 3), "/a/1": (3, 21)}


def test_a_log_names_rule_place_and_pointer() -> None:
    log = sarif([(report(BROKEN, "my flow.json"), BROKEN)], "1.2.3")
    (run,) = log["runs"]
    assert run["tool"]["driver"]["version"] == "1.2.3"
    results = {result["ruleId"]: result for result in run["results"]}
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert set(rules) == set(results)
    assert rules["UnknownFunction"]["fullDescription"]["text"] == "The function does not exist."
    assert "`@conct('a', 'b')`" in rules["UnknownFunction"]["help"]["markdown"]
    assert rules["UnknownFunction"]["defaultConfiguration"] == {"level": "error"}
    unknown = results["UnknownFunction"]["locations"][0]
    assert unknown["physicalLocation"]["artifactLocation"]["uri"] == "my%20flow.json"
    assert unknown["physicalLocation"]["region"]["startLine"] == 4
    assert unknown["logicalLocations"][0]["fullyQualifiedName"] == "/actions/A/inputs"
    assert any(result["locations"][0]["physicalLocation"]["region"]["startLine"] == 6 for result in results.values())


def test_text_that_is_no_json_has_its_place_too() -> None:
    text = '{\n "a": }'
    log = sarif([(report(text, "f"), text)], "1")
    (result,) = log["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 2, "startColumn": 7}


def test_the_command(tmp_path: Any, capsys: Any) -> None:
    (tmp_path / "f.json").write_text(BROKEN)
    assert main(["check", str(tmp_path / "f.json"), str(tmp_path / "missing.json"), "--format", "sarif"]) == 2
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    assert len(log["runs"][0]["results"]) >= 3
    assert main(["check", str(tmp_path / "f.json"), "--format", "xml"]) == 2
