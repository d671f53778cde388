"""Progress lines: what each change of an action prints, driven by the real kernel."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from kernel_driver import SECOND, START, Answer, Driver, compose, fail, failing, ok
from sealflow.engine.hosts.cli.output import display
from sealflow.engine.hosts.cli.output.progress import Line, Progress, clock_text, duration_text
from sealflow.engine.kernel import Entry, History, State

S = ["Succeeded"]


class Watched(Driver):
    """A run whose progress is written down, line by line; `current` after each change too."""

    def __init__(self, actions: dict[str, Any], *, real: bool = True, full: bool = False, **more: Any) -> None:
        super().__init__(actions, **more)
        self.progress = Progress(now=(lambda: self.now) if real else None, full=full)
        self.lines: list[Line] = []
        self.seen: list[list[str]] = []
        self.history = History(self.plan, self._changed)
        self.state = State(self.plan, self.history)

    def _changed(self, entry: Entry) -> None:
        self.lines += self.progress.take(entry)
        self.seen.append([str(line) for line in self.progress.current()])

    @property
    def text(self) -> list[str]:
        return [str(line) for line in self.lines]


def watched(actions: dict[str, Any], answer: Callable[[Any, int], Answer] | None = None, **more: Any) -> list[str]:
    run = Watched(actions, answer=answer, **more)
    run.run()
    assert run.progress.current() == []
    return run.text


def http(*after: str, **inputs: Any) -> dict[str, Any]:
    action = {"type": "Http", "inputs": {"method": "GET", "uri": "http://x.test/", **inputs}}
    return {**action, "runAfter": dict.fromkeys(after, S)}


def wait(seconds: int, *after: str) -> dict[str, Any]:
    inputs = {"interval": {"count": seconds, "unit": "Second"}}
    return {"type": "Wait", "inputs": inputs, "runAfter": dict.fromkeys(after, S)}


def test_one_line_an_action() -> None:
    assert watched({"A": compose(1), "B": http("A")}) == ["✓ A", "✓ B 1 s"]


def test_a_failure_says_code_and_message_and_what_is_skipped_says_why() -> None:
    lines = watched({"A": fail(), "B": compose(1, "A"), "C": compose(1, "A", on=["Failed"])})
    assert lines[0].startswith("✗ A failed: InvalidTemplate: ")
    assert lines[1:] == ["- B skipped (what it runs after ended otherwise)", "✓ C"]


def test_messages_are_cut_unless_full() -> None:
    message = {"status": 2, "error": {"code": "Bad", "message": "m" * 500}}

    def answer(command: Any, number: int) -> Answer:
        return 2, "Bad", None, dict(message["error"])  # type: ignore[call-overload]

    (cut,) = watched({"A": http()}, answer)
    (full,) = watched({"A": http()}, answer, full=True)
    assert len(cut) < 230
    assert cut.endswith("…")
    assert full.endswith("m" * 500)


def test_control_characters_never_reach_the_terminal() -> None:
    evil = "A\x1b]0;owned\x07\nfake ✓ line"
    (line,) = watched({evil: http()}, lambda command, number: (2, "Bad\x1b[2J", None, {"message": "\x9b31m\u202e"}))
    assert line == r"✗ A\x1b]0;owned\x07\nfake ✓ line failed (1 s): Bad\x1b[2J: \x9b31m\u202e"


def test_containers_open_and_close_around_their_actions() -> None:
    actions = {
        "Try": {"type": "Scope", "actions": {"Inner": http()}, "runAfter": {}},
        "Check": {
            "type": "If",
            "expression": {"equals": [1, 1]},
            "actions": {"Yes": compose(1)},
            "else": {"actions": {"No": {"type": "Scope", "actions": {"Deep": compose(1)}}}},
            "runAfter": {"Try": S},
        },
    }
    assert watched(actions) == [
        "▸ Try",
        "  ✓ Inner 1 s",
        "✓ Try 1 s",
        "▸ Check",
        "  - No skipped (branch not taken)",
        "  ✓ Yes",
        "✓ Check",
    ]


def test_a_container_tells_no_more_than_that_it_failed() -> None:
    lines = watched({"Try": {"type": "Scope", "actions": {"A": fail()}}})
    assert lines[0] == "▸ Try"
    assert lines[1].startswith("  ✗ A failed: InvalidTemplate")
    assert lines[2] == "✗ Try failed"


@pytest.mark.parametrize(
    ("policy", "shown"),
    [
        (None, "1/4"),
        ({"type": "fixed", "count": 2, "interval": "PT7S"}, "1/2"),
        ({"type": "fixed", "count": "@int('2')", "interval": "PT7S"}, "1/2"),
        ({"type": "fixed", "count": "@length(workflow()['name'])", "interval": "PT7S"}, "1/4"),
    ],
)
def test_a_retry_says_which_and_when(policy: Any, shown: str) -> None:
    action = http(**({"retryPolicy": policy} if policy else {}))
    lines = watched({"A": action}, lambda command, number: failing(429) if number == 1 else ok())
    assert lines[0].startswith(f"↻ A retry {shown} in ")
    assert lines[0].endswith(" s (429)")
    assert lines[1].startswith("✓ A ")
    assert lines[1].endswith(", 2 attempts")


def test_a_simulation_says_nothing_of_waiting() -> None:
    lines = watched(
        {"A": http(), "Delay": wait(3600, "A")},
        lambda command, number: failing(503) if number == 1 else ok(),
        real=False,
    )
    assert lines[0] == "↻ A retry 1/4 (503)"
    assert lines[2] == "✓ Delay 1 h"


def test_a_delay_says_until_when() -> None:
    lines = watched({"Delay": wait(90)})
    assert lines == [f"… Delay until {clock_text(START + 90 * SECOND)}", "✓ Delay 1 min 30 s"]
    until = {"type": "Wait", "inputs": {"until": {"timestamp": "2023-11-15T06:13:20Z"}}}
    assert watched({"Delay": until})[0].startswith("… Delay until 2023-11-1")


def loop(actions: dict[str, Any], items: Any = "@range(0, 3)", **more: Any) -> dict[str, Any]:
    return {"type": "Foreach", "foreach": items, "actions": actions, **more}


def test_loops_are_counters() -> None:
    run = Watched({"Each": loop({"A": compose("@item()"), "B": http("A")}, operationOptions="Sequential")})
    run.run()
    assert run.text == ["✓ Each 3 iterations, 6 actions, 3 s"]
    assert ["… Each 0/3, 0 actions"] in run.seen
    assert ["… Each 2/3, 4 actions"] in run.seen


def test_until_counts_without_a_total() -> None:
    until = {
        "type": "Until",
        "expression": "@equals(body('A')?['n'], 3)",
        "actions": {"A": http()},
        "limit": {"count": 9, "timeout": "PT1H"},
    }
    run = Watched({"Poll": until}, answer=lambda command, number: ok({"statusCode": 200, "body": {"n": number}}))
    run.run()
    assert run.text == ["✓ Poll 3 iterations, 3 actions, 3 s"]


def test_failures_in_loops_have_a_line_up_to_a_few() -> None:
    run = Watched({"Each": loop({"Try": {"type": "Scope", "actions": {"A": fail()}}}, "@range(0, 12)")})
    run.run()
    assert [line.split(" failed")[0] for line in run.text[:-1]] == [f"  ✗ Each[{number}]/Try/A" for number in range(5)]
    assert run.text[-1] == "✗ Each failed (12 iterations, 24 actions, 12 failed)"


def test_inner_loops_count_for_the_outer_one() -> None:
    inner = loop({"A": compose(1)}, "@range(0, 2)")
    assert watched({"Outer": loop({"Inner": inner})}) == ["✓ Outer 3 iterations, 9 actions"]


def test_loops_in_scopes_and_skipped_loops() -> None:
    actions = {
        "Try": {"type": "Scope", "actions": {"Each": loop({"A": compose(1)})}},
        "Never": {**loop({"A2": compose(1)}), "runAfter": {"Try": ["Failed"]}},
    }
    assert watched(actions) == [
        "▸ Try",
        "  ✓ Each 3 iterations, 3 actions",
        "✓ Try",
        "- Never skipped (what it runs after ended otherwise)",
    ]


def test_counters_are_told_now_and_then_where_nothing_is_redrawn() -> None:
    run = Watched({"Each": loop({"A": http()}, "@range(0, 50)", operationOptions="Sequential")})
    run.start()
    told = []
    while run.step():
        told += [str(line) for line in run.progress.periodic()]
    assert told[:2] == ["… Each 7/50, 6 actions", "… Each 12/50, 11 actions"]
    assert len(told) == 9


def test_an_entry_that_is_told_twice_is_one_line() -> None:
    run = Watched({"A": compose(1), "B": {"type": "Scope", "actions": {"C": compose(1)}, "runAfter": {"A": S}}})
    run.run()
    before = len(run.lines)
    for entry in run.history.entries:
        run.lines += run.progress.take(entry)
    assert len(run.lines) == before


def test_a_follower_who_comes_late_sees_the_same_shape() -> None:
    actions = {
        "B": {"type": "Scope", "actions": {"C": http()}},
        "Each": {**loop({"A": compose(1)}), "runAfter": {"B": S}},
    }
    run = Watched(actions)
    changes: list[Entry] = []
    run.history = History(run.plan, changes.append)
    run.state = State(run.plan, run.history)
    run.run()
    late = Progress()
    lines = [str(line) for entry in changes for line in late.take(entry)]
    assert lines == ["▸ B", "  ✓ C 1 s", "✓ B 1 s", "✓ Each 3 iterations, 3 actions"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (-5, "0 ms"),
        (0.012, "12 ms"),
        (1.0, "1 s"),
        (1.24, "1.2 s"),
        (59.99, "60 s"),
        (60, "1 min"),
        (123, "2 min 3 s"),
        (3720, "1 h 2 min"),
        (7200, "2 h"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(round(seconds * SECOND)) == text


# ---- where the lines go


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


async def drawn(stream: io.StringIO, ticks: bool = True) -> str:
    run = Watched({"A": compose(1), "Call": http("A"), "Delay": wait(60)}, answer=lambda *_: failing(404))
    progress = Progress(now=lambda: run.now)
    shown = display.display_on(stream, progress)
    async with shown:
        run.history = History(run.plan, shown.show)
        run.state = State(run.plan, run.history)
        run.start()
        while True:
            if ticks:
                shown.tick()  # type: ignore[attr-defined]
            if not run.step():
                break
    return stream.getvalue()


async def test_plain_lines_have_no_escape_sequences() -> None:
    text = await drawn(io.StringIO())
    assert "\x1b" not in text
    assert [line.partition(" until")[0] for line in text.splitlines()] == [
        "✓ A",
        "… Delay",
        "✓ Delay 1 min",
        "✗ Call failed (1 min 1 s): 404: no",
    ]


async def test_a_terminal_gets_colour_and_a_live_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    text = await drawn(Terminal())
    assert "\x1b[32m✓\x1b[0m A" in text
    assert "… Call" in text
    assert "\x1b[2K" in text
    assert text.count("… Delay until") >= 1
    assert text.endswith("\x1b[2K")  # the live part is gone at the end


async def test_a_short_run_draws_nothing_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[2K" not in await drawn(Terminal(), ticks=False)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
async def test_no_color_and_dumb_terminals_get_plain_lines(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert "\x1b" not in await drawn(Terminal())


async def test_many_lines_under_way_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    run = Watched({f"Call{number}": http() for number in range(20)})
    stream = Terminal()
    live = display.LiveLines(stream, run.progress)
    async with live:
        run.start()
        live.tick()
    assert "… and 12 more" in stream.getvalue()
