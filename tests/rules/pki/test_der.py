from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.pki.der import (
    MAX_NESTING,
    Element,
    dotted,
    element,
    expect_tag,
    integer,
    moment,
    only_element,
    string,
    text,
)


def test_elements_inside_an_element() -> None:
    outer = only_element(bytes.fromhex("3006020105040161"), 0x30)
    assert [(child.tag, child.value, child.raw.hex()) for child in outer.children()] == [
        (2, b"\x05", "020105"),
        (4, b"a", "040161"),
    ]


def test_a_length_of_several_bytes_need_not_be_the_shortest() -> None:
    assert only_element(bytes.fromhex("04840000000161"), 4).value == b"a"


def test_an_indefinite_length_ends_at_its_two_zero_bytes() -> None:
    found = element(bytes.fromhex("3080308002010500000000ff"), 0)
    assert (found.end, found.after) == (9, 11)
    assert [inner.tag for child in found.children() for inner in child.children()] == [2]


@pytest.mark.parametrize(
    "data",
    [
        "", "30", "3001", "308500000000", "1f0100", "3080", "30800500", "0480" "0000", "3003020500", "ff80",
        "3080" * (MAX_NESTING + 1) + "0000" * (MAX_NESTING + 1),
    ],
)  # fmt: skip
def test_what_has_no_form_is_refused(data: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        list(element(bytes.fromhex(data), 0).children())


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        children = list(element(data, 0).children())
    except (ValueError, IndexError):
        return
    assert all(
        0 <= child.start < child.content <= child.end <= child.after <= len(data) for child in children
    )


def test_another_kind_is_named() -> None:
    with pytest.raises(ValueError, match="0x02 where 0x30"):
        expect_tag(element(b"\x02\x01\x05", 0), 0x30)


def test_numbers() -> None:
    assert (integer(b"\xff"), integer(b"\x00\x00\x05"), integer(b"\x00\xff")) == (-1, 5, 255)
    with pytest.raises(ValueError, match="digits"):
        integer(b"")


@pytest.mark.parametrize(
    ("value", "written"),
    [("2a864886f70d01010b", "1.2.840.113549.1.1.11"), ("551d11", "2.5.29.17"), ("883703", "2.999.3"),
     ("", ""), ("2a86", "2a86"), ("ff" * 100, "ff" * 64)],
)  # fmt: skip
def test_object_identifiers(value: str, written: str) -> None:
    assert dotted(bytes.fromhex(value)) == written


def at(tag: int, value: bytes) -> Element:
    return Element(value, tag, 0, 0, len(value), len(value))


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (0x17, b"261130040506Z", "2026-11-30T04:05:06"),
        (0x17, b"500101000000Z", "1950-01-01T00:00:00"),
        (0x17, b"491231235959Z", "2049-12-31T23:59:59"),
        (0x17, b"2611300405Z", "2026-11-30T04:05:00"),
        (0x17, b"261130040506+0130", "2026-11-30T02:35:06"),
        (0x17, b"261130040506-0500", "2026-11-30T09:05:06"),
        (0x18, b"20261130040506Z", "2026-11-30T04:05:06"),
        (0x18, b"20261130040506.25Z", "2026-11-30T04:05:06.250000"),
        (0x18, b"20261130040506,5+0000", "2026-11-30T04:05:06.500000"),
        (0x18, b"202611300405Z", "2026-11-30T04:05:00"),
        (0x18, b"2026113004Z", "2026-11-30T04:00:00"),
        (0x18, b"99991231235959Z", "9999-12-31T23:59:59"),
        (0x18, b"00010101000000Z", "0001-01-01T00:00:00"),
    ],
)
def test_times(tag: int, value: bytes, expected: str) -> None:
    assert moment(at(tag, value)) == datetime.datetime.fromisoformat(f"{expected}+00:00").timestamp()


@pytest.mark.parametrize(
    ("tag", "value"),
    [(0x17, b""), (0x17, b"261130040506"), (0x17, b"261330040506Z"), (0x17, b"260230040506Z"), (0x17, b"261130240000Z"),
     (0x17, b"19020701025736Z"), (0x18, b"00001130040506Z"), (0x18, b"20261130040506"), (0x18, b"2026113004.5Z"),
     (0x18, b"20261130040506+9900"), (0x17, b"\xb261130040506Z"), (0x13, b"261130040506Z"), (0x17, b"261130040506Z\n")],
)  # fmt: skip
def test_what_is_no_time_is_refused(tag: int, value: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        moment(at(tag, value))


@pytest.mark.parametrize(
    ("tag", "value", "read"),
    [(0x13, b"*&_!", "*&_!"), (0x0C, "ü".encode(), "ü"), (0x0C, b"\xfc", "ü"), (0x14, b"\xfc", "ü"), (0x13, b"\xfc", "ü"),
     (0x1E, b"\0C\0A", "CA"), (0x1C, b"\0\0\0C", "C"), (0x1E, b"odd", "odd"), (0x03, b"\0\x01", "#0001"), (0x1E, b"\xd8\0", "Ø\0")],
)  # fmt: skip
def test_strings_of_every_kind(tag: int, value: bytes, read: str) -> None:
    assert string(at(tag, value)) == read


@given(st.binary(max_size=50), st.sampled_from(["utf-8", "utf-16-be", "utf-32-be", "latin-1"]))
def test_text_is_never_refused(value: bytes, encoding: str) -> None:
    assert isinstance(text(value, encoding), str)
