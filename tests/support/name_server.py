"""The name look-ups of this process in the hands of a test: what each name resolves to, and how often it was asked."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

import pytest

_REAL = socket.getaddrinfo


class NameServer:
    """Answers every look-up of a name in turn with the answers that were given for it; the last one stays.

    Addresses are no names: what is connected to by its address is not counted.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: Sequence[Sequence[str]]) -> None:
        self.asked: Counter[str] = Counter()
        self._answers: dict[str, list[Sequence[str]]] = {}
        monkeypatch.setattr(socket, "getaddrinfo", self._look_up)

    def says(self, name: str, *answers: Sequence[str]) -> None:
        """Resolve a name to these addresses: at the first look-up to the first answer, and so on."""
        self._answers[name] = list(answers)

    def _look_up(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:
        name = host.decode("ascii") if isinstance(host, bytes) else host
        try:
            ip_address(name)
            return _REAL(name, port, family, type, proto, flags)
        except ValueError:
            pass
        self.asked[name] += 1
        answers = self._answers.get(name)
        if not answers:
            return _REAL(name, port, family, type, proto, flags | socket.AI_NUMERICHOST)
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [entry for each in addresses for entry in _REAL(each, port, family, type, proto, flags)]
