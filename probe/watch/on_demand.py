"""`/probe`: one measurement on request, only of a target of the active rules.

Whatever the caller sends, no packet leaves for a name that the service does not watch. The service compares the target
literally, and uses an address from its own resolution, which the prober's guard checks again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from exporters.metrics.probe import ProbeResult, render
from exporters.terminal import tree
from exporters.terminal.style import Style
from probe.version import VERSION
from probe.watch.judgement import refetch_after
from probe.watch.loop import WatchLoop
from probe.watch.rounds import Watched
from rules.audit.machine import Audit
from rules.audit.phases import step_for
from rules.http_answer.page import judge_reach
from rules.judge.report import make_report
from rules.model import causes
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation, got_through
from rules.model.verdict import Status
from rules.pki.certificate import facts
from rules.pki.handshake import judge_leaf, tls_cause
from rules.pki.revocation import CrlSubject, judge_crl
from rules.pki.trust import judge_chain

#: Modules that a caller may name; "" is the module that the port needs.
MODULES = ("", "tls", "http")
USAGE = "Usage: /probe?target=HOST[:PORT][&module=tls|http][&debug=true]. /targets lists the targets.\n"
#: Seconds: the limit without Prometheus' header, and the part of a limit that is kept for the answer.
LIMIT, OFFSET = 10.0, 0.5
#: The longest limit in seconds: the web server allows a minute for an answer.
LONGEST = 55.0
_HEADER = "x-prometheus-scrape-timeout-seconds"


class NotAskedError(Exception):
    """No packet left for the target, so there is no result; the text says why."""


@dataclass(slots=True)
class WaitState:
    """Whether a probe still waits for the rate and the caps of the service and has sent nothing."""

    waiting: bool = False

    def come(self) -> None:
        self.waiting = False


async def probe(
    appliance: WatchLoop | None, query: Mapping[str, str], headers: Mapping[str, str]
) -> tuple[int, str]:
    """(HTTP status, text). 400 for a wrong request, 403 without a packet for everything that no rule contains, 503 while
    the service measures nothing.

    A target that was not asked is neither a success nor a failure.
    """
    module, name = query.get("module", ""), query.get("target", "")
    if not name:
        return 400, USAGE
    if module not in MODULES:
        return 400, f"There is no such module; there are {', '.join(m for m in MODULES if m)}.\n"
    if appliance is None or appliance.ways is None:
        return 503, "The first look has not ended.\n"
    watched = _watched(appliance, name, module)
    if watched is None:
        return 403, "This is no target of the active rules; /targets lists them. Nothing was sent.\n"
    if appliance.paused:
        return 503, "A maintenance window is open in which nothing is asked.\n"
    limit = _limit(headers)
    begun, turn = time.monotonic(), WaitState()
    try:
        async with asyncio.timeout(limit):
            found = await _probed(appliance, watched, limit, begun, turn)
    except TimeoutError:
        if turn.waiting:
            return (
                503,
                f"Its turn did not come within {limit:g} s: so few connections may be opened. It was not asked.\n",
            )
        found = ProbeResult(False, time.monotonic() - begun, limit)
    except NotAskedError as why:
        return 503, f"{why}\n"
    return 200, render(found)


async def explained(appliance: WatchLoop | None, query: Mapping[str, str], metrics: str) -> str:
    """What the service knows of the requested target, as `wayclear explain` shows it, and `metrics` below it.

    It is judged now, so the answer of a probe that has just ended is in it. Nothing is sent. The judgement is that of the
    whole list, as on the status page: call it for one request at a time.
    """
    watched = _watched(appliance, query.get("target", ""), query.get("module", "")) if appliance else None
    if appliance is None or watched is None:
        return metrics  # a reload has just removed the target
    host, port = watched.key
    plan = appliance.memory.plan(appliance.plan, tuple(dict.fromkeys(key[0] for key in appliance.watched)))
    audit = Audit(appliance.rules, plan, appliance.memory.copy())

    def text() -> str:
        audit.ready()
        now = time.time()
        return tree.render(make_report(audit, now, now, VERSION), host, port, Style())

    return (
        f"{await asyncio.to_thread(text)}\nMetrics that this probe answers without debug=true:\n\n{metrics}"
    )


def _watched(appliance: WatchLoop, name: str, module: str) -> Watched | None:
    """The requested target: by its exact name and port, or by its name and the port that the module needs."""
    host, colon, port = name.partition(":")
    wanted = port if colon else "80" if module == "http" else "443"
    found = next(
        (one for one in appliance.watched.values() if one.key[0] == host and str(one.key[1]) == wanted), None
    )
    plain = found is not None and found.key[1] == 80
    return None if module and plain != (module == "http") else found


def _limit(headers: Mapping[str, str]) -> float:
    try:
        asked = float(headers.get(_HEADER, ""))
    except ValueError:
        return LIMIT
    return min(max(asked - OFFSET, 0.5), LONGEST) if asked == asked else LIMIT


async def _probed(
    appliance: WatchLoop, watched: Watched, limit: float, begun: float, turn: WaitState
) -> ProbeResult:
    address = await appliance.prepare(watched)
    lookup = dict(appliance.tracks.record_of(watched.key).stages).get("dns")
    if address is None:
        return ProbeResult(False, time.monotonic() - begun, limit, lookup=lookup)
    step = step_for(watched.targets[0], address)
    if not appliance.asker.allows(step):
        raise NotAskedError(
            "Many addresses are silent, and asking a new one would look like a scan. It was not asked."
        )
    turn.waiting = True
    seen = await _seen(appliance, watched, step, turn)
    base = ProbeResult(False, time.monotonic() - begun, limit, address, lookup)
    if isinstance(seen.evidence, TlsFacts) and isinstance(step, TlsHandshake):
        return _tls(appliance, watched, seen, seen.evidence, base)
    if isinstance(seen.evidence, HttpExchange) and isinstance(step, HttpFetch):
        exchange = seen.evidence
        good = await asyncio.to_thread(_as_wanted, step, seen, exchange, _authorities(appliance))
        return replace(
            base, success=good, connect=exchange.connect_s, first_byte=exchange.first_byte_s, status=exchange.status
        )  # fmt: skip
    return base


async def _seen(
    appliance: WatchLoop, watched: Watched, step: TlsHandshake | HttpFetch, turn: WaitState
) -> Observation:
    """A new answer. A list of megabytes is fetched only when its life requires it, whatever the caller asks."""
    if isinstance(step, TlsHandshake):
        return await appliance.asker.handshake(step, watched.key, begins=turn.come)
    known, now = appliance.memory.get(step), time.time()
    if step.purpose == "crl" and known is not None and known.failure is None:
        lasts = refetch_after(known, appliance.config.serve.schedule.revocation, now)
        if now - known.started < lasts:
            return known
    return (await appliance.asker.ask(step, watched.key, turn.come))[0]


def _as_wanted(
    step: HttpFetch, seen: Observation, exchange: HttpExchange, authorities: tuple[bytes, ...]
) -> bool:
    """Whether a host serves its list, verified, or any answer of its own if no document is known.

    If no CA is known yet, any current list counts: there is no key to check it with.
    """
    if step.purpose != "crl":
        return judge_reach(exchange, seen.failure, step.host).cause == causes.OK
    held = CrlSubject(url=f"http://{step.host}{step.target}", bound=False)
    found = judge_crl(exchange, seen.failure, authorities, (), time.time(), step.host, held)
    if found.cause == causes.CRL_UNVERIFIED:
        # a current list that a known CA signed counts, also if it names another address than this one
        return not authorities or found.circumstance == "partition-unknown"
    return found.status in (Status.PASS, Status.NOTICE)  # a list with a notice is good


def _authorities(appliance: WatchLoop) -> tuple[bytes, ...]:
    """The CAs with a known key: roots of the public list, and seen certificates whose key is in the CA sets."""
    keys = {ca.spki_sha256.lower() for cas in appliance.rules.cas for ca in cas.cas if ca.spki_sha256}
    found: dict[bytes, None] = {}
    met: dict[bytes, None] = {}
    for seen in appliance.memory.known.values():
        if isinstance(seen.evidence, TlsFacts):
            met.update(dict.fromkeys(seen.evidence.chain[1:]))
        elif isinstance(seen.evidence, TrustRoots):
            found.update(dict.fromkeys(seen.evidence.public))
            met.update(dict.fromkeys(seen.evidence.system))
    found.update(dict.fromkeys(der for der in met if facts(der).spki_sha256 in keys))
    return tuple(found)


def _tls(
    appliance: WatchLoop, watched: Watched, seen: Observation, shown: TlsFacts, base: ProbeResult
) -> ProbeResult:
    """A handshake succeeds if the certificate is genuine. The audit's functions judge it by its chain."""
    good = False
    if got_through(seen) and shown.chain:
        target, now = watched.targets[0], time.time()
        judgement = judge_chain(shown.chain, (), _roots(appliance), appliance.rules.cas, now)
        faults = judge_leaf(shown.chain, watched.key[0], now)
        good = tls_cause(judgement, faults, target.rule.expect, target.rule.group).status in (
            "pass",
            "notice",
        )
    leaf = facts(shown.chain[0]) if shown.chain else None
    return replace(
        base,
        success=good,
        connect=shown.connect_s,
        tls=shown.handshake_s,
        tls_version=shown.version or "",
        expiry=leaf.not_after if leaf is not None else None,
        # a status borrowed from an earlier GET has no headers: see Memory.with_last_get
        status=shown.http_status if shown.http_headers else None,
    )


def _roots(appliance: WatchLoop) -> dict[bytes, TrustRoots]:
    """The stores' answers about the roots that were looked up so far."""
    return {
        seen.step.subject: seen.evidence
        for seen in appliance.memory.known.values()
        if isinstance(seen.step, TrustLookup) and isinstance(seen.evidence, TrustRoots)
    }
