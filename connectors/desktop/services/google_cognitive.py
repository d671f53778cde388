"""The GoogleCognitive module: texts and images analysed by Google Cloud, by an API key that the flow has.

What is sent leaves the machine for Google. Sources: Cloud Natural Language API v1 and Cloud Vision API v1, REST
references; desktop flows, "Google cognitive".
"""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any, Final

from ...http.request import Request
from ..arguments import Arguments
from ..fault import fault
from ..files.encodings import decoded
from ..files.file import read_whole, resolved
from ..port import Outputs, Table, reads
from ..session import Session
from .service_call import answer_of, json_of

LANGUAGE: Final = "https://language.googleapis.com"
VISION: Final = "https://vision.googleapis.com"

_FAILED: Final = "Failed to invoke cognitive services"
_LATE: Final = "Request timeout expired"

_TEXTS: Final = {
    "analyzeentitiesgoogle": "analyzeEntities",
    "analyzesentimentgoogle": "analyzeSentiment",
    "analyzesyntaxgoogle": "analyzeSyntax",
}
_IMAGES: Final = {
    "imagepropertiesdetectiongoogle": "IMAGE_PROPERTIES",
    "labeldetectiongoogle": "LABEL_DETECTION",
    "landmarkdetectiongoogle": "LANDMARK_DETECTION",
    "logodetectiongoogle": "LOGO_DETECTION",
    "safesearchdetectiongoogle": "SAFE_SEARCH_DETECTION",
    "textdetectiongoogle": "TEXT_DETECTION",
}


async def text(arguments: Arguments, session: Session) -> Outputs:
    """GoogleCognitive.AnalyzeEntitiesGoogle, .AnalyzeSentimentGoogle, .AnalyzeSyntaxGoogle: a text of a file or of
    Google's storage.
    """
    document: dict[str, Any] = {"type": "PLAIN_TEXT"}
    if arguments.choice("DocumentType", ("PlainText", "Html"), "PlainText") == "html":
        document["type"] = "HTML"
    if language := arguments.text("Language", "").strip():
        document["language"] = language
    if arguments.selector.casefold().endswith("fromfile"):
        data = await asyncio.to_thread(_file, arguments, "FilePath", session)
        document["content"] = decoded(data, "utf8")
    else:
        document["gcsContentUri"] = arguments.text("GcsUrl")
    url = f"{LANGUAGE}/v1/documents:{_TEXTS[arguments.action.split('.')[1].casefold()]}"
    return await _asked(url, {"document": document, "encodingType": "UTF16"}, arguments, session)


async def image(arguments: Arguments, session: Session) -> Outputs:
    """GoogleCognitive.*DetectionGoogle: an image of a file or of Google's storage."""
    shown: dict[str, Any]
    if arguments.selector.casefold().endswith("fromfile"):
        data = await asyncio.to_thread(_file, arguments, "ImageFile", session)
        shown = {"content": base64.b64encode(data).decode()}
    else:
        shown = {"source": {"imageUri": arguments.text("ImageUrl")}}
    kind = _IMAGES[arguments.action.split(".")[1].casefold()]
    body = {"requests": [{"image": shown, "features": [{"type": kind}]}]}
    return await _asked(f"{VISION}/v1/images:annotate", body, arguments, session)


def _file(arguments: Arguments, name: str, session: Session) -> bytes:
    path = resolved(arguments.get(name), session)
    if not path.is_file():
        raise fault(_FAILED, f"There is no file '{session.folders.shown(path)}'.")
    return read_whole(path, session, _FAILED)


async def _asked(url: str, body: Any, arguments: Arguments, session: Session) -> Outputs:
    # In a header, not in the address: addresses are written down on the way.
    headers = (("Content-Type", "application/json"), ("X-Goog-Api-Key", arguments.text("APIKey").strip()))
    request = Request("POST", url, headers, json.dumps(body).encode())
    seconds = float(arguments.number("Timeout", 30))
    answer = await answer_of(request, session, seconds, _FAILED, _LATE)
    try:
        found = json_of(answer)
    except ValueError:
        raise fault(_FAILED, f"The service answered with status {answer.status}, and no JSON.") from None
    return {"Response": found, "StatusCode": answer.status}


_SELECTORS: Final = ("FromFile", "FromGCS")
_NAMES: Final = (
    ("AnalyzeEntities", text),
    ("AnalyzeSentiment", text),
    ("AnalyzeSyntax", text),
    ("ImagePropertiesDetection", image),
    ("LabelDetection", image),
    ("LandmarkDetection", image),
    ("LogoDetection", image),
    ("SafeSearchDetection", image),
    ("TextDetection", image),
)

TABLE: Table = {
    f"GoogleCognitive.{name}Google.{name}{where}": reads(work) for name, work in _NAMES for where in _SELECTORS
}
