"""One endpoint explained."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from exporters.terminal.style import Style
from exporters.terminal.tree import render
from rules.model import causes
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsFacts
from rules.model.observation import Observation
from rules.model.verdict import Endpoint, Report, Status, Verdict
from rules.pki.certificate import facts
from tests.exporters import samples
from tests.rules import goldens
from tests.rules.script import wanting

GOLDEN = Path(__file__).parent / "golden"
CRL = "http://crl3.example/root.crl"


def certificate(name: str = "login.microsoftonline.com") -> bytes:
    """A leaf that names where its revocation is told."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Example Issuing CA 01")])
    day = datetime.datetime(2026, 10, 1, 8, 30, tzinfo=datetime.UTC)
    points = [x509.DistributionPoint([x509.UniformResourceIdentifier(CRL)], None, None, None)]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(0x1234ABCD)
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)] * 9), critical=False)
        .add_extension(x509.CRLDistributionPoints(points), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.DER)
    )


def with_chain(der: bytes) -> Report:
    """Two handshakes that served the same chain."""
    found = list(samples.observations())
    for index in (4, 6):
        evidence = TlsFacts(
            0.02, 0.04, "TLSv1.2", "X", (der,), hello_size=230, http_headers=(("set-cookie", "secret=1"),)
        )
        found[index] = dataclasses.replace(found[index], evidence=evidence, failure=None)
    return samples.report(observations=tuple(found))


def test_the_tree_is_the_one_that_was_looked_at() -> None:
    shown = render(samples.report(), samples.SIGN_IN, 443, Style(100, verbose=True))
    assert shown == (GOLDEN / "tree.txt").read_text("utf-8")


def test_a_chain_is_shown_once_with_what_matters() -> None:
    der = certificate()
    shown = render(with_chain(der), samples.SIGN_IN, 443, Style(200))
    assert "CN=login.microsoftonline.com\n" in shown
    assert "issuer  CN=Example Issuing CA 01" in shown
    assert "valid   2026-10-01 08:30 UTC to 2026-12-30 08:30 UTC" in shown
    assert f"SHA-256 {facts(der).spki_sha256}" in shown
    assert "serial  1234abcd" in shown
    assert ", +3 more" in shown
    assert shown.count("certificates as served: chain 1") == 1
    assert "certificates: chain 1, as above" in shown


def test_revocation_sources_come_with_what_was_had_there() -> None:
    shown = render(with_chain(certificate()), samples.SIGN_IN, 443, Style(200))
    assert f"CRL  {CRL}" in shown
    assert "GET at 192.0.2.80:80 from this host: HTTP 200 OK, 2 bytes in 0.20 s" in shown


def test_our_own_address_and_port_are_there_for_the_log() -> None:
    assert "from 10.20.0.5:53211 at 09:14:05.420 UTC" in render(
        samples.report(), samples.SIGN_IN, None, Style()
    )


def test_a_server_that_wants_a_client_certificate_is_shown_as_reached() -> None:
    found = list(samples.observations())
    failure, facts = wanting((certificate(),))
    found[4] = dataclasses.replace(found[4], failure=failure, evidence=facts)
    shown = render(samples.report(observations=tuple(found)), samples.SIGN_IN, 443, Style(200))
    assert "client certificate asked for, not completed" in shown
    assert "ended by the server as none was sent (alert 40 handshake_failure) after" in shown


def test_secrets_are_masked() -> None:
    report = with_chain(certificate())
    step = HttpFetch("192.0.2.1", 80, samples.SIGN_IN, "http://user:hunter2@proxy.example/x")
    evidence = HttpExchange(
        0.1, 0.1, 407, "", (("Proxy-Authenticate", "Basic hunter2"), ("server", "x")), b"", 0, ""
    )
    seen = Observation(step, samples.START, 0.1, None, evidence)
    report = dataclasses.replace(report, observations=(*report.observations, seen))
    shown = render(report, samples.SIGN_IN, None, Style(verbose=True))
    assert "hunter2" not in shown
    assert "secret=1" not in shown
    assert "server: x" in shown


