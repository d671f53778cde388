"""Browsers of a run: Chromium by Playwright, without a display, one page for each instance.

A page sees what the environment's egress policy lets it see, and no files but those of the allowed folders.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from playwright.async_api import (
    Browser,
    BrowserContext,
    Dialog,
    Locator,
    Page,
    Playwright,
    ProxySettings,
    Route,
    async_playwright,
)
from playwright.async_api import Error as PlaywrightError

from ....engine.datatypes import Datum, Item
from ...egress.connect import NameNotResolved, resolved
from ...egress.policy import EgressRefused
from ..arguments import Arguments
from ..fault import Fault, fault
from ..session import Session
from .browser_proxy import BrowserProxy
from .selectors import selectors_of

KIND: Final = "Browser"
_KEPT: Final = "browser"
_PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell", "microsoft-edge")
_FLAGS: Final = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--no-first-run",
)

SECONDS: Final = 10.0
"""How long an element is waited for where the action does not say."""
PAGE_SECONDS: Final = 60.0
"""How long a page may take to load where the action does not say."""


class Browsers:
    """The browser of a run, started with its first page. Made for one event loop; closed with the session."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._context: BrowserContext | None = None
        self._proxy: BrowserProxy | None = None

    async def page(self) -> Page:
        """A new, empty page. Raises PlaywrightError, Fault BrowserNotFoundError."""
        if self._context is None:
            self._playwright = await async_playwright().start()
            flags = [*_FLAGS, "--no-sandbox"] if _is_root() else list(_FLAGS)
            proxy = self._proxy = BrowserProxy(lambda: self._session.egress)
            way = ProxySettings(server=await proxy.start(), username=proxy.user, password=proxy.password)
            self._browser = await self._playwright.chromium.launch(
                executable_path=_program(self._session), args=flags, headless=True, proxy=way
            )
            # What a service worker asks for is shown to nobody.
            self._context = await self._browser.new_context(
                accept_downloads=True, locale=self._session.settings.culture or None, service_workers="block"
            )
            await self._context.route("**/*", self._judge)
        return await self._context.new_page()

    def pages(self) -> list[Page]:
        """The pages that are open."""
        return list(self._context.pages) if self._context is not None else []

    async def clear_cookies(self) -> None:
        if self._context is not None:
            await self._context.clear_cookies()

    async def _judge(self, route: Route) -> None:
        """Lets a request go where the policy lets it go."""
        if await self._permits(route.request.url):
            await route.continue_()
        else:
            await route.abort("blockedbyclient")

    async def _permits(self, url: str) -> bool:
        parts = urlsplit(url)
        if parts.scheme in ("data", "blob", "about"):
            return True
        if parts.scheme == "file":
            try:
                self._session.folders.checked(Path(unquote(parts.path)))
            except Fault:
                return False
            return True
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            return False
        port = parts.port or (80 if parts.scheme in ("http", "ws") else 443)
        try:
            await resolved(self._session.egress, parts.hostname, port)
        except EgressRefused:
            return False
        except NameNotResolved:
            return True  # the browser will say that it is not there
        return True

    async def aclose(self) -> None:
        """Closes the browser with all its pages."""
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        if self._proxy is not None:
            await self._proxy.aclose()
            self._proxy = None
        self._browser = self._playwright = self._context = None


class Tab:
    """One instance: a page, and how it answers dialogs that pop up."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.accepts = False
        self.dialogs: list[str] = []
        page.on("dialog", self._answer)

    async def _answer(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        if self.accepts:
            await dialog.accept()
        else:
            await dialog.dismiss()

    async def aclose(self) -> None:
        await self.page.close()


def browsers_of(session: Session) -> Browsers:
    """The run's browser; made when it is first asked for."""
    found = session.kept.get(_KEPT)
    if not isinstance(found, Browsers):
        found = session.kept[_KEPT] = Browsers(session)
        session.keep("Browsers", found)
    return found


def tab_of(arguments: Arguments, session: Session) -> Tab:
    """The open page of the argument BrowserInstance; how dialogs are answered follows from the selector."""
    tab = session.use(arguments.item("BrowserInstance", KIND), Tab)
    if tab.page.is_closed():
        raise Fault("InstanceLost", "The page was closed.", hint="Launch the browser again in an ON ERROR section.")
    button = arguments.text("DialogButton", "OK").rsplit(".", 1)[-1].casefold()
    tab.accepts = "pressdialogbutton" in arguments.selector.casefold() and button in ("ok", "yes", "open", "leave")
    return tab


def instance(tab: Tab, session: Session) -> Item:
    """The item of an open page."""
    properties: dict[str, Datum] = {
        "IsAlive": True,
        "HtmlDialogs": [],
        "DisplayRectangleX": 0,
        "DisplayRectangleY": 0,
    }
    return session.keep(KIND, tab, properties)


def milliseconds(arguments: Arguments, names: Iterable[str], seconds: float) -> float:
    """The timeout that the first of these arguments gives in seconds; 0, none at all, is the default."""
    for name in names:
        if name in arguments and arguments.number(name) > 0:
            return float(arguments.number(name)) * 1000
    return seconds * 1000


NOT_FOUND: Final = "Element with specified CSS selector not found"


async def located(
    arguments: Arguments, tab: Tab, *, name: str = "Control", state: Any = "attached", missing: str = NOT_FOUND
) -> Locator:
    """The element of an argument, once it is there.

    Raises Fault `missing` (a display name), of actions that document no error of their own for it
    ElementWithSpecifiedCSSSelectorNotFoundError; and what `selectors_of` raises.
    """
    found = [tab.page.locator(selector) for selector in selectors_of(arguments.get(name), repository(arguments))]
    one = found[0]
    for other in found[1:]:
        one = one.or_(other)
    try:
        timeout = milliseconds(arguments, ("TimeoutInSeconds", "Timeout"), SECONDS)
        await one.first.wait_for(state=state, timeout=timeout)
    except PlaywrightError as error:
        if _is_gone(error):
            raise _lost() from None
        what = f"There is no element for '{_named(arguments.get(name))}' on the page."
        raise fault(missing, what) from None
    return one.first


def repository(arguments: Arguments) -> Any:
    """The UI elements that came with the flow."""
    return arguments.get("$appmask", None)


def failed(display: str, error: PlaywrightError) -> Fault:
    """What a failure of the browser is for the flow: the action's own error, or a lost instance."""
    if _is_gone(error):
        return _lost()
    first = error.message.split("\n", 1)[0]
    return fault(display, first.removeprefix("Locator.").removeprefix("Page."))


def _is_gone(error: PlaywrightError) -> bool:
    text = error.message.lower()
    return "has been closed" in text or "target closed" in text or "crashed" in text


def _lost() -> Fault:
    return Fault("InstanceLost", "The browser is not there any more.", hint="Launch it again in an ON ERROR section.")


def _named(control: Datum) -> str:
    return control.text if isinstance(control, Item) else str(control)


def _program(session: Session) -> str | None:
    """The browser to start: the environment's choice, or one that is installed; None for Playwright's own."""
    if session.settings.browser:
        return session.settings.browser
    for name in _PROGRAMS:
        found = shutil.which(name)
        if found is not None:
            return str(Path(found))
    return None


def _is_root() -> bool:
    """Chromium's own sandbox does not work for root."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
