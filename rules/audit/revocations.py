"""Which revocation sources of a genuine chain are fetched: CRLs first, OCSP for a few leaves, hosts on no rule noted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from rules.audit.documents import Wanted
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.ruleset import Rules, Severity
from rules.pki.certificate import facts
from rules.pki.revocation import ocsp_get_target, ocsp_request, sources, split_url
from rules.pki.trust import ChainJudgement


class Revocations:
    """Sources by chain, and by source the chains that named it."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._pki_hosts = frozenset(host for cas in rules.cas for host in cas.pki_hosts)
        self.named_by: dict[str, set[str]] = defaultdict(set)  # source URL -> names whose chain names it
        self.crls: dict[str, set[tuple[bytes, ...]]] = defaultdict(
            set
        )  # CRL URL -> paths (leaf..anchor) it covers
        self.ocsp: dict[Wanted, tuple[bytes, bytes, str]] = {}  # request -> leaf, issuer, URL

    def on_rule(self, host: str) -> bool:
        return any(ruleset.rule_for(host, 80) is not None for ruleset in self._rules.rulesets)

    def listed(self, host: str) -> bool:
        """Whether Microsoft's list holds the host: optional rows are ours, out of the certificates."""
        found = (ruleset.rule_for(host, 80) for ruleset in self._rules.rulesets)
        return any(rule is not None and rule.severity is not Severity.OPTIONAL for rule in found)

    def may_fetch(self, wanted: Wanted) -> bool:
        """An address out of a certificate that is not judged yet: only hosts that a rule or the CA set names."""
        return wanted.host is not None and (self.on_rule(wanted.host) or wanted.host in self._pki_hosts)

    def wanted(
        self,
        chain: tuple[bytes, ...],
        judgement: ChainJudgement,
        step: TlsHandshake,
        strict: bool,
        ocsp: bool,
        once: bool = False,
    ) -> tuple[Wanted, ...]:
        """Documents to fetch for a chain that was judged genuine (or publicly trusted, where that is enough).

        `strict`: only the CA set's keys are enough here; `ocsp`: the responder is asked about this leaf as well, in both
        ways; `once`: in one. The responders of the CAs' own certificates, which are few, are asked once always, so that
        every responder that a chain names was asked something.
        """
        path = judgement.path or chain
        found = sources(path)
        for url in (*found.crl, *found.ocsp):
            self.named_by[url].add(step.server_name)
        if judgement.verdict != "genuine" and strict:
            return ()
        for url in found.crl:
            self.crls[url].add(path)
        crls = tuple(Wanted(url, "crl") for url in found.crl if split_url(url))
        return (*crls, *self._ocsp(path, ocsp, once))

    def _ocsp(self, path: tuple[bytes, ...], both: bool, once: bool) -> Iterator[Wanted]:
        """What to ask the responders that a path names: by GET, which caches take part in (RFC 5019 section 5), and about
        few leaves by POST as well, because the two are blocked apart."""
        for place, (der, issuer) in enumerate(pairwise(path)):
            if place == 0 and not (both or once):
                continue
            request = ocsp_request(der, issuer) if place == 0 or not facts(der).self_issued else None
            for url in sources((der,)).ocsp if request is not None else ():
                if split_url(url) is None or request is None:
                    continue
                get = Wanted(ocsp_get_target(url, request), "ocsp")
                for wanted in (Wanted(url, "ocsp", request), get) if both and place == 0 else (get,):
                    self.ocsp[wanted] = (der, issuer, url)
                    yield wanted
