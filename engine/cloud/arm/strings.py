"""ARM template strings: `"[concat(parameters('x'), …)]"` becomes its value, `"[[…"` plain text.

Here is the evaluation: parameters, variables, copy loops, what a deployment gives. The functions are in
`arm_functions` and `arm_names`, the resources of a template in `arm_template`. What only a deployment can know (keys,
references, parameters without a value) is left as it stands, with a problem that says so, and never guessed.

Source: Azure Resource Manager, template syntax, template functions, property and variable iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...errors import ExpressionError
from ...expressions.parser import parse_expression
from ...expressions.syntax import Access, Call, Literal, Node
from ...values import HIGHEST_INTEGER, LOWEST_INTEGER
from ..report.problem import Problem
from ..syntax.pointer import join
from .deployment import Deployment, is_template_string
from .functions import FUNCTIONS, CannotEvaluateError, to_text

MAXIMUM_STEPS: Final = 500_000
"""Values that the expressions of one template may go through, so that none can multiply itself without end."""

MAXIMUM_TEXT: Final = 16 * 1024 * 1024
"""Characters that all of them may take and produce together."""

MAXIMUM_COPIES: Final = 800
"""Iterations of one copy loop. Source: Azure Resource Manager limits."""

HINT: Final = (
    "Give the template's parameters values (`flow import --parameter NAME=JSON`), or take the definition from the "
    "deployed workflow."
)

_HASHES: Final = frozenset({"uniquestring", "guid"})


@dataclass(frozen=True, slots=True)
class _Known:
    """What a parameter or variable was found to be, what it took of the bounds, what went into its hashes."""

    value: Any
    steps: int
    produced: int
    placeholders: frozenset[str]


class Resolver:
    """The expressions of one template.

    `given` are values of its parameters by lower-case name. `placeholders` grows with the placeholders that stand in
    resolved values, or that went into a hash.
    """

    def __init__(self, template: Mapping[str, Any], deployment: Deployment, given: Mapping[str, Any]) -> None:
        self.template = template
        self.deployment = deployment
        self.given = given
        self.placeholders: set[str] = set()
        self.loops: list[tuple[str, int]] = []
        self._busy: set[tuple[str, str]] = set()
        self._known: dict[tuple[str, str], _Known] = {}
        self._steps = 0
        self._produced = 0
        self._context = _context(deployment)

    # ---- as much as can be resolved, with problems

    def value(self, value: Any, pointer: str, problems: list[Problem]) -> Any:
        """`value` with its template strings resolved, as a new value.

        What cannot be resolved stays, with a warning `ArmUnresolved`. Never raises, except RecursionError for a value
        that nests deeper than files may.
        """
        if isinstance(value, str):
            return self._attempt(value, pointer, problems, self.text)
        if isinstance(value, list):
            return [self.value(inner, join(pointer, index), problems) for index, inner in enumerate(value)]
        if not isinstance(value, dict):
            return value
        result: dict[str, Any] = {}
        for name, inner in value.items():
            at = join(pointer, name)
            if name == "copy" and is_copy(inner):
                expanded = self._attempt(inner, at, problems, self._copied)
                result.update(expanded if isinstance(expanded, dict) else {name: inner})
                continue
            if is_template_string(name):
                key = self._attempt(name, at, problems, self._name)
                name = key if isinstance(key, str) else name
            result[name] = self.value(inner, at, problems)
        return result

    def _attempt(self, original: Any, pointer: str, problems: list[Problem], work: Callable[[Any], Any]) -> Any:
        if isinstance(original, str) and not is_template_string(original):
            return original
        try:
            found = work(original)
        except (CannotEvaluateError, ExpressionError, RecursionError) as reason:
            message = "it nests too deep." if isinstance(reason, RecursionError) else str(reason)
            problems.append(
                Problem(
                    "ArmUnresolved",
                    "warning",
                    pointer,
                    f"This template expression has no value outside a deployment and is left as text: {message}",
                    HINT,
                )
            )
            return original
        self._note_placeholders(found)
        return found

    # ---- exactly, or CannotEvaluateError

    def strict(self, value: Any) -> Any:
        """`value` with every string in it resolved. Raises CannotEvaluateError, ExpressionError."""
        self._count(value)
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.strict(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        result: dict[str, Any] = {}
        for name, inner in value.items():
            if name == "copy" and is_copy(inner):
                result.update(self._copied(inner))
            else:
                result[self._name(name)] = self.strict(inner)
        return result

    def text(self, text: str) -> Any:
        """The value of a string: of its expression, where it is one. Raises CannotEvaluateError, ExpressionError."""
        if not is_template_string(text):
            return text
        if text.startswith("[["):
            return text[1:]
        return self._evaluate(parse_expression(text[1:-1]))

    def _name(self, name: str) -> str:
        """The name of a property, which may be an expression too."""
        return to_text(self.text(name)) if is_template_string(name) else name

    def _evaluate(self, node: Node) -> Any:
        self._count()
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Access):
            return _property(self._evaluate(node.target), self._evaluate(node.key))
        if node.key == "if" and len(node.args) == 3:  # the other branch may have no value
            return self._evaluate(node.args[1] if self._condition(node.args[0]) else node.args[2])
        if node.key in ("and", "or") and node.args:
            return self._junction(node)
        arguments = [self._evaluate(argument) for argument in node.args]
        if node.key in self._context and not arguments:
            return self._context[node.key]
        if node.key == "copyindex":
            return self._copy_index(arguments)
        if node.key in ("parameters", "variables") and len(arguments) == 1 and isinstance(arguments[0], str):
            return self._named(node.key, arguments[0])
        return self._call(node, arguments)

    def _call(self, node: Call, arguments: list[Any]) -> Any:
        function = FUNCTIONS.get(node.key)
        if function is None:
            raise CannotEvaluateError(f"{node.name}() is not known before deployment.")
        if node.key in _HASHES:
            self._note_placeholders(arguments)
        try:
            found = function(self.deployment, *arguments)
        except CannotEvaluateError as error:
            raise CannotEvaluateError(f"{node.name}(): {error}") from None
        except (TypeError, ValueError, LookupError, AttributeError, StopIteration, ArithmeticError) as error:
            raise CannotEvaluateError(f"{node.name}() cannot be called like this.") from error
        if isinstance(found, int) and not LOWEST_INTEGER <= found <= HIGHEST_INTEGER:
            raise CannotEvaluateError(f"{node.name}(): the number is too large.")
        for each in (found, *arguments):
            self._count(each)
        if isinstance(found, list | dict):
            self._steps += len(found)
        return found

    def _condition(self, node: Node) -> bool:
        found = self._evaluate(node)
        if not isinstance(found, bool):
            raise CannotEvaluateError("a condition is no boolean.")
        return found

    def _junction(self, node: Call) -> bool:
        """`and` and `or` stop where the result is known: what is behind may have no value."""
        stop = node.key == "or"
        return stop if any(self._condition(argument) is stop for argument in node.args) else not stop

    def _count(self, value: Any = None) -> None:
        self._spend(1, len(value) if isinstance(value, str) else 0)

    def _spend(self, steps: int, produced: int) -> None:
        self._steps += steps
        self._produced += produced
        if self._steps > MAXIMUM_STEPS or self._produced > MAXIMUM_TEXT:
            raise CannotEvaluateError("the template's expressions are too large.")

    def _named(self, kind: str, name: str) -> Any:
        """A parameter (the given value, else its default) or a variable, by case-insensitive name."""
        declared = self.template.get(kind)
        declared = declared if isinstance(declared, dict) else {}
        if kind == "variables":
            declared = {**declared, **_variable_loops(declared)}
        key = next((each for each in declared if each.lower() == name.lower()), None)
        if key is None:
            raise CannotEvaluateError(f"the template has no {kind[:-1]} '{name}'.")
        found = declared[key]
        if kind == "parameters":
            if name.lower() in self.given:
                self._weigh(self.given[name.lower()])
                return self.given[name.lower()]
            if not isinstance(found, dict) or "defaultValue" not in found:
                raise CannotEvaluateError(f"parameter '{name}' has no default value, and none was given.")
            found = found["defaultValue"]
        known = self._known.get((kind, key))
        if known is not None:
            # It costs what it did the first time: a value that holds another twice is twice as large.
            self._spend(known.steps, known.produced)
            self.placeholders |= known.placeholders
            return known.value
        if (kind, key) in self._busy:
            raise CannotEvaluateError(f"{kind[:-1]} '{name}' refers to itself.")
        self._busy.add((kind, key))
        outer, self.loops = self.loops, []
        before = self._steps, self._produced
        noted, self.placeholders = self.placeholders, set()
        try:
            if isinstance(found, _Loop):
                value = self._iterated(found.name, found.count, found.input)
            else:
                value = self.strict(found)
            spent = self._steps - before[0], self._produced - before[1]
            self._known[kind, key] = _Known(value, *spent, frozenset(self.placeholders))
            return value
        finally:
            self.placeholders |= noted
            self.loops = outer
            self._busy.discard((kind, key))

    def _weigh(self, value: Any) -> None:
        waiting = [value]
        while waiting:
            each = waiting.pop()
            self._count(each)
            if isinstance(each, dict | list):
                waiting.extend(each.values() if isinstance(each, dict) else each)

    # ---- copy loops

    def _copied(self, loops: list[dict[str, Any]]) -> dict[str, Any]:
        """The properties that a `copy` array stands for."""
        return {str(loop["name"]): self._iterated(str(loop["name"]), loop["count"], loop["input"]) for loop in loops}

    def _iterated(self, name: str, count: Any, body: Any) -> list[Any]:
        return [self.strict(body) for _ in self.iterations(name, count)]

    def iterations(self, name: str, count: Any) -> Iterable[int]:
        """The indexes of a copy loop; while one is handed out, copyIndex() knows it. Raises CannotEvaluateError."""
        count = self.strict(count)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAXIMUM_COPIES:
            raise CannotEvaluateError(f"the count of copy loop '{name}' is no integer from 0 to {MAXIMUM_COPIES}.")
        for index in range(count):
            self.loops.append((name.lower(), index))
            try:
                yield index
            finally:
                self.loops.pop()

    def _copy_index(self, arguments: list[Any]) -> int:
        """`copyIndex()`, `copyIndex(offset)`, `copyIndex(name)`, `copyIndex(name, offset)`."""
        name = arguments.pop(0).lower() if arguments and isinstance(arguments[0], str) else None
        offset = arguments.pop(0) if arguments else 0
        if arguments or not isinstance(offset, int) or isinstance(offset, bool):
            raise CannotEvaluateError("copyIndex() takes a loop's name and an offset.")
        for loop, index in reversed(self.loops):
            if name is None or name == loop:
                return index + offset
        raise CannotEvaluateError("copyIndex() stands outside of its copy loop.")

    def _note_placeholders(self, value: Any) -> None:
        open_parts = self.deployment.placeholders()
        if not open_parts or len(self.placeholders) == len(open_parts):
            return
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, str):
                self.placeholders.update(part for part in open_parts if part in each)
            elif isinstance(each, dict | list):
                waiting.extend(each.values() if isinstance(each, dict) else each)


@dataclass(frozen=True, slots=True)
class _Loop:
    """A variable that is the result of a copy loop."""

    name: str
    count: Any
    input: Any


def is_copy(value: Any) -> bool:
    """Whether this is the array of a property or variable iteration: each item has a name, a count and an input."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(loop, dict) and {"name", "count", "input"} <= loop.keys() for loop in value)
    )


