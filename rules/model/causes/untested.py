"""Records of the vocabulary (`rules.model.causes`): this host, and what could not be tested.

The answer gives its reasons in the order of the records. Causes that leave it open stand in the order of the actions
that they need.
"""

from __future__ import annotations

from rules.model.causes.record import Cause, Circumstance

AUDIT_NO_TENANT = Cause(
    "audit.no-tenant",
    owner="host",
    plural="{n} names hold the tenant's id, which is not known",
    remedy="Give your tenant's id or domain. The id is in the Microsoft Entra admin center under Overview (Tenant ID). "
    "Everything that can be tested without it was tested.",
    command="wayclear audit --tenant contoso.onmicrosoft.com",
    leaves_open=True,
    open_reason="the tenant's own names were not tested (give --tenant)",
    circumstances=(
        Circumstance(
            "no-id",
            "No tenant id was found for {source} (see the notes). Check its spelling, or give the id itself: it is in the "
            "Microsoft Entra admin center under Overview (Tenant ID). Everything that can be tested without it was tested.",
            command="wayclear audit --tenant 00000000-0000-0000-0000-000000000000",
        ),
    ),
)

PROXY_NOT_TESTED = Cause(
    "proxy.not-tested",
    owner="proxy",
    plural="{n} endpoints fail on the direct way; the way through the proxy was not tested",
    remedy="This program does not test the way through a proxy yet. Let the proxy team show that it lets pass what is listed "
    "below, without a sign-in and without TLS inspection of the service. Nothing has to be opened for the direct way as long as "
    "the connector uses the proxy.",
    host_wide=True,
    leaves_open=True,
    open_reason="a proxy is set on this host and the direct way fails; the way through the proxy was not tested",
    circumstances=(
        Circumstance(
            "automatic",
            "Find out which proxy, if any, this setting gives for this name, and test the way through it. Where it gives none, "
            "the direct way is used and has to be open.",
        ),
        Circumstance(
            "certificate-check",
            "Test the way through the proxy; nothing needs to be opened for the direct way as long as Windows uses it for "
            "certificate checks.",
        ),
    ),
)

AUDIT_NOT_REACHED = Cause(
    "audit.not-reached",
    owner="nobody",
    plural="{n} endpoints were not reached in time",
    leaves_open=True,
    open_reason="the audit ended before every name was tested",
    circumstances=(
        Circumstance(
            "restrained",
            "Repair what is reported, then run the audit again; in an agreed change window --pace fast goes on to the end.",
        ),
    ),
)

AUDIT_NOT_RECORDED = Cause(
    "audit.not-recorded",
    owner="nobody",
    plural="The recording lacks what today's rules ask of {n} endpoints",
    leaves_open=True,
    open_reason="the recording does not hold what today's rules ask for",
    circumstances=(
        Circumstance(
            "ca-set-missing",
            "Give --ca-set the file of {sets}, as the recording had it, and replay again.",
            owner="host",
        ),
    ),
)

AUDIT_NO_PROBE_NAME = Cause(
    "audit.no-probe-name",
    owner="nobody",
    plural="{n} wildcards have no citable name to try",
    remedy="Allow the wildcard; nothing here shows whether it is open.",
)

AUDIT_NOT_ON_LIST = Cause(
    "audit.not-on-list",
    owner="nobody",
    remedy="Allow {host} on port 80 as well: Microsoft's list does not name it, the certificates do.",
)

AUDIT_BUG = Cause("audit.bug", owner="wayclear")

PROXY_AUTH_REQUIRED = Cause(
    "proxy.auth-required",
    owner="proxy",
    remedy="A transparent proxy wants a password; a connector cannot give one: exempt this host.",
)

LOCAL_NO_ROUTE = Cause(
    "local.no-route",
    owner="host",
    remedy="Connect the host, or give it a default route; then run the audit again.",
    host_wide=True,
)

LOCAL_NO_RESOLVER = Cause(
    "local.no-resolver",
    owner="host",
    remedy="Check the resolver's address and that DNS (UDP and TCP port 53) from this host to it is allowed.",
    host_wide=True,
    circumstances=(
        Circumstance(
            "knows-no-public-name",
            "Let this resolver resolve public names, or point the host at one that does. Behind an outbound proxy a host may "
            "have no public DNS at all; wayclear cannot test through a proxy yet.",
        ),
        Circumstance(
            "refuses-every-name",
            "Add this host to the resolver's access list, or point it at a resolver that serves it.",
        ),
    ),
)

LOCAL_NO_DESCRIPTORS = Cause("local.no-descriptors", owner="host")

LOCAL_STARVED = Cause("local.starved", owner="host")

LOCAL_LOOKUP = Cause("local.lookup", owner="host")

LOCAL_DENIED = Cause("local.denied", owner="host")

LOCAL_CLOCK_SKEW = Cause(
    "local.clock-skew",
    owner="host",
    remedy="Set the clock. Kerberos tolerates 5 minutes unless a policy says otherwise (Microsoft, Kerberos "
    "policy); what else fails on Windows with this difference is not known.",
    command="w32tm /resync",
    posix_command="chronyc makestep",
    host_wide=True,
    circumstances=(
        Circumstance(
            "certificates",
            "Set the clock: by it the certificates of the service are not valid, and Windows calls such a "
            "chain not time valid (Microsoft, CERT_TRUST_STATUS).",
        ),
        Circumstance(
            "certificates-alone",
            "Compare this host's clock with a good one and set it. When it is right, fetch one of these "
            "certificates from another network: then the servers show certificates that are not valid.",
        ),
    ),
)

LOCAL_UNKNOWN = Cause("local.unknown", owner="host")
