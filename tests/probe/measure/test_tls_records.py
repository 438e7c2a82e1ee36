"""What a peer shows in plain, read from records cut in any way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.measure.tls_records import (
    FIRST_BYTES,
    MESSAGE_CAP,
    MESSAGE_COUNT_CAP,
    RECORD_CAP,
    STAPLE_CAP,
    RecordReader,
)
from rules.model.failure import Code
from tests.servers import certificate_message, message, record, server_hello, u24

TLS13 = b"\x00\x2b\x00\x02\x03\x04"
STATUS = message(22, b"\x01" + u24(5) + b"staple")
FLIGHT = (
    server_hello()
    + certificate_message(b"leaf" * 50, b"issuer" * 50)
    + STATUS
    + message(13, b"\x01\x01")
    + message(14, b"")
)


def read(*pieces: bytes) -> RecordReader:
    reader = RecordReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def shown(reader: RecordReader) -> tuple[object, ...]:
    return (
        reader.version,
        reader.chain,
        reader.staple,
        reader.client_certificate_asked,
        reader.fault,
        reader.first,
    )


def test_a_flight_of_tls_1_2() -> None:
    reader = read(record(22, FLIGHT))
    assert reader.version == "TLSv1.2"
    assert reader.chain == (b"leaf" * 50, b"issuer" * 50)
    assert reader.staple == b"stapl"
    assert reader.client_certificate_asked
    assert (reader.fault, reader.alert, reader.message_count, reader.record_count) == (None, None, 5, 1)
    assert reader.size == len(record(22, FLIGHT))


@given(st.integers(1, 700), st.integers(1, 700))
def test_neither_records_nor_reads_need_to_end_with_messages(record_size: int, read_size: int) -> None:
    pieces = [FLIGHT[i : i + record_size] for i in range(0, len(FLIGHT), record_size)]
    wire = b"".join(record(22, piece) for piece in pieces)
    reader = read(*(wire[i : i + read_size] for i in range(0, len(wire), read_size)))
    whole = read(record(22, FLIGHT))
    assert shown(reader)[:4] == shown(whole)[:4]
    assert reader.fault is None
    assert reader.first == wire[:FIRST_BYTES]


@pytest.mark.parametrize(
    ("hello", "version"),
    [
        (server_hello(0x0300), "SSLv3"),
        (server_hello(0x0301), "TLSv1"),
        (server_hello(0x0302), "TLSv1.1"),
        (server_hello(0x0303, b"\xff\x01\x00\x01\x00"), "TLSv1.2"),
        (server_hello(0x0303, b"\xff\x01\x00\x01\x00" + TLS13), "TLSv1.3"),
        (server_hello(0x0305), "0x0305"),
        (message(2, b""), "0x0000"),
        (message(2, b"\x03\x03"), "TLSv1.2"),
    ],
)
def test_the_version_that_the_peer_chose(hello: bytes, version: str) -> None:
    assert read(record(22, hello)).version == version


def test_after_the_server_hello_of_tls_1_3_only_records_are_counted() -> None:
    reader = read(
        record(22, server_hello(extensions=TLS13) + certificate_message(b"not plain")),
        record(23, b"\x0b\xff\xff\xff"),
    )
    assert (reader.chain, reader.fault, reader.record_count) == ((), None, 2)


def test_after_change_cipher_spec_only_records_are_counted() -> None:
    reader = read(record(20, b"\x01"), record(22, b"\xff\xff\xff\xff encrypted"), record(21, b"\x02\x28"))
    assert (reader.fault, reader.alert, reader.record_count) == (None, None, 3)


def test_an_alert_and_its_number() -> None:
    assert read(record(21, b"\x02\x31")).alert == 49
    assert read(record(21, b"\x01\x00")).alert == 0
    assert read(record(21, b"\x02\xde")).alert == 0xDE
    assert read(record(21, b"\x02\x31") + b"junk").fault is None
    assert read(record(21, b"\x01\x70")).alert is None  # a warning: the handshake goes on


@pytest.mark.parametrize(
    "banner", [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"220 mail", b"\x00", b"\x16\x02\x00"]
)
def test_an_answer_that_is_not_tls(banner: bytes) -> None:
    reader = read(banner)
    assert reader.fault is not None
    assert reader.fault[0] is Code.NOT_TLS
    assert reader.first == banner


def test_bytes_between_records_are_malformed_and_not_a_banner() -> None:
    reader = read(record(22, server_hello()) + b"HTTP/1.1")
    assert reader.fault is not None
    assert reader.fault[0] is Code.MALFORMED
    assert reader.version == "TLSv1.2"


def test_a_claimed_length_is_refused_before_the_bytes_come() -> None:
    reader = read(record(22, b"\x0b" + u24(0xFFFFFF)))
    assert reader.fault is not None
    assert reader.fault[0] is Code.TOO_LARGE
    reader = read(b"\x16\x03\x03\xff\xff")
    assert reader.fault is not None
    assert reader.fault[0] is Code.MALFORMED


def test_a_chain_at_the_cap_is_read_and_one_byte_more_refused() -> None:
    def cut(data: bytes) -> list[bytes]:
        return [record(22, data[i : i + 16_000]) for i in range(0, len(data), 16_000)]

    assert read(*cut(certificate_message(bytes(MESSAGE_CAP - 6)))).chain == (bytes(MESSAGE_CAP - 6),)
    reader = read(*cut(certificate_message(bytes(MESSAGE_CAP - 5))))
    assert reader.fault is not None
    assert reader.fault[0] is Code.TOO_LARGE


def test_floods_of_records_and_of_messages_end_early() -> None:
    for flood in (record(22, b""), record(21, b"\x01\x5a"), record(20, b"\x01"), record(23, b"")):
        reader = read(flood * (RECORD_CAP + 1))
        assert reader.fault is not None
        assert reader.record_count == RECORD_CAP + 1
    reader = read(record(22, message(0, b"") * 4_000))
    assert reader.fault is not None
    assert reader.message_count == MESSAGE_COUNT_CAP + 1


@pytest.mark.parametrize(
    ("cipher", "begins", "refused"),
    [
        (0x009F, (4096 // 8).to_bytes(2), False),
        (0x009F, (4096 // 8 + 1).to_bytes(2), True),
        (0x009F, (10_000 // 8).to_bytes(2), True),
        (0xC09F, (6_144 // 8).to_bytes(2), True),  # begins as a named curve would
        (0xC030, b"\x03\x00\x17\x41", False),
        (0x009F, b"\xff\xff", False),  # longer than the message: nothing to compute, OpenSSL refuses it
    ],
)
def test_a_diffie_hellman_group_that_costs_a_second(cipher: int, begins: bytes, refused: bool) -> None:
    hello = bytearray(server_hello())
    hello[43:45] = cipher.to_bytes(2)
    reader = read(record(22, bytes(hello) + message(12, begins + bytes(2_000))))
    assert reader.cipher == cipher
    assert (reader.fault is not None) is refused
    if reader.fault is not None:
        assert reader.fault[0] is Code.TOO_LARGE


def test_a_staple_over_its_cap_and_one_of_another_type_are_left_out() -> None:
    big = message(22, b"\x01" + u24(STAPLE_CAP + 1) + bytes(STAPLE_CAP + 1))
    assert read(*(record(22, big[i : i + 16_000]) for i in range(0, len(big), 16_000))).staple is None
    assert read(record(22, message(22, b"\x02" + u24(1) + b"x"))).staple is None


@pytest.mark.parametrize(
    ("body", "chain"),
    [
        (b"", ()),
        (u24(0), ()),
        (u24(9) + u24(3) + b"abc" + u24(9), (b"abc",)),
        (u24(99) + u24(3) + b"abc", (b"abc",)),
        (u24(3) + u24(0), ()),
    ],
)
def test_a_certificate_message_that_lies_about_its_lengths(body: bytes, chain: tuple[bytes, ...]) -> None:
    assert read(record(22, message(11, body))).chain == chain


@given(st.lists(st.binary(max_size=80), max_size=10))
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    reader = read(*pieces)
    assert reader.size == sum(map(len, pieces))


@given(st.lists(st.tuples(st.sampled_from([20, 21, 22, 23]), st.binary(max_size=80)), max_size=10))
def test_no_records_raise(records: list[tuple[int, bytes]]) -> None:
    reader = read(b"".join(record(kind, body) for kind, body in records))
    assert reader.record_count <= len(records)


@given(st.sampled_from([0, 2, 11, 12, 13, 22]), st.binary(max_size=120))
def test_no_message_raises(kind: int, body: bytes) -> None:
    assert read(record(22, message(kind, body))).message_count == 1
