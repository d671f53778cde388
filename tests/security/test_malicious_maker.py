"""Definitions, scripts, packages and templates of a malicious maker, with harmful names, sizes and nesting."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import sealflow
from cli_session import Cli, compose
from packages import zipped
from sealflow.engine.errors import SealflowError
from sealflow.engine.importers.packages import open_package
from sealflow.engine.runtime.flows.packages import Archive, PackageError, package_of

MANUAL = {"manual": {"type": "Request", "kind": "Http"}}


# --- packages


def test_an_archive_entry_without_a_name() -> None:
    """The maker gives an archive with an entry whose name is empty. The archive is refused; nothing crashes."""
    data = zipped({"a": "1"})
    at, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry = bytearray(data[at:end])
    struct.pack_into("<H", entry, 28, 0)  # the length of the name
    without = bytes(entry[:46] + entry[47:])
    tail = bytearray(data[end:])
    struct.pack_into("<I", tail, 12, len(without))
    with pytest.raises(PackageError) as caught:
        Archive(data[:at] + without + bytes(tail))
    assert caught.value.code == "UnsafePath"


def test_a_flow_with_the_name_of_another_place(cli: Cli) -> None:
    """The maker deploys flows whose names are paths, and another user exports them. No name leaves the folder or the
    archive.
    """
    file = cli.flow("f", {"A": compose(1)})
    for number, name in enumerate(("../../evil", "/etc/passwd", "a/../../b", "..", "C:\\x", "x\x1b[2J\u202e", "CON")):
        assert cli("flow", "deploy", file, "--name", name).code == 0
        for form in ("solution", "package", "standard"):
            out = f"out-{number}-{form}.zip"
            exported = cli("flow", "export", name, "--format", form, "--out", out)
            if exported.code == 0:
                inside = zipfile.ZipFile(cli.folder / out).namelist()
                assert all(".." not in path.split("/") and not path.startswith("/") for path in inside), inside
                package_of((cli.folder / out).read_bytes(), out)  # it would be refused
    assert {path.name.split("-")[0] for path in cli.folder.iterdir()} <= {"f.json", ".sealflow", "out"}
    assert not (cli.folder.parent / "evil").exists()


def test_a_template_that_unfolds_without_end() -> None:
    """The maker gives an ARM template, as Bicep writes it, that pads, repeats, doubles, nests or recurses endlessly.
    Unbounded expressions stay text, and parsing stays cheap.
    """
    doubled = {f"v{n}": f"[concat(variables('v{n - 1}'), variables('v{n - 1}'))]" for n in range(1, 41)}
    nested = {f"v{n}": f"[createObject('a', variables('v{n - 1}'), 'b', variables('v{n - 1}'))]" for n in range(1, 41)}
    recursive = {"parameters": [], "output": {"type": "int", "value": "[u.f()]"}}
    inner = (
        "[reduce(range(0, 60), createArray(1), lambda('c', 'n', concat(lambdaVariables('c'), lambdaVariables('c'))))]"
    )
    bombs: dict[str, dict[str, Any]] = {
        "padding": {"v": "[padLeft('x', 2000000000, 'a')]"},
        "format": {"v": "[format('{0,2000000000}', 'a')]"},
        "range": {"v": "[range(0, 2147483647)]"},
        "copies": {"copy": [{"name": "w", "count": 100_000_000, "input": "[copyIndex('w')]"}], "v": "[variables('w')]"},
        "doubled texts": {"v": "[variables('v40')]", "v0": "aaaaaaaaaa", **doubled},
        "doubled lists": {"v": "[variables('v40')]", "v0": [1, 2], **doubled},
        "doubled objects": {"v": "[string(variables('v40'))]", "v0": {"a": 1}, **nested},
        "a circle": {"v": "[variables('w')]", "w": "[variables('v')]"},
        "a function that calls itself": {"v": "[u.f()]"},
        "doubled by a lambda": {"v": inner},
        "deep": {"v": "[" + "concat(" * 3000 + "'a'" + ")" * 3000 + "]"},
    }
    for name, variables in bombs.items():
        actions = {"A": {"type": "Compose", "inputs": "[variables('v')]", "runAfter": {}}}
        workflow = {"type": "Microsoft.Logic/workflows", "name": "f"}
        workflow["properties"] = {"definition": {"triggers": MANUAL, "actions": actions}, "parameters": {}}  # type: ignore[assignment]
        template = {
            "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
            "contentVersion": "1.0.0.0",
            "functions": [{"namespace": "u", "members": {"f": recursive}}],
            "variables": variables,
            "resources": [workflow],
        }
        (flow,) = open_package({"azuredeploy.json": json.dumps(template).encode()}, name="t").flows
        assert flow.definition["actions"]["A"]["inputs"] == "[variables('v')]", name


def test_a_template_with_too_many_resources() -> None:
    """The maker gives a template that copies its workflow a hundred million times. It is refused."""
    workflow = {
        "type": "Microsoft.Logic/workflows",
        "name": "[concat('f', copyIndex())]",
        "copy": {"name": "c", "count": 100_000_000},
        "properties": {"definition": {"triggers": MANUAL, "actions": {}}},
    }
    template = {
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "resources": [workflow],
    }
    with pytest.raises(SealflowError) as caught:
        open_package({"azuredeploy.json": json.dumps(template).encode()}, name="t")
    assert caught.value.code == "NoDefinition"


# --- names

NAMES = ("__proto__", "constructor", "__class__", "__init__", "toString", "hasOwnProperty", "prototype", "self", "None")


def test_names_that_mean_something_to_a_language(cli: Cli) -> None:
    """The maker names actions, variables, members and parameters like internals of programming languages. They work
    like other names.
    """
    actions: dict[str, Any] = {}
    for name in NAMES:
        actions[f"v_{name}"] = {
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": name, "type": "string", "value": f"of {name}"}]},
            "runAfter": {} if not actions else {[*actions][-1]: ["Succeeded"]},
        }
    last = [*actions][-1]
    for name in NAMES:
        actions[name] = compose({name: f"@variables('{name}')"}, last)
        last = name
    texts = {name: f"@outputs('{name}')?['{name}']" for name in NAMES}
    actions["All"] = compose(texts, last)
    actions["Missing"] = compose("@outputs('All')?['__dict__']", "All")
    ran = cli("run", cli.flow("f", actions), "--json").json
    outputs = {action["name"]: action.get("outputs") for action in ran["actions"]}
    assert outputs["All"] == {name: f"of {name}" for name in NAMES}
    assert outputs["Missing"] is None


@pytest.mark.parametrize(
    ("first", "second", "refused"),
    [("A", "a", True), ("A B", "A_B", True), ("Straße", "STRASSE", False), ("\u00e9", "e\u0301", False)],
)
def test_names_that_collide(cli: Cli, first: str, second: str, refused: bool) -> None:
    """The maker gives two actions names that differ in case, in spaces, or in Unicode normalisation. Names that
    expressions cannot distinguish are refused; the others stay distinct.
    """
    file = cli.flow("f", {first: compose(1), second: compose(2, first), "R": compose(f"@outputs('{second}')", second)})
    checked = cli("check", file, "--json").json
    assert checked["ok"] is not refused, checked["problems"]
    if not refused:
        ran = cli("run", file, "--json").json
        assert [action["outputs"] for action in ran["actions"] if action["name"] == "R"] == [2]


# --- sizes


DOUBLED = {
    "a text": "@concat(variables('v'), variables('v'))",
    "base64": "@base64(concat(variables('v'), variables('v')))",
    "json": "@string(createArray(variables('v'), variables('v')))",
    "a template": "@{variables('v')}@{variables('v')}",
    "replace": "@replace(variables('v'), 'x', variables('v'))",
}


@pytest.mark.parametrize("doubled", DOUBLED.values(), ids=DOUBLED)
async def test_a_variable_that_doubles(tmp_path: Path, doubled: str) -> None:
    """The maker's flow doubles a value repeatedly. It fails with a code at the size limit of a value, long before
    memory is exhausted.
    """
    steps: dict[str, Any] = {"N": compose(doubled)}
    steps["S"] = {"type": "SetVariable", "inputs": {"name": "v", "value": "@outputs('N')"}}
    steps["S"]["runAfter"] = {"N": ["Succeeded"]}
    variable = {"name": "v", "type": "string", "value": "x" * 2048}
    actions = {
        "V": {"type": "InitializeVariable", "inputs": {"variables": [variable]}, "runAfter": {}},
        "U": {
            "type": "Until",
            "expression": "@greater(iterationIndexes('U'), 60)",
            "limit": {"count": 60},
            "actions": steps,
            "runAfter": {"V": ["Succeeded"]},
        },
    }
    clock = sealflow.VirtualClock(17_000_000_000_000_000)
    options: dict[str, Any] = {"keystore": tmp_path / "k.json", "clock": clock, "max_value_bytes": 2 << 20}
    async with sealflow.open(tmp_path / "home", **options) as engine:
        env = await engine.environment()
        (run,) = await env.start(await env.deploy("f", {"triggers": MANUAL, "actions": actions}))
        result = await run.result(timeout=120)
    assert (result.status, result.error["code"] if result.error else None) == ("Failed", "ValueTooLarge")


async def test_a_script_that_doubles_a_text(tmp_path: Path) -> None:
    """The maker's desktop script doubles a text sixty times. It fails with a code at the size limit of a value."""
    script = (
        "SET Text TO $'''xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'''\n"
        "LOOP I FROM 1 TO 60 STEP 1\n    SET Text TO $'''%Text%%Text%'''\nEND\n"
    )
    clock = sealflow.VirtualClock(17_000_000_000_000_000)
    async with sealflow.open(tmp_path / "home", keystore=tmp_path / "k.json", clock=clock) as engine:
        env = await engine.environment()
        from sealflow.engine.runtime.flows.script_files import source_of

        (run,) = await env.start(await env.deploy("f", source_of(script, "f")))
        result = await run.result(timeout=60)
    assert result.status == "Failed"
    assert result.error is not None


