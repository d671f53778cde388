"""The CyberArk module: a password from the Central Credential Provider, by its REST service.

Source: CyberArk Central Credential Provider, "Call the web service using REST". Certificates of clients are not used,
and servers' certificates always judged.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from ....engine.datatypes import Datum
from ...http.request import Request
from ..arguments import Arguments
from ..fault import Fault, fault
from ..port import Outputs, Table, reads
from ..session import Session
from .service_call import answer_of, json_of

_NOT_SENT: Final = "Failed to send web request"
_LATE: Final = "Timeout expired"
_REFUSED: Final = "Error response from web request"


async def password(arguments: Arguments, session: Session) -> Outputs:
    """CyberArk.GetPassword.GetPassword."""
    if arguments.boolean("AcceptUntrustedCertificates", False):
        raise Fault(
            "UntrustedCertificatesNotAllowedError",
            "Certificates that are not trusted are not accepted here: a password would go to anybody.",
            hint="SSL_CERT_FILE names a file of certificates to trust.",
        )
    request = Request("GET", _address(arguments), (("Accept", "application/json"),))
    seconds = float(arguments.number("Timeout", 30))
    answer = await answer_of(request, session, seconds, _NOT_SENT, _LATE)
    try:
        found = json_of(answer)
    except ValueError:
        found = None
    if answer.status >= 400 or not isinstance(found, dict):
        told = found.get("ErrorMsg") or found.get("ErrorCode") if isinstance(found, dict) else None
        raise fault(_REFUSED, f"The server answered with status {answer.status}{f': {told}' if told else ''}.")
    # The password stands in the answer too.
    secret: Datum = str(found.get("Content", ""))
    return {"Response": found, "PlainTextPassword": secret, "Password": secret}


def _address(arguments: Arguments) -> str:
    server = arguments.text("ServerAddress").strip().rstrip("/")
    parts = urlsplit(server if "://" in server else f"https://{server}")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise fault(_NOT_SENT, "The address must name a server, and begin with https://.")
    query = urlencode(
        {
            "AppID": arguments.text("ApplicationId"),
            "Safe": arguments.text("Safe"),
            "Folder": arguments.text("Folder"),
            "Object": arguments.text("Object"),
        }
    )
    extra = arguments.text("ExtraData", "").strip().lstrip("&?")
    application = quote(arguments.text("AuthApp", "AIMWebService").strip("/"), safe="")
    more = f"&{quote(extra, safe='=&%;,@:+')}" if extra else ""
    return f"{parts.scheme}://{parts.netloc}{parts.path}/{application}/api/Accounts?{query}{more}"


TABLE: Table = {"CyberArk.GetPassword.GetPassword": reads(password)}
