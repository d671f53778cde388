"""Environment variables of a solution, and the parameters through which its flows see them.

A flow has one parameter `Display name (schema_name)` for each variable it uses. Values are text in the package and get
the parameter's type here. Sources: Power Apps, environment variables: types, current and default value; the files that
solutions hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from ..cloud.literal import parameter_option
from ..cloud.report.problem import Problem
from ..cloud.source import Source
from ..cloud.syntax.pointer import join
from .files import PackageFiles, XmlElement
from .packages import Variable, declared_parameters, schema_name

_TYPES: Final[Mapping[str, str]] = {
    "100000000": "String",
    "100000001": "Number",
    "100000002": "Boolean",
    "100000003": "JSON",
    "100000004": "DataSource",
    "100000005": "Secret",
}
_BOOLEANS: Final[Mapping[str, bool]] = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def read_variables(files: PackageFiles) -> tuple[Variable, ...]:
    """The variables of a solution. What is wrong with one is a problem of `files`."""
    found = []
    for path, match in files.matching(r"environmentvariabledefinitions/([^/]+)/environmentvariabledefinition\.xml"):
        root = files.xml(path)
        if root is not None:
            found.append(_variable(files, path, match[1], root))
    return tuple(found)


def _variable(files: PackageFiles, path: str, folder: str, root: XmlElement) -> Variable:
    schema = root.attribute("schemaname") or folder
    shown = root.find("displayname")
    name = (shown.attribute("default") or shown.text) if shown is not None else ""
    code = root.text_of("type")
    kind = _TYPES.get(code, code or "String")
    if kind == "Secret":
        files.problems.append(
            Problem(
                "SecretVariable",
                "warning",
                files.place(path),
                f"The variable '{name or schema}' is a secret of a key vault; its value is not in the package.",
                f"Give it where a flow needs it, e.g. {parameter_option(schema)}",
            )
        )
        return Variable(schema, name or schema, kind, None, True, files.place(path))
    default = root.find("defaultvalue")
    value = _current(files, f"environmentvariabledefinitions/{folder}/environmentvariablevalues.json")
    if value is None and default is not None:
        value = default.text
    return Variable(schema, name or schema, kind, value, False, files.place(path))


def _current(files: PackageFiles, path: str) -> str | None:
    """The value that the exporting environment had, where it was exported with the solution."""
    if path not in files:
        return None
    held = files.json_object(path).get("environmentvariablevalues")
    entry = held.get("environmentvariablevalue") if isinstance(held, dict) else None
    if isinstance(entry, list):
        entry = entry[0] if entry else None
    value = entry.get("value") if isinstance(entry, dict) else None
    return value if isinstance(value, str) else None


def with_variables(source: Source, variables: Iterable[Variable], problems: list[Problem]) -> Source:
    """The source with values for those of its parameters that stand for variables."""
    by_schema = {variable.schema_name.lower(): variable for variable in variables}
    declared = source.definition.get("parameters")
    values = dict(source.parameters)
    for name, kind in declared_parameters(source.definition).values():
        metadata = declared[name].get("metadata") if isinstance(declared, dict) else None
        schema = metadata.get("schemaName") if isinstance(metadata, dict) else None
        schema = schema if isinstance(schema, str) else schema_name(name)
        variable = by_schema.get(schema.lower())
        if not schema:
            continue
        at = f"{source.file}#{join(source.pointer, 'parameters', name)}"
        if variable is None:
            if "defaultValue" not in declared[name]:  # type: ignore[index]
                problems.append(
                    Problem(
                        "VariableNotInPackage",
                        "info",
                        at,
                        f"The environment variable '{schema}' is not in the package, and there is no default.",
                        f"Give it a value, e.g. {parameter_option(schema, kind)}",
                    )
                )
            continue
        if variable.value is None:
            continue
        try:
            values[name] = typed(variable.value, kind)
        except ValueError:
            problems.append(
                Problem(
                    "InvalidVariableValue",
                    "warning",
                    variable.at,
                    f"The value of '{variable.schema_name}' is no {kind}, as the parameter at {at} wants it.",
                    f"Give it another, e.g. {parameter_option(variable.schema_name, kind)}",
                )
            )
    return replace(source, parameters=values)


def typed(text: str, kind: str) -> Any:
    """A variable's text as a value of a parameter's type (lower-case). Raises ValueError."""
    match kind:
        case "int":
            return int(text.strip())
        case "float":
            number = float(text)
            if number - number != 0:
                raise ValueError("not finite")
            return number
        case "bool":
            found = _BOOLEANS.get(text.strip().lower())
            if found is None:
                raise ValueError("no boolean")
            return found
        case "array" | "object" | "secureobject":
            value = json.loads(text)
            if not isinstance(value, list if kind == "array" else dict):
                raise ValueError("another type")
            return value
    return text
