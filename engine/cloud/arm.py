"""ARM template strings around a definition: `"[concat(parameters('x'), …)]"` becomes its value, `"[[…"` plain text.

A modest part of the template language, enough for definitions: what only a deployment can know (keys, references,
values of parameters without default) is left as it stands, with a problem that says so, and never guessed.
Subscription, resource group and location become placeholders in braces.

Source: Azure Resource Manager, template syntax and template functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import ExpressionError
from ..expressions.parser import parse_expression
from ..expressions.syntax import Access, Literal, Node
from .pointer import join
from .problem import Problem

_MAXIMUM_TEXT = 4 * 1024 * 1024  # a template itself may have 4 MB; more only comes from expressions that multiply it

_CONTEXT: Mapping[str, Any] = {
    "subscription": {
        "id": "/subscriptions/{subscription}",
        "subscriptionid": "{subscription}",
        "tenantid": "{tenant}",
        "displayname": "{subscription}",
    },
    "resourcegroup": {
        "id": "/subscriptions/{subscription}/resourceGroups/{resourceGroup}",
        "name": "{resourceGroup}",
        "location": "{location}",
    },
    "tenant": {"tenantid": "{tenant}", "id": "/tenants/{tenant}"},
}


def is_template_string(text: str) -> bool:
    """Whether ARM would read this string as an expression or as an escaped one."""
    return len(text) > 2 and text[0] == "[" and text[-1] == "]"


def resolve(value: Any, template: Mapping[str, Any], pointer: str, problems: list[Problem]) -> Any:
    """`value` with its template strings resolved, as a new value; `template` gives parameters and variables.

    What cannot be resolved stays, with a warning `ArmUnresolved`. Never raises.
    """
    return _Resolver(template, problems).value(value, pointer)


class _UnresolvedError(Exception):
    """Why a template expression has no value here."""


class _Resolver:
    def __init__(self, template: Mapping[str, Any], problems: list[Problem]) -> None:
        self.template = template
        self.problems = problems
        self.busy: set[tuple[str, str]] = set()
        self.steps = 0

    def value(self, value: Any, pointer: str) -> Any:
        if isinstance(value, str):
            return self.string(value, pointer)
        if isinstance(value, dict):
            return {name: self.value(inner, join(pointer, name)) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, join(pointer, index)) for index, inner in enumerate(value)]
        return value

    def string(self, text: str, pointer: str) -> Any:
        if not is_template_string(text):
            return text
        try:
            return self.text(text)
        except (_UnresolvedError, ExpressionError, RecursionError) as reason:
            self.problems.append(
                Problem(
                    "ArmUnresolved",
                    "warning",
                    pointer,
                    f"This template expression has no value outside a deployment and is left as text: {reason}",
                    "Deploy the template and take the definition from the workflow, or give the parameter a default.",
                )
            )
            return text

    def text(self, text: str) -> Any:
        """The value of a string that `is_template_string`."""
        if text.startswith("[["):
            return text[1:]
        return self.evaluate(parse_expression(text[1:-1]))

    def nested(self, value: Any) -> Any:
        """A default or variable, whose strings may be expressions again; it is unresolved where any part of it is."""
        if isinstance(value, str):
            return self.text(value) if is_template_string(value) else value
        if isinstance(value, dict):
            return {name: self.nested(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.nested(inner) for inner in value]
        return value

    def evaluate(self, node: Node) -> Any:
        self.steps += 1
        if self.steps > 100_000:
            raise _UnresolvedError("the template's expressions are too large.")
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Access):
            return _property(self.evaluate(node.target), self.evaluate(node.key))
        if node.key == "if" and len(node.args) == 3:  # the other branch may have no value
            return self.evaluate(node.args[1] if self.evaluate(node.args[0]) is True else node.args[2])
        if node.key in _CONTEXT and not node.args:
            return _CONTEXT[node.key]
        arguments = [self.evaluate(argument) for argument in node.args]
        if node.key in ("parameters", "variables") and len(arguments) == 1 and isinstance(arguments[0], str):
            return self.named(node.key, arguments[0])
        function = _FUNCTIONS.get(node.key)
        if function is None:
            raise _UnresolvedError(f"{node.name}() is not known before deployment.")
        try:
            return function(*arguments)
        except (TypeError, ValueError, LookupError, AttributeError, StopIteration) as error:
            raise _UnresolvedError(f"{node.name}() cannot be called like this.") from error

    def named(self, kind: str, name: str) -> Any:
        """A template's parameter (its default) or variable, by case-insensitive name."""
        declared = self.template.get(kind)
        declared = declared if isinstance(declared, dict) else {}
        key = next((each for each in declared if each.lower() == name.lower()), None)
        if key is None:
            raise _UnresolvedError(f"the template has no {kind[:-1]} '{name}'.")
        found = declared[key]
        if kind == "parameters":
            if not isinstance(found, dict) or "defaultValue" not in found:
                raise _UnresolvedError(f"parameter '{name}' has no default value.")
            found = found["defaultValue"]
        if (kind, key) in self.busy:
            raise _UnresolvedError(f"{kind[:-1]} '{name}' refers to itself.")
        self.busy.add((kind, key))
        try:
            return self.nested(found)
        finally:
            self.busy.discard((kind, key))


