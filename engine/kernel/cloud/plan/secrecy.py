"""How secrecy spreads through a definition: which actions' inputs and outputs are hidden from the history.

Secrets are what `secureData` names, parameters of a secure type, and what calls authenticate themselves with. Whoever
reads one has hidden inputs; where its outputs are made of its inputs those are hidden too. That is one step, and what
reads that action is shown again. The items of a loop over a secret are the secret itself, not a step away from it. What
a call to the outside answers is hidden only where the definition says so.

Source: Logic Apps, "Secure access and data": a secured output hides the inputs of the actions that use it, no further.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ....cloud import Action, Definition, key_of
from ....cloud import walk as walk_actions
from ....cloud.syntax.script import dependencies
from ....expressions import Access, Call, Literal, find_expressions, walk
from ..actions.inline import TYPES
from . import static_results as static

AUTHENTICATION: Final = "authentication"
REQUESTS: Final = frozenset({"subscribe", "unsubscribe"})
"""The parts of a webhook action's inputs that are requests with an authentication of their own."""

_SECURE_TYPES: Final = frozenset({"securestring", "secureobject"})
_OF_THE_HOST: Final = frozenset({"$connections", "$authentication"})
"""Parameters that the hosts fill in: names of connections, and a token that only `authentication` reads."""
_CREDENTIALS: Final = frozenset({"password", "secret", "pfx", "value"})

_RECORDS: Final = frozenset({"actions", "result"})
_HARMLESS: Final = frozenset({"name", "starttime", "endtime", "trackingid", "clienttrackingid", "status", "code"})
"""Members of a record that tell nothing of its values."""
_OUTPUTS: Final = frozenset(
    {
        "outputs", "body", "actionoutputs", "actionbody", "formdatavalue", "formdatamultivalues", "multipartbody",
    }
)  # fmt: skip
_TRIGGER_READERS: Final = frozenset(
    {
        "trigger", "triggers", "triggerbody", "triggeroutputs", "triggerformdatavalue", "triggerformdatamultivalues",
        "triggermultipartbody",
    }
)  # fmt: skip
_DERIVING: Final = TYPES | {
    "compose", "parsejson", "query", "select", "join", "table", "expression", "response", "setvariable",
    "incrementvariable", "decrementvariable", "switch",
}  # fmt: skip
"""Types whose outputs are made of their inputs."""
_NESTED: Final = frozenset({"actions", "else", "cases", "default"})

Source = tuple[str, str | None]
"""What an action reads: its kind (outputs, record, script, trigger, items, parameter) and name, None for any."""

_ANYTHING: Final[Source] = ("anything", None)


@dataclass(frozen=True, slots=True)
class _Reader:
    """An action: what it reads, and the actions inside of it."""

    action: Action
    sources: frozenset[Source]
    inside: frozenset[str]


class Secrecy:
    """What is hidden of each action, by key: `inputs`, `outputs` or both. `trigger`: what is hidden of the trigger.

    `authenticating` are the actions that have a credential in their inputs.
    """

    def __init__(self, definition: Definition) -> None:
        self.hidden: dict[str, set[str]] = {}
        self.trigger = frozenset().union(*(secured_properties(trigger.raw) for trigger in definition.triggers))
        self._parameters = secure_parameters(definition)
        self.authenticating: set[str] = set()
        # Containers that hide nothing of their own, but have something in them whose record tells a secret.
        self._containers: set[str] = set()
        self._deriving = {
            action.key
            for action in definition.all_actions()
            if action.type in _DERIVING or static.result(definition, action, enabled_only=False) is not None
        }
        for action in definition.all_actions():
            own = secured_properties(action.raw)
            if own:
                self._hide(action, own)
            if _authenticates(action):
                self.authenticating.add(action.key)
        # What is a secret of its own, and not hidden because it reads one; and the loops over secrets.
        self._secret = {key: frozenset(parts) for key, parts in self.hidden.items()}
        self._loops: set[str] = set()
        if self.hidden or self._parameters or self.authenticating or self.trigger:
            readers = [_reader(definition, action, loops) for action, loops in _with_loops(definition)]
            self._containers = {
                reader.action.key for reader in readers if any(self._tells(key) for key in reader.inside)
            }
            # A loop stands before what is inside of it, and its items are read there only.
            for reader in readers:
                self._read(reader.action, reader.sources)

    def is_read_by(self, value: Any) -> bool:
        """Whether an expression in a part of the trigger reads what is secured."""
        return any(map(self._is_secret, _sources(value, ())))

    def _read(self, action: Action, sources: frozenset[Source]) -> None:
        if any(map(self._is_secret, sources)):
            self._hide(action, {"inputs"})
        if action.type == "foreach" and "inputs" in self.hidden.get(action.key, ()):
            self._loops.add(action.key)

    @property
    def any(self) -> bool:
        """Whether a run keeps anything secret."""
        return bool(self.hidden or self.trigger or self._parameters or self.authenticating)

    def _hide(self, action: Action, parts: set[str]) -> None:
        hidden = self.hidden.setdefault(action.key, set())
        hidden |= parts
        if "inputs" in parts and action.key in self._deriving:
            hidden.add("outputs")

    def _is_secret(self, source: Source) -> bool:
        kind, name = source
        if kind == "trigger":
            return "outputs" in self.trigger or (name is not None and bool(self.trigger))
        if kind == "parameter":
            return bool(self._parameters) if name is None else name in self._parameters
        if kind == "items":
            return name is None or name in self._loops
        if name is None:  # a computed name may mean any action, and what cannot be read anything
            return bool(self._secret or self.authenticating or self.trigger)
        if kind == "record":
            return self._tells(name)
        if kind == "script":  # it gets records without what calls authenticate themselves with
            return name in self._secret
        return "outputs" in self._secret.get(name, ()) or name in self._containers

    def _tells(self, key: str) -> bool:
        """Whether the record of an action tells a secret."""
        return key in self._secret or key in self.authenticating or key in self._containers


