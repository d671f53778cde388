"""Values of hundreds of kilobytes and more in runs: stored in chunks, passed on unread, read where an expression needs
them; and nothing of that changes what a flow does.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sealflow
from http_server import Seen, Serve, as_json, raw, serving
from sealflow.connectors import late
from sealflow.engine.errors import NotFound, SealflowError
from sealflow.engine.runtime.calls import contents
from sealflow.engine.runtime.runs import large_writes as heavy
from sealflow.engine.runtime.runs import live_run as live
from sealflow.engine.values import to_json
from sealflow.storage import Batch, StoredValue
from sealflow.storage.format.stored_values import found_in
from sealflow.storage.stores.runs import run_log, value_writing
from sealflow.storage.stores.runs.value_reading import ValueReader

S = ["Succeeded"]
CHUNK = 20_000
TEXT = ("Größe " * 20 + "\n") * 1_000  # 121,000 characters, 161,000 bytes
Open = Callable[..., Any]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 20 KB."""
    for module in (run_log, value_writing, live, heavy):
        monkeypatch.setattr(module, "CHUNK_BYTES", CHUNK)
    monkeypatch.setattr(contents.RunContent, "least", CHUNK)
    monkeypatch.setattr(run_log, "PAGE_BYTES", CHUNK // 2)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[StoredValue]:
    """The large values that were read as a whole."""
    read: list[StoredValue] = []
    value = ValueReader.value

    async def counted(reader: ValueReader, stored: StoredValue) -> Any:
        read.append(stored)
        return await value(reader, stored)

    monkeypatch.setattr(ValueReader, "value", counted)
    return read


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


@asynccontextmanager
async def opened(folder: Path, **options: Any) -> AsyncIterator[Any]:
    async with sealflow.open(folder / "home", keystore=folder / "k.json", **options) as engine:
        yield await engine.environment("env")


def after(*names: str) -> dict[str, Any]:
    return {"runAfter": dict.fromkeys(names, S)}


def flow(**actions: Any) -> dict[str, Any]:
    return {"triggers": {"manual": {"type": "Request", "kind": "Http"}}, "actions": actions}


def get(url: str, *before: str) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "GET", "uri": url}, **after(*before)}


def post(url: str, body: Any, *before: str, **more: Any) -> dict[str, Any]:
    return {"type": "Http", "inputs": {"method": "POST", "uri": url, "body": body, **more}, **after(*before)}


def compose(value: Any, *before: str) -> dict[str, Any]:
    return {"type": "Compose", "inputs": value, **after(*before)}


ANSWERS: dict[str, tuple[str, bytes]] = {
    "text": ("text/plain; charset=utf-8", TEXT.encode()),
    "bytes": ("application/octet-stream", bytes(range(256)) * 500),
    "json": ("application/json", b'{"a": [' + b'"x", ' * 6_000 + b"1]}"),
    "latin": ("text/plain; charset=iso-8859-1", TEXT.encode("latin-1")),
    "utf-16": ("text/csv; charset=utf-16", TEXT.encode("utf-16")),
    "no utf-8": ("text/plain", b"\xef\xbb\xbf" + b"\xff\xc3" * 40_000),
    "problem": ("application/problem+json", b"[" + b"1, " * 20_000 + b"1]"),
    "untyped": ("", TEXT.encode()),
}


def answering(seen: list[Seen]) -> Callable[[Seen], bytes | Awaitable[bytes]]:
    def handle(request: Seen) -> bytes:
        seen.append(request)
        kind = request.target.strip("/").replace("%20", " ")
        if kind not in ANSWERS:
            return as_json({"got": len(request.body)})
        media_type, body = ANSWERS[kind]
        return raw(200, body, **({"Content_Type": media_type} if media_type else {}))

    return handle


async def records(env: Any, started: Any) -> list[Any]:
    return [r async for page in env._vault.read_run(started._id, apart=True) for r in page.records]


def names(record: Any) -> list[StoredValue]:
    return [*found_in(record)]


VARYING = {"run", "start", "end", "x-ms-workflow-run-id", "x-ms-client-tracking-id", "trackingId", "clientTrackingId"}


