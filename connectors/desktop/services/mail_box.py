"""The Email module's mailboxes: messages retrieved from an IMAP server, moved, marked and deleted.

The names of most arguments are not published: those used here are the designer's labels as the language writes such
names. The body of a message is looked at by the server; attachments are saved into an allowed folder.
"""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default as policy
from email.utils import getaddresses, parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from ....engine.datatypes import Datum, Item
from ..arguments import Arguments
from ..fault import Fault, fault
from ..files.file import resolved
from ..files.held import written
from ..files.items import file_item
from ..files.unique_names import free
from ..port import Operation, Outputs, Table
from ..reach import SECONDS, address_of, trust
from ..session import Session

KIND: Final = "MailMessage"

_CONNECT: Final = "Failed to connect to IMAP server"
_LOGIN: Final = "Failed to authenticate to IMAP server"
_FOLDER: Final = "Specified mail folder doesn't exist"

MOST_MESSAGES: Final = 10_000
"""Messages that one action retrieves."""


class _Plain(imaplib.IMAP4):
    """Connects to the address that was judged; the name is for the certificate."""

    def __init__(self, address: str, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._address = address
        self._tls = context
        super().__init__(host, port, timeout=SECONDS)

    def _create_socket(self, timeout: float | None) -> Any:
        plain = socket.create_connection((self._address, self.port), timeout)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=self.host)


@contextmanager
def _connected(arguments: Arguments, session: Session, failed: str, login: str) -> Iterator[imaplib.IMAP4]:
    """A server that is logged in to. `login`: the fault of a refused login; `failed`: that of what follows."""
    host, port = arguments.text(arguments.named("IMAPServer", "ImapServer", "Server")), arguments.integer("Port", 993)
    address = address_of(host, port, session, _CONNECT)
    secure = arguments.boolean("EnableSSL", True)
    context = trust(arguments.boolean("AcceptUntrustedCertificates", False)) if secure else None
    try:
        server = _Plain(address, host, port, context)
    except (imaplib.IMAP4.error, OSError, ValueError) as error:
        raise fault(_CONNECT, f"'{host}': {_reason(error)}.") from error
    try:
        try:
            server.login(arguments.text(arguments.named("Username", "UserName")), arguments.text("Password", ""))
        except imaplib.IMAP4.error as error:
            raise fault(login, f"The server '{host}' refused the login.") from error
        yield server
        server.logout()
    except (imaplib.IMAP4.error, OSError, ValueError, EOFError) as error:
        raise fault(failed, f"'{host}': {_reason(error)}.") from error
    finally:
        try:
            server.shutdown()
        except OSError:
            pass


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _mailbox(name: str) -> str:
    """A folder's name as IMAP wants it: quoted, in its own UTF-7 (RFC 3501, 5.1.3)."""
    if any(sign in name for sign in "\r\n\0"):
        raise fault(_FOLDER, "The name of a mail folder holds no line breaks.")
    coded = re.sub(r"&|[^\x20-\x7e]+", lambda part: _utf7(part[0]), name)
    return '"' + coded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(part: str) -> str:
    if part == "&":
        return "&-"
    return "&" + part.encode("utf-7").decode().strip("+-").replace("/", ",") + "-"


def _select(server: imaplib.IMAP4, name: str, *, readonly: bool) -> None:
    status, _ = server.select(_mailbox(name), readonly)
    if status != "OK":
        raise fault(_FOLDER, f"There is no mail folder '{name}'.")


def _done(answer: tuple[str, list[Any]], failed: str) -> list[Any]:
    if answer[0] != "OK":
        raise fault(failed, "The server refused it.")
    return answer[1]


# --- retrieving


