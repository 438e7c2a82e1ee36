"""Writes the files for an audit inside the lab: configuration, CA set, public roots, system store."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from tests.lab import pki
from tests.lab.plan import Plan
from tests.lab.world import CANARY, TENANT

REVIEWED = "2026-11-23"
PKI_HOSTS = (
    "www.microsoft.com",
    "crl2.microsoft.com",
    "caissuers.microsoft.com",
    "oneocsp.microsoft.com",
    "cacerts.digicert.com",
    "crl3.digicert.com",
    "crl4.digicert.com",
    "ocsp.digicert.com",
)
TIMEOUTS = {"dns_try": 1.0, "dns_name": 3.0, "tcp": 1.5, "tls": 1.5, "http": 3.0, "crl": 5.0}


def current_pki() -> pki.Pki:
    """The present hierarchy."""
    return pki.Pki(datetime.datetime.now(datetime.UTC))


def ca_set() -> str:
    """The lab's published CAs as a CA set (TOML, `wayclear.caset/1`)."""
    made = current_pki()
    lines = [
        'schema = "wayclear.caset/1"',
        'name = "lab"',
        'title = "CAs of the lab"',
        f'version = "{REVIEWED}"',
        f"reviewed = {REVIEWED}",
        f"pki_hosts = {_value(list(PKI_HOSTS))}",
        "[citations.lab]",
        'title = "The lab\'s own hierarchy"',
        'url = "https://example.com/"',
        f"date = {REVIEWED}",
    ]
    entries = [(a, a.role, a.issuer) for a in pki.AUTHORITIES.values() if a.published and a.role != "foreign"]
    entries.append((pki.AUTHORITIES[pki.TLSG2], "cross", pki.G2))
    for authority, role, issuer in entries:
        lines += [
            "[[ca]]",
            f'name = "{authority.name}"',
            f'role = "{role}"',
            f'issuer = "{issuer}"',
            f'spki_sha256 = "{pki.spki_sha256(made.ca(authority.name, issuer))}"',
            f"not_before = {pki.CA_FROM.date()}",
            f"not_after = {pki.CA_UNTIL.date()}",
            'citation = "lab"',
        ]
    return "\n".join(lines) + "\n"


def configuration(directory: Path, plan: Plan) -> str:
    """The audit's configuration file (TOML)."""
    values: dict[str, Any] = {
        "tenant": TENANT,
        "rules": ["entra-app-proxy"],
        "ca_sets": [f"{directory}/lab-cas.toml"],
        "resolvers": [r.address for r in plan.resolvers],
        "public_networks": [],
        "public_roots": f"{directory}/public-roots.pem",
        "os_store": f"{directory}/system-store.pem",
        "canary_address": CANARY,
        "timeouts": TIMEOUTS,
        "labels": {"site": "lab"},
    } | plan.config
    plain = {k: v for k, v in values.items() if v is not None and not isinstance(v, dict)}
    lines = [f"{k} = {_value(v)}" for k, v in plain.items()]
    for name, table in values.items():
        if isinstance(table, dict):
            lines += [f"[{name}]", *(f"{k} = {_value(v)}" for k, v in table.items())]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    return str(value)


def write(directory: Path, plan: Plan) -> None:
    """Write all four files into the lab's directory."""
    made = current_pki()
    (directory / "lab-cas.toml").write_text(ca_set())
    (directory / "public-roots.pem").write_text(made.public_roots())
    (directory / "system-store.pem").write_text(made.system_store(*plan.os_store))
    (directory / "wayclear.toml").write_text(configuration(directory, plan))
