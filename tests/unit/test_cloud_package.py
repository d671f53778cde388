"""Solutions, flow packages, Standard projects and single files, as sources ready to deploy."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packages import (
    CHILD_ID,
    PARENT_ID,
    as_bytes,
    child,
    customizations,
    flow_json,
    flow_package,
    parent,
    process,
    project,
    solution,
    solution_xml,
    template,
    variable,
    workflow,
)
from sealflow.engine.cloud import check
from sealflow.engine.cloud.arm.deployment import Deployment
from sealflow.engine.errors import DefinitionError, SealflowError
from sealflow.engine.importers.environment_variables import typed
from sealflow.engine.importers.export import Exported, Form, document_of, folder_name, package_of
from sealflow.engine.importers.files import read_xml
from sealflow.engine.importers.packages import Connection, Package, open_package

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "cloud"


def opened(files: Any, **parameters: Any) -> Package:
    return open_package(as_bytes(files), name="given", deployment=Deployment(parameters))


def codes(package: Package) -> list[tuple[str, str]]:
    return [(problem.code, problem.at) for problem in package.problems]


def errors(package: Package) -> list[Any]:
    return [problem for flow in package.flows for problem in check(flow) if problem.severity == "error"]


# ---- solutions


def test_a_solution() -> None:
    package = opened(solution())
    assert (package.kind, package.name, package.version) == ("solution", "Orders", "1.2.0.0")
    assert [(flow.name, flow.aliases, flow.dialect) for flow in package.flows] == [
        ("Gross & net", (PARENT_ID,), "power-automate"),
        ("Tax", (CHILD_ID,), "power-automate"),
    ]
    assert package.flows[0].file == f"Workflows/Gross-{PARENT_ID.upper()}.json"
    assert package.flows[0].pointer == "/properties/definition"
    assert package.connections == (Connection("so_mail", "shared_office365", "Mail"),)
    assert errors(package) == []


def test_environment_variables_become_parameters() -> None:
    package = opened(solution())
    assert [(each.schema_name, each.name, each.type, each.value, each.secret) for each in package.variables] == [
        ("so_Key", "Key", "Secret", None, True),
        ("so_Open", "Open", "String", None, False),
        ("so_Rate", "Rate", "Number", "1.25", False),  # the current value, not the default
    ]
    assert package.flows[1].parameters == {"Rate (so_Rate)": 1.25}
    assert codes(package) == [
        ("NotACloudFlow", "customizations.xml"),
        ("SecretVariable", "environmentvariabledefinitions/so_Key/environmentvariabledefinition.xml"),
    ]


@pytest.mark.parametrize("name", ["Rate (so_Rate)", "so_rate", "RATE"])
def test_a_given_value_counts_more_than_the_packages(name: str) -> None:
    assert opened(solution(), **{name: 3.5}).flows[1].parameters == {"Rate (so_Rate)": 3.5}


def test_given_values_that_fit_nothing() -> None:
    with pytest.raises(DefinitionError) as unknown:
        opened(solution(), so_Nothing=1)
    assert unknown.value.code == "UnknownParameter"
    with pytest.raises(DefinitionError) as unfit:
        opened(solution(), so_Rate="much")
    assert (unfit.value.code, unfit.value.at) == ("InvalidParameterType", f"Workflows/Tax-{CHILD_ID.upper()}.json")


def test_the_default_counts_where_there_is_no_current_value() -> None:
    files = solution()
    del files["environmentvariabledefinitions/so_Rate/environmentvariablevalues.json"]
    assert opened(files).flows[1].parameters == {"Rate (so_Rate)": 1.1}
    files["environmentvariabledefinitions/so_Rate/environmentvariabledefinition.xml"] = variable("so_Rate", "R", 1, "x")
    package = opened(files)
    assert package.flows[1].parameters == {}
    assert "InvalidVariableValue" in [code for code, _ in codes(package)]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("a", "string", "a"),
        (" 5 ", "int", 5),
        ("1.5", "float", 1.5),
        ("yes", "bool", True),
        ("No", "bool", False),
        ("[1]", "array", [1]),
        ('{"a":1}', "object", {"a": 1}),
    ],
)
def test_variables_get_the_parameters_type(text: str, kind: str, value: Any) -> None:
    assert typed(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("x", "int", "invalid literal"),
        ("nan", "float", "not finite"),
        ("2", "bool", "no boolean"),
        ("{}", "array", "another type"),
        ("[", "object", "Expecting value"),
    ],
)
def test_variables_of_another_type(text: str, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        typed(text, kind)


def test_a_solution_in_a_folder_and_in_another_case() -> None:
    files = {f"Export/{path.replace('Workflows', 'workflows')}": content for path, content in solution().items()}
    package = opened(files)
    assert [flow.name for flow in package.flows] == ["Gross & net", "Tax"]
    assert package.flows[0].file.startswith("Export/workflows/Gross-")


def test_a_solution_unpacked_for_source_control() -> None:
    file = f"Workflows/Tax-{CHILD_ID.upper()}.json"
    package = opened(
        {
            "src/Other/Solution.xml": solution_xml(),
            "src/Other/Customizations.xml": customizations([]),
            f"src/{file}": flow_json(child()),
            f"src/{file}.data.xml": process(CHILD_ID, "Tax & more", file),
        }
    )
    assert [(flow.name, flow.aliases) for flow in package.flows] == [("Tax & more", (CHILD_ID,))]


def test_flows_that_nobody_lists_are_named_for_their_files() -> None:
    package = opened({"solution.xml": solution_xml(), f"Workflows/Some-flow-{CHILD_ID}.json": flow_json(child())})
    assert [(flow.name, flow.aliases) for flow in package.flows] == [("Some-flow", (CHILD_ID,))]
    assert codes(package) == [("MissingFile", "customizations.xml")]


def test_faults_of_a_solution_have_a_place() -> None:
    files = solution()
    tax = f"Workflows/Tax-{CHILD_ID.upper()}.json"
    files[tax] = '{\n "properties": }'
    del files[f"Workflows/Gross-{PARENT_ID.upper()}.json"]
    package = opened(files)
    assert package.flows == ()
    assert ("InvalidJson", f"{tax}#2:16") in codes(package)
    assert ("MissingFile", "customizations.xml") in codes(package)


def test_xml_that_is_none() -> None:
    files = solution()
    files["customizations.xml"] = "<a>\n<b></a>"
    assert ("InvalidXml", "customizations.xml#2:8") in codes(opened(files))


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "",
        "<a",
        "<a>" * 5000 + "</a>" * 5000,
    ],
)
def test_dangerous_xml_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        read_xml(text.encode())
    assert caught.value.code == "InvalidXml"


def test_flows_of_one_name_are_told_apart_and_of_one_id_refused() -> None:
    other = "99999999-2222-4333-8444-555555555504"
    files = {
        "solution.xml": solution_xml(),
        "customizations.xml": customizations(
            [
                process(CHILD_ID, "Tax", f"Workflows/a-{CHILD_ID}.json"),
                process(other, "TAX", f"Workflows/b-{other}.json"),
            ]
        ),
        f"Workflows/a-{CHILD_ID}.json": flow_json(child()),
        f"Workflows/b-{other}.json": flow_json(child()),
    }
    assert [flow.name for flow in opened(files).flows] == ["Tax", "TAX (99999999)"]
    files[f"Workflows/c-{other}.json"] = flow_json(child())
    assert ("DuplicateFlow", f"Workflows/c-{other}.json") in codes(opened(files))


# ---- flow packages


def test_a_flow_package() -> None:
    package = opened(flow_package())
    assert (package.kind, package.name) == ("flow-package", "Taxes")
    [flow] = package.flows
    assert (flow.name, flow.aliases, flow.kind) == ("Tax", (CHILD_ID, PARENT_ID), "power-automate")
    assert flow.file == f"Microsoft.Flow/flows/{CHILD_ID}/definition.json"
    assert package.connections == (
        Connection("shared_teams", "shared_teams"),
        Connection("shared_sql", "shared_sql", "SQL"),
    )
    assert package.problems == ()
    assert errors(package) == []


def test_a_flow_package_that_lists_what_is_not_there() -> None:
    files = flow_package()
    files["Microsoft.Flow/flows/manifest.json"] = json.dumps({"flowAssets": {"assetPaths": [CHILD_ID, "gone"]}})
    assert codes(opened(files)) == [("MissingFile", "Microsoft.Flow/flows/manifest.json#/flowAssets/assetPaths/1")]


# ---- Logic Apps Standard


def test_a_project() -> None:
    package = opened(project())
    assert (package.kind, package.name) == ("standard", "given")
    assert [(flow.name, flow.kind, flow.file) for flow in package.flows] == [
        ("gross", "standard", "gross/workflow.json"),
        ("tax", "standard", "tax/workflow.json"),
    ]
    assert package.flows[0].parameters == {}
    assert package.flows[1].parameters == {"rate": 1.5}
    assert package.flows[1].definition["parameters"] == {"rate": {"type": "Float"}}
    assert package.connections == (
        Connection("office365", "office365", "", "managedApiConnections"),
        Connection("sql", "sql", "The database", "serviceProviderConnections"),
    )
    assert package.app_settings == ("A", "STORAGE", "office365-key")
    assert codes(package) == [("HostSettingsIgnored", "host.json#/extensions/workflow/settings")]
    assert "canary" not in repr(package)
    assert errors(package) == []


def test_shared_parameters_that_come_from_app_settings() -> None:
    files = project()
    files["tax/workflow.json"] = json.dumps({"definition": child("length(parameters('KEY'))"), "kind": "Stateful"})
    package = opened(files)
    assert package.flows[1].definition["parameters"] == {"key": {"type": "String"}}
    assert package.flows[1].parameters == {}
    assert ("ParameterWithoutValue", "parameters.json#/key/value") in codes(package)
    given_ = opened(files, key="x")
    assert given_.flows[1].parameters == {"key": "x"}
    assert "ParameterWithoutValue" not in [code for code, _ in codes(given_)]


def test_flows_that_read_app_settings_are_told() -> None:
    files = {"a/workflow.json": json.dumps({"definition": child("length(appsetting('X'))"), "kind": "Stateful"})}
    package = opened(files)
    assert codes(package) == [("AppSettingsNeeded", "a/workflow.json#/definition")]
    assert package.app_settings == ("X",)


def test_two_projects_are_not_guessed_between() -> None:
    files = {f"{app}/{path}": content for app in ("one", "two") for path, content in project().items()}
    with pytest.raises(DefinitionError) as caught:
        opened(files)
    assert caught.value.code == "SeveralPackages"
    assert opened({f"apps/{path}": content for path, content in project().items()}).flows[0].name == "gross"


# ---- single files, and nothing


@pytest.mark.parametrize(
    ("content", "kind", "name"),
    [
        (json.dumps(child()), "definition", "given"),
        (flow_json(child()), "definition", "given"),
        (json.dumps({"definition": child(), "kind": "Stateful"}), "definition", "given"),
        (template(workflow("orders", child())), "arm", "orders"),
    ],
)
def test_a_single_file(content: str, kind: str, name: str) -> None:
    package = opened({"x.json": content})
    assert (package.kind, [flow.name for flow in package.flows]) == (kind, [name])
    assert errors(package) == []


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "NotAPackage"),
        ({"a.txt": "x", "b.txt": "y"}, "NotAPackage"),
        ({"a.json": "{}", "b.json": "[]"}, "NotAPackage"),
        ({"inner.zip": "PK", "readme.md": "x"}, "NotAPackage"),
        ({"a.json": "{"}, "InvalidJson"),
        ({"a.json": "{}"}, "NoDefinition"),
        ({"a.json": '{"resources": []}'}, "NoDefinition"),
    ],
)
def test_what_holds_no_flow(files: dict[str, str], code: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        opened(files)
    assert caught.value.code == code
    if code == "InvalidJson":
        assert caught.value.at
    else:
        assert caught.value.hint


# ---- writing


@pytest.mark.parametrize("form", ["definition", "power-automate", "standard"])
def test_what_is_written_is_read_again(form: Form) -> None:
    definition = parent({"workflow": {"id": "tax"}}, rate={"type": "Float", "defaultValue": 1.0})
    flow = Exported("Gross & net", PARENT_ID.replace("-", ""), definition)
    [single] = open_package({"x.json": document_of(flow, form)}).flows
    assert single.definition == definition
    if form == "definition":
        with pytest.raises(DefinitionError, match="one file, not a package"):
            package_of(flow, form)
        return
    package = open_package(package_of(flow, form))
    assert package.problems == ()
    [packed] = package.flows
    assert packed.definition == definition
    expected = ("Gross & net", (PARENT_ID,)) if form == "power-automate" else ("Gross-net", ())
    assert (packed.name, packed.aliases) == expected


def test_secret_defaults_are_not_written_beside_the_flow() -> None:
    declared = {"open": {"type": "Int", "defaultValue": 1}, "key": {"type": "SecureString", "defaultValue": "x"}}
    files = package_of(Exported("f", "0" * 32, {"parameters": declared, "actions": {}}), "standard")
    assert list(json.loads(files["parameters.json"])) == ["open"]


@pytest.mark.parametrize(("name", "folder"), [("a b", "a-b"), ("1", "flow-1"), ("…", "flow"), ("é" * 3 + "x", "x")])
def test_folders_are_named_as_the_host_allows(name: str, folder: str) -> None:
    assert folder_name(name) == folder


# ---- anything


@st.composite
def _damaged(draw: st.DrawFn) -> dict[str, bytes]:
    files = as_bytes(draw(st.sampled_from([solution(), flow_package(), project()])))
    for path in draw(st.lists(st.sampled_from(sorted(files)), max_size=3)):
        content = files[path]
        cut = draw(st.integers(0, len(content)))
        junk = draw(st.sampled_from([b"", b"{}", b"[]", b"null", b"<a/>", b'{"a": {"b": 1}}', b"\xff\x00", b'"x"']))
        files[path] = draw(st.sampled_from([junk, content[:cut] + junk, junk + content[cut:]]))
    return files


@given(_damaged())
@settings(max_examples=150, deadline=None)
def test_a_damaged_package_is_refused_or_told_of(files: dict[str, bytes]) -> None:
    try:
        package = open_package(files, name="x")
    except SealflowError:
        return
    for flow in package.flows:
        check(flow)


# ---- definitions of others, where they are present


def _foreign() -> dict[str, tuple[str, dict[str, Any]]]:
    if not CORPUS.is_dir():
        pytest.skip(f"no definitions in {CORPUS}")
    with (CORPUS / "manifest.tsv").open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t"))
    return {row["file"]: (row["family"], json.loads((CORPUS / row["file"]).read_text("utf-8-sig"))) for row in rows}


def test_definitions_of_others_are_the_same_inside_of_packages() -> None:
    found = _foreign()
    automate = {file: each for file, (family, each) in found.items() if family == "PowerAutomate"}
    logic = {file: each for file, (family, each) in found.items() if family != "PowerAutomate"}
    files = {"solution.xml": solution_xml(), "customizations.xml": customizations([])}
    package = opened({**files, **{f"Workflows/{file}": flow_json(each) for file, each in automate.items()}})
    assert len(package.flows) == len(automate)
    assert {problem.code for problem in package.problems} <= {"VariableNotInPackage"}
    for flow, each in zip(package.flows, (automate[file] for file in sorted(automate)), strict=True):
        assert flow.definition == each
    package = opened({f"w{i}/workflow.json": json.dumps({"definition": each}) for i, each in enumerate(logic.values())})
    assert len(package.flows) == len(logic)
    package = opened({"t.json": template(*(workflow(f"w{i}", each) for i, each in enumerate(logic.values())))})
    for flow, each in zip(package.flows, logic.values(), strict=True):
        assert flow.definition == each  # what is open in them stays as it is
        assert {problem.code for problem in flow.problems} <= {"ArmUnresolved"}


@pytest.mark.parametrize(
    ("state", "enabled"), [("Started", True), ("stopped", False), ("Suspended", False), (None, True)]
)
def test_the_state_of_an_exported_flow(state: str | None, enabled: bool) -> None:
    document = {"properties": {"state": state, "definition": child()}}
    package = opened({"x.json": json.dumps(document)})
    assert [flow.enabled for flow in package.flows] == [enabled]
    assert codes(package) == ([] if enabled else [("FlowIsOff", "x.json")])
