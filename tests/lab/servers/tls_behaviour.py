"""Certificates and TLS contexts of the lab's servers, one for each correct or faulty behaviour."""

from __future__ import annotations

import datetime
import ssl
import warnings
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.lab import odd_certificates, pki
from tests.lab.servers.client_certificate import ask, copied_key
from tests.lab.world import Host

DAY = datetime.timedelta(days=1)
# Behaviours without a handshake, and the bytes that a peer sees.
RAW_ANSWERS = {
    "alert": b"\x15\x03\x03\x00\x02\x02\x31",  # fatal access_denied (49)
    "ssh-banner": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "http-banner": b"HTTP/1.1 400 Bad Request\r\nServer: lab\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


class Contexts:
    """TLS contexts by host and behaviour, made on first use."""

    def __init__(self, made: pki.Pki, directory: Path) -> None:
        self.pki = made
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._file = directory / "being-loaded.pem"  # the ssl module loads certificates from files only

    def get(self, host: Host, behaviour: str) -> ssl.SSLContext:
        """The context of `host` for this behaviour."""
        key = (host.name, behaviour)
        if key not in self._contexts:
            self._contexts[key] = self._make(host, behaviour)
        return self._contexts[key]

    def _make(self, host: Host, behaviour: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        leaf = leaf_for(self.pki, host, "huge" if behaviour == "oversize" else host.cert)
        key = copied_key(leaf.key) if behaviour == "copied-chain" else pki.key_pem(leaf.key)
        if host.cert.startswith("odd "):
            label = pki.AUTHORITIES[host.issuer].label
            own = odd_certificates.pem(leaf, host.cert.removeprefix("odd "), label)
        else:
            own = pki.pem(leaf.cert)
        self._file.write_text(key + own + pki.pem(*leaf.chain))
        context.load_cert_chain(self._file)
        ask(context, behaviour, self.pki)
        if behaviour == "tls13-only":
            context.minimum_version = ssl.TLSVersion.TLSv1_3
        if behaviour == "tls11-only":
            with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
                context.minimum_version = ssl.TLSVersion.TLSv1
                context.maximum_version = ssl.TLSVersion.TLSv1_1
            context.set_ciphers("ALL:@SECLEVEL=0")
        return context


def leaf_for(made: pki.Pki, host: Host, kind: str) -> pki.Leaf:
    """The certificate of `host`, with the fault `kind`."""
    names = [host.name, "*." + host.name.partition(".")[2]]
    issuer = host.issuer
    match kind:
        case "expired":
            return made.leaf(names, issuer, starts=-120 * DAY, ends=-2 * DAY)
        case "not-yet-valid":
            return made.leaf(names, issuer, starts=2 * DAY, ends=90 * DAY)
        case "wrong-name":
            return made.leaf(["www.fabrikam.example", "fabrikam.example"], issuer)
        case "private" | "private-without-root" | "private-unfetchable":
            nowhere = pki.Sources(issuers=("http://pki.fabrikam.example/ca.crt",))
            leaf = made.leaf(names, pki.PRIVATE, sources=nowhere if kind == "private-unfetchable" else None)
            return pki.Leaf(leaf.cert, leaf.key, (made.ca(pki.PRIVATE),) if kind == "private" else ())
        case "no-chain":
            leaf = made.leaf(names, issuer)
            return pki.Leaf(leaf.cert, leaf.key, ())
        case "self-signed":
            own = pki.Authority(
                host.name, ("DE", "Fabrikam AG"), host.name, "foreign", key_label=f"own {host.name}"
            )
            key = pki.derived_key(own.label)
            return pki.Leaf(_self_signed(made, own, names), key, ())
        case "hostile-text":
            text = "\x1b[31mFabrikam\u202e\x07<script>alert(1)</script>\r\nYES"
            own = pki.Authority(text, ("DE", text), host.name, "foreign", key_label=f"hostile {host.name}")
            return pki.Leaf(_self_signed(made, own, names), pki.derived_key(own.label), ())
        case "huge":
            return made.leaf(names + [f"{'x' * 40}-{n}.example.com" for n in range(6_000)], issuer)
    return made.leaf(names, issuer)


def _self_signed(made: pki.Pki, own: pki.Authority, names: list[str]) -> x509.Certificate:
    key = pki.derived_key(own.label)
    builder = (
        x509.CertificateBuilder()
        .subject_name(own.subject)
        .issuer_name(own.subject)
        .public_key(key.public_key())
        .serial_number(4242)
        .not_valid_before(made.now - DAY)
        .not_valid_after(made.now + 365 * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
    )
    return builder.sign(key, hashes.SHA256())
