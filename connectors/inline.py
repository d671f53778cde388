"""Connectors for scripts, maps and schemas. Each call is one job in a process of its own, see `isolation`.

They answer with the body of the action's outputs; XML and text are content objects, as the hosts have them. Nothing
here has an effect, so a call that a crash interrupted is simply made again.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from ..engine.values import Value, from_json, to_json
from .isolation import Isolation, JobLimits
from .port import Artifact, Call, ConnectorError, ConnectorResponse, Recovery, Services

CODE_CHARACTERS: Final = 100_000
"""Characters of a script. Source: Logic Apps, limits and configuration: 1,024 in Consumption, 100,000 in Standard."""

SCRIPT_MEMORY: Final = 256 * 1024 * 1024
"""Bytes that a script's values may take."""


class _Inline:
    """What these connectors share."""

    def __init__(self, limits: JobLimits | None = None) -> None:
        self._isolation = Isolation(limits)

    @property
    def recovery(self) -> Recovery:
        """Repeating a call does no harm."""
        return "rerun"


class JavaScriptConnector(_Inline):
    """`inline-code`: JavaScriptCode. The body is what the script returns; null where it returns nothing."""

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Run the script. Raises ConnectorError with the host's codes, e.g. InlineCodeScriptRuntimeFailure."""
        inputs = _object(call)
        code = str(inputs.get("code") or "")
        if len(code) > CODE_CHARACTERS:
            raise ConnectorError(
                "InlineCodeParsingFailure", f"The script has more than {CODE_CHARACTERS:,} characters."
            )
        job = {
            "code": code,
            "context": to_json(inputs.get("workflowContext")),
            "seconds": self._isolation.limits.seconds,
            "bytes": SCRIPT_MEMORY,
        }
        returned = await self._isolation.run("javascript", job, services, "The script")
        return ConnectorResponse(200, {}, from_json(returned) if isinstance(returned, str) else None)


class XsltConnector(_Inline):
    """`xslt`: transforms XML with the flow's maps."""

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Transform the content. Raises ConnectorError: InvalidXml, InvalidMap, XsltTransformFailed and their like."""
        inputs = _object(call)
        parameters = inputs.get("xsltParameters")
        job = {
            "content": inputs.get("content"),
            "map": _artifact(call).text,
            "related": dict(_artifact(call).related),
            "parameters": parameters if isinstance(parameters, dict) else {},
            "options": [option.strip().lower() for option in str(inputs.get("transformOptions") or "").split(",")],
        }
        return _content(await self._isolation.run("xslt", job, services, "The map"))


class LiquidConnector(_Inline):
    """`liquid`: renders the flow's Liquid templates; the operation is the action's kind."""

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Render the template. Raises ConnectorError: LiquidTemplateFailed, InvalidJson, InvalidXml."""
        job = {"content": _object(call).get("content"), "map": _artifact(call).text, "kind": call.operation.lower()}
        return ConnectorResponse(200, {}, await self._isolation.run("liquid_template", job, services, "The template"))


class XmlConnector(_Inline):
    """`xml`: validates, parses and composes XML by the flow's schemas."""

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Validate, parse or compose. Raises ConnectorError: InvalidXml, XmlValidationFailed, …"""
        answer = await self._isolation.run("xml_schema", _by_schema(call), services, "The schema")
        return ConnectorResponse(200, {}, answer) if call.operation == "parse" else _content(answer)


class FlatFileConnector(_Inline):
    """`flat-file`: turns flat files into XML and back by the flow's schemas."""

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """Decode or encode. Raises ConnectorError: InvalidFlatFile, InvalidXml, InvalidSchema, …"""
        return _content(await self._isolation.run("flat_file", _by_schema(call), services, "The schema"))


class ArtifactConnector:
    """`artifacts`: gives an artifact to the flow."""

    @property
    def recovery(self) -> Recovery:
        """Repeating a call does no harm."""
        return "rerun"

    async def invoke(self, call: Call, services: Services) -> ConnectorResponse:
        """The artifact's name, type and content. Raises ConnectorError ArtifactNotFound."""
        artifact = _artifact(call)
        kind = _object(call).get("artifactType")
        return ConnectorResponse(
            200, {}, {"name": artifact.name, "type": kind, "properties": {"content": artifact.text}}
        )


def _object(call: Call) -> dict[str, Any]:
    return call.inputs if isinstance(call.inputs, dict) else {}


def _by_schema(call: Call) -> dict[str, Any]:
    schema = _artifact(call)
    return {**_object(call), "operation": call.operation, "schema": schema.text, "related": dict(schema.related)}


def _artifact(call: Call) -> Artifact:
    if call.artifact is None:
        raise ConnectorError(
            "ArtifactNotFound",
            "The action's map or schema is not among the artifacts that the flow was deployed with.",
            hint="Deploy the flow with them: --artifacts DIR, with the folders Maps and Schemas.",
        )
    return call.artifact


def _content(answer: dict[str, Any]) -> ConnectorResponse:
    """A text with its media type as a content object."""
    data = base64.b64encode(answer["text"].encode("utf-8", "replace")).decode("ascii")
    body: Value = {"$content-type": answer["type"], "$content": data}
    return ConnectorResponse(200, {}, body)
