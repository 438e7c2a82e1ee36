"""One unexpected issuer over many handshakes: judged once, named if possible, and located.

A single chain to an unknown root proves little: a server may have a private certificate. Interception is proved by
the same key above two unrelated names, because one device issues for both. It is also proved by an unknown CA that
uses the name of a known CA's owner. Only a certificate that claims the requested name was issued for it: a server
shows its own certificate to everybody at its address, and the server of a block page does so too.

The location shows a firewall team which rule to look for: the addresses, the names, all handshakes or some, and
whether a name that no rule holds gets the same at the same address.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.model.causes.record import Confidence
from rules.model.ruleset import CaSet, Interceptor
from rules.pki.certificate import CertFacts, covers_name, facts, fold_text
from rules.pki.trust import ChainJudgement
from rules.text.display import display
from rules.text.pattern import matches
from rules.text.zones import zone

SHOWN = 100  #: characters of a peer's name in a sentence
LISTED = 8  #: maximum of names and addresses listed in the evidence

Reach: TypeAlias = Literal["everything", "by-name", "by-address", "single", "unclear"]
"""The selection of intercepted handshakes. "everything": every handshake of the audit; "by-name": some names, while
other names at the same address pass; "by-address": everything at some addresses, the control name too; "single":
one name was asked at one address, so nothing can be compared; "unclear": none of these."""


@dataclass(frozen=True, slots=True)
class Handshake:
    """A handshake that showed a chain, for the comparison. `leaf` is DER, `id` the observation's.

    `control`: the server name is one that no rule holds, asked for the comparison.
    """

    id: str
    host: str
    address: str
    server_name: str
    attempt: int
    judgement: ChainJudgement
    leaf: bytes
    control: bool = False


@dataclass(frozen=True, slots=True)
class InterceptionFinding:
    """One interceptor: a key that issues for other owners' names. Texts are harmless; lists are in the order seen.

    `upgraded`: ids whose chain alone proves only "untrusted" and that are intercepted by comparison. `every`: whether
    each handshake of these names at these addresses was intercepted; `genuine_too`: ids at the same name and address
    that were not. `product` is a label on what the chains have proved, never a reason.
    """

    issuing_key: str
    issuer: str
    handshakes: tuple[str, ...]
    upgraded: tuple[str, ...]
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    controls: tuple[str, ...]  # control names that got it as well
    reach: Reach
    every: bool
    genuine_too: tuple[str, ...]
    forged: bool
    anchor: str
    anchor_kind: str
    product: str
    reason: str  # why this is interception and no private certificate
    confidence: Confidence
    sentence: str
    details: tuple[tuple[str, str], ...]


def judge_handshakes(
    handshakes: Sequence[Handshake],
    *,
    cas: tuple[CaSet, ...] = (),
    interceptors: tuple[Interceptor, ...] = (),
) -> tuple[InterceptionFinding, ...]:
    """The interceptors among these handshakes, the one with the most handshakes first.

    Handshakes are grouped by the key of their root if it is known, else by the issuing key. A key with an intercepted
    chain is an interceptor's. So is a key of untrusted chains above two unrelated names (of two zones, see
    `rules/text/zones.py`), or one that uses a brand of `cas`. Two customers under one suffix of the private section
    count as related: the possible error is an interception called untrusted, never the reverse. A certificate that
    does not claim the requested name does not count here, unless it is forged: a known CA's name on another key is a
    proof by itself.
    """
    by_key: dict[str, list[Handshake]] = {}
    for one in handshakes:
        key = one.judgement.anchor_key or one.judgement.issuing_key  # issuing keys may rotate under one root
        if (
            one.judgement.verdict in ("intercepted", "untrusted")
            and key
            and (one.control or _is_evidence(one))
        ):
            by_key.setdefault(key, []).append(one)
    brands = tuple(dict.fromkeys(brand for caset in cas for brand in caset.brands if brand.strip()))
    found = [
        _finding(group, handshakes, reason, interceptors)
        for group in by_key.values()
        if (reason := _reason(group, brands))
    ]
    return tuple(sorted(found, key=lambda finding: -len(finding.handshakes)))


def claims(cert: CertFacts, host: str) -> bool:
    """Whether the certificate names `host`, whoever signed it.

    Wider than `covers_name`: it accepts a name that is only the subject's common name, and a wildcard over several
    labels. No client accepts these today (RFC 9525 section 6), but whoever writes them wants to impersonate the name.
    """
    if covers_name(cert, host):
        return True
    name = host.rstrip(".").lower()
    names = cert.dns_names or (cert.subject_cn,)
    return any(
        one.lower() == name or (one.startswith("*.") and name.endswith(one[1:].lower())) for one in names
    )


def _is_evidence(one: Handshake) -> bool:
    return one.judgement.forged or claims(facts(one.leaf), one.server_name)


def product_of(certs: Iterable[CertFacts], interceptors: tuple[Interceptor, ...]) -> str:
    """The product whose issuer texts are in these certificates, "" if none: a label only."""
    names = [
        (fold_text(cert.issuer_cn), fold_text(cert.issuer_o), fold_text(cert.issuer_ou)) for cert in certs
    ]
    for known in interceptors:
        patterns = tuple(fold_text(pattern) for pattern in (known.cn, known.o, known.ou))
        if any(patterns) and any(
            all(not pattern or matches(pattern, text) for pattern, text in zip(patterns, texts, strict=True))
            for texts in names
        ):
            return known.product
    return ""


def _reason(group: Sequence[Handshake], brands: tuple[str, ...]) -> str:
    """Why this key is an interceptor's, "" if nothing proves it."""
    group = [h for h in group if _is_evidence(h)]
    if not group:
        return ""
    forged = next((h.judgement for h in group if h.judgement.forged), None)
    if forged is not None:
        return f"it carries the name of {display(forged.forged_name, SHOWN)} without that CA's key"
    if any(h.judgement.verdict == "intercepted" for h in group):
        return "its root is trusted by this host only, no public list has it"
    zones = _zones(group)
    if len(zones) > 1:
        shown = " and ".join(display(name, SHOWN) for name in list(zones)[:2])
        who = "issuer" if (group[0].judgement.issuing_key or "").startswith("name:") else "key"
        return f"one unknown {who} issued for unrelated names ({shown})"
    brand = next((h.judgement.brand for h in group if h.judgement.brand), "") or _brand(group, brands)
    return f"an unknown CA calls itself {display(brand, SHOWN)}" if brand else ""


