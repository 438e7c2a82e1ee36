"""Advice on port 80, revocation lists and OCSP: rows of the table in `rules.judge.remedies`."""

from __future__ import annotations

from rules.judge.advice import Advice

HTTP: dict[tuple[str, str], Advice] = {
    ("http.block-page", ""): Advice(
        "Exempt this host from web filtering on port 80: a page comes in place of the real answer."
    ),
    ("http.block-page", "proxy-failed"): Advice(
        "A proxy on port 80 here cannot fetch from this host: look in the proxy's log, and let the proxy resolve and reach this "
        "host.",
        owner="proxy",
    ),
    ("http.redirected", ""): Advice(
        "Find out whose address the request is sent to: this network's, or the publisher's."
    ),
    ("http.redirected", "other-zone"): Advice(
        "Find out whose address the request is sent to; when it is a portal or proxy of this network, exempt this host there."
    ),
    ("http.redirected", "host-redirects"): Advice(
        "Ask the publisher to answer at this very address over plain HTTP, without a redirect: what stands behind https needs "
        "a certificate check of its own (RFC 5280 section 8), and whether Windows follows is not known.",
        owner="pki",
    ),
    ("http.status", ""): Advice(
        "Ask for the same address from another network: where it is answered well, look for a device on port 80 here; where not, "
        "report it to the publisher."
    ),
    ("http.compressed", ""): Advice(
        "Find out whether the server or a device on port 80 compresses this document, and have it sent as it is: the request "
        "asks for that, and Windows is not known to unpack it.",
        confidence="possible",
    ),
    ("http.timeout", ""): Advice(
        "Port 80 is open and nothing answers: look in the web filter or proxy on port 80 for this host, then at the host."
    ),
    ("http.timeout", "cut"): Advice(
        "The answer begins and does not end in time: look for a device on port 80 that scans or slows downloads; a slow line "
        "does the same."
    ),
    ("http.timeout", "session-cut"): Advice(
        "Look for a device that cuts established sessions to this address."
    ),
    ("http.reset", ""): Advice(
        "Port 80 is open and the request is cut off: look in the web filter or proxy on port 80 for this host, then at the host."
    ),
    ("http.reset", "cut"): Advice(
        "The answer begins and is cut off: look for a device on port 80 that scans or limits downloads, then at the host."
    ),
    ("http.reset", "session-cut"): Advice(
        "Look for a device that cuts established sessions to this address."
    ),
    ("http.malformed", ""): Advice(
        "Port 80 is open and what answers is not HTTP: look in the web filter or proxy on port 80 for this host, then at the "
        "host."
    ),
    ("http.malformed", "cut"): Advice(
        "The answer begins well and its rest breaks HTTP: look for a device on port 80 that changes answers, then at the host."
    ),
}

