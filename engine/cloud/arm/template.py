"""The workflows of an ARM template: in it, in its nested templates, and as often as a copy loop makes them.

Where the values of expressions come from is `arm`'s business; what a found workflow becomes is `source`'s.
Source: Azure Resource Manager, resources, nested templates (expression evaluation scope), resource iteration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from ...errors import ExpressionError
from ..literal import shown
from ..report.problem import Problem
from ..syntax.pointer import join
from .deployment import WORKFLOW, Deployment
from .functions import CannotEvaluateError
from .strings import HINT, Resolver

DEPLOYMENT: Final = "microsoft.resources/deployments"
MAXIMUM_NESTING: Final = 8


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow resource as it would be deployed. `pointer` is the resource's place; `name` is None where unresolved.

    `parameters` are the values by name, without those that could not be resolved. `placeholders` are parts of the
    deployment that were not given and stand in the values.
    """

    pointer: str
    name: str | None
    properties: Any
    parameters: Mapping[str, Any]
    problems: tuple[Problem, ...]
    placeholders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Template:
    """What was found in a template; `problems` are about what stands beside its workflows."""

    workflows: tuple[Workflow, ...]
    problems: tuple[Problem, ...]


def workflows_of(template: Mapping[str, Any], deployment: Deployment) -> Template:
    """The workflows of a template, in its order. Never raises, except RecursionError for what nests too deep."""
    problems: list[Problem] = []
    given = {name.lower(): value for name, value in deployment.parameters.items()}
    walk = _Walk(deployment, problems)
    refused = tuple(_not_allowed(template, deployment, given))
    found = walk.template(template, Resolver(template, deployment, given), "", 0)
    return Template(tuple(replace(each, problems=(*refused, *each.problems)) for each in found), tuple(problems))


def _not_allowed(template: Mapping[str, Any], deployment: Deployment, given: Mapping[str, Any]) -> Iterator[Problem]:
    """Parameters whose value is none of `allowedValues`: Azure refuses the deployment. Texts count in any case."""
    declared = template.get("parameters")
    for name, entry in declared.items() if isinstance(declared, dict) else ():
        allowed = entry.get("allowedValues") if isinstance(entry, dict) else None
        if not isinstance(allowed, list):
            continue
        at = join("", "parameters", name)
        if name.lower() in given:
            value = given[name.lower()]
        elif "defaultValue" in entry:
            at = join(at, "defaultValue")
            unheard: list[Problem] = []
            value = Resolver(template, deployment, given).value(entry["defaultValue"], at, unheard)
            if unheard:
                continue
        else:
            continue
        if not any(_same(value, each) for each in allowed):
            yield Problem(
                "ValueNotAllowed",
                "error",
                at,
                f"The value of the template's parameter '{name}' is not one of its allowed values.",
                f"Allowed are {', '.join(map(shown, allowed[:20]))}.",
            )


def _same(value: Any, allowed: Any) -> bool:
    if isinstance(value, str) and isinstance(allowed, str):
        return value.lower() == allowed.lower()
    return type(value) is type(allowed) and bool(value == allowed)


