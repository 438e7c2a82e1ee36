"""Findings about this host and the path as a whole: one each, not one for every name."""

from __future__ import annotations

from collections.abc import Iterator

from rules.judge.clock import CLOCK_BREAKS, CLOCK_NOTICE
from rules.judge.dns_views import last_answer, resolver_views
from rules.judge.evidence import Context
from rules.judge.failing_resolvers import MIN_ZONES
from rules.judge.remedies import remedy
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.failure import Code, Stage
from rules.model.kinds.dns_chain import OS
from rules.model.kinds.tcp_connect import TcpConnect
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.ruleset import Group
from rules.model.verdict import Check, Endpoint, Status, Verdict
from rules.text.moments import utc
from rules.text.zones import zone


def judge_host(context: Context) -> Iterator[Verdict]:
    """All of them; none where nothing is wrong."""
    yield from _resolvers(context)
    yield from _families(context)
    yield from _clock(context)
    yield from _canary(context)
    yield from _sweep(context)
    yield from _hellos(context)


def local_stop(context: Context) -> Verdict | None:
    """The single cause of an audit that could not begin: no route, no resolver, nothing known of this host."""
    audit = context.audit
    if audit.stopped == "no-route":
        return _finding(
            "host",
            Status.INCONCLUSIVE,
            causes.LOCAL_NO_ROUTE,
            "This host has no route to the internet (neither IPv4 nor IPv6)",
        )
    if audit.stopped == "no-resolver":
        return _no_resolver(", ".join(audit.names.resolvers))
    if audit.stopped == "no-host-facts":
        return _finding(
            "host", Status.BROKEN, causes.LOCAL_UNKNOWN, "Nothing could be learned about this host"
        )
    hosts = [t.host for t in audit.targets if t.host]
    if audit.stopped == "interrupted":  # of the others the resolvers had no time to answer
        hosts = [host for host in hosts if _is_answered(context, host)]
    if (
        len({zone(host) for host in hosts}) >= MIN_ZONES
        and not any(audit.candidates(h) for h in hosts)
        and audit.names.health
    ):
        asked = ", ".join(audit.names.resolvers)
        if all(audit.names.health[r].dead for r in audit.names.resolvers):
            return _no_resolver(asked)
        found = [
            view
            for host in dict.fromkeys(hosts)
            for view in resolver_views(context, host)
            if view.resolver != OS
        ]
        if 2 * sum(view.explains for view in found) > len(found):
            return None  # the answers show the fault: each name fails with it
        refused = bool(found) and all(view.word == "refused" for view in found)
        how = "refuses every name" if refused else "knows no public name"
        return _finding(
            "host",
            Status.INCONCLUSIVE,
            causes.LOCAL_NO_RESOLVER,
            f"The resolver ({asked}) answers, but {how}: none of {len(set(hosts))} resolves",
            "refuses-every-name" if refused else "knows-no-public-name",
        )
    return None


def _is_answered(context: Context, host: str) -> bool:
    """Whether a resolver has answered about this name, whatever it said."""
    return any(last_answer(context, chain) is not None for chain in context.audit.names.chains(host))


def _no_resolver(asked: str) -> Verdict:
    return _finding(
        "host",
        Status.INCONCLUSIVE,
        causes.LOCAL_NO_RESOLVER,
        f"No resolver answers this host ({asked or 'none is configured'})",
    )


