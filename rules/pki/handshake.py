"""One cause for a handshake with a certificate, in this order: key, revocation, dates, name, CA, version.

A serious fault comes before a minor one, so that a peer cannot hide it: an intercepted connection stays intercepted
although its certificate has also expired. Certain facts count before a chain that could not be completed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.ruleset import Expect, Group
from rules.model.verdict import Status
from rules.pki.certificate import CertFacts, covers_name, facts
from rules.pki.interception import claims
from rules.pki.trust import ChainJudgement, ChainVerdict
from rules.text.display import display
from rules.text.moments import utc

SHOWN = 100  #: characters of a peer's name in a sentence
_DATES = ("not_before", "not_after", "validity")
_NAMES = ("2.5.29.17",)
#: For a certificate on an unknown key, by the verdict on its chain.
_ON_UNKNOWN_KEYS: dict[ChainVerdict, Cause] = {
    "untrusted": causes.TLS_UNTRUSTED,
    "self-signed": causes.TLS_SELF_SIGNED,
}
_OPEN = (causes.TLS_MALFORMED, causes.TLS_UNVERIFIED)  #: causes that prove nothing either way


@dataclass(frozen=True, slots=True)
class LeafFault:
    """A fault of the server's own certificate.

    `claimed`: it names the host, but in a form that no client accepts (`interception.claims`).
    """

    cause: Cause
    summary: str
    details: tuple[tuple[str, str], ...] = ()
    claimed: bool = False


def judge_leaf(chain: tuple[bytes, ...], host: str, now: float) -> tuple[LeafFault, ...]:
    """Faults of the leaf for `host` at `now` (Unix time), the heaviest first, whoever signed it."""
    leaf = facts(chain[0]) if chain else None
    if leaf is None or not leaf.loads:
        return (LeafFault(causes.TLS_MALFORMED, "no certificate could be read"),)
    found: list[LeafFault] = []
    if leaf.not_after is None or leaf.not_before is None:
        text = f"whether the certificate is in date cannot be told: {_why(leaf, _DATES)}"
        found.append(LeafFault(causes.TLS_UNVERIFIED, text))
    elif now > leaf.not_after:
        when = _date(leaf.not_after)
        late = _span(now - leaf.not_after)
        found.append(
            LeafFault(
                causes.TLS_EXPIRED, f"the certificate ran out {when} ({late} ago)", (("not after", when),)
            )
        )
    elif now < leaf.not_before:
        when = _date(leaf.not_before)
        early = _span(leaf.not_before - now)
        summary = f"the certificate begins {when} (in {early})"
        found.append(LeafFault(causes.TLS_NOT_YET_VALID, summary, (("not before", when),)))
    if covers_name(leaf, host):
        return tuple(found)
    if why := _why(leaf, _NAMES if leaf.dns_names or leaf.ip_names else (*_NAMES, "extensions")):
        found.append(
            LeafFault(causes.TLS_UNVERIFIED, f"whether the certificate is for {host} cannot be told: {why}")
        )
    else:
        shown = _names(leaf)
        summary = f"the certificate is not for {host} but for {shown}"
        details = (("expected", host), ("served", shown))
        found.append(LeafFault(causes.TLS_NAME_MISMATCH, summary, details, claims(leaf, host)))
    return tuple(found)


def _why(leaf: CertFacts, fields: tuple[str, ...]) -> str:
    """Which of these fields are unreadable, and why; "" if none is."""
    return "; ".join(f"{what}: {display(why, 120)}" for what, why in leaf.unreadable if what in fields)


def _names(leaf: CertFacts) -> str:
    names = (*leaf.dns_names, *leaf.ip_names)
    shown = ", ".join(display(name, 80) for name in names[:5])
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return f"{shown}{more}" if names else "no name at all"


def _date(moment: float) -> str:
    """A date for people (UTC)."""
    return utc(moment).isoformat(" ", "seconds").removesuffix("+00:00") + " UTC"


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.2f} s"


@dataclass(frozen=True, slots=True)
class TlsCause:
    """The cause of a handshake that showed a certificate. `status` is a hint; all handshakes together may change it."""

    cause: Cause
    status: Status
    summary: str
    details: tuple[tuple[str, str], ...] = ()
    circumstance: str = ""  # a `Circumstance` of the cause


@lru_cache(maxsize=4096)
def tls_cause(
    judgement: ChainJudgement,
    faults: tuple[LeafFault, ...] = (),
    expect: Expect = Expect.PUBLIC_CA,
    group: Group = Group.SIGN_IN,
    *,
    intercepted: str = "",
    revoked: str = "",
    only_tls13: bool = False,
) -> TlsCause:
    """The cause of one handshake, from all known facts.

    `intercepted`: the result of comparing handshakes (a sentence), if it proves more than this chain alone.
    `revoked`: the revoked certificate and the source of that fact. `only_tls13`: the server does not support TLS 1.2.
    `faults` come from `judge_leaf`. Order: intercepted, revoked, name-mismatch where no known key vouches for the
    certificate, untrusted and self-signed, expired and not-yet-valid, name-mismatch, incomplete-chain, malformed and
    unverified (inconclusive), issuer-unexpected, version. A certificate for another name, on an unknown key or one
    that only this host trusts, was not issued for this name. So no device re-signs there; another server answers
    (`interception.claims`).
    """
    who = _issuer(judgement)
    other = next((f for f in faults if f.cause == causes.TLS_NAME_MISMATCH and not f.claimed), None)
    resigned = judgement.verdict == "intercepted" and (judgement.forged or other is None)
    if resigned or intercepted:
        summary = intercepted or _intercepted(judgement, who)
        return TlsCause(causes.TLS_INTERCEPTED, Status.FAIL, summary, _evidence(judgement, expect))
    if revoked:
        return TlsCause(causes.TLS_REVOKED, Status.FAIL, revoked, _evidence(judgement, expect))
    if other is not None and judgement.verdict in ("intercepted", "untrusted", "self-signed"):
        summary = f"{other.summary}; {_stranger(judgement, who)}"
        return TlsCause(other.cause, Status.FAIL, summary, (*other.details, *_evidence(judgement, expect)))
    if judgement.verdict in _ON_UNKNOWN_KEYS:
        text = f"the certificate is issued by {who}, which no public list and no CA set knows"
        summary = "the certificate is signed by itself alone" if judgement.verdict == "self-signed" else text
        return TlsCause(
            _ON_UNKNOWN_KEYS[judgement.verdict], Status.FAIL, summary, _evidence(judgement, expect)
        )
    for fault in faults:
        if fault.cause not in _OPEN:
            return TlsCause(
                fault.cause, Status.FAIL, fault.summary, (*fault.details, *_evidence(judgement, expect))
            )
    if judgement.expired:
        summary = f"the CA certificate {display(judgement.expired[0], SHOWN)} is out of date"
        return TlsCause(causes.TLS_EXPIRED, Status.FAIL, summary, _evidence(judgement, expect))
    return _unclear(judgement, faults, expect, who) or _accepted(judgement, expect, group, who, only_tls13)


def _unclear(
    judgement: ChainJudgement, faults: tuple[LeafFault, ...], expect: Expect, who: str
) -> TlsCause | None:
    """Causes that prove nothing either way: never green, never red."""
    evidence = _evidence(judgement, expect)
    if judgement.verdict == "incomplete-chain":
        summary = (
            f"the certificate's issuer ({who}) was neither served nor found: whose key it is cannot be told"
        )
        return TlsCause(causes.TLS_INCOMPLETE_CHAIN, Status.INCONCLUSIVE, summary, evidence)
    if judgement.verdict in ("malformed", "unverified") or faults:
        why = (
            "; ".join((*(fault.summary for fault in faults), *judgement.notes)) or "the chain proves nothing"
        )
        read = judgement.verdict != "malformed" and all(f.cause != causes.TLS_MALFORMED for f in faults)
        cause = causes.TLS_UNVERIFIED if read else causes.TLS_MALFORMED
        return TlsCause(cause, Status.INCONCLUSIVE, why, evidence)
    return None


def _accepted(
    judgement: ChainJudgement, expect: Expect, group: Group, who: str, only_tls13: bool
) -> TlsCause:
    anchor = display(judgement.anchor_name or "", SHOWN)
    evidence = _evidence(judgement, expect)
    if judgement.verdict == "issuer-unexpected" and expect is Expect.EXPECTED_CA:
        summary = f"the certificate is from a public CA ({anchor}), but not from one that this service uses"
        return TlsCause(causes.TLS_ISSUER_UNEXPECTED, Status.WARN, summary, evidence)
    if only_tls13:
        status = Status.FAIL if group is Group.SERVICE else Status.NOTICE
        return TlsCause(causes.TLS_VERSION, status, "TLS 1.2 is not offered, only TLS 1.3", evidence)
    if judgement.new_issuing_ca:
        summary = f"genuine, through an issuing CA that the CA set does not know yet: {who} under {anchor}"
        return TlsCause(causes.TLS_NEW_ISSUING_CA, Status.NOTICE, summary, evidence)
    kind = "the expected CA" if judgement.verdict == "genuine" else "the public CA"
    return TlsCause(causes.OK, Status.PASS, f"genuine: signed up to {kind} {anchor}", evidence)


def _intercepted(judgement: ChainJudgement, who: str) -> str:
    if judgement.forged:
        name = display(judgement.forged_name, SHOWN)
        return (
            f"the certificate bears the name of {name} but not that CA's key: somebody in between issued it"
        )
    if judgement.anchor_kind == "system":
        root = display(judgement.anchor_name or "", SHOWN)
        return f"the certificate is issued by {who} under {root}, a root that only this host trusts"
    return (
        f"the certificate is issued by {who}, which is no CA of this service: somebody in between issued it"
    )


def _stranger(judgement: ChainJudgement, who: str) -> str:
    """The signer of another server's certificate, where no list knows the key."""
    if judgement.verdict == "self-signed":
        return "it is signed by itself alone"
    if judgement.anchor_kind == "system":
        root = display(judgement.anchor_name or "", SHOWN)
        return f"it is issued by {who} under {root}, a root that only this host trusts"
    return f"it is issued by {who}, which no public list and no CA set knows"


