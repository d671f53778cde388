"""What a store may serve after an attack: what the honest history serves at that moment, nothing, or a deviation that
`docs/why/threat-model.md` publishes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from attacked_history import History, Refused, Served
from random_attack import CONTROL, ENVIRONMENT, Moment

DOCUMENT: Final = Path(__file__).parents[2] / "docs" / "why" / "threat-model.md"

_CONTROL: Final = ("audit", "settings", "policies", "requests")
_OF_KEYS: Final = ("state", "open", "domain of a new flow")
_LISTS: Final = ("flows", "runs", "connections", "inbox", "sealed inbox", "messages", "operations", "ledger")


def published() -> frozenset[str]:
    """The deviations in the table of the threat model: the first column of its rows."""
    text = DOCUMENT.read_text("utf-8")
    section = text[text.index("## What a database writer can still do") :]
    return frozenset(re.findall(r"^\| `([^`]+)` \|", section.split("\n## ")[0] + section, re.MULTILINE))


def deviations(history: History, moment: int, rows: Moment, got: Served) -> Iterator[tuple[str, str]]:
    """Each deviation from what is served at that moment: its name, and where. A name that begins with `!` is never
    right.
    """
    if isinstance(got.get(("store",)), Refused):
        return
    expected = history.served[moment]
    records = _recorded(history, moment, rows)
    earliest = min(records, default=moment)
    state = got.get(("state",))
    readable = max(at for at in range(moment + 1) if history.served[at].get(("open",)) is True)
    for place in sorted(expected.keys() | got.keys()):
        is_, should = got.get(place), expected.get(place)
        if is_ == should or isinstance(is_, Refused) or (is_ is None and got.get(("open",)) is not True):
            continue
        kind, where = place[0], " ".join(place)
        if kind in _CONTROL:
            same = any(history.served[at].get(place) == is_ for at in records)
            yield ("control store: earlier" if same else f"!{kind}"), where
        elif kind == "state":
            known = [history.served[at].get(place) for at in range(earliest, moment + 1)]
            yield ("control store: earlier" if is_ in known else "!state"), where
        elif kind in _OF_KEYS:
            if isinstance(state, Refused) or state is None or earliest == moment:
                yield f"!{kind}", where
            elif kind == "open" and state[3] is not None:
                yield "!open", where
            elif kind == "domain of a new flow" and is_ != (
                "service" if state[2] is None else f"customer:{state[2][0]}"
            ):
                yield "!domain of a new flow", where
            else:
                yield "control store: earlier", where
        else:
            last = history.served[readable].get(place)  # what was there when it was locked
            if is_ != last:
                yield _of_content(history, moment, rows, place, is_, last), where


def _recorded(history: History, moment: int, rows: Moment) -> list[int]:
    """The moments whose audit this is, by its last act and its head."""
    now = _end_of_audit(rows)
    return [at for at in range(moment + 1) if _end_of_audit(history.moments[at]) == now]


def _end_of_audit(rows: Moment) -> Any:
    audit, heads = rows[CONTROL]["audit"], rows[CONTROL]["operations"]
    (identity,) = [row["environment_id"] for row in rows[CONTROL]["meta"]] or (None,)
    head = [row["record"] for row in heads if row["operation_id"] == identity]
    return head, max(((row["number"], row["record"]) for row in audit), default=None, key=lambda each: each[0])


def _of_content(history: History, moment: int, rows: Moment, place: tuple[str, ...], is_: Any, should: Any) -> str:
    kind = place[0]
    earlier = [history.served[at].get(place) for at in range(moment + 1) if ("open",) in history.served[at]]
    if is_ is None or (kind == "retention" and set(is_) == {None}):
        return f"{kind}: missing"
    if kind == "flow" and any(
        row["flow_id"].hex() == place[1] and row["number"] > is_[1] for row in rows[ENVIRONMENT]["versions"]
    ):
        return "!flow with later versions"
    if is_ in earlier:
        return f"{kind}: earlier"
    if kind in _LISTS and set(is_) <= {each for found in earlier if isinstance(found, tuple) for each in found}:
        return f"{kind}: earlier"
    if kind == "resumed" and should is not None and is_[0] <= should[0] and is_[1] in {e[1] for e in earlier if e}:
        return f"{kind}: earlier"  # an earlier row with later pages: the engine finds the end in them
    if kind == "history" and should is not None and is_ == should[: len(is_)]:
        return f"{kind}: earlier"  # between two moments
    return f"!{kind}"
