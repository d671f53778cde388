"""Flows try to connect to metadata services and internal servers, by every form of address, name and detour."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from socket import SHUT_WR
from socketserver import BaseRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest
import sealflow
from cli_session import Cli
from desktop_world import World
from hypothesis import given
from hypothesis import strategies as st
from name_server import NameServer
from sealflow.connectors import Call, ConnectorError, Egress, HttpConnector, Services, rule
from sealflow.connectors.egress.addresses import carried, parsed
from sealflow.connectors.egress.policy import DEFAULTS, InvalidEgressRule
from sealflow.engine.datatypes import Datum

NAME = "service.example"
GOOD, SECRET = "127.0.0.2", "127.0.0.3"

PUBLIC = Egress("public", (rule(GOOD, allow=True),), "prod")
"""A server's policy that reaches one server of this machine, which stands for the one outside."""

OPEN = tuple(rule(each, allow=True) for each in ("*", "0.0.0.0/0", "::/0", "*.example", NAME))
"""As much as rules can allow."""


class Ports:
    """Servers that share a port: the one that a flow may reach, and the one that it must not. They count visits and
    answer everything with an HTTP response.
    """

    def __init__(self) -> None:
        self.visits = {GOOD: 0, SECRET: 0}
        first = self._begun(GOOD, 0)
        self.port: int = first.server_address[1]
        self._servers = [first, self._begun(SECRET, self.port)]

    def _begun(self, address: str, port: int) -> ThreadingTCPServer:
        visits = self.visits

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                visits[address] += 1
                with suppress(OSError):
                    self.request.settimeout(10)
                    self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndata")
                    self.request.shutdown(SHUT_WR)
                    while self.request.recv(4096):
                        pass

        server = ThreadingTCPServer((address, port), Handler)
        server.daemon_threads = True
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    def stop(self) -> None:
        for each in self._servers:
            each.shutdown()
            each.server_close()


@pytest.fixture
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.stop()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> NameServer:
    return NameServer(monkeypatch)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setenv("HOME", str(tmp_path))
    world = World(tmp_path)
    world.session.egress = PUBLIC
    yield world
    await world.session.aclose()


async def http(url: str, egress: Egress) -> Any:
    connector = HttpConnector()
    try:
        return (await connector.invoke(Call("http", "Http", {"method": "GET", "uri": url}, "k"), services(egress))).body
    finally:
        await connector.aclose()


class _Still:
    def now(self) -> int:
        return 0

    async def sleep_until(self, due: int) -> None:
        return None


def services(egress: Egress) -> Services:
    return Services(clock=_Still(), egress=egress)


# --- forms of an address

NEVER = {
    "AWS, GCP, Azure": "169.254.169.254",
    "AWS containers": "169.254.170.2",
    "AWS, IPv6": "fd00:ec2::254",
    "AWS pods, IPv6": "fd00:ec2::23",
    "GCP, IPv6": "fd20:ce::254",
    "Azure platform": "168.63.129.16",
    "Alibaba": "100.100.100.200",
    "Oracle": "192.0.0.192",
    "link-local, IPv6": "fe80::1",
    "with a zone": "fe80::1%lo",
    "loopback with a zone": "::1%lo",
    "mapped": "::ffff:169.254.169.254",
    "translated": "::ffff:0:169.254.169.254",
    "compatible": "::169.254.169.254",
    "NAT64": "64:ff9b::a9fe:a9fe",
    "local NAT64, /96": "64:ff9b:1::a9fe:a9fe",
    "local NAT64, /64": "64:ff9b:1:0:a9:fea9:fe00:0",
    "local NAT64, /56": "64:ff9b:1:a9:fe:a9fe::",
    "local NAT64, /48": "64:ff9b:1:a9fe:a9:fe00::",
    "6to4": "2002:a9fe:a9fe::1",
    "Teredo server": "2001:0:a9fe:a9fe::1",
    "Teredo client": "2001:0:4136:e378:8000:63bf:5601:5601",
    "ISATAP": "2001:db8::5efe:a9fe:a9fe",
    "unspecified": "0.0.0.0",
    "this network": "0.1.2.3",
    "unspecified, IPv6": "::",
    "mapped unspecified": "::ffff:0.0.0.0",
    "multicast": "224.0.0.1",
    "multicast, IPv6": "ff02::1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "no address": "localhost",
}