def retrieve(arguments: Arguments, session: Session) -> Outputs:
    """Email.RetrieveEmails.*: the messages of a folder that meet what is asked for, the oldest first."""
    failed = "Failed to retrieve emails"
    folder = arguments.text(arguments.named("MailFolder", "Folder"), "INBOX")
    place = _place(arguments, session)
    mark = arguments.boolean("MarkAsRead", True)
    criteria, texts = _criteria(arguments)
    with _connected(arguments, session, failed, _LOGIN) as server:
        _select(server, folder, readonly=not mark)
        found: list[Datum] = []
        for uid in _search(server, criteria, texts, failed):
            data = _done(server.uid("FETCH", uid, "(BODY.PEEK[])"), failed)
            raw = next((part[1] for part in data if isinstance(part, tuple)), None)
            if raw is None:
                continue  # it was deleted meanwhile
            found.append(_item(raw, uid, folder, place, session))
            if mark:
                _done(server.uid("STORE", uid, "+FLAGS.SILENT", "(\\Seen)"), failed)
    return {"RetrievedEmails": found}


def _place(arguments: Arguments, session: Session) -> Path | None:
    """The folder that attachments are saved into, None where they are not."""
    if not arguments.selector.casefold().endswith("saveattachments"):
        return None
    name = arguments.named("SaveAttachmentsInto", "SaveAttachmentsTo", "AttachmentsFolder")
    folder = resolved(arguments.get(name), session, write=True)
    if not folder.is_dir():
        raise fault("Failed to save attachments", f"There is no folder '{session.folders.shown(folder)}'.")
    return folder


def _criteria(arguments: Arguments) -> tuple[list[str], list[tuple[str, str]]]:
    """What is searched for: flags, and texts by what they stand in."""
    which = arguments.text(arguments.named("MailsToRetrieve", "Retrieve"), "All")
    word = which.rsplit(".", 1)[-1].casefold()
    flags = ["UNSEEN"] if "unread" in word else ["SEEN"] if "read" in word else ["ALL"]
    fields = (
        ("FROM", ("FromContains", "From")),
        ("TO", ("ToContains", "To")),
        ("SUBJECT", ("SubjectContains", "Subject")),
        ("BODY", ("BodyContains", "Body")),
    )
    texts = [(key, arguments.text(arguments.named(*names), "")) for key, names in fields]
    return flags, [(key, text) for key, text in texts if text]


def _search(server: imaplib.IMAP4, criteria: list[str], texts: list[tuple[str, str]], failed: str) -> list[str]:
    """The UIDs, smallest first. Each text is searched on its own: one literal is what a command may have here."""
    wanted: set[int] | None = None
    for key, text in texts or [("", "")]:
        if key:
            server.literal = text.encode()  # type: ignore[assignment]  # bytes are what it sends
            answer = server.uid("SEARCH", "CHARSET", "UTF-8", *criteria, key)
        else:
            answer = server.uid("SEARCH", *criteria)
        found = {int(uid) for part in _done(answer, failed) if part for uid in part.split()}
        wanted = found if wanted is None else wanted & found
    uids = sorted(wanted or ())
    if len(uids) > MOST_MESSAGES:
        raise fault(failed, f"{len(uids):,} messages were found, and at most {MOST_MESSAGES:,} are retrieved.")
    return [str(uid) for uid in uids]


def _item(raw: bytes, uid: str, folder: str, place: Path | None, session: Session) -> Item:
    message = message_from_bytes(raw, policy=policy)
    plain, html = _part(message, "plain"), _part(message, "html")
    body = html if html is not None else plain or ""
    properties: dict[str, Datum] = {
        "MailFolder": folder,
        "Uid": uid,
        "From": _header(message, "From"),
        "To": _people(message, "To"),
        "Cc": _people(message, "Cc"),
        "Date": _date(message, session),
        "Subject": _header(message, "Subject"),
        "Body": body,
        "BodyText": plain if plain is not None else _text_of(body),
        "Attachments": _saved(message, place, session),
    }
    return Item(KIND, _header(message, "Subject"), properties)


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message[name] or "")
    except (ValueError, IndexError, AttributeError, TypeError):  # a header that is none
        return ""


def _people(message: EmailMessage, name: str) -> list[Datum]:
    text = _header(message, name)
    return [f"{shown} <{address}>" if shown else address for shown, address in getaddresses([text]) if address]


