"""Records of the vocabulary (`rules.model.causes`): port 80, CRLs and OCSP."""

from __future__ import annotations

from rules.model.causes.record import Cause, Circumstance

_SESSION_CUT = Circumstance(
    "session-cut", "Look for a device that cuts established sessions to this address."
)

HTTP_BLOCK_PAGE = Cause(
    "http.block-page",
    owner="firewall",
    plural="A block page comes instead of the answer of {n} endpoints on port 80",
    remedy="Exempt this host from web filtering on port 80: a page comes instead of the real answer.",
    circumstances=(
        Circumstance(
            "proxy-failed",
            "A proxy on port 80 here cannot fetch from this host: look in the proxy's log, and let the proxy resolve and reach "
            "this host.",
            plural="A proxy answers for {n} endpoints on port 80 that it cannot reach",
            owner="proxy",
        ),
    ),
)

HTTP_SAME_PAGE = Cause(
    "http.same-page",
    owner="nobody",
    plural="{n} endpoints give the same web page on port 80 as hosts that have nothing to do with them",
)

HTTP_REDIRECTED = Cause(
    "http.redirected",
    owner="firewall",
    plural="{n} endpoints are redirected elsewhere on port 80",
    remedy="Find out whose address the request is sent to: this network's, or the publisher's.",
    circumstances=(
        Circumstance(
            "other-zone",
            "Find out whose address the request is sent to; when it is a portal or proxy of this network, exempt this host "
            "there.",
        ),
        Circumstance(
            "host-redirects",
            "Ask the publisher to answer at this very address over plain HTTP, without a redirect: what stands behind https "
            "needs a certificate check of its own (RFC 5280 section 8), and whether Windows follows is not known.",
            owner="pki",
        ),
    ),
)

HTTP_STATUS = Cause(
    "http.status",
    owner="firewall",
    plural="{n} endpoints answer with an HTTP error on port 80",
    remedy="Ask for the same address from another network: where it is answered well, look for a device on port 80 here; where "
    "not, report it to the publisher.",
)

HTTP_COMPRESSED = Cause(
    "http.compressed",
    owner="firewall",
    confidence="possible",
    plural="The documents of {n} hosts come compressed, although they are asked for as they are",
    remedy="Find out whether the server or a device on port 80 compresses this document, and have it sent as it is: the request "
    "asks for that, and Windows is not known to unpack it.",
)

HTTP_TIMEOUT = Cause(
    "http.timeout",
    owner="firewall",
    plural="Port 80 opens at {n} endpoints, and then nothing answers",
    remedy="Port 80 is open and nothing answers: look in the web filter or proxy on port 80 for this host, then at the host.",
    silence=True,
    unheard=True,
    circumstances=(
        Circumstance(
            "cut",
            "The answer begins and does not end in time: look for a device on port 80 that scans or slows downloads; a slow "
            "line does the same.",
        ),
        _SESSION_CUT,
    ),
)

HTTP_RESET = Cause(
    "http.reset",
    owner="firewall",
    plural="Port 80 opens at {n} endpoints, and then the connection is reset",
    remedy="Port 80 is open and the request is cut off: look in the web filter or proxy on port 80 for this host, then at the "
    "host.",
    unheard=True,
    circumstances=(
        Circumstance(
            "cut",
            "The answer begins and is cut off: look for a device on port 80 that scans or limits downloads, then at the host.",
        ),
        _SESSION_CUT,
    ),
)

HTTP_MALFORMED = Cause(
    "http.malformed",
    owner="firewall",
    plural="What answers at {n} endpoints on port 80 is not HTTP",
    remedy="Port 80 is open and what answers is not HTTP: look in the web filter or proxy on port 80 for this host, then at the "
    "host.",
    unheard=True,
    circumstances=(
        Circumstance(
            "cut",
            "The answer begins well and its rest breaks HTTP: look for a device on port 80 that changes answers, then at the "
            "host.",
        ),
    ),
)

HTTP_ODD_HEADER = Cause(
    "http.odd-header",
    owner="nobody",
    plural="The answers of {n} endpoints on port 80 have odd header lines, and are read all the same",
)

CRL_UNREACHABLE = Cause(
    "crl.unreachable",
    owner="firewall",
    plural="The CRL cannot be downloaded from {n} hosts",
    remedy="Allow port 80 to this host: Windows fetches this list to check certificates.",
    silence=True,
    unheard=True,
)

