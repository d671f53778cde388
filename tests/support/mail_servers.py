"""Mail servers on loopback for tests: SMTP (aiosmtpd), and a small stand-in of IMAP4rev1 that keeps its messages."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword

USER, PASSWORD = "ann", "open sesame"


class Postbox:
    """What an SMTP server was sent."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        if any(recipient.startswith("nobody@") for recipient in envelope.rcpt_tos):
            return "554 nobody lives here"
        self.envelopes.append(envelope)
        return "250 OK"

    def only(self) -> EmailMessage:
        """The only message. A method: the server looks at all properties of its handler."""
        (envelope,) = self.envelopes
        content = envelope.content
        assert isinstance(content, bytes)
        return message_from_bytes(content, policy=default)


@asynccontextmanager
async def smtp_server(
    box: Postbox, context: ssl.SSLContext | None = None, *, login: bool = False
) -> AsyncIterator[int]:
    """An SMTP server; its port. With a context it wants STARTTLS."""

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    def made() -> SMTP:
        return SMTP(
            box,
            hostname="localhost",
            tls_context=context,
            require_starttls=context is not None,
            authenticator=authenticate,
            auth_required=login,
            auth_require_tls=context is not None,
            loop=asyncio.get_running_loop(),
        )

    server = await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Kept:
    uid: int
    raw: bytes
    flags: set[str] = field(default_factory=set)


class Mailboxes:
    """The messages by folder. Understands what the module says, and nothing else."""

    def __init__(self, *, uidplus: bool = True) -> None:
        self.folders: dict[str, list[Kept]] = {"INBOX": [], "Done": [], "Gel&APY-scht": []}
        self.uidplus = uidplus
        self._next = 1

    def put(self, folder: str, raw: bytes, *flags: str) -> None:
        self.folders[folder].append(Kept(self._next, raw, set(flags)))
        self._next += 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK ready\r\n")
        selected: list[Kept] = []
        try:
            while line := (await reader.readline()).decode():
                tag, _, command = line.rstrip("\r\n").partition(" ")
                literal = b""
                if (found := re.search(r"\{(\d+)\}$", command)) is not None:
                    writer.write(b"+ go on\r\n")
                    literal = await reader.readexactly(int(found[1]))
                    await reader.readline()
                word = command.upper()
                answer = "OK done"
                if word == "CAPABILITY":
                    writer.write(b"* CAPABILITY IMAP4rev1" + (b" UIDPLUS" if self.uidplus else b"") + b"\r\n")
                elif word.startswith("LOGIN"):
                    answer = "OK in" if command == f'LOGIN {USER} "{PASSWORD}"' else "NO wrong"
                elif word.startswith(("SELECT", "EXAMINE")):
                    name = command.split(" ", 1)[1].strip('"')
                    selected = self.folders.get(name, [])
                    answer = "OK done" if name in self.folders else "NO no such mailbox"
                    writer.write(f"* {len(selected)} EXISTS\r\n".encode())
                elif word.startswith("UID SEARCH"):
                    uids = " ".join(str(each.uid) for each in selected if _met(each, word, literal))
                    writer.write(f"* SEARCH {uids}\r\n".encode())
                elif word.startswith("UID FETCH"):
                    for each in selected:
                        if str(each.uid) == word.split()[2]:
                            writer.write(f"* 1 FETCH (UID {each.uid} BODY[] {{{len(each.raw)}}}\r\n".encode())
                            writer.write(each.raw + b")\r\n")
                elif word.startswith("UID"):
                    answer = self._change(command, selected)
                elif word == "EXPUNGE":
                    selected[:] = [each for each in selected if "\\Deleted" not in each.flags]
                writer.write(f"{tag} {answer}\r\n".encode())
                if word == "LOGOUT":
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()

    def _change(self, command: str, selected: list[Kept]) -> str:
        _, verb, numbers, *rest = command.split(" ", 3)
        chosen = [each for each in selected if str(each.uid) in numbers.split(",")]
        if verb == "STORE":
            sign, flag = rest[0][0], rest[0].split("(")[1].rstrip(")")
            for each in chosen:
                (each.flags.add if sign == "+" else each.flags.discard)(flag)
        elif verb == "COPY":
            name = rest[0].strip('"')
            if name not in self.folders:
                return "NO [TRYCREATE] no such mailbox"
            for each in chosen:
                self.put(name, each.raw, *each.flags)
        elif verb == "EXPUNGE":
            selected[:] = [each for each in selected if each not in chosen or "\\Deleted" not in each.flags]
        return "OK done"


def _met(kept: Kept, word: str, literal: bytes) -> bool:
    if "UNSEEN" in word and "\\Seen" in kept.flags:
        return False
    if " SEEN" in word and "\\Seen" not in kept.flags:
        return False
    if not literal:
        return True
    message = message_from_bytes(kept.raw, policy=default)
    field = re.search(r"(FROM|TO|SUBJECT|BODY)", word)
    assert field is not None
    body = message.get_body(("plain", "html"))
    text = str(body.get_content() if body is not None else "") if field[1] == "BODY" else str(message[field[1]])
    return literal.decode().casefold() in text.casefold()


@asynccontextmanager
async def imap_server(boxes: Mailboxes, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """An IMAP server; its port."""
    server = await asyncio.start_server(boxes.serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
