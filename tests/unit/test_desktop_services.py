"""Actions that are made for one web service - CyberArk, Google Cloud - against a server on loopback in its place."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from desktop_world import World
from http_server import Seen, Server
from sealflow.connectors.desktop.services import google_cognitive
from sealflow.engine.datatypes import Datum

SECRET = "s3cret-password"
KEY = "AIza-key"


def answer(status: int, body: Any) -> bytes:
    data = (body if isinstance(body, str) else json.dumps(body)).encode()
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data


class Services:
    """Both of them. `broken` answers no JSON, `silent` nothing, `late` not before the test is over."""

    def __init__(self) -> None:
        self.broken = self.silent = self.late = False
        self.over = asyncio.Event()
        self.server = Server(self.react)

    async def react(self, seen: Seen) -> bytes | None:
        if self.late:
            await self.over.wait()
        if self.silent:
            return None
        if self.broken:
            return answer(502, "<html>")
        parts = urlsplit(seen.target)
        if parts.path.endswith("/api/Accounts"):
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            if asked.get("Object") != "Router":
                return answer(404, {"ErrorCode": "APPAP004E", "ErrorMsg": "Password object was not found."})
            return answer(200, {"Content": SECRET, "UserName": "admin", **asked})
        if seen.headers.get("x-goog-api-key") != KEY:
            return answer(403, {"error": {"code": 403, "status": "PERMISSION_DENIED"}})
        return answer(200, {"asked": json.loads(seen.body), "of": parts.path, "score": 0.5})


@pytest.fixture
async def services(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Services]:
    made = Services()
    await made.server.start()
    monkeypatch.setattr(google_cognitive, "LANGUAGE", made.server.url)
    monkeypatch.setattr(google_cognitive, "VISION", made.server.url)
    yield made
    made.over.set()
    await made.server.stop()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.session.aclose()


# --- CyberArk

PASSWORD = "CyberArk.GetPassword.GetPassword"


def asked(services: Services, **more: Datum) -> dict[str, Datum]:
    what: dict[str, Datum] = {"ApplicationId": "Bot 1", "Safe": "Net&Work", "Folder": "root", "Object": "Router"}
    return {"ServerAddress": services.server.url, **what, **more}


async def test_a_password_is_fetched(world: World, services: Services) -> None:
    done = await world.do(PASSWORD, **asked(services, ExtraData="&Reason=daily job"))
    assert (done["PlainTextPassword"], done["Password"]) == (SECRET, SECRET)
    response = done["Response"]
    assert isinstance(response, dict)
    told = {name: response[name] for name in ("UserName", "AppID", "Safe", "Reason")}
    assert told == {"UserName": "admin", "AppID": "Bot 1", "Safe": "Net&Work", "Reason": "daily job"}
    assert services.server.seen[0].target.startswith("/AIMWebService/api/Accounts?")
    await world.do(PASSWORD, **asked(services, ServerAddress=f"{services.server.url}/", AuthApp="Other"))
    assert services.server.seen[1].target.startswith("/Other/api/Accounts?")


async def test_what_goes_wrong_with_a_password(world: World, services: Services) -> None:
    failure = await world.fails("ErrorResponseFromWebRequestError", PASSWORD, **asked(services, Object="none"))
    assert "Password object was not found." in failure.message
    services.broken = True
    await world.fails("ErrorResponseFromWebRequestError", PASSWORD, **asked(services))
    services.silent = True
    await world.fails("FailedToSendWebRequestError", PASSWORD, **asked(services))
    await world.fails("FailedToSendWebRequestError", PASSWORD, **asked(services, ServerAddress="ftp://x"))
    await world.fails("EgressRefused", PASSWORD, **asked(services, ServerAddress="http://169.254.169.254"))
    services.late = True
    await world.fails("TimeoutExpiredError", PASSWORD, **asked(services, Timeout=0))
    untrusted = asked(services, AcceptUntrustedCertificates=True)
    await world.fails("UntrustedCertificatesNotAllowedError", PASSWORD, **untrusted)


# --- Google


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("AnalyzeEntities", "analyzeEntities"),
        ("AnalyzeSentiment", "analyzeSentiment"),
        ("AnalyzeSyntax", "analyzeSyntax"),
    ],
)
async def test_texts_are_analysed(name: str, method: str, world: World, services: Services) -> None:
    world.file("text.html", "<p>Grüße</p>")
    action = f"GoogleCognitive.{name}Google.{name}"
    done = await world.do(
        f"{action}FromFile",
        APIKey=KEY,
        DocumentType="Cognitive.DocumentType.Html",
        FilePath="C:\\text.html",
        Language="de",
        Timeout=30,
    )
    response = done["Response"]
    assert isinstance(response, dict)
    document = {"type": "HTML", "language": "de", "content": "<p>Grüße</p>"}
    assert response["asked"] == {"document": document, "encodingType": "UTF16"}
    assert (response["of"], str(response["score"]), done["StatusCode"]) == (f"/v1/documents:{method}", "0.5", 200)
    stored = await world.do(f"{action}FromGCS", APIKey=KEY, GcsUrl="gs://bucket/a.txt")
    response = stored["Response"]
    assert isinstance(response, dict)
    assert response["asked"]["document"] == {"type": "PLAIN_TEXT", "gcsContentUri": "gs://bucket/a.txt"}
    assert KEY not in services.server.seen[0].target


@pytest.mark.parametrize(
    ("name", "feature"),
    [
        ("ImagePropertiesDetection", "IMAGE_PROPERTIES"),
        ("LabelDetection", "LABEL_DETECTION"),
        ("LandmarkDetection", "LANDMARK_DETECTION"),
        ("LogoDetection", "LOGO_DETECTION"),
        ("SafeSearchDetection", "SAFE_SEARCH_DETECTION"),
        ("TextDetection", "TEXT_DETECTION"),
    ],
)
async def test_images_are_looked_at(name: str, feature: str, world: World, services: Services) -> None:
    world.file("a.png", b"\x89PNG")
    action = f"GoogleCognitive.{name}Google.{name}"
    done = await world.do(f"{action}FromFile", APIKey=KEY, ImageFile="C:\\a.png")
    response = done["Response"]
    assert isinstance(response, dict)
    [request] = response["asked"]["requests"]
    assert base64.b64decode(request["image"]["content"]) == b"\x89PNG"
    assert (request["features"], response["of"]) == ([{"type": feature}], "/v1/images:annotate")
    stored = await world.do(f"{action}FromGCS", APIKey=KEY, ImageUrl="gs://bucket/a.png")
    response = stored["Response"]
    assert isinstance(response, dict)
    assert response["asked"]["requests"][0]["image"] == {"source": {"imageUri": "gs://bucket/a.png"}}


async def test_what_goes_wrong_with_google(world: World, services: Services) -> None:
    action = "GoogleCognitive.LabelDetectionGoogle.LabelDetectionFromGCS"
    given: dict[str, Datum] = {"APIKey": KEY, "ImageUrl": "gs://b/a"}
    denied = await world.do(action, **{**given, "APIKey": "other"})
    assert denied["StatusCode"] == 403  # the flow looks at it, as in the product
    services.broken = True
    failure = await world.fails("FailedToInvokeCognitiveServicesError", action, **given)
    assert KEY not in str(failure)
    services.silent = True
    await world.fails("FailedToInvokeCognitiveServicesError", action, **given)
    missing = "GoogleCognitive.LabelDetectionGoogle.LabelDetectionFromFile"
    await world.fails("FailedToInvokeCognitiveServicesError", missing, APIKey=KEY, ImageFile="C:\\none.png")
    await world.fails("AccessDeniedError", missing, APIKey=KEY, ImageFile="/etc/passwd")
    services.late = True
    await world.fails("RequestTimeoutExpiredError", action, **given, Timeout=0)