@pytest.mark.parametrize("days", [36_501, 2**31 - 1, 2**63, 10**30])
def test_a_number_of_days_beyond_the_calendar(cli: Cli, days: int) -> None:
    """A command gets a number of days that leads past the year 9999. It is refused before it writes anything."""
    assert cli("flow", "deploy", cli.flow("f", {"A": compose(1)})).code == 0
    refused = cli("backup", "create", "b", "--expires", str(days), "--json")
    assert (refused.code, "InternalError" in refused.out + refused.err) == (2, False)
    assert not (cli.folder / "b").exists()


# --- secrets in errors

SECRET = "s3cret-4711"
READERS: dict[str, dict[str, Any]] = {
    "a conversion": compose("@int(outputs('S'))", "S"),
    "a parameter": compose("@int(parameters('k'))", "S"),
    "a schema": {"type": "ParseJson", "inputs": {"content": "@outputs('S')", "schema": {"type": "object"}}},
    "broken JSON": compose("@json(concat('{', outputs('S')))", "S"),
    "a loop": {"type": "Foreach", "foreach": "@outputs('S')", "actions": {}},
    "a member": compose("@outputs('S')['s3']", "S"),
    "an address": {"type": "Http", "inputs": {"method": "GET", "uri": "@outputs('S')"}},
    "a time": {"type": "Wait", "inputs": {"until": {"timestamp": "@outputs('S')"}}},
    "a date": compose("@formatDateTime(outputs('S'))", "S"),
    "a switch": {"type": "Switch", "expression": "@int(outputs('S'))", "cases": {}},
    "a condition": {"type": "If", "expression": {"greater": ["@int(outputs('S'))", 1]}, "actions": {}},
    "a XPath": compose("@xpath(xml(outputs('S')), outputs('S'))", "S"),
}


def test_an_error_that_quotes_a_secret(cli: Cli) -> None:
    """The maker reads secured values in ways that fail, so that the error quotes them. The run shows errors without the
    values, live and later.
    """
    secured = {"runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}}}
    actions: dict[str, Any] = {"S": {**compose(SECRET + "x"), **secured}}
    for name, action in READERS.items():
        actions[name] = {**action, "runAfter": {"S": ["Succeeded"]}}
    parameters = {"k": {"type": "SecureString", "defaultValue": SECRET}}
    shown = [cli("run", cli.flow("f", actions, parameters=parameters), "--full")]
    shown += [cli("runs", "show", "latest", "--full"), cli("runs", "show", "latest", "--json"), cli("runs", "list")]
    assert shown[0].code == 1
    assert len([1 for action in shown[2].json["actions"] if action["status"] == "Failed"]) == len(READERS)
    assert [each for each in shown if SECRET in each.out + each.err] == []
