"""What a connector is asked, made the short way: in nothing different from the long way."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from sealflow.connectors import Call
from sealflow.connectors.port import Artifact, drafted

MEMBERS: dict[str, Any] = {
    "connector": "mine",
    "operation": "Get",
    "inputs": {"id": 1},
    "key": "k1",
    "path": "/Get",
    "attempt": 2,
    "options": frozenset({"disableasyncpattern"}),
    "settings": {"contentTransfer": {"transferMode": "Chunked"}},
    "webhook": True,
    "callback_url": "https://flows.example/runs/1/secret-token",
    "timeout": 2.5,
    "artifact": Artifact("map", "text"),
}


def test_a_drafted_call_is_the_call_with_these_members() -> None:
    assert list(MEMBERS) == [field.name for field in fields(Call)]  # one that is added is drafted too
    call = drafted(*MEMBERS.values())
    assert type(call) is Call
    assert call == Call(**MEMBERS)
    assert {name: getattr(call, name) for name in MEMBERS} == MEMBERS
    assert replace(call, attempt=3) == Call(**MEMBERS | {"attempt": 3})


def test_a_drafted_call_cannot_be_changed_and_hides_its_secret() -> None:
    call = drafted(*MEMBERS.values())
    with pytest.raises(FrozenInstanceError):
        call.key = "other"  # type: ignore[misc]
    assert "secret-token" not in repr(call)


def test_every_member_has_to_be_given() -> None:
    with pytest.raises(TypeError, match="missing 10 required"):
        drafted("mine", "Get")