def _variable_loops(declared: Mapping[str, Any]) -> dict[str, _Loop]:
    loops = declared.get("copy")
    if not is_copy(loops):
        return {}
    return {str(loop["name"]): _Loop(str(loop["name"]), loop["count"], loop["input"]) for loop in loops or []}


def _context(deployment: Deployment) -> Mapping[str, Any]:
    subscription = f"/subscriptions/{deployment.subscription}"
    return {
        "subscription": {
            "id": subscription,
            "subscriptionId": deployment.subscription,
            "tenantId": deployment.tenant,
            "displayName": deployment.subscription,
        },
        "resourcegroup": {
            "id": f"{subscription}/resourceGroups/{deployment.resource_group}",
            "name": deployment.resource_group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": deployment.location,
            "tags": {},
        },
        "tenant": {"tenantId": deployment.tenant, "id": f"/tenants/{deployment.tenant}"},
        "deployment": {"name": deployment.name, "location": deployment.location},
        "environment": {  # the public cloud's
            "name": "AzureCloud",
            "resourceManager": "https://management.azure.com/",
            "portal": "https://portal.azure.com",
            "suffixes": {"keyvaultDns": ".vault.azure.net", "storage": "core.windows.net"},
            "authentication": {
                "loginEndpoint": "https://login.microsoftonline.com/",
                "audiences": ["https://management.core.windows.net/", "https://management.azure.com/"],
                "tenant": "common",
                "identityProvider": "AAD",
            },
        },
    }


def _property(owner: Any, key: Any) -> Any:
    if isinstance(owner, Mapping) and isinstance(key, str):
        for name, value in owner.items():
            if name.lower() == key.lower():
                return value
    if isinstance(owner, list) and isinstance(key, int) and not isinstance(key, bool) and 0 <= key < len(owner):
        return owner[key]
    raise CannotEvaluateError(f"there is no '{key}'.")
