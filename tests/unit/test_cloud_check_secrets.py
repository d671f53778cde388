"""Secrets in the clear are found and never repeated; secured data and connections are what the hosts accept."""

from __future__ import annotations

from typing import Any

import pytest
from checking import problems
from sealflow.engine.cloud import Problem, check, read_object

KEY = "q7Zf+3kLm9Rt2WvXy8Bn4Cd6Eh1Gj5Ks0Pa/uT=="


def leaks(inputs: Any) -> list[Problem]:
    return problems({"C": {"type": "Compose", "inputs": inputs}})


@pytest.mark.parametrize(
    "text",
    [
        f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net",
        f"Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={KEY}",
        "Server=tcp:a.database.windows.net;User ID=me;Password=hunter22hunter;Encrypt=true",
        "https://a.blob.core.windows.net/c/b?sv=2020&sig=8s7d6f5g4h3j2k1l0q9w8e7r6t5y4u3i2o1p",
        "grant_type=client_credentials&client_secret=9sdf87sd9f87sdf",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        "Bearer 0123456789abcdef0123456789",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.dozjgNryP4J3jVmNHl0w5N",
        "ghp_0123456789abcdefghij0123456789abcdef",
        "abc8Q~0123456789abcdefghijABCDEFGHIJ012",
        "@concat('https://a/x?sig=', 'b')&sig=8s7d6f5g4h3j2k1l0q9w8e7r6t5y",
    ],
)
def test_what_gives_itself_away_is_told_and_not_repeated(text: str) -> None:
    found = [problem for problem in leaks({"deep": [text]}) if problem.code == "SecretInClear"]
    assert [(problem.severity, problem.at) for problem in found] == [("warning", "/actions/C/inputs/deep/0")]
    for piece in (KEY, "hunter22", "8s7d6f5g", "9sdf87", "MIIE", "0123456789", "dozjgNry"):
        assert piece not in found[0].message + str(found[0].hint)


@pytest.mark.parametrize(
    "text",
    [
        "AccountKey=@{parameters('key')};EndpointSuffix=core.windows.net",
        "Password=@{body('Get_secret')?['value']};",
        "https://a/x?sig=@{parameters('sig')}",
        "Bearer @{body('Token')?['access_token']}",
        "client_secret=@{parameters('secret')}&scope=x",
        "The Password= of the day; a token, a secret",
        "3d1f2c84-7a11-4f0e-9d2c-0a4b5c6d7e8f",
        "eyJhbGciOi",
    ],
)
def test_what_is_no_secret_is_left_alone(text: str) -> None:
    assert [problem for problem in leaks(text) if problem.code == "SecretInClear"] == []


def test_a_place_is_told_once() -> None:
    uri = "https://a/x?sig=8s7d6f5g4h3j2k1l0q9w8e7r6t5y"
    found = problems({"H": {"type": "Http", "inputs": {"method": "GET", "uri": uri}}})
    assert [(problem.code, problem.at) for problem in found] == [("SecretInClear", "/actions/H/inputs/uri")]


def test_a_body_with_a_password() -> None:
    def body(password: str) -> list[str]:
        inputs = {"method": "POST", "uri": "https://a", "body": {"user": "me", "password": password}}
        return [problem.at for problem in problems({"H": {"type": "Http", "inputs": inputs}})]

    assert body("hunter22hunter") == ["/actions/H/inputs/body/password"]
    assert body("Enter your password here") == []
    assert body("<password>") == []


@pytest.mark.parametrize(
    ("name", "default", "told"),
    [
        ("Client Secret (new_clientsecret)", "hunter22hunter", True),
        ("apiKey", "hunter22hunter", True),
        ("secretName", "hunter22hunter", False),
        ("tokenUrl", "hunter22hunter", False),
        ("apiKey", "", False),
        ("apiKey", "<your key>", False),
        ("apiKey", "/subscriptions/x/vaults/y/secrets/z", False),
        ("password", "https://vault.azure.net/secrets/x", False),
    ],
)
def test_parameters_that_hold_secrets_by_name(name: str, default: str, told: bool) -> None:
    found = problems({}, parameters={name: {"type": "String", "defaultValue": default}})
    assert [problem.code for problem in found] == ["SecretInClear"] * told
    assert all(default not in problem.message for problem in found if default)


def secured(action: dict[str, Any], *names: Any) -> list[tuple[str, str, str]]:
    runtime = {"secureData": {"properties": list(names)}}
    found = problems({"A": {**action, "runtimeConfiguration": runtime}})
    return [(problem.code, problem.severity, problem.at) for problem in found]


