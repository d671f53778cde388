"""Targets of the fuzzer that read what is stored: records, bundles, anchors, key files, maps, and command lines."""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, Final

import typer
from fuzz_mutation import NASTY_TEXTS, changed_bytes, changed_json, changed_text, leaf
from fuzz_targets import Target
from sealflow.connectors.isolated import flat_file, liquid_template, xml_schema, xslt
from sealflow.engine.hosts.cli import main
from sealflow.engine.hosts.cli.app import application
from sealflow.storage import Keystore, Store, Vault, open_bundle
from sealflow.storage.format.codec import pack, unpack
from sealflow.storage.format.compression import unzipped, zipped
from sealflow.storage.format.envelope import ScopeKey
from sealflow.storage.format.purposes import Kind, Purpose, Role
from sealflow.storage.format.references import Missing, Referrer, Resolver
from sealflow.storage.keys.providers.file import FileKeys, create_key
from sealflow.storage.maintenance.bundle import export_bundle
from sealflow.storage.policies.anchor import environment_of


class Findings(Exception):
    """Something that must not happen, found by a target itself."""


# --- records

_VALUES: Final = (
    [1, "a", None, True, 1.5, b"bytes", {"k": ["v"] * 3}],
    {"big": 10**40, "small": -(10**30), "text": "é\ud800x", "empty": {}, "list": []},
    [[1, {"a": {"b": {"c": [1, 2, 3]}}}], "x" * 300],
    [4, 0, "Compose", {"inputs": "@item()", "outputs": {"body": list(range(50))}}, None],
)


class Records:
    """Sealed records, and what is inside of them: the codec, compression, references."""

    def __init__(self) -> None:
        self._key = ScopeKey(b"k" * 32, b"e" * 16, Kind.RUN, b"r" * 16)
        self._place = self._key.place(Purpose.PAGE, b"r" * 16)
        packed = [pack(value) for value in _VALUES]
        self._records = [self._key.seal(self._place, 1, 0, data) for data in packed]
        self._zipped = [data for data in (zipped(each * 9) for each in packed) if data is not None]
        records = [[1, 1, {"a": "x" * 600}], [2, 2, {"b": ["y" * 700]}]]
        self._pages = [pack(Referrer().pack(records, 1))]
        self._packed = packed
        self._pieces = [*packed, *self._pages]

    def make(self, rng: Random) -> tuple[str, bytes]:
        how = rng.randrange(10)
        if how < 3:
            return "sealed", changed_bytes(rng.choice(self._records), rng, self._records)
        if how < 7:
            return "packed", changed_bytes(rng.choice(self._packed), rng, self._pieces)
        if how < 8 and self._zipped:
            return "zipped", changed_bytes(rng.choice(self._zipped), rng, self._zipped)
        return "page", changed_bytes(rng.choice(self._pages), rng, self._pieces)

    def run(self, given: tuple[str, bytes]) -> str:
        kind, data = given
        if kind == "sealed":
            if data in self._records:
                return "unchanged"
            self._key.open(self._place, 1, 0, data)
            raise Findings("a changed record was opened")
        if kind == "packed":
            value = unpack(data)
            if pack(unpack(pack(value))) != pack(value):
                raise Findings("a value is not what it was stored as")
        elif kind == "zipped":
            unzipped(data)
        else:
            with suppress(Missing):
                Resolver().open(data, 1)
        return "ok"


# --- bundles, anchors, key files


