"""XML elements as JSON: attributes `@name`, text beside them `#text`, elements of one name an array.

Source: Newtonsoft.Json, "Converting between JSON and XML", which the hosts use for `json(xml(...))`.
"""

from __future__ import annotations

from typing import Any

MIXED = "#text"
"""The member for an element's text where it has attributes or children as well."""


def plain(root: Any) -> dict[str, Any]:
    """`{name: value}` of an element without a schema: every value is text, names have their prefixes."""
    return {_name(root, root.tag): _value(root)}


def _value(element: Any) -> Any:
    members: dict[str, Any] = {}
    for prefix, namespace in _declared(element):
        members[f"@xmlns:{prefix}" if prefix else "@xmlns"] = namespace
    members.update((f"@{_name(element, tag)}", text) for tag, text in element.items())
    children = [child for child in element if isinstance(child.tag, str)]
    text = "".join(each for each in (element.text, *(child.tail for child in element)) if each)
    if not children and not members:
        return text if element.text is not None else None
    for child in children:
        name, value = _name(child, child.tag), _value(child)
        if name not in members:
            members[name] = value
        elif isinstance(members[name], _Several):
            members[name].append(value)
        else:
            members[name] = _Several((members[name], value))
    if text.strip():
        members[MIXED] = text
    return members


class _Several(list[Any]):
    """The values of elements of one name."""


def _declared(element: Any) -> list[tuple[str | None, str]]:
    """The namespaces that the element itself declares."""
    parent = element.getparent()
    above = parent.nsmap if parent is not None else {}
    return [(prefix, name) for prefix, name in element.nsmap.items() if above.get(prefix) != name]


def _name(element: Any, tag: str) -> str:
    """A tag or attribute as it is written, with its prefix."""
    namespace, brace, local = tag.rpartition("}")
    if not brace:
        return local
    if namespace == "{http://www.w3.org/XML/1998/namespace":
        return f"xml:{local}"
    if element.tag == tag:
        return f"{element.prefix}:{local}" if element.prefix else local
    prefix = next((known for known, name in element.nsmap.items() if known and name == namespace[1:]), None)
    return f"{prefix}:{local}" if prefix else local
