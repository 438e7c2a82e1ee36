"""Time and size limits of every stage. Defaults follow OONI's and the monitoring plugins' ten seconds per check."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.kinds.http_fetch import BODY_KEPT, CRL_CAP


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits in seconds and bytes. `dns_name`: one question with all its retries (UDP, without EDNS, TCP)."""

    dns_try: float = 2.0
    dns_name: float = 5.0
    os_lookup: float = 5.0
    tcp: float = 5.0
    tls: float = 5.0
    first_byte: float = 5.0
    http: float = 10.0
    crl: float = 30.0
    tls_bytes: int = 1_048_576  # most that the peer may send in a handshake
    header_bytes: int = 16_384
    header_count: int = 100
    body: int = BODY_KEPT
    crl_body: int = CRL_CAP
