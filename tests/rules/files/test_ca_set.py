"""Sets of expected CAs and interceptors from TOML."""

from __future__ import annotations

import datetime
import tomllib

import pytest

from rules.files.ca_set import parse_caset, parse_interceptors
from rules.files.rule_set import BadFile
from rules.model.ruleset import CaSet

HEAD = """
name = "ours"
title = "Ours"
version = "1"
reviewed = 2026-11-23

[citations.page]
title = "Page"
url = "https://learn.microsoft.com/x"
date = 2026-01-01
"""
ROOT = f"""
[[ca]]
name = "Root"
role = "root"
issuer = "Root"
spki_sha256 = "{"Ab" * 32}"
sha256 = "{"01" * 32}"
sha1 = "{"02" * 20}"
not_before = 2020-01-01
not_after = 2040-01-01
citation = "page"
note = "a note"
"""
ISSUING = """
[[ca]]
name = "Issuing 01"
role = "issuing"
issuer = "Root"
citation = "page"
"""
GOOD = 'schema = "wayclear.caset/1"\npki_hosts = ["CRL3.digicert.com"]' + HEAD + ROOT + ISSUING


def parse(text: str, base: CaSet | None = None) -> CaSet:
    return parse_caset(tomllib.loads(text), "cas.toml", sha256="cd", base=base)


