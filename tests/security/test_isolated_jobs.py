"""Scripts, maps, templates and schemas of a malicious maker. Each runs in a separate process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sealflow.connectors import Artifact, Call, ConnectorError, Services
from sealflow.connectors.conformance import StoppedClock
from sealflow.connectors.inline import (
    FlatFileConnector,
    JavaScriptConnector,
    LiquidConnector,
    XmlConnector,
    XsltConnector,
)
from sealflow.connectors.isolation import JobLimits
from thorough import LONG

CANARY = "canary-of-the-file-4711"
FEW = JobLimits(seconds=1, memory=512 << 20, data=4 << 20)
XSD = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
XSL = 'version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
CONNECTORS: dict[str, type[Any]] = {
    "xml": XmlConnector,
    "flat-file": FlatFileConnector,
    "xslt": XsltConnector,
    "liquid": LiquidConnector,
    "inline-code": JavaScriptConnector,
}


class Outside:
    """A file with a canary and a server that counts connections: what a job must not reach."""

    def __init__(self, path: Path, port: int) -> None:
        self.path = path
        self.url = f"http://127.0.0.1:{port}/x"
        self.connections = 0


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Outside]:
    path = tmp_path / "secret.xsd"
    path.write_text(f'<xs:schema {XSD}><xs:element name="{CANARY}"/></xs:schema>', "utf-8")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.connections += 1
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    found = Outside(path, server.sockets[0].getsockname()[1])
    yield found
    server.close()
    await server.wait_closed()
    assert found.connections == 0


async def done(kind: str, operation: str, inputs: dict[str, Any], text: str = "", **related: str) -> Any:
    artifact = Artifact("a.xsd", text, related) if text else None
    call = Call(kind, operation, inputs, "k", artifact=artifact)
    return (await CONNECTORS[kind](FEW).invoke(call, Services(clock=StoppedClock()))).body


async def outcome(kind: str, operation: str, inputs: dict[str, Any], text: str = "", **related: str) -> tuple[str, str]:
    """What became of a job: `ok` and its result, or the code and message of its failure."""
    try:
        return "ok", str(await done(kind, operation, inputs, text, **related))
    except ConnectorError as error:
        return error.code, error.message


async def failed(kind: str, operation: str, inputs: dict[str, Any], text: str = "", **related: str) -> str:
    """The code of a job that has to fail, without a word of what it must not reach."""
    code, told = await outcome(kind, operation, inputs, text, **related)
    assert code not in ("ok", "WorkerCrashed", "InternalError"), told
    assert CANARY not in told
    return code


async def bounded(kind: str, operation: str, inputs: dict[str, Any], text: str = "") -> None:
    """Done or failed with a code; the limits of the process keep time and memory."""
    code, told = await outcome(kind, operation, inputs, text)
    assert code not in ("WorkerCrashed", "InternalError"), told


# --- schemas


@pytest.mark.parametrize("operation", ["validate", "parse", "compose"])
async def test_a_schema_with_an_external_entity(outside: Outside, operation: str) -> None:
    """The maker gives a schema whose document type declares an entity that stands for a file of the machine. The schema
    is refused before anything is read.
    """
    schema = (
        f'<!DOCTYPE s [<!ENTITY e SYSTEM "{outside.path.as_uri()}">]><xs:schema {XSD}><xs:element name="a">'
        "<xs:annotation><xs:documentation>&e;</xs:documentation></xs:annotation></xs:element></xs:schema>"
    )
    content: Any = {"a": "1"} if operation == "compose" else "<a>1</a>"
    assert await failed("xml", operation, {"content": content}, schema) == "InvalidXml"


async def test_content_with_external_entities(outside: Outside) -> None:
    """The maker lets a flow validate content whose entities stand for a file, an address or a parameter entity of
    another document. The content is refused and nothing is fetched.
    """
    schema = f'<xs:schema {XSD}><xs:element name="a" type="xs:string"/></xs:schema>'
    for declared in (
        f'<!ENTITY e SYSTEM "{outside.path.as_uri()}">',
        f'<!ENTITY e SYSTEM "{outside.url}">',
        f'<!ENTITY % p SYSTEM "{outside.url}"> %p;',
    ):
        content = f"<!DOCTYPE a [{declared}]><a>&e;</a>"
        assert await failed("xml", "validate", {"content": content}, schema) == "InvalidXml"
    content = f'<!DOCTYPE a SYSTEM "{outside.url}"><a>1</a>'
    assert await failed("xml", "validate", {"content": content}, schema) == "InvalidXml"


@pytest.mark.parametrize("kind", ["include", "import", "redefine"])
async def test_a_schema_that_includes_what_is_outside(outside: Outside, kind: str) -> None:
    """The maker gives a schema that includes, imports or redefines a file of the machine or an address. Only schemas of
    the flow itself are found.
    """
    for location in (outside.path.as_uri(), str(outside.path), outside.url, f"../../..{outside.path}"):
        namespace = ' namespace="urn:other"' if kind == "import" else ""
        schema = (
            f'<xs:schema {XSD}><xs:{kind}{namespace} schemaLocation="{location}"/>'
            '<xs:element name="a" type="xs:string"/></xs:schema>'
        )
        for operation in ("validate", "parse"):
            code = await failed("xml", operation, {"content": "<a>1</a>"}, schema)
            assert code == "ArtifactNotFound"


async def test_an_included_schema_that_includes_what_is_outside(outside: Outside) -> None:
    """The maker hides the address in a schema that the flow's own schema includes. It is not fetched either."""
    inner = f'<xs:schema {XSD}><xs:include schemaLocation="{outside.url}"/></xs:schema>'
    schema = (
        f'<xs:schema {XSD}><xs:include schemaLocation="inner.xsd"/><xs:element name="a" type="xs:string"/></xs:schema>'
    )
    code = await failed("xml", "validate", {"content": "<a>1</a>"}, schema, **{"inner.xsd": inner})
    assert code == "ArtifactNotFound"


