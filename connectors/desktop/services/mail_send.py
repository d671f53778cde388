"""The Email module's sending: a message to an SMTP server, with attachments from the allowed folders."""

from __future__ import annotations

import mimetypes
import re
import smtplib
import socket
import ssl
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import Any, Final

from ...port import SECOND
from ..arguments import Arguments
from ..fault import fault
from ..files.file import read_whole, resolved
from ..port import Operation, Outputs, Table
from ..reach import SECONDS, address_of, trust
from ..session import Session

_FAILED: Final = "Failed to send email"
_ADDRESS: Final = re.compile(r"[^\s@<>,;\"]+@[^\s@<>,;\"]+")
_NAMED: Final = re.compile(r"\s*(?:\"?([^\"<>]*?)\"?\s*<([^<>]*)>|([^<>]*))\s*")
_TLS_PORT: Final = 465


def addresses(text: str, what: str) -> list[Address]:
    """The addresses in a text, with `,` or `;` between, `Ann <ann@example.com>` too.

    Raises Fault InvalidEmailAddressesError.
    """
    found = []
    for part in re.split(r"[;,]", text):
        match = _NAMED.fullmatch(part)
        if not part.strip():
            continue
        spec = ((match[2] or match[3] or "") if match is not None else "").strip()
        if match is None or _ADDRESS.fullmatch(spec) is None:
            raise fault("Invalid email address(es)", f"'{part.strip()}' of '{what}' is no e-mail address.")
        try:
            found.append(Address(display_name=(match[1] or "").strip(), addr_spec=spec))
        except (ValueError, HeaderParseError, IndexError) as error:
            raise fault("Invalid email address(es)", f"'{spec}' of '{what}' is no e-mail address.") from error
    return found


def _message(arguments: Arguments, session: Session) -> EmailMessage:
    message = EmailMessage()
    sender = addresses(arguments.text("SendFrom"), "From")
    if len(sender) != 1:
        raise fault("Invalid email address(es)", "A message is from one address.")
    shown = arguments.text("SenderDisplayName", "")
    try:
        message["From"] = Address(display_name=shown, addr_spec=sender[0].addr_spec) if shown else sender[0]
        for header, name in (("To", "SendTo"), ("Cc", "CC"), ("Bcc", "BCC")):
            if found := addresses(arguments.text(name, ""), header):
                message[header] = found
        message["Subject"] = " ".join(arguments.text("Subject", "").splitlines())
    except ValueError as error:
        raise fault(_FAILED, "A header of the message holds a line break.") from error
    if "To" not in message and "Cc" not in message and "Bcc" not in message:
        raise fault("Invalid email address(es)", "The message is to nobody.")
    now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=session.clock.now() * 1_000_000 // SECOND)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = make_msgid(domain=sender[0].domain)
    message.set_content(
        arguments.text("Body", ""), subtype="html" if arguments.boolean("IsBodyHtml", False) else "plain"
    )
    for path in _attachments(arguments, session):
        kind = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").split("/")
        message.add_attachment(
            read_whole(path, session, "Failed to send email"), maintype=kind[0], subtype=kind[1], filename=path.name
        )
    return message


def _attachments(arguments: Arguments, session: Session) -> list[Path]:
    if "Attachments" not in arguments:
        return []
    found = []
    for value in arguments.list("Attachments"):
        parts = [part.strip(' "') for part in value.split(";")] if isinstance(value, str) else [value]
        for part in parts:
            if part == "":
                continue
            path = resolved(part, session)
            if not path.is_file():
                raise fault("Attachment(s) not found", f"There is no file '{session.folders.shown(path)}'.")
            found.append(path)
    return found


class _Plain(smtplib.SMTP):
    """Connects to the address that was judged; the name is for the certificate."""

    def __init__(self, address: str, host: str, port: int, context: ssl.SSLContext | None) -> None:
        self._address = address
        self._tls = context
        super().__init__(host, port, timeout=SECONDS)

    def _get_socket(self, host: str, port: int, timeout: float) -> Any:
        plain = socket.create_connection((self._address, port), timeout)
        return plain if self._tls is None else self._tls.wrap_socket(plain, server_hostname=host)


def send(arguments: Arguments, session: Session) -> Outputs:
    """Email.SendEmail.Send, .AuthenticateAndSend. With SSL: from the first byte on port 465, else by STARTTLS."""
    host, port = arguments.text("SMTPServer"), arguments.integer("Port", 25)
    message = _message(arguments, session)
    address = address_of(host, port, session, _FAILED)
    secure = arguments.boolean("EnableSSL", False)
    context = trust(arguments.boolean("AcceptUntrustedCertificates", False)) if secure else None
    try:
        with _Plain(address, host, port, context if port == _TLS_PORT else None) as server:
            if context is not None and port != _TLS_PORT:
                server.starttls(context=context)
            if arguments.selector.casefold() == "authenticateandsend":
                server.login(arguments.text("Username"), arguments.text("Password", ""))
            server.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise fault(_FAILED, f"The server '{host}' refused the login ({error.smtp_code}).") from error
    except smtplib.SMTPRecipientsRefused as error:
        refused = ", ".join(error.recipients)
        raise fault(_FAILED, f"The server '{host}' takes nothing for {refused}.") from error
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error.decode("utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise fault(_FAILED, f"The server '{host}' refused the message: {error.smtp_code} {text}.") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise fault(_FAILED, f"'{host}': {_reason(error)}.") from error
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


TABLE: Table = {
    "Email.SendEmail.Send": Operation(send),
    "Email.SendEmail.AuthenticateAndSend": Operation(send),
}