def _property(owner: Any, key: Any) -> Any:
    if isinstance(owner, Mapping) and isinstance(key, str):
        for name, value in owner.items():
            if name.lower() == key.lower():
                return value
    if isinstance(owner, list) and isinstance(key, int) and 0 <= key < len(owner):
        return owner[key]
    raise _UnresolvedError(f"there is no '{key}'.")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if value is None:
        return ""
    return str(value) if isinstance(value, int | float) else json.dumps(value, separators=(",", ":"))


def _concat(*values: Any) -> Any:
    if values and all(isinstance(value, list) for value in values):
        return [item for value in values for item in value]
    texts = [_text(value) for value in values]
    if sum(map(len, texts)) > _MAXIMUM_TEXT:
        raise ValueError("too long")
    return "".join(texts)


def _replace(text: str, old: str, new: str) -> str:
    if not old or len(text) + text.count(old) * len(new) > _MAXIMUM_TEXT:
        raise ValueError("nothing to replace, or too long")
    return text.replace(old, new)


def _format(pattern: str, *values: Any) -> str:
    """`{0}` and `{{`; format specifiers are a deployment's business."""
    result, index = [], 0
    while index < len(pattern):
        character = pattern[index]
        if pattern[index : index + 2] in ("{{", "}}"):
            result.append(character)
            index += 2
        elif character == "{":
            end = pattern.index("}", index)
            result.append(_text(values[int(pattern[index + 1 : end])]))
            index = end + 1
        else:
            result.append(character)
            index += 1
    return "".join(result)


def _resource_id(scope: str) -> Callable[..., str]:
    def build(*parts: str) -> str:
        # Optional subscription and group stand before the type, which is the first part with a slash.
        first = next(index for index, part in enumerate(parts) if "/" in part)
        given = list(parts[:first])
        provider, *kinds = parts[first].split("/")
        names = parts[first + 1 :]
        if len(names) != len(kinds):
            raise ValueError("as many names as types")
        prefix = ""
        if scope != "tenant":
            group = given.pop() if scope == "group" and given else "{resourceGroup}"
            prefix = f"/subscriptions/{given.pop() if given else '{subscription}'}"
            if scope == "group":
                prefix += f"/resourceGroups/{group}"
        tail = "".join(f"/{kind}/{name}" for kind, name in zip(kinds, names, strict=True))
        return f"{prefix}/providers/{provider}{tail}"

    return build


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "concat": _concat,
    "format": _format,
    "string": _text,
    "tolower": lambda text: str.lower(text),
    "toupper": lambda text: str.upper(text),
    "trim": lambda text: str.strip(text),
    "replace": _replace,
    "int": int,
    "bool": lambda value: value if isinstance(value, bool) else {"true": True, "false": False}[value.lower()],
    "json": json.loads,
    "true": lambda: True,
    "false": lambda: False,
    "null": lambda: None,
    "not": lambda value: not value,
    "and": lambda *values: all(values),
    "or": lambda *values: any(values),
    "equals": lambda left, right: left == right and isinstance(left, bool) == isinstance(right, bool),
    "empty": lambda value: value is None or len(value) == 0,
    "length": len,
    "first": lambda value: value[0],
    "last": lambda value: value[-1],
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "createarray": lambda *values: list(values),
    "createobject": lambda *values: dict(zip(values[::2], values[1::2], strict=True)),
    "resourceid": _resource_id("group"),
    "subscriptionresourceid": _resource_id("subscription"),
    "tenantresourceid": _resource_id("tenant"),
}
