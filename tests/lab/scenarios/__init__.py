"""The registry: every hostile or broken network that the audit is tried on, by layer."""

from __future__ import annotations

from tests.lab.scenario import Scenario
from tests.lab.scenarios import (
    client_certificates,
    healthy,
    host,
    http_revocation,
    port_80,
    resolution,
    resolution_links,
    revocation,
    tcp,
    tls,
    tls_devices,
)

SCENARIOS: tuple[Scenario, ...] = (
    *healthy.SCENARIOS,
    *resolution.SCENARIOS,
    *resolution_links.SCENARIOS,
    *tcp.SCENARIOS,
    *tls.SCENARIOS,
    *client_certificates.SCENARIOS,
    *tls_devices.SCENARIOS,
    *http_revocation.SCENARIOS,
    *revocation.SCENARIOS,
    *port_80.SCENARIOS,
    *host.SCENARIOS,
)
