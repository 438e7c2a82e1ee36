"""`/probe` in blackbox_exporter's words."""

from __future__ import annotations

import re

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporters.metrics.probe import ProbeResult, render

TLS = ProbeResult(
    True, 0.25, 9.5, "20.50.1.1", 0.01, 0.02, 0.03, tls_version="TLSv1.2", expiry=1.9e9, status=403
)  # fmt: skip


def values(found: ProbeResult) -> dict[tuple[str, ...], float]:
    """Every sample by its name and the values of its labels."""
    families = text_string_to_metric_families(render(found))
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_a_handshake() -> None:
    told = values(TLS)
    address_hash = told.pop(("probe_ip_addr_hash",))
    assert told == {
        ("probe_success",): 1,
        ("probe_duration_seconds",): 0.25,
        ("probe_timeout_seconds",): 9.5,
        ("probe_dns_lookup_time_seconds",): 0.01,
        ("probe_ip_protocol",): 4,
        ("probe_http_duration_seconds", "connect"): 0.02,
        ("probe_http_duration_seconds", "tls"): 0.03,
        ("probe_http_status_code",): 403,
        ("probe_ssl_earliest_cert_expiry",): 1.9e9,
        ("probe_tls_version_info", "TLSv1.2"): 1,
    }
    assert 0 < address_hash < 2**32


def test_a_page() -> None:
    told = values(ProbeResult(True, 0.2, 9.5, "2001:db8::1", connect=0.01, first_byte=0.02, status=200))
    assert told[("probe_ip_protocol",)] == 6
    assert told[("probe_http_duration_seconds", "processing")] == 0.02
    assert not [key for key in told if "ssl" in key[0] or "tls" in key[0] or "tls" in key[1:]]


def test_what_was_not_reached_is_not_told() -> None:
    assert set(values(ProbeResult(False, 10.0, 9.5))) == {
        ("probe_success",),
        ("probe_duration_seconds",),
        ("probe_timeout_seconds",),
    }


@pytest.mark.parametrize(("address", "expected"), [("a", 0xE40C292C), ("foobar", 0xBF9CF968)])
def test_the_hash_is_fnv_1a(address: str, expected: int) -> None:
    """Test vectors of draft-eastlake-fnv, appendix C."""
    assert values(ProbeResult(True, 0.1, 1.0, address))[("probe_ip_addr_hash",)] == expected


def test_each_metric_has_its_help_and_type_once() -> None:
    text = render(TLS)
    for name in set(re.findall(r"^(probe_\w+)", text, re.MULTILINE)):
        assert text.count(f"# HELP {name} ") == text.count(f"# TYPE {name} gauge\n") == 1
    assert text.endswith("\n")


def test_an_address_is_no_label() -> None:
    assert "20.50.1.1" not in render(TLS)
