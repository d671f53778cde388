"""Where flows may connect to: the one judge of every connector. Pure: nothing here resolves or connects.

A policy has a default and rules by host, network and port. A name is judged by all addresses that it resolves to, and
the connection goes to an address that was judged: `egress_connect` does both. Connectors of your own use that module
and never connect to a host that a flow names in another way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Final

from ...engine.errors import SealflowError
from .addresses import METADATA_NAMES, Address, Kind, canonical_host, carried, is_locally_translated, kind_of, parsed

DEFAULTS: Final = {
    "none": frozenset[Kind](),
    "public": frozenset({Kind.PUBLIC}),
    "private": frozenset({Kind.PUBLIC, Kind.PRIVATE}),
    "local": frozenset({Kind.PUBLIC, Kind.PRIVATE, Kind.LOOPBACK}),
}
"""What is reached where no rule says anything, by the name of the default."""

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_NAME: Final = re.compile(rf"\*|(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")
_TARGET: Final = re.compile(r"\[(?P<v6>[^\]]*)\](?::(?P<ports6>.*))?|(?P<host>[^:\[\]]*)(?::(?P<ports>.*))?")
_PORTS: Final = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")


class InvalidEgressRule(SealflowError):
    """A rule that names no host, network or port."""

    code = "InvalidEgressRule"


@dataclass(frozen=True, slots=True)
class Rule:
    """Allows or denies a target: `host`, which is a name, `*.NAME` for all names below it, or `*`; else `network`.
    `ports` are the first and the last, None for all.
    """

    allow: bool
    host: str = ""
    network: IPv4Network | IPv6Network | None = None
    ports: tuple[int, int] | None = None

    @property
    def target(self) -> str:
        """The target as `rule` reads it."""
        text = self.host
        if self.network is not None:
            single = self.network.prefixlen == self.network.max_prefixlen
            text = str(self.network.network_address if single else self.network)
        if self.ports is None:
            return text
        first, last = self.ports
        return f"{f'[{text}]' if ':' in text else text}:{first if first == last else f'{first}-{last}'}"

    def __str__(self) -> str:
        return f"{'allow' if self.allow else 'deny'} {self.target}"

    def _has_port(self, port: int) -> bool:
        return self.ports is None or self.ports[0] <= port <= self.ports[1]

    def _names(self, host: str) -> bool:
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return bool(self.host) and self.host in ("*", host)

    def _holds(self, address: Address) -> bool:
        return self.network is not None and address.version == self.network.version and address in self.network


def rule(text: str, *, allow: bool) -> Rule:
    """Read `HOST`, `*.HOST`, `*`, `ADDRESS` or `NETWORK/BITS`, with `:PORT` or `:FIRST-LAST`; an IPv6 target that has
    ports stands in brackets. Raises InvalidEgressRule.
    """
    given = text.strip()
    if given.count(":") > 1 and not given.startswith("["):
        target, ports = given, None
    else:
        match = _TARGET.fullmatch(given)
        if match is None:
            raise _invalid(text)
        target = match["v6"] if match["v6"] is not None else match["host"]
        ports = match["ports6"] if match["v6"] is not None else match["ports"]
    span = _span(ports, text) if ports is not None else None
    if "/" in target:
        return Rule(allow, network=_network(target, text), ports=span)
    host = target if target.startswith("*") else canonical_host(target)
    if parsed(host) is not None:
        return Rule(allow, network=_network(host, text), ports=span)
    host = f"*.{canonical_host(host[2:])}" if host.startswith("*.") else host
    if not _NAME.fullmatch(host) or host.rpartition(".")[2].isdigit():
        raise _invalid(text)
    return Rule(allow, host=host, ports=span)


def _network(target: str, text: str) -> IPv4Network | IPv6Network:
    try:
        network = ip_network(target, strict=False)
    except ValueError:
        raise _invalid(text) from None
    if isinstance(network, IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return IPv4Network((int(mapped), network.prefixlen - 96))
    return network


def _span(ports: str, text: str) -> tuple[int, int]:
    match = _PORTS.fullmatch(ports)
    if match is None:
        raise _invalid(text)
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= 65_535:
        raise _invalid(text)
    return first, last


def _invalid(text: str) -> InvalidEgressRule:
    return InvalidEgressRule(
        f"'{text}' is not a target of an egress rule.",
        hint="Write HOST, *.HOST, *, ADDRESS or NETWORK/BITS, with :PORT or :FIRST-LAST if needed: "
        "api.example.com:443, 10.0.0.0/8, [fd00::/8]:5432.",
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a connection may not be made, and the next step. Neither names an address that a name resolved to."""

    message: str
    hint: str


class EgressRefused(SealflowError):
    """A connection that the policy does not let be made."""

    code = "EgressRefused"


