"""The Web module: downloading, calling web services, SOAP. Under the environment's egress policy, like any call.

Cookies are the run's and go to the server that set them. Redirects are followed where the action says so; what was
given to log in goes along to the same server only. Untrusted certificates are never accepted.
"""

from __future__ import annotations

import asyncio
import base64
import re
from email.message import Message
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote, urlencode, urlsplit

import httpx

from ....engine.datatypes import DataTable, Datum, Item
from ....engine.errors import error_name
from ...http.request import Request
from ...http.transport import Answer, Transport
from ...port import ConnectorError
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..files.held import written
from ..files.items import file_item
from ..port import Operation, Outputs, Table
from ..session import Session

_KEPT: Final = "web"
_MOST_REDIRECTS: Final = 20
_AGENT: Final = "Mozilla/5.0 (compatible; Sealflow)"
_HEADER: Final = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*(.*?)\s*")


class _Web:
    """What the run keeps for its calls; closed with the session."""

    def __init__(self, session: Session) -> None:
        self.transport = Transport(session.egress)
        self.loop = asyncio.get_running_loop()
        self.cookies = httpx.Cookies()

    async def aclose(self) -> None:
        await self.transport.aclose()


def _web(arguments: Arguments, session: Session) -> _Web:
    web = session.kept.get(_KEPT)
    if not isinstance(web, _Web) or web.loop is not asyncio.get_running_loop():
        web = session.kept[_KEPT] = _Web(session)
        session.keep("Web", web)
    elif web.transport.egress != session.egress:  # the policy was changed: no connection of before is used again
        cookies, web = web.cookies, _Web(session)
        session.kept[_KEPT], web.cookies = web, cookies
        session.keep("Web", web)
    if arguments.boolean("ClearCookies", False):
        web.cookies = httpx.Cookies()
    return web


async def _send(request: Request, arguments: Arguments, session: Session, failed: str) -> tuple[Answer, str]:
    """The answer and the address that gave it. Raises Fault: `failed`, EgressRefused, TrustFailure."""
    if arguments.boolean("AcceptUntrustedCertificates", False):
        raise Fault(
            "UntrustedCertificatesNotAllowedError",
            "Certificates that are not trusted are not accepted here.",
            hint="SSL_CERT_FILE names a file of certificates to trust.",
        )
    web = _web(arguments, session)
    seconds = float(arguments.number("ConnectionTimeout", 30))
    follows = arguments.boolean("FollowRedirection", True)
    for _ in range(_MOST_REDIRECTS):
        asked = httpx.Request(request.method, request.url)
        web.cookies.set_cookie_header(asked)
        cookie = (("Cookie", asked.headers["cookie"]),) if "cookie" in asked.headers else ()
        sent = Request(request.method, request.url, request.headers + cookie, request.body)
        try:
            answer = await web.transport.send(sent, seconds=max(seconds, 0.001), limit=session.limits.response_bytes)
        except ConnectorError as failure:
            kept = failure.code in ("EgressRefused", "TrustFailure")
            raise Fault(failure.code if kept else error_name(failed), failure.message, hint=failure.hint) from failure
        web.cookies.extract_cookies(httpx.Response(answer.status, headers=answer.headers, request=asked))
        location = _header(answer, "location")
        if not (follows and answer.status in (301, 302, 303, 307, 308) and location):
            return answer, request.url
        request = _redirected(request, answer.status, location, failed)
    raise fault(failed, f"The server redirects more than {_MOST_REDIRECTS} times.")


def _redirected(request: Request, status: int, location: str, failed: str) -> Request:
    try:
        onward = request.onward(location)
    except ConnectorError as failure:
        raise fault(failed, failure.message) from failure
    if status in (307, 308) or request.method in ("GET", "HEAD"):
        same = urlsplit(onward.url)[:2] == urlsplit(request.url)[:2]
        headers = request.headers if same else onward.headers
        return Request(request.method, onward.url, headers, request.body if same else None)
    return onward


