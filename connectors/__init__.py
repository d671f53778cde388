"""Connectors: everything that a flow does in the outside world goes through one of them.

`Registry` holds the connectors of an engine; an async function is a connector too. `conformance` is the suite that your
own connector should pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..engine import lazy
from .egress.policy import Egress, Rule, rule
from .port import (
    Artifact,
    Call,
    Clock,
    Connector,
    ConnectorError,
    ConnectorResponse,
    Limits,
    Recovery,
    Services,
    Subscribed,
)
from .registry import Registry, standard
from .status import status_name

if TYPE_CHECKING:
    from .http.operation import HttpConnector

__all__ = [
    "Artifact",
    "Call",
    "Clock",
    "Connector",
    "ConnectorError",
    "ConnectorResponse",
    "Egress",
    "HttpConnector",
    "Limits",
    "Recovery",
    "Registry",
    "Rule",
    "Services",
    "Subscribed",
    "rule",
    "standard",
    "status_name",
]

__getattr__, __dir__ = lazy.names(globals(), {"HttpConnector": ".http.operation"})