def timeless(told: Any) -> Any:
    """A result without what is different each time."""
    if isinstance(told, dict):
        return {name: timeless(value) for name, value in told.items() if name not in VARYING}
    return [timeless(each) for each in told] if isinstance(told, list) else told


def everything(url: str, kind: str) -> dict[str, Any]:
    """A flow that passes an answer on, and looks at it in many ways."""
    sent = {"type": "If", "expression": {"equals": ["@outputs('get')['statusCode']", 200]}, **after("get")}
    sent["actions"] = {"put": post(f"{url}/put", "@body('get')")}
    return flow(
        get=get(f"{url}/{kind.replace(' ', '%20')}"),
        sent=sent,
        headers=compose("@outputs('get')['headers']['Content-Length']", "sent"),
        copied=compose("@body('get')", "sent"),
        size=compose("@length(string(body('get')))", "copied"),
        again=post(f"{url}/again", {"inner": "@body('get')", "of": "@outputs('copied')"}, "size"),
        kept={
            "type": "InitializeVariable",
            "inputs": {"variables": [{"name": "v", "type": "object", "value": {"b": "@body('get')"}}]},
            **after("again"),
        },
        told=compose("@equals(string(actions('put')['inputs']['body']), string(variables('v')['b']))", "kept"),
        each={
            "type": "Foreach",
            "foreach": "@createArray(1, 2)",
            "actions": {"inner": get(f"{url}/{kind.replace(' ', '%20')}")},
            **after("told"),
        },
        sizes=compose("@length(string(body('inner')))", "each"),
        answer={"type": "Response", "inputs": {"statusCode": 200, "body": "@body('get')"}, **after("sizes")},
    )


@pytest.mark.parametrize("kind", ANSWERS)
async def test_nothing_of_it_changes_what_a_flow_does(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    seen: list[Seen] = []
    server = await serve(answering(seen))
    results, bodies, replies = [], [], []
    for apart in (True, False):
        if not apart:
            for module in (run_log, value_writing, live, heavy):
                monkeypatch.setattr(module, "CHUNK_BYTES", 1 << 30)
            monkeypatch.setattr(late, "STREAMING", frozenset())
        async with opened(tmp_path / str(apart)) as env:
            await env.deploy("f", everything(server.url, kind))
            (started,) = await env.start("f")
            result = await started.result(60)
            assert result.status == "Succeeded", result.error
            report = await started.report()
            assert [action async for action in report.actions()] == result.actions
            results.append(timeless(result.to_json()))
            replies.append(timeless(dict(await started.response())))
            bodies.append([(request.target, request.headers.get("content-type"), request.body) for request in seen])
            seen.clear()
            assert any(map(names, await records(env, started))) == apart
            exported = await started.export()
        async with opened(tmp_path / str(apart)) as env:
            stored = await (await env.run(started.id)).snapshot()
            assert timeless(stored.to_json()) == results[-1]
        async with sealflow.open(tmp_path / str(apart) / "home", keystore=tmp_path / str(apart) / "k.json") as engine:
            assert (await sealflow.replay(exported, engine=engine)).differences == []
    assert results[0] == results[1]
    assert bodies[0] == bodies[1]
    assert replies[0] == replies[1]


def passing(url: str, kind: str, **more: Any) -> dict[str, Any]:
    return flow(get=get(f"{url}/{kind}"), put=post(f"{url}/put", "@body('get')", "get", **more))


@pytest.mark.parametrize("kind", ["text", "bytes", "problem"])
async def test_what_is_only_passed_on_is_never_read_as_a_whole(
    tmp_path: Path, serve: Serve, whole: list[StoredValue], kind: str
) -> None:
    seen: list[Seen] = []
    server = await serve(answering(seen))
    async with opened(tmp_path) as env:
        checked = passing(server.url, kind)
        checked["actions"]["check"] = {
            "type": "If",
            "expression": {"greater": ["@int(outputs('get')['headers']['Content-Length'])", 1]},
            **after("put"),
        }
        checked["actions"]["typed"] = compose("@triggerOutputs()?['headers']", "check")
        await env.deploy("f", checked)
        (started,) = await env.start("f")
        assert await started.wait(60) == "Succeeded"
        media_type, body = ANSWERS[kind]
        assert (seen[-1].body, seen[-1].headers["content-length"]) == (body, str(len(body)))
        assert seen[-1].headers["content-type"] == ("text/plain; charset=utf-8" if kind == "text" else media_type)
        assert whole == []
        named = {value for record in await records(env, started) for value in names(record)}
        assert len(named) == 1  # both records name the same
        assert b"".join([piece async for piece in started.output("get")]) == body
        assert b"".join([piece async for piece in started.output("put", part="inputs", at="/body")]) == body
        assert whole == []
        assert b"".join([piece async for piece in started.output("get", at="/statusCode")]) == b"200"
        if kind == "bytes":
            text = b"".join([piece async for piece in started.output("get", at="/body/$content")])
            assert base64.b64decode(text) == body
        with pytest.raises(NotFound, match="nothing at '/body/none'"):
            _ = [piece async for piece in started.output("get", at="/body/none")]


START = 17_000_000_000_000_000
HOUR = 36_000_000_000


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("of", ["trigger", "action"])
async def test_a_run_that_slept_passes_on_what_it_had(
    tmp_path: Path, serve: Serve, whole: list[StoredValue], of: str
) -> None:
    seen: list[Seen] = []
    server = await serve(answering(seen))
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock=clock) as env:
        wait = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}}
        actions = {"get": get(f"{server.url}/text"), "wait": {**wait, **after("get")}}
        actions["put"] = post(f"{server.url}/put", "@triggerBody()" if of == "trigger" else "@body('get')", "wait")
        await env.deploy("f", flow(**actions))
        (started,) = await env.start("f", TEXT)
        await until(lambda: not env._executor.live)
        assert (await env.runs())[0].status == "Waiting"
        clock.advance(HOUR)
        assert await started.wait(60) == "Succeeded"
        assert seen[-1].body == TEXT.encode()
        assert whole == []


