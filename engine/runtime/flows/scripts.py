"""Desktop flows as they are deployed: a script's text with its UI elements, checked, kept, and made into a plan.

With this file comes the whole language: it is imported where a script is at hand, never for what may not be one. What
is kept of one in the vault has the shape of a cloud flow's document, with `kind` desktop and `dialect` robin;
`definition` holds the text and what came with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from ....connectors.desktop.modules import is_built
from ...desktop.actions import pure_action
from ...desktop.checks import check
from ...desktop.checks.rules import Rules
from ...desktop.expressions.culture import DEFAULT
from ...desktop.syntax.parse import Reading, parse
from ...errors import DefinitionError
from ...kernel.desktop.build import build_script
from ...kernel.desktop.decide import SCRIPT_REVISION
from ...kernel.desktop.interface import start_value
from ...kernel.desktop.plan import ScriptPlan
from .script_files import DESKTOP, ROBIN, ScriptSource


def can_run(action: str) -> bool:
    """Whether an action, by its id, can be carried out here: by the kernel, by a module's connector, or by a call of
    the runtime.
    """
    return pure_action(action) is not None or is_built(action) or action.lower() in _OF_THE_RUNTIME


_OF_THE_RUNTIME: Final = frozenset(
    {
        "external.runflow",
        "external.invokecloudconnector",
        "flowcontrol.throwcustomerror",
        "workqueues.enqueueworkqueueitem.withoutuniqueid",
        "workqueues.processworkqueueitem.processworkqueueitem",
        "workqueues.updateprocessingnotes.withprocessingnotes",
        "workqueues.updateworkqueueitem.updatewithprocessingnotes",
    }
)


def rules(*, allow_unsupported: bool = False) -> Rules:
    """What a script is checked against here."""
    return Rules(built=can_run, allow_unsupported=allow_unsupported)


def reading_of(source: ScriptSource) -> Reading:
    """The script, parsed, with what is wrong with it."""
    return parse(source.text, kind=source.form, repositories=dict(source.repositories))


def prepared(source: ScriptSource, *, allow_unsupported: bool = False) -> tuple[dict[str, Any], ScriptPlan]:
    """What is kept of a script, and its plan. Raises DefinitionError with the first problem that is an error."""
    reading = reading_of(source)
    accepted = rules(allow_unsupported=allow_unsupported or source.allow_unsupported)
    faults = [problem for problem in check.check(reading, accepted) if problem.severity == "error"]
    if faults:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise DefinitionError(first.message + more, at=first.at, code=first.code, hint=first.hint)
    definition: dict[str, Any] = {"script": source.text, "form": source.form}
    if source.repositories:
        definition["repositories"] = dict(source.repositories)
    document: dict[str, Any] = {
        "definition": definition,
        "dialect": ROBIN,
        "kind": DESKTOP,
        "pointer": "",
        "parameters": {},
    }
    if not source.screenshots:
        document["screenshots"] = False
    if source.timeout is not None:
        document["timeout"] = source.timeout
    if source.allow_unsupported:
        document["whenReached"] = True
    if source.aliases:
        document["aliases"] = [alias.lower() for alias in source.aliases]
    return document, build_script(reading.script)


def script_plan(document: Mapping[str, Any]) -> ScriptPlan:
    """The plan of a deployed script."""
    definition = document["definition"]
    reading = parse(definition["script"], kind=definition["form"], repositories=definition.get("repositories", {}))
    plan = build_script(reading.script)
    plan.screenshots = document.get("screenshots", True)
    plan.timeout = document.get("timeout")
    return plan


def script_start(
    plan: ScriptPlan,
    flow_name: str,
    version: int,
    *,
    run: str,
    environment: str,
    inputs: object,
    culture: str = DEFAULT,
    zone: str = "UTC",
    simulate: Any = None,
    nested: int = 0,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The trigger and the pins of a start record. `inputs` is an object of values by the names that callers know.

    Raises DefinitionError: InvalidInput, UnknownInput, MissingInput.
    """
    if not isinstance(inputs, Mapping):
        raise DefinitionError("The inputs of a desktop flow must be an object, by name.", code="InvalidInput")
    trigger = start_value(plan, inputs, culture)
    trigger["clientTrackingId"] = run
    pins: dict[str, Any] = {
        "revision": SCRIPT_REVISION,
        "version": version,
        "dialect": ROBIN,
        "seed": secrets.token_bytes(32),
        "run": run,
        "tracking": run,
        "caller": False,
        "culture": culture,
        "zone": zone,
        "parameters": {},
        "simulate": simulate,
        "workflow": {"name": flow_name, "tags": {"environmentName": environment}},
    }
    if nested:
        pins["nested"] = nested
    return trigger, pins
