"""The scenarios that `make test` runs as networks, and the sample of recordings for tests that could use all of them.

For each cause that any recording shows, one of these shows it too (`test_live.py` checks that). They contain each
kind of server and intercepting device. `make proof` runs the rest. `make test` judges every recording.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

LIVE = frozenset(
    {
        "alert",
        "answered-from-elsewhere",
        "captive-portal-on-80",
        "certificate-without-seconds",
        "chain-completed-by-aia",
        "chain-copied-without-its-key",
        "client-certificate-required",
        "clock-an-hour-off",
        "clock-wrong",
        "cname-loop-behind-resolver",
        "crl-compressed",
        "crl-delta",
        "crl-host-resets",
        "crl-name-in-another-form",
        "dns-filter-page",
        "dns64",
        "first-resolver-dead",
        "forged-crl",
        "forged-issuers-in-odd-certificates",
        "forged-list-everywhere",
        "healthy",
        "host-not-served",
        "hosts-file-loopback",
        "http-on-443",
        "intercepted-and-trusted-by-the-system",
        "intercepted-by-mitmproxy",
        "intercepted-by-squid",
        "intercepted-sign-in-only",
        "ipv6-black-hole",
        "ipv6-of-sign-in-dropped",
        "issuer-not-to-be-fetched",
        "large-answers-lost",
        "large-hello-dropped",
        "link-silent",
        "long-chain-behind-resolver",
        "new-issuing-ca",
        "no-ipv6",
        "no-network",
        "no-question-for-one-zone",
        "no-tenant",
        "not-http",
        "not-yet-valid",
        "ocsp-bad-signature",
        "ocsp-good-and-revoked",
        "ocsp-responder-expired",
        "ocsp-stale-by-a-cache",
        "ocsp-unauthorized",
        "odd-certificates-of-the-real-issuer",
        "odd-header-lines",
        "one-of-three-dropped",
        "one-of-three-prohibited",
        "one-of-three-reset",
        "one-page-at-every-host",
        "one-page-for-everything",
        "other-public-ca",
        "port-80-dropped",
        "private-ca",
        "private-genuine",
        "private-zone-without-address",
        "proxy-set-direct-fails",
        "proxy-set-direct-works",
        "redirected-on-80",
        "reset-after-certificate-request",
        "resolver-knows-no-public-name",
        "resolvers-disagree",
        "retired-rows-gone",
        "revoked",
        "revoked-by-a-list-in-another-form",
        "self-signed",
        "shared-front-end",
        "sign-in-expired",
        "stale-by-the-publisher-s-cache",
        "sweep-detecting-firewall",
        "synthetic-answers",
        "tcp53-blocked",
        "tls11-only",
        "truncated",
        "wildcard-everything",
        "zone-servfail",
    }
)


def sampled(names: Iterable[str]) -> pytest.MarkDecorator:
    """Decorates a test with the argument `name`: `make test` runs it for the recordings of `LIVE`, `make proof` for the rest."""
    values = [pytest.param(name, marks=() if name in LIVE else pytest.mark.proof) for name in names]
    return pytest.mark.parametrize("name", values)
