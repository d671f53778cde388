"""Rules about what is declared and never used: variables and parameters. Notes only."""

from __future__ import annotations

from ...expressions.syntax import Call, Literal, walk
from ..catalog import VARIABLES
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.expression_sites import Site
from ..syntax.pointer import join
from .variables import Variable

_FUNCTIONS = frozenset({"variables", "parameters"})


def check_unused(outline: Outline, problems: Problems, variables: dict[str, Variable], all_sites: list[Site]) -> None:
    """All rules of this file."""
    named, computed = _named(all_sites)
    for place in outline.places:
        inputs = place.action.inputs
        if place.action.type in VARIABLES and isinstance(inputs, dict) and isinstance(inputs.get("name"), str):
            named["variables"].add(inputs["name"].lower())
        if not place.built:
            computed.update(_FUNCTIONS)  # what it names is not looked at
    if "variables" not in computed:
        for key, variable in variables.items():
            if key not in named["variables"]:
                at = join(variable.pointer, "name")
                problems.info("UnusedVariable", at, f"The variable '{variable.name}' is never used.")
    if "parameters" not in computed:
        for parameter in outline.definition.parameters:
            # Those with a dollar are the host's own.
            if parameter.key not in named["parameters"] and not parameter.name.startswith("$"):
                problems.info("UnusedParameter", parameter.pointer, f"The parameter '{parameter.name}' is never used.")


def _named(all_sites: list[Site]) -> tuple[dict[str, set[str]], set[str]]:
    """The names that expressions give to each of `_FUNCTIONS`, and the functions whose name is computed somewhere."""
    named: dict[str, set[str]] = {name: set() for name in _FUNCTIONS}
    computed: set[str] = set()
    for site in all_sites:
        if site.found.node is None:  # it cannot be read, so what it names is not known
            computed.update(_FUNCTIONS)
            continue
        for node in walk(site.found.node):
            if isinstance(node, Call) and node.key in _FUNCTIONS:
                name = node.args[0] if node.args else None
                if isinstance(name, Literal) and isinstance(name.value, str):
                    named[node.key].add(name.value.lower())
                else:
                    computed.add(node.key)
    return named, computed