def test_the_whole_of_a_good_set() -> None:
    found = parse(GOOD)
    assert (found.name, found.pki_hosts, found.brands, found.sha256) == (
        "ours", ("crl3.digicert.com",), ("Microsoft", "DigiCert"), "cd",
    )  # fmt: skip
    root, issuing = found.cas
    assert (root.spki_sha256, root.sha256, root.sha1) == ("ab" * 32, "01" * 32, "02" * 20)
    assert (root.not_before, root.not_after) == (datetime.date(2020, 1, 1), datetime.date(2040, 1, 1))
    assert (issuing.role, issuing.issuer, issuing.spki_sha256, issuing.citation.id) == (
        "issuing",
        "Root",
        None,
        "page",
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('role = "root"', 'role = "leaf"', "ca[0].role: 'leaf' is not root, cross or issuing"),
        ('role = "root"', 'role = "cross"', "ca[0].issuer: of a cross-certificate is another CA"),
        ('issuer = "Root"\nspki', 'issuer = "Other"\nspki', "ca[0].issuer: of a root is the root itself"),
        ("Ab" * 32, "ab" * 31, "ca[0].spki_sha256:"),
        ("02" * 20, "zz" * 20, "ca[0].sha1:"),
        ("02" * 20, ":".join(["02"] * 20), "40 hexadecimal digits without colons"),
        ("2040-01-01", "2010-01-01", "ca[0].not_after: 2010-01-01 is before not_before"),
        ("2040-01-01", '"2040"', "ca[0].not_after: is the text '2040', must be a date"),
        ('citation = "page"\nnote', 'citation = "pages"\nnote', "ca[0].citation: 'pages' is no citation"),
        (
            'note = "a note"',
            'notes = "a note"',
            "ca[0].notes: is not a key that is known here, did you mean note?",
        ),
        (
            '"CRL3.digicert.com"',
            '"http://crl3.digicert.com/"',
            "pki_hosts[0]: 'http://crl3.digicert.com/' holds a URL",
        ),
        (
            'name = "Issuing 01"\nrole = "issuing"',
            'name = "Root"\nrole = "issuing"',
            "ca[1]: 'Root' by 'Root' is already",
        ),
        (
            'name = "Issuing 01"',
            f'name = "Issuing 01"\nsha1 = "{"02" * 20}"',
            "have the same fingerprint 0202",
        ),
    ],
)
def test_each_fault_is_told_where_it_is(old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(BadFile) as caught:
        parse(GOOD.replace(old, new, 1))
    assert told in str(caught.value)


def test_a_set_without_cas_is_refused() -> None:
    with pytest.raises(BadFile, match="a CA set without a CA"):
        parse('schema = "wayclear.caset/1"' + HEAD)


def test_an_extension_replaces_adds_and_removes() -> None:
    head = (
        'schema = "wayclear.caset/1"\nextends = "ours"\npki_hosts = ["crl.corp.example"]\nbrands = ["Corp"]'
    )
    head += HEAD.replace('"ours"', '"more"')
    new = ISSUING.replace("Issuing 01", "Issuing 02") + ROOT.replace("Ab" * 32, "cd" * 32)
    found = parse(head + new + '[[remove]]\nname = "Issuing 01"\nissuer = "Root"\n', parse(GOOD))
    assert [(ca.name, ca.spki_sha256) for ca in found.cas] == [("Root", "cd" * 32), ("Issuing 02", None)]
    assert found.pki_hosts == ("crl3.digicert.com", "crl.corp.example")
    assert found.brands == ("Microsoft", "DigiCert", "Corp")
    assert found.source == "cas.toml (extends ours 1)"
    for text, base, told in (
        (
            head + '[[remove]]\nname = "Root"\nissuer = "X"\n',
            parse(GOOD),
            "remove[0]: 'Root' by 'X' is no CA of ours",
        ),
        (head + ISSUING, None, "extends: 'ours' is not a set that is known"),
        (GOOD + '[[remove]]\nname = "Root"\nissuer = "Root"\n', None, "remove: drops CAs of another set"),
    ):
        with pytest.raises(BadFile) as caught:
            parse(text, base)
        assert told in str(caught.value)


INTERCEPTORS = (
    'schema = "wayclear.interceptors/1"'
    + HEAD
    + """
[[interceptor]]
product = "Zscaler"
o = "Zscaler Inc."
citation = "page"
grade = "A"

[[interceptor]]
product = "FortiGate"
cn = "FG*"
o = "Fortinet"
ou = "Certificate Authority"
citation = "page"
"""
)


def test_interceptors() -> None:
    zscaler, fortigate = parse_interceptors(tomllib.loads(INTERCEPTORS), "i.toml")
    assert (zscaler.product, zscaler.cn, zscaler.o, zscaler.grade, zscaler.source) == (
        "Zscaler",
        "",
        "Zscaler Inc.",
        "A",
        "Page",
    )
    assert (fortigate.cn, fortigate.o, fortigate.ou, fortigate.grade) == (
        "FG*",
        "Fortinet",
        "Certificate Authority",
        "B",
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('o = "Zscaler Inc."', "", "interceptor[0].cn: is missing: give at least one of cn, o and ou"),
        ('o = "Zscaler Inc."', 'o = "*"', "interceptor[0].o: '*' fits everything"),
        ('o = "Zscaler Inc."', 'o_re = "Zscaler.*"', "interceptor[0].o_re: is not a key that is known here"),
        ('o = "Zscaler Inc."', f'o = "{"a*" * 200}"', "has 400 characters, at most 256"),
        ('grade = "A"', 'grade = "G"', "interceptor[0].grade: 'G' is not A, B or C"),
        ('product = "Zscaler"', "", "interceptor[0].product: is missing"),
        (
            'cn = "FG*"\no = "Fortinet"\nou = "Certificate Authority"',
            'o = "ZSCALER Inc."',
            "interceptor[1]: has the same",
        ),
    ],
)
def test_interceptors_that_are_none(old: str, new: str, told: str) -> None:
    assert old in INTERCEPTORS
    with pytest.raises(BadFile) as caught:
        parse_interceptors(tomllib.loads(INTERCEPTORS.replace(old, new, 1)), "i.toml")
    assert told in str(caught.value)


def test_interceptors_without_any() -> None:
    with pytest.raises(BadFile, match="interceptor: is missing"):
        parse_interceptors(tomllib.loads(INTERCEPTORS.split("[[interceptor]]")[0]), "i.toml")