def _request(
    arguments: Arguments, method: str, headers: list[tuple[str, str]], body: bytes | None, failed: str
) -> Request:
    url = arguments.text("Url" if "Url" in arguments else "Endpoint").strip()
    if urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname:
        raise fault(failed, "The address must begin with http:// or https:// and name a server.")
    headers = [
        *headers,
        ("User-Agent", _line(arguments.text("UserAgent", "") or _AGENT)),
        ("Accept-Encoding", "gzip, deflate"),
    ]
    if "useauth" in arguments.selector.casefold() or "andauth" in arguments.selector.casefold():
        given = f"{arguments.text('UserName', '')}:{arguments.text('Password', '')}".encode()
        headers.append(("Authorization", "Basic " + base64.b64encode(given).decode()))
    return Request(method, url, tuple(headers), body)


def _line(text: str) -> str:
    return " ".join(text.split())


def _header(answer: Answer, name: str) -> str:
    return next((value.decode("latin-1") for key, value in answer.headers if key.decode("latin-1").lower() == name), "")


def _text(answer: Answer, arguments: Arguments) -> str:
    wanted = arguments.text("Encoding", "AutoDetect").rsplit(".", 1)[-1].replace("_", "-")
    if wanted.casefold() in ("autodetect", ""):
        kind = Message()
        kind["content-type"] = _header(answer, "content-type") or "text/plain"
        wanted = str(kind.get_content_charset() or "utf-8")
    try:
        return answer.data.decode(wanted, "replace")
    except (LookupError, ValueError):  # a server may name anything
        return answer.data.decode("utf-8", "replace")


# --- downloading

_DOWNLOAD: Final = "Download from web error"


async def download(arguments: Arguments, session: Session) -> Outputs:
    """Web.DownloadFromWeb.*: the text of a page, or a file."""
    how = arguments.selector.casefold()
    body, headers = None, []
    if "post" in how:
        body = urlencode(_fields(arguments)).encode()
        headers.append(("Content-Type", "application/x-www-form-urlencoded"))
    target = _target(arguments, session)
    request = _request(arguments, "POST" if "post" in how else "GET", headers, body, _DOWNLOAD)
    answer, address = await _send(request, arguments, session, _DOWNLOAD)
    if answer.status >= 400:
        raise fault(_DOWNLOAD, f"The server answered with status {answer.status}.")
    if target is None:
        return {"WebPageText": _text(answer, arguments)}
    return {"DownloadedFile": await asyncio.to_thread(_write, target, answer, address, session, _DOWNLOAD)}


def _fields(arguments: Arguments) -> list[tuple[str, str]]:
    value: Datum = arguments.get("Parameters", DataTable())
    if isinstance(value, DataTable):
        return [(_word(row[0]), _word(row[1]) if len(row) > 1 else "") for row in value.rows]
    if isinstance(value, dict):
        return [(name, _word(each)) for name, each in value.items()]
    raise Fault("ArgumentTypeError", "The parameters of a POST must be a data table of names and values.")


def _word(value: Datum) -> str:
    return Arguments({"value": value}, "Web").text("value", "")


def _target(arguments: Arguments, session: Session) -> Path | None:
    """Where the answer is to be written: a file, or a folder; judged before anything is sent."""
    for name in ("FilePath", "DestinationFile", "File"):
        if name in arguments:
            path = resolved(arguments.get(name), session, write=True)
            if not path.parent.is_dir():
                raise fault("Directory doesn't exist", f"There is no folder '{session.folders.shown(path.parent)}'.")
            return path
    for name in ("DestinationFolder", "Folder"):
        if name in arguments:
            path = resolved(arguments.get(name), session, write=True)
            if not path.is_dir():
                raise fault("Directory doesn't exist", f"There is no folder '{session.folders.shown(path)}'.")
            return path
    return None


def _write(target: Path, answer: Answer, address: str, session: Session, failed: str) -> Item:
    path = target / _name(answer, address) if target.is_dir() else target
    path = session.folders.checked(path, write=True)
    try:
        written(session.folders, path, answer.data)
    except OSError as error:
        raise fault(failed, f"'{session.folders.shown(path)}': {error.strerror}.") from error
    return file_item(path, session)


