"""What a script of JavaScriptCode reads of its `workflowContext`, found by looking at its text.

Source: Logic Apps, "Add and run code snippets": the host analyses the code for the outputs it refers to, and includes
those named in `explicitDependencies` besides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_ACTION: Final = re.compile(
    r"""\bworkflowContext\s*\??\.\s*actions\s*
        (?: \??\.\s* (?P<plain>[A-Za-z_$][\w$]*) | (?:\?\.)?\[\s* (?P<quote>['"`]) (?P<quoted>.+?) (?P=quote) \s*\] )
        (?: \s*\??\.\s* (?P<member>[A-Za-z_$][\w$]*) )?""",
    re.VERBOSE,
)
_TRIGGER: Final = re.compile(r"""\bworkflowContext\s*(?:\??\.\s*trigger\b|\[\s*['"`]trigger['"`]\s*\])""")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """`actions`: by the name that the script uses, the members of the record that it reads, None for all of them.

    `explicit` are the names that only `explicitDependencies` gives. `trigger`: whether it reads the trigger.
    """

    actions: Mapping[str, frozenset[str] | None]
    explicit: frozenset[str]
    trigger: bool


def dependencies(inputs: Any) -> Dependencies:
    """The dependencies of an action with these inputs, `code` and `explicitDependencies`."""
    given = inputs if isinstance(inputs, dict) else {}
    code = given.get("code")
    text = code if isinstance(code, str) else ""
    found: dict[str, set[str] | None] = {}
    for match in _ACTION.finditer(text):
        name, member = match["plain"] or match["quoted"], match["member"]
        members = found.setdefault(name, set())
        if member is None:
            found[name] = None
        elif members is not None:
            members.add(member)
    named = given.get("explicitDependencies")
    named = named if isinstance(named, dict) else {}
    actions = named.get("actions")
    listed = [each for each in actions if isinstance(each, str)] if isinstance(actions, list) else []
    explicit = frozenset(listed) - found.keys()
    found.update(dict.fromkeys(listed))
    return Dependencies(
        {name: None if members is None else frozenset(members) for name, members in found.items()},
        explicit,
        named.get("includeTrigger") is True or _TRIGGER.search(text) is not None,
    )
