"""The text of a case of the semantics: a definition, what it meets, and the records that must come of it.

A file has many cases. What follows a word is its value: the rest of the line and the indented lines below.

    == name: What it shows, in a sentence.
    rules skip-cascade, leaf-unhandled      the rules of docs/reference/semantics.md that it proves
    dialect power-automate                  logic-apps where nothing is said
    trigger {"type": "Recurrence", …}       a Request where nothing is said
    definition {"parameters": …}            more members of the definition
    actions                                 the members of the definition's `actions`
        "A": {"type": "Compose", "inputs": 1}
    flow child {"triggers": …}              another flow that is deployed with it
    input {"n": 1}                          the trigger's body; headers and parameters likewise
    answers {"Call": [{"statusCode": 429}, {"after": 90, "body": 1}, {"never": true}, {"failure": "ConnectionFailed"}],
        "Hook": {"callback": {"after": 60, "status": 200, "body": 1}}}
    cancel 60                               seconds after the start
    redeploy "A": {…}                       other actions, deployed while the run is under way; then a second run
    expect
        run Failed ActionFailed             status and code of the run; `-> {…}` is its error
        response {"statusCode": 200, …}     what its caller got
        /A Succeeded OK -> 1                path, status, code and outputs of each action, in the order of their starts
        /B Failed BadGateway!NoResponse     `!`: the error's code, where it is not the code
        /C Succeeded OK x3 5~45..60 <- {}   attempts; seconds from start to end (`~`: in between); inputs
        /D Succeeded OK secured inputs      what the history hides
        /E Succeeded OK tracked {"a": 1}    tracked properties
        ends /B /A                          the order of ends, where it is not that of the starts, inner before outer

Other expectations: `no run`, `refused CODE /pointer` (by deploying) and `not started CODE`. A line `each 1..3 TEXT`
stands for three, `<n>`, `<n-1>` and `<n+1>` being the numbers. In outputs, "…" is any value.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "scenarios" / "semantics"

_HEAD: Final = re.compile(r"== ([a-z0-9-]+): (.+)")
_EACH: Final = re.compile(r"each (\d+)\.\.(\d+) (.*)")
_LINE: Final = re.compile(
    r"(?P<path>/\S+(?: \S+)*?) (?P<status>[A-Z]\w+) (?P<code>[^ !]+)(?:!(?P<error>\S+))?(?: x(?P<attempts>\d+))?"
    r"(?: (?P<start>[\d.~]+)\.\.(?P<end>[\d.~]*[\d]))?(?: secured (?P<secured>inputs outputs|inputs|outputs))?"
    r"(?: tracked (?P<tracked>.+?))?(?: <- (?P<inputs>.+?))?(?: -> (?P<outputs>.+))?"
)
_RUN: Final = re.compile(r"run (?P<status>\w+)(?: (?P<code>[^ ]+))?(?: -> (?P<error>.+))?")
_JSON: Final = ("trigger", "definition", "input", "headers", "parameters", "answers")
_WORDS: Final = (*_JSON, "rules", "dialect", "actions", "flow", "cancel", "redeploy", "expect")

Span = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One action as it must be. Times are seconds after the run's start, as (at least, at most)."""

    path: str
    status: str
    code: str | None
    error: str | None
    attempts: int
    start: Span
    end: Span
    secured: list[str]
    outputs: Any
    tracked: Any = None
    inputs: Any = None
    tells_inputs: bool = False


@dataclass
class Expected:
    """One run as it must be."""

    status: str
    code: str | None
    error: Any
    lines: list[Line] = field(default_factory=list)
    response: Any = None
    ends: list[str] | None = None


@dataclass
class Case:
    """One case. `given` has its JSON values; `refusal` is how it ends where there is no run at all."""

    name: str
    title: str
    rules: list[str]
    given: dict[str, Any]
    flows: dict[str, Any]
    runs: list[Expected]
    refusal: str | None
    dialect: str
    cancel: float | None
    later: Any

    @property
    def definition(self) -> dict[str, Any]:
        return self._with(self.given["actions"])

    @property
    def redeployed(self) -> dict[str, Any] | None:
        return self._with(self.later) if self.later is not None else None

    def _with(self, actions: Any) -> dict[str, Any]:
        trigger = self.given.get("trigger", {"type": "Request", "kind": "Http"})
        return {"triggers": {"manual": trigger}, "actions": actions, **self.given.get("definition", {})}