CRL_NOT_A_CRL = Cause(
    "crl.not-a-crl",
    owner="firewall",
    plural="Something else comes instead of the CRLs of {n} hosts",
    remedy="Fetch the list from another network: where it comes there, something here answers on port 80 in its place; where "
    "not, report it to the publisher.",
    circumstances=(
        Circumstance(
            "page",
            "A web page comes instead of the list: look for a captive portal, a block page or a proxy on port 80.",
        ),
        Circumstance(
            "pem",
            "Ask the CA to publish this list in DER, as RFC 5280 (section 4.2.1.13) wants it: its own list comes, as text "
            "(PEM), and whether Windows reads that here is not known.",
            owner="pki",
            confidence="possible",
        ),
        Circumstance(
            "pem-unproved",
            "Fetch the list from another network: where it comes in DER there, look for what hands on text in its place on port "
            "80 here; where it comes as text (PEM) there as well, ask the CA to publish it in DER (RFC 5280 section 4.2.1.13).",
            confidence="possible",
        ),
        Circumstance(
            "cut",
            "Fetch the list from another network: where it comes whole there, look for a device on port 80 that cuts or limits "
            "downloads here; where not, report to the publisher that the file is cut short.",
            confidence="possible",
        ),
        Circumstance(
            "more",
            "Fetch the list from another network: where it comes without the bytes after its end, look for what adds them on "
            "port 80 here; where not, ask the publisher to serve the list alone.",
            confidence="possible",
        ),
    ),
)

CRL_TOO_LARGE = Cause(
    "crl.too-large",
    owner="firewall",
    remedy="Find out who serves so large a list on port 80: it is not Microsoft's or DigiCert's.",
)

CRL_STALE = Cause(
    "crl.stale",
    owner="firewall",
    plural="The CRLs of {n} hosts are out of date",
    remedy="Fetch the list from another network: an old one there as well is the publisher's, a new one means that this network "
    "keeps an old copy.",
    circumstances=(
        Circumstance(
            "cached",
            "The cache that the answer names serves an expired list: let it fetch this host's lists anew, or exempt the "
            "host from caching.",
            owner="proxy",
        ),
        Circumstance(
            "cached-unnamed",
            "A cache between this host and the CA, which does not tell its name, serves an expired list. Fetch the list from "
            "another "
            "network: where a new one comes, look for a cache on port 80 here and exempt this host from it; where not, report "
            "it to the CA.",
            confidence="possible",
        ),
        Circumstance(
            "cached-by-publisher",
            "By the headers it is a cache of the publisher's own delivery network that serves the old list: report it to the CA.",
            owner="pki",
        ),
        Circumstance(
            "late",
            "The CA has published no newer list, as far as the answer shows: report it to the CA; when another network gets a "
            "newer one, look for a cache here that does not say so.",
            owner="pki",
        ),
        Circumstance(
            "early",
            "Compare this host's clock with a good one; when it is right, the CA has dated its list ahead.",
            owner="host",
        ),
    ),
)

CRL_BAD_SIGNATURE = Cause(
    "crl.bad-signature",
    owner="firewall",
    confidence="proven",
    plural="The CRLs of {n} hosts are not signed by their issuers",
    remedy="Fetch the list from another network and compare: where only this one differs, a device here changes or invents it "
    "on port 80.",
    circumstances=(
        Circumstance(
            "other-key",
            "The list names another key than the CA's that issued the certificates: ask the CA whether it changed keys, and "
            "compare with another network.",
            owner="pki",
            confidence="likely",
        ),
        Circumstance(
            "may-not-sign",
            "Report it to the CA: its certificate lacks the right to sign lists (keyUsage cRLSign).",
            owner="pki",
        ),
    ),
)

CRL_WRONG_ISSUER = Cause(
    "crl.wrong-issuer",
    owner="firewall",
    plural="The CRLs of {n} hosts are another CA's than that of the certificates that name them",
    remedy="Fetch the list from another network: where the right one comes there, something here answers on port 80 in its "
    "place; where not, report it to the CA.",
)

