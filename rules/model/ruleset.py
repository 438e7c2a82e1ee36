"""Requirements, with their source and date: rule sets and sets of expected CAs as values. `rules.files` makes them
from TOML."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from enum import StrEnum


class Group(StrEnum):
    """The purpose of a destination. A connector depends on `service`."""

    SERVICE = "service"
    VALIDATION = "cert-validation"
    SIGN_IN = "sign-in"


class Match(StrEnum):
    EXACT = "exact"
    SUFFIX = "suffix"  # any depth under the name; the name itself is not implied
    URL_PATH = "url_path"  # host and path; a firewall without URL awareness must allow the host


class Severity(StrEnum):
    """How much a failure may weigh. `retired` and `optional` rows never weigh more than a notice."""

    REQUIRED = "required"
    RETIRED = "retired"
    OPTIONAL = "optional"


class Expect(StrEnum):
    """Which CAs may have issued the certificate."""

    EXPECTED_CA = "expected-ca"  # only the CA set's keys (service group)
    PUBLIC_CA = "public-ca"  # any public CA (sign-in and CDN names)
    NONE = "none"  # plain HTTP


@dataclass(frozen=True, slots=True)
class Citation:
    """Who says so, where and when."""

    id: str
    title: str
    url: str
    date: datetime.date


@dataclass(frozen=True, slots=True)
class Probe:
    """A concrete name under a rule, because a wildcard is not a host.

    `required`: it must work (exact rows, names with the tenant in them). `sample`: a name that may disappear; a
    connector needs only its own region's. `host` may hold `{tenant}`. `path`: GET it inside TLS (443) or over plain
    HTTP (80).
    """

    host: str
    required: bool
    citation: Citation
    grade: str = "A"  # A Microsoft's documentation, B official code or vendor, C third party
    path: str | None = None
    expects_client_certificate: bool = False
    note: str = ""
    region: str = ""  # the geography whose connectors need this name (`rules.model.geography`)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that a port-80 host is known to serve, so that a fetch proves that the host itself answers."""

    host: str
    path: str
    kind: str  # "crl" | "aia"
    citation: Citation


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of an allow list."""

    id: str  # unique in its set, [a-z0-9-]+
    title: str
    host: str  # "*.msappproxy.net" | "login.windows.net"
    match: Match
    ports: tuple[int, ...]
    group: Group
    severity: Severity
    citation: Citation
    expect: Expect = Expect.PUBLIC_CA
    path: str | None = None  # of a url_path row
    citations: tuple[Citation, ...] = ()  # all of them, the newest first
    probes: tuple[Probe, ...] = ()
    documents: tuple[Document, ...] = ()
    changed: str = ""  # what changed, since when
    note: str = ""

    def covers(self, host: str) -> bool:
        """Whether `host` (A-label, lower case) matches this row's pattern. Suffix: any depth, apex not implied."""
        if self.match is Match.SUFFIX:
            return host.endswith(self.host[1:]) and len(host) > len(self.host) - 1
        return host == self.host


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A named allow list. `unpublished` gives the reason why there is none (China: no published list)."""

    name: str
    title: str
    version: str
    reviewed: datetime.date
    rules: tuple[Rule, ...]
    cloud: str = "public"
    unpublished: str = ""
    source: str = ""  # file it was read from, for messages
    sha256: str = ""
    warnings: tuple[str, ...] = ()  # allowed but suspicious: look-alike names, rows that disagree

    def rule_for(self, host: str, port: int | None = None) -> Rule | None:
        """The first rule that covers `host` (and `port`, where given); exact rows before wildcards."""
        hits = [r for r in self.rules if r.covers(host) and (port is None or port in r.ports)]
        return min(hits, key=lambda r: (r.match is Match.SUFFIX, -len(r.host)), default=None)


@dataclass(frozen=True, slots=True)
class ExpectedCa:
    """A CA whose key may be above a service certificate.

    Judged by `spki_sha256` (hex SHA-256 of the SubjectPublicKeyInfo). Without this hash the CA is only a name: it
    never makes a chain genuine by itself.
    """

    name: str
    role: str  # "root" | "cross" | "issuing"
    issuer: str
    citation: Citation
    spki_sha256: str | None = None
    sha256: str | None = None  # fingerprint of the certificate, hex
    sha1: str | None = None
    not_before: datetime.date | None = None
    not_after: datetime.date | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class CaSet:
    """The CAs that Microsoft says its services use, reviewed on a day."""

    name: str
    title: str
    version: str
    reviewed: datetime.date
    cas: tuple[ExpectedCa, ...]
    pki_hosts: tuple[str, ...] = ()  # CRL, OCSP and AIA hosts of these CAs
    # A CA with such a name on an unexpected key is an impostor.
    brands: tuple[str, ...] = (
        "Microsoft",
        "DigiCert",
    )
    source: str = ""
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Interceptor:
    """Issuer texts of an interception product: only a name for what the chain has already proved."""

    product: str
    cn: str = ""  # linear glob, matched case-insensitively on trimmed text
    o: str = ""
    ou: str = ""
    source: str = ""  # where these texts were seen
    grade: str = "B"


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything an audit judges by."""

    rulesets: tuple[RuleSet, ...]
    cas: tuple[CaSet, ...]
    interceptors: tuple[Interceptor, ...] = field(default=())

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule for ruleset in self.rulesets for rule in ruleset.rules)
