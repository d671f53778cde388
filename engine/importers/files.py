"""The files of a package as its readers ask for them: by path in any case, below the package's root, as JSON or XML.

Whoever reads the disk or the archive hands them in as a mapping of paths to bytes; paths are relative, with `/`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ..cloud.report.problem import Problem, problem_of
from ..cloud.syntax.json_text import read_json
from ..errors import DefinitionError

MAXIMUM_XML: Final = 32 * 1024 * 1024
_NAMESPACE: Final = re.compile(r"\{[^}]*\}")


def roots(files: Mapping[str, bytes], pattern: str) -> list[str]:
    """The folders (empty, or ending with `/`) below which a path matches, in any case; the nearest to the top first."""
    compiled = re.compile(f"((?:[^/]+/)*?)(?:{pattern})", re.IGNORECASE)
    found = {match[1] for path in files if (match := compiled.fullmatch(path)) is not None}
    return sorted(found, key=lambda folder: (folder.count("/"), folder))


def one_root(found: list[str]) -> str | None:
    """The folder of the one package; None where there is none.

    Raises DefinitionError (SeveralPackages) where two are equally near to the top.
    """
    if not found:
        return None
    nearest = [folder for folder in found if folder.count("/") == found[0].count("/")]
    if len(nearest) > 1:
        raise DefinitionError(
            f"There are several packages in this one: {', '.join(nearest[:5])}.",
            code="SeveralPackages",
            hint="Import one of them.",
        )
    return found[0]


class PackageFiles:
    """A view of the files below `root` (empty, or ending with `/`).

    `problems` collects what cannot be read, `left_out` those of them that are about one flow, which is missing then.
    """

    def __init__(self, files: Mapping[str, bytes], root: str = "") -> None:
        self._files = files
        self.root = root
        # Windows made these packages: their own references do not keep to one case.
        self._paths = {path[len(root) :].lower(): path for path in files if path.lower().startswith(root.lower())}
        self.problems: list[Problem] = []
        self.left_out: list[Problem] = []

    def __contains__(self, path: str) -> bool:
        return path.lower() in self._paths

    def matching(self, pattern: str) -> Iterator[tuple[str, re.Match[str]]]:
        """Paths below the root that match as a whole, in any case, sorted; with the match."""
        compiled = re.compile(pattern, re.IGNORECASE)
        for path in sorted(self._paths.values()):
            found = compiled.fullmatch(path[len(self.root) :])
            if found is not None:
                yield path[len(self.root) :], found

    def place(self, path: str, pointer: str = "") -> str:
        """A place as problems give it: `folder/file.json#/json/pointer`, the path from the top of the package."""
        shown = self._paths.get(path.lower(), self.root + path)
        return f"{shown}#{pointer}" if pointer else shown

    def bytes(self, path: str) -> bytes:
        """A file's bytes. Raises DefinitionError (MissingFile), and what reading an archive raises."""
        known = self._paths.get(path.lower())
        if known is None:
            raise DefinitionError(
                f"The package has no file '{path}'.", at=self.place(path), code="MissingFile", hint="Export it again."
            )
        return self._files[known]

    def json(self, path: str) -> Any:
        """A file's JSON; None, and a problem, where it cannot be read."""
        try:
            return read_json(self.bytes(path)).value
        except DefinitionError as error:
            self.refuse(path, error)
            return None

    def json_object(self, path: str) -> dict[str, Any]:
        """As `json`, empty for what is no object."""
        found = self.json(path)
        if isinstance(found, dict):
            return found
        if found is not None:
            self.problems.append(
                Problem("InvalidDefinition", "error", self.place(path), "The file's JSON is no object.")
            )
        return {}

    def xml(self, path: str) -> XmlElement | None:
        """The root element of an XML file; None, and a problem, where it cannot be read."""
        try:
            return read_xml(self.bytes(path))
        except DefinitionError as error:
            self.refuse(path, error)
            return None

    def refuse(self, path: str, error: DefinitionError) -> None:
        """Keep an error about a file as a problem with its place in the package."""
        self.problems.append(self.fault(path, error))

    def fault(self, path: str, error: DefinitionError) -> Problem:
        """An error about a file as a problem with its place in the package."""
        at = error.at if error.at.startswith(self.place(path)) else self.place(path, error.at)
        found = problem_of(error)
        return Problem(found.code, "error", at, found.message, found.hint)

    def leave_out(self, problem: Problem) -> None:
        """Keep a problem that costs the package one of its flows, and no other flow anything."""
        self.problems.append(problem)
        self.left_out.append(problem)


class XmlElement:
    """An element, as far as packages need it: names without namespaces and in lower case."""

    def __init__(self, element: Any) -> None:
        self._element = element

    @property
    def name(self) -> str:
        return _NAMESPACE.sub("", str(self._element.tag)).lower()

    @property
    def text(self) -> str:
        return (self._element.text or "").strip()

    def attribute(self, name: str) -> str:
        """An attribute's value, by name in any case; empty where there is none."""
        for key, value in self._element.attrib.items():
            if _NAMESPACE.sub("", str(key)).lower() == name.lower():
                return str(value)
        return ""

    def children(self, name: str) -> Iterator[XmlElement]:
        """The child elements of a name, in any case."""
        for child in self._element:
            wrapped = XmlElement(child)
            if wrapped.name == name.lower():
                yield wrapped

    def find(self, *names: str) -> XmlElement | None:
        """The first child of the first child … by names."""
        found: XmlElement | None = self
        for name in names:
            found = next(found.children(name), None) if found is not None else None
        return found

    def text_of(self, *names: str) -> str:
        """The text of a descendant; empty where there is none."""
        found = self.find(*names)
        return found.text if found is not None else ""


def read_xml(data: bytes) -> XmlElement:
    """The root element. Raises DefinitionError with `at` as line:column.

    A document type is refused as a whole: no package has one, and entities are how small files become large ones.
    """
    from lxml import etree  # type: ignore[import-untyped]

    if len(data) > MAXIMUM_XML:
        raise DefinitionError("The XML file is too large.", at="1:1", code="TooLarge")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        line, column = error.position
        raise DefinitionError(
            f"The file is no XML: {(error.msg or 'it is empty')[:200]}.", at=f"{line}:{column}", code="InvalidXml"
        ) from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise DefinitionError("The XML file has a document type, which is not allowed.", at="1:1", code="InvalidXml")
    return XmlElement(root)
