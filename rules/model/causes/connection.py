"""Records of the vocabulary (`rules.model.causes`): the path, TCP and TLS."""

from __future__ import annotations

from rules.model.causes.record import Cause, Circumstance


def _others_pass(end: str) -> Circumstance:
    return Circumstance(
        "others-pass",
        "Other addresses of this name get through. A firewall looks so whose object for the name has another DNS answer "
        "than this host (Microsoft, Azure Firewall DNS proxy details): let both use the same resolver, or allow the address "
        f"ranges of the service tag{end}",
        confidence="possible",
    )


_OTHER_FAMILY = Circumstance(
    "other-family",
    "Only the {family} addresses of this name are closed: allow TCP port {port} over {family} as well, or do without "
    "{family} on this host.",
)
_ONE_RANGE = Circumstance(
    "one-range",
    "All that is closed beside open addresses lies in {range}, whichever name it belongs to: look for a rule by "
    "addresses, and allow TCP port {port} to that range.",
)

PATH_FAMILY_BROKEN = Cause(
    "path.family-broken",
    owner="host",
    remedy="Repair {family} or take its default route away: connections wait for it first.",
)

PATH_SWEEP_DETECTED = Cause(
    "path.sweep-detected",
    owner="firewall",
    plural="{n} endpoints could not be tested once a firewall dropped this host's traffic",
    remedy="Wait until the firewall's block ends, then run the audit again at the polite pace, or have this host exempted. Such a "
    "block ends by itself; on PAN-OS it lasts 1 to 3,600 seconds (Palo Alto Networks, Configure Reconnaissance Protection).",
    command="wayclear audit --pace polite",
    host_wide=True,
    leaves_open=True,
    open_reason="a firewall stopped answering this host in the middle of the audit",
)

TCP_TIMEOUT = Cause(
    "tcp.timeout",
    owner="firewall",
    plural="TCP connections to {n} endpoints get no answer: something drops them silently",
    remedy="Allow TCP port {port} to the patterns below at the firewall that drops it. Its log shows our address and ports.",
    silence=True,
    circumstances=(
        _others_pass("; the firewall's log shows our address and ports."),
        _OTHER_FAMILY,
        _ONE_RANGE,
    ),
)

TCP_RESET = Cause(
    "tcp.reset",
    owner="firewall",
    plural="TCP is refused with a reset at {n} endpoints",
    remedy="Allow TCP port {port} to the patterns below where a firewall's log shows that it rejects them; a server whose "
    "service is down "
    "answers in the same way.",
    circumstances=(
        _others_pass(". A server whose service is down refuses in the same way."),
        _OTHER_FAMILY,
        _ONE_RANGE,
    ),
)

TCP_UNREACHABLE = Cause(
    "tcp.unreachable",
    owner="firewall",
    confidence="proven",
    plural="{n} endpoints are unreachable: a device refuses the connection (ICMP), or there is no route",
    remedy="Look at the device that sent the ICMP message, or at the route; allow TCP port {port} to the patterns below there.",
    circumstances=(
        _others_pass(". The evidence names the sender of the ICMP message where it is known."),
        _OTHER_FAMILY,
        _ONE_RANGE,
    ),
)

TCP_ACCEPT_ALL = Cause(
    "tcp.accept-all",
    owner="firewall",
    remedy="Nothing to do when all names pass. Otherwise find the transparent proxy between this host and Microsoft.",
)

TLS_INTERCEPTED = Cause(
    "tls.intercepted",
    owner="firewall",
    confidence="proven",
    plural="TLS is intercepted at {n} endpoints",
    remedy="Exempt the patterns below from TLS inspection at the device that re-signs them. Microsoft forbids inspection for the "
    "connector: mutual TLS would break.",
    depends_on_ca_set=True,
    circumstances=(
        Circumstance(
            "may-be-inspected",
            "Exempt these names from TLS inspection, or see to it that this host trusts the inspecting CA (in the store of the "
            "computer). Microsoft does not forbid inspection for them. While they are inspected this finding stays.",
        ),
    ),
)