async def test_content_that_names_its_own_schema(outside: Outside) -> None:
    """The maker's content names a schema at an address (`xsi:schemaLocation`). The schema of the flow counts, and
    nothing is fetched.
    """
    schema = f'<xs:schema {XSD}><xs:element name="a" type="xs:string"/></xs:schema>'
    content = (
        '<a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:noNamespaceSchemaLocation="{outside.url}" xsi:schemaLocation="urn:x {outside.url}">1</a>'
    )
    assert await done("xml", "validate", {"content": content}, schema)


async def test_entities_that_multiply() -> None:
    """The maker gives a document of ten entities, each ten times the one before. It is refused."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<!DOCTYPE a [<!ENTITY e0 "xxxxxxxxxx">{entities}]><a>&e9;</a>'
    schema = f'<xs:schema {XSD}><xs:element name="a" type="xs:string"/></xs:schema>'
    assert await failed("xml", "validate", {"content": bomb}, schema) == "InvalidXml"


COSTLY = {
    "occurrences": '<xs:element name="a"><xs:complexType><xs:sequence maxOccurs="9000000"><xs:element name="b" '
    'minOccurs="9000000" maxOccurs="9000000"/></xs:sequence></xs:complexType></xs:element>',
    "pattern": '<xs:element name="a"><xs:simpleType><xs:restriction base="xs:string"><xs:pattern '
    'value="((a{1,9000}){1,9000}){1,9000}b"/></xs:restriction></xs:simpleType></xs:element>',
    "groups in a circle": '<xs:element name="a"><xs:complexType><xs:group ref="g"/></xs:complexType></xs:element>'
    '<xs:group name="g"><xs:sequence><xs:group ref="g"/></xs:sequence></xs:group>',
    "types in a circle": '<xs:element name="a" type="t"/><xs:complexType name="t"><xs:complexContent>'
    '<xs:extension base="t"/></xs:complexContent></xs:complexType>',
}


@pytest.mark.parametrize("body", COSTLY.values(), ids=COSTLY)
async def test_a_schema_that_costs_without_end(body: str) -> None:
    """The maker gives a schema that expands to billions of states or refers to itself. It fails with a code, within the
    limits of its process.
    """
    schema = f"<xs:schema {XSD}>{body}</xs:schema>"
    await bounded("xml", "parse", {"content": "<a>aaaaaaaaaaaaaaaaaaaaaaaaac</a>"}, schema)


# --- maps

REACHING = (
    "<xsl:copy-of select=\"document('{file}')\"/>",
    "<xsl:copy-of select=\"document('{url}')\"/>",
    "<xsl:copy-of select=\"document('{file}', /)\"/>",
    '<e:document xmlns:e="http://exslt.org/common" href="{file}.written">x</e:document>',
    '<e:document xmlns:e="http://exslt.org/common" href="{url}">x</e:document>',
    '<x:write xmlns:x="org.apache.xalan.xslt.extensions.Redirect" file="{file}.written">x</x:write>',
    '<s:output xmlns:s="http://icl.com/saxon" href="{file}.written">x</s:output>',
)


async def test_a_map_that_reads_or_writes_outside(outside: Outside) -> None:
    """The maker's map reads a file or an address (`document()`) or writes one (`exsl:document` and its like). It reads
    and writes nothing.
    """
    sheets = [
        f'<xsl:stylesheet {XSL}><xsl:template match="/"><r>{body}</r></xsl:template></xsl:stylesheet>'.format(
            file=outside.path, url=outside.url
        )
        for body in REACHING
    ]
    for _, told in await asyncio.gather(*(outcome("xslt", "transform", {"content": "<a/>"}, each) for each in sheets)):
        assert CANARY not in told
    assert [*outside.path.parent.glob("*.written")] == []


@pytest.mark.parametrize("kind", ["include", "import"])
async def test_a_map_that_includes_what_is_outside(outside: Outside, kind: str) -> None:
    """The maker's map includes a map from a file of the machine or an address. Only maps of the flow are found."""
    for location in (outside.path.as_uri(), outside.url):
        sheet = f'<xsl:stylesheet {XSL}><xsl:{kind} href="{location}"/></xsl:stylesheet>'
        code = await failed("xslt", "transform", {"content": "<a/>"}, sheet)
        assert code in ("ArtifactNotFound", "InvalidMap")