@pytest.mark.parametrize("form", list(NEVER))
def test_no_rule_allows_metadata_and_link_local_addresses(form: str) -> None:
    """A name resolves to a metadata service in any form of address, and the rules allow everything: it is refused."""
    for default in DEFAULTS:
        refusal = Egress(default, OPEN).judge(NAME, 80, ["93.184.216.34", NEVER[form]])
        assert refusal is not None, form
        assert "No egress rule can allow it" in refusal.hint


INTERNAL = ("10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "198.18.0.1", "fd12:3456::1", "fec0::1", "192.0.2.1")
OWN = ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::")


@pytest.mark.parametrize("address", [*INTERNAL, *OWN, "64:ff9b::a00:1", "2002:a00:1::", "64:ff9b:1::808:808"])
def test_a_server_does_not_reach_what_is_inside(address: str) -> None:
    """A flow on a server names an internal address in any form: it is refused. The error names the default that refuses
    it and the command that allows it.
    """
    refusal = Egress("public", (), "my prod").judge(address, 8080, [address])
    assert refusal is not None
    assert "the default 'public' does not permit it" in refusal.message
    assert "sealflow env permissions set 'my prod' --allow-egress" in refusal.hint


@given(st.ip_addresses(v=4), st.sampled_from(["::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "::", "2002::", "2001::"]))
def test_an_address_inside_of_another_is_judged_as_itself(inner: IPv4Address, prefix: str) -> None:
    """Any IPv4 address is hidden in an IPv6 address: it reaches no more than the IPv4 address itself."""
    base = int(IPv6Address(prefix))
    place = {"2002::": int(inner) << 80, "2001::": ~int(inner) & 0xFFFFFFFF | 0x08080808 << 64}
    outer = str(IPv6Address(base | place.get(prefix, int(inner))))
    address = parsed(outer)
    assert address is not None
    if not carried(address):  # the unspecified address and loopback
        assert prefix == "::"
        assert int(inner) <= 1
        return
    for default in DEFAULTS:
        for rules in ((), (rule("10.0.0.0/8", allow=False), rule("0.0.0.0/0", allow=True)), OPEN):
            plain = Egress(default, rules).judge(NAME, 80, [str(inner)])
            hidden = Egress(default, rules).judge(NAME, 80, [outer])
            if plain is not None:
                assert hidden is not None


TEXTS = ("0x7f.1", "2130706433", "017700000001", "127.1", "0177.0.0.1", "0x7f000001", "127.0.0.1.", "localhost")


@pytest.mark.parametrize(
    "text", [*TEXTS, "[::1]", "[::ffff:7f00:1]", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021"]
)
async def test_ways_of_writing_loopback(text: str) -> None:
    """A flow writes an internal address as one number, in octal, in hexadecimal, in full-width characters or with a
    final dot: no connection is made.
    """
    visits = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visits
        visits += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(ConnectorError) as caught:
        await http(f"http://{text}:{port}/", Egress("public"))
    assert caught.value.code in ("EgressRefused", "ConnectionFailed", "InvalidInput")
    assert visits == 0
    server.close()


@pytest.mark.parametrize("name", ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"])
async def test_names_of_metadata_services(name: str, names: NameServer) -> None:
    """A flow names a metadata service that resolves to a harmless address: it is refused without a DNS query."""
    names.says(name, ["93.184.216.34"])
    with pytest.raises(ConnectorError) as caught:
        await http(f"http://{name}/", Egress("local", OPEN))
    assert caught.value.code == "EgressRefused"
    assert not names.asked


async def test_a_denied_name_is_not_looked_up(names: NameServer) -> None:
    """A flow puts data into a name below a domain of the attacker: if the default is `none`, no DNS query is sent."""
    for egress in (Egress("none"), Egress("public", (rule("*.evil.example", allow=False),))):
        with pytest.raises(ConnectorError) as caught:
            await http("http://planted-secret.evil.example/", egress)
        assert caught.value.code == "EgressRefused"
    assert not names.asked


# --- names that change their mind, and names with several addresses

USER: dict[str, Datum] = {"Username": "u", "Password": "p"}


def _actions(port: int) -> dict[str, tuple[str, dict[str, Datum]]]:
    """Every desktop action that connects to a server which the flow names."""
    url = f"http://{NAME}:{port}/"
    mail: dict[str, Datum] = {"SendFrom": "a@b.example", "SendTo": "c@d.example", "Subject": "s", "Body": "b"}
    string = f"Driver={{PostgreSQL Unicode}};Server={NAME};Port={port};Uid=u;Pwd=p;Database=d"
    return {
        "web download": ("Web.DownloadFromWeb.Download", {"Url": url}),
        "web service": ("Web.InvokeWebService.InvokeWebService", {"Url": url, "ConnectionTimeout": 5}),
        "FTP": ("FTP.OpenConnection", {"Host": NAME, "Port": port, "Timeout": 5, **USER}),
        "FTP with TLS": (
            "FTP.OpenSecureConnection.ConnectWithFtpsImplicit",
            {"Host": NAME, "Port": port, "Timeout": 5, **USER},
        ),
        "mail sent": ("Email.SendEmail.Send", {"SMTPServer": NAME, "Port": port, **mail}),
        "mail read": (
            "Email.RetrieveEmails.Retrieve",
            {"IMAPServer": NAME, "Port": port, "EnableSSL": False, "MailFolder": "Inbox", **USER},
        ),
        "database": ("Database.Connect.Connect", {"ConnectionString": string}),
        "password vault": (
            "CyberArk.GetPassword.GetPassword",
            {"ServerAddress": url, "ApplicationId": "a", "Safe": "s", "Folder": "f", "Object": "o"},
        ),
    }


ACTIONS = list(_actions(0))


@pytest.mark.parametrize("name", ACTIONS)
async def test_a_name_that_changes_its_address(name: str, world: World, ports: Ports, names: NameServer) -> None:
    """A name resolves to a permitted address at the check and to an internal one at the next query (DNS rebinding): the
    connection goes to the checked address, without a second query.
    """
    if name == "database":
        pytest.importorskip("psycopg")
    names.says(NAME, [GOOD], [SECRET])
    action, arguments = _actions(ports.port)[name]
    with suppress(ConnectorError):  # the server speaks HTTP only
        await world.do(action, **arguments)
    assert ports.visits == {GOOD: 1, SECRET: 0}
    assert names.asked[NAME] == 1


@pytest.mark.parametrize("name", [*ACTIONS, "ping"])
async def test_a_name_with_several_addresses(name: str, world: World, ports: Ports, names: NameServer) -> None:
    """A name resolves to a permitted and an internal address at once, in either order: it is refused, because the
    connection could use either.
    """
    actions = _actions(ports.port)
    actions["ping"] = ("System.Ping", {"HostName": NAME})
    for answer in ([GOOD, SECRET], [SECRET, GOOD]):
        names.says(NAME, answer)
        action, arguments = actions[name]
        await world.fails("EgressRefused", action, **arguments)
    assert ports.visits == {GOOD: 0, SECRET: 0}


async def test_http_actions_connect_to_what_was_judged(ports: Ports, names: NameServer) -> None:
    """A name changes its address between the check and the connection of an HTTP action: the checked address is used,
    with the name in the request. When the name resolves to the internal address, it is refused.
    """
    names.says(NAME, [GOOD], [SECRET])
    url = f"http://{NAME}:{ports.port}/"
    assert await http(url, PUBLIC) == "data"
    for _ in range(2):
        with pytest.raises(
            ConnectorError, match=f"'{NAME}:{ports.port}' was refused: its address is a loopback address"
        ):
            await http(url, PUBLIC)
    assert ports.visits == {GOOD: 1, SECRET: 0}
    assert names.asked[NAME] == 3


async def test_the_client_of_aws_connects_to_what_was_judged(
    world: World, ports: Ports, names: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a service that a library connects to changes its address, and the process environment sets a proxy:
    each connection is checked, and no proxy gets the request.
    """
    pytest.importorskip("botocore")
    for each in ("AWS_ENDPOINT_URL_EC2", "HTTP_PROXY", "http_proxy"):
        host = NAME if each.startswith("AWS") else SECRET
        monkeypatch.setenv(each, f"http://{host}:{ports.port}")
    names.says(NAME, [GOOD], [GOOD], [SECRET])
    keys: dict[str, Datum] = {"AccessKeyId": "AKIAEXAMPLE", "Secret": "s", "RegionEndpoint": "eu-west-1"}
    made = await world.do("AWS.CreateEc2Session.CreateEc2SessionWithAccessKeys", **keys)
    client: dict[str, Datum] = {"Ec2Client": made["Ec2Client"]}
    await world.fails("AmazonServiceRequestFailedError", "AWS.GetAvailableEC2Instances", **client)
    await world.fails("EgressRefused", "AWS.GetAvailableEC2Instances", **client)
    assert ports.visits[GOOD] >= 1
    assert ports.visits[SECRET] == 0


async def test_a_proxy_of_the_process_is_not_used(world: World, ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process environment names a proxy, which would connect to anything: no connection goes through it."""
    for each in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(each, f"http://{SECRET}:{ports.port}")
    url = f"http://{GOOD}:{ports.port}/"
    assert await http(url, PUBLIC) == "data"
    assert (await world.do("Web.DownloadFromWeb.Download", Url=url))["WebPageText"] == "data"
    assert ports.visits == {GOOD: 2, SECRET: 0}


async def test_a_redirect_is_judged_again(world: World, ports: Ports) -> None:
    """A permitted server redirects to an internal one, by address or by name: the action fails."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        place = f"http://{SECRET}:{ports.port}/"
        writer.write(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, GOOD, 0)
    url = f"http://{GOOD}:{server.sockets[0].getsockname()[1]}/"
    await world.fails("EgressRefused", "Web.DownloadFromWeb.Download", Url=url)
    assert ports.visits[SECRET] == 0
    server.close()


async def test_work_that_is_polled_elsewhere_is_judged(ports: Ports) -> None:
    """A permitted server accepts a request and names an internal address to poll: the action fails without a
    connection.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        place = f"http://{SECRET}:{ports.port}/"
        writer.write(f"HTTP/1.1 202 Accepted\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, GOOD, 0)
    with pytest.raises(ConnectorError) as caught:
        await http(f"http://{GOOD}:{server.sockets[0].getsockname()[1]}/", PUBLIC)
    assert caught.value.code == "EgressRefused"
    assert ports.visits[SECRET] == 0
    server.close()


async def test_a_changed_policy_ends_open_connections(world: World, ports: Ports) -> None:
    """A flow keeps a connection open while an administrator denies its server: the next action does not use the
    connection.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(serve, GOOD, 0)
    url = f"http://{GOOD}:{server.sockets[0].getsockname()[1]}/"
    assert (await world.do("Web.DownloadFromWeb.Download", Url=url))["WebPageText"] == "ok"
    world.session.egress = Egress("public", (*PUBLIC.rules, rule(GOOD, allow=False)))
    await world.fails("EgressRefused", "Web.DownloadFromWeb.Download", Url=url)
    await world.session.aclose()
    server.close()


# --- rules


def test_a_deny_rule_wins() -> None:
    """An address is allowed by one rule and denied by another, by name, by network and by port: it is refused."""
    allowed = rule("10.0.0.0/8", allow=True)
    assert Egress("public", (allowed,)).judge("10.1.2.3", 443, ["10.1.2.3"]) is None
    for denied in ("10.1.0.0/16", "10.1.2.3:443", "*.internal.example", "10.0.0.0/8:400-500"):
        egress = Egress("local", (allowed, rule(denied, allow=False)), "prod")
        host = "db.internal.example" if "example" in denied else "10.1.2.3"
        refusal = egress.judge(host, 443, ["10.1.2.3"])
        assert refusal is not None
        assert f"by the egress rule 'deny {denied}'" in refusal.message
        assert "--remove-egress" in refusal.hint
        assert egress.judge("10.2.0.1", 80, ["10.2.0.1"]) is None


@pytest.mark.parametrize("host", ["*", "evil.example", "*.example"])
def test_a_rule_by_name_does_not_open_this_machine(host: str) -> None:
    """An administrator allows a domain, and its owner lets a name resolve to loopback: it is refused."""
    egress = Egress("none", (rule(host, allow=True),))
    assert egress.judge("evil.example", 80, ["127.0.0.1"]) is not None
    assert egress.judge("evil.example", 80, ["::1"]) is not None
    assert egress.judge("evil.example", 80, ["93.184.216.34"]) is None
    assert (egress.judge("evil.example", 80, ["10.0.0.1"]) is None) == (host != "*")


@pytest.mark.parametrize(
    "text",
    ["", " ", "http://a.example", "a.example/x", "a b", "*x.example", "a.*", "a.example:0", "a.example:x", "1.2.3.4.5",
     "10.0.0.0/33", "a.example:9-1", "a.example:70000", "[fd00::", "a\x1b.example", "*."],
)  # fmt: skip
def test_what_is_no_rule_is_refused(text: str) -> None:
    """An ambiguous rule is refused."""
    with pytest.raises(InvalidEgressRule, match="is not a target of an egress rule"):
        rule(text, allow=True)


@given(st.text(max_size=40))
def test_any_text_is_a_rule_or_is_refused(text: str) -> None:
    """Any text as a rule is accepted or refused with InvalidEgressRule. An accepted rule is written in a form that
    parses to the same rule.
    """
    try:
        read = rule(text, allow=True)
    except InvalidEgressRule:
        return
    assert rule(read.target, allow=True) == read


def test_the_command_in_an_error_is_safe_to_type() -> None:
    """A flow names a host that contains shell commands: the command in the error quotes it."""
    refusal = Egress("none", (), "prod").judge_name("a;touch x", 80)
    assert refusal is not None
    assert refusal.hint.endswith("--allow-egress 'a;touch x:80'")


# --- an environment's policy

FLOW = {
    "triggers": {"every": {"type": "Recurrence", "recurrence": {"frequency": "Day", "interval": 1}}},
    "actions": {"call": {"type": "Http", "inputs": {"method": "GET", "uri": ""}, "runAfter": {}}},
}


def _flow(url: str) -> dict[str, Any]:
    flow: dict[str, Any] = json.loads(json.dumps(FLOW))
    flow["actions"]["call"]["inputs"] = {"method": "GET", "uri": url, "retryPolicy": {"type": "none"}}
    return flow


@pytest.fixture
def policy(cli: Cli, database: str | None) -> Callable[..., Any]:
    """`sealflow env permissions VERB prod ...` for an environment in this database."""
    where = () if database is None else ("--database", database)
    assert cli("env", "create", "prod", *where).code == 0
    return lambda verb, *arguments: cli("env", "permissions", verb, "prod", *arguments)


def test_a_worker_reaches_its_own_machine_only_when_it_is_allowed(
    cli: Cli, policy: Callable[..., Any], ports: Ports
) -> None:
    """A flow on a worker calls a server on the worker's machine: it is refused with the command that allows it, and
    reaches the server after that command. The audit records the change, and `reset` reverts it.
    """
    name = cli.write("call.json", _flow(f"http://{GOOD}:{ports.port}/"))
    assert cli("flow", "deploy", name, "--environment", "prod").code == 0

    def worked() -> str:
        assert (cli("worker", "--once", "--environment", "prod")).code == 0
        return str((cli("runs", "show", "latest", "--environment", "prod")).out)

    told = worked()
    assert "EgressRefused" in told
    assert ports.visits[GOOD] == 0
    allowed = policy("set", "--allow-egress", f"{GOOD}:{ports.port}", "--egress-default", "public", "--as", "maria")
    assert allowed.code == 0
    assert f"allow        {GOOD}:{ports.port}" in allowed.out
    assert cli("flow", "deploy", cli.write("again.json", _flow(f"http://{GOOD}:{ports.port}/")), "-e", "prod").code == 0
    assert "Succeeded" in worked()
    assert ports.visits[GOOD] == 1
    acts = [each for each in cli("audit", "list", "--json").json if each["act"].startswith("environment permissions")]
    assert [(each["act"], each["actor"], each["detail"]) for each in acts] == [
        (
            "environment permissions set",
            "maria",
            {"egress": {"allow": [f"{GOOD}:{ports.port}"], "default": "public"}},
        )
    ]
    assert policy("reset").code == 0
    assert policy("show", "--json").json["egress"] == {"default": None, "rules": []}
    assert not any(b"127.0.0.2" in path.read_bytes() for path in cli.folder.rglob(".sealflow/**/*") if path.is_file())


def test_rules_are_changed_and_shown(cli: Cli, policy: Callable[..., Any]) -> None:
    """An administrator sets rules that contradict each other, remove nothing or are empty: each is one rule for its
    target or is refused. Another role is denied.
    """
    made = policy("set", "--allow-egress", "API.example.com.:443", "--deny-egress", "10.0.0.0/8", "--json")
    assert made.json["egress"]["rules"] == [
        {"action": "allow", "target": "api.example.com:443"},
        {"action": "deny", "target": "10.0.0.0/8"},
    ]
    flipped = policy("set", "--deny-egress", "api.example.com:443", "--remove-egress", "10.0.0.0/8", "--json")
    assert flipped.json["egress"] == {
        "default": None,
        "rules": [{"action": "deny", "target": "api.example.com:443"}],
    }
    assert policy("set", "--remove-egress", "10.0.0.0/8", "--json").error["code"] == "InvalidEgressRule"
    assert policy("set", "--allow-egress", "http://x/", "--json").error["code"] == "InvalidEgressRule"
    assert policy("set", "--json").error["code"] == "InvalidUsage"
    assert policy("set", "--egress-default", "none", "--role", "key-administrator").code == 4
    assert policy("show", "--json").json == flipped.json
    assert cli("env", "permissions", "show", "nowhere").code == 3


async def test_a_process_that_runs_flows_uses_a_change(tmp_path: Path, ports: Ports) -> None:
    """An administrator denies a server while a process uses it: the next call is refused."""
    home, keys = tmp_path / "home", tmp_path / "keys" / "keystore.json"
    async with sealflow.open(home, keystore=keys) as engine:
        env = await engine.environment("prod")
        flow = await env.deploy("call", _called(f"http://{GOOD}:{ports.port}/"))
        assert (await _result(env, flow)) == "Succeeded"
        async with sealflow.open(home, keystore=keys, resume=False) as other:
            from sealflow.engine.runtime.environment.egress_settings import changed

            await other.administration("maria").allow("prod", lambda kept: changed(kept, deny=(GOOD,)))
        await env._watch.read_settings()
        assert (await _result(env, flow)) == "Failed"
        assert ports.visits[GOOD] == 1


def _called(url: str) -> dict[str, Any]:
    return {**_flow(url), "triggers": {"manual": {"type": "Request", "kind": "Http"}}}


async def _result(env: Any, flow: Any) -> str:
    (run,) = await env.start(flow)
    return str((await run.result()).status)
