"""Rules about literal parts of calls: warnings, since such a call fails only when it is made."""

from __future__ import annotations

from typing import Any

import pytest
from checking import problems

GET = {"method": "GET", "uri": "https://example.com"}


def told(inputs: Any, **more: Any) -> list[tuple[str, str, str]]:
    found = problems({"A": {"type": "Http", "inputs": inputs, **more}})
    return [(problem.code, problem.severity, problem.at.removeprefix("/actions/A/")) for problem in found]


@pytest.mark.parametrize(
    "inputs",
    [
        {**GET, "method": "patch"},
        {**GET, "uri": " HTTP://example.com"},
        {**GET, "uri": "@triggerBody()", "method": "@{triggerBody()}"},
        {**GET, "uri": "@{triggerBody()}/x"},
        {**GET, "uri": "[parameters('u')]", "method": "GET"},
        {**GET, "authentication": {"type": "raw", "scheme": "Bearer", "parameter": "@triggerBody()"}},
        {**GET, "authentication": "@triggerBody()"},
    ],
)
def test_calls_that_are_sound(inputs: dict[str, Any]) -> None:
    assert [problem for problem in told(inputs) if problem[0] != "ArmExpression"] == []


@pytest.mark.parametrize(
    ("inputs", "at"),
    [
        ({**GET, "method": "FETCH"}, "inputs/method"),
        ({**GET, "uri": "example.com"}, "inputs/uri"),
        ({**GET, "uri": "ftp://example.com"}, "inputs/uri"),
        ({**GET, "authentication": {"type": "Basik"}}, "inputs/authentication/type"),
    ],
)
def test_calls_that_will_fail(inputs: dict[str, Any], at: str) -> None:
    assert told(inputs) == [("InvalidInputs", "warning", at)]


def test_both_requests_of_a_webhook_are_looked_at() -> None:
    inputs = {
        "subscribe": {"method": "POST", "uri": "example.com"},
        "unsubscribe": {"method": "STOP", "uri": "https://a"},
    }
    found = [problem.at for problem in problems({"W": {"type": "HttpWebhook", "inputs": inputs}})]
    assert found == ["/actions/W/inputs/subscribe/uri", "/actions/W/inputs/unsubscribe/method"]


@pytest.mark.parametrize(
    ("runtime", "at"),
    [
        ({"paginationPolicy": {"minimumItemCount": 0}}, "paginationPolicy/minimumItemCount"),
        ({"paginationPolicy": {"minimumItemCount": 100_001}}, "paginationPolicy/minimumItemCount"),
        ({"paginationPolicy": {"minimumItemCount": "many"}}, "paginationPolicy/minimumItemCount"),
        ({"contentTransfer": {"transferMode": "Whole"}}, "contentTransfer/transferMode"),
    ],
)
def test_paging_and_chunks_that_do_not_exist(runtime: dict[str, Any], at: str) -> None:
    assert told(GET, runtimeConfiguration=runtime) == [("InvalidInputs", "warning", f"runtimeConfiguration/{at}")]


def test_paging_and_chunks_that_do() -> None:
    runtime = {"paginationPolicy": {"minimumItemCount": "5000"}, "contentTransfer": {"transferMode": "chunked"}}
    assert told(GET, runtimeConfiguration=runtime) == []
    assert told(GET, runtimeConfiguration={"paginationPolicy": {"minimumItemCount": "@int('7')"}}) == []


@pytest.mark.parametrize("kind", ["managedServiceIdentity", "ClientCertificate"])
def test_sign_ins_that_are_not_built_are_told(kind: str) -> None:
    request = {**GET, "authentication": {"type": kind}}
    assert told(request) == [("NotYetSupported", "warning", "inputs/authentication/type")]
    hook = {"A": {"type": "HttpWebhook", "inputs": {"subscribe": GET, "unsubscribe": request}}}
    assert [problem.at for problem in problems(hook)] == ["/actions/A/inputs/unsubscribe/authentication/type"]


def test_a_scheme_beside_the_whole_header_is_told() -> None:
    raw = {"type": "Raw", "value": "@triggerBody()", "scheme": "Bearer"}
    assert told({**GET, "authentication": raw}) == [("InvalidInputs", "warning", "inputs/authentication/scheme")]


def test_oauth_signs_in_with_a_secret_but_not_with_a_certificate() -> None:
    oauth = {"type": "ActiveDirectoryOAuth", "secret": "@parameters('s')", "tenant": "t"}
    assert "NotYetSupported" not in [code for code, _, _ in told({**GET, "authentication": oauth})]
    certified = told({**GET, "authentication": {"type": "ActiveDirectoryOAuth", "pfx": "@triggerBody()"}})
    assert certified == [("NotYetSupported", "warning", "inputs/authentication/type")]
