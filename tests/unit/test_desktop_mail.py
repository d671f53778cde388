"""The Email module against mail servers on loopback."""

from __future__ import annotations

import ssl
from datetime import datetime
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from desktop_world import World
from mail_servers import PASSWORD, USER, Mailboxes, Postbox, imap_server, smtp_server
from sealflow.connectors.desktop.fault import Fault
from sealflow.connectors.desktop.services.mail_send import addresses
from sealflow.engine.datatypes import Datum, Item

MAIL: dict[str, Datum] = {"SendFrom": "me@example.com", "SendTo": "ann@example.com; Bob <bob@example.com>"}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def box() -> Postbox:
    return Postbox()


def certified(world: World, monkeypatch: pytest.MonkeyPatch, *, trusted: bool = True) -> ssl.SSLContext:
    """A server's context whose certificate the module trusts."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(world.outside / "ca.pem")
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(world.outside / "ca.pem"))
    return context


async def test_a_message_with_everything(world: World, box: Postbox) -> None:
    file = world.file("données.csv", "1,2")
    async with smtp_server(box) as port:
        await world.do(
            "Email.SendEmail.Send", **MAIL, SMTPServer="127.0.0.1", Port=port, SenderDisplayName="Mé, myself",
            CC="cy@example.com", BCC="dora@example.com", Subject="Hällo\nworld", Body="<b>hi</b> ☃", IsBodyHtml=True,
            Attachments=[str(file)],
        )  # fmt: skip
    message, envelope = box.only(), box.envelopes[0]
    assert message["From"] == '"Mé, myself" <me@example.com>'
    assert message["To"] == "ann@example.com, Bob <bob@example.com>"
    assert (message["Cc"], message["Bcc"], message["Subject"]) == ("cy@example.com", None, "Hällo world")
    assert message["Date"] == "Sun, 01 Mar 2026 10:20:30 +0000"
    assert sorted(envelope.rcpt_tos) == ["ann@example.com", "bob@example.com", "cy@example.com", "dora@example.com"]
    body = message.get_body()
    assert body is not None
    assert (body.get_content_type(), body.get_content()) == ("text/html", "<b>hi</b> ☃\r\n")
    (attachment,) = message.iter_attachments()
    assert (attachment.get_filename(), attachment.get_content()) == ("données.csv", "1,2")


async def test_a_login_under_tls(world: World, box: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    context = certified(world, monkeypatch)
    login: dict[str, Datum] = {**MAIL, "SMTPServer": "localhost", "EnableSSL": True, "Username": USER}
    async with smtp_server(box, context, login=True) as port:
        action = "Email.SendEmail.AuthenticateAndSend"
        await world.do(action, **login, Port=port, Password=PASSWORD, Body="hi", Attachments="")
        failure = await world.fails("FailedToSendEmailError", action, **login, Port=port, Password="s3cret")
        await world.fails("FailedToSendEmailError", "Email.SendEmail.Send", **(login | {"EnableSSL": False}), Port=port)
    assert "s3cret" not in str(failure)
    assert box.only().get_content() == "hi\r\n"


async def test_certificates_are_judged(world: World, box: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    context = certified(world, monkeypatch, trusted=False)
    async with smtp_server(box, context) as port:
        mail: dict[str, Datum] = {**MAIL, "SMTPServer": "localhost", "Port": port, "EnableSSL": True}
        failure = await world.fails("FailedToSendEmailError", "Email.SendEmail.Send", **mail)
        assert "certificate" in failure.message
        await world.do("Email.SendEmail.Send", **mail, AcceptUntrustedCertificates=True)
    assert len(box.envelopes) == 1


async def test_messages_that_are_not_sent(world: World, box: Postbox) -> None:
    action, server = "Email.SendEmail.Send", {"SMTPServer": "127.0.0.1"}
    async with smtp_server(box) as port:
        mail: dict[str, Datum] = {**MAIL, **server, "Port": port}
        await world.fails("InvalidEmailAddressesError", action, **(mail | {"SendTo": "ann"}))
        await world.fails("InvalidEmailAddressesError", action, **(mail | {"SendTo": " ; "}))
        await world.fails("InvalidEmailAddressesError", action, **(mail | {"SendFrom": "a@b.c, d@e.f"}))
        await world.fails("InvalidEmailAddressesError", action, **(mail | {"CC": "a@b\r\nBcc: x@y"}))
        await world.fails("AttachmentsNotFoundError", action, **mail, Attachments="C:\\no.txt")
        await world.fails("AccessDeniedError", action, **mail, Attachments="/etc/passwd")
        refused = await world.fails("FailedToSendEmailError", action, **(mail | {"SendTo": "nobody@example.com"}))
        assert "nobody lives here" in refused.message
    await world.fails("FailedToSendEmailError", action, **mail)
    await world.fails("EgressRefused", action, **(mail | {"SMTPServer": "169.254.169.254"}))
    assert box.envelopes == []


@pytest.mark.parametrize("text", ["a", "a@", "@b", "a b@c.d", "<a@b.c", "a@b@c", "A <a>"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(Fault, match="is no e-mail address"):
        addresses(text, "To")


def letter(subject: str, sender: str = "ann@example.com", body: str = "plain", html: str = "") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, "Me <me@example.com>, you@example.com", subject
    message["Date"] = "Sun, 01 Mar 2026 10:20:30 +0200"
    message.set_content(html or body, subtype="html" if html else "plain")
    return message


@pytest.fixture
def boxes() -> Mailboxes:
    boxes = Mailboxes()
    boxes.put("INBOX", letter("Invoice é", body="total 5").as_bytes(), "\\Seen")
    rich = letter("Report", "bob@example.com", html="<head><style>x</style></head><p>One</p><br>two &amp; three")
    rich.add_attachment(b"1,2", maintype="text", subtype="csv", filename="../../evil.csv")
    rich.add_attachment("second", filename="evil.csv")
    boxes.put("INBOX", rich.as_bytes())
    boxes.put("INBOX", b"no headers at all\xff", "\\Seen")
    return boxes


def account(port: int, **more: Datum) -> dict[str, Datum]:
    login: dict[str, Datum] = {"IMAPServer": "localhost", "Port": port, "Username": USER, "Password": PASSWORD}
    return {**login, "EnableSSL": False, **more}


async def retrieved(world: World, port: int, **more: Datum) -> list[Item]:
    done = (await world.do("Email.RetrieveEmails.Retrieve", **account(port, **more)))["RetrievedEmails"]
    assert isinstance(done, list)
    return done


async def test_retrieving(world: World, boxes: Mailboxes) -> None:
    async with imap_server(boxes) as port:
        first, second, third = await retrieved(world, port, MarkAsRead=False)
        assert first.properties == {
            "MailFolder": "INBOX", "Uid": "1", "From": "ann@example.com", "Subject": "Invoice é",
            "To": ["Me <me@example.com>", "you@example.com"], "Cc": [], "Date": datetime(2026, 3, 1, 8, 20, 30),
            "Body": "total 5", "BodyText": "total 5", "Attachments": [],
        }  # fmt: skip
        assert (first.kind, first.text) == ("MailMessage", "Invoice é")
        assert second.get("BodyText") == "One\n\ntwo & three".replace("\n\n", "\n")
        assert str(second.get("Body")).startswith("<head>")
        assert third.get("Date") is None
        assert [each.flags for each in boxes.folders["INBOX"]] == [{"\\Seen"}, set(), {"\\Seen"}]
        unread = await retrieved(world, port, MailsToRetrieve="Email.RetrieveMessagesMode.Unread")
        assert [each.text for each in unread] == ["Report"]
        assert all("\\Seen" in each.flags for each in boxes.folders["INBOX"])
        assert await retrieved(world, port, MailsToRetrieve="Email.RetrieveMessagesMode.Unread") == []
        assert len(await retrieved(world, port, MailsToRetrieve="Email.RetrieveMessagesMode.Read")) == 3
        assert [each.text for each in await retrieved(world, port, SubjectContains="É", FromContains="ann")] == [
            "Invoice é"
        ]
        assert await retrieved(world, port, SubjectContains="É", FromContains="bob") == []
        assert [each.get("Uid") for each in await retrieved(world, port, BodyContains="total 5")] == ["1"]
        assert await retrieved(world, port, MailFolder="Gelöscht") == []
        await world.fails(
            "SpecifiedMailFolderDoesntExistError", "Email.RetrieveEmails.Retrieve", **account(port, MailFolder="None")
        )


async def test_attachments_are_saved(world: World, boxes: Mailboxes) -> None:
    action = "Email.RetrieveEmails.RetrieveAndSaveAttachments"
    async with imap_server(boxes) as port:
        done = await world.do(action, **account(port, SaveAttachmentsInto="C:\\", SubjectContains="Report"))
        await world.fails("FailedToSaveAttachmentsError", action, **account(port, SaveAttachmentsInto="C:\\no"))
        await world.fails("AccessDeniedError", action, **account(port, SaveAttachmentsInto=str(world.outside)))
    mails = done["RetrievedEmails"]
    assert isinstance(mails, list)
    (mail,) = mails
    assert isinstance(mail, Item)
    saved = mail.get("Attachments")
    assert isinstance(saved, list)
    assert [each.get("Name") for each in saved] == ["evil.csv", "evil_2.csv"]
    assert (world.folder / "evil.csv").read_bytes() == b"1,2"
    assert (world.folder / "evil_2.csv").read_text().strip() == "second"


@pytest.mark.parametrize("uidplus", [True, False])
async def test_processing(world: World, boxes: Mailboxes, uidplus: bool) -> None:
    boxes.uidplus = uidplus
    async with imap_server(boxes) as port:
        first, second, third = await retrieved(world, port)

        async def processed(how: str, mails: Datum, **more: Datum) -> list[list[str]]:
            await world.do(f"Email.ProcessEmails.{how}", **account(port, EmailsToProcess=mails, **more))
            return [[str(each.uid) for each in boxes.folders[name]] for name in ("INBOX", "Done")]

        assert await processed("MarkAsUnread", [first]) == [["1", "2", "3"], []]
        assert "\\Seen" not in boxes.folders["INBOX"][0].flags
        assert await processed("Delete", third) == [["1", "2"], []]
        assert await processed("MarkAsUnreadAndMove", [second], MailFolder="Done") == [["1"], ["4"]]
        assert "\\Seen" not in boxes.folders["Done"][0].flags
        await world.fails(
            "SpecifiedMailFolderDoesntExistError", "Email.ProcessEmails.Move",
            **account(port, EmailsToProcess=[first], MailFolder="None"),
        )  # fmt: skip
        assert await processed("Move", [first], MailFolder="Done") == [[], ["4", "5"]]
        await world.fails("ArgumentTypeError", "Email.ProcessEmails.Delete", **account(port, EmailsToProcess=["x"]))


async def test_servers_that_do_not_let_in(world: World, boxes: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    action, context = "Email.RetrieveEmails.Retrieve", certified(world, monkeypatch, trusted=False)
    async with imap_server(boxes, context) as port:
        secure = account(port, EnableSSL=True)
        failure = await world.fails("FailedToConnectToIMAPServerError", action, **secure)
        assert "certificate" in failure.message
        assert len((await world.do(action, **secure, AcceptUntrustedCertificates=True))["RetrievedEmails"]) == 3  # type: ignore[arg-type]
        monkeypatch.setenv("SSL_CERT_FILE", str(world.outside / "ca.pem"))
        wrong = secure | {"Password": "s3cret"}
        failure = await world.fails("FailedToAuthenticateToIMAPServerError", action, **wrong)
        assert "s3cret" not in str(failure)
    await world.fails("FailedToConnectToIMAPServerError", action, **secure)
    await world.fails("EgressRefused", action, **(secure | {"IMAPServer": "169.254.169.254"}))