async def test_a_run_that_slept_reads_parts_of_what_started_it(tmp_path: Path, serve: Serve) -> None:
    """Of many small values, which are stored apart as a whole: the record holds no part of them."""
    seen: list[Seen] = []
    server = await serve(answering(seen))
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock=clock) as env:
        wait = {"type": "Wait", "inputs": {"interval": {"count": 1, "unit": "Hour"}}}
        actions = {"wait": wait, "name": {**compose("@triggerBody()['name']"), **after("wait")}}
        actions["put"] = post(f"{server.url}/put", "@triggerBody()['name']", "name")
        await env.deploy("f", flow(**actions))
        (started,) = await env.start("f", {"name": "a name", "rows": [{"n": number} for number in range(5_000)]})
        await until(lambda: not env._executor.live)
        clock.advance(HOUR)
        assert await started.wait(60) == "Succeeded"
        assert (await started.result()).actions[1]["outputs"] == "a name"
        assert seen[-1].body == b"a name"


async def test_another_attempt_sends_it_again(tmp_path: Path, serve: Serve, whole: list[StoredValue]) -> None:
    seen: list[Seen] = []
    answer = answering(seen)

    def puts() -> list[Seen]:
        return [request for request in seen if request.target == "/put"]

    def twice(request: Seen) -> Any:
        told = answer(request)
        return raw(503) if request.target == "/put" and len(puts()) < 2 else told

    server = await serve(twice)
    clock = sealflow.VirtualClock(START)
    async with opened(tmp_path, clock=clock) as env:
        policy = {"type": "fixed", "count": 2, "interval": "PT5S"}
        await env.deploy("f", passing(server.url, "text", retryPolicy=policy))
        (started,) = await env.start("f")
        await until(lambda: any(entry.due for run in env._executor.live.values() for entry in run.state.open.values()))
        clock.advance(HOUR)
        assert await started.wait(60) == "Succeeded"
        assert [request.body for request in puts()] == [TEXT.encode()] * 2
        assert len({request.headers["idempotency-key"] for request in puts()}) == 1
        assert whole == []


