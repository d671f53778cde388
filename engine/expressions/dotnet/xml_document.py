"""XML texts as trees, read and written as System.Xml.XmlDocument does (LoadXml and OuterXml).

White space between tags is dropped, CDATA, comments and the document type stay, `<a/>` and `<a></a>` stay different,
line ends are kept. Entities are never fetched and those of a document type are never expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from .faults import FormatError

XMLNS = "http://www.w3.org/2000/xmlns/"
XML = "http://www.w3.org/XML/1998/namespace"
WHITE = " \t\r\n"
MAXIMUM_DEPTH = 200
MAXIMUM_NODES = 250_000


@dataclass(slots=True)
class Attribute:
    """`name` as written, with its prefix; a namespace declaration is an attribute in the namespace XMLNS."""

    name: str
    value: str
    namespace: str = ""


@dataclass(slots=True)
class Leaf:
    """A node without children; `kind`: text, cdata, comment, space, instruction (with `target`) or reference."""

    kind: str
    value: str
    target: str = ""


@dataclass(slots=True)
class Element:
    """`empty` is true for `<a/>` only."""

    name: str
    namespace: str = ""
    attributes: list[Attribute] = field(default_factory=list)
    children: list[Element | Leaf] = field(default_factory=list)
    empty: bool = True

    def add(self, child: Element | Leaf) -> None:
        """Append a child."""
        self.children.append(child)
        self.empty = False


@dataclass(slots=True)
class Declaration:
    """`<?xml ...?>`; what is absent is empty."""

    version: str = "1.0"
    encoding: str = ""
    standalone: str = ""


@dataclass(slots=True)
class DocumentType:
    """`<!DOCTYPE ...>`; None is absent."""

    name: str
    public: str | None = None
    system: str | None = None
    subset: str | None = None


@dataclass(slots=True)
class Document:
    """The nodes of a document in their order; at most one is an Element."""

    nodes: list[Declaration | DocumentType | Element | Leaf] = field(default_factory=list)

    @property
    def root(self) -> Element | None:
        """The document element."""
        return next((node for node in self.nodes if isinstance(node, Element)), None)


def local(name: str) -> str:
    """The part of a name behind its prefix."""
    return name.partition(":")[2] or name


def prefix(name: str) -> str:
    """The prefix of a name, or nothing."""
    before, colon, _ = name.partition(":")
    return before if colon else ""


def is_name(text: str) -> bool:
    """Whether a text without markup in it is an XML name."""
    try:
        expat.ParserCreate("utf-8").Parse(f"<{text}/>", True)
    except (expat.ExpatError, UnicodeEncodeError):
        return False
    return True


# --- reading

# Line ends are normalised by the parser, but not by .NET here: they travel through it as private characters.
_CONTENT = "\r\n\t"
_PRIVATE = range(0xE000, 0xF900)
_REFERENCE = re.compile(r"&#(?:x0*([0-9a-f]{1,6})|0*([0-9]{1,7}));", re.IGNORECASE)
_PARTS = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|<!DOCTYPE[^\[>]*(?:\[.*?\]\s*)?>|<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>|[^<]+",
    re.DOTALL,
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def _masks(text: str) -> dict[str, str]:
    """Three private characters that the text does not have, to stand for line ends and tabs.

    Empty where none are needed, or to be had.
    """
    if not any(char in text for char in _CONTENT):
        return {}
    used = set(text)
    used.update(chr(min(int(one, 16) if one else int(other), 0x10FFFF)) for one, other in _REFERENCE.findall(text))
    free = [chr(code) for code in _PRIVATE if chr(code) not in used][: len(_CONTENT)]
    return dict(zip(_CONTENT, free, strict=True)) if len(free) == len(_CONTENT) else {}


def _masked(text: str, masks: dict[str, str]) -> str:
    """The text with line ends and tabs masked where they are content."""
    depth = 0

    def attribute(found: re.Match[str]) -> str:
        return re.sub(r"[\t\r\n]", lambda char: masks[char[0]], found[0])

    def part(found: re.Match[str]) -> str:
        nonlocal depth
        piece = found[0]
        if piece.startswith(("<!--", "<![CDATA[")):
            return piece.replace("\r", masks["\r"])
        if not piece.startswith("<"):
            # Outside of the root a private character would be text, which may not stand there.
            return piece.replace("\r", masks["\r"]) if depth else piece
        if piece.startswith(("<!", "<?")):
            return piece
        if piece.startswith("</"):
            depth -= 1
            return piece
        if not piece.endswith("/>"):
            depth += 1
        return _QUOTED.sub(attribute, piece)

    return _PARTS.sub(part, text)


def _well_formed(text: str) -> bool:
    parser = expat.ParserCreate("utf-8")
    parser.DefaultHandler = _ignore
    try:
        parser.Parse(text.encode(), True)
    except expat.ExpatError:
        return False
    return True


def _ignore(data: str) -> None:
    """With a default handler, entities of a document type are not expanded."""


def read_document(text: str) -> Document:
    """The document of a text. Raises FormatError when it is not well-formed XML 1.0 with namespaces."""
    if text.count("<") - text.count("</") > MAXIMUM_NODES:
        raise FormatError(f"the XML has more than {MAXIMUM_NODES:,} elements")
    return _Reader(text.removeprefix("\ufeff")).read()


class _Reader:
    def __init__(self, text: str) -> None:
        if any("\ud800" <= char <= "\udfff" for char in text):
            raise FormatError("the XML holds a lone surrogate")
        masks = _masks(text)
        if masks and not _well_formed(text):
            masks = {}  # the parser will say what is wrong; the pattern may take long over what is never closed
        self.unmask = {ord(mask): char for char, mask in masks.items()}
        self.source = (_masked(text, masks) if masks else text).encode()
        self.document = Document()
        self.open: list[Element] = []
        self.scopes: list[dict[str, str]] = [{"xml": XML, "xmlns": XMLNS, "": ""}]
        self.keep: list[bool] = [False]
        self.text: list[str] = []
        self.cdata = False
        self.type_start = -1

    def read(self) -> Document:
        parser = expat.ParserCreate("utf-8")
        parser.ordered_attributes = True
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declaration
        parser.StartDoctypeDeclHandler = self._type
        parser.EndDoctypeDeclHandler = self._type_end
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self.text.append
        parser.StartCdataSectionHandler = self._cdata
        parser.EndCdataSectionHandler = self._cdata_end
        parser.CommentHandler = lambda value: self._leaf("comment", value)
        parser.ProcessingInstructionHandler = lambda target, value: self._leaf("instruction", value, target)
        # With a default handler, references to entities of a document type arrive here instead of their text.
        parser.DefaultHandler = self._other
        self.parser = parser
        try:
            parser.Parse(self.source, True)
        except expat.ExpatError as error:
            raise FormatError(f"the XML is not well-formed: {error}") from None
        return self.document

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if version != "1.0":
            raise FormatError(f"XML of version '{version}' is not supported")
        self.document.nodes.append(Declaration(version, encoding or "", {0: "no", 1: "yes"}.get(standalone, "")))

    def _type(self, name: str, system: str | None, public: str | None, has_subset: int) -> None:
        self.type_start = self.parser.CurrentByteIndex if has_subset else -1
        self.document.nodes.append(DocumentType(name, public, system, ""))

    def _type_end(self) -> None:
        kind = self.document.nodes[-1]
        for node in self.document.nodes:
            if isinstance(node, DocumentType):
                kind = node
        # Comments and instructions inside of the subset belong to its text.
        self.document.nodes = [
            node for node in self.document.nodes if not isinstance(node, Leaf) or node.target != "\0"
        ]
        if isinstance(kind, DocumentType) and self.type_start >= 0:
            raw = self.source[self.type_start : self.parser.CurrentByteIndex].decode()
            raw = raw.partition("[")[2].rpartition("]")[0]
            # .NET turns a lone carriage return of the subset into a line feed and leaves pairs alone.
            kind.subset = re.sub(r"\r(?!\n)", "\n", raw)
        self.type_start = -1

    def _start(self, name: str, pairs: list[str]) -> None:
        self._flush()
        if len(self.open) >= MAXIMUM_DEPTH:
            raise FormatError(f"the XML is nested deeper than {MAXIMUM_DEPTH} elements")
        scope, keep = self.scopes[-1], self.keep[-1]
        attributes = []
        for index in range(0, len(pairs), 2):
            attribute = Attribute(pairs[index], pairs[index + 1].translate(self.unmask))
            attributes.append(attribute)
            if attribute.name == "xmlns" or attribute.name.startswith("xmlns:"):
                attribute.namespace = XMLNS
                scope = {**scope, attribute.name[6:]: attribute.value}
            elif attribute.name == "xml:space":
                keep = attribute.value == "preserve"
        for attribute in attributes:
            if ":" in attribute.name and not attribute.namespace:
                attribute.namespace = self._namespace(attribute.name, scope)
        element = Element(name, self._namespace(name, scope), attributes)
        self._place(element)
        self.open.append(element)
        self.scopes.append(scope)
        self.keep.append(keep)

    def _namespace(self, name: str, scope: dict[str, str]) -> str:
        before = prefix(name)
        if name.count(":") > 1 or name.startswith(":") or name.endswith(":"):
            raise FormatError(f"'{name}' is not a qualified name")
        if before and not scope.get(before):
            raise FormatError(f"'{before}' is an undeclared prefix")
        return scope.get(before, "")

    def _end(self, name: str) -> None:
        self._flush()
        element = self.open.pop()
        self.scopes.pop()
        self.keep.pop()
        at = self.parser.CurrentByteIndex
        element.empty = not element.children and self.source[at - 2 : at] == b"/>"

    def _place(self, node: Element | Leaf) -> None:
        if self.open:
            self.open[-1].add(node)
        else:
            self.document.nodes.append(node)

    def _flush(self) -> None:
        if not self.text:
            return
        value = "".join(self.text).translate(self.unmask)
        self.text.clear()
        if self.cdata:
            self._place(Leaf("cdata", value))
        elif value.strip(WHITE):
            self._place(Leaf("text", value))
        elif self.keep[-1]:
            self._place(Leaf("space", value))

    def _cdata(self) -> None:
        self._flush()
        self.cdata = True

    def _cdata_end(self) -> None:
        if not self.text:
            self._place(Leaf("cdata", ""))
        self._flush()
        self.cdata = False

    def _leaf(self, kind: str, value: str, target: str = "") -> None:
        if self.type_start >= 0:
            return
        self._flush()
        self._place(Leaf(kind, value.translate(self.unmask), target))

    def _other(self, data: str) -> None:
        if self.open and data.startswith("&") and data.endswith(";"):
            self._flush()
            self._place(Leaf("reference", data[1:-1]))


# --- writing

_TEXT = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ATTRIBUTE = {**_TEXT, '"': "&quot;", "\n": "&#xA;", "\r": "&#xD;"}
_CONTROLS = {chr(code): f"&#x{code:X};" for code in range(32) if chr(code) not in WHITE}
_TEXT_TABLE = str.maketrans({**_CONTROLS, **_TEXT})
_ATTRIBUTE_TABLE = str.maketrans({**_CONTROLS, **_ATTRIBUTE})


def write(node: Document | Element) -> str:
    """The node as text (XmlNode.OuterXml): prefixes that the text itself does not declare are declared."""
    out: list[str] = []
    if isinstance(node, Element):
        _element(node, {"": "", "xml": XML}, out, 0)
    else:
        for each in node.nodes:
            _node(each, out)
    return "".join(out)


def _node(node: Declaration | DocumentType | Element | Leaf, out: list[str]) -> None:
    match node:
        case Declaration():
            encoding = f' encoding="{node.encoding}"' if node.encoding else ""
            standalone = f' standalone="{node.standalone}"' if node.standalone else ""
            out.append(f'<?xml version="{node.version}"{encoding}{standalone}?>')
        case DocumentType():
            out.append(f"<!DOCTYPE {node.name}")
            if node.public is not None:
                out.append(f' PUBLIC "{node.public}" "{node.system or ""}"')
            elif node.system is not None:
                out.append(f' SYSTEM "{node.system}"')
            if node.subset is not None:
                out.append(f"[{node.subset}]")
            out.append(">")
        case Element():
            _element(node, {"": "", "xml": XML}, out, 0)
        case Leaf():
            _leaf(node, out)


def _leaf(node: Leaf, out: list[str]) -> None:
    match node.kind:
        case "cdata":
            out.append(f"<![CDATA[{node.value}]]>")
        case "comment":
            out.append(f"<!--{node.value}-->")
        case "instruction":
            out.append(f"<?{node.target}{' ' if node.value else ''}{node.value}?>")
        case "reference":
            out.append(f"&{node.value};")
        case _:
            out.append(node.value.translate(_TEXT_TABLE))


def _element(node: Element, scope: dict[str, str], out: list[str], depth: int) -> None:
    if depth > MAXIMUM_DEPTH:
        raise FormatError(f"the XML is nested deeper than {MAXIMUM_DEPTH} elements")
    # A prefix without a namespace is not written (XmlDOMTextWriter).
    name = node.name if node.namespace else local(node.name)
    declared = {a.name[6:]: a.value for a in node.attributes if a.namespace == XMLNS}
    inner = {**scope, **declared} if declared else scope
    out.append(f"<{name}")
    needed = {prefix(name): node.namespace}
    for attribute in node.attributes:
        written = attribute.name if attribute.namespace else local(attribute.name)
        if attribute.namespace and attribute.namespace not in (XMLNS, XML):
            needed.setdefault(prefix(written), attribute.namespace)
        out.append(f' {written}="{attribute.value.translate(_ATTRIBUTE_TABLE)}"')
    for before, namespace in needed.items():
        if inner.get(before, "") != namespace and before not in declared:
            inner = {**inner, before: namespace}
            out.append(f' xmlns{":" if before else ""}{before}="{namespace.translate(_ATTRIBUTE_TABLE)}"')
    if node.empty:
        out.append(" />")
        return
    out.append(">")
    for child in node.children:
        if isinstance(child, Element):
            _element(child, inner, out, depth + 1)
        else:
            _leaf(child, out)
    out.append(f"</{name}>")