def _resolvers(context: Context) -> Iterator[Verdict]:
    names = context.audit.names
    for resolver in names.resolvers:
        health = names.health[resolver]
        if health.dead:
            refused = Code.REFUSED in health.reasons
            how = "refuses every question" if refused else "answers no question"
            yield _finding(
                "dns",
                Status.WARN,
                causes.DNS_TIMEOUT,
                f"Resolver {resolver} {how} ({health.failed} were tried); names were judged by the others",
                _place(context, resolver),
                Endpoint(resolver, 53),
                resolver=resolver,
                lookups=_lookups(context, _place(context, resolver)),
            )
        elif resolver in context.failing_resolvers:
            found = context.failing_resolvers[resolver]
            yield _finding(
                "dns",
                Status.WARN,
                found.cause,
                f"Resolver {resolver} {found.how} ({found.names} were tried); names were judged by the others",
                found.circumstance,
                Endpoint(resolver, 53),
                context.evidence(*found.seen),
                resolver=resolver,
            )
        if resolver in context.canaries:
            shown = ", ".join(sorted(context.canaries[resolver])[:3])
            yield _finding(
                "dns",
                Status.WARN,
                causes.DNS_WILDCARDED,
                f"Resolver {resolver} answers an invented name with {shown}",
                "canary",
                Endpoint(resolver, 53),
            )


def _place(context: Context, resolver: str) -> str:
    """The place of a dead resolver among those of this host's own lookups: a circumstance of its remedy."""
    configured = context.audit.host.resolvers if context.audit.host is not None else ()
    if resolver not in configured:
        return "resolver-named"
    before = configured[: configured.index(resolver)]
    dead = (context.audit.names.health.get(other) for other in before)
    return (
        "resolver-first" if all(health is not None and health.dead for health in dead) else "resolver-later"
    )


def _lookups(context: Context, place: str) -> str:
    """How this host's own lookups treat a resolver that does not answer, as far as documented.

    Linux: resolv.conf(5), "nameserver" and "timeout". Windows: Microsoft, "DNS client resolution timeouts" (KB
    2834226).
    """
    system = context.audit.host.os if context.audit.host is not None else ""
    first = place == "resolver-first"
    if system.startswith("Windows"):
        waits = "each lookup that is not cached asks it first and waits a second before it asks the next one"
        return waits if first else "lookups ask it only when one before it has not answered within a second"
    if system.startswith("Alpine"):  # musl asks all at once
        return "how its lookups go about it is not known"
    waits = "lookups of the C library ask it first and wait for it (5 s, unless resolv.conf says otherwise)"
    return waits if first else "lookups of the C library ask it only when those before it do not answer"


def _families(context: Context) -> Iterator[Verdict]:
    guard = context.audit.guard
    for v6, name in ((False, "IPv4"), (True, "IPv6")):
        if guard.family_broken(v6):
            tried = guard.failed_over(v6)
            yield _finding(
                "path",
                Status.WARN,
                causes.PATH_FAMILY_BROKEN,
                f"{name} is half configured: this host has a route, but "
                f"none of {len(tried)} addresses answers ({tried[0]}, ...), while the other family works",
                family=name,
            )


def _clock(context: Context) -> Iterator[Verdict]:
    clock = context.clock
    if abs(clock.skew) < CLOCK_NOTICE:
        return
    if clock.basis == "certificates":
        yield _clock_by_certificates(context)
        return
    way = "ahead of" if clock.skew > 0 else "behind"
    breaks = abs(clock.skew) >= CLOCK_BREAKS
    service = {t.host for t in context.audit.targets if t.rule.group is Group.SERVICE and t.host}
    refused = clock.refused & service
    if clock.basis == "port-80":
        judged = "; all of them on port 80, where a cache or a device may write it: nothing was judged by it"
    else:
        judged = "; certificates were judged by theirs" if breaks else ""
    if refused:
        judged += f", and by this host's own clock those of {len(refused)} names of the service are not valid"
    yield _finding(
        "host",
        Status.FAIL if breaks and clock.basis == "proved" else Status.WARN,
        causes.LOCAL_CLOCK_SKEW,
        f"This host's clock is {_span(abs(clock.skew))} {way} the Date that several hosts give{judged}",
        ("certificates" if clock.witnessed else "certificates-alone") if refused else "",
        evidence=context.evidence(*clock.answers),
    )


