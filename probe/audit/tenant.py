"""A tenant's id by one of its domains, from the public OpenID configuration of the sign-in service.

GET https://login.microsoftonline.com/<domain>/v2.0/.well-known/openid-configuration (Microsoft Learn, "OpenID Connect on
the Microsoft identity platform"); the US government cloud has login.microsoftonline.us. The answer decides
whose names are audited, so it is believed only when it comes under a certificate that leads to a public root.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from exporters.terminal.evidence import failure_text, hostport
from probe.measure.failure import in_stage
from probe.measure.limits import Limits
from probe.measure.network import NetworkError, Stream
from probe.measure.prober import Prober
from probe.measure.tls_session import Session
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, RecordType
from rules.model.kinds.local_host import HostFacts, LocalHost
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import Hello, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Step
from rules.model.ruleset import CaSet, Rules
from rules.pki.certificate import facts
from rules.pki.handshake import judge_leaf
from rules.pki.trust import judge_chain, missing_pieces
from rules.text.address import classify, never_connect
from rules.text.display import display

LIMIT = 10.0  # seconds for the whole lookup
BODY = 65_536  # bytes of the document; the real one has about 2,000
ADDRESSES = 2  # to try, one after the other
RESOLVERS = 3
PUBLIC, GOVERNMENT = "login.microsoftonline.com", "login.microsoftonline.us"
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_ERROR = re.compile(r"AADSTS[0-9]{4,8}")
_TO_DO = "Give the id itself (--tenant GUID): it stands in the Entra admin center under Overview"


@dataclass(frozen=True, slots=True)
class TenantFound:
    """`tenant` is the GUID in lower case; None where there is none, and then `note` says what was tried, what happened
    and what to do. `connections`: how many were opened, for the audit's pace.
    """

    tenant: str | None
    note: str = ""
    connections: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    """The result of one connection. `final`: another address would give the same."""

    tenant: str | None = None
    why: str = ""
    final: bool = False
    failure: Failure | None = None


@dataclass(slots=True)
class _Search:
    domain: str
    host: str
    prober: Prober
    limits: Limits
    cas: tuple[CaSet, ...]
    public_networks: tuple[str, ...]
    port: int
    connections: int = 0
    tried: list[str] = field(default_factory=list)

    async def run(self, resolvers: tuple[str, ...]) -> str | None:
        """The id; None if the lookup failed: `tried` says why."""
        seen = (await self.prober.measure(LocalHost())).evidence
        if not isinstance(seen, HostFacts) or not (seen.route_v4 or seen.route_v6):
            self.tried.append("this host has no route to the internet")
            return None
        for address in await self._addresses(seen, resolvers or seen.resolvers):
            answer = await self._at(address)
            if answer.tenant is not None:
                return answer.tenant
            self.tried.append(f"{hostport(address, self.port)}: {answer.why}")
            if answer.final:
                break
        return None

    async def _addresses(self, host: HostFacts, resolvers: tuple[str, ...]) -> list[str]:
        """Addresses to connect to: first the operating system's, then the resolvers'; never a forbidden one."""
        types: list[RecordType] = ["A"] if host.route_v4 else []
        types += ["AAAA"] if host.route_v6 else []
        asked = [DnsQuestion(r, self.host, t) for r in resolvers[:RESOLVERS] for t in types]
        steps: list[Step] = [OsLookup(self.host), *asked]
        answers = await asyncio.gather(*(self.prober.measure(step) for step in steps))
        addresses = dict.fromkeys(a for seen in answers for a in _addresses_in(seen.evidence))
        usable = [
            a
            for a in addresses
            if (host.route_v6 if ":" in a else host.route_v4)
            and a not in host.addresses
            and not never_connect(classify(a, self.public_networks))
        ]
        if not usable:
            other = f" (only {', '.join(list(addresses)[:3])}, which no service has)" if addresses else ""
            self.tried.append(f"{self.host} does not resolve to a usable address{other}")
        return usable[:ADDRESSES]

    async def _at(self, address: str) -> _Answer:
        """Ask at one address; again with TLS 1.3 if the handshake failed as with a server without TLS 1.2."""
        answer = await self._ask(address, "connector")
        failure = answer.failure
        refused = (Code.ALERT, Code.EOF, Code.RESET)
        if failure is not None and failure.stage is Stage.TLS and failure.code in refused:
            again = await self._ask(address, "tls13")
            return again if again.failure is None else answer
        return answer

    async def _ask(self, address: str, hello: Hello) -> _Answer:
        self.connections += 1
        try:
            stream = await self.prober.network.connect(address, self.port, self.limits.tcp)
        except NetworkError as error:
            return _Answer(why=failure_text(error.failure), failure=error.failure)
        step = TlsHandshake(address, self.port, self.host, hello)
        try:
            return await self._talk(step, stream)
        except NetworkError as error:
            failure = in_stage(error.failure, Stage.TLS)
            return _Answer(why=failure_text(failure), failure=failure)
        finally:
            stream.close()

    async def _talk(self, step: TlsHandshake, stream: Stream) -> _Answer:
        session = Session(step, stream, self.limits)
        try:
            async with asyncio.timeout(self.limits.tls):
                failure = await session.handshake()
        except TimeoutError:
            failure = Failure(Stage.TLS, Code.TIMEOUT)
        if failure is not None:
            return _Answer(why=failure_text(failure), failure=failure)
        fault = await self._fault(session.facts().chain)
        if fault:
            return _Answer(why=f"the connection is not Microsoft's: {fault}")
        await session.get(f"/{self.domain}/v2.0/.well-known/openid-configuration", BODY)
        reader = session.http
        if reader is None or reader.status is None or (reader.failure is not None and reader.status == 200):
            return _Answer(why=f"no whole answer ({session.http_failure or 'the answer broke off'})")
        return read_answer(reader.status, bytes(reader.body))

    async def _fault(self, chain: tuple[bytes, ...]) -> str:
        """Why the chain does not prove the requested host; "" if it does."""
        now = time.time()
        for leaf in judge_leaf(chain, self.host, now):
            return leaf.summary
        roots: dict[bytes, TrustRoots] = {}
        while subjects := missing_pieces(chain, (), roots, self.cas)[0]:
            for subject in subjects:
                seen = (await self.prober.measure(TrustLookup(subject))).evidence
                roots[subject] = seen if isinstance(seen, TrustRoots) else TrustRoots()
        judged = judge_chain(chain, (), roots, self.cas, now)
        if judged.proven and not judged.expired:
            return ""
        issuer = display(facts(chain[0]).issuer_text, 120)
        return f"its certificate leads to no public root (issued by {issuer}), as behind TLS inspection"


async def search_tenant(
    domain: str,
    prober: Prober,
    rules: Rules,
    *,
    resolvers: tuple[str, ...] = (),
    public_networks: tuple[str, ...] = (),
    limits: Limits | None = None,
    port: int = 443,
) -> TenantFound:
    """Ask the cloud of `rules` whose domain it is, in at most `LIMIT` seconds. Never raises for what the network does.

    `resolvers` are asked instead of this host's where there are any. Nothing is followed, nothing is kept.
    """
    government = any(ruleset.cloud == "usgov" for ruleset in rules.rulesets)
    host = GOVERNMENT if government else PUBLIC
    search = _Search(domain, host, prober, limits or Limits(), rules.cas, public_networks, port)
    try:
        async with asyncio.timeout(LIMIT):
            tenant = await search.run(resolvers)
    except TimeoutError:
        tenant = None
        search.tried.append(f"no answer within {LIMIT:g} s")
    if tenant is not None:
        return TenantFound(tenant, connections=search.connections)
    return TenantFound(None, _note(domain, host, search.tried), search.connections)


def read_answer(status: int, body: bytes) -> _Answer:
    """The tenant in the OpenID configuration: the one GUID in the paths of `issuer` and `token_endpoint`."""
    error = _ERROR.search(body.decode("utf-8", "replace"))
    code = f" ({error[0]})" if error else ""
    if status in (400, 404):
        return _Answer(why=f"HTTP {status}{code}: there is no tenant with this domain", final=True)
    if status != 200:
        return _Answer(why=f"HTTP {status}{code}, which is not followed", final=True)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return _Answer(why="the answer is not JSON", final=True)
    said = [document.get(k) for k in ("issuer", "token_endpoint")] if isinstance(document, dict) else []
    found = {guid for text in said if isinstance(text, str) for guid in _guids(text)}
    if len(found) != 1:
        many = "two different tenant ids" if found else "no tenant id"
        return _Answer(why=f"the answer holds {many}", final=True)
    return _Answer(found.pop())


def _guids(url: str) -> Iterable[str]:
    try:
        path = urlsplit(url).path
    except ValueError:
        return ()
    return [part for part in path.lower().split("/") if _GUID.match(part)]


def _addresses_in(evidence: object) -> Iterable[str]:
    if isinstance(evidence, OsAnswer):
        return evidence.addresses
    if isinstance(evidence, DnsAnswer):
        return [record.value for record in evidence.records if record.type in ("A", "AAAA")]
    return ()


def _note(domain: str, host: str, tried: list[str]) -> str:
    shown = display(domain)
    happened = "; ".join(dict.fromkeys(tried)) or "no answer"
    return (
        f"{shown} could not be turned into a tenant id, so the tenant's own names were not tested. Asked {host} for "
        f"https://{host}/{shown}/v2.0/.well-known/openid-configuration: {happened}. {_TO_DO}."
    )