def _zones(group: Sequence[Handshake]) -> dict[str, None]:
    """The zones of the names for which the key issued, as the certificates claim them."""
    return dict.fromkeys(zone(h.server_name) for h in group if _is_evidence(h))


def _brand(group: Sequence[Handshake], brands: tuple[str, ...]) -> str:
    texts = {fold_text(facts(der).issuer_text) for h in group for der in (h.leaf, *h.judgement.path)}
    return next((brand for brand in brands if any(fold_text(brand) in text for text in texts)), "")


def _finding(
    group: list[Handshake],
    everything: Sequence[Handshake],
    reason: str,
    interceptors: tuple[Interceptor, ...],
) -> InterceptionFinding:
    ids = {h.id for h in group}
    places = {(h.server_name, h.address) for h in group}
    genuine = tuple(
        h.id
        for h in everything
        if h.id not in ids and (h.server_name, h.address) in places and h.judgement.proven
    )
    first = group[0]
    key = first.judgement.issuing_key or ""
    leaf = facts(first.leaf)
    issuer = display(leaf.issuer_cn or leaf.issuer_o or leaf.issuer_text or "an unnamed issuer", SHOWN)
    certs = {der: facts(der) for h in group for der in (h.leaf, *h.judgement.path)}
    product = product_of(certs.values(), interceptors)
    reach = _reach(group, everything)
    names = tuple(dict.fromkeys(h.server_name for h in group if not h.control))
    addresses = tuple(dict.fromkeys(h.address for h in group))
    # The key itself, not only the name in use.
    shared = len(_zones(group)) > 1 and not key.startswith("name:")
    forged = any(h.judgement.forged for h in group)
    proven = shared or any(h.judgement.verdict == "intercepted" for h in group)
    return InterceptionFinding(
        issuing_key=key,
        issuer=issuer,
        handshakes=tuple(h.id for h in group),
        upgraded=tuple(h.id for h in group if h.judgement.verdict == "untrusted"),
        names=names,
        addresses=addresses,
        controls=tuple(dict.fromkeys(h.server_name for h in group if h.control)),
        reach=reach,
        every=not genuine,
        genuine_too=genuine,
        forged=forged,
        anchor=display(first.judgement.anchor_name or "", SHOWN),
        anchor_kind=first.judgement.anchor_kind,
        product=product,
        reason=reason,
        confidence="proven" if proven else "likely",
        sentence=_sentence(issuer, product, reason, reach, names, addresses, genuine, forged),
        details=_details(first, leaf, key, names, addresses, genuine),
    )


