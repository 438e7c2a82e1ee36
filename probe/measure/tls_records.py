"""Reads the plaintext part of a TLS handshake from the peer (RFC 5246 section 6.2, RFC 8446 section 5.1).

Up to TLS 1.2 everything before the peer's ChangeCipherSpec is plaintext. So the chain, the stapled response, the request for
a client certificate and alerts are read here exactly as sent, also if the TLS library stops early or cannot read a
certificate. From TLS 1.3's ServerHello on only records are counted.

It also limits the cost of a hostile peer before the library sees a byte: records, messages and claimed lengths. No I/O.
"""

from __future__ import annotations

from rules.model.failure import Code

FIRST_BYTES = 256
MESSAGE_CAP = 102_400  # bytes of one handshake message: OpenSSL's own limit for a certificate chain
STAPLE_CAP = 65_536
RECORD_CAP = (
    1_024  # records of one connection: a chain of 100 KiB in records of 512 bytes needs a fifth of it
)
MESSAGE_COUNT_CAP = 64  # a handshake has fewer than ten; a flood of HelloRequest has thousands
DH_BITS = 4_096  # of the peer's group: the work grows with the cube, 10,000 bits take a second
_RECORD_LENGTH_CAP = 16_384 + 2_048  # RFC 5246 section 6.2.3

_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_WARNING = 1  # alert level (RFC 5246 section 7.2)
_SERVER_HELLO, _SERVER_KEY_EXCHANGE, _CERTIFICATE_REQUEST, _CERTIFICATE_STATUS = 2, 12, 13, 22
#: Types of handshake messages with which a client's second flight begins in TLS 1.2 (RFC 5246 section 7.4).
CERTIFICATE, CLIENT_KEY_EXCHANGE = 11, 16
_DECRYPT_ERROR = 51  # alert: "unable to correctly verify a signature" (RFC 5246 section 7.2.2)
_SUPPORTED_VERSIONS = 43
_HELLO_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
#: Suites whose key exchange is elliptic, among those of the judging hello (IANA's TLS Cipher Suites registry).
_ELLIPTIC = frozenset(
    (
        0xC009,
        0xC00A,
        0xC013,
        0xC014,
        0xC023,
        0xC024,
        0xC027,
        0xC028,
        0xC02B,
        0xC02C,
        0xC02F,
        0xC030,
        0xCCA8,
        0xCCA9,
    )
)
VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


