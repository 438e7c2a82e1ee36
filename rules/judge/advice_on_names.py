"""Advice on this host, its resolvers and what names resolve to: rows of the table in `rules.judge.remedies`."""

from __future__ import annotations

from rules.judge.advice import ANY, Advice

HOST: dict[tuple[str, str], Advice] = {
    (ANY, "this-host-alone"): Advice(
        "Correct the name on this host first: no resolver gives this address.", owner="host"
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
        "Set the clock (w32time, chrony). Kerberos tolerates 5 minutes unless a policy says otherwise (Microsoft, Kerberos "
        "policy); what else fails on Windows with this difference is not known."
    ),
    ("local.clock-skew", "certificates"): Advice(
        "Set the clock (w32time, chrony): by it the certificates of the service are not valid, and Windows calls such a chain "
        "not time valid (Microsoft, CERT_TRUST_STATUS)."
    ),
    ("local.clock-skew", "certificates-alone"): Advice(
        "Compare this host's clock with a good one and set it (w32time, chrony). When it is right, fetch one of these "
        "certificates from another network: then the servers show certificates that are not valid.",
        confidence="likely",
    ),
    ("proxy.not-tested", ""): Advice(
        "Test the way through the proxy; nothing needs to be opened for the direct way as long as the connector uses it."
    ),
    ("proxy.not-tested", "automatic"): Advice(
        "Find out which proxy, if any, this setting gives for this name, and test the way through it. Where it gives none, "
        "the direct way is used and has to be open."
    ),
    ("proxy.not-tested", "certificate-check"): Advice(
        "Test the way through the proxy; nothing needs to be opened for the direct way as long as Windows uses it for "
        "certificate checks."
    ),
    (ANY, "winhttp-alone"): Advice(
        "Windows fetches this by WinHTTP's setting, and the connector's own proxy ({source}) does not count for it: instead, a "
        "proxy can be set for WinHTTP (netsh winhttp set proxy)."
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
        "Repair what is reported, then run the audit again; in an agreed change window --pace fast goes on to the end."
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

DNS: dict[tuple[str, str], Advice] = {
    ("dns.nxdomain", ""): Advice(
        "Ask the people who run the resolver: an internal zone of the same name hides the public one, or the name is blocked."
    ),
    ("dns.nxdomain", "tenant"): Advice(
        "Check the tenant id {tenant}; if it is right, the resolver hides this zone."
    ),
    ("dns.no-address", ""): Advice(
        "The name exists without an address record: look for an internal zone of the same name."
    ),
    (ANY, "knows-no-public-name"): Advice(
        "Let {resolver} resolve public names (recursion, a forwarder that answers), or take it out of this host's configuration."
    ),
    (ANY, "zone-unknown"): Advice(
        "Ask the people who run the resolver whether it serves a zone of its own for these names, or filters them."
    ),
    ("dns.servfail", ""): Advice(
        "The resolver cannot reach the name's servers, or validation fails: look at its log for this name."
    ),
    ("dns.refused", ""): Advice("The resolver refuses this name: look for a policy or an access list there."),
    ("dns.refused", "refuses-every-name"): Advice(
        "Add this host to the access list of {resolver}, or have it resolve public names for this host (recursion); or take it "
        "out of this host's configuration."
    ),
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
        "Look at the resolver for the name of the chain that does not exist there: a zone of its own hides the public one, or a "
        "filter does."
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
        "In the private zone {zone}: add the record, or take away the zone's link to the network of this resolver. In Azure "
        "Private DNS a link can also fall back to the internet for names that the zone lacks (NxDomainRedirect)."
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
    ("dns.sinkholed", "portal"): Advice(
        "Exempt this name at the DNS filter, or ask the people who run the resolver why it gives this address: no certificate "
        "for it came from there.",
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
