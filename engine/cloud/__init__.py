"""The language of cloud flows (Power Automate, Logic Apps): read and check definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import lazy
from .checks.check import check, report
from .connection_names import picked_connections
from .literal import fits
from .report.problem import Problem
from .source import Source, read, read_object
from .syntax.definition import (
    STATUSES,
    Action,
    Branch,
    Definition,
    Dialect,
    Parameter,
    RunAfter,
    Trigger,
    key_of,
    walk,
)
from .syntax.duration import seconds
from .syntax.parse import Parsed, parse, parse_leniently

if TYPE_CHECKING:
    from .report.sarif import sarif

__all__ = [
    "STATUSES",
    "Action",
    "Branch",
    "Definition",
    "Dialect",
    "Parameter",
    "Parsed",
    "Problem",
    "RunAfter",
    "Source",
    "Trigger",
    "check",
    "fits",
    "key_of",
    "parse",
    "parse_leniently",
    "picked_connections",
    "read",
    "read_object",
    "report",
    "sarif",
    "seconds",
    "walk",
]

__getattr__, __dir__ = lazy.names(globals(), {"sarif": ".report.sarif"})
