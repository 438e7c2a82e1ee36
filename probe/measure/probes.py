"""The probes, one for each kind of question. The list is written by hand; a test holds it equal to `KINDS` of `rules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from probe.measure.kind import Probe
from probe.measure.kinds import (
    dns_chain,
    http_fetch,
    local_host,
    os_lookup,
    tcp_connect,
    tls_handshake,
    trust_store,
)
from rules.model.observation import Step

_LISTED: tuple[Probe[Any, Any], ...] = (
    local_host.PROBE,
    os_lookup.PROBE,
    dns_chain.PROBE,
    tcp_connect.PROBE,
    tls_handshake.PROBE,
    http_fetch.PROBE,
    trust_store.PROBE,
)

PROBES: Mapping[type[Step], Probe[Any, Any]] = {probe.kind.step: probe for probe in _LISTED}
