"""The command line as processes: interrupted, killed, and two at once on the same store.

Their flows pause for an hour, so that nothing depends on how fast the machine is; what ends such a pause has a clock
that is two hours ahead.
"""

from __future__ import annotations

import signal
import subprocess

from actions import compose, wait
from processes import PATIENCE, Place, Prepare, until_line

LATER: Prepare = [["later", 7200]]


def paused(place: Place) -> tuple[subprocess.Popen[str], str]:
    """A run that has come to its pause; the process and the run's id."""
    actions = {"First": compose("@guid()"), "Pause": wait(1, "Hour", "First")}
    actions["Last"] = compose("@outputs('First')", "Pause")
    process = place.begin("run", place.flow("slow", actions))
    return process, until_line(process, "… Pause")[0].rpartition(" ")[2]


def test_ctrl_c_leaves_the_run_resumable_and_says_so(place: Place) -> None:
    process, run = paused(place)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert f"Run {run} is kept and can be resumed." in err
    assert f"sealflow runs resume {run}" in err
    assert "Traceback" not in err
    assert place("runs", "resume", run, "--json", prepare=LATER).expect(0).json["status"] == "Succeeded"


def test_a_killed_run_goes_on_and_finished_actions_do_not_run_again(place: Place) -> None:
    process, run = paused(place)
    before = place("runs", "show", run, "--json").expect(0).json
    process.kill()
    process.communicate()
    (listed,) = place("runs", "list", "--json").expect(0).json
    assert (listed["run"], listed["end"]) == (run, None)
    assert [action["status"] for action in before["actions"]] == ["Succeeded", "Running"]
    after = place("runs", "resume", run, "--json", prepare=LATER).expect(0).json
    assert (after["status"], len(after["actions"])) == ("Succeeded", 3)
    assert after["actions"][0] == before["actions"][0]
    assert after["actions"][2]["outputs"] == before["actions"][0]["outputs"]


def test_a_second_process_runs_shows_and_cancels_through_the_first(place: Place) -> None:
    first, run = paused(place)
    quick = place("run", place.flow("quick", {"A": compose(1)}), "--json").expect(0).json
    assert quick["status"] == "Succeeded"
    assert place("runs", "show", run, "--json").expect(0).json["status"] == "Running"
    assert place("runs", "follow", run, "--timeout", "0.05", "--json").expect(124).error["code"] == "WaitTimedOut"
    cancelled = place("runs", "cancel", run, "--reason", "enough", "--json").expect(0).json
    assert (cancelled["cancelled"], cancelled["status"]) == (True, "Cancelled")
    out, _ = first.communicate(timeout=PATIENCE)
    assert first.returncode == 1
    assert "Cancelled: enough" in out