@dataclass(frozen=True, slots=True)
class Egress:
    """An environment's policy. `default` is a name in `DEFAULTS`. `environment` is its name, for commands in errors.

    The order of rules does not matter. Link-local addresses and metadata services are always refused. Otherwise a
    `deny` that matches refuses, an `allow` that matches permits, and the default decides the rest.
    """

    default: str = "local"
    rules: tuple[Rule, ...] = ()
    environment: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.default not in DEFAULTS:
            raise InvalidEgressRule(
                f"'{self.default}' is not a default for egress.", hint=f"These are: {', '.join(DEFAULTS)}."
            )

    def judge(self, host: str, port: int, addresses: Iterable[str]) -> Refusal | None:
        """Judge a connection to `host`, which resolved to all of `addresses`. Return None where it may be made to any
        of them: one address that is refused refuses the name.
        """
        name = canonical_host(host)
        if name in METADATA_NAMES:
            return self._refused(host, port, f"it names {Kind.METADATA.value}", never=True)
        for each in self.rules:
            if not each.allow and each._names(name) and each._has_port(port):
                return self._denied(host, port, each)
        for text in addresses:
            refusal = self._judge_address(host, name, port, text)
            if refusal is not None:
                return refusal
        return None

    def judge_name(self, host: str, port: int) -> Refusal | None:
        """Judge what can be told before a name is looked up, so that a name which no address can make permitted is not
        sent to a DNS server.
        """
        found = self.judge(host, port, ())
        if found is None and self.default == "none" and not any(each.allow and each.network for each in self.rules):
            name = canonical_host(host)
            if not any(each.allow and each._names(name) and each._has_port(port) for each in self.rules):
                return self._refused(host, port, "no rule allows it")
        return found

    def _judge_address(self, host: str, name: str, port: int, text: str) -> Refusal | None:
        address = parsed(text)
        if address is None or (isinstance(address, IPv6Address) and address.scope_id):
            return self._refused(host, port, f"its address is {Kind.METADATA.value}", never=True)
        inner = carried(address)
        every = (address, *inner)
        kinds = [kind_of(each) for each in every]
        if Kind.METADATA in kinds:
            return self._refused(host, port, f"its address is {Kind.METADATA.value}", never=True)
        # Of a local translation it is not known which of the places holds the address.
        if Kind.UNUSABLE in (kinds[:1] if not inner or is_locally_translated(address) else kinds[1:]):
            return self._refused(host, port, f"its address is {Kind.UNUSABLE.value}", never=True)
        for known in self.rules:
            if not known.allow and known._has_port(port) and any(known._holds(each) for each in every):
                return self._denied(host, port, known)
        judged = (address,) if is_locally_translated(address) or not inner else inner
        for each in judged:
            kind = kind_of(each)
            if kind not in DEFAULTS[self.default] and not self._allows(name, port, each, kind):
                why = f"its address is {kind.value}" if self.default != "none" else "no rule allows it"
                return self._refused(host, port, why, kind=kind)
        return None

    def _allows(self, name: str, port: int, address: Address, kind: Kind) -> bool:
        for each in self.rules:
            if not each.allow or not each._has_port(port):
                continue
            if each._holds(address) or (each._names(name) and kind in _opened_by(each.host)):
                return True
        return False

    def _denied(self, host: str, port: int, rule: Rule) -> Refusal:
        import shlex

        command = f"sealflow env permissions set {self._environment} --remove-egress {shlex.quote(rule.target)}"
        return Refusal(
            f"The connection to {_shown(host, port)} was refused by the egress rule '{rule}'.",
            f"An administrator can remove the rule: {command}",
        )

    def _refused(self, host: str, port: int, why: str, *, never: bool = False, kind: Kind | None = None) -> Refusal:
        message = f"The connection to {_shown(host, port)} was refused: {why}"
        if never:
            return Refusal(f"{message}.", "No egress rule can allow it. Use another address.")
        target = canonical_host(host)
        if parsed(target) is None and kind in (Kind.LOOPBACK, Kind.TRANSLATED) and not _is_local(target):
            target = "127.0.0.1" if kind is Kind.LOOPBACK else "64:ff9b:1::/48"  # a name does not open these
        import shlex

        allowed = shlex.quote(_span_target(target, port))
        return Refusal(
            f"{message}, and the default '{self.default}' does not permit it.",
            f"An administrator can allow it: sealflow env permissions set {self._environment} --allow-egress {allowed}",
        )

    @property
    def _environment(self) -> str:
        import shlex

        return shlex.quote(self.environment) if self.environment else "ENV"


def _opened_by(host: str) -> frozenset[Kind]:
    """The kinds of addresses that a rule with this host allows: who runs a domain decides where its names lead."""
    if host == "*":
        return DEFAULTS["public"]
    return DEFAULTS["local"] if _is_local(host) else DEFAULTS["private"]


def _is_local(host: str) -> bool:
    return host == "localhost" or host.endswith(".localhost")


def _span_target(target: str, port: int) -> str:
    if not 1 <= port <= 65_535:
        return target
    return f"[{target}]:{port}" if ":" in target else f"{target}:{port}"


def _shown(host: str, port: int) -> str:
    name = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"'{name}:{port}'" if port else f"'{name}'"
