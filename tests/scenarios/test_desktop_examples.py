"""Every desktop example runs with files that are made here, does what it says, and replays strictly."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import sealflow
from http_server import Seen, Server
from openpyxl import load_workbook
from pypdf import PdfReader, PdfWriter
from sealflow.connectors.desktop import Settings
from sealflow.connectors.desktop.folders import Allowed

DESKTOP = Path(__file__).resolve().parents[2] / "examples" / "desktop"
PATIENCE = 120.0
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)

INVOICES = """\
Number,Customer,Date,Net,Rate
R-3,Fabrikam,2026-02-01,0.10,0
R-1,Contoso,2026-01-31,1000,19
R-2,Contoso,2026-02-30,10,19
R-4,,2026-02-01,10,19
R-5,Fabrikam,2026-02-02,ten,19
R-6,Fabrikam,2026-02-03,0.20,0
"""


@dataclass(frozen=True)
class Recorded:
    """A run of an example: what it came to and its history, in the clear."""

    result: sealflow.RunResult
    bundle: bytes

    @property
    def outputs(self) -> dict[str, Any]:
        return dict(self.result.outputs or {})


async def run(name: str, inputs: dict[str, Any], folder: Path) -> Recorded:
    """The example, run by an environment that allows `folder` and knows it as C:."""
    work = folder / "work"
    settings = Settings(folders=(Allowed(work),), mapping={"C:": work})
    async with sealflow.open(folder / "home", keystore=folder / "keystore.json", desktop=settings) as engine:
        environment = await engine.environment("examples")
        flow = await environment.deploy(name, DESKTOP / f"{name}.robin")
        [started] = await environment.start(flow, inputs)
        result = await started.result(PATIENCE)
        return Recorded(result, await started.export(plaintext=True))


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder that the environment allows."""
    made = tmp_path / "work"
    made.mkdir()
    return made


def names(folder: Path) -> set[str]:
    """What is in a folder."""
    return set(os.listdir(folder))


async def replayed(recorded: Recorded) -> None:
    found = await sealflow.replay(recorded.bundle)
    assert found.differences == []
    assert found.actions > 0


async def test_the_folder_is_tidied(work: Path, tmp_path: Path) -> None:
    old = 1_750_000_000  # 2025-06-15
    for name, age in (("report.txt", old), ("new.txt", None), ("a.tmp", None), ("~$report.docx", old)):
        (work / name).write_text(name)
        if age is not None:
            os.utime(work / name, (age, age))
    done = await run("folder_cleanup", {"Folder": "C:\\", "KeepDays": 30}, tmp_path)
    assert (done.result.status, done.outputs) == ("Succeeded", {"Archived": 1, "Deleted": 2, "Failed": []})
    assert names(work) == {"archive", "new.txt", "cleanup.csv"}
    assert (work / "archive" / "2025-06" / "report.txt").read_text() == "report.txt"
    assert (work / "cleanup.csv").read_text("utf-8-sig").splitlines() == [
        "File,Bytes,Done", "a.tmp,5,deleted", "~$report.docx,13,deleted", "report.txt,10,archived 2025-06",
    ]  # fmt: skip
    await replayed(done)


