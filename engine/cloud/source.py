"""The files a cloud flow comes in: where its definition stands, and what stands around it.

Known are a bare definition, `{"definition": …}`, Power Automate's exports (`properties.definition`), a Logic Apps
Standard `workflow.json` and an ARM template with a workflow in it. The definition itself is for `parse` and `check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import DefinitionError
from .arm import resolve
from .definition import Dialect, JsonObject
from .pointer import join
from .problem import Problem
from .text import examine, read_json

Kind = Literal["definition", "power-automate", "standard", "arm"]

WORKFLOW_RESOURCE = "microsoft.logic/workflows"


@dataclass(frozen=True, slots=True)
class Source:
    """A file that holds a cloud flow.

    `definition` is its JSON as it will be parsed (ARM strings resolved), `pointer` its place in the file,
    `parameters` the values the file gives to workflow parameters, `connections` the connection references by name.
    `dialect` is "auto" where the file does not say. `problems` were met while reading. `document` is the whole file.
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
    logic = isinstance(resource, str) and resource.lower() == WORKFLOW_RESOURCE
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
    )


def _arm(document: JsonObject, name: str) -> Source:
    found = list(_workflows(document, "", 0))
    if not found:
        raise _no_definition("The template holds no resource of type Microsoft.Logic/workflows.", "/resources")
    pointer, resource, template = found[0]
    properties = resource.get("properties")
    at = join(pointer, "properties")
    if not isinstance(properties, dict):
        raise _no_definition("The workflow resource has no 'properties'.", pointer)
    problems: list[Problem] = []
    if len(found) > 1:
        more = ", ".join(where for where, _, _ in found[1:4])
        problems.append(
            Problem(
                "SeveralWorkflows",
                "warning",
                pointer,
                f"The template holds {len(found)} workflows; the first is used, not {more}.",
            )
        )
    definition = resolve(properties.get("definition"), template, join(at, "definition"), problems)
    if not isinstance(definition, dict):
        raise _no_definition("The workflow's 'definition' is no object.", join(at, "definition"))
    unheard: list[
        Problem
    ] = []  # names and connection ids are not needed to run: what is unresolved there is no problem
    given = _values(resolve(properties.get("parameters"), template, join(at, "parameters"), unheard))
    shown = resolve(resource.get("name"), template, join(pointer, "name"), unheard)
    return Source(
        "arm",
        shown if isinstance(shown, str) and shown and not shown.startswith("[") else name,
        definition,
        given,
        join(at, "definition"),
        _connections(given),
        "logic-apps",
        tuple(problems),
        document,
    )


def _workflows(template: JsonObject, pointer: str, depth: int) -> Iterator[tuple[str, JsonObject, JsonObject]]:
    """Workflow resources with the template they stand in: nested deployments have parameters of their own."""
    resources = template.get("resources")
    listed: Iterable[tuple[str | int, Any]] = ()
    if isinstance(resources, list):
        listed = enumerate(resources)
    elif isinstance(resources, dict):  # templates of language version 2.0 name their resources
        listed = resources.items()
    for key, resource in listed:
        if not isinstance(resource, dict):
            continue
        at = join(pointer, "resources", key)
        kind = resource.get("type")
        if not isinstance(kind, str):
            continue
        if kind.lower() == WORKFLOW_RESOURCE:
            yield at, resource, template
        properties = resource.get("properties")
        inner = properties.get("template") if isinstance(properties, dict) else None
        if kind.lower() == "microsoft.resources/deployments" and isinstance(inner, dict) and depth < 8:
            yield from _workflows(inner, join(at, "properties", "template"), depth + 1)


def _values(given: Any) -> dict[str, Any]:
    """Parameter values as deployments write them, `{name: {"value": …}}`; entries of another shape give none."""
    if not isinstance(given, dict):
        return {}
    return {name: entry["value"] for name, entry in given.items() if isinstance(entry, dict) and "value" in entry}


def _connections(given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Logic Apps Consumption passes its connections as the parameter `$connections`."""
    found = given.get("$connections")
    return found if isinstance(found, dict) else {}
