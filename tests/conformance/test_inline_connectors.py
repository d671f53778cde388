"""The suite for connectors on those that do their work in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from sealflow.connectors import Artifact, Call, Connector, ConnectorError, Services
from sealflow.connectors.conformance import ConnectorContract, StoppedClock
from sealflow.connectors.inline import (
    ArtifactConnector,
    FlatFileConnector,
    JavaScriptConnector,
    LiquidConnector,
    XmlConnector,
    XsltConnector,
)
from sealflow.connectors.isolation import JobLimits

HEAD = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
SCHEMA = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="xs:int"/></xs:schema>'

FLAT = """<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:b="http://schemas.microsoft.com/BizTalk/2003">
<xs:annotation><xs:appinfo><b:schemaInfo root_reference="R"/></xs:appinfo></xs:annotation><xs:element name="R">
<xs:annotation><xs:appinfo><b:recordInfo child_delimiter_type="char" child_delimiter=","/></xs:appinfo></xs:annotation>
<xs:complexType><xs:sequence><xs:element name="A"/><xs:element name="B"/></xs:sequence></xs:complexType>
</xs:element></xs:schema>"""


def services() -> Services:
    return Services(clock=StoppedClock())


def script(code: str, key: str = "k") -> Call:
    context = {"actions": {"A": {"outputs": "planted"}}, "trigger": None, "workflow": {}}
    return Call("inline-code", "javascript", {"code": code, "workflowContext": context}, key)


class TestJavaScript(ConnectorContract):
    def connector(self) -> Connector:
        return JavaScriptConnector()

    def working(self) -> Call:
        return script("return {length: workflowContext.actions.A.outputs.length}")

    def faulty(self) -> Call | None:
        return script("const hidden = workflowContext.actions.A.outputs; throw new Error('no')")

    def endless(self) -> tuple[Call, Callable[[], Awaitable[object]]] | None:
        return script("while (true);"), lambda: asyncio.sleep(0)

    def secrets(self) -> list[str]:
        return ["planted"]


class TestXslt(ConnectorContract):
    def connector(self) -> Connector:
        return XsltConnector()

    def working(self) -> Call:
        sheet = f'{HEAD}<xsl:template match="/"><o/></xsl:template></xsl:stylesheet>'
        return Call("xslt", "transform", {"content": "<a/>"}, "k", artifact=Artifact("m.xslt", sheet))

    def faulty(self) -> Call | None:
        return Call("xslt", "transform", {"content": "<a>planted</a>"}, "k", artifact=Artifact("m.xslt", "<x/>"))

    def secrets(self) -> list[str]:
        return ["planted"]


class TestXml(ConnectorContract):
    def connector(self) -> Connector:
        return XmlConnector()

    def working(self) -> Call:
        return Call("xml", "parse", {"content": "<a>1</a>"}, "k", artifact=Artifact("s.xsd", SCHEMA))

    def faulty(self) -> Call | None:
        return Call("xml", "validate", {"content": "<b/>"}, "k", artifact=Artifact("s.xsd", SCHEMA))


class TestFlatFile(ConnectorContract):
    def connector(self) -> Connector:
        return FlatFileConnector()

    def working(self) -> Call:
        return Call("flat-file", "decode", {"content": "1,2"}, "k", artifact=Artifact("f.xsd", FLAT))

    def faulty(self) -> Call | None:
        return Call("flat-file", "decode", {"content": "1,2,planted"}, "k", artifact=Artifact("f.xsd", SCHEMA))

    def secrets(self) -> list[str]:
        return ["planted"]


class TestLiquid(ConnectorContract):
    def connector(self) -> Connector:
        return LiquidConnector()

    def working(self) -> Call:
        template = Artifact("m.liquid", '{"n": {{ content.n }} }')
        return Call("liquid", "JsonToJson", {"content": {"n": 1}}, "k", artifact=template)

    def faulty(self) -> Call | None:
        return Call("liquid", "JsonToText", {"content": 1}, "k", artifact=Artifact("m.liquid", "{{ content | Nope }}"))


class TestArtifacts(ConnectorContract):
    def connector(self) -> Connector:
        return ArtifactConnector()

    def working(self) -> Call:
        return Call("artifacts", "lookup", {"artifactType": "Schema"}, "k", artifact=Artifact("s.xsd", SCHEMA))

    def faulty(self) -> Call | None:
        return Call("artifacts", "lookup", {"artifactType": "Schema"}, "k")


@pytest.mark.parametrize(
    ("code", "limits", "expected"),
    [
        ("while (true);", JobLimits(seconds=1), "InlineCodeExecutionTimeout"),
        ("return 'x'.repeat(3000)", JobLimits(data=2000), "ContentTooLarge"),
        ("return '" + "x" * 3000 + "'", JobLimits(data=2000), "ContentTooLarge"),
        ("x" * 100_001, JobLimits(), "InlineCodeParsingFailure"),
    ],
)
async def test_the_limits_of_a_job(code: str, limits: JobLimits, expected: str) -> None:
    with pytest.raises(ConnectorError) as caught:
        await JavaScriptConnector(limits).invoke(script(code), services())
    assert caught.value.code == expected


async def test_a_process_without_memory_fails_its_call_and_nothing_else() -> None:
    connector = JavaScriptConnector(JobLimits(memory=1 << 28))
    with pytest.raises(ConnectorError) as caught:
        await connector.invoke(script("return 'x'.repeat(5e8).length"), services())
    assert caught.value.code == "InlineCodeScriptRuntimeFailure"
    assert (await JavaScriptConnector().invoke(script("return 1"), services())).body == 1


async def test_a_job_that_does_not_end_is_killed_by_the_clock() -> None:
    class Hurried(StoppedClock):
        async def sleep_until(self, due: int) -> None:
            return None

    with pytest.raises(ConnectorError) as caught:
        await JavaScriptConnector().invoke(script("while (true);"), Services(clock=Hurried()))
    assert caught.value.code == "TimeLimitExceeded"


async def test_the_limit_of_a_script_holds_by_the_clock_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealflow.connectors.isolation._START", "import time; time.sleep(600)  # {path} {job}")
    dues: list[int] = []

    class Noting(StoppedClock):
        async def sleep_until(self, due: int) -> None:
            dues.append(due - self.now())

    with pytest.raises(ConnectorError) as caught:
        await JavaScriptConnector(JobLimits(seconds=15)).invoke(script("return 1"), Services(clock=Noting()))
    assert caught.value.code == "TimeLimitExceeded"
    assert dues == [20 * 10_000_000]


async def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [])
    with pytest.raises(ConnectorError) as caught:
        await JavaScriptConnector().invoke(script("return 1"), services())
    assert caught.value.code == "LibraryMissing"
    assert caught.value.hint == "pip install 'sealflow[scripts]'"


async def test_a_job_sees_nothing_of_the_users_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALFLOW_PASSPHRASE", "planted")
    copied = "<xsl:copy-of select=\"document('/proc/self/environ')\"/>"
    sheet = f'{HEAD}<xsl:template match="/">{copied}</xsl:template></xsl:stylesheet>'
    call = Call("xslt", "transform", {"content": "<a/>"}, "k", artifact=Artifact("m.xslt", sheet))
    with pytest.raises(ConnectorError) as caught:
        await XsltConnector().invoke(call, services())
    assert "planted" not in caught.value.message


async def test_a_process_that_crashes_fails_its_call_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealflow.connectors.isolation._START", "import os; os.abort()  # {path} {job}")
    with pytest.raises(ConnectorError) as caught:
        await JavaScriptConnector().invoke(script("return 1"), services())
    assert caught.value.code == "WorkerCrashed"


def test_a_confined_process_can_open_nothing() -> None:
    """The limits that a worker sets itself, in a process of their own."""
    code = """
import socket, sys
from sealflow.connectors.isolated.worker import _confine
_confine(5, 1 << 30)
refused = []
for attempt in (lambda: open('/etc/passwd'), lambda: socket.socket(), lambda: open('/tmp/x', 'w')):
    try:
        attempt()
    except OSError:
        refused.append(True)
sys.stdout.write(str(len(refused)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("3", "")