def test_secured_data_of_actions_that_have_it() -> None:
    http = {"type": "Http", "inputs": {"method": "GET", "uri": "https://a"}}
    compose = {"type": "Compose", "inputs": 1}
    at = "/actions/A/runtimeConfiguration/secureData/properties/0"
    assert secured(http, "inputs", "Outputs") == []
    assert secured(compose, "inputs") == []
    assert secured(compose, "outputs") == [("InvalidSecureData", "warning", at)]
    assert secured({"type": "Scope", "actions": {}}, "inputs") == [("InvalidSecureData", "warning", at)]
    assert secured(http, "headers") == [("InvalidSecureData", "warning", at)]
    assert secured(http, 5) == [("InvalidSecureData", "warning", at)]


def test_secured_data_with_tracked_properties_or_of_another_shape() -> None:
    http = {"type": "Http", "inputs": {"method": "GET", "uri": "https://a"}}
    tracked = secured({**http, "trackedProperties": {"a": 1}}, "inputs")
    assert ("InvalidSecureData", "warning", "/actions/A/trackedProperties") in tracked
    odd = problems({"A": {**http, "runtimeConfiguration": {"secureData": ["inputs"]}}})
    assert [(problem.code, problem.at) for problem in odd] == [
        ("InvalidSecureData", "/actions/A/runtimeConfiguration/secureData")
    ]


def test_connections_that_the_file_brings_or_does_not() -> None:
    def connector(name: str) -> dict[str, Any]:
        host = {"apiId": "/providers/x/apis/shared_mail", "connectionName": name, "operationId": "Send"}
        return {"type": "OpenApiConnection", "inputs": {"host": host, "parameters": {}}}

    by_parameter = "@parameters('$connections')['offise']['connectionId']"
    old = {"type": "ApiConnection", "inputs": {"host": {"connection": {"name": by_parameter}}, "method": "get"}}
    definition = {
        "triggers": {"manual": {"type": "Request", "kind": "Button"}},
        "actions": {"A": connector("shared_mail"), "B": connector("shared_mial"), "C": old},
    }
    document = {"properties": {"definition": definition, "connectionReferences": {"shared_mail": {}, "office": {}}}}
    found = {problem.at: problem for problem in check(read_object(document)) if problem.code == "UnknownConnection"}
    actions = "/properties/definition/actions"
    assert list(found) == [f"{actions}/B/inputs/host/connectionName", f"{actions}/C/inputs/host/connection/name"]
    assert found[f"{actions}/B/inputs/host/connectionName"].hint == "Did you mean 'shared_mail'?"
    assert {problem.severity for problem in found.values()} == {"warning"}
    assert [problem.code for problem in check(read_object(definition))] == []


def test_allowed_values_of_a_parameter() -> None:
    def told(**parameter: Any) -> list[tuple[str, str]]:
        found = problems({}, parameters={"p": {"type": "Int", **parameter}})
        return [(problem.code, problem.at.removeprefix("/parameters/p/")) for problem in found]

    assert told(allowedValues=[1, 2], defaultValue=2) == []
    assert told(allowedValues=[1, 2]) == []
    assert told(allowedValues=[1, "2"]) == [("InvalidParameter", "allowedValues/1")]
    assert told(allowedValues=[1, 2], defaultValue=3) == [("InvalidParameter", "defaultValue")]


def test_more_variables_than_the_hosts_have() -> None:
    listed = [{"name": f"v{index}", "type": "integer"} for index in range(251)]
    found = problems({"V": {"type": "InitializeVariable", "inputs": {"variables": listed}}})
    assert [(problem.code, problem.severity) for problem in found] == [("TooManyVariables", "warning")]


def test_a_secure_parameter_that_the_hosts_would_show_is_told() -> None:
    secure = {"runtimeConfiguration": {"secureData": {"properties": ["inputs"]}}}
    call = {"method": "GET", "uri": "https://x.org", "authentication": {"type": "Raw", "value": "@parameters('PW')"}}
    actions = {
        "C": {"type": "Compose", "inputs": ["@parameters('pw')", "@parameters('pw')", "@parameters('plain')"]},
        "S": {"type": "Compose", "inputs": "@parameters('pw')", **secure},
        "H": {"type": "Http", "inputs": call},
    }
    declared = {"Pw": {"type": "SecureString"}, "plain": {"type": "String", "defaultValue": ""}}
    found = [each for each in problems(actions, parameters=declared) if each.code == "SecureParameterShown"]
    assert [(each.severity, each.at) for each in found] == [("warning", "/actions/C/inputs/0")]
    assert "'Pw'" in found[0].message
