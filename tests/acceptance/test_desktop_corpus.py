"""Published scripts run to their end, with what they need prepared here; of every other one it is said why not."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sealflow
from desktop_corpus_cases import CALLED, CASES, ELSEWHERE, Case, text_of
from openpyxl import Workbook
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.folders import Allowed
from sealflow.engine.desktop.syntax.recognition import decoded
from sealflow.engine.runtime.flows.script_files import ScriptSource

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "desktop"
TEXTS = {path.name: decoded(path.read_bytes()) for path in sorted(CORPUS.glob("*.robin"))}
PATIENCE = 120.0

pytestmark = pytest.mark.skipif(not TEXTS, reason="the published scripts are not here")

SCHEMA = """
CREATE TABLE Status (Id INTEGER PRIMARY KEY, Status TEXT);
CREATE TABLE Priority (Id INTEGER PRIMARY KEY, Name TEXT);
CREATE TABLE Project (Id INTEGER PRIMARY KEY, ProjectNumber TEXT);
CREATE TABLE Flow (Id INTEGER PRIMARY KEY, Name TEXT, ProjectId INTEGER);
CREATE TABLE WorkItem (Id INTEGER PRIMARY KEY, Number TEXT, ProjectId INTEGER, FlowId INTEGER, PriorityId INTEGER,
    StatusId INTEGER, Processed INTEGER DEFAULT 0, RetrieveCount INTEGER DEFAULT 0,
    AccumulatedRunTime INTEGER DEFAULT 0);
