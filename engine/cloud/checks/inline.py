"""Rules about scripts, maps and schemas: what they name is there, and a map is one that can be run.

Sources: Logic Apps, "Add and run code snippets", "Transform XML", "Convert JSON and XML using Liquid templates".
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

from ..artifacts import Artifacts, Reference, find, reference
from ..catalog import INLINE
from ..literal import is_dynamic, shown
from ..outline import Outline
from ..report.problem import Problems
from ..syntax.definition import Action
from ..syntax.pointer import join
from ..syntax.script import dependencies
from .expressions import Names, check_reference

LIQUID_KINDS: Final = {kind.lower(): kind for kind in ("JsonToJson", "JsonToText", "XmlToJson", "XmlToText")}

_VERSION: Final = re.compile(r"<(?:[\w.-]+:)?(?:stylesheet|transform)\b[^>]*?\bversion\s*=\s*[\"']([^\"']*)[\"']")
_SCRIPT: Final = re.compile(r"<[\w.-]+:script\b[^>]*\bimplements-prefix\b")
_DIRECTORY_TYPES: Final = frozenset({"partner", "agreement"})


def check_inline(outline: Outline, names: Names, artifacts: Artifacts | None, problems: Problems) -> None:
    """All rules of this file. `artifacts` None: it is not known yet which there will be."""
    for place in outline.places:
        action = place.action
        if not place.built or action.type not in INLINE:
            continue
        at = join(action.pointer, "inputs")
        if action.type == "javascriptcode":
            reads = dependencies(action.inputs)
            for name in reads.actions:
                part = "explicitDependencies" if name in reads.explicit else "code"
                check_reference(name, join(at, part), place, names, problems)
            continue
        if action.type == "liquid" and action.kind not in LIQUID_KINDS:
            kinds = ", ".join(LIQUID_KINDS.values())
            problems.error(
                "UnknownActionKind", action.pointer, f"Liquid '{action.name}' needs a kind.", f"Kinds are {kinds}."
            )
        named = reference(action)
        if named is not None:
            _artifact(action, named, artifacts, problems)
        elif isinstance(action.inputs, dict):
            _directory(action, action.inputs.get("artifactType"), problems)


def _artifact(action: Action, named: Reference, artifacts: Artifacts | None, problems: Problems) -> None:
    inputs = join(action.pointer, "inputs")
    kind = named.kind[:-1]
    if named.name is None:
        if not is_dynamic(action.inputs):
            problems.error("InvalidInputs", inputs, f"'{action.name}' does not say which {kind} it uses.")
        return
    if is_dynamic(named.name) or not isinstance(named.name, str) or "@{" in named.name:
        return
    at = join(inputs, *named.path)
    name = named.name
    if artifacts is None:
        used = f"the {kind} '{name}'" if name else f"a {kind} without a name"
        message = f"'{action.name}' uses {used}, which has to be given when the flow is deployed."
        problems.info("ArtifactNeeded", at, message, "Give the folder it is in: --artifacts DIR.")
        return
    found = find(artifacts, named.kind, name)
    if found is None:
        near = get_close_matches(name, artifacts.get(named.kind, {}), n=1)
        hint = f"Did you mean '{near[0]}'?" if near else "Give the folder it is in: --artifacts DIR."
        used = f"uses the {kind} '{name}', which is not there" if name else f"names no {kind}: the name is empty"
        problems.error("ArtifactNotFound", at, f"'{action.name}' {used}.", hint)
    elif action.type == "xslt":
        _map(action, at, artifacts[named.kind][found], problems)


def _map(action: Action, at: str, text: str, problems: Problems) -> None:
    version = _VERSION.search(text)
    if version is not None and version[1].strip() not in ("1.0", "1"):
        problems.error(
            "XsltVersionNotSupported",
            at,
            f"The map of '{action.name}' is written in XSLT {shown(version[1])}; only XSLT 1.0 is run.",
            "Maps of the Data Mapper are XSLT 3.0: write the map as XSLT 1.0, or as Liquid or JavaScript.",
        )
    elif _SCRIPT.search(text):
        problems.error(
            "XsltScriptNotSupported",
            at,
            f"The map of '{action.name}' has code of .NET in it, which is not run.",
            "Write what it does in XSLT.",
        )


def _directory(action: Action, kind: object, problems: Problems) -> None:
    if isinstance(kind, str) and kind.lower() in _DIRECTORY_TYPES:
        problems.error(
            "UnsupportedAction",
            join(action.pointer, "inputs", "artifactType"),
            f"'{action.name}' looks up a {kind}, which only an integration account has; maps and schemas are there.",
            "Make what it is looked up for a parameter of the flow.",
        )