TLS_ISSUER_UNEXPECTED = Cause(
    "tls.issuer-unexpected",
    owner="pki",
    confidence="proven",
    plural="{n} endpoints show a public CA's certificate, but not an expected CA's",
    remedy="Ask Microsoft's documentation whether the service has moved to this CA; otherwise treat it as interception.",
    depends_on_ca_set=True,
)

TLS_NEW_ISSUING_CA = Cause(
    "tls.new-issuing-ca",
    owner="firewall",
    depends_on_ca_set=True,
)

TLS_UNTRUSTED = Cause(
    "tls.untrusted",
    owner="firewall",
    confidence="possible",
    plural="The certificates of {n} endpoints lead to a root which is neither a public CA nor one of the expected CAs",
    remedy="Find out who issued this certificate; when it is your own inspection, exempt this name.",
    depends_on_ca_set=True,
)

TLS_SELF_SIGNED = Cause(
    "tls.self-signed",
    owner="firewall",
    confidence="possible",
    plural="{n} endpoints show a self-signed certificate",
    remedy="Find out who answers at this address; when it is a block page or an appliance, allow the real host.",
    depends_on_ca_set=True,
)

TLS_REVOKED = Cause(
    "tls.revoked",
    owner="microsoft",
    confidence="proven",
    remedy="Do not trust this server. Open a support case with Microsoft and attach this report: the service shows a certificate "
    "that its CA has revoked.",
    circumstances=(
        Circumstance(
            "own-server",
            "Do not trust this server. Let its operator replace the certificate, which its CA has revoked.",
            owner="pki",
        ),
    ),
)

TLS_EXPIRED = Cause(
    "tls.expired",
    owner="microsoft",
    plural="The certificates of {n} endpoints are out of date",
    remedy="Check this host's clock; when it is right, the server's certificate is out of date.",
    circumstances=(
        Circumstance(
            "clock-agrees",
            "This host's clock agrees with several servers': the certificate that is served there is out of date.",
        ),
    ),
)

TLS_NOT_YET_VALID = Cause(
    "tls.not-yet-valid",
    owner="microsoft",
    plural="The certificates of {n} endpoints are not valid yet",
    remedy="Check this host's clock; when it is right, the server shows a certificate that is not valid yet.",
    circumstances=(
        Circumstance(
            "clock-agrees",
            "This host's clock agrees with several servers': the certificate that is served there is not valid yet.",
        ),
    ),
)

TLS_NAME_MISMATCH = Cause(
    "tls.name-mismatch",
    owner="dns",
    plural="{n} endpoints show a certificate for another name",
    remedy="Another server answers at this address. Compare the address with what another resolver gives: a DNS filter or a "
    "hosts file may lead this name there. If it is the service's own, look for a device that answers in its place.",
    circumstances=(
        Circumstance(
            "many-addresses",
            "One server answers at the addresses of several names: look for a network device that takes their connections (a "
            "captive portal, a block page), and let these addresses through.",
            owner="firewall",
        ),
    ),
)

TLS_INCOMPLETE_CHAIN = Cause(
    "tls.incomplete-chain",
    owner="pki",
    plural="The chains of {n} endpoints end before a known CA, and the missing issuer cannot be downloaded",
    remedy="Allow the issuer's certificate to be fetched (port 80) from the address that the certificate names.",
    depends_on_ca_set=True,
    circumstances=(
        Circumstance(
            "page",
            "A web page comes instead of the issuer's certificate: look for a captive portal, a block page or a proxy on port "
            "80, which is open there.",
            owner="firewall",
        ),
        Circumstance(
            "answered",
            "HTTP answers at the address that the certificate names for its issuer, and not with the issuer's certificate: ask "
            "there from another network. Where the certificate comes, look for a device on port 80 here; where not, report it "
            "to the CA.",
        ),
        Circumstance(
            "no-answer",
            "Port 80 opens at the address that the certificate names for its issuer, and no whole answer comes: look in the web "
            "filter or proxy on port 80 for that host, then at the host.",
            owner="firewall",
        ),
        Circumstance(
            "not-asked",
            "Fetch the issuer's certificate from the address that the certificate names, which this audit did not ask: port 80 "
            "is open at that host for other documents.",
        ),
    ),
)

