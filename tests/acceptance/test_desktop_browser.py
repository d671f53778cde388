"""The WebAutomation module in a real browser, against pages on loopback."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.engine.datatypes import DataTable, Datum, Item

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-headless-shell"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")

FORM = """<!doctype html><title>Form of orders</title><meta name=description content=told>
<form onsubmit="document.title = 'sent'; return false"><input id=name name=name value=old><input type=checkbox id=agree>
<input type=radio name=r id=r1><input type=radio name=r id=r2>
<select id=kind><option>small</option><option>large</option></select><textarea id=note></textarea>
<button id=send type=submit>Send</button></form>
<div><p>first</p><p class=x data-n=7>second</p></div><a id=file href=/file download>get</a>
<button id=ask onclick="document.title = confirm('sure?') ? 'yes' : 'no'">ask</button>
<button id=late onclick="setTimeout(() => document.body.append('later'), 50)">late</button>"""


def page(number: int) -> str:
    rows = "".join(f"<tr><td>{number}{row}</td><td>Item {row}</td></tr>" for row in (1, 2))
    more = f"<a id=next href=/list/{number + 1}>next</a>" if number < 3 else ""
    return f"""<!doctype html><title>List {number}</title><table id=t><tr><th>Id</th><th>Name</th></tr>{rows}</table>