class Stored:
    """A store with one environment, its bundles and its anchor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._vault, self._store = self._loop.run_until_complete(self._open())
        bundles = [self._loop.run_until_complete(export_bundle(self._vault, value)) for value in (_VALUES[0], {"a": 1})]
        self._bundles = bundles
        self._environment = self._vault.environment.id
        self._keystore = folder / "k.json"
        self._keys = json.loads(self._keystore.read_bytes())
        create_key(folder / "c.json", "main")
        self._customer = json.loads((folder / "c.json").read_bytes())

    async def _open(self) -> tuple[Vault, Store]:
        store = await Store.open(self.folder / "home", Keystore(self.folder / "k.json"))
        await store.create_environment("a")
        return await store.open_vault("a"), store

    def close(self) -> None:
        async def closed() -> None:
            await self._vault.close()
            await self._store.close()

        self._loop.run_until_complete(closed())
        self._loop.close()
        asyncio.set_event_loop(None)

    def make_bundle(self, rng: Random) -> bytes:
        return changed_bytes(rng.choice(self._bundles), rng, self._bundles)

    def run_bundle(self, data: bytes) -> str:
        value = self._opened(data)
        if data not in self._bundles and value not in (_VALUES[0], {"a": 1}):
            raise Findings("a changed bundle gave another value")
        return "ok"

    def _opened(self, data: bytes) -> Any:
        """A bundle's value. Only one that names a later key has to wait for the store, and needs a loop."""
        asyncio.set_event_loop(self._loop)  # which command lines in between have unset
        work = open_bundle(self._vault, data)
        try:
            work.send(None)
        except StopIteration as ended:
            return ended.value
        work.close()
        return self._loop.run_until_complete(open_bundle(self._vault, data))

    def make_keystore(self, rng: Random) -> bytes:
        return self._changed_document(rng, self._keys)

    def run_keystore(self, data: bytes) -> str:
        path = self._write("fuzzed.json", data)
        Keystore(path, passphrase=None).keys(self._environment, Role.ENVIRONMENT)
        return "ok"

    def make_key_file(self, rng: Random) -> bytes:
        return self._changed_document(rng, self._customer)

    def run_key_file(self, data: bytes) -> str:
        FileKeys(self._write("fuzzed.json", data), "main")._read()
        return "ok"

    def make_anchor(self, rng: Random) -> bytes:
        known = {"format": "sealflow anchor", "version": 1, "environment": "00" * 16, "sequence": 1, "time": 2}
        return self._changed_document(rng, {**known, "root": "00" * 32, "sealed": "AAAA"})

    def run_anchor(self, data: bytes) -> str:
        environment_of(data)
        return "ok"

    def _changed_document(self, rng: Random, document: Any) -> bytes:
        if rng.random() < 0.5:
            return changed_bytes(json.dumps(document).encode(), rng, (b"{}", b"[]", b"null", b"1e999", b'"\\ud800"'))
        for _ in range(rng.choice((1, 2))):
            document = changed_json(document, rng, (document,), NASTY_TEXTS)
        return json.dumps(document).encode("utf-8", "surrogatepass")

    def _write(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.write(handle, data)
        os.close(handle)
        return path


# --- maps, templates and schemas, without the process around them

_XSLT: Final = (
    '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"><xsl:param name="p"/>'
    '<xsl:template match="/"><r><xsl:for-each select="//b"><c><xsl:value-of select="."/></c></xsl:for-each></r>'
    "</xsl:template></xsl:stylesheet>"
)
_XSD: Final = (
    '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a"><xs:complexType><xs:sequence>'
    '<xs:element name="b" type="xs:int" maxOccurs="9"/></xs:sequence><xs:attribute name="c" type="xs:date"/>'
    "</xs:complexType></xs:element></xs:schema>"
)
_XML: Final = '<a c="2026-01-31"><b>1</b><b>2</b></a>'
_LIQUID: Final = (
    "{% for x in content.list %}{{ x | upcase | append: 'a' }}{% endfor %}{% if content.n > 1 %}{{ content.n }}"
    "{{ 1 | plus: 1 }}{% else %}{% assign y = 'a,b' | split: ',' %}{{ y | join: '-' }}{% endif %}"
    "{{ 'now' | Date: 'yyyy' }}"
)
_CONTENT: Final = {"list": ["a", 1, None, {"b": 2}], "n": 2, "s": "text"}
_JSON: Final = {"a": {"@c": "2026-01-31", "b": [1, 2]}}


def make_map(rng: Random) -> dict[str, Any]:
    kind = rng.choice(("xslt", "xsd", "compose", "liquid", "liquid", "flat"))
    pieces = (_XSLT, _XSD, _XML, _LIQUID)
    xml = changed_text(_XML, rng, pieces) if rng.random() < 0.5 else _XML
    if kind == "xslt":
        return {
            "job": kind,
            "content": xml,
            "map": changed_text(_XSLT, rng, pieces),
            "related": {},
            "parameters": {},
            "options": [],
        }
    if kind == "liquid":
        content = changed_json(_CONTENT, rng, (_CONTENT,), NASTY_TEXTS)
        return {"job": kind, "content": content, "map": changed_text(_LIQUID, rng, pieces), "kind": "jsontotext"}
    schema = changed_text(_XSD, rng, pieces)
    if kind == "compose":
        content = changed_json(_JSON, rng, (_JSON,), NASTY_TEXTS)
        return {"job": "xsd", "operation": "compose", "content": content, "schema": schema, "related": {}}
    operation = rng.choice(("validate", "parse")) if kind == "xsd" else rng.choice(("decode", "encode"))
    return {"job": kind, "operation": operation, "content": xml, "schema": schema, "related": {}}


def run_map(given: dict[str, Any]) -> str:
    inputs = {name: value for name, value in given.items() if name != "job"}
    job: Any = {"xslt": xslt, "xsd": xml_schema, "liquid": liquid_template, "flat": flat_file}[given["job"]]
    try:
        job.perform(inputs)
    except (RecursionError, MemoryError) as error:  # the process around it tells these
        return type(error).__name__
    return "ok"


# --- command lines

_LEFT_OUT: Final = frozenset({"worker", "env move"})
"""Commands that run until they are stopped, or that reach for a database elsewhere."""
_WORDS: Final = (
    "--json", "--help", "-e", "--environment", "default", "f", "f.json", "latest", "--limit", "--status", "--since",
    "--input", "@f.json", "@-", "@missing", "{}", "[1]", "--version", "1", "0", "-1", "--name", "--parameter", "x=1",
    "--timeout", "1", "--simulate", "--yes", "--all", "--", "--value", "k=v", "--definition", "a.robin", "@add(1,2)",
    "--context", "--batch", "--dialect", "logic-apps", "--days", "--plaintext", "file:c.json#main", "--key",
)  # fmt: skip
_SECONDS: Final = ["--timeout", "0.2"]


@cache
def _commands() -> dict[str, tuple[list[tuple[str, bool]], int]]:
    """Each command with its options, each with whether it takes a value, and how many arguments it needs."""
    found: dict[str, tuple[list[tuple[str, bool]], int]] = {}
    waiting: list[tuple[tuple[str, ...], Any]] = [((), typer.main.get_command(application()))]
    while waiting:
        path, command = waiting.pop()
        if hasattr(command, "commands"):
            waiting += [((*path, name), inner) for name, inner in command.commands.items()]
        elif " ".join(path) not in _LEFT_OUT:
            options = [
                (name, not each.is_flag) for each in command.params if hasattr(each, "is_flag") for name in each.opts
            ]
            needed = sum(each.param_type_name == "argument" for each in command.params)
            found[" ".join(path)] = options, needed
    return dict(sorted(found.items()))


def _stream() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace", write_through=True)


def _written(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8", "replace")


class CommandLines:
    """Command lines in a folder with a store. No command of the list reaches the network or asks at a terminal."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "work"
        self._folder.mkdir()
        self._count = 0
        os.environ["SEALFLOW_KEYSTORE"] = str(folder / "cli" / "keystore.json")
        os.environ["SEALFLOW_DEBUG"] = "1"
        os.environ["SEALFLOW_HOME"] = str(self._folder / ".sealflow")

    def make(self, rng: Random) -> list[str]:
        command = rng.choice(list(_commands()))
        options, arguments = _commands()[command]
        words = command.split()
        if rng.random() < 0.9:
            words += [self._word(rng) for _ in range(arguments)]
        for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
            if options and rng.random() < 0.8:
                name, takes = rng.choice(options)
                words += [name, self._word(rng)] if takes else [name]
            else:
                words.append(self._word(rng))
        if words[0] == "run":
            words[1:] = ["f.json", *_SECONDS, *words[1:]]
        if ("--timeout", True) in options and words[0] != "run":
            words[2:] = [*_SECONDS, *words[2:]]
        # An operating system gives bytes without NUL, and what is no UTF-8 as these surrogates.
        return [word.replace("\0", "").replace("\ud800", "\udcff") for word in words]

    @staticmethod
    def _word(rng: Random) -> str:
        how = rng.randrange(6)
        if how < 4:
            return rng.choice(_WORDS)
        if how == 4:
            return changed_text(rng.choice(_WORDS), rng, _WORDS).lstrip("/.~") or "x"
        return str(leaf(rng)).replace("/", "_").replace("\\", "_")[:300]

    def run(self, words: list[str]) -> str:
        self._renew()
        out, err, before = _stream(), _stream(), os.getcwd()
        stdin = sys.stdin
        os.chdir(self._folder)
        sys.stdin = io.TextIOWrapper(io.BytesIO(b"{}"), "utf-8")
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = main(words)
        finally:
            os.chdir(before)
            sys.stdin = stdin
        told = _written(out) + _written(err)
        if "InternalError" in told:
            frames = re.findall(r'File "[^"]*?([^"/]+)", line (\d+), in (\w+)', told)
            raise Findings(f"an internal error: {':'.join(frames[-1]) if frames else ''} {told[-1500:]}")
        if code not in (0, 1, 2, 3, 4, 124):
            raise Findings(f"the exit code {code}")
        return f"exit {code}"

    def _renew(self) -> None:
        if self._count % 500 == 0:
            for path in self._folder.iterdir():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            actions = {"A": {"type": "Compose", "inputs": "@triggerBody()", "runAfter": {}}}
            flow = {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}
            (self._folder / "f.json").write_text(json.dumps(flow), "utf-8")
            (self._folder / "a.robin").write_text("SET x TO 1\n", "utf-8")
        self._count += 1


def stored_targets(folder: Path) -> tuple[Sequence[Target], Stored]:
    """The targets that need a store, in this folder; close it afterwards."""
    records, stored, lines = Records(), Stored(folder), CommandLines(folder)
    targets = (
        Target("records", 0.25, records.make, records.run),
        Target("bundles", 0.05, stored.make_bundle, stored.run_bundle),
        Target("keystores", 0.02, stored.make_keystore, stored.run_keystore),
        Target("key-files", 0.01, stored.make_key_file, stored.run_key_file),
        Target("anchors", 0.014, stored.make_anchor, stored.run_anchor),
        Target("maps", 0.02, make_map, run_map, seconds=8.0),  # their process is ended after 15
        Target("cli", 0.001, lines.make, lines.run),
    )
    return targets, stored