class RecordReader:
    """The peer's plaintext. Feed it every received byte in order; malformed bytes raise nothing.

    `fault`: a code and our text, if the bytes break the protocol or a limit; then the connection is over. `alert`: number of
    the last plaintext alert that ends the connection, a fatal one or close_notify (0). `version` and `cipher` (IANA's
    number, 0 for none): chosen by ServerHello. `key_exchange`: a ServerKeyExchange came. In every offered suite it is signed
    (RFC 5246 section 7.4.3); the TLS library checks the signature.
    """

    __slots__ = (
        "_messages",
        "_pending",
        "_sealed",
        "alert",
        "chain",
        "cipher",
        "client_certificate_asked",
        "fault",
        "first",
        "key_exchange",
        "message_count",
        "record_count",
        "size",
        "staple",
        "version",
    )

    def __init__(self) -> None:
        self.size = 0
        self.first = b""
        self.record_count = 0
        self.message_count = 0
        self.version: str | None = None
        self.cipher = 0
        self.chain: tuple[bytes, ...] = ()
        self.staple: bytes | None = None
        self.client_certificate_asked = False
        self.key_exchange = False
        self.alert: int | None = None
        self.fault: tuple[Code, str] | None = None
        self._pending = b""  # the beginning of a record
        self._messages = b""  # the beginning of a handshake message
        self._sealed = False  # the peer's records are encrypted from here on

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the connection."""
        if len(self.first) < FIRST_BYTES:
            self.first += data[: FIRST_BYTES - len(self.first)]
        self.size += len(data)
        if self.fault is None:
            self._records(self._pending + data if self._pending else data)

    def _records(self, data: bytes) -> None:
        at, end = 0, len(data)
        while at < end and self.fault is None and self.alert is None:  # bytes after an alert mean nothing
            kind = data[at]
            if kind not in (20, 21, 22, 23) or (at + 1 < end and data[at + 1] != 3):
                self._not_a_record()
                return
            if at + 5 > end:
                break
            length = data[at + 3] << 8 | data[at + 4]
            if length > _RECORD_LENGTH_CAP:
                self.fault = (Code.MALFORMED, f"a TLS record claims {length} bytes")
                return
            if at + 5 + length > end:
                break
            self._record(kind, data[at + 5 : at + 5 + length])
            at += 5 + length
        self._pending = data[at:]

    def _not_a_record(self) -> None:
        if self.record_count:
            self.fault = (Code.MALFORMED, "the bytes after a TLS record are not a TLS record")
        else:
            self.fault = (Code.NOT_TLS, "the answer to ClientHello is not TLS")

    def _record(self, kind: int, body: bytes) -> None:
        self.record_count += 1
        if self.record_count > RECORD_CAP:
            self.fault = (Code.MALFORMED, f"more than {RECORD_CAP} TLS records")
        elif self._sealed:
            return
        elif kind == _HANDSHAKE:
            self._handshake(self._messages + body if self._messages else body)
        elif kind == _ALERT and len(body) == 2:
            if body[0] != _WARNING or body[1] == 0:
                self.alert = body[1]
        elif kind == _CHANGE_CIPHER_SPEC:
            self._sealed = True

    def _handshake(self, data: bytes) -> None:
        at, end = 0, len(data)
        while at + 4 <= end and not self._sealed:
            length = int.from_bytes(data[at + 1 : at + 4])
            if length > MESSAGE_CAP:
                self.fault = (
                    Code.TOO_LARGE,
                    f"a handshake message (type {data[at]}) claims {length} bytes; at most {MESSAGE_CAP} are read",
                )
                return
            if at + 4 + length > end:
                break
            self.message_count += 1
            if self.message_count > MESSAGE_COUNT_CAP:
                self.fault = (Code.MALFORMED, f"more than {MESSAGE_COUNT_CAP} handshake messages")
                return
            self._message(data[at], data[at + 4 : at + 4 + length])
            at += 4 + length
        self._messages = b"" if self._sealed else data[at:]

    def _message(self, kind: int, body: bytes) -> None:
        if kind == _SERVER_HELLO:
            number = _version(body)
            self.cipher = _cipher(body)
            self.version = VERSIONS.get(number, f"0x{number:04x}")
            self._sealed = number == 0x0304 and body[2:34] != _HELLO_RETRY
        elif kind == CERTIFICATE:
            self.chain = _certificates(body)
        elif kind == _CERTIFICATE_REQUEST:
            self.client_certificate_asked = True
        elif kind == _SERVER_KEY_EXCHANGE:
            self.key_exchange = True
            self._key_exchange(body)
        elif kind == _CERTIFICATE_STATUS and body[:1] == b"\x01" and 4 < len(body) <= STAPLE_CAP + 4:
            self.staple = body[4 : 4 + int.from_bytes(body[1:4])]

    def _key_exchange(self, body: bytes) -> None:
        """Refuse a Diffie-Hellman group (RFC 5246 section 7.4.3) that would cost more than a probe may."""
        bits = 8 * int.from_bytes(body[:2])
        if self.cipher not in _ELLIPTIC and DH_BITS < bits <= 8 * len(body):
            self.fault = (
                Code.TOO_LARGE,
                f"a Diffie-Hellman group of {bits} bits; at most {DH_BITS} are computed",
            )


def first_message(flight: bytes) -> int | None:
    """The type of the first handshake message of our flight; None if it is encrypted or has none."""
    return flight[5] if len(flight) > 5 and flight[0] == _HANDSHAKE else None


def refutes_signature(flight: bytes) -> bool:
    """Whether our flight is the plaintext alert by which our library rejects a signature."""
    return len(flight) == 7 and flight[0] == _ALERT and flight[6] == _DECRYPT_ERROR


def _version(hello: bytes) -> int:
    """The version that a ServerHello chose: its supported_versions extension, else its version field."""
    number = int.from_bytes(hello[:2])
    if number != 0x0303 or len(hello) < 40:
        return number
    at = 35 + hello[34] + 3  # after session id, cipher suite, compression method
    end = min(len(hello), at + 2 + int.from_bytes(hello[at : at + 2]))
    at += 2
    while at + 4 <= end:
        length = int.from_bytes(hello[at + 2 : at + 4])
        if hello[at] == 0 and hello[at + 1] == _SUPPORTED_VERSIONS and length == 2:
            return int.from_bytes(hello[at + 4 : at + 6])
        at += 4 + length
    return number


def _cipher(hello: bytes) -> int:
    """The cipher suite of a ServerHello, behind version, random and session id; 0 if it is cut short."""
    at = 35 + hello[34] if len(hello) > 34 else len(hello)
    return int.from_bytes(hello[at : at + 2])


def _certificates(body: bytes) -> tuple[bytes, ...]:
    """The certificates of a Certificate message of TLS 1.2 and earlier (RFC 5246 section 7.4.2), whole ones only."""
    found = []
    at, end = 3, min(len(body), 3 + int.from_bytes(body[:3]))
    while at + 3 <= end:
        length = int.from_bytes(body[at : at + 3])
        if length == 0 or at + 3 + length > end:
            break
        found.append(body[at + 3 : at + 3 + length])
        at += 3 + length
    return tuple(found)