async def test_a_map_that_calls_itself_for_ever() -> None:
    """The maker's map calls a recursive template, and one that doubles a text. Both end within the limits."""
    for body in (
        '<xsl:call-template name="t"/>',
        '<xsl:call-template name="d"><xsl:with-param name="x" select="\'xxxxxxxxxx\'"/></xsl:call-template>',
    ):
        sheet = (
            f'<xsl:stylesheet {XSL}><xsl:template match="/"><r>{body}</r></xsl:template>'
            '<xsl:template name="t"><xsl:call-template name="t"/></xsl:template><xsl:template name="d">'
            '<xsl:param name="x"/><xsl:call-template name="d"><xsl:with-param name="x" select="concat($x, $x)"/>'
            "</xsl:call-template></xsl:template></xsl:stylesheet>"
        )
        await bounded("xslt", "transform", {"content": "<a/>"}, sheet)


# --- templates


async def test_a_template_that_reaches_out() -> None:
    """The maker's template includes files of the machine or asks for attributes of the objects behind its content. It
    finds neither.
    """
    templates = (
        "{% include '/etc/passwd' %}",
        "{% render '/etc/passwd' %}",
        "{% layout '/etc/passwd' %}",
        "{{ content.__class__.__mro__ }}{{ content['__class__'] }}",
        "{{ content | map: '__class__' }}",
        "{{ content.items }}{{ content.keys }}{{ 'x'.__init__.__globals__ }}",
        "{{ 'now' | date: '%s' | getenv: 'HOME' }}",
    )
    jobs = (outcome("liquid", "JsonToText", {"content": {"a": 1}}, template) for template in templates)
    for code, told in await asyncio.gather(*jobs):
        assert code in ("ok", "LiquidTemplateFailed")
        assert "root:" not in told
        assert "<class" not in told
        assert "function" not in told


