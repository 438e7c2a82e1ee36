"""From mappings to sets of expected CAs and to interceptors; as strict as `parse_ruleset`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rules.files.citations import GRADES, NOBODY, cite, names_of, read_citations, read_name
from rules.files.fields import Faults, Table
from rules.model.ruleset import CaSet, Citation, ExpectedCa, Interceptor
from rules.text.hostname import shown

CAS_SCHEMA = "wayclear.caset/1"
INTERCEPTORS_SCHEMA = "wayclear.interceptors/1"
_EXAMPLE_CA = (
    '[[ca]] name = "DigiCert Global Root G2", role = "root", issuer = "DigiCert Global Root G2", ...'
)
_BRANDS = ("Microsoft", "DigiCert")
_GLOB = 256  #: longest text of an interceptor's pattern


def parse_caset(
    data: Mapping[str, object], source: str, *, sha256: str = "", base: CaSet | None = None
) -> CaSet:
    """The CA set in `data`. `base` is the set that its key `extends` names.

    A CA is identified by its name and its issuer's name, because two roots often certify the same issuing CA. An
    entry with the same pair as the base's replaces it, a new one is added, `[[remove]]` drops one.
    """
    faults = Faults(source)
    top = Table(data, "", faults)
    top.matched("schema", re.escape(CAS_SCHEMA), CAS_SCHEMA, f'schema = "{CAS_SCHEMA}"', required=True)
    name, title, version, reviewed = read_name(top, "CA set")
    extends = top.text("extends", 'extends = "microsoft-azure"')
    if extends and base is None:
        top.fault("extends", f"{shown(extends)} is not a set that is known", 'extends = "microsoft-azure"')
    hosts = [
        top.as_host(f"pki_hosts[{i}]", host, 'pki_hosts = ["crl3.digicert.com"]')
        for i, host in enumerate(top.texts("pki_hosts", 'pki_hosts = ["crl3.digicert.com"]'))
    ]
    brands = top.texts("brands", 'brands = ["Microsoft", "DigiCert"]')
    citations = read_citations(top)
    own = [_ca(table, citations) for table in top.tables("ca", _EXAMPLE_CA)]
    if not own and base is None:
        top.fault(
            "ca",
            "is missing: a CA set without a CA would call every service certificate unexpected",
            _EXAMPLE_CA,
        )
    removed = [_removal(table) for table in top.tables("remove", '[[remove]] name = "...", issuer = "..."')]
    top.finish()
    cas = _merge(own, removed, base, faults)
    _refuse_twice(own, cas, faults)
    faults.raise_if_any()
    assert reviewed is not None
    return CaSet(
        name=name,
        title=title,
        version=version,
        reviewed=min(reviewed, base.reviewed) if base else reviewed,
        cas=cas,
        pki_hosts=names_of((*(base.pki_hosts if base else ()), *hosts)),
        brands=names_of((*(base.brands if base else ()), *brands)) or _BRANDS,
        source=f"{source} (extends {base.name} {base.version})" if base else source,
        sha256=sha256,
    )


def parse_interceptors(data: Mapping[str, object], source: str) -> tuple[Interceptor, ...]:
    """The interceptors in `data`, in the file's order: the first match names the product."""
    faults = Faults(source)
    top = Table(data, "", faults)
    top.matched(
        "schema",
        re.escape(INTERCEPTORS_SCHEMA),
        INTERCEPTORS_SCHEMA,
        f'schema = "{INTERCEPTORS_SCHEMA}"',
        required=True,
    )
    read_name(top, "interceptors")
    citations = read_citations(top, loose=True)
    found = [
        _interceptor(table, citations)
        for table in top.tables("interceptor", '[[interceptor]] product = "Zscaler", o = "Zscaler Inc."')
    ]
    if not found:
        top.fault(
            "interceptor",
            "is missing",
            '[[interceptor]] product = "Zscaler", o = "Zscaler Inc.", citation = "page"',
        )
    top.finish()
    seen: set[tuple[str, str, str]] = set()
    for index, one in enumerate(found):
        if (key := (one.cn.casefold(), one.o.casefold(), one.ou.casefold())) in seen and any(key):
            faults.add(f"interceptor[{index}]", "has the same patterns as one before")
        seen.add(key)
    faults.raise_if_any()
    return tuple(found)