async def test_a_file_that_cannot_be_moved_is_told_and_the_others_are(work: Path, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (work / name).write_text(name)
        os.utime(work / name, (1_750_000_000, 1_750_000_000))
    (work / "archive" / "2025-06" / "a.txt").mkdir(parents=True)
    done = await run("folder_cleanup", {"Folder": "C:\\"}, tmp_path)
    assert done.outputs["Archived"] == 1
    assert [failed.split(":")[0] for failed in done.outputs["Failed"]] == ["a.txt"]
    assert (work / "archive" / "2025-06" / "b.txt").exists()
    await replayed(done)


async def test_a_folder_that_is_not_there_ends_the_flow_with_its_code(work: Path, tmp_path: Path) -> None:
    done = await run("folder_cleanup", {"Folder": "C:\\none"}, tmp_path)
    assert done.result.status == "Failed"
    assert done.result.error is not None
    assert "There is no folder C:\\none." in done.result.error["message"]


async def test_invoices_become_a_workbook(work: Path, tmp_path: Path) -> None:
    (work / "invoices.csv").write_text(INVOICES)
    inputs = {"Source": "C:\\invoices.csv", "Target": "C:\\invoices.xlsx"}
    done = await run("invoices_to_workbook", inputs, tmp_path)
    assert done.result.status == "Succeeded", done.result.error
    assert done.outputs == {"Accepted": 3, "Rejected": 3, "Total": Decimal("1190.30")}
    with closing(load_workbook(work / "invoices.xlsx")) as book:
        rows = {sheet.title: [list(row) for row in sheet.values] for sheet in book.worksheets}
    assert [row[0] for row in rows["Invoices"]] == ["Number", "R-1", "R-3", "R-6"]
    assert rows["Invoices"][1][3:] == [1000, 1190]
    assert rows["Customers"] == [["Customer", "Gross"], ["Contoso", 1190], ["Fabrikam", 0.3], [None, "=SUM(B2:B3)"]]
    assert [row[1:] for row in rows["Rejected"][1:]] == [
        ["R-2", "Date cannot be read"], ["R-4", "no customer"], ["R-5", "Net cannot be read"],
    ]  # fmt: skip
    await replayed(done)


async def test_invoices_that_are_not_there_are_an_error_of_the_flow(work: Path, tmp_path: Path) -> None:
    done = await run("invoices_to_workbook", {"Source": "C:\\none.csv", "Target": "C:\\x.xlsx"}, tmp_path)
    assert done.result.status == "Failed"
    assert done.result.error is not None
    assert "C:\\none.csv cannot be read." in done.result.error["message"]
    assert names(work) == set()


async def test_sales_become_a_report(work: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(work / "sales.db")) as store, store:
        store.execute("CREATE TABLE sales (region TEXT, day TEXT, amount REAL)")
        store.executemany(
            "INSERT INTO sales VALUES (?, ?, ?)",
            [("North", "2026-01-02", 10.5), ("North", "2026-01-03", 1.5), ("South", "2026-01-02", 99),
             ("West", "2025-12-31", 1000)],
        )  # fmt: skip
    for name, width in (("North", 100), ("South", 200)):
        writer = PdfWriter()
        for _ in range(2):
            writer.add_blank_page(width, 100)
        writer.write(work / f"{name}.pdf")
    done = await run("sales_report", {"Folder": "C:\\", "Since": "2026-01-01'; DROP"}, tmp_path)
    assert done.result.status == "Succeeded", done.result.error
    expected = [
        {"Region": "South", "Orders": 1, "Amount": 99},
        {"Region": "North", "Orders": 2, "Amount": 12},
    ]
    assert done.outputs["Regions"] == expected
    assert done.outputs["Pages"] == "C:\\signed.pdf"
    with closing(load_workbook(work / "sales.xlsx")) as book:
        rows = [list(row) for row in book.worksheets[0].values]
        assert rows[0][0] == "Sales since 2026-01-01"
        assert rows[2:] == [
            ["Region", "Orders", "Amount"], ["South", 1, 99], ["North", 2, 12],
        ]  # fmt: skip
    assert [page.mediabox.width for page in PdfReader(work / "signed.pdf").pages] == [200, 100]
    assert not [name for name in names(work) if name.startswith("first-")]
    await replayed(done)


async def test_a_database_without_the_table_ends_the_flow_and_closes_the_connection(work: Path, tmp_path: Path) -> None:
    done = await run("sales_report", {"Folder": "C:\\", "Since": "2026-01-01"}, tmp_path)
    assert done.result.status == "Failed"
    assert done.result.error is not None
    assert "The sales could not be read" in done.result.error["message"]
    assert [action["type"] for action in done.result.actions][-2:] == ["Database.Close", "FlowControl.StopFlow"]


def orders_page(seen: Seen) -> bytes:
    """The form, and the orders behind it, two on a page."""
    address = urlsplit(seen.target)
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    if address.path == "/":
        body = """<form action=/found><input id=customer name=customer><select id=state name=state><option>All</option>
<option>Open</option></select><input type=checkbox id=archived name=archived><button id=search>Search</button></form>"""
    elif address.path == "/found" and asked.get("state") == "Open" and asked.get("archived") == "on":
        page = int(asked.get("page", "1"))
        rows = "".join(
            f"<tr><td>{asked['customer']}-{page}{row}</td><td>{row}.50</td><td>Open</td></tr>" for row in "12"
        )
        more = "&".join(f"{name}={value}" for name, value in {**asked, "page": str(page + 1)}.items())
        following = f"<a id=next href='/found?{more}'>more</a>" if page < 3 else ""
        body = f"<table id=orders><tr><th>Order</th><th>Amount</th><th>State</th></tr>{rows}</table>{following}"
    else:
        body = "<p>Nothing</p>"
    data = f"<!doctype html><title>Orders</title>{body}".encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(data), data)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
async def test_a_form_is_filled_in_and_its_table_read(work: Path, tmp_path: Path) -> None:
    server = Server(orders_page)
    await server.start()
    try:
        inputs = {"Address": f"{server.url}/", "Customer": "Contoso", "Target": "C:\\orders.csv"}
        done = await run("web_orders", inputs, tmp_path)
    finally:
        await server.stop()
    assert done.result.status == "Succeeded", done.result.error
    assert done.outputs["Count"] == 6
    numbers = [f"Contoso-{page}{row}" for page in "123" for row in "12"]
    assert [row["Order"] for row in done.outputs["Orders"]] == numbers
    lines = (work / "orders.csv").read_text("utf-8-sig").splitlines()
    assert lines == ["Order,Amount,State", *(f"{number},{number[-1]}.50,Open" for number in numbers)]
    await replayed(done)


def test_every_desktop_example_is_run_by_a_test() -> None:
    tests = "".join(path.read_text("utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
    missing = [path.stem for path in DESKTOP.glob("*.robin") if path.stem not in tests]
    assert missing == []


@pytest.mark.parametrize("path", sorted(DESKTOP.glob("*.robin")), ids=lambda path: path.stem)
def test_no_desktop_example_has_a_problem(path: Path) -> None:
    from sealflow.engine.desktop.checks.check import check
    from sealflow.engine.runtime.flows.script_files import source_of
    from sealflow.engine.runtime.flows.scripts import reading_of, rules

    assert check(reading_of(source_of(path.read_bytes(), path.stem)), rules()) == ()
