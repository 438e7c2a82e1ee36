from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from rules.pki.distinguished_name import _by_element, _by_library, name_facts
from rules.pki.fields import MAX_TEXT

KINDS = (
    NameOID.COMMON_NAME,
    NameOID.ORGANIZATION_NAME,
    NameOID.EMAIL_ADDRESS,
    NameOID.DOMAIN_COMPONENT,
    NameOID.USER_ID,
)


def name(*parts: tuple[x509.ObjectIdentifier, str], several: bool = False) -> x509.Name:
    made = [
        x509.NameAttribute(oid, value, _type=_ASN1Type.UTF8String, _validate=False) for oid, value in parts
    ]
    return x509.Name([x509.RelativeDistinguishedName(made)] if several else made)


PARTS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.text(min_size=1, max_size=20)),
    max_size=5,
    unique_by=lambda part: part[0],
)


@given(PARTS, st.booleans())
def test_our_own_reading_is_the_librarys_where_both_can(
    parts: list[tuple[x509.ObjectIdentifier, str]], several: bool
) -> None:
    der = name(*parts, several=several and bool(parts)).public_bytes()
    own, text = _by_element(der)
    theirs, their_text = _by_library(x509.Name.from_bytes(der))
    assert (dict(own), text) == (dict(theirs), their_text)


def odd(tag: int, value: bytes) -> bytes:
    """A Name with one commonName in a string of kind `tag`."""
    pair = bytes.fromhex("0603550403") + bytes([tag, len(value)]) + value
    for outer in (0x30, 0x31, 0x30):
        pair = bytes([outer, len(pair)]) + pair
    return pair


@pytest.mark.parametrize(
    ("tag", "value", "cn"),
    [
        (0x13, b"*.servicebus.windows.net", "*.servicebus.windows.net"),
        (0x13, b"Smith & Sons_CA!", "Smith & Sons_CA!"),
        (0x13, b"caf\xe9", "café"),
        (0x0C, b"caf\xe9", "café"),
        (0x14, b"caf\xe9", "café"),
        (0x1E, b"\0C\0A", "CA"),
        (0x1E, b"\0C\0", "\0C\0"),
        (0x1C, b"\0\0\0C\0\0\0A", "CA"),
        (0x12, b"12 a", "12 a"),
        (0x16, "ü".encode(), "ü"),
        (0x0C, b"", ""),
    ],
)
def test_a_string_of_any_kind_is_read_whatever_is_in_it(tag: int, value: bytes, cn: str) -> None:
    assert name_facts(odd(tag, value)).cn == cn


def test_the_same_text_in_another_kind_of_string_is_the_same_text() -> None:
    texts = {name_facts(odd(tag, b"Smith & Sons, *")).text for tag in (0x0C, 0x13, 0x14, 0x16)}
    assert texts == {"CN=Smith & Sons\\, *"}


def test_the_last_part_of_a_kind_is_the_most_specific_one() -> None:
    found = name_facts(
        name(
            (NameOID.COMMON_NAME, "a"), (NameOID.ORGANIZATION_NAME, "o"), (NameOID.COMMON_NAME, "b")
        ).public_bytes()
    )
    assert (found.cn, found.o, found.ou, found.text) == ("b", "o", "", "CN=b,O=o,CN=a")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_texts_are_cut() -> None:
    found = name_facts(name((NameOID.COMMON_NAME, "x" * 5000)).public_bytes())
    assert (len(found.cn), len(found.text)) == (MAX_TEXT, MAX_TEXT)


@pytest.mark.parametrize(
    "der", [b"", b"\x31\x00", b"\x30\x02\x30\x00", b"\x30\x04\x31\x02\x31\x00", odd(0x13, b"a")[:-1]]
)
def test_what_is_no_name_is_refused(der: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        name_facts(der)
