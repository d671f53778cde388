"""Connectors: everything that a flow does to the outside goes through one of them.

`Registry` holds those of an engine; an async function is a connector already. `conformance` is the suite that a
connector of your own should pass.
"""

from __future__ import annotations

from .egress import Egress
from .http import HttpConnector
from .port import Artifact, Call, Clock, Connector, Failure, Limits, Recovery, Reply, Services, Subscribed
from .registry import Registry, standard
from .status import status_name

__all__ = [
    "Artifact",
    "Call",
    "Clock",
    "Connector",
    "Egress",
    "Failure",
    "HttpConnector",
    "Limits",
    "Recovery",
    "Registry",
    "Reply",
    "Services",
    "Subscribed",
    "standard",
    "status_name",
]
