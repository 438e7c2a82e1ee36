"""One cause, many endpoints: verdicts grouped by the action that they need, with the owner of the action."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rules.judge.remedies import in_circumstance
from rules.model import causes
from rules.model.causes.record import Cause, Confidence, Layer, Mechanism
from rules.model.verdict import CauseGroup, Endpoint, Status, Verdict

#: Findings about hosts that only certificates name; they are judged like hosts on a rule.
_ON_NO_RULE = frozenset({"crl", "ocsp", "http", "tcp", "tls"})
#: Layers whose findings at two ports need two actions.
_BY_PORT = frozenset[Layer]({"tcp", "http"})
#: The end of the evidence for a copied name: "<known CA>, with its own key".
OWN_KEY = "with its own key"
#: Evidence of a single endpoint. For several endpoints, their list and the connections show it.
_OWN = frozenset({"from", "handshake", "names", "addresses", "client certificate", "named by"})
#: Maximum of different values shown instead of one.
_LISTED = {"source": 3, "sent to": 3, "page": 2}
MAX_DETAILS = 12
_WRONG = (Status.FAIL, Status.BROKEN, Status.WARN)
#: The property by which a device selects the traffic, where the cause shows it.
_MECHANISMS: Mapping[Cause, Mechanism] = {
    causes.TLS_VERSION: "protocol",
    causes.TLS_LARGE_HELLO_BLOCKED: "size",
}
#: The evidence of a verdict about an address that no resolver gives: the operator of this host must act.
ADDRESS_FROM = "address from"
#: In the remedy of an endpoint "this host" is the endpoint's host; "from this host" is the connector's.
_MANY = (
    ("Exempt this host", "Exempt these hosts"),
    ("exempt this host", "exempt these hosts"),
    ("to this host", "to these hosts"),
    ("fetches this list", "fetches these lists"),
    ("re-signs it", "re-signs them"),
    ("this name", "these names"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A group with its verdicts."""

    group: CauseGroup
    verdicts: tuple[Verdict, ...]

    @property
    def circumstance(self) -> str:
        """That of its heaviest verdict."""
        return _heaviest(self.group.cause, self.verdicts).circumstance