def _ca(table: Table, citations: Mapping[str, Citation]) -> ExpectedCa:
    """One `[[ca]]`; its errors are among the faults."""
    name = table.text("name", 'name = "DigiCert Global Root G2"', required=True, most=200)
    role = table.matched(
        "role", "root|cross|issuing", "root, cross or issuing", 'role = "issuing"', required=True
    )
    issuer = table.text("issuer", 'issuer = "DigiCert Global Root G2"', required=True, most=200)
    if role == "root" and name and issuer and name != issuer:
        table.fault("issuer", "of a root is the root itself", f'issuer = "{name}"')
    if role == "cross" and name and name == issuer:
        table.fault("issuer", "of a cross-certificate is another CA", 'role = "root"')
    key = table.text("citation", 'citation = "page"', required=True)
    not_before, not_after = (
        table.date("not_before", "not_before = 2023-06-08"),
        table.date("not_after", "not_after = 2026-08-25"),
    )
    if not_before and not_after and not_before > not_after:
        table.fault("not_after", f"{not_after} is before not_before", "not_after = 2040-04-10")
    ca = ExpectedCa(
        name=name,
        role=role,
        issuer=issuer,
        citation=(cite(table, "citation", key, citations) if key else None) or NOBODY,
        spki_sha256=_hash(table, "spki_sha256", 64),
        sha256=_hash(table, "sha256", 64),
        sha1=_hash(table, "sha1", 40),
        not_before=not_before,
        not_after=not_after,
        note=table.text("note", 'note = "..."'),
    )
    table.finish()
    return ca


def _hash(table: Table, key: str, digits: int) -> str | None:
    """A hash in hex, without colons; lower case in the value."""
    what = f"{digits} hexadecimal digits without colons"
    return (
        table.matched(
            key, rf"[0-9A-Fa-f]{{{digits}}}", what, f'{key} = "{"8bb593a93be1d0e8"[:8]}..." ({digits} digits)'
        ).lower()
        or None
    )


def _removal(table: Table) -> tuple[str, str]:
    name = table.text("name", 'name = "DigiCert Global Root G3"', required=True)
    issuer = table.text("issuer", 'issuer = "DigiCert Global Root G3"', required=True)
    table.finish()
    return name, issuer


def _merge(
    own: list[ExpectedCa], removed: list[tuple[str, str]], base: CaSet | None, faults: Faults
) -> tuple[ExpectedCa, ...]:
    if removed and base is None:
        faults.add(
            "remove", "drops CAs of another set, but the file extends none", 'extends = "microsoft-azure"'
        )
    if base is None:
        return tuple(own)
    ours = {(ca.name, ca.issuer): ca for ca in own}
    known = {(ca.name, ca.issuer) for ca in base.cas}
    for index, key in enumerate(removed):
        if all(key) and key not in known:
            faults.add(f"remove[{index}]", f"{shown(key[0])} by {shown(key[1])} is no CA of {base.name}")
    kept = [ours.get((ca.name, ca.issuer), ca) for ca in base.cas if (ca.name, ca.issuer) not in removed]
    return (*kept, *(ca for ca in own if (ca.name, ca.issuer) not in known))


def _refuse_twice(own: list[ExpectedCa], cas: tuple[ExpectedCa, ...], faults: Faults) -> None:
    """Refuse a CA that is there twice: by name and issuer, or by fingerprint."""
    seen: dict[tuple[str, str], int] = {}
    for index, ca in enumerate(own):
        key = (ca.name, ca.issuer)
        if all(key) and seen.setdefault(key, index) != index:
            faults.add(f"ca[{index}]", f"{shown(ca.name)} by {shown(ca.issuer)} is already ca[{seen[key]}]")
    prints: dict[str, str] = {}
    for ca in cas:
        for digest in filter(None, (ca.sha256, ca.sha1)):
            if digest in prints:
                faults.add(
                    "ca", f"{shown(ca.name)} and {shown(prints[digest])} have the same fingerprint {digest}"
                )
            prints[digest] = ca.name


def _interceptor(table: Table, citations: Mapping[str, Citation]) -> Interceptor:
    product = table.text("product", 'product = "Zscaler"', required=True, most=100)
    cn, o, ou = (table.text(key, f'{key} = "Zscaler*"', most=_GLOB) for key in ("cn", "o", "ou"))
    for key, value in (("cn", cn), ("o", o), ("ou", ou)):
        if value and not value.strip("*? "):
            table.fault(key, f"{shown(value)} fits everything", 'o = "Zscaler Inc."')
    if not any(table.has(key) for key in ("cn", "o", "ou")):
        table.fault("cn", "is missing: give at least one of cn, o and ou", 'o = "Zscaler Inc."')
    key = table.text("citation", 'citation = "page"', required=True)
    citation = cite(table, "citation", key, citations) if key else None
    grade = table.matched("grade", GRADES, "A, B or C", 'grade = "B"')
    table.text("note", 'note = "..."')
    table.finish()
    return Interceptor(product, cn, o, ou, source=citation.title if citation else "", grade=grade or "B")