class _Walk:
    def __init__(self, deployment: Deployment, problems: list[Problem]) -> None:
        self.deployment = deployment
        self.problems = problems

    def template(self, template: Mapping[str, Any], resolver: Resolver, pointer: str, depth: int) -> Iterator[Workflow]:
        resources = template.get("resources")
        listed: list[tuple[str | int, Any]] = []
        if isinstance(resources, list):
            listed = list(enumerate(resources))
        elif isinstance(resources, dict):  # templates of language version 2.0 name their resources
            listed = list(resources.items())
        for key, resource in listed:
            kind = resource.get("type") if isinstance(resource, dict) else None
            if not isinstance(kind, str):
                continue
            at = join(pointer, "resources", key)
            if kind.lower() == WORKFLOW:
                yield from self.workflow(resource, resolver, at)
            elif kind.lower() == DEPLOYMENT and depth < MAXIMUM_NESTING:
                yield from self.nested(resource, resolver, at, depth)

    def workflow(self, resource: dict[str, Any], resolver: Resolver, at: str) -> Iterator[Workflow]:
        if "condition" in resource and self._strict(resolver, resource["condition"], at, "condition") is False:
            self.problems.append(
                Problem("WorkflowNotDeployed", "info", at, "The workflow's condition is false: it is left out.")
            )
            return
        loop = resource.get("copy")
        if not isinstance(loop, dict):
            yield _read(resource, resolver, at)
            return
        try:
            for _ in resolver.iterations(str(loop.get("name", "")), loop.get("count")):
                yield _read(resource, resolver, at)
        except (CannotEvaluateError, ExpressionError, RecursionError) as reason:
            self._unresolved(join(at, "copy"), reason)

    def nested(self, resource: dict[str, Any], resolver: Resolver, at: str, depth: int) -> Iterator[Workflow]:
        properties = resource.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        inner = properties.get("template")
        place = join(at, "properties", "template")
        if not isinstance(inner, dict):
            if "templateLink" in properties:
                self.problems.append(
                    Problem(
                        "LinkedTemplate",
                        "warning",
                        join(at, "properties", "templateLink"),
                        "A linked template is not followed; workflows in it are not found.",
                        "Import that template by itself.",
                    )
                )
            return
        if "condition" in resource and self._strict(resolver, resource["condition"], at, "condition") is False:
            return
        options = properties.get("expressionEvaluationOptions")
        scope = options.get("scope") if isinstance(options, dict) else None
        if isinstance(scope, str) and scope.lower() == "inner":
            passed = self._passed(properties.get("parameters"), resolver, join(at, "properties", "parameters"))
            inside = Resolver(inner, self.deployment, passed)
        else:
            # The outer template's parameters and variables count in here, whatever the inner one declares.
            inside = resolver
        yield from self.template(inner, inside, place, depth + 1)

    def _passed(self, given: Any, resolver: Resolver, pointer: str) -> dict[str, Any]:
        passed: dict[str, Any] = {}
        for name, entry in given.items() if isinstance(given, dict) else ():
            if isinstance(entry, dict) and "value" in entry:
                unheard: list[Problem] = []
                value = resolver.value(entry["value"], join(pointer, name, "value"), unheard)
                if not unheard:  # what has no value out here has none in there, and is told where it is used
                    passed[name.lower()] = value
        return passed

    def _strict(self, resolver: Resolver, value: Any, at: str, name: str) -> Any:
        try:
            return resolver.strict(value)
        except (CannotEvaluateError, ExpressionError, RecursionError) as reason:
            self._unresolved(join(at, name), reason)
            return None

    def _unresolved(self, at: str, reason: Exception) -> None:
        self.problems.append(
            Problem("ArmUnresolved", "warning", at, f"This has no value outside a deployment: {reason}", HINT)
        )


def _read(resource: dict[str, Any], resolver: Resolver, at: str) -> Workflow:
    problems: list[Problem] = []
    resolver.placeholders.clear()
    properties = resource.get("properties")
    result: Any = None
    parameters: dict[str, Any] = {}
    if isinstance(properties, dict):
        place = join(at, "properties")
        result = {
            "definition": resolver.value(properties.get("definition"), join(place, "definition"), problems),
            "state": resolver.value(properties.get("state"), join(place, "state"), []),
        }
        parameters = _values(properties.get("parameters"), resolver, join(place, "parameters"), problems)
    # Names, states and connection ids are not needed to run: what is unresolved there is no problem.
    unheard: list[Problem] = []
    name = resolver.value(resource.get("name"), join(at, "name"), unheard)
    named = isinstance(name, str) and bool(name) and not unheard
    return Workflow(
        at, name if named else None, result, parameters, tuple(problems), tuple(sorted(resolver.placeholders))
    )


def _values(given: Any, resolver: Resolver, pointer: str, problems: list[Problem]) -> dict[str, Any]:
    """Values of workflow parameters, `{name: {"value": …}}`. One that is not known is left out, and that is told."""
    values: dict[str, Any] = {}
    for name, entry in given.items() if isinstance(given, dict) else ():
        if not isinstance(entry, dict) or "value" not in entry:
            continue
        found: list[Problem] = []
        value = resolver.value(entry["value"], join(pointer, name, "value"), found)
        if found and name.lower() != "$connections":
            problems += found
        else:
            values[name] = value
    return values