def cases() -> list[Case]:
    """Every case of the suite."""
    return [case for path in sorted(FOLDER.glob("*.txt")) for case in _file(path)]


def _file(path: Path) -> list[Case]:
    found: list[Case] = []
    parts: list[tuple[str, list[str]]] = []
    head: re.Match[str] | None = None
    for line in [*path.read_text("utf-8").splitlines(), "== end: ."]:
        if line.startswith("== "):
            if head is not None:
                found.append(_case(path, head, parts))
            head, parts = _HEAD.fullmatch(line), []
            assert head is not None, f"{path.name}: {line}"
        elif line.startswith(" "):
            parts[-1][1].extend(_repeated(line.strip()))
        elif line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            assert word in _WORDS, f"{path.name}: {line}"
            parts.append((word, [rest] if rest else []))
    return found


def _repeated(line: str) -> list[str]:
    match = _EACH.fullmatch(line)
    if match is None:
        return [line]
    numbers = range(int(match[1]), int(match[2]) + 1)
    return [match[3].replace("<n>", str(n)).replace("<n-1>", str(n - 1)).replace("<n+1>", str(n + 1)) for n in numbers]


def _case(path: Path, head: re.Match[str], parts: list[tuple[str, list[str]]]) -> Case:
    case = Case(head[1], head[2], [], {}, {}, [], None, "logic-apps", None, None)
    for word, lines in parts:
        text = "\n".join(lines)
        try:
            if word in _JSON:
                case.given[word] = json.loads(text)
            elif word == "actions":
                case.given[word] = json.loads("{" + text + "}")
            elif word == "redeploy":
                case.later = json.loads("{" + text + "}")
            elif word == "flow":
                name, _, definition = text.partition(" ")
                case.flows[name] = json.loads(definition)
            elif word == "rules":
                case.rules = text.split(", ")
            elif word == "dialect":
                case.dialect = text
            elif word == "cancel":
                case.cancel = float(text)
            else:
                _expect(case, lines)
        except (ValueError, AssertionError) as error:
            raise AssertionError(f"{path.name}, {case.name}, {word}: {error}") from None
    return case


def _expect(case: Case, lines: list[str]) -> None:
    for line in lines:
        if line == "no run" or line.startswith(("refused ", "not started ")):
            case.refusal = line
        elif line.startswith("run "):
            match = _RUN.fullmatch(line)
            assert match is not None, line
            error = json.loads(match["error"]) if match["error"] else None
            case.runs.append(Expected(match["status"], match["code"], error))
        elif line.startswith("response "):
            case.runs[-1].response = json.loads(line.removeprefix("response "))
        elif line.startswith("ends "):
            case.runs[-1].ends = line.split()[1:]
        else:
            case.runs[-1].lines.append(_line(line))


def _line(text: str) -> Line:
    match = _LINE.fullmatch(text)
    assert match is not None, f"no expectation: {text}"
    code = match["code"] if match["code"] != "-" else None
    plain = match["status"] == "Succeeded" or code is None
    return Line(
        path=match["path"],
        status=match["status"],
        code=code,
        error=match["error"] or (None if plain else code),
        attempts=int(match["attempts"] or 1),
        start=_span(match["start"] or "0"),
        end=_span(match["end"] or match["start"] or "0"),
        secured=(match["secured"] or "").split(),
        outputs=json.loads(match["outputs"]) if match["outputs"] else None,
        tracked=json.loads(match["tracked"]) if match["tracked"] else None,
        inputs=json.loads(match["inputs"]) if match["inputs"] else None,
        tells_inputs=match["inputs"] is not None,
    )


def _span(text: str) -> Span:
    least, _, most = text.partition("~")
    return float(least), float(most or least)
