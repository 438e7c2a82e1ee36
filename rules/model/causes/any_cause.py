"""Circumstances that decide the remedy for any cause; a cause's own circumstance of the same word comes first."""

from __future__ import annotations

from rules.model.causes.record import Circumstance

THIS_HOST_ALONE = Circumstance(
    "this-host-alone",
    "Correct the name on this host first: no resolver gives this address.",
    owner="host",
)
WINHTTP_ALONE = Circumstance(
    "winhttp-alone",
    "Windows fetches this by WinHTTP's setting, and the connector's own proxy ({source}) does not count for it: instead, a "
    "proxy can be set for WinHTTP (netsh winhttp set proxy).",
)
KNOWS_NO_PUBLIC_NAME = Circumstance(
    "knows-no-public-name",
    "Let {resolver} resolve public names (recursion, a forwarder that answers), or take it out of this host's configuration.",
)
ZONE_UNKNOWN = Circumstance(
    "zone-unknown",
    "Ask the people who run the resolver whether it serves a zone of its own for these names, or filters them.",
)
PRIVATE_ZONE = Circumstance(
    "private-zone",
    "In the private zone {zone}: add the record, or take away the zone's link to the network of this resolver. In Azure Private "
    "DNS a link can also fall back to the internet for names that the zone lacks (NxDomainRedirect).",
)
KEY_NOT_PROVED = Circumstance(
    "key-not-proved",
    "Find out who answers there: the end is that of a server that wants a client certificate, but it came before the server had "
    "proved its key, which RSA key exchange does last.",
)

ANY_CAUSE = (
    THIS_HOST_ALONE,
    WINHTTP_ALONE,
    KNOWS_NO_PUBLIC_NAME,
    ZONE_UNKNOWN,
    PRIVATE_ZONE,
    KEY_NOT_PROVED,
)
