"""What to do: one table of advice, by cause and by what was seen of it.

A cause alone does not tell what to do: a list that ran out is one thing behind a cache that names itself and another where
nothing but its date is known. A *circumstance* is the short word for what was seen. "" stands for a cause of which nothing
more is known: its text accuses no device and no team that the evidence does not show. A row may also name who must act and
how much the evidence carries, where that differs from what `rules.causes` says of the cause.

Row for row, tests/rules/test_remedies.py names a network in which the advice appears and one in which it must not.
"""

from __future__ import annotations

from dataclasses import dataclass

from rules.verdict import Confidence, Owner

#: In place of a cause: the circumstance says what to do whatever failed there.
ANY = "*"


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do. `owner` and `confidence`: None where those of the cause hold. `{port}` and the like are filled in."""

    text: str
    owner: Owner | None = None
    confidence: Confidence | None = None


_HOST: dict[tuple[str, str], Advice] = {
    (ANY, "this-host-alone"): Advice(
        "Mend the name on this host first: no resolver gives this address.", owner="host"
    ),
    ("local.no-route", ""): Advice("Connect the host, or give it a default route; then run the audit again."),
    ("local.no-resolver", ""): Advice(
        "Check the resolver's address and that DNS (UDP and TCP port 53) from this host to it is allowed."
    ),
    ("local.no-resolver", "knows-no-public-name"): Advice(
        "Let this resolver resolve public names, or point the host at one that does. Behind an outbound proxy a host may "
        "have no public DNS at all: then test through the proxy."
    ),
    ("local.no-resolver", "refuses-every-name"): Advice(
        "Add this host to the resolver's access list, or point it at a resolver that serves it."
    ),
    ("local.clock-skew", ""): Advice(
        "Set the clock (w32time, chrony): beyond 5 minutes Windows fails to validate chains and Kerberos breaks."
    ),
    ("proxy.not-tested", ""): Advice(
        "Test the way through the proxy; nothing needs to be opened for the direct way as long as the connector uses it."
    ),
    ("proxy.auth-required", ""): Advice(
        "A transparent proxy wants a password; a connector cannot give one: exempt this host."
    ),
    ("path.family-broken", ""): Advice(
        "Repair {family} or take its default route away: connections wait for it first."
    ),
    ("path.sweep-detected", ""): Advice(
        "Wait until the block ends, then run the audit at the polite pace, or have this host exempted."
    ),
    ("audit.not-reached", "restrained"): Advice(
        "Mend what is reported, then run the audit again; in an agreed change window --pace fast goes on to the end."
    ),
    ("audit.not-recorded", "ca-set-missing"): Advice(
        "Give --ca-set the file of {sets}, as the recording had it, and replay again.", owner="host"
    ),
    ("audit.no-tenant", ""): Advice("Give --tenant with the tenant's id or domain."),
    ("audit.no-probe-name", ""): Advice("Allow the wildcard; nothing here shows whether it is open."),
    ("audit.not-on-list", ""): Advice(
        "Allow {host} on port 80 as well: Microsoft's list does not name it, the certificates do."
    ),
}

_DNS: dict[tuple[str, str], Advice] = {
    ("dns.nxdomain", ""): Advice(
        "Ask whoever runs the resolver: an internal zone of the same name hides the public one, or the name is blocked."
    ),
    ("dns.nxdomain", "tenant"): Advice(
        "Check the tenant id {tenant}; if it is right, the resolver hides this zone."
    ),
    ("dns.no-address", ""): Advice(
        "The name exists without an address record: look for an internal zone of the same name."
    ),
    (ANY, "zone-unknown"): Advice(
        "Ask whoever runs the resolver whether it serves a zone of its own for these names, or filters them."
    ),
    ("dns.servfail", ""): Advice(
        "The resolver cannot reach the name's servers, or validation fails: look at its log for this name."
    ),
    ("dns.refused", ""): Advice("The resolver refuses this name: look for a policy or an access list there."),
    ("dns.refused", "own-word"): Advice(
        "The resolver says that it does not serve this host: add the host's address to the resolver's access list, there or "
        "where that resolver asks.",
        confidence="likely",
    ),
    ("dns.timeout", ""): Advice(
        "Check that the resolver runs, and that DNS (UDP and TCP port 53) from this host to it and from it to the internet is "
        "allowed."
    ),
    ("dns.timeout", "others-pass"): Advice(
        "The resolver answers other names and stays silent about this one: look at its log, and at its way to the servers of "
        "this name's zone."
    ),
    ("dns.timeout", "resolver-named"): Advice("Repair {resolver} or do not name it with --resolver."),
    ("dns.timeout", "resolver-first"): Advice(
        "Repair {resolver} or take it out of this host's configuration, where it stands first: {lookups}."
    ),
    ("dns.timeout", "resolver-later"): Advice(
        "Repair {resolver} or take it out of this host's configuration, where others stand before it: {lookups}."
    ),
    ("dns.chain-broken", ""): Advice(
        "Look up at the resolver, and in its log, the name of the chain that fails: the first name alone leads nowhere."
    ),
    ("dns.chain-broken", "by-itself"): Advice(
        "Let the resolver {resolver} resolve {link}: devices on the way look up every name of the chain by itself."
    ),
    ("dns.chain-broken", "nxdomain"): Advice(
        "Ask whoever runs the resolver about the name of the chain that does not exist there: a zone of its own hides the "
        "public one, or a filter does."
    ),
    ("dns.chain-broken", "no-address"): Advice(
        "The last name of the chain has no address record: look for an internal zone of its name at the resolver."
    ),
    ("dns.chain-broken", "refused"): Advice(
        "Allow every name of the chain at the resolver, not only the first: it, or a server that it asks, refuses one of them."
    ),
    ("dns.chain-broken", "servfail"): Advice(
        "Look at the resolver's log for the name of the chain that fails: its servers cannot be reached or refuse the "
        "resolver, or validation fails."
    ),
    ("dns.chain-broken", "timeout"): Advice(
        "Look at the resolver's log for the name of the chain that gets no answer, and at the way from the resolver to the "
        "servers of that name's zone."
    ),
    (ANY, "private-zone"): Advice(
        "Whoever runs the private zone {zone}: add the record, or take away the zone's link to the network of this resolver. In "
        "Azure Private DNS a link can also fall back to the internet for names that the zone lacks (NxDomainRedirect)."
    ),
    ("dns.chain-loop", ""): Advice("Look for an internal zone that points this name back at itself."),
    ("dns.chain-too-long", ""): Advice("Look for an internal zone that adds names to this chain."),
    ("dns.malformed", ""): Advice(
        "The answers break the protocol: look at the resolver, and at a DNS proxy or inspection on the way to it."
    ),
    ("dns.malformed", "no-question"): Advice(
        "A forwarder at {resolver} answers without repeating the question, so that programs drop its answers: update or replace "
        "it, or use another resolver. The answers come through: no port is closed."
    ),
    ("dns.wrong-source", ""): Advice(
        "The answers come through, and programs drop them because of their sender: look for a resolver with two addresses, and "
        "for a device that redirects port 53 and does not translate the way back."
    ),
    ("dns.tcp-blocked", ""): Advice(
        "Allow TCP port 53 from this host to its resolvers: long answers need it."
    ),
    ("dns.tcp-blocked", "in-part"): Advice("Allow TCP port 53 from this host to its resolvers."),
    ("dns.sinkholed", ""): Advice("A filter answers for this name: exempt it at the DNS filter."),
    ("dns.sinkholed", "own-word"): Advice(
        "The resolver says that a policy keeps it from resolving this name: make an exception at the DNS filter, there or where "
        "that resolver asks.",
        confidence="likely",
    ),
    ("dns.private-address", ""): Advice(
        "An internal zone or a filter answers for this public name: remove the override."
    ),
    ("dns.synthetic", ""): Advice(
        "An agent or a proxy answers for this name with an address of its own making: exempt the name there."
    ),
    ("dns.wildcarded", ""): Advice(
        "This resolver answers every name (captive portal or search page): use another resolver."
    ),
    ("dns.wildcarded", "canary"): Advice(
        "Use a resolver that says that a name does not exist; a captive portal may want a sign-in first."
    ),
    ("dns.resolvers-disagree", ""): Advice(
        "Make all resolvers of this host give the same answers for this name."
    ),
    ("dns.os-differs", ""): Advice(
        "Look for this name in the hosts file, in the name resolution policy (NRPT) and in the search list of this host."
    ),
    ("dns.os-differs", "address-fails"): Advice(
        "Look for this name in the hosts file and in the name resolution policy."
    ),
}

_TCP: dict[tuple[str, str], Advice] = {
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
    ("tcp.accept-all", ""): Advice(
        "Nothing to do when all names pass; otherwise find the transparent proxy on the way."
    ),
}

_TLS: dict[tuple[str, str], Advice] = {
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
    ("tls.not-yet-valid", ""): Advice("Check this host's clock."),
    ("tls.name-mismatch", ""): Advice(
        "The address is another's: mend the name where it is overridden (DNS, hosts file), then look at the way."
    ),
    ("tls.incomplete-chain", ""): Advice(
        "Allow the issuer's certificate to be fetched (port 80) from the address that the certificate names."
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

_HTTP: dict[tuple[str, str], Advice] = {
    ("http.block-page", ""): Advice(
        "Exempt this host from web filtering on port 80: a page comes in place of the real answer."
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

_REVOCATION: dict[tuple[str, str], Advice] = {
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
    ("crl.stale", ""): Advice(
        "Fetch the list from another network: an old one there as well is the publisher's, a new one means that this network "
        "keeps an old copy."
    ),
    ("crl.stale", "cached"): Advice(
        "The cache that the answer names serves the list past its end: let it fetch this host's lists anew, or exempt the host "
        "from caching.",
        owner="proxy",
    ),
    ("crl.stale", "cached-by-publisher"): Advice(
        "The cache that the answer names looks like one of the publisher's own delivery network: report the old list to the CA.",
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
    ("ocsp.stale", "cached-by-publisher"): Advice(
        "The cache that the answer names looks like one of the responder's own delivery network: report the old answer to the "
        "CA.",
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

#: All rows, the lower layers first.
ADVICE: dict[tuple[str, str], Advice] = {**_HOST, **_DNS, **_TCP, **_TLS, **_HTTP, **_REVOCATION}

#: By cause alone: what is said where nothing more is known.
BY_CAUSE: dict[str, str] = {
    cause: advice.text for (cause, circumstance), advice in ADVICE.items() if not circumstance
}


def advice(cause: str, circumstance: str = "") -> Advice | None:
    """The row for a cause in a circumstance: the cause's own, one that holds for any cause, or what holds always."""
    for row in ((cause, circumstance), (ANY, circumstance), (cause, "")):
        if row in ADVICE:
            return ADVICE[row]
    return None


def remedy(cause: str, circumstance: str = "", **values: str | int) -> str:
    """What to do, in a sentence; "" where there is nothing to do. `values` fill the places of the text."""
    found = advice(cause, circumstance)
    return found.text.format(**values) if found is not None else ""
