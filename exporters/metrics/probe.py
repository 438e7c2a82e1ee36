"""One measurement in the format of blackbox_exporter (`probe_*`), for Prometheus servers that start the probes."""

from __future__ import annotations

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Gauge, generate_latest

_FNV_PRIME, _FNV_OFFSET = 16_777_619, 2_166_136_261


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """The result of one probe. Seconds; `expiry` is Unix time; None where the stage was not reached."""

    success: bool
    duration: float
    limit: float
    address: str = ""
    lookup: float | None = None
    connect: float | None = None
    tls: float | None = None
    first_byte: float | None = None
    tls_version: str = ""
    expiry: float | None = None
    status: int | None = None


def render(found: ProbeResult) -> str:
    """Prometheus text. It holds no text of the peer: as in blackbox_exporter, the address appears only as a hash."""
    registry = CollectorRegistry()

    def gauge(name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(name, text, registry=registry).set(value)

    gauge("probe_success", "Whether the target is as a connector needs it (1)", float(found.success))
    gauge("probe_duration_seconds", "Seconds that the probe took", found.duration)
    gauge("probe_timeout_seconds", "Seconds that it might have taken", found.limit)
    gauge("probe_dns_lookup_time_seconds", "Seconds that the last lookup took", found.lookup)
    if found.address:
        gauge("probe_ip_protocol", "4 or 6", 6.0 if ":" in found.address else 4.0)
        gauge(
            "probe_ip_addr_hash", "FNV-1a hash of the address, to tell a change", float(_fnv(found.address))
        )
    phases = {"connect": found.connect, "tls": found.tls, "processing": found.first_byte}
    if any(seconds is not None for seconds in phases.values()):
        duration = Gauge("probe_http_duration_seconds", "Seconds by phase", ["phase"], registry=registry)
        for phase, seconds in phases.items():
            if seconds is not None:
                duration.labels(phase).set(seconds)
    gauge("probe_http_status_code", "HTTP status, where one was asked for", found.status)
    gauge("probe_ssl_earliest_cert_expiry", "notAfter of the server's certificate, Unix time", found.expiry)
    if found.tls_version:
        info = Gauge(
            "probe_tls_version_info", "TLS version that was agreed on (1)", ["version"], registry=registry
        )
        info.labels(found.tls_version).set(1)
    return generate_latest(registry).decode()


def _fnv(text: str) -> int:
    value = _FNV_OFFSET
    for byte in text.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return value
