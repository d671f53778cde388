"""All problems of a cloud flow's file at once: what `sealflow check` prints, and what a deployment refuses.

Rules stand in `rules_*.py`, one file for each matter; here they are called, and their problems put in document order.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...errors import SealflowError
from ..arm.deployment import is_template_string
from ..outline import Outline
from ..report.problem import Problem, Problems, problem_of
from ..source import Source, read
from ..syntax.definition import Definition
from ..syntax.expression_sites import sites
from ..syntax.parse import parse_leniently
from ..syntax.pointer import join, split, texts
from .calls import check_calls
from .conditions import check_conditions
from .connections import check_connections
from .control import check_control
from .expressions import Names, check_expressions, referenced_actions
from .graph import check_graph
from .inline import check_inline
from .inputs import check_inputs
from .properties import check_properties
from .reachability import check_reach
from .secrets import check_secrets
from .secured import check_secured
from .tracking import check_tracking
from .triggers import check_parameters, check_triggers
from .types import check_types
from .unused import check_unused
from .variables import check_variables, variables_of


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
    check_calls(outline, problems)
    check_control(outline, problems)
    check_conditions(outline, problems)
    check_properties(outline, problems)
    check_variables(outline, problems, variables)
    check_triggers(outline, problems)
    check_parameters(definition, problems)
    check_expressions(found, names, problems)
    check_inline(outline, names, source.artifacts, problems)
    check_reach(outline, problems, found)
    check_secrets(outline, problems)
    check_secured(outline, problems, found)
    check_tracking(outline, found, problems)
    check_connections(outline, source.connections, problems)
    check_unused(outline, problems, variables, found)
    if source.kind != "arm":
        _template_strings(outline, problems)
    if source.kind == "standard":
        _stateless(source.document, problems)
    return _ordered(problems.found, source), definition


def _open(source: Source, definition: Definition) -> bool:
    """Whether parameters may be declared elsewhere: in Logic Apps Standard they are, in parameters.json.

    A bare Logic Apps definition does not say whether it is from Standard.
    """
    return source.kind == "standard" or (source.kind == "definition" and definition.dialect == "logic-apps")


def _stateless(document: Any, problems: Problems) -> None:
    kind = document.get("kind") if isinstance(document, dict) else None
    if isinstance(kind, str) and kind.lower() == "stateless":
        problems.info(
            "StatelessStored",
            "/kind",
            "The flow is Stateless: here its runs are stored, sealed, as those of a Stateful one are.",
            "`sealflow flow retention` says for how long.",
        )


def _template_strings(outline: Outline, problems: Problems) -> None:
    """One warning where a definition was cut out of an ARM template with the template's expressions still in it."""
    found = [
        at
        for text, at in texts(outline.definition.raw, outline.definition.pointer)
        if is_template_string(text) and "(" in text and text[1:2].isalpha() and text[-2] == ")"
    ]
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
    """Without repetitions, in document order; problems at one place stay in the order of the rules.

    Their pointers get the spelling that the file has.
    """
    document = source.document if source.document is not None else source.definition
    ranks: dict[int, dict[str, int]] = {}

    def placed(problem: Problem) -> tuple[tuple[int, ...], Problem]:
        found: list[int] = []
        spelled: list[str] = []
        value = document
        tokens = split(problem.at)
        for token in tokens:
            if isinstance(value, dict):
                rank = ranks.get(id(value))
                if rank is None:
                    rank = ranks[id(value)] = {name: index for index, name in enumerate(value)}
                if token not in rank:  # read in the usual spelling, written in another
                    token = next((name for name in value if name.lower() == token.lower()), token)
                found.append(rank.get(token, -1))
                value = value.get(token)
            elif isinstance(value, list) and token.isdecimal() and int(token) < len(value):
                found.append(int(token))
                value = value[int(token)]
            else:
                break
            spelled.append(token)
        if spelled != tokens[: len(spelled)]:
            problem = replace(problem, at=join("", *spelled, *tokens[len(spelled) :]))
        return tuple(found), problem

    ordered = sorted((placed(problem) for problem in dict.fromkeys(problems)), key=lambda each: each[0])
    return [problem for _, problem in ordered]
