"""The WebAutomation module: pages opened, clicked, filled in and looked at."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from ....engine.datatypes import Datum, from_float
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..files.held import opened, written
from ..files.items import file_item
from ..port import Handler, Operation, Outputs, Table, reads
from ..session import Session
from .browser import PAGE_SECONDS, Tab, browsers_of, failed, instance, located, milliseconds, tab_of

_TRIES: Final = 5
"""How often an address is gone to where the page is still on its way to another one."""

_WAITS: Final = ("WaitForPageToLoadTimeout", "Timeout", "TimeoutInSeconds")


def _url(arguments: Arguments) -> str:
    text = arguments.text("Url").strip()
    if "://" not in text and not text.startswith(("about:", "data:")):
        text = "http://" + text
    try:
        parts = urlsplit(text)
        served = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        served = False
    if served or text.startswith("file://") or text == "about:blank":
        return text
    raise fault("Invalid URL", "The address must begin with http:// or https:// and name a server.")


async def _open(tab: Tab, url: str, arguments: Arguments, display: str) -> None:
    """Goes to an address. A page that does not finish loading in time is there all the same."""
    timeout = milliseconds(arguments, _WAITS, PAGE_SECONDS)
    nowait = arguments.selector.casefold().endswith("nowait")
    until: Literal["commit", "load"] = "commit" if nowait else "load"
    try:
        await _arrive(tab, url, until, timeout)
    except PlaywrightTimeout:
        raise fault(display, "The page has not loaded in time.") from None
    except PlaywrightError as error:
        raise failed(display, error) from None


async def _arrive(tab: Tab, url: str, until: Literal["commit", "load"], timeout: float) -> None:
    """Goes to an address. What the page was still doing, such as showing that the last address did not load, may
    interrupt that, and be interrupted in turn.
    """
    for left in reversed(range(_TRIES)):
        try:
            await tab.page.goto(url, timeout=timeout, wait_until=until)
            return
        except PlaywrightError as error:
            _, interrupted, by = error.message.partition("interrupted by another navigation")
            if interrupted and f'"{url}"' in by:  # by the way to the very same address
                await tab.page.wait_for_url(url, timeout=timeout, wait_until=until)
                return
            if not left or not interrupted:
                raise
        await tab.page.wait_for_load_state("load", timeout=timeout)


async def launch(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.LaunchEdge.*, LaunchChrome.*, LaunchFirefox.*: all are the one browser that is here."""
    module = arguments.action.split(".")[1].removeprefix("Launch")
    display = f"Failed to launch {module}"
    url = _url(arguments) if arguments.text("Url", "") else "about:blank"
    browsers = browsers_of(session)
    try:
        if arguments.boolean("ClearCookies", False):
            await browsers.clear_cookies()
        tab = Tab(await browsers.page())
    except PlaywrightError as error:
        first = error.message.split("\n", 1)[0]
        raise Fault(
            fault(display, "").name, first, hint="Install Chromium, or name it in the environment's desktop settings."
        ) from None
    await _open(tab, url, arguments, display)
    return {"BrowserInstance": instance(tab, session)}


