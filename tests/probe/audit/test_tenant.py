"""A tenant's id by its domain: found, not known, hidden behind an interceptor, not reachable."""

from __future__ import annotations

import asyncio
import datetime
import json
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from probe.audit import tenant as module
from probe.audit.tenant import BODY, GOVERNMENT, PUBLIC, TenantFound, read_answer, search_tenant
from probe.measure.direct_network import HostNetwork
from probe.measure.limits import Limits
from probe.measure.network import NetworkError, Stream
from probe.measure.prober import Prober
from probe.measure.trust_stores import TrustStores
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.observation import Observation, Step
from rules.model.ruleset import Rules, RuleSet
from tests.pki import Authority, Leaf, authority
from tests.servers import Talk, server_context, serving

ROOT = authority("Public Root")
LEAF = authority("Issuing CA", ROOT).leaf([PUBLIC, GOVERNMENT])
ID = "0a1b2c3d-1111-2222-3333-444455556666"
LIMITS = Limits(tcp=2.0, tls=2.0, first_byte=2.0)
FACTS = HostFacts("host", "root", "Linux", (), ("10.9.9.9",), (), ("10.0.0.53",), True, False)
SET = RuleSet("entra-app-proxy", "", "1", datetime.date(2026, 11, 1), ())
RULES = Rules((SET,), ())


