"""Rules about tracked properties and correlation: what may stand in them.

Source: Logic Apps, "Monitor workflows and collect diagnostic data": trackedProperties use an action's own record and
parameters only; `correlation` with a clientTrackingId belongs to triggers.
"""

from __future__ import annotations

from collections.abc import Iterable

from ...expressions import Call, walk
from ..literal import is_dynamic, shown
from ..outline import Outline, Place
from ..report.problem import Problems
from ..syntax.definition import Trigger
from ..syntax.expression_sites import Site
from ..syntax.pointer import join

_FIELD = "trackedProperties"
_ELSEWHERE = frozenset(
    {
        "actionbody", "actionoutputs", "actions", "body", "formdatamultivalues", "formdatavalue", "guid", "item",
        "items", "iterationindexes", "listcallbackurl", "multipartbody", "outputs", "rand", "result", "trigger",
        "triggerbody", "triggerformdatamultivalues", "triggerformdatavalue", "triggermultipartbody", "triggeroutputs",
        "utcnow", "variables", "workflow",
    }
)  # fmt: skip


def check_tracking(outline: Outline, sites: Iterable[Site], problems: Problems) -> None:
    """All rules of this file."""
    for place in outline.places:
        if place.built:
            _action(place, problems)
    for trigger in outline.definition.triggers:
        _trigger(trigger, problems)
    for site in sites:
        if site.field == _FIELD and site.place is not None and site.found.node is not None:
            _names(site, problems)


def _action(place: Place, problems: Problems) -> None:
    action = place.action
    given = action.raw.get(_FIELD)
    if given is not None and not isinstance(given, dict) and not is_dynamic(given):
        message = f"The tracked properties of '{action.name}' must be an object, not {shown(given)}."
        problems.error("InvalidTrackedProperties", join(action.pointer, _FIELD), message)
    if action.raw.get("correlation"):
        what = f"'correlation' of action '{action.name}'"
        problems.without_effect(join(action.pointer, "correlation"), what)


def _trigger(trigger: Trigger, problems: Problems) -> None:
    if trigger.raw.get(_FIELD):
        what = f"'{_FIELD}' of trigger '{trigger.name}'"
        problems.without_effect(join(trigger.pointer, _FIELD), what)
    correlation = trigger.raw.get("correlation")
    if correlation and not isinstance(correlation, dict):
        message = f"The correlation of trigger '{trigger.name}' must be an object with a 'clientTrackingId'."
        problems.error("InvalidCorrelation", join(trigger.pointer, "correlation"), message)
    elif correlation and "clientTrackingId" not in correlation:
        message = f"The correlation of trigger '{trigger.name}' has no 'clientTrackingId' and is not read."
        problems.warning("InvalidCorrelation", join(trigger.pointer, "correlation"), message)


def _names(site: Site, problems: Problems) -> None:
    assert site.found.node is not None  # noqa: S101
    for node in walk(site.found.node):
        if isinstance(node, Call) and node.key in _ELSEWHERE:
            problems.warning(
                "InvalidTrackedProperties",
                site.found.pointer,
                f"Tracked properties cannot use {node.name}(): they will be left out.",
                "They may use action() and parameters().",
            )
            return