async def test_a_call_that_was_cut_off_by_a_crash_sends_it_from_the_store(
    tmp_path: Path, serve: Serve, whole: list[StoredValue]
) -> None:
    seen: list[Seen] = []
    answer, hangs = answering(seen), asyncio.Event()

    async def hanging(request: Seen) -> bytes:
        told = answer(request)
        if request.target == "/put" and len(seen) == 2:
            await hangs.wait()
        return told  # type: ignore[return-value]

    server = await serve(hanging)
    async with opened(tmp_path, resume=False) as env:
        await env.deploy("f", passing(server.url, "bytes"))
        (started,) = await env.start("f")
        await until(lambda: len(seen) == 2)
    hangs.set()
    async with opened(tmp_path) as env:
        again = await env.run(started.id)
        await again.resume()
        assert await again.wait(60) == "Succeeded"
    assert [request.body for request in seen[1:]] == [ANSWERS["bytes"][1]] * 2
    assert len({request.headers["idempotency-key"] for request in seen[1:]}) == 1
    assert whole == []


def commits(env: Any, patch: pytest.MonkeyPatch) -> list[Batch]:
    """Those that follow; they carry two chunks, and what comes meanwhile."""
    made: list[Batch] = []
    real = env._vault._backend.commit

    async def commit(batch: Batch) -> Any:
        made.append(batch)
        return await real(batch)

    patch.setattr(env._vault._backend, "commit", commit)
    patch.setattr(value_writing, "WAITING_BYTES", 2 * CHUNK)
    return made


async def test_a_value_that_an_action_makes_is_written_before_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path) as env:
        text = "@{concat(" + ", ".join(["triggerBody()"] * 6) + ")}"
        loop = {"type": "Foreach", "foreach": "@createArray(1, 2, 3)", "actions": {"in": compose(text)}}
        await env.deploy(
            "f", flow(big=compose(text), each={**loop, **after("big")}, end=compose("@length(outputs('big'))", "each"))
        )
        await env._execute()
        batches = commits(env, monkeypatch)
        (started,) = await env.start("f", os.urandom(9_000).hex())
        result = await started.result(60)
        assert [action["outputs"] for action in result.actions if action["path"] == "/end"] == [6 * 18_000]
        with_chunks = [batch for batch in batches if batch.values.chunks]
        assert len(with_chunks) > 4
        assert max(len(batch.values.chunks) for batch in with_chunks) <= 5
        assert len([value for batch in batches for value in batch.values.settled]) >= 4
        assert (await env._vault._backend.values.unsettled(1 << 50, 9)) == []


async def test_what_starts_a_run_is_written_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as env:
        await env.deploy("f", flow(size=compose("@length(triggerBody())")))
        await env._execute()
        batches = commits(env, monkeypatch)
        text = os.urandom(100_000).hex()
        (started,) = await env.start("f", text)
        result = await started.result(60)
        assert result.actions[-1]["outputs"] == len(text)
        with_chunks = [batch for batch in batches if batch.values.chunks]
        assert len(with_chunks) >= 3
        assert max(len(batch.values.chunks) for batch in with_chunks) <= 4
        (made,) = [batch for batch in batches if batch.runs.inserts]
        assert (made.values.chunks, len(made.values.settled)) == ([], 1)
        assert (await started.snapshot()).status == "Succeeded"


async def test_what_is_too_large_ends_the_run_with_its_code(tmp_path: Path, serve: Serve) -> None:
    server = await serve(answering([]))
    async with opened(tmp_path, max_value_bytes=300_000) as env:
        await env.deploy("made", flow(big=compose("@{concat(triggerBody(), triggerBody(), triggerBody())}")))
        (started,) = await env.start("made", "x" * 150_000)
        result = await started.result(60)
        assert (result.status, result.code) == ("Failed", "ValueTooLarge")
        assert "300,000 bytes" in str(result.error)
    async with opened(tmp_path, max_value_bytes=262_144) as env:
        ANSWERS["long"] = ("text/plain", b"x" * 270_000)
        await env.deploy(
            "got",
            flow(
                get=get(f"{server.url}/long"),
                end={**compose("@actions('get')['error']['code']"), "runAfter": {"get": ["Failed"]}},
            ),
        )
        (started,) = await env.start("got")
        result = await started.result(60)
        assert [action["code"] for action in result.actions if action["path"] == "/get"] == ["ValueTooLarge"]
    for wrong in (0, 1_000, 1 << 40, -5):
        with pytest.raises(SealflowError) as refused:
            sealflow.open(tmp_path, max_value_bytes=wrong)
        assert refused.value.code == "InvalidValueLimit"


