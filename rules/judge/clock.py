"""This host's clock compared with its peers: with the dates that they give, else with their genuine certificates.

A server writes the `Date` inside a genuine TLS session. Any network device may write the one on port 80: a cache
forwards an old one, and a device puts its own into its pages. So a date from a session decides. Dates from port 80
alone are a sign: the report mentions it, and judges no list or certificate by it.

A CA sets the dates of a certificate. One outdated certificate may be the server's fault. If those of several names
are outdated at once, and one other time makes all of them valid, this host's clock is the likely reason: CAs date no
certificate ahead, and servers do not all forget to renew in the same week.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.http_answer.page import is_html, looks_like_block_page
from rules.http_answer.text import Headers
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.pki.certificate import facts
from rules.text.moments import http_date, seconds_of
from rules.text.zones import zone

DerChain: TypeAlias = tuple[bytes, ...]  #: DER, the server's own certificate first

#: Number of hosts whose dates must agree before this host's clock is doubted.
MIN_CLOCKS = 3
#: Seconds by which these dates may differ from each other.
CLOCK_SPREAD = 30.0
#: Skew in seconds that is a finding, and that breaks Kerberos: MaxClockSkew is 5 minutes unless a policy changes it
#: (Microsoft, [MS-GPSB] section 2.2.2 "Kerberos Policy").
CLOCK_NOTICE = 120.0
CLOCK_BREAKS = 300.0
#: Number of names with outdated certificates that is needed, and of different certificates: many names may share one.
MIN_NAMES = 3
MIN_CERTIFICATES = 2


#: What is known about the clock:
#:
#: ""              no peer gives the time, or genuine certificates contradict the peers that do
#: "right"         several hosts give the time, and the clock agrees
#: "port-80"       only hosts on port 80, but several, give another time: a sign, not used in judgements
#: "proved"        several hosts give another time, and a genuine session or genuine certificates agree: used
#: "certificates"  no dates decide, and genuine certificates are valid together at another time: used
Basis: TypeAlias = Literal["", "right", "port-80", "proved", "certificates"]


@dataclass(frozen=True, slots=True)
class Clock:
    """This host's clock as its peers show it.

    `now`: the time to judge at, Unix time. `skew`: seconds by which the clock is ahead; by certificates, the least
    skew that explains them. `witnessed`: three unrelated hosts give that time. `answers`: those that gave a time.
    `refused`: names whose genuine certificates are all outdated by this clock and valid at `now`: programs on this
    host refuse them, whatever the network allows.
    """

    now: float
    basis: Basis = ""
    skew: float = 0.0
    witnessed: bool = False
    answers: tuple[Observation, ...] = ()
    refused: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A date that a host gave.

    `skew`: seconds by which this host's clock is ahead of it; `author`: its possible author, the same for one page at
    many hosts; `inside`: whether it came in a genuine TLS session.
    """

    host: str
    skew: float
    seen: Observation
    author: str
    inside: bool


def judge_clock(
    observations: Iterable[Observation],
    genuine: Sequence[ServedChain],
    started: float,
    valid_at: Callable[[DerChain, float], bool],
) -> Clock:
    """Judge the clock that read `started` (Unix time). `genuine`: the proved chains, served for their names;
    `valid_at`: whether a chain is valid at a time."""
    dates = clock_readings(observations, frozenset(one.chain for one in genuine))
    answers = tuple(one.seen for one in dates)
    in_common = None
    # A single date that agrees confirms the clock.
    if not any(abs(one.skew) <= CLOCK_BREAKS for one in dates):
        in_common = time_by_certificates(genuine, started, valid_at)
    skew = skew_by_dates(dates)
    if skew:
        agreeing = [one for one in dates if abs(one.skew - skew) <= CLOCK_SPREAD]
        inside = any(one.inside for one in agreeing)
        now = started - skew
        gained = sum(valid_at(one.chain, now) for one in genuine) - sum(one.valid for one in genuine)
        if not inside and gained < 0:
            return Clock(started, answers=answers)
        if not inside and gained == 0:
            return Clock(started, "port-80", skew, answers=answers)
        witnessed = len(zones_of(agreeing)) >= MIN_CLOCKS
        refused = witnessed or in_common is not None
        return Clock(
            now,
            "proved",
            skew,
            witnessed,
            answers,
            _refused(genuine, now, valid_at) if refused else frozenset(),
        )
    if in_common is not None:
        refusing = _refused(genuine, in_common, valid_at)
        return Clock(in_common, "certificates", started - in_common, answers=answers, refused=refusing)
    right = {one.author for one in dates if abs(one.skew) <= CLOCK_NOTICE}
    return Clock(started, "right" if len(right) >= MIN_CLOCKS else "", answers=answers)


