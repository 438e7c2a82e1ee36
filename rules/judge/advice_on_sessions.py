"""Advice on TCP and TLS: rows of the table in `rules.judge.remedies`."""

from __future__ import annotations

from rules.judge.advice import ANY, Advice

TCP: dict[tuple[str, str], Advice] = {
    ("tcp.timeout", ""): Advice(
        "Allow TCP port {port} to this name at the firewall that drops it; its log shows our address and ports."
    ),
    ("tcp.reset", ""): Advice(
        "Allow TCP port {port} to this name where a firewall's log shows that it rejects it; a server whose service is down "
        "answers in the same way."
    ),
    ("tcp.unreachable", ""): Advice(
        "Look at the device that sent the ICMP message, or at the route; allow TCP port {port} to this name there."
    ),
    ("tcp.timeout", "others-pass"): Advice(
        "Other addresses of this name get through. A firewall looks so whose object for the name has another DNS answer than "
        "this host (Microsoft, Azure Firewall DNS proxy details): let both use the same resolver, or allow the address ranges "
        "of the service tag"
        "; the firewall's log shows our address and ports.",
        confidence="possible",
    ),
    ("tcp.timeout", "other-family"): Advice(
        "Only the {family} addresses of this name are closed: allow TCP port {port} over {family} as well, or do without {family} "
        "on this host."
    ),
    ("tcp.timeout", "one-range"): Advice(
        "All that is closed beside open addresses lies in {range}, whichever name it belongs to: look for a rule by addresses, "
        "and allow TCP port {port} to that range."
    ),
    ("tcp.reset", "others-pass"): Advice(
        "Other addresses of this name get through. A firewall looks so whose object for the name has another DNS answer than "
        "this host (Microsoft, Azure Firewall DNS proxy details): let both use the same resolver, or allow the address ranges "
        "of the service tag"
        ". A server whose service is down refuses in the same way.",
        confidence="possible",
    ),
    ("tcp.reset", "other-family"): Advice(
        "Only the {family} addresses of this name are closed: allow TCP port {port} over {family} as well, or do without {family} "
        "on this host."
    ),
    ("tcp.reset", "one-range"): Advice(
        "All that is closed beside open addresses lies in {range}, whichever name it belongs to: look for a rule by addresses, "
        "and allow TCP port {port} to that range."
    ),
    ("tcp.unreachable", "others-pass"): Advice(
        "Other addresses of this name get through. A firewall looks so whose object for the name has another DNS answer than "
        "this host (Microsoft, Azure Firewall DNS proxy details): let both use the same resolver, or allow the address ranges "
        "of the service tag"
        ". The evidence names the sender of the ICMP message where it is known.",
        confidence="possible",
    ),
    ("tcp.unreachable", "other-family"): Advice(
        "Only the {family} addresses of this name are closed: allow TCP port {port} over {family} as well, or do without {family} "
        "on this host."
    ),
    ("tcp.unreachable", "one-range"): Advice(
        "All that is closed beside open addresses lies in {range}, whichever name it belongs to: look for a rule by addresses, "
        "and allow TCP port {port} to that range."
    ),
    ("tcp.accept-all", ""): Advice(
        "Nothing to do when all names pass; otherwise find the transparent proxy on the way."
    ),
}

