"""Liquid templates as the hosts' DotLiquid renders them: filters in C# spelling, `content` the one variable.

Source: Logic Apps, "Convert JSON and XML using Liquid templates": filters have DotLiquid's C# names (`Upcase`,
`DividedBy`), the content is the variable `content`, `JSONArrayFor` puts commas between what its rounds give.
DotLiquid, Date: formats are those of .NET. Here names are taken in any spelling, and strftime's formats too.
"""

from __future__ import annotations

import io
import json
import re
from typing import Any, Final, TextIO

from liquid import Environment
from liquid.ast import BlockNode
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.context import RenderContext
from liquid.exceptions import LiquidError

from .dotnet_date import render_date
from .fault import Fault
from .xml_json import plain
from .xml_text import parsed

LOOPS: Final = 1_000_000
"""Rounds of all loops together."""

OUTPUT: Final = 52_428_800
"""Bytes that a template may write."""

_MARKUP: Final = re.compile(r"\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_FORLOOP: Final = re.compile(r"\bforloop\.(\w+)")
_JSON_TAG: Final = re.compile(r"^(\{%-?\s*)(end)?jsonarrayfor\b", re.IGNORECASE)
# A comma before a closing bracket, outside of texts: .NET's reader lets it pass.
_TRAILING: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(\s*[\]}])')


def perform(inputs: dict[str, Any]) -> Any:
    """What the template makes of the content: a text, or for the kinds that end in JSON that text's value.

    `inputs` has `content`, `map` and `kind` (`jsontojson`, `jsontotext`, `xmltojson`, `xmltotext`).
    """
    kind = inputs["kind"]
    content = inputs["content"]
    if kind.startswith("xml"):
        content = _of_xml(content)
    try:
        text = _environment().from_string(_MARKUP.sub(_respelled, inputs["map"])).render(content=content)
    except LiquidError as error:
        reason = str(error.args[0] if error.args else error)[:500]
        raise Fault("LiquidTemplateFailed", f"The template failed{_place(error)}: {reason}.") from None
    except UnicodeEncodeError:
        raise Fault("LiquidTemplateFailed", "The template failed: a text has half of a surrogate pair.") from None
    except ArithmeticError:  # also of decimal
        raise Fault("LiquidNumberTooLarge", "The template failed: a number is too large to be computed.") from None
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        if "integer string conversion" in str(error):
            raise Fault("LiquidNumberTooLarge", "The template failed: a number has too many digits.") from None
        raise Fault("LiquidTemplateFailed", f"The template failed: {type(error).__name__} in a filter.") from None
    return _json(text) if kind.endswith("json") else text


def _of_xml(content: Any) -> Any:
    """The document as JSON, with the members of the root element beside it.

    Templates of the documents read `content.firstName` of a document whose root is something else.
    """
    document = plain(parsed(content, "The content").getroot())
    (root,) = document.values()
    return {**root, **document} if isinstance(root, dict) else document


def _json(text: str) -> Any:
    try:
        return json.loads(_TRAILING.sub(lambda found: found[1] or found[2], text), strict=False)
    except ValueError as error:
        raise Fault(
            "InvalidJson",
            f"The template's result is no JSON: {error}.",
            "Look at the result with the kind JsonToText or XmlToText.",
        ) from None


def _respelled(markup: re.Match[str]) -> str:
    """A tag with the names that this engine has for it: `forloop.Last` is `forloop.last`."""
    text = _JSON_TAG.sub(lambda found: f"{found[1]}{'endfor' if found[2] else 'jsonarrayfor'}", markup[0])
    return _FORLOOP.sub(lambda found: found[0].lower(), text)


def _place(error: LiquidError) -> str:
    token = error.token
    if token is None:
        return ""
    return f" at line {token.source.count(chr(10), 0, token.start_index) + 1}"


class _Filters(dict[str, Any]):
    """Filters by their names without underscores and case: `DividedBy` is `divided_by`."""

    def __missing__(self, name: str) -> Any:
        key = name.lower().replace("_", "")
        for known, function in self.items():
            if known.replace("_", "") == key:
                return function
        raise KeyError(name)


class _Round(BlockNode):
    """The body of a JSONArrayFor: what each round writes is collected, without white space around it."""

    __slots__ = ("texts",)

    def __init__(self, block: BlockNode, texts: list[str]) -> None:
        super().__init__(block.token, block.nodes)
        self.texts = texts

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Render one round; nothing is written here."""
        own = io.StringIO()
        super().render_to_output(context, own)
        if text := own.getvalue().strip():
            self.texts.append(text)
        return 0


class _JsonArrayNode(ForNode):
    """A loop whose rounds are joined by commas; those that give nothing are left out."""

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        """Render all rounds, then write them."""
        texts: list[str] = []
        loop = ForNode(self.token, self.expression, _Round(self.block, texts), self.default)
        return loop.render_to_output(context, buffer) + buffer.write(",".join(texts))


class _JsonArrayTag(ForTag):
    name = "jsonarrayfor"
    node_class = _JsonArrayNode


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _environment() -> Environment:
    class Limited(Environment):
        loop_iteration_limit = LOOPS
        output_stream_limit = OUTPUT

    environment = Limited()
    environment.filters = _Filters(environment.filters)
    environment.filters.update(json=_to_json, date=render_date)
    environment.add_tag(_JsonArrayTag)
    return environment