def secured_properties(raw: Mapping[str, Any]) -> set[str]:
    """What the `secureData` of an action or trigger names: inputs, outputs, both or nothing."""
    runtime = raw.get("runtimeConfiguration")
    secure = runtime.get("secureData") if isinstance(runtime, dict) else None
    given = secure.get("properties") if isinstance(secure, dict) else None
    return {str(name).lower() for name in given} & {"inputs", "outputs"} if isinstance(given, list) else set()


def secure_parameters(definition: Definition) -> frozenset[str]:
    """The keys of the parameters of a secure type, those that the hosts fill in aside."""
    secure = {each.key for each in definition.parameters if each.type in _SECURE_TYPES}
    return frozenset(secure - _OF_THE_HOST)


def _authenticates(action: Action) -> bool:
    """Whether the inputs have a credential in `authentication`: the history leaves it out, a record does not."""
    given = action.inputs if isinstance(action.inputs, dict) else {}
    requests = (given, *(given.get(name) for name in REQUESTS))
    found = [each[AUTHENTICATION] for each in requests if isinstance(each, dict) and AUTHENTICATION in each]
    return any(
        not _CREDENTIALS.isdisjoint(name.lower() for name in each)
        if isinstance(each, dict)
        else isinstance(each, str) and "$authentication" not in each
        for each in found
    )


def _with_loops(definition: Definition) -> Iterator[tuple[Action, tuple[str, ...]]]:
    """Every action with the keys of the Foreach around it, outermost first."""
    waiting: list[tuple[Action, tuple[str, ...]]] = [(action, ()) for action in reversed(definition.actions)]
    while waiting:
        action, loops = waiting.pop()
        yield action, loops
        inner = (*loops, action.key) if action.type == "foreach" else loops
        waiting += [(each, inner) for branch in reversed(action.branches) for each in reversed(branch.actions)]


def _reader(definition: Definition, action: Action, loops: tuple[str, ...]) -> _Reader:
    parts = {name: value for name, value in action.raw.items() if name not in _NESTED}
    parts["inputs"] = _without_authentication(action.inputs)
    parts["static"] = static.result(definition, action, enabled_only=False)
    sources = set(_sources(parts, loops))
    # A parameter in `authentication` is not shown; any other secret there hides the inputs as it does elsewhere.
    if parts["inputs"] != action.inputs:
        sources |= {each for each in _sources(action.inputs, loops) if each[0] != "parameter"}
    if action.type == "javascriptcode":
        reads = dependencies(action.inputs)
        sources |= {("script", key_of(name)) for name in reads.actions}
        if reads.trigger:
            sources.add(("trigger", "record"))
    inside = frozenset(inner.key for branch in action.branches for inner in walk_actions(branch.actions))
    return _Reader(action, frozenset(sources), inside)


def _sources(value: Any, loops: tuple[str, ...]) -> Iterator[Source]:
    for each in find_expressions(value):
        if each.node is None:
            yield _ANYTHING
            continue
        members: dict[int, str] = {}
        for node in walk(each.node):
            if isinstance(node, Access) and isinstance(node.key, Literal):
                members[id(node.target)] = str(node.key.value).lower()
            elif isinstance(node, Call):
                yield from _of_call(node, members.get(id(node)), loops)


def _of_call(call: Call, member: str | None, loops: tuple[str, ...]) -> Iterator[Source]:
    """What a call reads; `member` is what is taken of its value at once, where that is known."""
    given = call.args[0].value if call.args and isinstance(call.args[0], Literal) else None
    name = given.lower() if isinstance(given, str) else None
    action = key_of(name) if name is not None else None
    if call.key in _TRIGGER_READERS:
        yield "trigger", "record" if call.key in ("trigger", "triggers") else None
    elif call.key == "item":
        yield from (("items", loop) for loop in loops[-1:])
    elif call.key == "items":
        yield from [("items", action)] if action is not None else [("items", loop) for loop in loops]
    elif call.key == "parameters":
        yield "parameter", name
    elif (call.key in _OUTPUTS and call.args) or (call.key == "actions" and member == "outputs"):
        yield "outputs", action
    elif call.key in _RECORDS and not (call.key == "actions" and member in _HARMLESS):
        yield "record", action


def _without_authentication(inputs: Any) -> Any:
    """The inputs as the history shows them, as far as `authentication` goes."""
    if not isinstance(inputs, dict):
        return inputs
    return {
        name: _without_authentication(part) if name in REQUESTS else part
        for name, part in inputs.items()
        if name != AUTHENTICATION
    }
