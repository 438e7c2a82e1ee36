"""What passed from the same source, on the same port, at the same time as a finding's failures.

"13 of 13 names fail, 27 other names on port 443 pass" convinces a firewall engineer: the port is open, these destinations are
not. A contrast raises the confidence of a finding that has no proof of its own, one step at most.

==========================================================  ==============================================================
what is seen                                                what it raises
==========================================================  ==============================================================
every name under the patterns fails, others pass            possible -> likely
the same, under two patterns at least, whose addresses      likely -> proven: no single server's fault explains it
(five at least) were all tried and none answers
==========================================================  ==============================================================

Whether a device on the way or the remote side is at fault is shown only by the second row: two services do not fall silent
for one host at the same time while the rest of Microsoft answers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rules.model import causes
from rules.model.causes.record import Confidence
from rules.model.observation import Observation
from rules.model.request import TestedName
from rules.model.verdict import CauseGroup, Check, Status, Verdict

SAME_TIME = 60.0  #: seconds between a failure and a success that are compared
FEWEST_OTHERS = 3  #: names that must pass before they are a contrast
FEWEST_ADDRESSES = 5
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
    """Compare a finding with the passed checks of its layer and ports."""
    check = _LAYERS.get(found.cause.layer)
    hosts = {one.host for one in tested}
    ports = {one.port for one in tested}
    failed = [observations[name] for name in found.evidence if name in observations]
    if found.cause == causes.DNS_RESOLVERS_DISAGREE:  # the names resolve at one of them
        return Contrast("", found.confidence)
    if check is None or not hosts or len(ports) != 1 or not failed:
        return Contrast("", found.confidence)
    others: set[str] = set()
    alike: set[str] = set()  # names under the finding's patterns that pass
    partly = any(
        v.check == check and _passed(v) and v.endpoint is not None and v.endpoint.host in hosts
        for v in verdicts
    )
    if partly:
        return Contrast("", found.confidence)  # other addresses of the same names pass: the remedy says so
    patterns = {one.pattern for one in tested}
    begun, ended = min(o.started for o in failed), max(o.started + o.elapsed for o in failed)
    sources = {o.local[0] for o in failed if o.local is not None}
    for verdict in verdicts:
        endpoint = verdict.endpoint
        if verdict.check != check or endpoint is None or endpoint.host in hosts:
            continue
        if not _passed(verdict) or (check != "dns" and endpoint.port not in ports):
            continue
        seen = [observations[name] for name in verdict.evidence if name in observations]
        near = [o for o in seen if begun - SAME_TIME <= o.started <= ended + SAME_TIME]
        if near and (not sources or any(o.local is not None and o.local[0] in sources for o in near)):
            others.add(endpoint.host)
            if any(_covers(pattern, endpoint.host) for pattern in patterns):
                alike.add(endpoint.host)
    if len(others) < FEWEST_OTHERS:
        return Contrast("", found.confidence)
    port = next(iter(ports))
    passes = _WORDS[check].format(n=len(others), port=port)
    under = f" under {' and '.join(sorted(patterns))}" if len(patterns) <= 2 else ""
    fail = "fails" if len(hosts) == 1 else "fail"
    subject = f"{len(hosts)} of {len(hosts | alike)} tested names{under} {fail}"
    return Contrast(
        f"{subject}; {passes} from the same source at the same time", _raised(found, tested, patterns, alike)
    )


def _raised(
    found: CauseGroup, tested: Sequence[TestedName], patterns: set[str], alike: set[str]
) -> Confidence:
    if alike or found.status is not Status.FAIL or found.cause.layer == "dns":
        return found.confidence
    if found.confidence == "possible":
        return "likely" if len(tested) > 1 else "possible"
    addresses = {address for one in tested for address in one.addresses}
    if found.cause.layer == "tcp" and len(patterns) > 1 and len(addresses) >= FEWEST_ADDRESSES:
        return "proven"
    return found.confidence


def _passed(verdict: Verdict) -> bool:
    return verdict.status in (Status.PASS, Status.NOTICE) and verdict.cause == causes.OK


def _covers(pattern: str, host: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