def _date(message: EmailMessage, session: Session) -> datetime | None:
    try:
        when = parsedate_to_datetime(_header(message, "Date"))
    except ValueError:
        return None
    if when.tzinfo is None:
        return when
    return when.astimezone(ZoneInfo(session.settings.time_zone)).replace(tzinfo=None)


def _part(message: EmailMessage, kind: str) -> str | None:
    """The body of this kind, None where there is none that can be read."""
    try:
        part = message.get_body((kind,))
        return None if part is None else str(part.get_content()).replace("\r\n", "\n").rstrip("\n")
    except (LookupError, ValueError, AttributeError):
        return None


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style", "head"):
            self._hidden += 1
        elif tag in ("br", "p", "div", "tr", "li"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style", "head") and self._hidden:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _text_of(html: str) -> str:
    """What a reader of the page sees."""
    texts = _Texts()
    texts.feed(html)
    texts.close()
    lines = (" ".join(line.split()) for line in "".join(texts.parts).split("\n"))
    return "\n".join(lines).strip()


def _saved(message: EmailMessage, place: Path | None, session: Session) -> list[Datum]:
    if place is None:
        return []
    saved: list[Datum] = []
    for number, part in enumerate(message.iter_attachments(), 1):
        name = re.split(r"[/\\]", part.get_filename() or "")[-1].replace("\0", "").strip(" .") or f"attachment{number}"
        path = place / free(name, (each.name for each in place.iterdir()))
        try:
            content = part.get_payload(decode=True)
            data = content if isinstance(content, bytes) else part.as_bytes()
            written(session.folders, session.folders.resolve(str(path), write=True), data)
        except OSError as error:
            raise fault("Failed to save attachments", f"'{session.folders.shown(path)}': {error.strerror}.") from error
        saved.append(file_item(path, session))
    return saved


# --- processing


def process(arguments: Arguments, session: Session) -> Outputs:
    """Email.ProcessEmails.*: messages that were retrieved are deleted, moved, marked as unread, or both of these."""
    failed = "Failed to process emails"
    how = arguments.selector.casefold()
    by_folder: dict[str, list[str]] = {}
    for value in arguments.list(arguments.named("EmailsToProcess", "Emails", "EmailMessages")):
        if not isinstance(value, Item) or value.kind != KIND:
            raise Fault("ArgumentTypeError", f"{arguments.action} needs messages that were retrieved by IMAP.")
        by_folder.setdefault(str(value.get("MailFolder")), []).append(str(value.get("Uid")))
    target = _mailbox(arguments.text(arguments.named("MailFolder", "Folder"))) if how.endswith("move") else ""
    with _connected(arguments, session, failed, _CONNECT) as server:
        for folder, uids in by_folder.items():
            if not all(uid.isascii() and uid.isdigit() for uid in uids):
                raise fault(failed, "A message has a number that is none.")
            _select(server, folder, readonly=False)
            numbers = ",".join(uids)
            if how.startswith("markasunread"):
                _done(server.uid("STORE", numbers, "-FLAGS.SILENT", "(\\Seen)"), failed)
            if target:
                _done(server.uid("COPY", numbers, target), _FOLDER)
            if target or how == "delete":
                _remove(server, numbers, failed)
    return None


def _remove(server: imaplib.IMAP4, numbers: str, failed: str) -> None:
    """Deletes these and no others, where the server can (RFC 4315); else all that are marked as deleted."""
    _done(server.uid("STORE", numbers, "+FLAGS.SILENT", "(\\Deleted)"), failed)
    if "UIDPLUS" in server.capabilities:
        _done(server.uid("EXPUNGE", numbers), failed)
    else:
        _done(server.expunge(), failed)


_PROCESSES: Final = ("Delete", "MarkAsUnread", "MarkAsUnreadAndMove", "Move")

TABLE: Table = {
    # Retrieving marks as read and saves files: a message may look otherwise the second time.
    "Email.RetrieveEmails.Retrieve": Operation(retrieve),
    "Email.RetrieveEmails.RetrieveAndSaveAttachments": Operation(retrieve),
    **{f"Email.ProcessEmails.{name}": Operation(process) for name in _PROCESSES},
}