def grouped(verdicts: Iterable[Verdict]) -> tuple[Finding, ...]:
    """Groups of every cause but "ok", heaviest first. Verdicts of one cause with different remedies stay apart."""
    groups: dict[tuple[Cause, str], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.cause != causes.OK and verdict.status not in (Status.PASS, Status.NOT_APPLICABLE):
            groups[(verdict.cause, _group_key(verdict))].append(verdict)
    made = [Finding(_group(cause, found), tuple(found)) for (cause, _), found in groups.items()]
    return tuple(
        sorted(
            made,
            key=lambda f: (
                -_weight(f.group),
                -len(f.group.endpoints),
                f.group.cause.word,
                f.group.summary,
            ),
        )
    )


def _weight(found: CauseGroup) -> int:
    order = (Status.NOTICE, Status.INCONCLUSIVE, Status.WARN, Status.FAIL, Status.BROKEN)
    return order.index(found.status)


def _group_key(verdict: Verdict) -> str:
    """The properties that separate two verdicts of one cause: whether it is wrong, the port, the remedy."""
    if verdict.cause.host_wide:
        return verdict.circumstance if verdict.cause == causes.PROXY_NOT_TESTED else ""
    heavy = "heavy" if verdict.status in _WRONG else verdict.status.value
    if not verdict.rule and verdict.check not in _ON_NO_RULE:
        return f"{heavy} {verdict.summary}"
    port = str(verdict.endpoint.port) if verdict.endpoint and verdict.cause.layer in _BY_PORT else ""
    return f"{heavy} {port} {verdict.circumstance}"


def _forged(verdict: Verdict) -> bool:
    """Whether a known CA's name was copied. A device that copies names makes a key for each of them."""
    return verdict.cause == causes.TLS_INTERCEPTED and _find_detail(verdict, "expected").endswith(OWN_KEY)


def _find_detail(verdict: Verdict, wanted: str) -> str:
    return next((value for name, value in verdict.details if name == wanted), "")


def _group(cause: Cause, found: list[Verdict]) -> CauseGroup:
    heaviest = _heaviest(cause, found)
    endpoints = tuple(dict.fromkeys(v.endpoint for v in found if v.endpoint is not None))
    many = len(_merge(endpoints)) > 1
    remedy = heaviest.remedy or next((v.remedy for v in found if v.remedy), "")
    seen = in_circumstance(cause, heaviest.circumstance)
    return CauseGroup(
        cause,
        heaviest.status,
        _summary(seen, heaviest, found, len(_merge(endpoints))),
        _remedy(remedy, heaviest, many),
        seen.owner,
        _confidence(seen, found),
        endpoints,
        tuple(dict.fromkeys(e for v in found for e in v.evidence)),
        _details(found, len(endpoints)),
        _hop(found),
        _mechanism(cause, found),
        command=seen.command,
    )


def _heaviest(cause: Cause, found: Sequence[Verdict]) -> Verdict:
    return max(found, key=lambda v: (not v.rule, v.status.rank) if cause.host_wide else (True, v.status.rank))


def _summary(cause: Cause, heaviest: Verdict, found: list[Verdict], names: int) -> str:
    """The heaviest verdict's own sentence, or one that holds for all."""
    if cause == causes.TLS_INTERCEPTED and names > 1:
        keys = {_find_detail(v, "issuing key") for v in found}
        if len(keys) == 1:
            return heaviest.summary  # it describes all handshakes with this key
        forged = {_find_detail(v, "issuing key") for v in found if _forged(v)}
        copied = (
            f": {len(forged)} keys carry the names of known CAs and are not theirs"
            if forged == keys
            else f", with {len(keys)} keys; {len(forged)} of them carry the names of known CAs and are not theirs"
            if forged
            else f", with {len(keys)} unknown keys"
        )
        return f"TLS is intercepted at {names} endpoints{copied}"
    if heaviest.circumstance == "ca-set-missing":
        return heaviest.summary  # it describes all of them
    if names > 1 and cause.plural and not (cause.host_wide and not heaviest.rule):
        return cause.plural.format(n=names)
    if names > 1 and heaviest.rule:
        return f"{heaviest.summary} (and {names - 1} more)"
    if heaviest.endpoint is not None and heaviest.rule and heaviest.endpoint.host not in heaviest.summary:
        return f"{heaviest.endpoint.host}: {heaviest.summary}"
    return heaviest.summary


def _remedy(remedy: str, heaviest: Verdict, many: bool) -> str:
    """The remedy for one endpoint, with its name, or for several."""
    if heaviest.endpoint is None:
        return remedy
    for one, several in _MANY:
        named = one.replace("this name", heaviest.endpoint.host).replace("this host", heaviest.endpoint.host)
        remedy = remedy.replace(one, several if many else named)
    return remedy


def _details(found: list[Verdict], endpoints: int) -> tuple[tuple[str, str], ...]:
    """Short lines of evidence. For several endpoints: shared lines, and the first of lines that differ.

    Details of one connection (our port, a handshake's time) are shown with the connections.
    """
    by_key: dict[str, dict[str, None]] = {}
    for verdict in found:
        for key, value in verdict.details:
            if endpoints == 1 or key not in _OWN:
                by_key.setdefault(key, {})[value] = None
    lines = []
    for key, values_of_key in by_key.items():
        values = [v for v in values_of_key if not any(o != v and o.startswith(v) for o in values_of_key)]
        most = _LISTED.get(key, 1)
        lines += [(key, value) for value in values[:most]]
        if len(values) > most:
            last = lines.pop()[1]
            lines.append((key, f"{last} (and {len(values) - most} more)"))
    return tuple(lines[:MAX_DETAILS])


def _merge(endpoints: tuple[Endpoint, ...]) -> set[tuple[str, int]]:
    return {(e.host, e.port) for e in endpoints}


def _confidence(cause: Cause, found: list[Verdict]) -> Confidence:
    proven = cause.confidence == "proven"
    if proven and cause == causes.TCP_UNREACHABLE and not all("prohibited" in v.summary for v in found):
        return "likely"  # only "prohibited" shows a policy; the other codes may mean a missing route
    return cause.confidence


def _hop(found: list[Verdict]) -> str | None:
    """The device that sent an ICMP message."""
    return next((value for v in found for name, value in v.details if name == "sent by"), None)


def _mechanism(cause: Cause, found: list[Verdict]) -> Mechanism | None:
    if cause in _MECHANISMS:
        return _MECHANISMS[cause]
    values_of_key = {value for v in found for name, value in v.details if name == "by"}
    return "name" if "name" in values_of_key else "address" if "address" in values_of_key else None