CREATE TABLE WorkItemData (WorkItemId INTEGER, DataContent TEXT, DataSource TEXT);
CREATE TABLE Log (Level TEXT, Machine TEXT, Project TEXT, Flow TEXT, Subflow TEXT, Message TEXT);
INSERT INTO Status VALUES (1, 'Success'), (2, 'Fail');
INSERT INTO Priority VALUES (1, 'Normal'), (2, 'High');
INSERT INTO Project VALUES (1, 'P-1');
INSERT INTO Flow VALUES (1, 'F', 1);
INSERT INTO WorkItem (Id, Number, ProjectId, FlowId, PriorityId) VALUES (7, 'W-7', 1, 1, 1);
"""


def furnish(drive: Path) -> None:
    """The files that the scripts expect to find."""
    with closing(sqlite3.connect(drive / "queue.db")) as store:
        store.executescript(SCHEMA)
    book = Workbook()
    sheet = book.create_sheet("Config")
    for row in (
        ("Flow Name", "Property Name", "Value"),
        ("General", "Environment", "TEST"),
        ("Invoices", "Retries", 3),
    ):
        sheet.append(row)
    book.save(drive / "config.xlsx")
    texts = {
        "config.json": '{"Environment": "TEST", "Limits": [1, 2.5]}',
        "note.txt": "hello",
        "Users/pkpad/Documents/Cars List.txt": "Volvo\nAudi\n",
        **{f"PAD-Labs/working/lab02/inbox/{name}": name for name in ("a.csv", "b.csv", "c.txt", "d.pdf")},
        "repository/source_code/Subflow A.Txt": "old",
        "repository/source_code/Subflow B.Txt": "new",
        "repository/VersionHistory.txt": "v1.2.3 - earlier",
    }
    for name, text in texts.items():
        path = drive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    os.utime(drive / "repository" / "source_code" / "Subflow A.Txt", (1_750_000_000, 1_750_000_000))


POSTED: list[Any] = []
"""What reached the stand-ins of the cloud connectors."""


async def answer(call: sealflow.Call) -> Any:
    """As SharePoint and Outlook would."""
    assert isinstance(call.inputs, dict)
    POSTED.append((call.operation, call.inputs["parameters"]))
    if call.operation == "GetItems":
        return {"value": [{"Flow Name": "Invoices", "Property Name": "Retries", "Value": 3}]}
    return {}


async def run_all(folder: Path) -> dict[str, sealflow.RunResult]:
    results = {}

    async def one(engine: sealflow.Engine, environment: sealflow.Environment, case: Case) -> None:
        flow = await environment.deploy(case.file, ScriptSource(case.file, case.script(TEXTS)))
        [run] = await environment.start(flow, dict(case.inputs))
        results[case.file] = await run.result(PATIENCE)

    drive = folder / "drive"
    drive.mkdir()
    furnish(drive)
    settings = Settings(folders=(Allowed(drive),), mapping={"C:": drive}, answers={"*": "OK"})
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json", desktop=settings) as engine:
        for connector in ("sharepointonline", "office365"):
            engine.connectors.connector(connector)(answer)
        environment = await engine.environment("published")
        for name, text in CALLED.items():
            script = text_of(TEXTS, text[1:]) if text.startswith("@_") else text
            await environment.deploy(name, ScriptSource(name, script))
        for case in CASES:  # one after the other: they share a drive
            await one(engine, environment, case)
    return results


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, sealflow.RunResult]]:
    """The drive after all of them, and what each came to."""
    folder = tmp_path_factory.mktemp("published")
    return folder / "drive", asyncio.run(run_all(folder))


def test_many_run() -> None:
    assert len(CASES) >= 25
    assert len({case.file for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file.strip("_"))
def test_a_published_script_runs_to_its_end(case: Case, ran: tuple[Path, dict[str, sealflow.RunResult]]) -> None:
    result = ran[1][case.file]
    assert (result.status, result.error) == ("Succeeded", None)
    outputs: dict[str, Any] = dict(result.outputs or {})
    assert {name: outputs[name] for name in case.expect} == dict(case.expect)


def test_what_they_leave_outside(ran: tuple[Path, dict[str, sealflow.RunResult]]) -> None:
    drive = ran[0]
    lab = drive / "PAD-Labs" / "working" / "lab02"
    assert (lab / "summary.txt").read_text("utf-16").strip() == "CSV=2 ; TXT=1 ; IGNORED=1 ;  Done"
    assert {path.name for path in (lab / "archive" / "csv").iterdir()} == {"a.csv", "b.csv"}
    assert (drive / "log.csv").read_text("utf-8-sig").splitlines()[0] == "Level;Timestamp;Project;Flow;Subflow;Message"
    assert [path.name for path in (drive / "repository" / "source_code").iterdir()] == ["Subflow B.Txt"]
    history = (drive / "repository" / "VersionHistory.txt").read_bytes()
    assert "v1.3.0 - text".encode("utf-16-le") in history
    with closing(sqlite3.connect(drive / "queue.db")) as store:
        assert store.execute("SELECT Level, Message FROM Log").fetchall() == [("INFO", "m")]
        assert store.execute("SELECT StatusId FROM WorkItem WHERE Id = 7").fetchall() == [(2,)]
        data = store.execute("SELECT DataContent FROM WorkItemData ORDER BY WorkItemId").fetchall()
        assert data == [('{"q":"it\'s"}',), ('{"a":1}',)]


def test_what_they_ask_of_cloud_connectors(ran: tuple[Path, dict[str, sealflow.RunResult]]) -> None:
    posted = [asked for operation, asked in POSTED if operation == "PostItem"]
    messages = [(each["item/Title"], each["item/Message"], each["item/Subflow"]) for each in posted]
    assert messages == [("INFO", "began", "Main"), ("INFO", "by itself", "S"), ("ERROR", "it broke", "Work")]
    mails = [asked for operation, asked in POSTED if operation == "SendEmailV2"]
    assert [each["emailMessage/To"] for each in mails] == ["a@b.example", "c@d.example"]
    assert mails[0]["emailMessage/Attachments"] == [{"Name": "note.txt", "ContentBytes": "aGVsbG8="}]


def test_of_every_other_one_it_is_said_why_not() -> None:
    known = [case.file for case in CASES] + [part for parts in ELSEWHERE.values() for part in parts]
    for name in TEXTS:
        found = [part for part in known if part in name]
        assert found, f"{name} is neither run nor is it said why not"
    for part in known:
        assert any(part in name for name in TEXTS), part