TLS: dict[tuple[str, str], Advice] = {
    ("tls.intercepted", ""): Advice(
        "Exempt this name from TLS inspection at the device that re-signs it: Microsoft forbids inspection for the connector, "
        "whose client certificate cannot pass."
    ),
    ("tls.untrusted", ""): Advice(
        "Find out who issued this certificate; when it is your own inspection, exempt this name."
    ),
    ("tls.self-signed", ""): Advice(
        "Find out who answers at this address; when it is a block page or an appliance, allow the real host."
    ),
    ("tls.issuer-unexpected", ""): Advice(
        "Ask Microsoft's documentation whether the service has moved to this CA; otherwise treat it as interception."
    ),
    ("tls.revoked", ""): Advice("Do not trust this server; report it."),
    ("tls.expired", ""): Advice(
        "Check this host's clock; when it is right, the server's certificate is out of date."
    ),
    ("tls.expired", "clock-agrees"): Advice(
        "This host's clock agrees with several servers': the certificate that is served there is out of date."
    ),
    ("tls.not-yet-valid", ""): Advice(
        "Check this host's clock; when it is right, the server shows a certificate that is not valid yet."
    ),
    ("tls.not-yet-valid", "clock-agrees"): Advice(
        "This host's clock agrees with several servers': the certificate that is served there is not valid yet."
    ),
    ("tls.name-mismatch", ""): Advice(
        "Another server answers at this address. Compare the address with what another resolver gives: a DNS filter or a hosts "
        "file may lead this name there. If it is the service's own, look for a device that answers in its place."
    ),
    ("tls.name-mismatch", "many-addresses"): Advice(
        "One server answers at the addresses of several names: look for a device on the way that takes their connections (a "
        "captive portal, a block page), and let these addresses through.",
        owner="firewall",
    ),
    ("tls.incomplete-chain", ""): Advice(
        "Allow the issuer's certificate to be fetched (port 80) from the address that the certificate names."
    ),
    ("tls.incomplete-chain", "page"): Advice(
        "A web page comes in place of the issuer's certificate: look for a captive portal, a block page or a proxy on port 80, "
        "which is open there.",
        owner="firewall",
    ),
    ("tls.incomplete-chain", "answered"): Advice(
        "HTTP answers at the address that the certificate names for its issuer, and not with the issuer's certificate: ask there "
        "from another network. Where the certificate comes, look for a device on port 80 here; where not, report it to the CA."
    ),
    ("tls.incomplete-chain", "no-answer"): Advice(
        "Port 80 opens at the address that the certificate names for its issuer, and no whole answer comes: look in the web "
        "filter or proxy on port 80 for that host, then at the host.",
        owner="firewall",
    ),
    ("tls.incomplete-chain", "not-asked"): Advice(
        "Fetch the issuer's certificate from the address that the certificate names, which this audit did not ask: port 80 is open "
        "at that host for other documents."
    ),
    ("tls.version", ""): Advice(
        "Find out who answers there: Microsoft's servers offer TLS 1.2; an old inspecting device may not."
    ),
    ("tls.malformed", ""): Advice(
        "Find out what answers at this address: what came breaks TLS. The JSON report (--format json) holds the bytes."
    ),
    ("tls.malformed", "key-refuted"): Advice(
        "Find what answers in the server's place: it shows a copy of the server's certificate and cannot sign with its key. "
        "Compare the addresses that the name resolves to from another network, and look for a device that redirects them.",
        confidence="proven",
    ),
    ("tls.unverified", ""): Advice(
        "Find out who made this certificate, by the issuer that it names: what cannot be read or checked is named above. "
        "When it is your own inspection, exempt this name."
    ),
    ("tls.reset", ""): Advice(
        "Look in the firewall's log for a rule that cuts TLS by server name (SNI) or by category, and exempt this name."
    ),
    ("tls.reset", "tls13-passes"): Advice(
        "Look in the firewall's log for a rule that cuts TLS 1.2 and lets TLS 1.3 pass to this name; where there is none, the "
        "server offers no TLS 1.2, which a connector needs."
    ),
    ("tls.reset", "certificate-shown"): Advice(
        "Look in the firewall's log for a rule that cuts a connection once it has seen the server's certificate (by category "
        "or issuer), and exempt this name."
    ),
    ("tls.reset", "certificate-asked"): Advice(
        "Look in the firewall's log for a rule that cuts connections in which a client certificate is asked for, and exempt "
        "this name; where there is none, the server itself resets who has no certificate, and nothing is blocked."
    ),
    (ANY, "key-not-proved"): Advice(
        "Find out who answers there: the end is that of a server that wants a client certificate, but it came before the "
        "server had proved its key, which RSA key exchange does last."
    ),
    ("tls.timeout", ""): Advice(
        "Look for a device that swallows the ClientHello: inspection by server name, or a path MTU fault."
    ),
    ("tls.alert", ""): Advice(
        "Look at the device or server that sent the alert: a policy may refuse this server name."
    ),
    ("tls.alert", "certificate-shown"): Advice(
        "Look at the device or server that sent the alert: it came after the server's certificate, before anything of ours "
        "could displease the server."
    ),
    ("tls.alert", "certificate-asked"): Advice(
        "Look at the log of the device or server that sent the alert: it came after a request for a client certificate, and is "
        "none of those that answer a missing one."
    ),
    ("tls.not-tls", ""): Advice(
        "Find out what answers there without TLS: captive portals and block pages do so on port 443."
    ),
    ("tls.large-hello-blocked", ""): Advice(
        "Not a connector's problem today; browsers behind this firewall suffer. Update the inspecting device."
    ),
}
