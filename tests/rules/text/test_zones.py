"""What counts as one owner's zone: the Public Suffix List's ICANN section, and what is in no list."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.http_answer.links import redirect_kind
from rules.judge import dns_views
from rules.text.zones import related, zone
from rules.watch import ledger

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eur.servicebus.windows.net", "windows.net"),
        ("t.bootstrap.msappproxy.net", "msappproxy.net"),
        ("crl.contoso.co.uk", "contoso.co.uk"),
        ("A.B.Example.COM.", "example.com"),
        ("a.b.c.ck", "b.c.ck"),  # *.ck
        ("www.ck", "www.ck"),  # !www.ck
        ("x.www.ck", "www.ck"),
        ("city.kawasaki.jp", "city.kawasaki.jp"),  # !city.kawasaki.jp under *.kawasaki.jp
        ("a.b.kawasaki.jp", "a.b.kawasaki.jp"),
        ("co.uk", "co.uk"),
        ("com", "com"),
        ("localhost", "localhost"),
        ("proxy.corp.internal-name", "corp.internal-name"),  # a top-level domain that no list has
        ("shop.b\u00fccher.example.de", "example.de"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("www.B\u00dcCHER.de", "xn--bcher-kva.de"),
        ("a.\u516c\u53f8.cn", "a.xn--55qx5d.cn"),
        ("a.xn--55qx5d.cn", "a.xn--55qx5d.cn"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:DB8::7]", "[2001:db8::7]"),
        ("", ""),
        (".", ""),
    ],
)
def test_zones(name: str, expected: str) -> None:
    assert zone(name) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # the private section of the list has these suffixes, and one owner stands behind each
        ("a.servicebus.windows.net", "b.servicebus.windows.net"),
        ("a.servicebus.windows.net", "login.windows.net"),
        ("a.trafficmanager.net", "b.trafficmanager.net"),
        ("a.westeurope.cloudapp.azure.com", "b.azure.com"),
        ("ctldl.windowsupdate.com", "WindowsUpdate.com."),
    ],
)
def test_names_of_one_owner_are_related(one: str, other: str) -> None:
    assert related(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("contoso.co.uk", "isp.co.uk"),
        ("crl.contoso.com.au", "portal.isp.com.au"),
        ("a.servicebus.windows.net", "a.msappproxy.net"),
        ("10.0.0.1", "192.168.0.1"),  # the last two numbers of an address are no zone
        ("host", "other"),
    ],
)
def test_names_of_two_owners_are_not(one: str, other: str) -> None:
    assert not related(one, other)


@given(st.text(max_size=400) | st.binary(max_size=300).map(lambda raw: raw.decode("latin-1")))
def test_no_name_of_a_peer_raises_and_its_case_does_not_matter(name: str) -> None:
    assert related(name, name.upper()) or not name.isascii()


def test_two_relays_stay_one_zone_wherever_zones_are_compared() -> None:
    """And `co.uk` is none: the four places at which the last two labels stood once."""
    for same, first, second in (
        (True, "a.servicebus.windows.net", "b.servicebus.windows.net"),
        (False, "crl.contoso.co.uk", "portal.isp.co.uk"),
    ):
        assert (redirect_kind(f"http://{second}/", first) is None) is same
        assert (ledger._suffix(first) == ledger._suffix(second)) is same
        assert (dns_views._zone(first) == dns_views._zone(second)) is same
        assert related(first, second) is same  # what interception compares by


def test_a_name_without_end_costs_no_more_than_its_last_labels() -> None:
    assert zone("x." * 100_000 + "example.com") == "example.com"
    assert zone("a" * 100_000) == "a" * 100_000


def test_the_list_is_not_read_before_a_zone_is_asked_for() -> None:
    """It costs 40 ms, which `--help` and `--version` must not pay."""
    code = "import sys, rules.text.zones, rules.pki.interception; sys.exit(rules.text.zones._list.cache_info().currsize)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
