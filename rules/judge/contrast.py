"""What passed from the same source, on the same port, at the same time as a finding's failures.

"13 of 13 names fail, 27 other names on port 443 pass" convinces a firewall engineer: the port is open, these destinations are
not. Where nothing passes on the port, the other port shows that the way is open; that raises nothing. A contrast raises the
confidence of a finding that has no proof of its own, one step at most.

==========================================================  ==============================================================
what is seen                                                what it raises
==========================================================  ==============================================================
every name under the patterns fails, others pass            possible -> likely
the same, by silence or resets, under two wildcards at      likely -> proven: no single server's fault explains it
least, at five addresses or more
==========================================================  ==============================================================

Whether a device on the way or the remote side is at fault is shown only by the second row: two services do not fall silent
for one host at the same time while the rest of Microsoft answers it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules.model import causes
from rules.model.causes.record import Confidence
from rules.model.observation import Observation
from rules.model.request import TestedName
from rules.model.verdict import CauseGroup, Check, Status, Verdict

SAME_TIME = 60.0  #: seconds between a failure and a success that are compared
FEWEST_OTHERS = 3  #: names that must pass before they are a contrast
FEWEST_ADDRESSES = 5
NAMED_PATTERNS = 2  #: maximum of patterns named in a sentence
_LAYERS: Mapping[str, Check] = {"tcp": "tcp", "tls": "tls", "dns": "dns", "http": "http"}
_WORDS: Mapping[str, str] = {
    "tcp": "{n} other names on port {port} are reached",
    "tls": "TLS with {n} other names on port {port} passes",
    "http": "{n} other names on port {port} answer",
    "dns": "{n} other names resolve",
}


@dataclass(frozen=True, slots=True)
class Contrast:
    """The sentence, and the confidence that it gives."""

    text: str
    confidence: Confidence


def contrast(
    found: CauseGroup,
    tested: Sequence[TestedName],
    verdicts: Sequence[Verdict],
    observations: Mapping[str, Observation],
) -> Contrast:
    """Compare a finding with the passed checks of its layer: on its port, or on the other port where nothing passes there."""
    none = Contrast("", found.confidence)
    check = _LAYERS.get(found.cause.layer)
    hosts = {one.host for one in tested}
    ports = {one.port for one in tested}
    failed = [observations[name] for name in found.evidence if name in observations]
    if found.cause == causes.DNS_RESOLVERS_DISAGREE:  # the names resolve at one of them
        return none
    if check is None or not hosts or len(ports) != 1 or not failed:
        return none
    (port,) = ports
    near = _Near.of(failed)
    passed: dict[int, set[str]] = defaultdict(set)  # the names that pass, by port
    asked: set[str] = set()  # on the finding's port, whatever came of it
    closed = True  # no name passes on that port, not even at another time
    for verdict in verdicts:
        endpoint = verdict.endpoint
        if verdict.check != check or endpoint is None:
            continue
        at = port if check == "dns" else endpoint.port
        if at == port and verdict.status not in (Status.NOT_APPLICABLE, Status.INCONCLUSIVE):
            asked.add(endpoint.host)
        if not _passed(verdict):
            continue
        closed = closed and at != port
        if at == port and endpoint.host in hosts:
            return none  # other addresses of the same names pass: the remedy says so
        if any(near.covers(observations[name]) for name in verdict.evidence if name in observations):
            passed[at].add(endpoint.host)
    others = passed[port]
    if closed and check == "tcp":
        return Contrast(_other_port(port, len(asked), passed), found.confidence)
    if len(others) < FEWEST_OTHERS:
        return none
    passes = _WORDS[check].format(n=len(others), port=port)
    failing, alike = _by_pattern(tested, asked)
    return Contrast(
        f"{failing}; {passes} from the same source at the same time", _raised(found, tested, alike)
    )


@dataclass(frozen=True, slots=True)
class _Near:
    """The time and the sources of a finding's failures."""

    begun: float
    ended: float
    sources: frozenset[str]

    @classmethod
    def of(cls, failed: Sequence[Observation]) -> _Near:
        sources = frozenset(o.local[0] for o in failed if o.local is not None)
        return cls(min(o.started for o in failed), max(o.started + o.elapsed for o in failed), sources)

    def covers(self, other: Observation) -> bool:
        timely = self.begun - SAME_TIME <= other.started <= self.ended + SAME_TIME
        return timely and (not self.sources or (other.local is not None and other.local[0] in self.sources))


def _by_pattern(tested: Sequence[TestedName], asked: Iterable[str]) -> tuple[str, bool]:
    """`7 of 7 tested names under *.msappproxy.net and 1 of 6 under *.servicebus.windows.net fail`, and whether a name
    under one of the patterns does not fail so."""
    fail: dict[str, set[str]] = defaultdict(set)
    for one in tested:
        fail[one.pattern].add(one.host)
    hosts = {one.host for one in tested}
    others = [host for host in asked if host not in hosts]
    alike = {pattern: {host for host in others if _covers(pattern, host)} for pattern in fail}
    failing = len(hosts)
    every = failing + len(set().union(*alike.values()))
    verb = "fails" if failing == 1 else "fail"
    if len(fail) > NAMED_PATTERNS:
        return f"{failing} of {every} tested names {verb}", failing < every
    if failing == every or len(fail) == 1:
        under = " and ".join(sorted(fail))
        return f"{failing} of {every} tested names under {under} {verb}", failing < every
    counts = [
        f"{len(fail[one])} of {len(fail[one]) + len(alike[one])}{' tested names' if first else ''} under {one}"
        for first, one in ((place == 0, one) for place, one in enumerate(sorted(fail)))
    ]
    return f"{' and '.join(counts)} {verb}", True


def _other_port(port: int, asked: int, passed: Mapping[int, Collection[str]]) -> str:
    """`0 of 6 tested names on port 80 are reached, 30 on port 443 are (same source and time)`. `asked`: names on `port`."""
    other, hosts = max(passed.items(), key=lambda pair: len(pair[1]), default=(port, ()))
    if len(hosts) < FEWEST_OTHERS:
        return ""
    return f"0 of {asked} tested names on port {port} are reached, {len(hosts)} on port {other} are (same source and time)"


def _raised(found: CauseGroup, tested: Sequence[TestedName], alike: bool) -> Confidence:
    """`alike`: whether a name under one of the patterns does not fail so."""
    if alike or found.status is not Status.FAIL or found.cause.layer == "dns":
        return found.confidence
    if found.confidence == "possible":
        return "likely" if len(tested) > 1 else "possible"
    addresses = {address for one in tested for address in one.addresses}
    zones = {one.pattern for one in tested if one.pattern.startswith("*.")}
    silent = found.cause in (causes.TCP_TIMEOUT, causes.TCP_RESET)  # an unreachable host may lack a route
    if silent and len(zones) > 1 and len(addresses) >= FEWEST_ADDRESSES:
        return "proven"
    return found.confidence


def _passed(verdict: Verdict) -> bool:
    return verdict.status in (Status.PASS, Status.NOTICE) and verdict.cause == causes.OK


def _covers(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
