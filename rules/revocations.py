"""Which revocation sources of a genuine chain are fetched: CRLs first, OCSP for a few leaves, hosts on no rule noted."""

from __future__ import annotations

from collections import defaultdict

from rules.fetches import Wanted
from rules.kinds.revocation import ocsp_get_target, ocsp_request, sources, split_url
from rules.kinds.tls_handshake import TlsHandshake
from rules.ruleset import Rules
from rules.trust import ChainJudgement

#: Leaves whose status is asked at one OCSP address.
MAX_LEAVES = 2


class Revocations:
    """Sources by chain, and by source the chains that named it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pki_hosts = frozenset(host for cas in rules.cas for host in cas.pki_hosts)
        self._leaves: dict[str, set[bytes]] = defaultdict(set)
        self._planned: dict[tuple[bytes, ...], tuple[Wanted, ...]] = {}
        self.named_by: dict[str, set[str]] = defaultdict(set)  # source URL -> names whose chain names it
        self.crls: dict[str, set[tuple[bytes, ...]]] = defaultdict(
            set
        )  # CRL URL -> paths (leaf..anchor) it covers
        self.ocsp: dict[Wanted, tuple[bytes, bytes, str]] = {}  # request -> leaf, issuer, URL

    def on_rule(self, host: str) -> bool:
        return any(ruleset.rule_for(host, 80) is not None for ruleset in self._rules.rulesets)

    def may_fetch(self, wanted: Wanted) -> bool:
        """An address out of a certificate that is not judged yet: only hosts that a rule or the CA set names."""
        return wanted.host is not None and (self.on_rule(wanted.host) or wanted.host in self._pki_hosts)

    def wanted(
        self, chain: tuple[bytes, ...], judgement: ChainJudgement, step: TlsHandshake, strict: bool
    ) -> tuple[Wanted, ...]:
        """Documents to fetch for a chain that was judged genuine (or publicly trusted, where that is enough)."""
        path = judgement.path or chain
        found = sources(path)
        for url in (*found.crl, *found.ocsp):
            self.named_by[url].add(step.server_name)
        for url in found.crl:
            self.crls[url].add(path)
        if chain in self._planned:
            return ()
        if judgement.verdict != "genuine" and strict:
            return ()
        crls = tuple(Wanted(url, "crl") for url in found.crl if split_url(url))
        plan = crls + self._ocsp(path, strict)
        self._planned[chain] = plan
        return plan

    def _ocsp(self, path: tuple[bytes, ...], strict: bool) -> tuple[Wanted, ...]:
        if len(path) < 2 or not strict:
            return ()
        leaf, issuer = path[0], path[1]
        plan: list[Wanted] = []
        for url in sources((leaf,)).ocsp:
            leaves = self._leaves[url]
            if split_url(url) is None or leaf in leaves or len(leaves) >= MAX_LEAVES:
                continue
            request = ocsp_request(leaf, issuer)
            if request is None:
                continue
            posted = Wanted(url, "ocsp", request)
            self.ocsp[posted] = (leaf, issuer, url)
            plan.append(posted)
            if not leaves:  # GET and POST are blocked apart; one leaf shows it
                got = Wanted(ocsp_get_target(url, request), "ocsp")
                self.ocsp[got] = (leaf, issuer, url)
                plan.append(got)
            leaves.add(leaf)
        return tuple(plan)
