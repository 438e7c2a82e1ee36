"""Address classes: the registries' rows, the IPv4 inside IPv6, and what no configuration may open."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text.address import (
    NEVER,
    AddressClass,
    classify,
    embedded,
    is_broadcast,
    is_own,
    never_connect,
    same_network,
)

V4 = st.builds(IPv4Address, st.integers(0, 2**32 - 1))
V6 = st.builds(IPv6Address, st.integers(0, 2**128 - 1))


@pytest.mark.parametrize(
    ("kind", "addresses"),
    [
        (
            "public",
            "8.8.8.8 20.190.128.1 100.63.255.255 100.128.0.0 172.15.255.255 172.32.0.1 192.0.0.9 198.17.255.255",
        ),
        (
            "public",
            "198.20.0.0 223.255.255.255 2603:1006:2000::1 2001:20::1 2001:1::1 2620:4f:8000::1 192.31.196.1",
        ),
        ("private", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.0.1 fd12::1 fc00::1 fec0::1"),
        ("loopback", "127.0.0.1 127.255.255.255 ::1"),
        ("link-local", "169.254.0.1 169.254.169.253 fe80::1 febf::1 fe80::1%eth0"),
        (
            "metadata",
            "169.254.169.254 169.254.170.2 169.254.170.23 168.63.129.16 100.100.100.200 192.0.0.192 fd00:ec2::254 "
            "fd00:ec2::23 fd20:ce::254",
        ),
        ("tunnel", "2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 ::ffff:0:8.8.8.8"),
        ("multicast", "224.0.0.1 239.255.255.255 255.255.255.255 ff02::1"),
        ("unspecified", "0.0.0.0 0.1.2.3 ::"),
        ("synthetic", "100.64.0.0 100.127.255.255 198.18.0.1 198.19.255.255"),
        ("documentation", "192.0.2.1 198.51.100.1 203.0.113.1 2001:db8::1 3fff::1"),
        (
            "reserved",
            "192.0.0.1 192.88.99.1 240.0.0.1 2001:2::1 100::1 100:0:0:1::1 5f00::1 4000::1 fe00::1",
        ),
    ],
)
def test_rows_of_the_registries(kind: str, addresses: str) -> None:
    assert {address: classify(address).value for address in addresses.split()} == dict.fromkeys(
        addresses.split(), kind
    )


@pytest.mark.parametrize(
    ("form", "inner"),
    [
        ("::ffff:{}", "10.0.0.1"),
        ("::ffff:{}", "169.254.169.254"),
        ("64:ff9b::{}", "127.0.0.1"),
        ("64:ff9b::{}", "20.190.128.1"),
        ("64:ff9b:1::{}", "192.168.1.1"),  # a /96 cut out of the /48
        ("64:ff9b:1:aa:bb:cc:{}", "100.64.0.1"),
        ("::{}", "127.0.0.1"),  # compatible, deprecated
        ("::ffff:0:{}", "192.0.0.192"),  # translated, obsolete
        ("2603:1006:2000::5efe:{}", "100.100.100.200"),  # ISATAP
        ("fe80::200:5efe:{}", "169.254.169.254"),
        ("2603:1006:2000::200:5efe:{}", "20.190.128.1"),
    ],
)
def test_the_ipv4_address_inside_decides(form: str, inner: str) -> None:
    outer = form.format(inner)
    assert embedded(IPv6Address(outer)) == IPv4Address(inner)
    assert classify(outer) is classify(inner)


@given(V4, st.integers(0, 2**64 - 1), st.booleans())
def test_no_kin_of_a_mapped_address_opens_what_is_closed(
    address: IPv4Address, prefix: int, universal: bool
) -> None:
    """Metadata and loopback stay closed however they are written; what the past has left behind is closed altogether."""
    value = int(address)
    isatap = IPv6Address(prefix << 64 | (0x02005EFE if universal else 0x00005EFE) << 32 | value)
    compatible = IPv6Address(value if value > 1 else 2)
    for outer in (isatap, compatible):
        if classify(address) in NEVER and value > 1:
            assert never_connect(classify(outer, ("::/0", "0.0.0.0/0")))
    teredo = IPv6Address(0x20010000 << 96 | (prefix & 0xFFFFFFFFFFFFFFFF) << 32 | (~value & 0xFFFFFFFF))
    translated = IPv6Address(0xFFFF << 48 | value)
    for outer in (teredo, translated):
        assert never_connect(classify(outer, ("::/0", "0.0.0.0/0")))
    assert embedded(translated) == address


def test_teredo_s_client_is_the_address_inside() -> None:
    # RFC 4380 section 4 and its example: server 65.54.227.120, client 192.0.2.45
    assert embedded(IPv6Address("2001:0:4136:e378:8000:63bf:3fff:fdd2")) == IPv4Address("192.0.2.45")
    assert classify("2001:0:4136:e378:8000:63bf:5601:5601") is AddressClass.METADATA  # 169.254.169.254


def test_six_to_four_and_nat64_of_48_bits() -> None:
    assert embedded(IPv6Address("2002:a00:1::1")) == IPv4Address("10.0.0.1")
    assert classify("2002:7f00:1::1") is AddressClass.LOOPBACK
    assert classify("2002:14be:8001::1") is AddressClass.PUBLIC
    # RFC 6052 section 2.2, prefix of 48 bits: 192.0.2.33 is 64:ff9b:1:c000:2:2100::
    assert embedded(IPv6Address("64:ff9b:1:c000:2:2100::")) == IPv4Address("192.0.2.33")
    assert classify("64:ff9b:1:a9fe:a9:fe00::") is AddressClass.METADATA


def test_addresses_of_their_own_have_none_inside() -> None:
    for address in ("::", "::1", "2603:1006:2000::1", "fe80::1"):
        assert embedded(IPv6Address(address)) is None
    assert embedded(IPv4Address("10.0.0.1")) is None


def test_networks_that_count_as_public() -> None:
    lab = ("198.18.0.0/15", "10.1.0.0/16", "fd12::/16")
    assert classify("198.18.0.1", lab) is AddressClass.PUBLIC
    assert classify("10.1.2.3", lab) is AddressClass.PUBLIC
    assert classify("10.2.2.3", lab) is AddressClass.PRIVATE
    assert classify("fd12::1", lab) is AddressClass.PUBLIC
    assert classify("::ffff:10.1.0.1", lab) is AddressClass.PUBLIC
    assert classify("64:ff9b::10.1.0.1", ("64:ff9b::/96",)) is AddressClass.PUBLIC
    assert classify("100.64.0.1", lab) is AddressClass.SYNTHETIC


@given(st.one_of(V4, V6))
def test_nothing_opens_what_is_never_connected_to(address: IPv4Address | IPv6Address) -> None:
    alone, opened = classify(address), classify(address, ("0.0.0.0/0", "::/0"))
    assert opened is (alone if alone in NEVER else AddressClass.PUBLIC)


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "::1", "169.254.1.1", "168.63.129.16", "0.0.0.0", "224.0.0.1", "::ffff:127.0.0.1"],
)
def test_the_dangerous_ones_stay_closed(address: str) -> None:
    assert never_connect(classify(address, ("0.0.0.0/0", "::/0")))


@given(V4)
def test_every_way_to_write_an_ipv4_address_inside_has_its_class(address: IPv4Address) -> None:
    kind, value = classify(address), int(address)
    assert classify(IPv6Address((0xFFFF << 32) | value)) is kind
    assert classify(IPv6Address((0x64FF9B << 96) | value)) is kind
    assert classify(IPv6Address((0x2002 << 112) | (value << 80) | 1)) is kind


@given(V4)
def test_ipv4_rules_that_python_knows_too(address: IPv4Address) -> None:
    kind = classify(address)
    assert (kind is AddressClass.LOOPBACK) == address.is_loopback
    if address.is_multicast:
        assert kind is AddressClass.MULTICAST
    if kind is AddressClass.PUBLIC and address not in (IPv4Address("192.0.0.9"), IPv4Address("192.0.0.10")):
        assert not address.is_private


@given(V6)
def test_every_ipv6_address_has_a_class(address: IPv6Address) -> None:
    assert classify(address) in AddressClass
    assert classify(str(address)) is classify(address)


@pytest.mark.parametrize(
    "text", ["", "login.windows.net", "10.0.0", "010.0.0.1", "0x7f.1", "[::1]", "1.1.1.1/32"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        classify(text)


def test_our_own_addresses() -> None:
    own = ("192.168.1.10", "2603:1006::5", "fe80::1%eth0")
    assert is_own("192.168.1.10", own)
    assert is_own("::ffff:192.168.1.10", own)
    assert is_own("fe80::1", own)
    assert not is_own("192.168.1.11", own)
    assert not is_own("192.168.1.10", ())


def test_the_broadcast_address_of_a_network() -> None:
    links = ("192.168.1.10/24", "2603:1006::5/64", "10.9.8.7/32", "10.0.0.0/31")
    assert is_broadcast("192.168.1.255", links)
    assert not any(
        is_broadcast(address, links) for address in ("192.168.1.254", "10.9.8.7", "10.0.0.1", "2603:1006::5")
    )


def test_one_place() -> None:
    assert same_network("20.1.2.3", "20.1.2.200")
    assert not same_network("20.1.2.3", "20.1.3.3")
    assert same_network("20.1.2.3", "20.1.3.3", v4=16)
    assert same_network("2603::1", "2603::2")
    assert not same_network("2603::1", "2603:0:0:1::1")
    assert not same_network("20.1.2.3", "2603::1")
    assert same_network("::ffff:20.1.2.3", "20.1.2.4")
