"""The checker reports the problems of any changed definition in bounded time. A definition that it accepts runs to an
end.

Definitions that use every action are changed at random places: other values, other types, other names, things left
out, things moved into one another. What is refused then is refused with problems; what is let through is built and run
with invented answers, and ends with a status and not with an exception.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_driver import Driver, failing, ok
from sealflow.engine import kernel
from sealflow.engine.cloud import Problem, catalog, check, read_object, report
from sealflow.engine.errors import SealflowError
from sealflow.engine.kernel.contract import records as event
from sealflow.engine.kernel.contract.status import CANCELLED

STEPS = 120
"""Calls, waits and ticks after which a run is stopped from outside: loops may go on for thousands."""


def after(*names: str, on: str = "Succeeded") -> dict[str, Any]:
    return {"runAfter": {name: [on] for name in names}}


CONTROL: dict[str, Any] = {
    "triggers": {
        "manual": {
            "type": "Request",
            "kind": "Http",
            "inputs": {"schema": {"type": "object", "properties": {"n": {"type": "integer"}}}},
            "conditions": [{"expression": "@not(equals(triggerBody(), 'never'))"}],
        }
    },
    "parameters": {"p": {"type": "Int", "defaultValue": 2, "allowedValues": [1, 2]}},
    "actions": {
        "V": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "integer", "value": 0}]}},
        "S": {
            "type": "Scope",
            "limit": {"timeout": "PT1H"},
            "actions": {
                "I": {
                    "type": "If",
                    "expression": {"and": [{"greater": ["@parameters('p')", 1]}, {"not": {"equals": ["@1", 2]}}]},
                    "actions": {"Up": {"type": "IncrementVariable", "inputs": {"name": "v", "value": 2}}},
                    "else": {"actions": {"Down": {"type": "DecrementVariable", "inputs": {"name": "v"}}}},
                },
                "W": {"type": "Wait", "inputs": {"interval": {"count": 3, "unit": "Minute"}}, **after("I")},
            },
            **after("V"),
        },
        "F": {
            "type": "Foreach",
            "foreach": "@createArray(1, 2, variables('v'))",
            "runtimeConfiguration": {"concurrency": {"repetitions": 2}},
            "actions": {
                "K": {
                    "type": "Switch",
                    "expression": "@item()",
                    "cases": {"one": {"case": 1, "actions": {"C1": {"type": "Compose", "inputs": "@items('F')"}}}},
                    "default": {"actions": {"H": {"type": "Http", "inputs": {"method": "GET", "uri": "https://a.b"}}}},
                }
            },
            **after("S", on="Succeeded"),
        },
        "U": {
            "type": "Until",
            "expression": "@greater(variables('v'), 4)",
            "limit": {"count": 4, "timeout": "PT2H"},
            "actions": {
                "More": {"type": "SetVariable", "inputs": {"name": "v", "value": "@add(iterationIndexes('U'), 3)"}}
            },
            **after("F"),
        },
        "R": {"type": "Response", "inputs": {"statusCode": 200, "body": "@result('S')"}, **after("U")},
        "T": {
            "type": "Terminate",
            "inputs": {"runStatus": "Failed", "runError": {"code": "X"}},
            **after("U", on="Failed"),
        },
    },
    "outputs": {"o": {"type": "Integer", "value": "@variables('v')"}},
}

DATA: dict[str, Any] = {
    "triggers": {"daily": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1, "timeZone": "UTC"}}},
    "actions": {
        "Vars": {
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": "a", "type": "array", "value": [1]}, {"name": "s", "type": "string"}]},
        },
        "Parse": {
            "type": "ParseJson",
            "inputs": {"content": '{"a": [1, 2]}', "schema": {"type": "object", "required": ["a"]}},
            **after("Vars"),
        },
        "Query": {
            "type": "Query",
            "inputs": {"from": "@body('Parse')['a']", "where": "@less(item(), 2)"},
            **after("Parse"),
        },
        "Select": {
            "type": "Select",
            "inputs": {"from": "@body('Query')", "select": {"x": "@item()"}},
            **after("Query"),
        },
        "Join": {"type": "Join", "inputs": {"from": "@variables('a')", "joinWith": ","}, **after("Vars")},
        "Table": {
            "type": "Table",
            "inputs": {
                "from": "@body('Select')",
                "format": "CSV",
                "columns": [{"header": "X", "value": "@item()?['x']"}],
            },
            **after("Select"),
        },
        "Later": {
            "type": "Expression",
            "kind": "AddToTime",
            "inputs": {"baseTime": "@{utcNow()}", "interval": 2, "timeUnit": "Day"},
            **after("Vars"),
        },
        "Text": {
            "type": "AppendToStringVariable",
            "inputs": {"name": "s", "value": "@body('Table')"},
            **after("Table"),
        },
        "Item": {
            "type": "AppendToArrayVariable",
            "inputs": {"name": "a", "value": {"b": "@body('Join')"}},
            **after("Join"),
        },
        "Till": {"type": "Wait", "inputs": {"until": {"timestamp": "@{addDays(utcNow(), 1)}"}}, **after("Later")},
    },
}

OUTSIDE: dict[str, Any] = {
    "$schema": "https://schema.management.azure.com/schemas/2016-06-01/Microsoft.Logic.json",
    "contentVersion": "1.0.0.0",
    "triggers": {
        "rows": {
            "type": "OpenApiConnectionWebhook",
            "splitOn": "@triggerOutputs()?['body/value']",
            "inputs": {
                "host": {"apiId": "/apis/shared_x", "connectionName": "shared_x", "operationId": "On"},
                "parameters": {"subscriptionRequest/message": 1},
                "authentication": "@parameters('$authentication')",
            },
        }
    },
    "parameters": {
        "$connections": {"type": "Object", "defaultValue": {}},
        "$authentication": {"type": "SecureObject", "defaultValue": {}},
    },
    "staticResults": {"Get0": {"status": "Succeeded", "outputs": {"statusCode": "OK", "body": {"x": 1}}}},
    "actions": {
        "Get": {
            "type": "OpenApiConnection",
            "inputs": {
                "host": {"apiId": "/apis/shared_x", "connectionName": "shared_x", "operationId": "Get"},
                "parameters": {"item/name": "@triggerOutputs()?['body/name']"},
                "retryPolicy": {"type": "exponential", "count": 2, "interval": "PT10S"},
            },
            "limit": {"timeout": "P1D"},
            "runtimeConfiguration": {
                "paginationPolicy": {"minimumItemCount": 100},
                "secureData": {"properties": ["inputs"]},
                "staticResult": {"name": "Get0", "staticResultOptions": "Disabled"},
            },
            "metadata": {"operationMetadataId": "x"},
        },
        "Old": {
            "type": "ApiConnection",
            "inputs": {
                "host": {"connection": {"name": "@parameters('$connections')['x']['connectionId']"}},
                "method": "post",
                "path": "/a/@{encodeURIComponent('b')}",
                "body": {"@@odata.type": "#x", "y": "@body('Get')"},
            },
            "trackedProperties": {"id": "@action()['name']"},
            "operationOptions": "DisableAsyncPattern",
            **after("Get"),
        },
        "Child": {"type": "Workflow", "inputs": {"host": {"workflowReferenceName": "x"}, "body": {}}, **after("Old")},
        "In": {
            "type": "ServiceProvider",
            "inputs": {
                "parameters": {},
                "serviceProviderConfiguration": {
                    "connectionName": "c", "operationId": "o", "serviceProviderId": "/serviceProviders/s",
                },
            },
            **after("Child", on="Failed"),
        },
        "Fun": {"type": "Function", "inputs": {"function": {"id": "/f/g"}, "body": 1}, **after("Get")},
        "Local": {"type": "InvokeFunction", "inputs": {"functionName": "f", "parameters": {}}, **after("Get")},
        "Api": {
            "type": "ApiManagement",
            "inputs": {"api": {"id": "/a"}, "method": "get", "pathTemplate": {"template": "/x", "parameters": {}}},
            **after("Get"),
        },
    },
}  # fmt: skip

FLOWS = (CONTROL, DATA, OUTSIDE)

TEXTS = (
    "", "A", "@", "@@", "@{", "@item()", "@items('F')", "@variables('v')", "@outputs('Get')?['body/x']", "@result('S')",
    "@triggerBody()", "@parameters('p')", "@body('Parse')", "@concat(", "@null", "@true", "@createArray(1)",
    "[concat('a')]",
    "5", "-1", "PT5S", "soon", "P400Y", "2026-01-31T00:00:00Z", "Succeeded", "Failed", "SKIPPED", "Day",
    "é" * 300, "x" * 9000, "\ud800", "\x00",
)  # fmt: skip

words = st.sampled_from(
    (*catalog.ACTIONS.values(), *catalog.TRIGGERS.values(), *(refusal.name for refusal in catalog.REFUSED.values()))
)
leaves = (
    st.none()
    | st.booleans()
    | st.sampled_from((0, 1, -1, 7, 51, 10**6, 2**63, 10**30, 0.5, 1e300))
    | st.sampled_from(TEXTS)
    | words
)
PIECES = [flow["actions"][name] for flow in FLOWS for name in flow["actions"]]
values = st.recursive(
    leaves | st.sampled_from(PIECES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*TEXTS, "type", "A", "runAfter", "inputs", "actions")), inner, max_size=3)
    ),
    max_leaves=6,
)


def owners(value: Any) -> list[Any]:
    """Every object and array in a JSON value that has something in it."""
    found, waiting = [], [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict | list) and current:
            found.append(current)
            waiting += current.values() if isinstance(current, dict) else current
    return found


@st.composite
def changed(draw: st.DrawFn) -> Any:
    """One of the flows with up to three things changed."""
    flow = copy.deepcopy(draw(st.sampled_from(FLOWS)))
    for _ in range(draw(st.integers(1, 3))):
        everything = owners(flow)
        owner = everything[draw(st.integers(0, len(everything) - 1))]
        if isinstance(owner, list):
            owner[draw(st.integers(0, len(owner) - 1))] = copy.deepcopy(draw(values))
            continue
        name = draw(st.sampled_from(sorted(owner)))
        match draw(st.sampled_from(("value", "value", "drop", "rename", "move", "null"))):
            case "value":
                owner[name] = copy.deepcopy(draw(values))
            case "drop":
                del owner[name]
            case "null":
                owner[name] = None
            case "rename":
                owner[draw(st.sampled_from((name.upper(), name.title(), "A", "S", "é" * 90, "a/b~c")))] = owner.pop(
                    name
                )
            case "move":
                other = everything[draw(st.integers(0, len(everything) - 1))]
                if isinstance(other, dict) and other is not owner:
                    owner[name] = copy.deepcopy(other)
    return flow


def examined(flow: Any) -> list[Problem] | None:
    """The problems of a definition; None where the file is refused as a whole, which is an answer too."""
    try:
        problems = check(read_object({"definition": flow}))
    except SealflowError:
        return None
    for problem in problems:
        assert problem.severity in ("error", "warning", "info")
        assert problem.message
        json.dumps(problem.to_json())
    return problems


def end_of(flow: dict[str, Any], body: Any) -> str:
    """The status that a run of a definition ends with, all calls answered; a run that goes on is stopped."""
    triggers = flow.get("triggers") or {}
    rest = {name: value for name, value in flow.items() if name not in ("triggers", "actions", "parameters")}
    try:
        driver = Driver(
            flow.get("actions") or {},
            trigger=next(iter(triggers.values()), None),
            declared=flow.get("parameters"),
            answer=lambda command, number: failing(404) if number % 5 == 4 else ok(),
            **rest,
        )
        fired = kernel.fire(driver.plan, body, at=driver.now, pins=driver.pins)
    except SealflowError as refusal:  # a parameter without a value, a splitOn that splits nothing
        return f"refused: {refusal.code}"
    if not fired:
        return "not fired"
    driver.feed(event.start(driver.now, fired[0], driver.pins))
    for _ in range(STEPS):
        if not driver.step():
            break
    if driver.state.end is None:
        driver.feed(event.stop(driver.now, CANCELLED, "Cancelled", "It has gone on for long enough."))
    driver.verify()
    return driver.status


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(changed(), st.sampled_from((None, {"value": [{"name": "a"}]}, [1], "text")))
def test_a_changed_definition_is_refused_with_problems_or_runs_to_an_end(flow: Any, body: Any) -> None:
    """A definition is changed at random. It is refused with problems, or it runs to an end."""
    problems = examined(flow)
    if problems is not None and not any(problem.severity == "error" for problem in problems):
        assert end_of(flow, body)


@pytest.mark.parametrize("flow", FLOWS)
def test_the_flows_that_are_changed_are_sound_and_run(flow: dict[str, Any]) -> None:
    """No attack: the flows that are changed are valid and run."""
    problems = examined(flow)
    assert problems is not None
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert end_of(flow, {"value": [{"name": "a"}]}) in ("Succeeded", "Failed", "Cancelled")


def nested(levels: int) -> dict[str, Any]:
    actions: dict[str, Any] = {"A": {"type": "Compose", "inputs": 1}}
    for level in range(levels):
        actions = {f"S{level}": {"type": "Scope", "actions": actions}}
    return actions


HUGE: dict[str, dict[str, Any]] = {
    "long names": {"n" * 100_000: {"type": "Compose", "inputs": f"@outputs('{'m' * 8_000}')"}},
    "nesting": nested(60),
    "a clique": {
        f"A{n}": {"type": "Compose", "inputs": 1, **after(*(f"A{m}" for m in range(200)))} for n in range(200)
    },
    "all of a circle": {f"A{n}": {"type": "Compose", "inputs": 1, **after(f"A{(n + 1) % 2000}")} for n in range(2000)},
    "responses": {f"R{n}": {"type": "Response", "inputs": {"statusCode": 200}} for n in range(3000)},
    "all refer to all": {
        f"C{n}": {"type": "Compose", "inputs": [f"@outputs('C{m}')" for m in range(0, n, 20)], **after(f"C{n - 1}")}
        for n in range(1, 600)
    },
    "unknown names": {f"U{n}": {"type": "Compose", "inputs": f"@variables('x{n}')"} for n in range(300)},
    "wide text": {"T": {"type": "Compose", "inputs": "eyJ" * 100_000 + "?sig=" * 50_000 + ";Password=" * 50_000}},
    "secrets without end": {"T": {"type": "Compose", "inputs": "AccountKey=" + "A" * 500_000}},
}


@pytest.mark.parametrize("actions", HUGE.values(), ids=HUGE)
def test_what_is_huge_is_answered(actions: dict[str, Any]) -> None:
    """A definition is very large. The checker still reports its problems."""
    problems = examined({"triggers": {"manual": {"type": "Request"}}, "actions": actions})
    assert problems is not None
    assert all(len(problem.message) < 200_000 for problem in problems)


ODD: dict[str, Any] = {
    "nulls": {
        "triggers": None,
        "actions": {"A": {"type": "Compose", "inputs": None, "runAfter": None}},
        "outputs": None,
    },
    "no actions": {"triggers": {}, "actions": None, "parameters": None, "staticResults": None},
    "empty branches": {
        "actions": {
            "I": {"type": "If", "expression": "@equals(1, 1)", "actions": None, "else": None},
            "S": {"type": "Switch", "expression": "@int('1')", "cases": None, "default": None},
            "F": {"type": "foreach", "foreach": "@json('[]')", "actions": {}, "limit": None},
            "Z": {"type": "SCOPE", "runAfter": {"i": ["SUCCEEDED"]}, "metadata": None, "runtimeConfiguration": None},
        }
    },
    "numbers as text": {
        "actions": {
            "U": {"type": "Until", "expression": "@true", "limit": {"count": "5", "timeout": "PT1H"}, "actions": {}},
            "F": {
                "type": "Foreach",
                "foreach": "@json('[]')",
                "actions": {},
                "runtimeConfiguration": {"concurrency": {"repetitions": "5"}},
            },
            "R": {"type": "Response", "inputs": {"statusCode": "200"}},
            "W": {"type": "Wait", "inputs": {"interval": {"count": "1", "unit": "minute"}}},
        }
    },
    "things nobody knows": {
        "$schema": "http://example.com/2015-08-01-preview/workflowdefinition.json#",
        "contentversion": "1.0",
        "$authentication": {},
        "actions": {"A": {"type": "compose", "inputs": 1, "x-color": "red", "operationOptions": None, "kind": None}},
    },
}


@pytest.mark.parametrize("flow", ODD.values(), ids=ODD)
def test_what_exports_leave_out_or_write_oddly_is_taken(flow: dict[str, Any]) -> None:
    """No attack: unusual forms that exports write are accepted."""
    problems = examined(flow)
    assert problems is not None
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert end_of(flow, None) == "Succeeded"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_the_report_does_not_depend_on_the_encoding(encoding: str) -> None:
    """The encoding of a file does not change the reported problems."""
    text = json.dumps(CONTROL, ensure_ascii=False)
    assert report(text.encode(encoding), "f") == report(text, "f")
