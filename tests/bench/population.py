"""Whom the bench asks: names, addresses and certificates, and the files that make an audit of them."""

from __future__ import annotations

import datetime
import functools
import hashlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import AuthorityInformationAccessOID as Aia

from tests.bench.namespace import RESOLVER
from tests.lab import configs
from tests.lab.plan import Resolver
from tests.lab.world import Host, World
from tests.pki import Authority, KeyKind, Leaf, authority

ZONE = "bench.example.com"
ANY_NAME = f"any.{ZONE}"  # every server's certificate holds it: the exporter's module has one server name
PKI_HOST = f"pki.{ZONE}"
PKI_ADDRESS = "20.60.0.80"
VERSIONS = ("1.2", "1.3")
KINDS: tuple[KeyKind, ...] = ("ec", "rsa")
_SECOND_OCTET = {"ec": 50, "rsa": 51}


def server_address(kind: KeyKind, version: str, index: int) -> str:
    """Address of one of the servers for the cost of a probe; it speaks one TLS version."""
    return f"20.{_SECOND_OCTET[kind]}.{version.replace('.', '')}.{index + 1}"


def endpoint_address(index: int) -> str:
    """Address of one endpoint of an audit."""
    return f"20.{52 + index // 62_500}.{index // 250 % 250}.{index % 250 + 1}"


def host_name(address: str) -> str:
    """The name that lives at `address`."""
    return f"h{address.replace('.', '-')}.{ZONE}"


class Pki:
    """Two roots with an issuing CA each, one of ECDSA and one of RSA keys, and their leaves, made on first use.

    A chain is served as Microsoft's are: leaf, issuing CA, cross-signed root.
    """

    def __init__(self) -> None:
        self.roots = {kind: authority(f"Bench Root {kind}", kind=kind) for kind in KINDS}
        self.crosses = {k: authority(f"Bench Cross Root {k}", self.roots[k], k) for k in KINDS}
        self.issuing = {k: authority(f"Bench Issuing CA {k}", self.crosses[k], k) for k in KINDS}
        self.by_serial: dict[int, tuple[Leaf, Authority]] = {}

    def leaf(self, kind: KeyKind, address: str) -> Leaf:
        """The certificate of the server at `address`."""
        point = x509.UniformResourceIdentifier(f"http://{PKI_HOST}/{kind}.crl")
        responder = x509.UniformResourceIdentifier(f"http://{PKI_HOST}/ocsp")
        above = self.issuing[kind]
        made = above.leaf(
            [host_name(address), ANY_NAME],
            kind,
            extensions=[
                x509.CRLDistributionPoints([x509.DistributionPoint([point], None, None, None)]),
                x509.AuthorityInformationAccess([x509.AccessDescription(Aia.OCSP, responder)]),
            ],
        )
        self.by_serial[made.certificate.serial_number] = (made, above)
        return made

    @functools.cached_property
    def crls(self) -> dict[str, bytes]:
        """By path on the PKI host: a CRL with a few hundred entries (16 KiB), as those of young partitions."""
        encoding = serialization.Encoding.DER
        return {
            f"/{k}.crl": a.crl(range(1 << 100, (1 << 100) + 300)).public_bytes(encoding)
            for k, a in self.issuing.items()
        }

    def write(self, directory: Path) -> None:
        """`roots.pem` (the public list, and the exporter's CA file) and `cas.toml` (the expected CAs)."""
        pem = serialization.Encoding.PEM
        roots = b"".join(a.certificate.public_bytes(pem) for a in self.roots.values())
        (directory / "roots.pem").write_bytes(roots)
        lines = [
            'schema = "wayclear.caset/1"',
            'name = "bench"',
            'title = "CAs of the bench"',
            *_dated(),
            f'pki_hosts = ["{PKI_HOST}"]',
        ]
        lines += _citation()
        for role, group in (("root", self.crosses), ("issuing", self.issuing)):
            for made in group.values():
                lines += _ca(made, role)
        (directory / "cas.toml").write_text("\n".join(lines) + "\n")


def _dated() -> list[str]:
    today = datetime.datetime.now(datetime.UTC).date()
    return [f'version = "{today}"', f"reviewed = {today}"]


def _citation() -> list[str]:
    today = datetime.datetime.now(datetime.UTC).date()
    return [
        "[citations.bench]",
        'title = "Made for the bench"',
        f'url = "https://{ZONE}/"',
        f"date = {today}",
    ]


def _ca(made: Authority, role: str) -> list[str]:
    spki = made.certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    name = made.certificate.subject.rfc4514_string().removeprefix("CN=")
    assert made.issuer is not None
    above = made.issuer.certificate.subject.rfc4514_string().removeprefix("CN=")
    return [
        "[[ca]]",
        f'name = "{name}"',
        f'role = "{role}"',
        f'issuer = "{name if role == "root" else above}"',
        f'spki_sha256 = "{hashlib.sha256(spki).hexdigest()}"',
        f"not_before = {made.certificate.not_valid_before_utc.date()}",
        f"not_after = {made.certificate.not_valid_after_utc.date()}",
        'citation = "bench"',
    ]


def write_rules(file: Path, endpoints: int, service_every: int) -> None:
    """A rule set of `endpoints` exact hosts; each `service_every`-th is of the service group (strict, OCSP asked)."""
    lines = ['schema = "wayclear.ruleset/1"', 'name = "bench"', 'title = "Hosts of the bench"', *_dated()]
    lines += _citation()
    for index in range(endpoints):
        name = host_name(endpoint_address(index))
        group = "service" if index % service_every == 0 else "sign-in"
        lines += [
            "[[rule]]", f'id = "host-{index}"', f'title = "Host {index}"', f'host = "{name}"', 'match = "exact"',
            "ports = [443]", f'group = "{group}"', 'citations = ["bench"]',
        ]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")


def write_config(directory: Path) -> Path:
    """The configuration of an audit of these hosts."""
    file = directory / "wayclear.toml"
    values = {"public_roots": "roots.pem", "os_store": "roots.pem"}
    lines = [f'{key} = "{directory / name}"' for key, name in values.items()]
    lines += [f'ca_sets = ["{directory / "cas.toml"}"]', f'resolvers = ["{RESOLVER}"]']
    file.write_text("\n".join(lines) + "\n")
    return file


def write_dns(directory: Path, endpoints: int, ttl: int = 300) -> Path:
    """Zone and server configurations; returns unbound's. Every endpoint's name is an alias, as the service's are.

    `ttl`: seconds, of the endpoints' records.
    """
    hosts = [Host(PKI_HOST, v4=[PKI_ADDRESS]), Host(ANY_NAME, v4=[server_address("ec", "1.2", 0)])]
    hosts += [
        Host(host_name(a), via=[f"{host_name(a).partition('.')[0]}.edge.{ZONE}"], v4=[a], ttl=ttl)
        for a in map(endpoint_address, range(endpoints))
    ]
    configs.write_dns(directory, World({h.name: h for h in hosts}))
    return configs.write_unbound(directory, Resolver(RESOLVER), RESOLVER, dns64=False)
