"""The registry: every hostile or broken network that the audit is tried on, by layer."""

from __future__ import annotations

from tests.lab.scenario import Scenario
from tests.lab.scenarios import (
    client_certificates,
    healthy,
    host,
    http_revocation,
    odd_certificates,
    port_80,
    portals,
    resolution,
    resolution_links,
    revocation,
    some_addresses,
    tcp,
    tls,
    tls_devices,
    two_faults,
)

ONE_FAULT: tuple[Scenario, ...] = (
    *healthy.SCENARIOS,
    *resolution.SCENARIOS,
    *resolution_links.SCENARIOS,
    *portals.SCENARIOS,
    *tcp.SCENARIOS,
    *some_addresses.SCENARIOS,
    *tls.SCENARIOS,
    *client_certificates.SCENARIOS,
    *tls_devices.SCENARIOS,
    *odd_certificates.SCENARIOS,
    *http_revocation.SCENARIOS,
    *revocation.SCENARIOS,
    *port_80.SCENARIOS,
    *host.SCENARIOS,
)

SCENARIOS: tuple[Scenario, ...] = (*ONE_FAULT, *two_faults.of(ONE_FAULT))