def _clock_by_certificates(context: Context) -> Verdict:
    """No server gives the time, and the genuine certificates are valid at another time than this host's."""
    clock = context.clock
    when = utc(clock.now).strftime("%Y-%m-%d")
    behind = clock.skew < 0
    state, bound = ("not valid yet", f"from {when} on") if behind else ("out of date", f"until {when}")
    handshakes = (
        seen
        for seen in context.observations
        if isinstance(seen.step, TlsHandshake) and seen.step.server_name in clock.refused
    )
    return _finding(
        "host",
        Status.FAIL,
        causes.LOCAL_CLOCK_SKEW,
        f"By this host's clock the genuine certificates of {len(clock.refused)} names are {state}. They are valid "
        f"together {bound}, so the clock is likely at least {_span(abs(clock.skew))} {'behind' if behind else 'ahead'}; "
        "no server told the time. Certificates were judged as of that day",
        "certificates-alone",
        evidence=context.evidence(*handshakes),
    )


def _canary(context: Context) -> Iterator[Verdict]:
    for seen in context.observations:
        if isinstance(seen.step, TcpConnect) and seen.failure is None:
            where = f"{seen.step.address}:{seen.step.port}"
            yield _finding(
                "tcp",
                Status.WARN,
                causes.TCP_ACCEPT_ALL,
                f"A network device accepts every connection: {where}, "
                "an unused address, opened too. So an open port proves nothing here",
                evidence=context.evidence(seen),
            )


def _sweep(context: Context) -> Iterator[Verdict]:
    audit = context.audit
    if audit.guard.sweep:
        yield _finding(
            "path",
            Status.INCONCLUSIVE,
            causes.PATH_SWEEP_DETECTED,
            "Addresses that had answered went silent in the "
            "middle of the audit: a firewall takes the audit for a scan and drops this host's traffic",
        )
    elif audit.stopped == "sweep":
        count = len(audit.guard.silent)
        yield _finding(
            "path",
            Status.INCONCLUSIVE,
            causes.AUDIT_NOT_REACHED,
            f"Stopped after {count} hosts that met silence or a reset: going on would look like a scan",
            "restrained",
        )


def _hellos(context: Context) -> Iterator[Verdict]:
    """A large ClientHello gets no answer where the small one gets through: browsers have problems, a connector has none."""
    blocked: list[tuple[TlsHandshake, tuple[Observation, ...]]] = []
    worked: list[tuple[TlsHandshake, tuple[Observation, ...]]] = []
    for seen in context.observations:
        step = seen.step
        if isinstance(step, TlsHandshake) and step.hello == "large":
            attempts = context.seen(step)
            if attempts and attempts[0] is seen and not all(_unopened(s) for s in attempts):
                (blocked if _vanished(attempts) else worked).append((step, attempts))
    if blocked and not worked:
        first = min((step for step, _ in blocked), key=lambda s: (s.server_name, s.address))
        evidence = context.evidence(*(s for _, attempts in blocked for s in attempts))
        yield _finding(
            "tls",
            Status.NOTICE,
            causes.TLS_LARGE_HELLO_BLOCKED,
            "A large ClientHello (post-quantum key share, two "
            f"packets) gets no answer at {len(blocked)} names, the connector's small one does",
            endpoint=Endpoint(first.server_name, first.port, first.address),
            evidence=evidence,
        )


def _unopened(seen: Observation) -> bool:
    """No connection, no ClientHello: that shows nothing about its size."""
    return seen.failure is not None and seen.failure.stage in (Stage.LOCAL, Stage.TCP)


def _vanished(attempts: tuple[Observation, ...]) -> bool:
    codes = (Code.TIMEOUT, Code.RESET, Code.EOF)
    return len(attempts) > 1 and all(s.failure is not None and s.failure.code in codes for s in attempts)


def _finding(
    check: Check,
    status: Status,
    cause: Cause,
    summary: str,
    circumstance: str = "",
    endpoint: Endpoint | None = None,
    evidence: tuple[str, ...] = (),
    **values: str,
) -> Verdict:
    return Verdict(
        "",
        "This host and its way out",
        endpoint,
        check,
        status,
        cause,
        summary,
        remedy(cause, circumstance, **values),
        evidence=evidence,
        circumstance=circumstance,
    )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172800 else f"{seconds / 86400:.0f} days"
