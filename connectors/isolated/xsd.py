"""What an XML schema says about the shape of documents: which children and attributes an element has, of which types.

Only what converting between XML and JSON, or text, asks for. Whether a document is valid is libxml2's affair.
Source: W3C, XML Schema Part 1: Structures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from .fault import Fault
from .xml_text import parsed, sibling

XSD: Final = "{http://www.w3.org/2001/XMLSchema}"
_NAMED: Final = ("element", "complexType", "simpleType", "group", "attributeGroup", "attribute")
_PARTICLES: Final = frozenset({"sequence", "choice", "all"})
_MOST_STEPS: Final = 100
"""Types that are derived from each other, and groups in groups: more is a circle."""


@dataclass(frozen=True, slots=True)
class Part:
    """A child or attribute: its qualified name, its declaration, and whether there may be several or none of it."""

    tag: str
    node: Any
    many: bool = False
    optional: bool = False


class Schema:
    """A schema with what it includes and imports. `related` are the flow's schemas by lower-case file name.

    Raises Fault: InvalidXml, InvalidSchema, ArtifactNotFound.
    """

    def __init__(self, text: str, related: dict[str, str]) -> None:
        self._named: dict[tuple[str, str], Any] = {}
        self._related = related
        self._seen: set[str] = set()
        self.root = parsed(text, "The schema").getroot()
        self._take(self.root, None)

    def _take(self, root: Any, outer: str | None) -> None:
        """Note a document's global components. `outer`: the namespace of who includes it, for one that has none."""
        if root.tag != f"{XSD}schema":
            raise Fault("InvalidSchema", "The schema is no XML Schema: its root is another element.")
        namespace = root.get("targetNamespace") or outer or ""
        root.set("{sealflow}namespace", namespace)
        for node in root.iter(etree.Element):
            _refuse_name(node.get("name"))
        for child in root:
            if not isinstance(child.tag, str):
                continue
            kind = child.tag.removeprefix(XSD)
            if kind == "element" and not child.get("name"):
                raise Fault("InvalidSchema", "The schema declares a root element without a name.")
            if kind in _NAMED and child.get("name"):
                self._named.setdefault((kind, _tag(namespace, child.get("name"))), child)
            elif kind in ("include", "import", "redefine") and child.get("schemaLocation"):
                location = child.get("schemaLocation")
                if location.lower() not in self._seen:
                    self._seen.add(location.lower())
                    inner = parsed(sibling(location, self._related, "schema"), "The schema").getroot()
                    self._take(inner, namespace if kind != "import" else None)

    def roots(self) -> list[Part]:
        """The global elements of the schema's own document, in its order."""
        namespace = self.root.get("{sealflow}namespace")
        return [Part(_tag(namespace, each.get("name")), each) for each in self.root.iterchildren(f"{XSD}element")]

    def root_of(self, name: str | None, tag: str | None = None) -> Part:
        """The root element by its name (local, `{namespace}local` or `namespace:local`) or tag, else the first one."""
        roots = self.roots()
        for part in roots:
            if tag is not None and part.tag == tag:
                return part
            if tag is None and name and name in (part.tag, local(part.tag), qualified(part.tag)):
                return part
        if name or tag or not roots:
            wanted = name or local(tag or "")
            raise Fault("InvalidSchema", f"The schema declares no root element '{wanted}'.")
        return roots[0]

    def children(self, node: Any) -> list[Part]:
        """The child elements of an element, in the schema's order."""
        found: dict[str, Part] = {}
        for definition in self._derivation(node):
            for part in self._particles(definition, False, False, 0):
                known = found.get(part.tag)
                found[part.tag] = part if known is None else replace(known, many=True)
        return list(found.values())

    def attributes(self, node: Any) -> list[Part]:
        """The attributes of an element."""
        found: dict[str, Part] = {}
        for definition in self._derivation(node):
            for attribute in self._attributes(definition, 0):
                found[attribute.tag] = attribute
        return list(found.values())

    def base(self, node: Any) -> str | None:
        """The built-in type of an element's or attribute's text, e.g. `decimal`; None where it has children only."""
        current, steps = self._type(node), 0
        while current is not None and steps < _MOST_STEPS:
            if isinstance(current, str):
                return current
            steps += 1
            inner = next((each for each in current.iter(f"{XSD}restriction", f"{XSD}extension", f"{XSD}list")), None)
            if current.tag == f"{XSD}complexType" and current.find(f"{XSD}simpleContent") is None:
                return None
            if inner is None or inner.tag == f"{XSD}list":
                return "string"
            base = self._resolved(inner, inner.get("base"))
            current = inner.find(f"{XSD}simpleType") if base is None else base
        return "string" if current is None else None

    # ---- types

    def _type(self, node: Any) -> Any:
        """The type of a declaration: its definition, or the name of a built-in one."""
        own = node.find(f"{XSD}complexType")
        if own is None:
            own = node.find(f"{XSD}simpleType")
        if own is not None:
            return own
        found = self._resolved(node, node.get("type"))
        return "string" if found is None else found

    def _resolved(self, node: Any, name: str | None) -> Any:
        if not name:
            return None
        tag = self._expanded(node, name)
        if tag.startswith(XSD):
            return tag.removeprefix(XSD)
        found = self._named.get(("complexType", tag))
        if found is None:
            found = self._named.get(("simpleType", tag))
        if found is None:
            raise Fault("InvalidSchema", f"The schema refers to the type '{name}', which it does not define.")
        return found

    def _derivation(self, node: Any) -> list[Any]:
        """The complex types of an element, the one that is extended first."""
        chain: list[Any] = []
        current = self._type(node)
        while not isinstance(current, str) and current is not None and current.tag == f"{XSD}complexType":
            if len(chain) > _MOST_STEPS:
                raise Fault("InvalidSchema", "The schema's types are derived from each other in a circle.")
            chain.append(current)
            content = current.find(f"{XSD}complexContent")
            extension = content.find(f"{XSD}extension") if content is not None else None
            current = self._resolved(extension, extension.get("base")) if extension is not None else None
        return chain[::-1]

    def _body(self, definition: Any) -> Any:
        """Where a complex type's particles and attributes stand."""
        for content in ("complexContent", "simpleContent"):
            for derivation in ("extension", "restriction"):
                found = definition.find(f"{XSD}{content}/{XSD}{derivation}")
                if found is not None:
                    return found
        return definition

    def _particles(self, holder: Any, many: bool, optional: bool, depth: int) -> Iterator[Part]:
        if depth > _MOST_STEPS:
            raise Fault("InvalidSchema", "The schema's groups refer to each other in a circle.")
        for child in self._body(holder) if holder.tag == f"{XSD}complexType" else holder:
            if not isinstance(child.tag, str):
                continue
            kind = child.tag.removeprefix(XSD)
            several = many or child.get("maxOccurs", "1") not in ("0", "1")
            none = optional or kind == "choice" or child.get("minOccurs") == "0"
            if kind == "element":
                yield self._element(child, several, none)
            elif kind in _PARTICLES:
                yield from self._particles(child, several, none, depth + 1)
            elif kind == "group" and child.get("ref"):
                yield from self._particles(self._referred("group", child), several, none, depth + 1)

    def _element(self, node: Any, many: bool, optional: bool) -> Part:
        if node.get("ref"):
            return Part(self._expanded(node, node.get("ref")), self._referred("element", node), many, optional)
        return Part(self._local(node, "elementFormDefault"), node, many, optional)

    def _attributes(self, holder: Any, depth: int) -> Iterator[Part]:
        if depth > _MOST_STEPS:
            raise Fault("InvalidSchema", "The schema's attribute groups refer to each other in a circle.")
        for child in self._body(holder) if holder.tag == f"{XSD}complexType" else holder:
            if child.tag == f"{XSD}attribute" and child.get("use") != "prohibited":
                if child.get("ref"):
                    name = self._expanded(child, child.get("ref"))
                    yield Part(name, self._named.get(("attribute", name), child))
                else:
                    optional = child.get("use") != "required"
                    yield Part(self._local(child, "attributeFormDefault"), child, optional=optional)
            elif child.tag == f"{XSD}attributeGroup" and child.get("ref"):
                yield from self._attributes(self._referred("attributeGroup", child), depth + 1)

    # ---- names

    def _referred(self, kind: str, node: Any) -> Any:
        tag = self._expanded(node, node.get("ref"))
        found = self._named.get((kind, tag))
        if found is None:
            raise Fault("InvalidSchema", f"The schema refers to the {kind} '{node.get('ref')}', which is not in it.")
        return found

    def _expanded(self, node: Any, name: str) -> str:
        before, _, after = name.rpartition(":")
        _refuse_name(after)
        namespace = node.nsmap.get(before or None)
        if namespace is None and not before:
            namespace = node.getroottree().getroot().get("{sealflow}namespace")
        return _tag(namespace or "", after)

    def _local(self, node: Any, default: str) -> str:
        """The name of a local declaration, which is in the namespace only where the schema says so."""
        _refuse_name(node.get("name") or "")
        root = node.getroottree().getroot()
        form = node.get("form") or root.get(default) or "unqualified"
        return _tag(root.get("{sealflow}namespace") if form == "qualified" else "", node.get("name") or "")


def _refuse_name(name: str | None) -> None:
    """Raise Fault for what is no name of an element or attribute, before a document is made with it."""
    try:
        if name is not None and ":" not in etree.QName(name).localname:
            return
    except ValueError:
        pass
    if name is not None:
        raise Fault("InvalidSchema", f"The schema has a component whose name is not valid in XML: {name[:100]!r}.")


def _tag(namespace: str | None, name: str) -> str:
    return f"{{{namespace}}}{name}" if namespace else name


def local(tag: str) -> str:
    """The name without its namespace."""
    return tag.rpartition("}")[2]


def qualified(tag: str) -> str:
    """The name as .NET writes qualified ones: `namespace:name`."""
    return tag[1:].replace("}", ":", 1) if tag.startswith("{") else tag
