"""Maps and schemas of a flow: the files they come in, their names, what the checker says of actions that use them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from packages import as_bytes
from sealflow.engine.cloud import check, read_object
from sealflow.engine.cloud.artifacts import find, read_artifacts, write_artifacts
from sealflow.engine.errors import DefinitionError
from sealflow.engine.importers.packages import open_package

XSLT = '<xsl:stylesheet version="{}" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">{}</xsl:stylesheet>'


def problems(action: dict[str, Any], artifacts: Any = None, **others: Any) -> list[tuple[str, str, str]]:
    definition = {"triggers": {"manual": {"type": "Request"}}, "actions": {**others, "X": action}}
    source = replace(read_object(definition), artifacts=artifacts)
    return [(problem.severity, problem.code, problem.at) for problem in check(source)]


def xslt(name: Any = "Map", **inputs: Any) -> dict[str, Any]:
    return {"type": "Xslt", "inputs": {"content": "<a/>", "map": {"source": "LogicApp", "name": name}, **inputs}}


def test_artifacts_are_read_from_the_folders_maps_and_schemas() -> None:
    files = {
        "Artifacts/Maps/A.xslt": "<a/>",
        "maps/sub/B.liquid": "b",
        "Artifacts/Schemas/S.xsd": "<s/>",
        "Artifacts/Rules/R.xml": "<r/>",
        "Maps/.keep": "",
        "readme.md": "",
    }
    found = read_artifacts(as_bytes(files))
    assert found == {"maps": {"A.xslt": "<a/>", "B.liquid": "b"}, "schemas": {"S.xsd": "<s/>"}}


@pytest.mark.parametrize(
    "data",
    [
        "<é/>".encode(),
        b"\xef\xbb\xbf" + "<é/>".encode(),
        "<é/>".encode("utf-16"),
        b"\xfe\xff" + "<é/>".encode("utf-16-be"),
    ],
)
def test_texts_are_read_in_their_encoding(data: bytes) -> None:
    assert read_artifacts({"Maps/m": data})["maps"]["m"] == "<é/>"


def test_a_declared_encoding_counts() -> None:
    text = '<?xml version="1.0" encoding="iso-8859-1"?><é/>'
    assert read_artifacts({"Maps/m": text.encode("latin-1")})["maps"]["m"] == text


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"Maps/m": b"\xff\xfe\xfd"}, "ArtifactUnreadable"),
        ({"Maps/m": b'<?xml version="1.0" encoding="nonsense"?><a/>'}, "ArtifactUnreadable"),
        ({"Maps/m": b"x" * (8 * 1024 * 1024 + 1)}, "ArtifactUnreadable"),
        ({"Maps/m.xslt": b"", "other/Maps/M.XSLT": b""}, "DuplicateArtifact"),
    ],
)
def test_artifacts_that_are_not_taken(files: dict[str, bytes], code: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_artifacts(files)
    assert caught.value.code == code


def test_names_match_in_any_case_with_or_without_extension() -> None:
    artifacts = {"maps": {"Order.xslt": "", "Order.v2.xslt": "", "Two.xslt": "", "Two.liquid": ""}}
    assert find(artifacts, "maps", "order.XSLT") == "Order.xslt"
    assert find(artifacts, "maps", "ORDER") == "Order.xslt"
    assert find(artifacts, "maps", "order.v2") == "Order.v2.xslt"
    assert find(artifacts, "maps", "Two") is None  # which of them?
    assert find(artifacts, "schemas", "Order") is None


def test_what_is_needed_is_told_before_and_missed_at_deployment() -> None:
    at = "/actions/X/inputs/map/name"
    assert problems(xslt()) == [("info", "ArtifactNeeded", at)]
    assert problems(xslt(), {}) == [("error", "ArtifactNotFound", at)]
    assert problems(xslt(), {"maps": {"map.xslt": XSLT.format("1.0", "")}}) == []
    assert problems(xslt("@parameters('m')"), {})[0][1] != "ArtifactNotFound"


def test_a_map_of_an_integration_account_is_the_same() -> None:
    action = {"type": "Xslt", "inputs": {"content": "<a/>", "integrationAccount": {"map": {"name": "M"}}}}
    assert problems(action, {}) == [("error", "ArtifactNotFound", "/actions/X/inputs/integrationAccount/map/name")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (XSLT.format("3.0", ""), "XsltVersionNotSupported"),
        (XSLT.format("1.0", '<msxsl:script implements-prefix="u"/>'), "XsltScriptNotSupported"),
    ],
)
def test_maps_that_cannot_be_run_are_refused_at_deployment(text: str, code: str) -> None:
    assert problems(xslt(), {"maps": {"Map": text}}) == [("error", code, "/actions/X/inputs/map/name")]


@pytest.mark.parametrize(
    ("action", "code"),
    [
        ({"type": "Xslt", "inputs": {"content": "<a/>"}}, "InvalidInputs"),
        ({"type": "Xslt", "inputs": {"map": {"name": "m"}}}, "InvalidInputs"),
        ({"type": "Liquid", "kind": "XmlToXml", "inputs": {"content": 1, "map": {"name": "m"}}}, "UnknownActionKind"),
        ({"type": "JavaScriptCode", "inputs": {}}, "InvalidInputs"),
        ({"type": "JavaScriptCode", "inputs": {"code": "return workflowContext.actions.Nope"}}, "UnknownAction"),
        ({"type": "JavaScriptCode", "inputs": {"code": "return workflowContext.actions.Y.outputs"}}, "NotReachable"),
        (
            {"type": "IntegrationAccountArtifactLookup", "inputs": {"artifactType": "Partner", "artifactName": "p"}},
            "UnsupportedAction",
        ),
        (
            {"type": "IntegrationAccountArtifactLookup", "inputs": {"artifactType": "Schema", "artifactName": "p"}},
            "ArtifactNotFound",
        ),
    ],
)
def test_what_the_checker_refuses(action: dict[str, Any], code: str) -> None:
    found = problems(action, {"maps": {"m": XSLT.format("1.0", "")}}, Y={"type": "Compose", "inputs": 1})
    assert [each[1] for each in found if each[0] == "error"] == [code]


def test_a_script_may_read_what_ran_before_it() -> None:
    code = "return workflowContext.actions.Y.outputs + workflowContext.actions['Y'].status"
    action = {"type": "JavaScriptCode", "inputs": {"code": code}, "runAfter": {"Y": ["Succeeded"]}}
    assert problems(action, {}, Y={"type": "Compose", "inputs": 1}) == []


def test_a_standard_project_brings_its_artifacts() -> None:
    definition = {"triggers": {"manual": {"type": "Request"}}, "actions": {"X": xslt()}}
    files = {
        "app/host.json": "{}",
        "app/one/workflow.json": json.dumps({"kind": "Stateful", "definition": definition}),
        "app/Artifacts/Maps/Map.xslt": XSLT.format("1.0", ""),
        "app/Artifacts/Schemas/S.xsd": "<s/>",
    }
    [source] = open_package(as_bytes(files)).flows
    assert source.artifacts == {"maps": {"Map.xslt": XSLT.format("1.0", "")}, "schemas": {"S.xsd": "<s/>"}}
    assert check(source) == []


def test_an_artifact_of_a_project_that_cannot_be_read_is_a_problem_of_the_package() -> None:
    definition = {"triggers": {"manual": {"type": "Request"}}, "actions": {"X": {"type": "Compose", "inputs": 1}}}
    files = as_bytes({"app/host.json": "{}", "app/one/workflow.json": json.dumps({"definition": definition})})
    package = open_package({**files, "app/Artifacts/Maps/M.xslt": b"\xff\xfe\xfd"})
    assert [(each.code, each.at) for each in package.problems] == [("ArtifactUnreadable", "app/Artifacts/Maps/M.xslt")]


@pytest.mark.parametrize("text", ["<é/>", '<?xml version="1.0" encoding="utf-16"?><é/>'])
def test_artifacts_are_written_so_that_they_read_the_same(text: str) -> None:
    artifacts = {"maps": {"m.xslt": text}, "schemas": {"s.xsd": text}}
    assert read_artifacts(write_artifacts(artifacts)) == artifacts
