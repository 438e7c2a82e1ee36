"""Every certificate of PyPI's `cryptography-vectors` that `openssl x509` reads is read here: a public collection of odd ones.

What our reader says is held against what OpenSSL prints; and no certificate of them all is `tls.malformed`.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cryptography_vectors
import pytest
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from rules.pki.certificate import facts, signature
from rules.pki.fields import MAX_TEXT
from rules.pki.handshake import judge_leaf, tls_cause
from rules.pki.trust import judge_chain
from tests.rules.pki.test_fields import by_library

ROOT = Path(cryptography_vectors.__file__).parent
NOW = 1_790_000_000.0
_PEM = re.compile(
    rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----\r?\n(.*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----",
    re.DOTALL,
)
_OPENSSL = ["openssl", "x509", "-noout", "-subject", "-issuer", "-serial", "-nameopt"]
#: A name with a part that is no string, and a key that OpenSSL prints in another form than it stands there.
_PRINTED_OTHERWISE = {
    ("x509/scottishpower-bitstring-dn.pem:0", "subject"),
    ("x509/scottishpower-bitstring-dn.pem:0", "issuer"),
    ("x509/badasn1time.pem:0", "key"),
}
_NAMES = "esc_2253,sep_comma_plus,dn_rev,utf8,oid"
#: Of the last parts of a name: OpenSSL prints their numbers on demand.
_NUMBERS = {"CN": "2.5.4.3", "L": "2.5.4.7", "ST": "2.5.4.8", "O": "2.5.4.10", "OU": "2.5.4.11", "C": "2.5.4.6",
            "STREET": "2.5.4.9", "DC": "0.9.2342.19200300.100.1.25", "UID": "0.9.2342.19200300.100.1.1"}  # fmt: skip


def candidates() -> Iterator[tuple[str, bytes]]:
    """(where, DER) of whatever may be a certificate, each once. PKCS #12 files hold some and are none."""
    seen: set[bytes] = set()
    for path in sorted(p for p in ROOT.rglob("*") if p.is_file() and p.suffix not in (".p12", ".pyc")):
        data = path.read_bytes()
        found = [base64.b64decode(m.group(1)) for m in _PEM.finditer(data)]
        for number, der in enumerate(found or ([data] if data[:1] == b"\x30" else [])):
            if der not in seen:
                seen.add(der)
                yield f"{path.relative_to(ROOT)}:{number}", der


def printed(der: bytes) -> dict[str, str] | None:
    """What OpenSSL prints of a certificate; None where it reads none. "key" is "" where it has no word for the key."""
    for options in (["-pubkey"], []):
        command = [*_OPENSSL, _NAMES, "-inform", "DER", *options]
        done = subprocess.run(command, input=der, capture_output=True, check=False, timeout=60)
        if not done.returncode:
            lines = done.stdout.decode("utf-8", "surrogateescape")
            found = dict(re.findall(r"^(subject|issuer|serial)=(.*)$", lines, re.MULTILINE))
            key = re.search(r"-----BEGIN PUBLIC KEY-----\n(.*?)-----END", lines, re.DOTALL)
            return found | {"key": hashlib.sha256(base64.b64decode(key.group(1))).hexdigest() if key else ""}
    return None


@pytest.fixture(scope="module")
def read() -> dict[str, tuple[bytes, dict[str, str]]]:
    """Every certificate that OpenSSL reads."""
    with ThreadPoolExecutor() as pool:  # a process of OpenSSL for each
        every = list(candidates())
        answers = pool.map(printed, (der for _, der in every))
    found = {
        where: (der, shown) for (where, der), shown in zip(every, answers, strict=True) if shown is not None
    }
    assert len(found) > 500
    return found


def bare(name: str) -> str:
    """A name without escapes, its types as numbers."""
    parts = re.split(r"(?<!\\)([,+])", name)
    numbered = [re.sub(r"^(\w+)=", lambda m: f"{_NUMBERS.get(m[1], m[1])}=", part) for part in parts]
    return "".join(numbered).replace("\\", "")


def test_the_collection_is_that_of_the_library() -> None:
    versions = {importlib.metadata.version(name) for name in ("cryptography", "cryptography-vectors")}
    assert len(versions) == 1


def test_each_is_read_and_says_what_openssl_says(read: dict[str, tuple[bytes, dict[str, str]]]) -> None:
    wrong = []
    for where, (der, told) in read.items():
        found = facts(der)
        assert found.loads, (where, found.unreadable)
        ours = {
            "subject": bare(found.subject_text),
            "issuer": bare(found.issuer_text),
            "serial": int(found.serial, 16),
            "key": found.spki_sha256,
        }
        theirs = {
            "subject": bare(told["subject"])[:MAX_TEXT],
            "issuer": bare(told["issuer"])[:MAX_TEXT],
            "serial": int(told["serial"], 16),
            "key": told["key"] or found.spki_sha256,
        }
        wrong += [
            (where, what, ours[what], theirs[what])
            for what in ours
            if ours[what] != theirs[what] and (where, what) not in _PRINTED_OTHERWISE
        ]
    assert wrong == []


def test_none_is_malformed_and_none_takes_long(read: dict[str, tuple[bytes, dict[str, str]]]) -> None:
    facts.cache_clear()
    begin = time.process_time()
    for where, (der, _) in read.items():
        judged = judge_chain((der,), (), {}, (), NOW)
        found = tls_cause(judged, judge_leaf((der,), "tenant.bootstrap.msappproxy.net", NOW))
        assert "malformed" not in (found.cause.word.partition(".")[2], judged.verdict), (where, found.summary)
        assert found.cause.word != "ok"
        signature(der, der)
    assert (time.process_time() - begin) / len(
        read
    ) < 0.05  # seconds of work each, whatever else the machine does


def test_what_cannot_be_read_of_one_is_named(read: dict[str, tuple[bytes, dict[str, str]]]) -> None:
    by_file = {Path(where.partition(":")[0]).name: der for where, (der, _) in read.items()}
    fields = {
        name: dict(facts(by_file[name]).unreadable)
        for name in ("badasn1time.pem", "invalid_version.pem", "two_basic_constraints.pem", "e-trust.ru.der")
    }
    assert "not_after" in fields["badasn1time.pem"]
    assert "7 is no version" in fields["invalid_version.pem"]["version"]
    assert "2.5.29.19 stands there twice" in fields["two_basic_constraints.pem"]["extensions"]
    assert "1.2.643.2.2.3 is not known" in fields["e-trust.ru.der"]["signature_algorithm"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_names_and_addresses_are_those_that_the_library_reads(
    read: dict[str, tuple[bytes, dict[str, str]]],
) -> None:
    """Where the library reads a certificate, our own reader says the same: one reader for all is no other one."""
    compared = 0
    for where, (der, _) in read.items():
        try:
            cert = x509.load_der_x509_certificate(der)
            expected = by_library(cert)
        except (ValueError, TypeError, x509.DuplicateExtension, x509.InvalidVersion, UnsupportedAlgorithm,
                x509.UnsupportedGeneralNameType):  # fmt: skip
            continue
        compared += 1
        found = facts(der)
        if "signature_algorithm" in dict(found.unreadable):
            expected.pop(
                "signature_hash", ""
            )  # the library names the hash of an algorithm that it cannot use
        assert {field: getattr(found, field) for field in expected} == expected, where
    assert compared > 480
