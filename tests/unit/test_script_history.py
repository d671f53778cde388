"""The run log of a desktop flow: its fields, what is masked, how much of it is kept."""

from __future__ import annotations

import json

import pytest
from robin_run import ScriptRun, plan_of
from sealflow.engine.kernel.contract.status import FAILED
from sealflow.engine.kernel.desktop.history import LogRow, LogSettings, ScriptHistory
from sealflow.engine.kernel.desktop.interface import outputs_of
from sealflow.engine.kernel.desktop.replay import replay_script

SECRET = "hunter2-canary"
SENSITIVE = f"""
@SENSITIVE: [Password]
@INPUT Password : {{ 'Description': '', 'FriendlyName': 'Password', 'Type': 'String' }}
@OUTPUT Echo : {{ 'Description': '', 'FriendlyName': 'Echo', 'Type': 'String' }}
@OUTPUT Password : {{ 'Description': '', 'FriendlyName': 'Pass', 'Type': 'String' }}
SET Password TO Password + ''
IF Password = '{SECRET}x' THEN
    SET a TO 1
END
File.WriteText File: 'a.txt' TextToWrite: $'''is %Password%'''
ON ERROR
END
SET n TO Password * 2
"""


def watched(text: str, settings: LogSettings | None = None, keep: int | None = None) -> tuple[ScriptRun, ScriptHistory]:
    plan = plan_of(text)
    history = ScriptHistory(plan, settings=settings, keep=keep)
    return ScriptRun(plan, history=history), history


def test_a_row_has_the_fields_of_the_products_log() -> None:
    _, history = watched("SET n TO 2\nIF n = 3 THEN\nEND\nVariables.IncreaseVariable Value: n IncrementValue: 5")
    first, test, end, increase = [entry.to_json() for entry in history.entries]
    assert first["index"] == 1
    assert first["functionName"] == "Main"
    assert (first["systemModuleName"], first["systemActionName"], first["name"]) == (
        "Variables",
        "SetVariable",
        "Set variable",
    )
    assert first["status"] == "Succeeded"
    assert first["startTime"].endswith("Z")
    assert first["outputs"]["variable"] == {"localizedName": "Variable", "value": "2", "variableName": "n"}
    assert test["inputs"]["expression"]["value"] == "False"
    assert (end["systemActionName"], end["index"]) == ("End", 3)
    assert increase["inputs"]["incrementValue"]["value"] == "5"
    assert increase["inputs"]["value"]["value"] == "2"
    assert increase["outputs"]["value"]["value"] == "7"
    assert increase["inputs"]["value"]["variableName"] == "n"
    assert increase["outputs"]["value"] == {"localizedName": "Value", "value": "7", "variableName": "n"}
    assert not increase["insideErrorHandling"]


def test_outputs_are_spelled_as_the_catalogue_has_them() -> None:
    run, history = watched("File.ReadTextFromFile.ReadText File: 'a' CONTENT=> Text")
    run.answer({"Content": "x"})
    (row,) = history.entries
    assert row.outputs == {"content": {"localizedName": "Content", "value": "x", "variableName": "Text"}}


def test_rows_of_a_handler_are_told_as_such_and_failures_carry_their_error() -> None:
    run, history = watched("File.Delete Files: 'a'\nON ERROR\n    SET a TO 1\nEND\nSET b TO 1")
    run.answer(status=FAILED, code="FileNotFoundError", message="There is none.")
    failed, rule, after = [entry.to_json() for entry in history.entries]
    assert failed["error"] == {"code": "FileNotFoundError", "message": "There is none."}
    assert [row["insideErrorHandling"] for row in (failed, rule, after)] == [False, True, False]


def test_whoever_follows_is_told_of_starts_and_ends() -> None:
    plan = plan_of("File.Delete Files: 'a'\nSET b TO 1")
    told: list[tuple[int, str]] = []

    def changed(row: LogRow) -> None:
        told.append((row.node.row, row.to_json()["status"]))

    run = ScriptRun(plan, history=ScriptHistory(plan, changed))
    run.answer({})
    assert told == [(1, "Running"), (1, "Succeeded"), (2, "Succeeded")]


def test_sensitive_values_are_masked_in_everything_shown() -> None:
    plan = plan_of(SENSITIVE)
    history = ScriptHistory(plan)
    run = ScriptRun(plan, {"Password": SECRET}, history=history)
    run.answer(status=FAILED, code="AccessDeniedError", message=f"cannot write {SECRET}")
    assert run.state.end is not None
    shown = json.dumps([entry.to_json() for entry in history.entries]) + str(run.state.end)
    assert SECRET not in shown
    assert "•••" in history.entries[0].outputs["variable"]["value"]
    assert outputs_of(run.state, masked=True)["Pass"] is None
    assert outputs_of(run.state)["Pass"] == SECRET