ENDLESS = {
    "a billion times": "{% for x in (1..1000000000) %}a{% endfor %}",
    "loops in loops": "{% for x in (1..30000) %}{% for y in (1..30000) %}{{ y }}{% endfor %}{% endfor %}",
    "a text doubled": "{% assign a = 'aaaaaaa' %}{% for x in (1..60) %}{% assign a = a | append: a %}{% endfor %}",
    "a number squared": "{% assign a = 9 %}{% for x in (1..60) %}{% assign a = a | times: a %}{% endfor %}{{ a }}",
}  # fmt: skip


@pytest.mark.parametrize("template", ENDLESS.values(), ids=ENDLESS)
async def test_a_template_without_end(template: str) -> None:
    """The maker's template loops a billion times, or doubles a text or squares a number sixty times. It fails with a
    code, within the limits of its process.
    """
    await bounded("liquid", "JsonToText", {"content": {}}, template)


# --- scripts


async def test_a_script_that_leaves_its_engine() -> None:
    """The maker's script searches for the process, modules, files, workers and the network. It finds none."""
    scripts = (
        "return this.constructor.constructor('return process')().env",
        "return (function(){}).constructor('return globalThis.process.mainModule')()",
        "return import('/etc/passwd')",
        "return require('fs').readFileSync('/etc/passwd')",
        "return std.loadFile('/etc/passwd')",
        "return os.readdir('/')",
        "return new Worker('x')",
        "return fetch('http://127.0.0.1/')",
        "return new WebAssembly.Module(new Uint8Array([0]))",
    )
    for code, told in await asyncio.gather(*(outcome("inline-code", "javascript", script(each)) for each in scripts)):
        assert (code, "root:" in told) == ("InlineCodeScriptRuntimeFailure", False)


async def test_a_script_without_end() -> None:
    """The maker's script fills the memory, recurses, or computes endlessly. It fails with a code, within the limits of
    its process.
    """
    scripts = (
        "const a = []; while (true) a.push(new Array(10000).fill('x'))",
        "let a = 'x'; while (true) a += a",
        "return '('.repeat(1e9)",
        "const f = () => f(); return f()",
        "return JSON.stringify(new Array(1e9))",
        "return /^(a+)+$/.test('a'.repeat(60) + 'b')",
        "return [...Array(1e8).keys()].sort(() => 0.5 - Math.random()).length",
        "let p = Promise.resolve(); const f = () => { p = p.then(f) }; f(); return new Promise(() => 0)",
    )
    chosen = scripts if LONG else scripts[::2]
    await asyncio.gather(*(bounded("inline-code", "javascript", script(each)) for each in chosen))


async def test_a_script_that_changes_prototypes() -> None:
    """The maker names an action `__proto__`, and a script changes `Object.prototype`. The context keeps its members,
    and the next script is not affected.
    """
    context = {"actions": {"__proto__": {"admin": True}, "constructor": {"outputs": 1}}, "workflow": {}}
    code = (
        "Object.prototype.planted = 1; "
        "const a = workflowContext.actions; return [({}).admin === undefined, a.constructor.outputs, Object.keys(a)]"
    )
    given = {"code": code, "workflowContext": context}
    assert await done("inline-code", "javascript", given) == [True, 1, ["__proto__", "constructor"]]
    assert await done("inline-code", "javascript", {**given, "code": "return ({}).planted"}) is None


async def test_a_script_that_returns_a_trap() -> None:
    """The maker's script returns objects whose `toJSON` or getters throw, or that no JSON can hold. The action fails
    with a code.
    """
    scripts = (
        "return {toJSON() { throw new Error('no') }}",
        "return {get x() { throw new Error('no') }}",
        "const a = {}; a.a = a; return a",
        "return new Proxy({}, {ownKeys() { throw 1 }})",
        "return 10n ** 20n",
    )
    for code, _ in await asyncio.gather(*(outcome("inline-code", "javascript", script(each)) for each in scripts)):
        assert code == "InlineCodeScriptRuntimeFailure"


def script(code: str) -> dict[str, Any]:
    return {"code": code, "workflowContext": {"actions": {}, "trigger": None, "workflow": {}}}
