"""Records of the vocabulary (`rules.model.causes`): resolution."""

from __future__ import annotations

from rules.model.causes.record import Cause, Circumstance

DNS_NXDOMAIN = Cause(
    "dns.nxdomain",
    owner="dns",
    confidence="possible",
    plural="{n} names do not exist for this host's resolver",
    remedy="Ask the people who run the resolver: an internal zone of the same name hides the public one, or the name is blocked.",
    open_reason="no name that is known under a required wildcard resolves",
    circumstances=(
        Circumstance(
            "tenant",
            "Check the tenant id {tenant} (Entra admin center, Overview). If it is right, the resolver hides this zone: ask the "
            "people who run it.",
            owner="host",
        ),
    ),
)

DNS_NO_ADDRESS = Cause(
    "dns.no-address",
    owner="dns",
    plural="{n} names have no address",
    remedy="The name exists without an address record: look for an internal zone of the same name.",
)

DNS_SERVFAIL = Cause(
    "dns.servfail",
    owner="dns",
    plural="{n} names cannot be resolved (SERVFAIL)",
    remedy="The resolver cannot reach the name's servers, or validation fails: look at its log for this name.",
)

DNS_REFUSED = Cause(
    "dns.refused",
    owner="dns",
    plural="The resolver refuses {n} names",
    remedy="The resolver refuses this name: look for a policy or an access list there.",
    circumstances=(
        Circumstance(
            "refuses-every-name",
            "Add this host to the access list of {resolver}, or have it resolve public names for this host (recursion); or take "
            "it out of this host's configuration.",
        ),
        Circumstance(
            "own-word",
            "The resolver says that it does not serve this host: add the host's address to the resolver's access list, there or "
            "where that resolver asks.",
            plural="The resolver refuses {n} names to this host, by its own word",
        ),
    ),
)

DNS_TIMEOUT = Cause(
    "dns.timeout",
    owner="dns",
    plural="{n} names get no answer from the resolver",
    remedy="Check that the resolver runs, and that DNS (UDP and TCP port 53) from this host to it and from it to the internet "
    "is allowed.",
    silence=True,
    circumstances=(
        Circumstance(
            "others-pass",
            "The resolver answers other names and stays silent about this one: look at its log, and at its way to the servers "
            "of this name's zone.",
            plural="{n} names get no answer from a resolver that answers others",
        ),
        Circumstance("resolver-named", "Repair {resolver} or do not name it with --resolver."),
        Circumstance(
            "resolver-first",
            "Repair {resolver} or take it out of this host's configuration, where it stands first: {lookups}.",
        ),
        Circumstance(
            "resolver-later",
            "Repair {resolver} or take it out of this host's configuration, where others stand before it: {lookups}.",
        ),
    ),
)

DNS_CHAIN_BROKEN = Cause(
    "dns.chain-broken",
    owner="dns",
    remedy="Look up at the resolver, and in its log, the name of the chain that fails: the first name alone leads nowhere.",
    circumstances=(
        Circumstance(
            "by-itself",
            "Let the resolver {resolver} resolve {link}: network devices look up every name of the chain by itself.",
        ),
        Circumstance(
            "nxdomain",
            "Look at the resolver for the name of the chain that does not exist there: a zone of its own hides the public one, "
            "or a filter does.",
        ),
        Circumstance(
            "no-address",
            "The last name of the chain has no address record: look for an internal zone of its name at the resolver.",
        ),
        Circumstance(
            "refused",
            "Allow every name of the chain at the resolver, not only the first: it, or a server that it asks, refuses one of "
            "them.",
        ),
        Circumstance(
            "servfail",
            "Look at the resolver's log for the name of the chain that fails: its servers cannot be reached or refuse the "
            "resolver, or validation fails.",
        ),
        Circumstance(
            "timeout",
            "Look at the resolver's log for the name of the chain that gets no answer, and at the way from the resolver to the "
            "servers of that name's zone.",
        ),
    ),
)