<ul><li><b>a{number}</b><i href=x>1 EUR</i></li><li><b>b{number}</b></li></ul>{more}"""


def react(seen: Seen) -> bytes:
    if seen.target == "/file":
        body, kind = "n,v\r\n1,2\r\n", 'text/csv\r\nContent-Disposition: attachment; filename="orders.csv"'
    elif seen.target.startswith("/list/"):
        body, kind = page(int(seen.target.rsplit("/", 1)[-1])), "text/html"
    elif seen.target == "/form":
        body, kind = FORM, "text/html"
    elif seen.target == "/inside":
        body, kind = "<img src=http://169.254.169.254/latest><p>done", "text/html"
    else:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server(react)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr("sealflow.connectors.desktop.web.browser.SECONDS", 60.0)  # a busy machine is no missing element
    world = World(tmp_path)
    yield world
    await world.session.aclose()


async def opened(world: World, url: str) -> Item:
    done = await world.do("WebAutomation.LaunchChrome.LaunchChrome", Url=url)
    assert isinstance(done["BrowserInstance"], Item)
    return done["BrowserInstance"]


async def test_a_form_is_filled_in(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/form")
    web: dict[str, Datum] = {"BrowserInstance": browser}

    async def told(element: str, name: str = "value") -> Datum:
        found = await world.do("WebAutomation.GetDetailsOfElement", Control=element, AttributeName=name, **web)
        return found["AttributeValue"]

    populate = "WebAutomation.PopulateTextField.PopulateTextField"
    await world.do(populate, Control="#name", Text="Ada", **web)
    await world.do(populate, Control="#name", Text=" L", Mode="WebAutomation.PopulateTextMode.Append", **web)
    await world.do(populate, Control="#note", Text="typed", EmulateTyping=True, UnfocusAfterPopulate=True, **web)
    await world.do("WebAutomation.SetCheckboxState.SetCheckboxState", Control="#agree", CheckBoxState="Checked", **web)
    await world.do("WebAutomation.SelectRadioButton.SelectRadioButton", Control="form > input:eq(3)", **web)
    await world.do(
        "WebAutomation.SetDropDownListValue.SetDropDownListValueByName", Control="#kind", OptionNames="large", **web
    )
    assert [await told("#name"), await told("#note"), await told("#kind")] == ["Ada L", "typed", "large"]
    assert [await told("#agree", "checked"), await told("#r2", "checked")] == ["True", "True"]
    await world.do(
        "WebAutomation.SetDropDownListValue.SetDropDownListValueByIndex", Control="#kind", OptionIndices=[1], **web
    )
    assert await told("#kind") == "small"
    by_name = "WebAutomation.SetDropDownListValue.SetDropDownListValueByName"
    await world.do(by_name, Control="#kind", OptionsNames="^l.*e$", UseRegularExpressions=True, **web)
    assert await told("#kind") == "large"
    await world.do(by_name, Control="#kind", OptionsNames="small", UseRegularExpressions=False, **web)
    assert await told("#kind") == "small"
    await world.do("WebAutomation.PressButton.PressButton", Control="#send", **web)
    details = "WebAutomation.GetDetailsOfWebPage"
    assert (await world.do(details, DetailsType="WebAutomation.DetailsType.Title", **web))["Details"] == "sent"
    assert (await world.do(details, DetailsType="Description", **web))["Details"] == "told"
    assert (await world.do(details, DetailsType="URLAddress", **web))["Details"] == f"{server.url}/form"
    assert await told("div > p:eq(1)", "Own Text") == "second"
    assert await told("p.x", "data-n") == "7"


async def test_dialogs_downloads_and_scripts(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/form")
    web: dict[str, Datum] = {"BrowserInstance": browser}
    title: dict[str, Datum] = {"DetailsType": "Title", **web}
    await world.do("WebAutomation.PressButton.PressButton", Control="#ask", **web)
    assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == "no"
    await world.do("WebAutomation.PressButton.PressButtonPressDialogButton", Control="#ask", DialogButton="OK", **web)
    assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == "yes"
    done = await world.do("WebAutomation.ClickDownloadLink", Control="#file", DestinationFolder="C:\\", **web)
    assert isinstance(done["DownloadedFile"], Item)
    assert (world.folder / "orders.csv").read_text() == "n,v\n1,2\n"
    script = "function ExecuteScript() { return document.querySelectorAll('p').length }"
    assert (await world.do("WebAutomation.ExecuteJavascript", Javascript=script, **web))["Result"] == "2"
    await world.fails("FailedToRunJavaScriptError", "WebAutomation.ExecuteJavascript", Javascript="nothing", **web)
    await world.do("WebAutomation.TakeScreenshot.TakeScreenshotSaveToFile", File="C:\\a.png", FileFormat="Png", **web)
    assert (world.folder / "a.png").read_bytes().startswith(b"\x89PNG")


async def test_looking_and_waiting(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/form")
    web: dict[str, Datum] = {"BrowserInstance": browser}
    contains = "WebAutomation.IfWebPageContains.WebPage"
    assert (await world.do(f"{contains}ContainsText", Text="second", **web))["Condition"] is True
    assert (await world.do(f"{contains}DoesNotContainText", Text="second", **web))["Condition"] is False
    assert (await world.do(f"{contains}ContainsElement", Control="#none", **web))["Condition"] is False
    error = "ElementWithSpecifiedCSSSelectorNotFoundError"
    await world.fails(error, "WebAutomation.Click.Click", Control="#none", TimeoutInSeconds=1, **web)
    again = await world.do("WebAutomation.LaunchChrome.AttachToChromeByTitle", TabTitle="form of", AttachTimeout=5)
    await world.do("WebAutomation.CloseWebBrowser", BrowserInstance=again["BrowserInstance"])
    await world.fails("InstanceLost", "WebAutomation.GetDetailsOfWebPage", **web)


async def test_moving_between_pages(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/list/1")
    web: dict[str, Datum] = {"BrowserInstance": browser}
    await world.do("WebAutomation.GoToWebPage.GoToWebPage", Url=f"{server.url}/list/2", **web)
    title: dict[str, Datum] = {"DetailsType": "Title", **web}
    for way, expected in (("NavigateBack", "List 1"), ("NavigateForward", "List 2"), ("ReloadWebPage", "List 2")):
        await world.do(f"WebAutomation.GoToWebPage.{way}", **web)
        assert (await world.do("WebAutomation.GetDetailsOfWebPage", **title))["Details"] == expected
    tab = (await world.do("WebAutomation.CreateNewTab.CreateNewTab", Url=f"{server.url}/form", **web))[
        "NewBrowserInstance"
    ]
    found = await world.do("WebAutomation.GetDetailsOfWebPage", BrowserInstance=tab, DetailsType="Title")
    assert found["Details"] == "Form of orders"
    await world.fails("InvalidURLError", "WebAutomation.GoToWebPage.GoToWebPage", Url="javascript:alert(1)", **web)


async def test_data_is_extracted(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/list/1")
    web: dict[str, Datum] = {"BrowserInstance": browser}
    extract = "WebAutomation.ExtractData.Extract"
    table = await world.do(f"{extract}HtmlTable", Control="#t", **web)
    assert table["ExtractedData"] == DataTable(("Id", "Name"), (("11", "Item 1"), ("12", "Item 2")))
    named = DataTable(("1", "2"), (("Number", "What"), ("", "")))
    table = await world.do(f"{extract}HtmlTable", Control="#t", ExtractionParameters=named, **web)
    assert table["ExtractedData"].columns == ("Number", "What")  # type: ignore[union-attr]
    places = DataTable(("a", "b", "c", "d"), (("b", "Own Text", "", "Name"), ("i", "Own Text", r"\d+", "Price")))
    paged: dict[str, Datum] = {"PagerCssSelector": "#next", "ExtractionParameters": places, **web}
    data = await world.do(f"{extract}TableUsingPagingFromAllPages", Control="ul > li", **paged)
    rows = tuple(row for number in (1, 2, 3) for row in ((f"a{number}", "1"), (f"b{number}", "")))
    assert data["ExtractedData"] == DataTable(("Name", "Price"), rows)
    assert (await world.do(f"{extract}SingleValue", Control="ul > li:eq(0) > b", **web))["ExtractedData"] == "a3"
    assert (await world.do(f"{extract}List", Control="ul > li > b", **web))["ExtractedData"] == ["a3", "b3"]


async def test_data_is_extracted_into_a_workbook(world: World, server: Server) -> None:
    browser = await opened(world, f"{server.url}/list/1")
    paged: dict[str, Datum] = {"BrowserInstance": browser, "Control": "#t", "PagerCssSelector": "#next"}
    action = "WebAutomation.ExtractData.ExtractHtmlTableUsingPagingFromNumberOfPagesInExcel"
    instance = (await world.do(action, MaxWebPagesToProcess=2, **paged))["ExcelInstance"]
    read = await world.do("Excel.ReadFromExcel.ReadAllCells", Instance=instance, FirstLineIsHeader=True)
    rows = (("11", "Item 1"), ("12", "Item 2"), ("21", "Item 1"), ("22", "Item 2"))
    assert read["RangeValue"] == DataTable(("Id", "Name"), rows)
    await world.do("Excel.CloseExcel.CloseAndSaveAs", Instance=instance, DocumentPath="C:\\list.xlsx")
    assert (world.folder / "list.xlsx").is_file()
    await world.fails("FailedToExtractDataError", action, **{**paged, "Control": "#none", "TimeoutInSeconds": 1})


async def test_a_page_goes_nowhere_that_a_call_may_not_go(world: World, server: Server, tmp_path: Path) -> None:
    browser = await opened(world, f"{server.url}/inside")
    text = await world.do("WebAutomation.GetDetailsOfWebPage", BrowserInstance=browser, DetailsType="Text")
    assert "done" in str(text["Details"])
    go = "WebAutomation.GoToWebPage.GoToWebPage"
    refused: dict[str, Datum] = {"BrowserInstance": browser, "Url": "http://169.254.169.254/latest"}
    await world.fails("FailedToNavigateToWebPageError", go, **refused)
    (tmp_path / "secret.html").write_text("secret")
    refused["Url"] = f"file://{tmp_path}/secret.html"
    await world.fails("FailedToNavigateToWebPageError", go, **refused)
    world.file("mine.html", "mine")
    await world.do(go, BrowserInstance=browser, Url=f"file://{world.folder}/mine.html")
