"""The files a cloud flow comes in: where its definition stands, and what stands around it.

Known are a bare definition, `{"definition": …}`, Power Automate's exports (`properties.definition`), a Logic Apps
Standard `workflow.json` and an ARM template with a workflow in it. The definition itself is for `parse` and `check`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from ..errors import DefinitionError
from .arm.deployment import WORKFLOW, Deployment
from .artifacts import Artifacts
from .report.problem import Problem
from .syntax.definition import Dialect, JsonObject
from .syntax.json_text import examine, read_json
from .syntax.pointer import join

if TYPE_CHECKING:
    from .arm.template import Template, Workflow

Kind = Literal["definition", "power-automate", "standard", "arm"]


@dataclass(frozen=True, slots=True)
class Source:
    """A file that holds a cloud flow.

    `definition` is its JSON as it will be parsed (ARM strings resolved), `pointer` its place in the file,
    `parameters` the values the file gives to workflow parameters, `connections` the connection references by name.
    `dialect` is "auto" where the file does not say. `problems` were met while reading. `document` is the whole file.
    `file` is its path in the package it came in; `aliases` are further names by which other flows may call this one.
    `artifacts` are the maps and schemas that came with the file, None where it is not known which there will be.
    `enabled` is False where the file says that the flow is off.
    """

    kind: Kind
    name: str
    definition: JsonObject
    parameters: Mapping[str, Any] = field(default_factory=dict)
    pointer: str = ""
    connections: Mapping[str, Any] = field(default_factory=dict)
    dialect: Dialect | Literal["auto"] = "auto"
    problems: tuple[Problem, ...] = ()
    document: Any = None
    file: str = ""
    aliases: tuple[str, ...] = ()
    artifacts: Artifacts | None = None
    enabled: bool = True


def read(text: str | bytes, *, name: str = "") -> Source:
    """The flow in a file. `name` is used where the file has none.

    Raises DefinitionError: `at` is `line:column` for text that is no JSON (InvalidJson, TooLarge, TooDeep), a pointer
    where there is no definition to be found (NoDefinition).
    """
    document = read_json(text)
    source = _classify(document.value, name)
    if not document.duplicates:
        return source
    problems = [
        Problem(
            "DuplicateProperty",
            "error",
            pointer,
            "This property stands twice in its object; only one of the two would be used.",
            "Remove one of them.",
        )
        for pointer in document.duplicates
    ]
    return replace(source, problems=(*problems, *source.problems))


def read_object(document: Any, *, name: str = "") -> Source:
    """As `read`, for JSON that is already read."""
    examine(document)
    return _classify(document, name)


def _classify(document: Any, name: str) -> Source:
    if not isinstance(document, dict):
        raise _no_definition("The file holds no JSON object.")
    if isinstance(document.get("resources"), list | dict):
        return _arm(document, name)
    properties = document.get("properties")
    if isinstance(properties, dict) and "definition" in properties:
        return _exported(document, properties, name)
    if "definition" in document:
        return _wrapped(document, name)
    if "actions" in document or "triggers" in document:
        return Source("definition", name, document, document=document)
    raise _no_definition(
        "The file holds no flow: neither 'triggers' and 'actions' nor something known that wraps them."
    )


def _no_definition(message: str, at: str = "") -> DefinitionError:
    return DefinitionError(
        message,
        at=at,
        code="NoDefinition",
        hint="Known are definitions, Power Automate exports, workflow.json of Logic Apps Standard and ARM templates.",
    )


def _definition_of(owner: Mapping[str, Any], at: str) -> JsonObject:
    found = owner.get("definition")
    if not isinstance(found, dict):
        raise _no_definition("'definition' must be an object.", join(at, "definition"))
    return found


def _wrapped(document: JsonObject, name: str) -> Source:
    # Only workflow.json has a kind (Stateful, Stateless, Agent) beside the definition.
    standard = isinstance(document.get("kind"), str)
    given = _values(document.get("parameters"))
    return Source(
        "standard" if standard else "definition",
        name,
        _definition_of(document, ""),
        given,
        "/definition",
        _connections(given),
        "logic-apps" if standard else "auto",
        document=document,
    )


def _exported(document: JsonObject, properties: JsonObject, name: str) -> Source:
    """What the two products' own interfaces return, and what solutions and packages of Power Automate hold."""
    resource = document.get("type")
    logic = isinstance(resource, str) and resource.lower() == WORKFLOW
    references = properties.get("connectionReferences")
    given = _values(properties.get("parameters"))
    shown = properties.get("displayName")
    if not isinstance(shown, str) or not shown:
        shown = document.get("name") if logic and isinstance(document.get("name"), str) else name
    return Source(
        "definition" if logic else "power-automate",
        str(shown),
        _definition_of(properties, "/properties"),
        given,
        "/properties/definition",
        references if isinstance(references, dict) else _connections(given),
        "logic-apps" if logic else "power-automate",
        document=document,
        enabled=not is_off(properties.get("state")),
    )


def _arm(document: JsonObject, name: str) -> Source:
    from .arm.template import workflows_of

    template = workflows_of(document, Deployment())
    if not template.workflows:
        raise no_workflow(template)
    first = template.workflows[0]
    source = of_workflow(first, document, name)
    if len(template.workflows) == 1:
        return source
    more = ", ".join(each.pointer for each in template.workflows[1:4])
    several = Problem(
        "SeveralWorkflows",
        "warning",
        first.pointer,
        f"The template holds {len(template.workflows)} workflows; the first is used, not {more}.",
        "`sealflow flow import` takes them all.",
    )
    return replace(source, problems=(several, *source.problems))


def no_workflow(template: Template) -> DefinitionError:
    """What to say of a template in which there is no workflow."""
    reason = f" {template.problems[0].message}" if template.problems else ""
    return _no_definition("The template holds no resource of type Microsoft.Logic/workflows." + reason, "/resources")


def of_workflow(workflow: Workflow, document: JsonObject, name: str) -> Source:
    """A template's workflow as a source. Raises DefinitionError: NoDefinition, TooDeep."""
    if not isinstance(workflow.properties, dict):
        raise _no_definition("The workflow resource has no 'properties'.", workflow.pointer)
    definition = workflow.properties["definition"]
    at = join(workflow.pointer, "properties", "definition")
    if not isinstance(definition, dict):
        raise _no_definition("The workflow's 'definition' is no object.", at)
    examine(definition)  # what expressions have made of it may nest deeper than the file
    return Source(
        "arm",
        workflow.name or name,
        definition,
        workflow.parameters,
        at,
        _connections(workflow.parameters),
        "logic-apps",
        workflow.problems,
        document,
        enabled=not is_off(workflow.properties.get("state")),
    )


def is_off(state: object) -> bool:
    """Whether a state of a flow's resource keeps it from starting runs.

    Source: Logic Apps REST API, WorkflowState; Power Automate management API, FlowState.
    """
    return isinstance(state, str) and state.lower() in ("disabled", "stopped", "suspended")


def _values(given: Any) -> dict[str, Any]:
    """Parameter values as deployments write them, `{name: {"value": …}}`; entries of another shape give none."""
    if not isinstance(given, dict):
        return {}
    return {name: entry["value"] for name, entry in given.items() if isinstance(entry, dict) and "value" in entry}


def _connections(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Logic Apps Consumption passes its connections as the parameter `$connections`."""
    found = given.get("$connections")
    return found if isinstance(found, dict) else {}
