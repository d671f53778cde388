"""Where an environment's flows may connect to, as it is stored: a JSON object among the environment's settings.

The default applies where an administrator has set none: a worker reaches public addresses only, a command or a program
that runs flows on a developer's machine reaches its own machine as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ....connectors.egress.policy import DEFAULTS, Egress, InvalidEgressRule, Rule, rule

EGRESS: Final = "egress"
"""The name under which it stands among the settings of an environment."""

SERVER_DEFAULT: Final = "public"
LOCAL_DEFAULT: Final = "local"


def egress_of(settings: Mapping[str, Any] | None, environment: str, default: str) -> Egress:
    """The policy out of an environment's settings; `default` is that of the process. Raises InvalidEgressRule."""
    kept = (settings or {}).get(EGRESS) or {}
    return Egress(kept.get("default") or default, tuple(_rules(kept)), environment)


def _rules(kept: Mapping[str, Any]) -> Iterable[Rule]:
    return (rule(each["target"], allow=each["action"] == "allow") for each in kept.get("rules", []))


def changed(
    settings: Mapping[str, Any],
    *,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    remove: Iterable[str] = (),
    default: str | None = None,
) -> dict[str, Any]:
    """The settings of an environment with another policy. A rule replaces the one with the same target. `remove` are
    targets. Raises InvalidEgressRule.
    """
    kept = dict(settings.get(EGRESS) or {})
    rules = {each.target: each for each in _rules(kept)}
    for text in remove:
        target = rule(text, allow=True).target
        if rules.pop(target, None) is None:
            raise InvalidEgressRule(f"There is no egress rule for '{target}'.", hint=_LIST)
    for texts, allows in ((allow, True), (deny, False)):
        for text in texts:
            made = rule(text, allow=allows)
            rules[made.target] = made
    if default is not None and default not in DEFAULTS:
        raise InvalidEgressRule(f"'{default}' is not a default for egress.", hint=f"These are: {', '.join(DEFAULTS)}.")
    policy = {"default": default if default is not None else kept.get("default"), "rules": _kept(rules.values())}
    return {**settings, EGRESS: {name: value for name, value in policy.items() if value}}


def without(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of an environment without its policy."""
    return {name: value for name, value in settings.items() if name != EGRESS}


def told(
    *,
    allow: Iterable[str] = (),
    deny: Iterable[str] = (),
    remove: Iterable[str] = (),
    default: str | None = None,
) -> dict[str, Any]:
    """What goes on record of a change with these arguments of `changed`."""
    change = {"allow": list(allow), "deny": list(deny), "remove": list(remove), "default": default}
    return {EGRESS: {name: value for name, value in change.items() if value}}


def shown(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The policy for programs: `default` (None where the process decides) and `rules`."""
    kept = (settings or {}).get(EGRESS) or {}
    return {"default": kept.get("default"), "rules": _kept(_rules(kept))}


def _kept(rules: Iterable[Rule]) -> list[dict[str, str]]:
    return [{"action": "allow" if each.allow else "deny", "target": each.target} for each in rules]


_LIST: Final = "List the rules with: sealflow env permissions show ENV"