CRL_OUT_OF_SCOPE = Cause(
    "crl.out-of-scope",
    owner="pki",
    plural="The CRLs of {n} hosts do not tell of the certificates that name them",
    remedy="The CA signed this list, and it belongs at another address or serves another purpose: compare with another network, "
    "then report it to the CA, or to the operator of the cache that mixes lists up.",
    circumstances=(
        Circumstance(
            "critical",
            "Ask the CA what this extension means: Windows rejects a list with a critical extension that it does not know.",
        ),
    ),
)

CRL_FORM = Cause("crl.form", owner="pki")

CRL_REVOKED = Cause(
    "crl.revoked",
    owner="microsoft",
    confidence="proven",
    remedy="The CA has revoked this certificate. Open a support case with Microsoft and attach this report.",
)

CRL_UNVERIFIED = Cause(
    "crl.unverified",
    owner="nobody",
    plural="The CRLs of {n} hosts cannot be verified here",
)

OCSP_UNREACHABLE = Cause(
    "ocsp.unreachable",
    owner="firewall",
    plural="{n} OCSP responders do not answer",
    remedy="Allow port 80 to this host, GET and POST.",
    silence=True,
    unheard=True,
)

OCSP_NOT_OCSP = Cause(
    "ocsp.not-ocsp",
    owner="firewall",
    plural="Something else answers instead of {n} OCSP responders",
    remedy="Ask the responder from another network: where it answers well there, something here answers on port 80 in its "
    "place; where not, report it to the CA.",
    circumstances=(
        Circumstance(
            "page",
            "A web page comes instead of the responder's answer: look for a captive portal, a block page or a proxy on port 80.",
        ),
    ),
)

OCSP_STALE = Cause(
    "ocsp.stale",
    owner="firewall",
    plural="The answers of {n} OCSP responders are out of date",
    remedy="Ask the responder from another network: an old answer there as well is the responder's, a new one means that this "
    "network keeps an old copy.",
    circumstances=(
        Circumstance(
            "cached",
            "The cache that the answer names serves an expired answer: let it fetch this host's answers anew, or exempt the host "
            "from caching.",
            owner="proxy",
        ),
        Circumstance(
            "cached-unnamed",
            "A cache between this host and the CA, which does not tell its name, serves an expired answer. Ask the responder "
            "from another "
            "network: where a new one comes, look for a cache on port 80 here and exempt this host from it; where not, report "
            "it to the CA.",
            confidence="possible",
        ),
        Circumstance(
            "cached-by-publisher",
            "By the headers it is a cache of the responder's own delivery network that serves the old answer: report it to the "
            "CA.",
            owner="pki",
        ),
        Circumstance(
            "late",
            "The responder has no newer answer, as far as this one shows: report it to the CA; when another network gets a "
            "newer one, look for a cache here that does not say so.",
            owner="pki",
        ),
        Circumstance(
            "early",
            "Compare this host's clock with a good one; when it is right, the responder has dated its answer ahead.",
            owner="host",
        ),
    ),
)

OCSP_BAD_SIGNATURE = Cause(
    "ocsp.bad-signature",
    owner="firewall",
    remedy="Ask the responder from another network and compare: where only this one differs, a device here changes or invents "
    "the answers on port 80.",
)

OCSP_RESPONDER = Cause(
    "ocsp.responder",
    owner="pki",
    plural="{n} OCSP responders are not set up right",
    remedy="Report it to the operator of the CA's responder: an answer counts only from the issuer or from a responder that the "
    "issuer appointed (RFC 6960 section 4.2.2.2).",
    circumstances=(
        Circumstance(
            "expired",
            "Report it to the operator of the CA's responder: the certificate with which it signs has run out.",
        ),
    ),
)

OCSP_UNVERIFIED = Cause(
    "ocsp.unverified",
    owner="nobody",
    circumstances=(
        Circumstance(
            "critical",
            "Ask the CA what this extension means: an answer with a critical extension that is not known must not be used.",
            owner="pki",
        ),
    ),
)

OCSP_REVOKED = Cause(
    "ocsp.revoked",
    owner="microsoft",
    confidence="proven",
    remedy="The CA has revoked this certificate. Open a support case with Microsoft and attach this report.",
)

OCSP_UNAUTHORIZED = Cause("ocsp.unauthorized", owner="pki")

OCSP_STATUS = Cause(
    "ocsp.status",
    owner="firewall",
    remedy="The responder answers with an error: try later; when it lasts, look for a proxy on port 80.",
)

OCSP_UNKNOWN = Cause("ocsp.unknown", owner="firewall")