def document(tenant: str = ID) -> bytes:
    said = {
        "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
        "token_endpoint": f"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    }
    return json.dumps(said).encode()


@dataclass
class Service:
    """What the sign-in service answers, and what it was asked."""

    body: bytes = field(default_factory=document)
    status: str = "200 OK"
    headers: str = ""
    asked: list[bytes] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        head = f"HTTP/1.1 {self.status}\r\n{self.headers}Content-Length: {len(self.body)}\r\n\r\n"
        writer.write(head.encode() + self.body)
        await writer.drain()


class Diverted(HostNetwork):
    """Leads every connection to a server on loopback, but for `closed` addresses."""

    def __init__(self, port: int, closed: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.port, self.closed = port, closed
        self.seen: list[tuple[str, int]] = []

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        self.seen.append((address, port))
        if address in self.closed:
            raise NetworkError(Failure(Stage.TCP, Code.REFUSED))
        return await super().connect("127.0.0.1", self.port, timeout)


class Told(Prober):
    """A prober whose host and names are given; everything else is measured."""

    def __init__(
        self,
        network: HostNetwork,
        stores: TrustStores,
        facts: HostFacts = FACTS,
        system: tuple[str, ...] = ("20.190.1.1",),
        dns: tuple[str, ...] = (),
    ) -> None:
        super().__init__(limits=LIMITS, network=network, stores=stores)
        self.facts, self.system, self.dns = facts, system, dns
        self.questions: list[Step] = []

    async def measure(self, step: Step) -> Observation:
        self.questions.append(step)
        match step:
            case LocalHost():
                return Observation(step, 0.0, 0.0, evidence=self.facts)
            case OsLookup():
                return Observation(step, 0.0, 0.0, evidence=OsAnswer(self.system))
            case DnsQuestion():
                records = tuple(Record(step.name, "A", 60, a) for a in self.dns)
                return Observation(step, 0.0, 0.0, evidence=DnsAnswer("NOERROR", records))
        return await super().measure(step)


@dataclass
class Setting:
    """One search, with what may differ."""

    service: Talk = field(default_factory=Service)
    leaf: Leaf = LEAF
    root: Authority = ROOT
    version: ssl.TLSVersion | None = None
    rules: Rules = RULES
    closed: frozenset[str] = frozenset()
    told: Callable[[HostNetwork, TrustStores], Told] = Told
    resolvers: tuple[str, ...] = ()
    limits: Limits = LIMITS
    network: Diverted = field(init=False)
    prober: Told = field(init=False)

    def find(self, domain: str = "contoso.com") -> TenantFound:
        async def run(directory: Path) -> TenantFound:
            pem = directory / "roots.pem"
            pem.write_bytes(self.root.certificate.public_bytes(serialization.Encoding.PEM))
            stores = TrustStores(pem, directory / "none.pem")
            context = server_context(self.leaf, directory, self.version)
            async with serving(self.service, context) as place:
                self.network = Diverted(place.port, self.closed)
                self.prober = self.told(self.network, stores)
                try:
                    return await search_tenant(
                        domain, self.prober, self.rules, resolvers=self.resolvers, limits=self.limits
                    )
                finally:
                    await self.prober.close()

        with tempfile.TemporaryDirectory() as directory:
            return asyncio.run(run(Path(directory)))


def test_the_id_is_read_from_the_public_document() -> None:
    service = Service(document(ID.upper()))
    setting = Setting(service)
    assert setting.find() == TenantFound(ID, "", 1)
    [asked] = service.asked
    assert asked.startswith(b"GET /contoso.com/v2.0/.well-known/openid-configuration HTTP/1.1\r\n")
    assert f"Host: {PUBLIC}\r\n".encode() in asked
    assert setting.network.seen == [("20.190.1.1", 443)]


def test_the_government_cloud_has_a_host_of_its_own() -> None:
    service = Service()
    rules = Rules((replace(SET, cloud="usgov"),), ())
    setting = Setting(service, rules=rules)
    assert setting.find().tenant == ID
    assert f"Host: {GOVERNMENT}\r\n".encode() in service.asked[0]
    assert OsLookup(GOVERNMENT) in setting.prober.questions


def test_resolvers_are_the_hosts_or_the_ones_that_were_given() -> None:
    for given_resolvers, asked in (((), "10.0.0.53"), (("192.0.2.1",), "192.0.2.1")):
        setting = Setting(
            resolvers=given_resolvers, told=lambda n, s: Told(n, s, system=(), dns=("20.1.1.1",))
        )
        assert setting.find().tenant == ID
        assert DnsQuestion(asked, PUBLIC, "A") in setting.prober.questions


def test_a_domain_that_nobody_has() -> None:
    body = b'{"error":"invalid_tenant","error_description":"AADSTS90002: Tenant not found."}'
    setting = Setting(
        Service(body, "400 Bad Request"), told=lambda n, s: Told(n, s, system=("20.1.1.1", "20.1.1.2"))
    )
    found = setting.find()
    assert found.tenant is None
    assert found.connections == 1, "the second address would say the same"
    assert "HTTP 400 (AADSTS90002): there is no tenant with this domain" in found.note
    assert "--tenant GUID" in found.note
    assert f"https://{PUBLIC}/contoso.com/v2.0/.well-known/openid-configuration" in found.note


def test_an_interceptor_is_not_believed_and_not_even_asked() -> None:
    service = Service()
    found = Setting(service, root=authority("Another Root")).find()
    assert found.tenant is None
    assert "leads to no public root" in found.note
    assert "Issuing CA" in found.note
    assert service.asked == []


@pytest.mark.parametrize(
    ("leaf", "words"),
    [
        (authority("Issuing CA", ROOT).leaf(["login.example.com"]), "not for login.microsoftonline.com"),
        (authority("Issuing CA", ROOT).leaf([PUBLIC], ends=-datetime.timedelta(hours=1)), "ran out"),
    ],
    ids=["name", "date"],
)
def test_a_certificate_for_another_name_or_time_is_not_believed(leaf: Leaf, words: str) -> None:
    service = Service()
    found = Setting(service, leaf=leaf).find()
    assert found.tenant is None
    assert words in found.note
    assert service.asked == []


def test_the_second_address_is_tried_where_the_first_is_closed() -> None:
    setting = Setting(
        closed=frozenset({"20.1.1.1"}), told=lambda n, s: Told(n, s, system=("20.1.1.1",), dns=("20.1.1.2",))
    )
    assert setting.find() == TenantFound(ID, "", 2)
    assert [a for a, _ in setting.network.seen] == ["20.1.1.1", "20.1.1.2"]


def test_nothing_answers() -> None:
    found = Setting(closed=frozenset({"20.190.1.1"})).find()
    assert found.tenant is None
    assert "20.190.1.1:443: TCP: refused (RST)" in found.note


def test_addresses_that_no_service_has_are_never_connected_to() -> None:
    bad = ("127.0.0.1", "169.254.169.254", "0.0.0.0", "224.0.0.1", "10.9.9.9", "2001:db8::1")
    setting = Setting(told=lambda n, s: Told(n, s, system=bad))
    found = setting.find()
    assert setting.network.seen == []
    assert found.connections == 0
    assert "does not resolve to a usable address (only 127.0.0.1" in found.note


def test_without_a_route_nothing_is_asked() -> None:
    setting = Setting(told=lambda n, s: Told(n, s, facts=replace(FACTS, route_v4=False)))
    assert "no route" in setting.find().note
    assert setting.prober.questions == [LocalHost()]


def test_a_server_of_tls_1_3_alone() -> None:
    assert Setting(version=ssl.TLSVersion.TLSv1_3).find() == TenantFound(ID, "", 2)


def test_a_document_beyond_the_cap_is_not_read() -> None:
    found = Setting(Service(document() + b" " * BODY)).find()
    assert found.tenant is None
    assert "no whole answer" in found.note


def test_a_redirect_is_not_followed() -> None:
    setting = Setting(Service(b"", "302 Found", f"Location: https://{PUBLIC}/elsewhere\r\n"))
    found = setting.find()
    assert found.connections == 1
    assert "HTTP 302, which is not followed" in found.note


async def _mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


def test_a_server_that_says_nothing_ends_at_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    found = Setting(_mute, limits=replace(LIMITS, first_byte=0.1)).find()
    assert "no whole answer (timeout)" in found.note
    monkeypatch.setattr(module, "LIMIT", 0.2)
    found = Setting(_mute, limits=replace(LIMITS, first_byte=60.0)).find()
    assert "no answer within 0.2 s" in found.note


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b"[]", "no tenant id"),
        (b'{"issuer": 7, "token_endpoint": "https://[::1/x"}', "no tenant id"),
        (document("common"), "no tenant id"),
        (document().replace(b'/v2.0"', b'/11111111-1111-1111-1111-111111111111"'), "two different"),
    ],
)
def test_documents_without_an_id(body: bytes, why: str) -> None:
    assert read_answer(200, body).tenant is None
    assert why in read_answer(200, body).why


@given(st.integers(100, 999), st.binary(max_size=200))
def test_no_answer_of_a_peer_is_mistaken_for_an_id(status: int, body: bytes) -> None:
    assert read_answer(status, body).tenant is None


@given(st.uuids(), st.uuids())
def test_an_id_is_found_wherever_it_stands_and_only_when_it_is_one(one: object, other: object) -> None:
    assert read_answer(200, json.dumps({"issuer": f"https://sts.windows.net/{one}/"}).encode()).tenant == str(
        one
    )
    both = json.dumps({"issuer": f"https://a/{one}/", "token_endpoint": f"https://a/{other}/"}).encode()
    assert read_answer(200, both).tenant == (str(one) if one == other else None)