def test_an_endpoint_that_nothing_is_known_of_is_said_to_be_so() -> None:
    shown = render(samples.report(), "nobody.example", None, Style())
    assert "not asked for" in shown
    assert "no connection was made" in shown
    assert "nothing was judged" in shown


def test_peer_text_does_nothing_to_a_terminal() -> None:
    evil = "\x1b[2J\u202e\r\n\ud800"
    found = list(samples.observations())
    evidence = TlsFacts(0.1, None, evil, evil, (b"\x1b[2J", b""), first_bytes=evil.encode("utf-8", "replace"),
                        http_headers=((evil, evil),), http_failure=evil)  # fmt: skip
    found[4] = dataclasses.replace(found[4], evidence=evidence, local=(evil, 1))
    report = samples.report(
        observations=tuple(found),
        verdicts=(samples.verdict(samples.SIGN_IN, summary=evil, details=((evil, evil),)),),
    )
    shown = render(report, samples.SIGN_IN, None, Style(verbose=True))
    assert all(line.isprintable() for line in shown.split("\n"))


def test_ascii_terminals_get_ascii() -> None:
    render(samples.report(), samples.SIGN_IN, None, Style(encoding="ascii", verbose=True)).encode("ascii")


def test_color_only_when_asked() -> None:
    assert "\x1b" not in render(samples.report(), samples.SIGN_IN, None, Style())
    assert "\x1b[1;31m" in render(samples.report(), samples.SIGN_IN, None, Style(color=True))


def test_the_same_at_several_addresses_is_told_once() -> None:
    report = samples.report()
    addresses = ("20.190.0.7", "20.190.0.8")
    alike = tuple(
        Verdict(
            "entra-app-proxy/x",
            "Sign-in",
            Endpoint(samples.SIGN_IN, 443, address),
            "tls",
            Status.FAIL,
            causes.TLS_INTERCEPTED,
            "TLS is intercepted",
            "Exempt it.",
            details=(("served", "CN=Proxy"), ("from", f"10.20.0.5 port {port}")),
        )
        for port, address in enumerate(addresses, 40_000)
    )
    shown = render(dataclasses.replace(report, verdicts=alike), samples.SIGN_IN, 443, Style(120)).partition(
        "verdict"
    )[2]
    assert "TLS at 20.190.0.7, 20.190.0.8: FAIL: TLS is intercepted [tls.intercepted]" in shown
    assert shown.count("Exempt it.") == shown.count("served: CN=Proxy") == shown.count("rule: ") == 1
    assert "from: " not in shown, "what differs stands at the addresses"


@pytest.mark.parametrize(
    ("host", "need"),
    [
        ("{tenant}.bootstrap.msappproxy.net", "required"),
        ("download.msappproxy.net", "example of *.msappproxy.net"),
        (
            "cwap-eur1-weur2.servicebus.windows.net",
            "example of *.servicebus.windows.net, needed by connector groups in Europe",
        ),
    ],
)
def test_a_name_that_fails_says_why_it_was_tested_and_what_to_allow(host: str, need: str) -> None:
    report = goldens.golden("service-dropped")
    shown = render(report, host.replace("{tenant}", report.vantage.tenant or ""), 443, Style(300))
    asked = shown.partition("this name: ")[2].splitlines()
    assert asked[0] == need
    text = "\n".join(asked)
    assert "allow: *.msappproxy.net, TCP 443, never inspect TLS\n" in text
    assert "allow: *.servicebus.windows.net, TCP 443, never inspect TLS\n" in text
    assert "2026-02-04" in text
    assert "compare: 13 of 13 tested names " in text


def test_a_name_that_passes_asks_for_nothing() -> None:
    shown = render(goldens.golden("service-dropped"), "login.windows.net", 443, Style(300))
    assert "login.windows.net" in shown
    assert "this name: " not in shown
    assert "allow: " not in shown
