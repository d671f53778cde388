"""All problems of a cloud flow's file at once: what `sealflow check` prints, and what a deployment refuses.

Rules stand in `rules_*.py`, one file for each matter; here they are called, and their problems put in document order.
"""

from __future__ import annotations

from typing import Any

from ..errors import SealflowError
from .arm import is_template_string
from .definition import Definition
from .outline import Outline
from .parse import parse_leniently
from .pointer import split
from .problem import Problem, Problems, problem_of
from .rules_conditions import check_conditions
from .rules_control import check_control
from .rules_expressions import Names, check_expressions, referenced_actions
from .rules_graph import check_graph
from .rules_inputs import check_inputs
from .rules_properties import check_properties
from .rules_secrets import check_secrets
from .rules_triggers import check_parameters, check_triggers
from .rules_types import check_types
from .rules_variables import check_variables, variables_of
from .sites import sites
from .source import Source, read


def check(source: Source) -> list[Problem]:
    """Every problem of a file, in document order; without one of severity `error` the flow can run. Never raises."""
    return _examine(source)[0]


def report(text: str | bytes, file: str) -> dict[str, Any]:
    """What `sealflow check --json` prints for a file: `file`, `ok`, `kind`, `actions`, `problems`. Never raises."""
    kind, actions = "unknown", 0
    try:
        source = read(text)
    except SealflowError as error:
        problems = [problem_of(error)]
    else:
        problems, definition = _examine(source)
        kind = f"cloud/{definition.dialect if source.kind == 'definition' else source.kind}"
        actions = sum(1 for _ in definition.all_actions())
    return {
        "file": file,
        "ok": not any(problem.severity == "error" for problem in problems),
        "kind": kind,
        "actions": actions,
        "problems": [problem.to_json() for problem in problems],
    }


def _examine(source: Source) -> tuple[list[Problem], Definition]:
    parsed = parse_leniently(source.definition, dialect=source.dialect, pointer=source.pointer)
    definition = parsed.definition
    problems = Problems()
    problems.found += source.problems
    problems.found += [problem_of(fault) for fault in parsed.faults]
    outline = Outline(definition)
    variables = variables_of(outline)
    found = list(sites(outline))
    names = Names(outline, variables, frozenset(name.lower() for name in source.parameters), _open(source, definition))
    check_types(outline, problems)
    check_graph(outline, problems, referenced_actions(found))
    check_inputs(outline, problems)
    check_control(outline, problems)
    check_conditions(outline, problems)
    check_properties(outline, problems)
    check_variables(outline, problems, variables)
    check_triggers(outline, problems)
    check_parameters(definition, problems)
    check_expressions(found, names, problems)
    check_secrets(outline, problems)
    if source.kind != "arm":
        _template_strings(outline, problems)
    return _ordered(problems.found, source), definition


def _open(source: Source, definition: Definition) -> bool:
    """Whether parameters may be declared elsewhere: in Logic Apps Standard they are, in parameters.json.

    A bare Logic Apps definition does not say whether it is from Standard.
    """
    return source.kind == "standard" or (source.kind == "definition" and definition.dialect == "logic-apps")


def _template_strings(outline: Outline, problems: Problems) -> None:
    """One warning where a definition was cut out of an ARM template with the template's expressions still in it."""
    found = []
    waiting: list[tuple[Any, str]] = [(outline.definition.raw, outline.definition.pointer)]
    while waiting:
        value, at = waiting.pop()
        if isinstance(value, str):
            if is_template_string(value) and "(" in value and value[1:2].isalpha() and value[-2] == ")":
                found.append(at)
        elif isinstance(value, dict):
            waiting += [(inner, f"{at}/{name.replace('~', '~0').replace('/', '~1')}") for name, inner in value.items()]
        elif isinstance(value, list):
            waiting += [(inner, f"{at}/{index}") for index, inner in enumerate(value)]
    if found:
        first = min(found)
        problems.warning(
            "ArmExpression",
            first,
            "This text is an expression of an ARM template and stays plain text here"
            + (f", as do {len(found) - 1} others." if len(found) > 1 else "."),
            "Give the whole template, or the definition of the deployed workflow.",
        )


def _ordered(problems: list[Problem], source: Source) -> list[Problem]:
    """Without repetitions, in document order; problems at one place stay in the order of the rules."""
    document = source.document if source.document is not None else source.definition
    ranks: dict[int, dict[str, int]] = {}

    def position(problem: Problem) -> tuple[int, ...]:
        found: list[int] = []
        value = document
        for token in split(problem.at):
            if isinstance(value, dict):
                rank = ranks.get(id(value))
                if rank is None:
                    rank = ranks[id(value)] = {name: index for index, name in enumerate(value)}
                found.append(rank.get(token, -1))
                value = value.get(token)
            elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
                found.append(int(token))
                value = value[int(token)]
            else:
                break
        return tuple(found)

    return sorted(dict.fromkeys(problems), key=position)
