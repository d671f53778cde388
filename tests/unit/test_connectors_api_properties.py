"""What a connector's properties say: the class of a connection, its parameters, what is missing or wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from sealflow.connectors.api_properties import ApiProperties, read_api_properties
from sealflow.engine.errors import SealflowError

CORPUS = Path(__file__).resolve().parents[2] / ".." / "shared" / "corpus" / "connectors"


def document(parameters: Any = None, **more: Any) -> dict[str, Any]:
    return {"properties": {"connectionParameters": parameters, **more}}


def parameter(kind: str, **constraints: Any) -> dict[str, Any]:
    return {"type": kind, "uiDefinition": {"constraints": constraints}}


def several(**sets: Any) -> dict[str, Any]:
    values = [{"name": name, "parameters": parameters} for name, parameters in sets.items()]
    return document(connectionParameterSets={"values": values})


def only(found: ApiProperties) -> Any:
    [chosen] = found.sets
    return chosen


@pytest.mark.parametrize("kind", ["oauthSetting", "OauthSetting", "OAUTHSETTING"])
def test_an_oauth_setting_in_any_case_makes_the_class(kind: str) -> None:
    assert only(read_api_properties(document({"token": {"type": kind}}))).oauth


@pytest.mark.parametrize(
    "parameters",
    [None, {}, {"key": {"type": "securestring"}}, {"token": {"type": "string"}, "oauthSetting": {"type": "string"}}],
)
def test_everything_else_is_without_oauth(parameters: Any) -> None:
    assert not only(read_api_properties(document(parameters))).oauth


def test_the_chosen_set_decides() -> None:
    found = read_api_properties(several(Key={"k": parameter("securestring")}, SignIn={"t": parameter("oauthSetting")}))
    assert (found.choose("key").oauth, found.choose("SIGNIN").oauth) == (False, True)
    assert found.choose("signin").name == "SignIn"


def test_sets_count_where_both_forms_are_there() -> None:
    both = several(Key={"k": parameter("securestring")})
    both["properties"]["connectionParameters"] = {"token": {"type": "oauthSetting"}}
    assert not read_api_properties(both).choose(None).oauth


def test_a_set_has_to_be_chosen() -> None:
    found = read_api_properties(several(Key={}, SignIn={}))
    with pytest.raises(SealflowError) as caught:
        found.choose(None)
    assert (caught.value.code, caught.value.hint) == ("UnknownParameterSet", "Choose one with --set: Key, SignIn")
    with pytest.raises(SealflowError, match="'signon'") as caught:
        found.choose("signon")
    assert caught.value.hint == "Did you mean 'SignIn'?"
    with pytest.raises(SealflowError, match="no parameter set") as caught:
        read_api_properties(document({})).choose("Key")
    assert caught.value.hint == "It has only one; leave --set out."


@pytest.mark.parametrize(
    ("given", "secured"),
    [
        (parameter("securestring"), True),
        (parameter("SecureString", clearText=True), True),
        (parameter("oauthSetting"), True),
        (parameter("string", clearText=False), True),
        (parameter("string", clearText="false"), True),
        (parameter("string", clearText=True), False),
        (parameter("string"), False),
        ({"type": "string"}, False),
    ],
)
def test_what_is_a_secret(given: Any, secured: bool) -> None:
    assert only(read_api_properties(document({"p": given}))).parameter("p").secured is secured


@pytest.mark.parametrize(
    ("given", "required"),
    [
        (parameter("string", required="true"), True),
        (parameter("string", required=True), True),
        (parameter("string", required="false"), False),
        (parameter("string"), False),
        (parameter("string", required="true", hidden="true"), False),
        (parameter("oauthSetting", required="true"), False),
    ],
)
def test_what_is_required(given: Any, required: bool) -> None:
    assert only(read_api_properties(document({"p": given}))).parameter("p").required is required


def test_values_are_completed_with_defaults() -> None:
    host = {**parameter("string", required="true"), "defaultValue": "example.org"}
    chosen = only(read_api_properties(document({"host": host, "key": parameter("securestring", required=True)})))
    assert chosen.completed({"key": "k"}) == {"host": "example.org", "key": "k"}
    assert chosen.completed({"key": "k", "host": "h"}) == {"host": "h", "key": "k"}


def test_wrong_values_are_refused_without_telling_secrets() -> None:
    allowed = parameter("string", allowedValues=[{"text": "Europe", "value": "eu"}, {"value": "us"}, "asia"])
    secret = {**allowed, "type": "securestring"}
    parameters = {"region": allowed, "hidden": secret, "key": parameter("securestring", required="true")}
    chosen = only(read_api_properties(document(parameters)))
    for values, code, hint in (
        ({"key": "k", "regoin": "eu"}, "UnknownParameter", "Did you mean 'region'?"),
        ({"key": "k", "zzz": "eu"}, "UnknownParameter", "It has region, hidden, key."),
        ({"region": "eu"}, "MissingParameter", "Give it with --value key=@FILE"),
        ({"key": "k", "region": "canary"}, "InvalidParameter", "It takes eu, us, asia."),
        ({"key": "k", "hidden": "secret"}, "InvalidParameter", "It takes eu, us, asia."),
    ):
        with pytest.raises(SealflowError) as caught:
            chosen.completed(values)
        assert (caught.value.code, caught.value.hint) == (code, hint)
        assert "secret" not in caught.value.message
    assert chosen.completed({"key": "k", "region": "asia"})["region"] == "asia"


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"properties": []},
        document([]),
        document({"p": "string"}),
        document({"p": {}}),
        document({"p": {"type": 3}}),
        document(connectionParameterSets={}),
        document(connectionParameterSets={"values": []}),
        document(connectionParameterSets={"values": [{"parameters": {}}]}),
        document(connectionParameterSets=[]),
    ],
)
def test_properties_that_are_none(given: Any) -> None:
    with pytest.raises(SealflowError) as caught:
        read_api_properties(given)
    assert caught.value.code == "InvalidApiProperties"


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"the corpus of public connectors is not at {CORPUS}")
def test_real_connectors_have_their_class() -> None:
    with (CORPUS / "manifest.tsv").open(encoding="utf-8") as file:
        expected = {row["connector"]: row["class"] for row in csv.DictReader(file, delimiter="\t")}
    found = {}
    for name in expected:
        properties = json.loads((CORPUS / name / "apiProperties.json").read_text("utf-8-sig"))
        oauth = any(each.oauth for each in read_api_properties(properties).sets)
        found[name] = "oauth" if oauth else "non-oauth"
    assert len(found) > 100
    assert found == expected
