"""The page `docs/reference/expressions.md`, made from the function table.

    python tests/support/expression_reference.py     writes the page anew

What stands above the list of functions and below it is written by hand, in the page itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path

from sealflow.engine.expressions import CONTEXT_FUNCTIONS, FUNCTIONS, Function

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "expressions.md"
BEGIN = "<!-- functions: made by tests/support/expression_reference.py -->"
END = "<!-- end of functions -->"

# By the file that a function is implemented in.
FAMILIES = {
    "scope": "References",
    "logic": "Logic",
    "strings": "Text",
    "collections": "Collections",
    "manipulation": "Objects",
    "math": "Numbers",
    "numbers_format": "Numbers and texts",
    "dates": "Time",
    "conversion": "Conversion",
    "uri": "Addresses and data URIs",
    "xml": "XML",
    "chance": "Random values",
}
# What the arguments of functions that a scope provides are called.
CONTEXT_ARGUMENTS = {
    "variables": "name",
    "parameters": "name",
    "agentParameters": "name",
    "appsetting": "name",
    "items": "loop",
    "iterationIndexes": "loop",
    "result": "scope",
    "formDataValue": "action, key",
    "formDataMultiValues": "action, key",
    "multipartBody": "action, index",
    "triggerFormDataValue": "key",
    "triggerFormDataMultiValues": "key",
    "triggerMultipartBody": "index",
}


def functions() -> Iterator[Function]:
    """All functions of the language."""
    yield from CONTEXT_FUNCTIONS.values()
    yield from FUNCTIONS.values()


def family(function: Function) -> str:
    """The heading that a function stands under."""
    module = function.implementation.__module__.rpartition(".")[2]
    return FAMILIES["scope" if function.name.lower() in CONTEXT_FUNCTIONS else module]


def signature(function: Function) -> str:
    """A function with its arguments; those that may be left out have a question mark."""
    return f"{function.name}({', '.join(_arguments(function))})"


def _arguments(function: Function) -> Iterable[str]:
    if function.name.lower() in CONTEXT_FUNCTIONS:
        return [CONTEXT_ARGUMENTS.get(function.name, "action")] if function.maximum else []
    parameters = list(inspect.signature(function.implementation).parameters.values())
    if function.clock or function.random:
        parameters = parameters[1:]
    names = [_spoken(parameter.name) for parameter in parameters]
    if function.maximum is None:
        return [*(f"{names[-1].removesuffix('s')}{n}" for n in range(1, max(function.minimum, 1) + 1)), "..."]
    if parameters and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL:
        names[-1] = {"substring": "length", "slice": "end"}[function.name]
    return [name if n < function.minimum else f"{name}?" for n, name in enumerate(names)]


def _spoken(name: str) -> str:
    first, *others = name.strip("_").split("_")
    return first + "".join(other.capitalize() for other in others)


def listing() -> str:
    """The list of functions, by family."""
    lines: list[str] = []
    for heading in FAMILIES.values():
        members = sorted((each for each in functions() if family(each) == heading), key=lambda each: each.name.lower())
        lines += ["", f"### {heading}", "", "| function | rule |", "|---|---|"]
        lines += [f"| `{signature(each)}` | {_cell(each)} |" for each in members]
    return "\n".join(lines).strip()


def _cell(function: Function) -> str:
    note = "" if function.source.startswith("Logic Apps") else f" ({function.source})"
    text = function.rule.rstrip(".") + note + "."
    return text.replace("``", "`").replace("|", "\\|")


def page(text: str) -> str:
    """The page with its list of functions made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{listing()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