def _refused(
    genuine: Sequence[ServedChain], now: float, valid_at: Callable[[DerChain, float], bool]
) -> frozenset[str]:
    found: dict[str, bool] = {}
    for one in genuine:
        found[one.name] = found.get(one.name, True) and not one.valid and valid_at(one.chain, now)
    return frozenset(name for name, out in found.items() if out)


def skew_of(seen: Observation, headers: Headers) -> float | None:
    """Seconds by which this host's clock is ahead of an answer's time; None without one.

    The time is the answer's `Date`, when the origin made it (RFC 9110 section 6.6.1), plus the `Age` that a cache
    adds (RFC 9111 section 5.1).
    """
    value = next((text for name, text in headers if name == "date"), None)
    date = None if value is None else http_date(value, seen.started)
    if date is None:
        return None
    age = next((seconds_of(text) for name, text in headers if name == "age"), None)
    return seen.started + seen.elapsed - date - (age or 0)


def clock_readings(
    observations: Iterable[Observation], genuine: frozenset[DerChain]
) -> tuple[ClockReading, ...]:
    """The dates that hosts gave. `genuine`: the proved chains (DER). A device's page shows the device's clock, so it
    does not count for the host."""
    return tuple(reading for seen in observations if (reading := _clock_reading(seen, genuine)) is not None)


def _clock_reading(seen: Observation, genuine: frozenset[DerChain]) -> ClockReading | None:
    step, evidence = seen.step, seen.evidence
    if isinstance(step, TlsHandshake) and isinstance(evidence, TlsFacts):
        skew = skew_of(seen, evidence.http_headers)
        name = step.server_name
        return None if skew is None else ClockReading(name, skew, seen, name, evidence.chain in genuine)
    if not isinstance(step, HttpFetch) or not isinstance(evidence, HttpExchange):
        return None
    skew = skew_of(seen, evidence.headers)
    if skew is None:
        return None
    page = looks_like_block_page(evidence, step.host)
    if page is not None and (page.evidence or page.kind != "page"):
        return None
    author = f"page {evidence.sha256}" if evidence.sha256 and is_html(evidence) else step.host
    return ClockReading(step.host, skew, seen, author, False)


def skew_by_dates(readings: Sequence[ClockReading]) -> float:
    """Seconds by which this host's clock is ahead, by several authors; 0.0 if they disagree or the clock is right. If
    there are dates of genuine sessions, those of port 80 count only where they agree."""
    inside = {t.author: t.skew for t in reversed(readings) if t.inside}  # the first date of each
    outside = {t.author: t.skew for t in reversed(readings) if not t.inside}
    if inside:
        right = median(inside.values())
        outside = {author: skew for author, skew in outside.items() if abs(skew - right) <= CLOCK_SPREAD}
    skews = {**outside, **inside}.values()
    if len(skews) < MIN_CLOCKS:
        return 0.0
    middle = median(skews)
    agreeing = [skew for skew in skews if abs(skew - middle) <= CLOCK_SPREAD]
    return middle if len(agreeing) >= MIN_CLOCKS and abs(middle) > CLOCK_NOTICE else 0.0


def zones_of(readings: Iterable[ClockReading]) -> frozenset[str]:
    """The zones of the hosts that gave dates, each author once."""
    return frozenset(zone(host) for host in {t.author: t.host for t in readings}.values())


def median(values: Iterable[float]) -> float:
    """The middle value, or the mean of the two middle ones. The library's function costs a megabyte and 10 ms at each
    start."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


@dataclass(frozen=True, slots=True)
class ServedChain:
    """A genuine chain (DER, the server's first), served for its name. `valid`: by this host's clock."""

    name: str
    chain: DerChain
    valid: bool


def time_by_certificates(
    served: Sequence[ServedChain], now: float, valid_at: Callable[[DerChain, float], bool]
) -> float | None:
    """The time nearest to `now` (Unix time) at which every outdated certificate is valid; None where they do not show
    that this host's clock is wrong.

    Certificates that are valid now must be valid at that time too. For expired certificates, all must have expired,
    because some servers often forget to renew. `valid_at`: whether a chain is valid at a time.
    """
    out = [one for one in served if not one.valid]
    if len({one.name for one in out}) < MIN_NAMES or len({one.chain[0] for one in out}) < MIN_CERTIFICATES:
        return None
    dates = [(leaf.not_before, leaf.not_after) for leaf in (facts(one.chain[0]) for one in out)]
    begins = [begin for begin, _ in dates if begin is not None and begin > now]
    ends = [end for _, end in dates if end is not None and end < now]
    if len(begins) == len(out):
        moment = max(begins)
    elif len(ends) == len(served):
        moment = min(ends)
    else:
        return None
    return moment if all(valid_at(one.chain, moment) for one in served) else None