def test_the_last_error_of_a_row_that_is_hidden_is_not_shown() -> None:
    text = f"""@SENSITIVE: [p]
SET p TO '{SECRET}'
File.Delete Files: p
ON ERROR
END
ERROR => Last
"""
    plan = plan_of(text)
    history = ScriptHistory(plan)
    run = ScriptRun(plan, history=history)
    run.answer(status=FAILED, code="FileNotFoundError", message=f"There is no file '{SECRET}'.")
    assert SECRET in run["Last"]
    assert history.entries[-1].outputs["variable"]["value"] == "•••"
    assert SECRET not in json.dumps([entry.to_json() for entry in history.entries])


def test_a_difference_shows_no_sensitive_value() -> None:
    plan = plan_of(SENSITIVE)
    run = ScriptRun(plan, {"Password": SECRET})
    records = list(run.records)
    records[1] = (*records[1][:7], {"password": f"{SECRET}-changed"}, None)
    difference = replay_script(records, plan).difference
    assert difference is not None
    assert difference.path == "/Main/1"
    assert SECRET not in str(difference)


def test_a_message_of_exit_may_quote_no_sensitive_value() -> None:
    text = f"@SENSITIVE: [p]\nSET p TO '{SECRET}'\nEXIT Code: 1 ErrorMessage: p"
    run, history = watched(text)
    assert run.state.end is not None
    assert run.state.end.status == FAILED
    assert SECRET not in str(run.state.end) + json.dumps([entry.to_json() for entry in history.entries])


@pytest.mark.parametrize(
    ("verbosity", "rows"),
    [("Full", [1, 2, 3, 4, 5]), ("Debug", [1, 2, 3, 5]), ("Custom", [3]), ("warning", [3]), ("Error", [3])],
)
def test_the_verbosity_decides_what_is_kept(verbosity: str, rows: list[int]) -> None:
    text = (
        "SET a TO []\nIF True THEN\n    Variables.RemoveItemFromList.RemoveItemFromListByIndex ItemIndex: 0 List: a\n"
    )
    text += "    ON ERROR\n    END\nEND\nSET b TO 1"
    run, history = watched(text, LogSettings(verbosity))
    assert run.state.end is not None
    assert [entry.node.row for entry in history.entries] == rows
    assert history.left_out == 5 - len(rows)


def test_the_limit_keeps_the_first_rows_and_counts_the_others() -> None:
    _, history = watched("LOOP i FROM 1 TO 10\n    SET a TO i\nEND", LogSettings(limit=4))
    assert len(history.entries) == 4
    assert history.left_out == 21 - 4
    assert history.tally.total == 21


def test_a_watcher_that_keeps_few_rows_keeps_none_of_a_long_run() -> None:
    _, history = watched("LOOP i FROM 1 TO 10\n    SET a TO i\nEND", keep=5)
    assert not history.complete
    assert history.entries == []
    assert history.tally.ended[1] == 21


def test_a_retried_row_is_one_row() -> None:
    run, history = watched("File.Delete Files: 'a'\nON ERROR REPEAT 1 TIMES WAIT 0\nEND")
    run.answer(status=FAILED, code="FileNotFoundError")
    (row,) = history.entries
    assert (row.attempts, row.retries) == (2, 1)
    assert row.retry_due is not None


def test_of_a_long_value_the_log_shows_the_beginning() -> None:
    text = "SET L TO []\nLOOP i FROM 1 TO 150\n    Variables.AddItemToList Item: i List: L\nEND\n"
    text += "SET t TO 'x'\nLOOP FROM 1 TO 14\n    SET t TO t + t\nEND"
    run, history = watched(text)
    run.to_the_end()
    shown = [entry.outputs["list"]["value"] for entry in history.entries if entry.node.row == 3]
    assert shown[99].endswith("\r\n100")
    assert shown[149].endswith("\r\n100\r\n… (50 more)")
    assert history.entries[-2].outputs["variable"]["value"].endswith("x… (6384 more characters)")


@pytest.mark.parametrize(
    ("verbosity", "rows"), [("Full", [1, 2, 3, 4]), ("Custom", [2, 3, 4]), ("Warning", [3, 4]), ("Error", [4])]
)
def test_a_log_message_has_a_level(verbosity: str, rows: list[int]) -> None:
    text = "SET n TO 5\nLogging.LogMessage Message: $'''n is %n%''' LogLevel: Logging.LogLevel.InfoLevel\n"
    text += "Logging.LogMessage Message: 'hm' LogLevel: Logging.LogLevel.WarningLevel\n"
    text += "Logging.LogMessage Message: 'no' LogLevel: Logging.LogLevel.ErrorLevel"
    _, history = watched(text, LogSettings(verbosity))
    assert [entry.node.row for entry in history.entries] == rows
    last = history.entries[-1].to_json()
    assert (last["logLevel"], last["inputs"]["message"]["value"]) == ("Error", "no")