TLS_VERSION = Cause(
    "tls.version",
    owner="microsoft",
    plural="{n} endpoints refuse TLS 1.2",
    remedy="Find out who answers there: Microsoft's servers offer TLS 1.2; an old inspecting device may not.",
)

TLS_MALFORMED = Cause(
    "tls.malformed",
    owner="firewall",
    plural="The answers of {n} endpoints break TLS",
    remedy="Find out what answers at this address: what came breaks TLS. The JSON report (--format json) holds the bytes.",
    circumstances=(
        Circumstance(
            "key-refuted",
            "Find what answers in the server's place: it shows a copy of the server's certificate and cannot sign with its key. "
            "Compare the addresses that the name resolves to from another network, and look for a device that redirects them.",
            confidence="proven",
        ),
    ),
)

TLS_UNVERIFIED = Cause(
    "tls.unverified",
    owner="pki",
    plural="The certificates of {n} endpoints cannot be checked: part of them cannot be read or proves nothing",
    remedy="Find out who made this certificate, by the issuer that it names: what cannot be read or checked is named above. "
    "When it is your own inspection, exempt this name.",
    depends_on_ca_set=True,
)

TLS_RESET = Cause(
    "tls.reset",
    owner="firewall",
    confidence="possible",
    plural="The connection is reset when TLS begins, at {n} endpoints",
    remedy="Look in the firewall's log for a rule that closes TLS connections for some server names (SNI) or categories, and "
    "exempt this "
    "name.",
    circumstances=(
        Circumstance(
            "tls13-passes",
            "Look in the firewall's log for a rule that closes TLS 1.2 and lets TLS 1.3 pass to this name; where there is none, "
            "the server offers no TLS 1.2, which a connector needs.",
        ),
        Circumstance(
            "certificate-shown",
            "Look in the firewall's log for a rule that closes a connection once it has seen the server's certificate (by "
            "category or issuer), and exempt this name.",
        ),
        Circumstance(
            "certificate-asked",
            "Look in the firewall's log for a rule that closes connections in which a client certificate is asked for, and exempt "
            "this name; where there is none, the server itself resets who has no certificate, and nothing is blocked.",
        ),
    ),
)

TLS_TIMEOUT = Cause(
    "tls.timeout",
    owner="firewall",
    confidence="possible",
    plural="No TLS answer from {n} endpoints after the TCP connection opened",
    remedy="Look for a device that drops the ClientHello (the first TLS message): inspection by server name, or a path MTU fault.",
    silence=True,
)

TLS_ALERT = Cause(
    "tls.alert",
    owner="firewall",
    plural="TLS is refused with an alert at {n} endpoints",
    remedy="Look at the device or server that sent the alert: a policy may refuse this server name.",
    circumstances=(
        Circumstance(
            "certificate-shown",
            "Look at the device or server that sent the alert: it came after the server's certificate, before anything of ours "
            "could displease the server.",
        ),
        Circumstance(
            "certificate-asked",
            "Look at the log of the device or server that sent the alert: it came after a request for a client certificate, and "
            "is none of those that answer a missing one.",
        ),
    ),
)

TLS_NOT_TLS = Cause(
    "tls.not-tls",
    owner="firewall",
    plural="What answers at {n} endpoints is not TLS",
    remedy="Find out what answers there without TLS: captive portals and block pages do so on port 443.",
)

TLS_LARGE_HELLO_BLOCKED = Cause(
    "tls.large-hello-blocked",
    owner="firewall",
    remedy="Not a connector's problem today; browsers behind this firewall suffer. Update the inspecting device.",
)