REVOCATION: dict[tuple[str, str], Advice] = {
    ("crl.unreachable", ""): Advice(
        "Allow port 80 to this host: Windows fetches this list to check certificates."
    ),
    ("crl.too-large", ""): Advice(
        "Find out who serves so large a list on port 80: it is not Microsoft's or DigiCert's."
    ),
    ("crl.not-a-crl", ""): Advice(
        "Fetch the list from another network: where it comes there, something here answers on port 80 in its place; where not, "
        "report it to the publisher."
    ),
    ("crl.not-a-crl", "page"): Advice(
        "A web page comes in place of the list: look for a captive portal, a block page or a proxy on port 80."
    ),
    ("crl.not-a-crl", "pem"): Advice(
        "Ask the CA to publish this list in DER, as RFC 5280 (section 4.2.1.13) wants it: its own list comes, as text (PEM), and "
        "whether Windows reads that here is not known.",
        owner="pki",
        confidence="possible",
    ),
    ("crl.not-a-crl", "pem-unproved"): Advice(
        "Fetch the list from another network: where it comes in DER there, look for what hands on text in its place on port 80 "
        "here; where it comes as text (PEM) there as well, ask the CA to publish it in DER (RFC 5280 section 4.2.1.13).",
        confidence="possible",
    ),
    ("crl.not-a-crl", "cut"): Advice(
        "Fetch the list from another network: where it comes whole there, look for a device on port 80 that cuts or limits "
        "downloads here; where not, report to the publisher that the file is cut short.",
        confidence="possible",
    ),
    ("crl.not-a-crl", "more"): Advice(
        "Fetch the list from another network: where it comes without the bytes after its end, look for what adds them on port 80 "
        "here; where not, ask the publisher to serve the list alone.",
        confidence="possible",
    ),
    ("crl.stale", ""): Advice(
        "Fetch the list from another network: an old one there as well is the publisher's, a new one means that this network "
        "keeps an old copy."
    ),
    ("crl.stale", "cached"): Advice(
        "The cache that the answer names serves the list past its end: let it fetch this host's lists anew, or exempt the host "
        "from caching.",
        owner="proxy",
    ),
    ("crl.stale", "cached-unnamed"): Advice(
        "A cache on the way, which does not tell its name, serves the list past its end. Fetch the list from another network: "
        "where a new one comes, look for a cache on port 80 here and exempt this host from it; where not, report it to the CA.",
        confidence="possible",
    ),
    ("crl.stale", "cached-by-publisher"): Advice(
        "By the headers it is a cache of the publisher's own delivery network that serves the old list: report it to the CA.",
        owner="pki",
    ),
    ("crl.stale", "late"): Advice(
        "The CA has published no newer list, as far as the answer shows: report it to the CA; when another network gets a newer "
        "one, look for a cache here that does not say so.",
        owner="pki",
    ),
    ("crl.stale", "early"): Advice(
        "Compare this host's clock with a good one; when it is right, the CA has dated its list ahead.",
        owner="host",
    ),
    ("crl.bad-signature", ""): Advice(
        "Fetch the list from another network and compare: where only this one differs, a device here changes or invents it on "
        "port 80."
    ),
    ("crl.bad-signature", "other-key"): Advice(
        "The list names another key than the CA's that issued the certificates: ask the CA whether it changed keys, and compare "
        "with another network.",
        owner="pki",
        confidence="likely",
    ),
    ("crl.bad-signature", "may-not-sign"): Advice(
        "Report it to the CA: its certificate lacks the right to sign lists (keyUsage cRLSign).",
        owner="pki",
    ),
    ("crl.wrong-issuer", ""): Advice(
        "Fetch the list from another network: where the right one comes there, something here answers on port 80 in its place; "
        "where not, report it to the CA."
    ),
    ("crl.out-of-scope", ""): Advice(
        "The CA signed this list, and it belongs at another address or serves another purpose: compare with another network, "
        "then report it to the CA, or to the operator of the cache that mixes lists up.",
        owner="pki",
    ),
    ("crl.out-of-scope", "critical"): Advice(
        "Ask the CA what this extension means: Windows rejects a list with a critical extension that it does not know.",
        owner="pki",
    ),
    ("crl.revoked", ""): Advice("The CA has revoked this certificate: report it to Microsoft."),
    ("ocsp.unreachable", ""): Advice("Allow port 80 to this host, GET and POST."),
    ("ocsp.status", ""): Advice(
        "The responder answers with an error: try later; when it lasts, look for a proxy on port 80."
    ),
    ("ocsp.not-ocsp", ""): Advice(
        "Ask the responder from another network: where it answers well there, something here answers on port 80 in its place; "
        "where not, report it to the CA."
    ),
    ("ocsp.not-ocsp", "page"): Advice(
        "A web page comes in place of the responder's answer: look for a captive portal, a block page or a proxy on port 80."
    ),
    ("ocsp.stale", ""): Advice(
        "Ask the responder from another network: an old answer there as well is the responder's, a new one means that this "
        "network keeps an old copy."
    ),
    ("ocsp.stale", "cached"): Advice(
        "The cache that the answer names serves it past its end: let it fetch this host's answers anew, or exempt the host "
        "from caching.",
        owner="proxy",
    ),
    ("ocsp.stale", "cached-unnamed"): Advice(
        "A cache on the way, which does not tell its name, serves the answer past its end. Ask the responder from another network: "
        "where a new one comes, look for a cache on port 80 here and exempt this host from it; where not, report it to the CA.",
        confidence="possible",
    ),
    ("ocsp.stale", "cached-by-publisher"): Advice(
        "By the headers it is a cache of the responder's own delivery network that serves the old answer: report it to the CA.",
        owner="pki",
    ),
    ("ocsp.stale", "late"): Advice(
        "The responder has no newer answer, as far as this one shows: report it to the CA; when another network gets a newer "
        "one, look for a cache here that does not say so.",
        owner="pki",
    ),
    ("ocsp.stale", "early"): Advice(
        "Compare this host's clock with a good one; when it is right, the responder has dated its answer ahead.",
        owner="host",
    ),
    ("ocsp.bad-signature", ""): Advice(
        "Ask the responder from another network and compare: where only this one differs, a device here changes or invents the "
        "answers on port 80."
    ),
    ("ocsp.responder", ""): Advice(
        "Report it to the operator of the CA's responder: an answer counts only from the issuer or from a responder that "
        "the issuer appointed (RFC 6960 section 4.2.2.2).",
        owner="pki",
    ),
    ("ocsp.responder", "expired"): Advice(
        "Report it to the operator of the CA's responder: the certificate with which it signs has run out.",
        owner="pki",
    ),
    ("ocsp.unverified", "critical"): Advice(
        "Ask the CA what this extension means: an answer with a critical extension that is not known must not be used.",
        owner="pki",
    ),
    ("ocsp.revoked", ""): Advice("The CA has revoked this certificate: report it to Microsoft."),
}
