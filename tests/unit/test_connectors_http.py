"""The HTTP connector against a real server on loopback."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from http_server import Reaction, Seen, Serve, Server, as_json, raw, serving
from sealflow.connectors import Call, Connector, ConnectorError, Egress, HttpConnector, Limits, Services
from sealflow.connectors.conformance import ConnectorContract
from sealflow.connectors.egress.policy import rule
from sealflow.engine.runtime.workers.clock import VirtualClock


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    async with serving() as start:
        yield start


@pytest.fixture
async def http() -> AsyncIterator[HttpConnector]:
    connector = HttpConnector()
    yield connector
    await connector.aclose()


def call(url: str, method: str = "GET", **given: Any) -> Call:
    known = {name: given.pop(name) for name in ("options", "settings", "timeout", "key") if name in given}
    return Call("http", "", {"method": method, "uri": url, **given}, **{"key": "k1", **known})


def services(clock: VirtualClock | None = None, **given: Any) -> Services:
    return Services(clock=clock or VirtualClock(), **given)


async def failure(http: HttpConnector, made: Call, given: Services | None = None) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await http.invoke(made, given or services())
    return caught.value


# ---- one exchange


async def test_an_exchange(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: as_json({"ok": True}, 201, X_A="1", x_b="2"))
    made = call(server.url + "/a?x=1", "POST", queries={"y": 2}, body={"n": 1}, headers={"X-Mine": "é"})
    reply = await http.invoke(made, services())
    assert (reply.status_code, reply.body, reply.empty) == (201, {"ok": True}, False)
    assert reply.headers == {"Content-Length": "12", "Content-Type": "application/json", "X-A": "1", "x-b": "2"}
    [seen] = server.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/a?x=1&y=2", b'{"n":1}')
    assert seen.headers == {
        "host": f"127.0.0.1:{server.port}",
        "x-mine": "é",
        "content-type": "application/json; charset=utf-8",
        "content-length": "7",
        "accept-encoding": "gzip, deflate",
        "idempotency-key": "k1",
        "user-agent": "sealflow",
    }


async def test_a_post_without_body_says_so(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(204))
    reply = await http.invoke(call(server.url, "POST"), services())
    assert (reply.status_code, reply.empty) == (204, True)
    assert server.seen[0].headers["content-length"] == "0"
    assert server.seen[0].target == "/"


async def test_connections_are_shared(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(200, b"x", Set_Cookie="session=1"))
    for _ in range(5):
        await http.invoke(call(server.url), services())
    assert (len(server.seen), server.connections) == (5, 1)
    assert not [seen for seen in server.seen if "cookie" in seen.headers]


async def test_redirects_are_answers(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(302, Location="/elsewhere"))
    reply = await http.invoke(call(server.url), services())
    assert (reply.status_code, reply.headers["Location"], len(server.seen)) == (302, "/elsewhere", 1)


async def test_chunked_and_head(http: HttpConnector, serve: Serve) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    headed = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n"
    server = await serve(lambda seen: headed if seen.method == "HEAD" else chunked)
    assert (await http.invoke(call(server.url), services())).body == "abcde"
    assert (await http.invoke(call(server.url, "HEAD"), services())).empty


async def test_compression(http: HttpConnector, serve: Serve) -> None:
    data = gzip.compress(b'{"a":1}')
    zipped = raw(200, data, Content_Type="application/json", Content_Encoding="gzip")
    server = await serve(lambda seen: zipped)
    reply = await http.invoke(call(server.url), services())
    assert reply.body == {"a": 1}
    assert reply.headers == {"Content-Type": "application/json"}
    octets = raw(200, data, Content_Type="application/gzip", Content_Encoding="gzip")
    server.handler = lambda seen: octets
    left_alone = frozenset({"disableautomaticdecompression"})
    reply = await http.invoke(call(server.url, options=left_alone), services())
    assert reply.headers["Content-Encoding"] == "gzip"
    assert isinstance(reply.body, dict)
    assert "accept-encoding" not in server.seen[1].headers
    server.handler = lambda seen: raw(200, b"no gzip", Content_Encoding="gzip")
    assert (await failure(http, call(server.url))).code == "InvalidResponse"


# ---- limits


async def test_a_large_answer_is_refused_before_it_is_read(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: b"HTTP/1.1 200 OK\r\nContent-Length: 104857601\r\n\r\n")
    assert (await failure(http, call(server.url))).code == "ResponseTooLarge"


async def test_a_large_answer_is_refused_while_it_is_read(http: HttpConnector, serve: Serve) -> None:
    small = services(limits=Limits(response_bytes=1000))
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024 + b"\r\n"
    server = await serve(lambda seen: endless)
    assert (await failure(http, call(server.url), small)).code == "ResponseTooLarge"
    bomb = raw(200, gzip.compress(b"0" * 100_000), Content_Encoding="gzip")
    server.handler = lambda seen: bomb
    assert (await failure(http, call(server.url), small)).code == "ResponseTooLarge"
    server.handler = lambda seen: raw(200, b"x" * 1000)
    assert (await http.invoke(call(server.url), small)).body == "x" * 1000


async def test_a_large_request_is_refused(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(200))
    made = call(server.url, "POST", body="x" * 1001)
    assert (await failure(http, made, services(limits=Limits(request_bytes=1000)))).code == "RequestTooLarge"
    assert not server.seen


# ---- no answer


async def silence(seen: Seen) -> Reaction:
    await asyncio.get_running_loop().create_future()
    return None


async def test_no_answer_in_time(http: HttpConnector, serve: Serve) -> None:
    server = await serve(silence)
    found = await failure(http, call(server.url + "/?sig=planted", timeout=0.05))
    assert found.code == "RequestTimedOut"
    assert found.message == f"{server.url} did not answer within 0.05 seconds."


async def test_nobody_listens(http: HttpConnector) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found = await failure(http, call(f"http://127.0.0.1:{port}/planted?sig=planted"))
    assert found.code == "ConnectionFailed"
    assert "planted" not in found.message


@pytest.mark.parametrize("reaction", [None, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", b"nonsense\r\n\r\n"])
async def test_the_connection_breaks_off(http: HttpConnector, serve: Serve, reaction: Reaction) -> None:
    server = await serve(lambda seen: reaction)
    if reaction:

        async def close_after(seen: Seen) -> Reaction:
            next(iter(server._writers)).write(reaction)
            return None

        server.handler = close_after
    assert (await failure(http, call(server.url))).code == "ConnectionFailed"


async def test_the_name_is_not_known(http: HttpConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: object, **__: object) -> object:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", unknown)
    found = await failure(http, call("http://nowhere.invalid/"))
    assert (found.code, "name" in found.message) == ("ConnectionFailed", True)


async def test_no_connection_in_time(http: HttpConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def late(*_: object, **__: object) -> object:
        raise httpcore.ConnectTimeout

    monkeypatch.setattr(httpcore.AnyIOBackend, "connect_tcp", late)
    assert (await failure(http, call("http://127.0.0.1/"))).code == "ConnectionTimedOut"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return file


async def test_certificates(
    http: HttpConnector, serve: Serve, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = await serve(lambda seen: raw(200, b"x"), context)
    url = server.url.replace("http:", "https:")
    found = await failure(http, call(url + "/planted"))
    assert found.code == "TrustFailure"
    assert found.message == f"The certificate of {url} is not trusted: self-signed certificate."
    await http.aclose()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert (await http.invoke(call(url), services())).body == "x"


async def test_no_tls_at_the_other_end(http: HttpConnector) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert (await failure(http, call(f"https://127.0.0.1:{port}/"))).code in ("TrustFailure", "ConnectionFailed")


@pytest.mark.parametrize("url", ["http://exa mple/", "http://[::1%00]/", "http://a\u0001b/"])
async def test_an_address_that_http_does_not_allow(http: HttpConnector, url: str) -> None:
    assert (await failure(http, call(url))).code in ("InvalidInput", "ConnectionFailed")


# ---- egress


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://[fe80::1]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[::ffff:a9fe:a9fe]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://168.63.129.16/",
        "http://[fd00:ec2::254]/",
        "http://0xA9FEA9FE/",
        "http://2852039166/",
    ],
)
async def test_addresses_of_the_machine_are_refused(http: HttpConnector, url: str) -> None:
    found = await failure(http, call(url))
    assert found.code == "EgressRefused"


async def test_a_name_is_judged_by_all_of_its_addresses(http: HttpConnector, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(2, 1, 6, "", ("127.0.0.1", port)), (2, 1, 6, "", ("169.254.169.254", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    assert (await failure(http, call("http://metadata.example/"))).code == "EgressRefused"


async def test_the_next_address_is_tried(http: HttpConnector, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    server = await serve(lambda seen: raw(200, b"x"))

    async def resolve(host: str, port: int, **_: object) -> list[Any]:
        return [(10, 1, 6, "", ("::1", port, 0, 0)), (2, 1, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    reply = await http.invoke(call(f"http://some.example:{server.port}/"), services())
    assert reply.body == "x"
    assert server.seen[0].headers["host"] == f"some.example:{server.port}"


async def test_policies_do_not_share_connections(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(200, b"x"))
    await http.invoke(call(server.url), services())
    await http.invoke(call(server.url), services(egress=Egress("private", (rule("127.0.0.0/8", allow=True),))))
    assert server.connections == 2


# ---- accepted work is polled


async def test_accepted_work_is_polled(http: HttpConnector, serve: Serve) -> None:
    answers = [
        raw(202, Location="/jobs/1", Retry_After="7"),
        raw(202),
        raw(202, Location="/jobs/1b", Retry_After="Thu, 01 Jan 1970 00:02:00 GMT"),
        as_json({"done": True}),
    ]
    server: Server = await serve(lambda seen: answers[len(server.seen) - 1])
    clock = VirtualClock(jumps=True)
    made = call(server.url + "/start", "POST", body="x", headers={"X-Key": "k"})
    reply = await http.invoke(made, services(clock))
    assert reply.body == {"done": True}
    assert [(seen.method, seen.target) for seen in server.seen] == [
        ("POST", "/start"),
        ("GET", "/jobs/1"),
        ("GET", "/jobs/1"),
        ("GET", "/jobs/1b"),
    ]
    assert [seen.headers.get("x-key") for seen in server.seen] == ["k"] * 4
    assert "content-type" not in server.seen[1].headers
    assert clock.now() == 120 * 10_000_000


async def test_headers_do_not_follow_to_another_server(http: HttpConnector, serve: Serve) -> None:
    other = await serve(lambda seen: raw(200, b"done"))
    server = await serve(lambda seen: raw(202, Location=other.url + "/job"))
    made = call(server.url, "POST", authentication={"type": "Raw", "value": "Bearer t"}, headers={"X-Key": "k"})
    assert (await http.invoke(made, services(VirtualClock(jumps=True)))).body == "done"
    assert set(other.seen[0].headers) == {"host", "accept-encoding", "user-agent"}


@pytest.mark.parametrize(
    ("options", "location"), [(frozenset({"disableasyncpattern"}), {"Location": "/job"}), (frozenset(), {})]
)
async def test_accepted_is_an_answer_too(
    http: HttpConnector, serve: Serve, options: frozenset[str], location: dict[str, str]
) -> None:
    server = await serve(lambda seen: raw(202, **location))
    assert (await http.invoke(call(server.url, options=options), services())).status_code == 202
    assert len(server.seen) == 1


async def test_a_few_polls_may_go_wrong(http: HttpConnector, serve: Serve) -> None:
    answers: list[Reaction] = [raw(202, Location="/job", Retry_After="0"), raw(503), None, raw(429), raw(500)]
    server: Server = await serve(lambda seen: answers[len(server.seen) - 1])
    answers.append(raw(200, b"done"))
    clock = VirtualClock(jumps=True)
    assert (await http.invoke(call(server.url, "POST"), services(clock))).body == "done"
    answers[5:] = [raw(504), raw(200, b"too late")]
    server.seen.clear()
    assert (await http.invoke(call(server.url, "POST"), services(clock))).status_code == 504
    answers[5:] = [None, raw(200, b"too late")]
    server.seen.clear()
    assert (await failure(http, call(server.url, "POST"), services(clock))).code == "ConnectionFailed"
    answers[1:] = [raw(404)]
    server.seen.clear()
    assert (await http.invoke(call(server.url, "POST"), services(clock))).status_code == 404


async def test_polling_is_given_up_with_the_call(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(202, Location="/job"))
    slept = asyncio.Event()

    class Clock(VirtualClock):
        async def sleep_until(self, due: int) -> None:
            slept.set()
            await super().sleep_until(due)

    clock = Clock()
    task = asyncio.ensure_future(http.invoke(call(server.url), services(clock)))
    await slept.wait()
    await asyncio.sleep(0)
    assert clock.next_due == 20 * 10_000_000
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    assert clock.next_due is None


# ---- pages


async def test_pages(http: HttpConnector, serve: Serve) -> None:
    def page(seen: Seen) -> bytes:
        number = int(seen.target.rpartition("=")[2])
        return as_json({"value": [number], **({"nextLink": f"{server.url}/list?p={number + 1}"} if number < 9 else {})})

    server = await serve(page)
    settings = {"paginationPolicy": {"minimumItemCount": 3}}
    made = call(server.url + "/list?p=0", settings=settings, headers={"X-Key": "k"})
    reply = await http.invoke(made, services())
    assert reply.body == {"value": [0, 1, 2], "nextLink": f"{server.url}/list?p=3"}
    assert [seen.headers["x-key"] for seen in server.seen] == ["k"] * 3
    assert (await http.invoke(call(server.url + "/list?p=0"), services())).body == {
        "value": [0],
        "nextLink": f"{server.url}/list?p=1",
    }
    small = services(limits=Limits(response_bytes=200))
    endless = call(server.url + "/list?p=0", settings={"paginationPolicy": {"minimumItemCount": 99}})
    assert (await failure(http, endless, small)).code == "ResponseTooLarge"


# ---- life


async def test_a_closed_connector_opens_again(http: HttpConnector, serve: Serve) -> None:
    server = await serve(lambda seen: raw(200, b"x"))
    await http.invoke(call(server.url), services())
    await http.aclose()
    assert (await http.invoke(call(server.url), services())).body == "x"
    assert server.connections == 2


def test_a_connector_serves_one_event_loop_after_the_other() -> None:
    connector = HttpConnector()

    async def once() -> object:
        server = Server(lambda seen: raw(200, b"x"))
        await server.start()
        try:
            return (await connector.invoke(call(server.url), services())).body
        finally:
            await connector.aclose()
            await server.stop()

    assert [asyncio.run(once()), asyncio.run(once())] == ["x", "x"]


async def test_logs_of_the_embedding_program_stay(http: HttpConnector, serve: Serve, caplog: Any) -> None:
    server = await serve(lambda seen: raw(200, b"x"))
    with caplog.at_level(logging.DEBUG):
        await http.invoke(call(server.url), services())
        assert not [record for record in caplog.records if record.name.startswith("http")]
        async with httpcore.AsyncConnectionPool() as pool:
            await pool.request("GET", server.url)
    assert [record for record in caplog.records if record.name.startswith("httpcore")]


class TestContract(ConnectorContract):
    """The HTTP connector passes the suite that all connectors pass."""

    @pytest.fixture(autouse=True)
    async def _server(self, serve: Serve) -> None:
        self.keys: set[str] = set()
        self.server = await serve(self._react)

    def _react(self, seen: Seen) -> Reaction | Awaitable[Reaction]:
        if seen.target == "/endless":
            return silence(seen)
        self.keys.add(seen.headers["idempotency-key"])
        return as_json({"n": [1, 2.5, None, "ü"]})

    def connector(self) -> Connector:
        return HttpConnector()

    def working(self) -> Call:
        credentials = {"type": "Basic", "username": "u", "password": "planted-password"}
        return call(self.server.url + "/ok?sig=planted-sig", "POST", body="planted-body", authentication=credentials)

    def faulty(self) -> Call | None:
        return call("http://169.254.169.254/planted-path?sig=planted-sig", headers={"X-Key": "planted-key"})

    def endless(self) -> tuple[Call, Callable[[], Awaitable[object]]] | None:
        self.server.arrived.clear()
        return call(self.server.url + "/endless"), self.server.arrived.wait

    def secrets(self) -> list[str]:
        return ["planted", "cGxhbnRlZC1wYXNzd29yZA", "dTpwbGFudGVkLXBhc3N3b3Jk"]

    def effects(self) -> int | None:
        return len(self.keys)