def _reach(group: Sequence[Handshake], everything: Sequence[Handshake]) -> Reach:
    ids = {h.id for h in group}
    others = [h for h in everything if h.id not in ids and h.judgement.proven]
    addresses = {h.address for h in group}
    controls = {h.address: h.id in ids for h in everything if h.control and h.address in addresses}
    names = {h.server_name for h in group if not h.control}
    if not others and len({(h.server_name, h.address) for h in group}) > 1:
        return "everything"
    if any(controls.values()):
        return "by-address" if all(controls.values()) else "unclear"
    at_these = {h.server_name for h in others if h.address in addresses}
    if controls or at_these - names:
        return "by-name"
    if names & {h.server_name for h in others if h.address not in addresses}:
        return "by-address"
    return "single" if len(names) == 1 and len(addresses) == 1 else "unclear"


_REACH_TEXT: dict[Reach, str] = {
    "everything": "every handshake of this audit is intercepted",
    "by-name": "it depends on the server name: other names at the same addresses are not intercepted",
    "by-address": "it depends on the address: other names are intercepted there too, or the same names are not elsewhere",
    "single": "it is one name at one address",
    "unclear": "",
}


def _sentence(
    issuer: str,
    product: str,
    reason: str,
    reach: Reach,
    names: tuple[str, ...],
    addresses: tuple[str, ...],
    genuine: tuple[str, ...],
    forged: bool,
) -> str:
    """The finding, for a person."""
    who = f"{issuer} (looks like {display(product, SHOWN)})" if product else issuer
    count = _count(len(names), "name") if names else "the control name only"
    at = f"{count} at {_count(len(addresses), 'address', 'addresses')}"
    parts = [
        f"TLS is intercepted: the certificates of {at} name {who} as their issuer"
        if forged
        else f"TLS is intercepted: {who} issued the certificates of {at}"
    ]
    if _REACH_TEXT[reach]:
        parts.append(_REACH_TEXT[reach])
    parts.append(reason)
    if genuine:
        parts.append(
            "other attempts at the same addresses were genuine, so not every handshake is intercepted"
        )
    return "; ".join(parts)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _details(
    first: Handshake,
    leaf: CertFacts,
    key: str,
    names: tuple[str, ...],
    addresses: tuple[str, ...],
    genuine: tuple[str, ...],
) -> tuple[tuple[str, str], ...]:
    anchor = f", up to {display(first.judgement.anchor_name, SHOWN)}" if first.judgement.anchor_name else ""
    pairs = [
        ("expected", "a signature up to a key of the CA set or a public root"),
        (
            "served",
            f"{display(leaf.subject_text, SHOWN)}, issued by {display(leaf.issuer_text, SHOWN)}{anchor}",
        ),
        ("certificate", f"SHA-256 {leaf.sha256}"),
    ]
    if first.judgement.forged:
        pairs[0] = ("expected", f"{display(first.judgement.forged_name, SHOWN)}, with its own key")
    if not key.startswith("name:"):
        pairs.append(("key that differs", f"issuer's SPKI SHA-256 {key}"))
    pairs.append(("names", _list(names)))
    pairs.append(("addresses", _list(addresses)))
    if genuine:
        pairs.append(("genuine too", _list(genuine)))
    return tuple(pairs)


def _list(texts: tuple[str, ...]) -> str:
    more = f" and {len(texts) - LISTED} more" if len(texts) > LISTED else ""
    return ", ".join(display(text, SHOWN) for text in texts[:LISTED]) + more