DNS_CHAIN_LOOP = Cause(
    "dns.chain-loop",
    owner="dns",
    remedy="Look for an internal zone that points this name back at itself.",
)

DNS_CHAIN_TOO_LONG = Cause(
    "dns.chain-too-long",
    owner="dns",
    remedy="Look for an internal zone that adds names to this chain.",
)

DNS_MALFORMED = Cause(
    "dns.malformed",
    owner="dns",
    plural="The answers for {n} names break the protocol",
    remedy="The answers break the protocol: look at the resolver, and at a DNS proxy or inspection between it and this host.",
    circumstances=(
        Circumstance(
            "no-question",
            "A forwarder at {resolver} answers without repeating the question, so that programs drop its answers: update or "
            "replace it, or use another resolver. The answers come through: no port is closed.",
            plural="The answers for {n} names do not repeat the question",
        ),
    ),
)

DNS_WRONG_SOURCE = Cause(
    "dns.wrong-source",
    owner="dns",
    plural="The answers for {n} names come from another address than the one that was asked",
    remedy="The answers come through, and programs drop them because of their sender: look for a resolver with two addresses, "
    "and for a device that redirects port 53 and does not translate the way back.",
)

DNS_TCP_BLOCKED = Cause(
    "dns.tcp-blocked",
    owner="dns",
    plural="{n} names need an answer over TCP, and TCP port 53 is closed",
    remedy="Allow TCP port 53 from this host to its resolvers: long answers need it.",
    circumstances=(Circumstance("in-part", "Allow TCP port 53 from this host to its resolvers."),),
)

DNS_SINKHOLED = Cause(
    "dns.sinkholed",
    owner="dns",
    confidence="proven",
    plural="{n} names are answered with a dead-end address",
    remedy="A filter answers for this name: exempt it at the DNS filter.",
    circumstances=(
        Circumstance(
            "own-word",
            "The resolver says that a policy keeps it from resolving this name: make an exception at the DNS filter, there or "
            "where that resolver asks.",
            plural="{n} names are blocked, by the resolver's own word",
            confidence="likely",
        ),
        Circumstance(
            "portal",
            "Exempt this name at the DNS filter, or ask the people who run the resolver why it gives this address: no "
            "certificate for it came from there.",
            plural="{n} names are answered with the address of another server, where unrelated names lead too",
            confidence="likely",
        ),
    ),
)

DNS_PRIVATE_ADDRESS = Cause(
    "dns.private-address",
    owner="dns",
    remedy="An internal zone or a filter answers for this public name: remove the override.",
)

DNS_SYNTHETIC = Cause(
    "dns.synthetic",
    owner="dns",
    remedy="An agent or a proxy answers for this name with an address of its own making: exempt the name there.",
)

DNS_WILDCARDED = Cause(
    "dns.wildcarded",
    owner="dns",
    plural="{n} names get the address that this resolver gives for every name",
    remedy="This resolver answers every name (captive portal or search page): use another resolver.",
    circumstances=(
        Circumstance(
            "canary",
            "Use a resolver that says that a name does not exist; a captive portal may want a sign-in first.",
        ),
    ),
)

DNS_RESOLVERS_DISAGREE = Cause(
    "dns.resolvers-disagree",
    owner="dns",
    remedy="Make all resolvers of this host give the same answers for this name.",
)

DNS_OS_DIFFERS = Cause(
    "dns.os-differs",
    owner="host",
    remedy="Look for this name in the hosts file, in the name resolution policy (NRPT) and in the search list of this host.",
    command="Get-Content $env:SystemRoot\\System32\\drivers\\etc\\hosts; Get-DnsClientNrptPolicy",
    posix_command="cat /etc/hosts /etc/resolv.conf",
    circumstances=(
        Circumstance(
            "address-fails",
            "Look for this name in the hosts file and in the name resolution policy.",
        ),
    ),
)