async def test_what_a_call_had_brought_when_it_broke_off_goes(tmp_path: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw(200, b"x" * 300_000, Content_Type="text/plain")[:-100_000])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    async with server, opened(tmp_path) as env:
        action = get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        action["inputs"]["retryPolicy"] = {"type": "none"}
        await env.deploy("f", flow(get=action))
        (started,) = await env.start("f")
        assert await started.wait(60) == "Failed"
        assert (await started.action("get"))["code"] == "ConnectionFailed"
        await env._vault.flush()
        assert await env._vault._backend.values.of_run(started._id) == []


async def test_secured_outputs_are_not_given(tmp_path: Path, serve: Serve) -> None:
    server = await serve(answering([]))
    async with opened(tmp_path) as env:
        secured = {**get(f"{server.url}/text"), "runtimeConfiguration": {"secureData": {"properties": ["outputs"]}}}
        await env.deploy("f", flow(get=secured))
        (started,) = await env.start("f")
        assert await started.wait(60) == "Succeeded"
        with pytest.raises(SealflowError) as refused:
            _ = [piece async for piece in started.output("get")]
        assert refused.value.code == "ValueSecured"


@pytest.mark.parametrize("kind", ["text", "bytes", "json"])
async def test_the_json_of_a_run_comes_in_pieces(
    tmp_path: Path, serve: Serve, whole: list[StoredValue], kind: str
) -> None:
    server = await serve(answering([]))
    async with opened(tmp_path) as env:
        await env.deploy("f", passing(server.url, kind))
        (started,) = await env.start("f", 'quotes " and \\ and \n' * 2_000)
        assert await started.wait(60) == "Succeeded"
        report = await started.report()
        pieces = [piece async for piece in report.actions_json(to_json)]
        assert whole == []
        if kind != "json":
            assert max(map(len, pieces)) < 2 * CHUNK
        assert json.loads(f"[{''.join(pieces)}]") == (await started.snapshot()).actions
        assert "".join([piece async for piece in report.actions_json(to_json, 1, 1)]).startswith('{"path":"/put"')


async def test_a_simulated_call_sees_the_value(tmp_path: Path, serve: Serve) -> None:
    async with opened(tmp_path) as env:
        await env.deploy(
            "f", flow(put=post("https://example.org/", "@triggerBody()"), end=compose("@body('put')", "put"))
        )
        (started,) = await env.start(
            "f", TEXT, simulate=sealflow.Simulation({"put": {"outputs": {"statusCode": 200, "body": "x"}}})
        )
        result = await started.result(60)
        assert result.status == "Succeeded"
        assert result.actions[0]["inputs"]["body"] == TEXT


@pytest.mark.parametrize("form", ["in chunks", "compressed"])
async def test_an_answer_that_comes_in_another_way_is_kept_all_the_same(
    tmp_path: Path, serve: Serve, whole: list[StoredValue], form: str
) -> None:
    seen: list[Seen] = []
    body = os.urandom(60_000).hex().encode()

    def answer(request: Seen) -> bytes:
        seen.append(request)
        if request.method == "POST":
            return as_json({})
        if form == "compressed":
            return raw(200, gzip.compress(body), Content_Type="text/plain", Content_Encoding="gzip")
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
        cut = [body[at : at + 7_000] for at in range(0, len(body), 7_000)]
        return head + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in [*cut, b""])

    server = await serve(answer)
    async with opened(tmp_path) as env:
        await env.deploy("f", passing(server.url, "any"))
        (started,) = await env.start("f")
        assert await started.wait(60) == "Succeeded"
        assert seen[-1].body == body
        assert whole == []
