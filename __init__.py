"""Sealflow runs Power Automate flows and keeps everything about them encrypted, with keys chosen per environment.

    import sealflow

    async with sealflow.open() as engine:
        env = await engine.environment("contoso")
        flow = await env.deploy("invoice", "invoice.json")
        (run,) = await env.start(flow, {"amount": 1250})
        print((await run.result()).status)

Names are loaded when they are first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from .engine import lazy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .connectors import Call, Connector, ConnectorError, ConnectorResponse, Registry, Subscribed
    from .engine.errors import (
        DefinitionError,
        Denied,
        ExpressionError,
        NotFound,
        NotYetSupported,
        SealflowError,
    )
    from .engine.hosts.core_files import disable_core_files
    from .engine.hosts.embedded import UNSET, Engine, Environment, open
    from .engine.hosts.replaying import replay
    from .engine.runtime.calls.callbacks import Delivery
    from .engine.runtime.calls.simulation import Simulation
    from .engine.runtime.flows.library import Flow
    from .engine.runtime.history.reading import RunResult
    from .engine.runtime.observe.bundles import ReplayReport
    from .engine.runtime.observe.report import RunReport
    from .engine.runtime.observe.run import Run
    from .engine.runtime.observe.summaries import FlowDetail, FlowSummary, RunSummary
    from .engine.runtime.observe.tracing import Trace
    from .engine.runtime.observe.trigger_info import TriggerInfo
    from .engine.runtime.triggers.triggers import TriggerFiring
    from .engine.runtime.workers.clock import Clock, SystemClock, VirtualClock
    from .storage import Actor, Administration, EnvironmentStatus, Operation

__version__ = "0.1.0"

_WHERE = {
    "Actor": ".storage",
    "Administration": ".storage",
    "Call": ".connectors",
    "Clock": ".engine.runtime.workers.clock",
    "Connector": ".connectors",
    "DefinitionError": ".engine.errors",
    "Delivery": ".engine.runtime.calls.callbacks",
    "Denied": ".engine.errors",
    "Engine": ".engine.hosts.embedded",
    "Environment": ".engine.hosts.embedded",
    "EnvironmentStatus": ".storage",
    "ExpressionError": ".engine.errors",
    "ConnectorError": ".connectors",
    "TriggerFiring": ".engine.runtime.triggers.triggers",
    "Flow": ".engine.runtime.flows.library",
    "FlowDetail": ".engine.runtime.observe.summaries",
    "FlowSummary": ".engine.runtime.observe.summaries",
    "NotFound": ".engine.errors",
    "NotYetSupported": ".engine.errors",
    "Operation": ".storage",
    "Registry": ".connectors",
    "ReplayReport": ".engine.runtime.observe.bundles",
    "ConnectorResponse": ".connectors",
    "Run": ".engine.runtime.observe.run",
    "RunReport": ".engine.runtime.observe.report",
    "RunResult": ".engine.runtime.history.reading",
    "RunSummary": ".engine.runtime.observe.summaries",
    "SealflowError": ".engine.errors",
    "Simulation": ".engine.runtime.calls.simulation",
    "Subscribed": ".connectors",
    "SystemClock": ".engine.runtime.workers.clock",
    "Trace": ".engine.runtime.observe.tracing",
    "TriggerInfo": ".engine.runtime.observe.trigger_info",
    "UNSET": ".engine.hosts.embedded",
    "VirtualClock": ".engine.runtime.workers.clock",
    "disable_core_files": ".engine.hosts.core_files",
    "open": ".engine.hosts.embedded",
    "replay": ".engine.hosts.replaying",
}

__all__ = [
    "UNSET",
    "Actor",
    "Administration",
    "Call",
    "Clock",
    "Connector",
    "ConnectorError",
    "ConnectorResponse",
    "DefinitionError",
    "Delivery",
    "Denied",
    "Engine",
    "Environment",
    "EnvironmentStatus",
    "ExpressionError",
    "Flow",
    "FlowDetail",
    "FlowSummary",
    "NotFound",
    "NotYetSupported",
    "Operation",
    "Registry",
    "ReplayReport",
    "Run",
    "RunReport",
    "RunResult",
    "RunSummary",
    "SealflowError",
    "Simulation",
    "Subscribed",
    "SystemClock",
    "Trace",
    "TriggerFiring",
    "TriggerInfo",
    "VirtualClock",
    "disable_core_files",
    "open",
    "replay",
]

__getattr__, __dir__ = lazy.names(globals(), _WHERE)
