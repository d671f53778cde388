"""XSLT 1.0 by libxslt: no files, no network, no scripts of the host's platform.

Source: Logic Apps, "Transform XML": the result starts with a byte order mark unless `transformOptions` says
DisableByteOrderMark; GenerateTextOutput makes text; ApplyXsltOutputAttributes keeps to `xsl:output`.
"""

from __future__ import annotations

from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .fault import Fault
from .xml_text import parsed, sibling, without_declaration

_XSL: Final = "http://www.w3.org/1999/XSL/Transform"
_MSXSL: Final = "urn:schemas-microsoft-com:xslt"
_NODE_SETS: Final = "http://exslt.org/common"
_BOM: Final = "\ufeff"
_XML_TYPE: Final = "application/xml; charset=utf-8"


def perform(inputs: dict[str, Any]) -> dict[str, Any]:
    """`{"text", "type"}`: the result and its media type.

    `inputs` has `content`, `map`, `related` (other maps by lower-case name), `parameters` and `options` (lower-case).
    """
    source = parsed(inputs["content"], "The content")
    text = inputs["map"]
    # .NET's node-set() by the name under which this processor has it.
    aliased = _MSXSL in text and _NODE_SETS not in text
    transform = _transform(text, inputs["related"], aliased)
    parameters = {name: _parameter(value) for name, value in inputs["parameters"].items()}
    try:
        result = transform(source, **parameters)
    except etree.XSLTError as error:
        raise Fault("XsltTransformFailed", f"The map failed: {_told(transform.error_log) or error}") from None
    written = _written(result, frozenset(inputs["options"]))
    if aliased:
        written["text"] = written["text"].replace(f'"{_NODE_SETS}"', f'"{_MSXSL}"')
    return written


def _transform(text: str, related: dict[str, str], aliased: bool) -> etree.XSLT:
    sheet = parsed(text, "The map", resolver=_Related(related))
    _check(sheet.getroot())
    if aliased:
        sheet = parsed(text.replace(_MSXSL, _NODE_SETS), "The map", resolver=_Related(related))
    try:
        return etree.XSLT(sheet, access_control=etree.XSLTAccessControl.DENY_ALL)
    except etree.XSLTParseError as error:
        raise Fault("InvalidMap", f"The map is no XSLT: {_told(error.error_log) or error}") from None


def _check(root: Any) -> None:
    version = root.get("version") or root.get(f"{{{_XSL}}}version") or "1.0"
    if version.strip() not in ("1.0", "1"):
        raise Fault(
            "XsltVersionNotSupported",
            f"The map is written in XSLT {version[:10]}; only XSLT 1.0 is run.",
            "Maps of the Data Mapper are XSLT 3.0: write the map as XSLT 1.0, or as Liquid or JavaScript.",
        )
    if next(root.iter(f"{{{_MSXSL}}}script"), None) is not None:
        raise Fault(
            "XsltScriptNotSupported",
            "The map has code of .NET in it (msxsl:script), which is not run.",
            "Write what it does in XSLT.",
        )


class _Related(etree.Resolver):  # type: ignore[misc]
    """Answers xsl:include and xsl:import from the flow's other maps, by file name."""

    def __init__(self, related: dict[str, str]) -> None:
        self._related = related

    def resolve(self, url: str, public_id: str | None, context: Any) -> Any:
        return self.resolve_string(sibling(url, self._related, "map"), context)


def _parameter(value: Any) -> Any:
    if isinstance(value, bool):
        return "true()" if value else "false()"
    if isinstance(value, int | float):
        return str(value)
    return etree.XSLT.strparam("" if value is None else str(value))


def _written(result: Any, options: frozenset[str]) -> dict[str, str]:
    """The result as the host's writer leaves it, which heeds `xsl:output` only where the options ask for it."""
    mark = "" if "disablebyteordermark" in options else _BOM
    if result.getroot() is None or "generatetextoutput" in options:
        return {"text": mark + without_declaration(str(result)), "type": "text/plain; charset=utf-8"}
    if "applyxsltoutputattributes" in options:
        return {"text": mark + str(result), "type": _XML_TYPE}
    text = etree.tostring(result, encoding="unicode")
    return {"text": f'{mark}<?xml version="1.0" encoding="utf-8"?>{text}', "type": _XML_TYPE}


def _told(log: Any) -> str:
    """The first entries of a log, with their lines."""
    entries = [f"line {entry.line}: {entry.message.strip()}" for entry in log if entry.message][:5]
    return "; ".join(entries)[:1000]