async def attach(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.Launch*.AttachTo*: a page that this run has open, by its title or address."""
    wanted_title = arguments.text("TabTitle", "").casefold()
    wanted_url = arguments.text("TabUrl", "").casefold()
    for page in reversed(browsers_of(session).pages()):
        title = (await page.title()).casefold() if wanted_title else ""
        if wanted_title in title and wanted_url in page.url.casefold():
            return {"BrowserInstance": instance(Tab(page), session)}
    module = arguments.action.split(".")[1].removeprefix("Launch")
    display = f"Failed to launch {module}"
    raise fault(display, "This run has no page open that is meant.")


async def new_tab(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.CreateNewTab.*"""
    tab_of(arguments, session)
    url = _url(arguments)
    tab = Tab(await browsers_of(session).page())
    await _open(tab, url, arguments, "Failed to create new tab")
    return {"NewBrowserInstance": instance(tab, session)}


async def close(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.CloseWebBrowser."""
    tab = tab_of(arguments, session)
    session.drop(arguments.item("BrowserInstance", "Browser"))
    await tab.aclose()
    return None


async def go_to(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.GoToWebPage.*: to an address, back, forward, or again."""
    tab, how = tab_of(arguments, session), arguments.selector.casefold()
    display = "Failed to navigate to web page"
    if how.startswith("gotowebpage"):
        await _open(tab, _url(arguments), arguments, display)
        return None
    timeout = milliseconds(arguments, _WAITS, PAGE_SECONDS)
    try:
        if how.startswith("navigateback"):
            await tab.page.go_back(timeout=timeout)
        elif how.startswith("navigateforward"):
            await tab.page.go_forward(timeout=timeout)
        else:
            await tab.page.reload(timeout=timeout)
    except PlaywrightError as error:
        raise failed(display, error) from None
    return None


# --- doing something with an element


def _on_element(
    display: str, work: Callable[[Any, Arguments, Tab], Awaitable[None]], *, state: str = "visible"
) -> Handler:
    """An action that finds its element and does something with it."""

    async def perform(arguments: Arguments, session: Session) -> Outputs:
        tab = tab_of(arguments, session)
        element = await located(arguments, tab, state=state)
        try:
            await work(element, arguments, tab)
            if not arguments.selector.casefold().endswith("nowait"):
                await tab.page.wait_for_load_state("load", timeout=milliseconds(arguments, _WAITS, PAGE_SECONDS))
        except PlaywrightError as error:
            raise failed(display, error) from None
        return None

    return perform


async def _click(element: Any, arguments: Arguments, tab: Tab) -> None:
    kind = arguments.text("ClickType", "LeftClick").rsplit(".", 1)[-1].casefold()
    if kind == "doubleclick":
        await element.dblclick()
    else:
        await element.click(button={"rightclick": "right", "middleclick": "middle"}.get(kind, "left"))


async def _press(element: Any, arguments: Arguments, tab: Tab) -> None:
    await element.click()


async def _populate(element: Any, arguments: Arguments, tab: Tab) -> None:
    text = arguments.text("Text", "")
    append = arguments.text("Mode", "Replace").rsplit(".", 1)[-1].casefold() in ("append", "appendtext")
    if append:
        text = await element.input_value() + text
    if arguments.boolean("EmulateTyping", False):
        await element.fill("")
        await element.press_sequentially(text)
    else:
        await element.fill(text)
    if arguments.boolean("UnfocusAfterPopulate", False):
        await element.blur()


async def _focus(element: Any, arguments: Arguments, tab: Tab) -> None:
    await element.focus()


async def _hover(element: Any, arguments: Arguments, tab: Tab) -> None:
    await element.hover()


async def _check_box(element: Any, arguments: Arguments, tab: Tab) -> None:
    state = arguments.text("CheckBoxState", "Checked").rsplit(".", 1)[-1].casefold()
    await element.set_checked(state == "checked")


async def _radio(element: Any, arguments: Arguments, tab: Tab) -> None:
    await element.check()


async def _drop_down(element: Any, arguments: Arguments, tab: Tab) -> None:
    how = arguments.selector.casefold()
    if how.startswith("clear"):
        await element.evaluate(
            "(e) => { e.selectedIndex = -1; e.dispatchEvent(new Event('change', {bubbles: true})); }"
        )
    elif "byindex" in how:
        named = "OptionIndices" if "OptionIndices" in arguments else "OptionIndex"
        numbers = [int(str(each)) - 1 for each in _several(arguments, named)]
        await element.select_option(index=numbers)
    else:
        names = [
            str(each) for each in _several(arguments, _given(arguments, "OptionNames", "OptionsNames", "OptionName"))
        ]
        if arguments.boolean(_given(arguments, "UseRegularExpressions", "UseRegularExpression"), False):
            names = await element.evaluate(_LIKE, names) or names
        await element.select_option(label=names)


_LIKE: Final = """(box, patterns) => [...box.options].map(option => option.label)
    .filter(label => patterns.some(pattern => new RegExp(pattern).test(label)))"""


def _given(arguments: Arguments, *names: str) -> str:
    """The first of an argument's spellings that is given, or the last."""
    return next((name for name in names if name in arguments), names[-1])


def _several(arguments: Arguments, name: str) -> list[Datum]:
    value = arguments.get(name)
    return list(value) if isinstance(value, list) else [*(str(value).splitlines() or [""])]


async def download(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.ClickDownloadLink: what comes is kept in the folder, under the name that is suggested."""
    folder = resolved(arguments.get("DestinationFolder"), session, write=True)
    tab = tab_of(arguments, session)
    element = await located(arguments, tab)
    try:
        async with tab.page.expect_download(timeout=milliseconds(arguments, _WAITS, PAGE_SECONDS)) as waiting:
            await element.click()
        coming = await waiting.value
        name = Path(coming.suggested_filename.replace("\\", "/")).name or "download"
        path = session.folders.checked(folder / name, write=True)
        came = await coming.path()
    except PlaywrightError as error:
        raise failed("Failed to download file", error) from None
    try:
        await asyncio.to_thread(_kept, came, path, session)
    except OSError as error:
        raise fault("Failed to save file", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return {"DownloadedFile": file_item(path, session)}


def _kept(came: Path, path: Path, session: Session) -> None:
    """What the browser has downloaded to a place of its own, in the flow's."""
    with came.open("rb") as read, opened(session.folders, path, "wb") as out:
        shutil.copyfileobj(read, out, 1 << 20)


# --- looking


async def details_of_element(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.GetDetailsOfElement: its text, or an attribute."""
    tab, failing = tab_of(arguments, session), "Failed to retrieve attribute of web page UI element"
    element = await located(arguments, tab, missing=failing)
    try:
        return {"AttributeValue": await attribute(element, arguments.text("AttributeName", "Own Text"))}
    except PlaywrightError as error:
        raise failed(failing, error) from None


async def attribute(element: Any, name: str) -> str:
    """What an element says of itself, by the designer's names or those of HTML."""
    plain = name.strip().casefold()
    if plain in ("", "own text", "owntext", "innertext", "text"):
        tag = await element.evaluate("(e) => e.tagName")
        if tag in ("INPUT", "TEXTAREA") and plain != "innertext":
            return str(await element.input_value())
        return str(await element.inner_text()).strip()
    if plain in ("exists", "source link", "href"):
        return "True" if plain == "exists" else str(await element.evaluate("(e) => e.href || e.src || ''"))
    if plain == "title":
        return str(await element.get_attribute("title") or "")
    if plain in ("innerhtml", "outerhtml", "value", "checked"):
        found = await element.evaluate(
            "(e, n) => ({innerhtml: e.innerHTML, outerhtml: e.outerHTML, value: e.value, checked: e.checked})[n]", plain
        )
        return "" if found is None else "True" if found is True else "False" if found is False else str(found)
    return str(await element.get_attribute(name) or "")


async def details_of_page(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.GetDetailsOfWebPage."""
    page = tab_of(arguments, session).page
    kind = arguments.text("DetailsType", "Title").rsplit(".", 1)[-1].casefold()
    try:
        if kind in ("text", "webpagetext"):
            value = await page.inner_text("body")
        elif kind in ("source", "webpagesource"):
            value = await page.content()
        elif kind in ("urladdress", "url"):
            value = page.url
        elif kind in ("description", "keywords", "metakeywords"):
            name = "description" if kind == "description" else "keywords"
            value = await page.evaluate("(n) => document.querySelector(`meta[name=${n}]`)?.content || ''", name)
        else:
            value = await page.title()
    except PlaywrightError as error:
        raise failed("Failed to get details of web page", error) from None
    return {"Details": str(value), "WebPageProperty": str(value)}


async def contains(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.IfWebPageContains.*, WaitForWebPageContent.*: as the page stands now."""
    tab, how = tab_of(arguments, session), arguments.selector.casefold()
    try:
        if how.endswith("text"):
            there = arguments.text("Text") in await tab.page.inner_text("body")
        else:
            from .browser import repository
            from .selectors import selectors_of

            selectors = selectors_of(arguments.get("Control"), repository(arguments))
            there = any([await tab.page.locator(selector).count() for selector in selectors])
    except PlaywrightError as error:
        raise failed("Failed to communicate with browser", error) from None
    return {"Condition": there != ("not" in how)}


async def run_javascript(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.ExecuteJavascript: the function ExecuteScript, and what it returns as text."""
    tab = tab_of(arguments, session)
    code = arguments.text("Javascript")
    try:
        value = await tab.page.evaluate(
            "(code) => (0, eval)('(() => {' + code + '; return ExecuteScript(); })()')", code
        )
    except PlaywrightError as error:
        raise failed("Failed to run JavaScript", error) from None
    return {"Result": _plain(value)}


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return format(from_float(value), "f") if value == value and abs(value) != float("inf") else str(value)
    if isinstance(value, (dict, list)):
        import json

        return json.dumps(value, ensure_ascii=False)
    return str(value)


async def screenshot(arguments: Arguments, session: Session) -> Outputs:
    """WebAutomation.TakeScreenshot.*: of the page or an element, into a file or the clipboard."""
    tab, how = tab_of(arguments, session), arguments.selector.casefold()
    saves = how.endswith("savetofile")
    path = resolved(arguments.get("File"), session, write=True) if saves else None
    kind = "jpeg" if arguments.text("FileFormat", "Png").rsplit(".", 1)[-1].casefold() in ("jpg", "jpeg") else "png"
    try:
        if "ofelement" in how:
            data = await (await located(arguments, tab)).screenshot(type=kind)  # type: ignore[arg-type]
        else:
            data = await tab.page.screenshot(type=kind)  # type: ignore[arg-type]
    except PlaywrightError as error:
        raise failed("Failed to retrieve screenshot", error) from None
    if path is None:
        session.kept["clipboard-image"] = data
        return None
    try:
        written(session.folders, path, data)
    except OSError as error:
        raise fault("Failed to save file", f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return {"ImageFile": file_item(path, session)}


async def last_look(session: Session) -> bytes | None:
    """A picture of the page that was opened last, for a run that has failed; None where there is none."""
    pages = [page for page in browsers_of(session).pages() if not page.is_closed()] if "browser" in session.kept else []
    if not pages:
        return None
    try:
        return await pages[-1].screenshot(type="png", timeout=5_000)
    except PlaywrightError:
        return None


def _variants(action: str, base: str, operation: Operation) -> dict[str, Operation]:
    """An action with its ways of treating dialogs."""
    ways = ("", "CloseDialog", "NoWait", "PressDialogButton")
    return {f"WebAutomation.{action}.{base}{way}": operation for way in ways}


def _act(display: str, work: Callable[[Any, Arguments, Tab], Awaitable[None]], *, state: str = "visible") -> Operation:
    return Operation(_on_element(display, work, state=state))


_POPULATE: Final = _act("Failed to write in text field", _populate)
_PRESS: Final = _act("Failed to click web page button", _press)
_DROP: Final = _act("Failed to set selected option(s)", _drop_down, state="attached")
_LAUNCHES: Final = {"Edge": "LaunchEdge", "Chrome": "LaunchChrome", "Firefox": "LaunchFirefox"}

TABLE: Table = {
    **{
        name: operation
        for browser, base in _LAUNCHES.items()
        for driver in ("", "WithDriver")
        for name, operation in _variants(f"Launch{browser}", f"{base}{driver}", Operation(launch)).items()
        for name in (name, f"{name}CustomProfile")
    },
    **{
        f"WebAutomation.Launch{browser}.{way}": reads(attach)
        for browser in _LAUNCHES
        for way in (
            f"AttachTo{browser}ByTitle",
            f"AttachTo{browser}ByUrl",
            f"AttachToForeground{browser}",
            f"AttachToTheForeground{browser}",
        )
    },
    **_variants("CreateNewTab", "CreateNewTab", Operation(new_tab)),
    "WebAutomation.CloseWebBrowser": Operation(close),
    **{
        name: operation
        for base in ("GoToWebPage", "NavigateBack", "NavigateForward", "ReloadWebPage")
        for name, operation in _variants("GoToWebPage", base, Operation(go_to)).items()
    },
    **_variants("Click", "Click", _act("Failed to click UI element", _click)),
    **_variants("PressButton", "PressButton", _PRESS),
    "WebAutomation.FormFilling.PressButton": _PRESS,
    **_variants("PopulateTextField", "PopulateTextField", _POPULATE),
    **{
        f"WebAutomation.PopulateTextField.PopulateTextField{way}UsePhysicalKeyboard": _POPULATE
        for way in ("", "CloseDialog", "NoWait", "PressDialogButton")
    },
    "WebAutomation.FormFilling.PopulateTextField": _POPULATE,
    **_variants("Focus", "Focus", _act("Failed to set input focus on a text field of web page", _focus)),
    "WebAutomation.HoverOverElement": _act("Failed to hover element", _hover),
    **_variants("SetCheckboxState", "SetCheckboxState", _act("Failed to set checkbox state", _check_box)),
    **_variants("SelectRadioButton", "SelectRadioButton", _act("Failed to select radio button", _radio)),
    **{
        name: operation
        for base in ("ClearDropDownListValue", "SetDropDownListValueByIndex", "SetDropDownListValueByName")
        for name, operation in _variants("SetDropDownListValue", base, _DROP).items()
    },
    "WebAutomation.ClickDownloadLink": Operation(download),
    "WebAutomation.GetDetailsOfElement": reads(details_of_element),
    "WebAutomation.DataExtraction.GetDetailsOfElement": reads(details_of_element),
    "WebAutomation.GetDetailsOfWebPage": reads(details_of_page),
    **{
        f"WebAutomation.IfWebPageContains.WebPage{way}": reads(contains)
        for way in ("ContainsElement", "ContainsText", "DoesNotContainElement", "DoesNotContainText")
    },
    **{
        f"WebAutomation.WaitForWebPageContent.WebPageTo{way}": reads(contains)
        for way in ("ContainElement", "ContainText", "NotContainElement", "NotContainText")
    },
    "WebAutomation.ExecuteJavascript": Operation(run_javascript),
    **{
        f"WebAutomation.TakeScreenshot.TakeScreenshot{way}": Operation(screenshot)
        for way in ("", "OfElement", "OfElementSaveToFile", "SaveToFile")
    },
}
