"""Server certificates in forms that break X.509 and that clients accept. The issuer's own key signs them in that
form."""

from __future__ import annotations

import base64
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from rules.pki.der import Element, only_element
from tests.lab import pki

_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
#: Positions in the signed part: version, serial, algorithm, issuer, validity, subject, key, extensions.
_VERSION, _SERIAL, _VALIDITY, _SUBJECT = 0, 1, 4, 5


def tlv(tag: int, *parts: bytes) -> bytes:
    """An element with a length of at most two bytes, in the shortest form."""
    content = b"".join(parts)
    size = len(content)
    length = (
        bytes([size]) if size < 128 else b"\x81" + bytes([size]) if size < 256 else b"\x82" + size.to_bytes(2)
    )
    return bytes([tag]) + length + content


def _star(subject: Element) -> bytes:
    """The last character string as a PrintableString that begins with a star."""
    raw = subject.raw
    at = raw.rindex(bytes.fromhex("06035504030c")) + 5
    return raw[:at] + b"\x13" + raw[at + 1 : at + 2] + b"*" + raw[at + 3 :]


def _without_seconds(validity: Element) -> bytes:
    return tlv(0x30, *(tlv(0x17, moment.value[:10] + b"Z") for moment in validity.children()))


def _month_13(validity: Element) -> bytes:
    begins, ends = validity.children()
    return tlv(0x30, tlv(0x17, begins.value[:2] + b"13" + begins.value[4:]), ends.raw)


_CHANGES: dict[str, tuple[int, Callable[[Element], bytes]]] = {
    "starred": (_SUBJECT, _star),
    "without-seconds": (_VALIDITY, _without_seconds),
    "version-7": (_VERSION, lambda _: bytes.fromhex("a003020106")),
    "negative-serial": (_SERIAL, lambda serial: tlv(0x02, b"\x80" + serial.value[1:])),
    "undated": (_VALIDITY, _month_13),  # no parser accepts this one
}
FORMS = tuple(form for form in _CHANGES if form != "undated")


def pem(leaf: pki.Leaf, form: str, issuer_label: str) -> str:
    """`leaf` in the odd `form`, signed again with the key of `issuer_label`."""
    signed, *_ = only_element(leaf.cert.public_bytes(Encoding.DER), 0x30).children()
    parts = [part.raw for part in signed.children()]
    place, change = _CHANGES[form]
    parts[place] = change(list(signed.children())[place])
    body = tlv(0x30, *parts)
    signature = pki.derived_key(issuer_label).sign(body, ec.ECDSA(hashes.SHA256()))
    text = base64.encodebytes(tlv(0x30, body, _ECDSA_SHA256, tlv(0x03, b"\0", signature))).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n"