def _name(answer: Answer, address: str) -> str:
    """The name of a downloaded file: what the server says, or the end of the address. Never a path."""
    kind = Message()
    kind["content-disposition"] = _header(answer, "content-disposition")
    said = kind.get_filename("") or unquote(urlsplit(address).path.rsplit("/", 1)[-1])
    name = said.replace("\\", "/").rsplit("/", 1)[-1].strip().strip("\0")
    return name if name not in ("", ".", "..") else "download"


# --- calling services

_INVOKE: Final = "Invoke web service error"


async def invoke(arguments: Arguments, session: Session) -> Outputs:
    """Web.InvokeWebService.*"""
    method = _method(arguments)
    headers = [("Accept", _line(arguments.text("Accept", "application/xml")))]
    body = None
    text = arguments.text("RequestBody", "")
    if arguments.boolean("TrimRequestBody", True):
        text = text.strip()
    if text and method not in ("GET", "HEAD"):
        encodes = arguments.boolean("EncodeRequestBody", True)
        body = (quote(text, safe="=&+%") if encodes and _is_form(arguments) else text).encode()
    if body is not None:
        headers.append(("Content-Type", _line(arguments.text("ContentType", "application/xml"))))
    return await _called(method, [*headers, *_custom(arguments)], body, arguments, session)


def _method(arguments: Arguments) -> str:
    """What the argument says; the latest designers write it at the end of the action's name."""
    told = next((word for word in ("Post", "Put") if arguments.selector.casefold().endswith(word.lower())), "Get")
    return arguments.text("Method", told).rsplit(".", 1)[-1].upper()


def _is_form(arguments: Arguments) -> bool:
    return "x-www-form-urlencoded" in arguments.text("ContentType", "").lower()


async def soap(arguments: Arguments, session: Session) -> Outputs:
    """Web.InvokeSoapService.*"""
    headers = [("Content-Type", "text/xml; charset=utf-8"), ("Accept", "text/xml"), *_custom(arguments)]
    return await _called("POST", headers, arguments.text("RequestBody", "").encode(), arguments, session)


async def _called(
    method: str, headers: list[tuple[str, str]], body: bytes | None, arguments: Arguments, session: Session
) -> Outputs:
    target = _target(arguments, session)
    answer, address = await _send(_request(arguments, method, headers, body, _INVOKE), arguments, session, _INVOKE)
    if answer.status >= 400 and arguments.boolean("FailOnErrorStatus", False):
        raise fault(_INVOKE, f"The server answered with status {answer.status}.")
    told: list[Datum] = [f"{name.decode('latin-1')}: {value.decode('latin-1')}" for name, value in answer.headers]
    outputs: dict[str, Datum] = {"ResponseHeaders": told, "StatusCode": answer.status}
    if target is None:
        outputs["Response"] = _text(answer, arguments)
    else:
        outputs["DownloadedFile"] = await asyncio.to_thread(_write, target, answer, address, session, _INVOKE)
    return outputs


def _custom(arguments: Arguments) -> list[tuple[str, str]]:
    found = []
    for line in arguments.text("CustomHeaders", "").splitlines():
        if not line.strip():
            continue
        match = _HEADER.fullmatch(line)
        if match is None:
            raise fault("Invalid header in custom headers", "A header is written as `name: value`, one in a line.")
        found.append((match.group(1), match.group(2)))
    return found


_DOWNLOADS: Final = tuple(
    f"Download{where}{how}"
    for where in ("", "ToFile", "ToFolder")
    for how in ("", "UseAuth", "UsePost", "UsePostAndAuth")
)
_INVOKES: Final = tuple(
    f"InvokeWebService{auth}{to}{how}"
    for auth in ("", "UseAuth")
    for to in ("", "SaveToFile", "SaveToFolder")
    for how in ("", "Post", "Put")
)

TABLE: Table = {
    **{f"Web.DownloadFromWeb.{name}": Operation(download) for name in _DOWNLOADS},
    **{f"Web.InvokeWebService.{name}": Operation(invoke) for name in _INVOKES},
    "Web.InvokeSoapService.InvokeSoapService": Operation(soap),
    "Web.InvokeSoapService.InvokeSoapServiceUseAuth": Operation(soap),
}