def _issuer(judgement: ChainJudgement) -> str:
    leaf = facts(judgement.path[0]) if judgement.path else None
    return display(
        (leaf and (leaf.issuer_cn or leaf.issuer_o or leaf.issuer_text)) or "an unnamed issuer", SHOWN
    )


def _evidence(judgement: ChainJudgement, expect: Expect) -> tuple[tuple[str, str], ...]:
    """The expected and the served certificate, and the key that differs."""
    leaf = facts(judgement.path[0]) if judgement.path else None
    if leaf is None:
        return ()
    strict = expect is Expect.EXPECTED_CA
    expected = "a signature up to a key of the CA set" if strict else "a signature up to a public root"
    if judgement.forged:
        expected = f"{display(judgement.forged_name, SHOWN)}, with its own key"
    anchor = f", up to {display(judgement.anchor_name, SHOWN)}" if judgement.anchor_name else ""
    served = f"{display(leaf.subject_text, SHOWN)}, issued by {display(leaf.issuer_text, SHOWN)}{anchor}"
    pairs = [("expected", expected), ("served", served), ("certificate", f"SHA-256 {leaf.sha256}")]
    key = judgement.issuing_key or ""
    if not judgement.proven and key and not key.startswith("name:"):
        pairs.append(("key that differs", f"issuer's SPKI SHA-256 {key}"))
    pairs.extend(("note", note) for note in judgement.notes)
    return tuple(pairs)
