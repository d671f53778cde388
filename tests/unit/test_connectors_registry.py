"""Ids that find their connector, functions as connectors, answers that are JSON."""

from __future__ import annotations

import enum
import functools
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealflow.connectors import (
    Call,
    ConnectorError,
    ConnectorResponse,
    HttpConnector,
    Recovery,
    Registry,
    Services,
    standard,
)
from sealflow.connectors.answers import as_value
from sealflow.connectors.conformance import StoppedClock
from sealflow.connectors.desktop import modules as desktop
from sealflow.connectors.late import BUILT_IN, LateConnector

SERVICES = Services(StoppedClock())


async def echo(call: Call) -> Any:
    return call.inputs


@pytest.mark.parametrize("registered", ["office365", "shared_office365", "Shared_Office365"])
@pytest.mark.parametrize(
    "asked",
    [
        "office365",
        "OFFICE365",
        "shared_office365",
        "shared_office365-1",
        "shared_office365_2",
        "/providers/Microsoft.PowerApps/apis/shared_office365",
        "/subscriptions/x/managedApis/office365/",
    ],
)
async def test_ids(registered: str, asked: str) -> None:
    registry = Registry()
    registry.register(registered, echo)
    assert asked in registry
    reply = await registry.find(asked).invoke(Call(asked, "Get", {"a": 1}, "k"), SERVICES)
    assert reply == ConnectorResponse(200, {}, {"a": 1})
    assert registry.ids == ["office365"]


def test_a_number_may_belong_to_the_name() -> None:
    registry = Registry()
    registry.register("dynamics", echo)
    registry.register("dynamics-365", echo, recovery="rerun")
    assert registry.find("shared_dynamics-365").recovery == "rerun"
    assert registry.find("shared_dynamics-1").recovery == "keyed"


@pytest.mark.parametrize("asked", ["teams", "", "shared_teams-1"])
def test_unknown_ids(asked: str) -> None:
    assert asked not in Registry()
    with pytest.raises(ConnectorError) as caught:
        Registry().find(asked)
    assert caught.value.code == "ConnectorNotFound"
    assert "--simulate" in str(caught.value.hint)
    assert 5 not in Registry()


async def test_the_decorator() -> None:
    registry = Registry()

    @registry.connector("mine", recovery="never")
    async def mine(call: Call) -> ConnectorResponse:
        return ConnectorResponse(202)

    assert await mine(Call("mine", "", None, "k")) == ConnectorResponse(202)
    assert registry.find("mine").recovery == "never"


async def test_what_can_be_registered() -> None:
    class Mine:
        recovery: Recovery = "rerun"
        closed = 0

        async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
            return ConnectorResponse(200, {}, services.limits.response_bytes)

        async def aclose(self) -> None:
            self.closed += 1

    class Callable:
        async def __call__(self, call: Call) -> int:
            return 5

    registry = Registry()
    mine = Mine()
    registry.register("a", mine)
    registry.register("again", mine)
    registry.register("b", Callable())
    registry.register("c", functools.partial(echo))
    assert await registry.find("a").invoke(Call("a", "", None, "k"), SERVICES) == ConnectorResponse(
        200, {}, 104_857_600
    )
    assert await registry.find("b").invoke(Call("b", "", None, "k"), SERVICES) == ConnectorResponse(200, {}, 5)
    await registry.aclose()
    assert mine.closed == 1
    bad: list[Any] = [5, Mine, lambda call: 5, None, print]
    for each in bad:
        with pytest.raises(TypeError, match="async function"):
            registry.register("d", each)


def test_the_standard_registry() -> None:
    registry = standard()
    modules = set(desktop.connectors())
    assert {each.partition(".")[0] for each in modules} == {"desktop"}
    assert set(registry.ids) == modules | {"artifacts", "flat-file", "http", "inline-code", "liquid", "xml", "xslt"}
    assert registry.ids == sorted(registry.ids)
    assert registry.find("Http").recovery == "keyed"


async def test_a_built_in_connector_is_loaded_when_it_is_called_first() -> None:
    for id, (place, recovery) in BUILT_IN.items():
        late = LateConnector(id)
        await late.aclose()  # nothing was called
        assert type(late.loaded()).__name__ == place.partition(":")[2]
        assert late.loaded() is late.loaded()
        assert late.recovery == late.loaded().recovery == recovery
        await late.aclose()
    assert isinstance(LateConnector("http").loaded(), HttpConnector)


# ---- answers


class Colour(enum.Enum):
    RED = "red"


class Size(enum.IntEnum):
    LARGE = 3


class Text(str):
    __slots__ = ()


def test_values_that_only_look_unlike_json() -> None:
    value: Any = as_value({"a": (1, Colour.RED), "b": Size.LARGE, "c": Text("x"), "d": [Decimal("1.50")]}, "it")
    assert value == {"a": [1, "red"], "b": 3, "c": "x", "d": [Decimal("1.50")]}
    assert type(value["c"]) is str
    assert type(value["b"]) is int


@pytest.mark.parametrize(
    ("given_value", "at"),
    [(object(), "'/'"), ({"a/b": [1, {2}]}, "'/a~1b/1'"), ([{"~": b"x"}], "'/0/~0'"), ({5: 1}, "int"), (1j, "complex")],
)
def test_values_that_are_no_json(given_value: Any, at: str) -> None:
    with pytest.raises(ConnectorError, match="It has a") as caught:
        as_value(given_value, "It")
    assert caught.value.code == "InvalidReply"
    assert at in caught.value.message


def test_values_nested_beyond_reason() -> None:
    deep: Any = []
    for _ in range(199):
        deep = [deep]
    assert as_value([deep], "It") == [deep]
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ConnectorError, match="nested"):
        as_value(deep, "It")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_json_is_left_alone(value: Any) -> None:
    assert as_value(value, "it") is value
