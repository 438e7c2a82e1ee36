"""The shipped sets: all parse, all agree with themselves, and what they cannot test is written down in one place."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pytest

from probe.config.rule_files import (
    check_file,
    load_caset,
    load_rules,
    load_ruleset,
    load_set,
    shipped_interceptors,
    shipped_names,
    shipped_sets,
)
from probe.host.files import read_toml
from rules.files.fields import BadFile
from rules.files.rule_set import TENANT, conflicts
from rules.model.ruleset import CaSet, Expect, Group, Match, Rule, RuleSet, Severity
from rules.text.pattern import matches

SETS = shipped_sets()
RULESETS = [one for one in SETS if isinstance(one, RuleSet)]
(CAS,) = [one for one in SETS if isinstance(one, CaSet)]
ROWS = [pytest.param(one, rule, id=f"{one.name}/{rule.id}") for one in RULESETS for rule in one.rules]
SOME_TENANT = "11111111-2222-3333-4444-555555555555"

#: Wildcards under which no page and no capture names a host: the audit says `audit.no-probe-name`, never "pass".
WITHOUT_A_NAME = {
    ("entra-app-proxy-usgov", "*.servicebus.usgovcloudapi.net"),
    ("entra-app-proxy-usgov", "*.microsoftonline-p.us"),
    ("entra-cloud-sync", "*.msappproxy.com"),
    ("entra-cloud-sync", "*.cloudwebappproxy.net"),
}


def test_every_shipped_file_is_known() -> None:
    assert shipped_names() == (
        "entra-app-proxy",
        "entra-app-proxy-china",
        "entra-app-proxy-usgov",
        "entra-cloud-sync",
        "entra-pass-through-auth",
        "interceptors",
        "microsoft-azure",
    )
    assert [one.name for one in SETS] == [name for name in shipped_names() if name != "interceptors"]
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) for one in SETS)


def test_wildcards_without_a_name_are_those_listed() -> None:
    assert {
        (one.name, rule.host) for one in RULESETS for rule in one.rules if not rule.probes
    } == WITHOUT_A_NAME


#: Names under a wildcard that are no sample of a region: every sign-in goes there.
ALWAYS = {"login.microsoftonline.com"}


@pytest.mark.parametrize("ruleset", RULESETS, ids=lambda one: one.name)
def test_no_set_contradicts_itself(ruleset: RuleSet) -> None:
    assert conflicts(ruleset.rules) == ()
    assert ruleset.warnings == ()
    assert bool(ruleset.rules) != bool(ruleset.unpublished)


@pytest.mark.parametrize(("ruleset", "rule"), ROWS)
def test_every_row(ruleset: RuleSet, rule: Rule) -> None:
    for probe in rule.probes:
        host = probe.host.replace(TENANT, SOME_TENANT)
        assert rule.covers(host)
        found = ruleset.rule_for(host, rule.ports[0])
        assert found is rule, f"{host} is judged by {found}"
        assert probe.grade in ("A", "B", "C")
        fixed = rule.match is not Match.SUFFIX or TENANT in probe.host or probe.host in ALWAYS
        assert probe.required == fixed
    assert sum(not probe.required for probe in rule.probes) <= 6, "a polite audit takes few samples"
    for document in rule.documents:
        assert rule.covers(document.host)
    assert rule.citation == rule.citations[0]
    dates = [citation.date for citation in rule.citations]
    assert dates == sorted(dates, reverse=True), "the newest citation comes first"
    assert all(date <= ruleset.reviewed for date in dates)
    expected = {
        Group.SERVICE: Expect.EXPECTED_CA,
        Group.SIGN_IN: Expect.PUBLIC_CA,
        Group.VALIDATION: Expect.NONE,
    }
    assert rule.expect is (Expect.NONE if rule.ports == (80,) else expected[rule.group])


def test_the_connector_set_has_every_row_of_both_tables() -> None:
    rows = {(rule.host, rule.ports, rule.severity) for rule in load_ruleset("entra-app-proxy").rules}
    tls, http, both = (443,), (80,), (80, 443)
    required = {
        *((host, tls) for host in (
            "*.msappproxy.net", "*.servicebus.windows.net", "login.windows.net", "secure.aadcdn.microsoftonline-p.com",
            "*.microsoftonline.com", "*.microsoftonline-p.com", "*.msauth.net", "*.msauthimages.net", "*.msecnd.net",
            "*.msftauth.net", "*.msftauthimages.net", "*.phonefactor.net", "enterpriseregistration.windows.net",
            "management.azure.com",
        )),
        *((host, http) for host in ("crl3.digicert.com", "crl4.digicert.com", "ocsp.digicert.com", "oneocsp.microsoft.com")),
        *((host, both) for host in ("ctldl.windowsupdate.com", "www.microsoft.com")),
    }  # fmt: skip
    retired = {
        ("crl.microsoft.com", http),
        ("ocsp.msocsp.com", http),
        ("policykeyservice.dc.ad.msft.net", tls),
    }
    assert {(host, ports) for host, ports, severity in rows if severity is Severity.REQUIRED} == required
    assert {(host, ports) for host, ports, severity in rows if severity is Severity.RETIRED} == retired
    optional = {host for host, _, severity in rows if severity is Severity.OPTIONAL}
    assert optional == {"crl2.microsoft.com", "caissuers.microsoft.com", "cacerts.digicert.com"}


def test_the_tenants_own_names() -> None:
    service = load_ruleset("entra-app-proxy").rules[0]
    bootstrap, registration = [probe for probe in service.probes if probe.required]
    assert (bootstrap.host, bootstrap.path) == ("{tenant}.bootstrap.msappproxy.net", "/ConnectorBootstrap")
    assert bootstrap.expects_client_certificate
    assert registration.host == "{tenant}.registration.msappproxy.net"


def test_china_says_that_nothing_is_published() -> None:
    assert "no list" in load_ruleset("entra-app-proxy-china").unpublished


def test_the_expected_cas() -> None:
    roots = {ca.name: ca for ca in CAS.cas if ca.role == "root"}
    assert len(roots) == 8
    assert all(ca.spki_sha256 and ca.sha256 and ca.not_after for ca in roots.values())
    assert len(CAS.cas) == 48
    issuers = {ca.name for ca in CAS.cas}
    assert {ca.issuer for ca in CAS.cas} <= issuers
    direct = [ca for ca in CAS.cas if ca.name == "Microsoft Azure RSA TLS Issuing CA 03"]
    assert len(direct) == 2
    assert len({ca.spki_sha256 for ca in direct}) == 1, "one key, certified twice"
    assert datetime.date(2026, 8, 25) in {ca.not_after for ca in direct}
    assert CAS.brands == ("Microsoft", "DigiCert")
    assert "www.microsoft.com" in CAS.pki_hosts


def test_hosts_of_the_certificates_are_rows_or_known() -> None:
    rows = load_ruleset("entra-app-proxy")
    without = {host for host in CAS.pki_hosts if rows.rule_for(host, 80) is None}
    assert without == {
        "cacerts.geotrust.com", "mscrl.microsoft.com", "www.d-trust.net", "root-c3-ca2-2009.ocsp.d-trust.net",
        "crl.digicert.cn", "ocsp.digicert.cn", "cacerts.digicert.cn",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cn", "o", "product"),
    [
        ("FG6H0FTB22903890", "Fortinet", "FortiGate"),
        ("Zscaler Intermediate Root CA (zscalertwo.net) (t) ", "Customer", "Zscaler"),
        ("ca.contoso.goskope.com", "Contoso", "Netskope"),
        ("Sophos SSL CA_C2A0ltXAJc4S83", "Sophos", "Sophos Firewall"),
        ("Microsoft TLS G2 RSA CA OCSP 02", "Microsoft Corporation", None),
        ("DigiCert Global Root G2", "DigiCert Inc", None),
    ],
)
def test_interceptors_by_their_texts(cn: str, o: str, product: str | None) -> None:
    ou = {"FortiGate": "Certificate Authority", "Sophos Firewall": "NSG"}.get(product or "", "")
    hits = [
        one.product
        for one in shipped_interceptors()
        if all(
            not pattern or matches(pattern, text)
            for pattern, text in ((one.cn, cn), (one.o, o), (one.ou, ou))
        )
    ]
    assert hits[:1] == ([product] if product else [])


def test_no_interceptor_is_named_by_an_expected_ca() -> None:
    for ca in CAS.cas:
        assert not [one for one in shipped_interceptors() if one.cn and matches(one.cn, ca.name)]


HEAD = 'version = "1"\nreviewed = 2026-11-20\ntitle = "Ours"\n'


def test_a_file_of_ones_own_extends_a_shipped_set(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        f'schema = "wayclear.ruleset/1"\nname = "own"\nextends = "entra-app-proxy"\nremove = ["msecnd"]\n{HEAD}'
    )
    cas = tmp_path / "cas.toml"
    cas.write_text(
        f'schema = "wayclear.caset/1"\nname = "cas"\nextends = "microsoft-azure"\nbrands = ["Corp"]\n{HEAD}'
    )
    more = tmp_path / "more.toml"
    more.write_text(
        f'schema = "wayclear.ruleset/1"\nname = "more"\nextends = "own.toml"\nremove = ["msauth"]\n{HEAD}'
    )
    rules = load_rules(["own.toml", "entra-cloud-sync"], [str(cas)], directory=str(tmp_path))
    assert [one.name for one in rules.rulesets] == ["own", "entra-cloud-sync"]
    assert len(rules.rulesets[0].rules) == len(load_ruleset("entra-app-proxy").rules) - 1
    assert rules.cas[0].brands == ("Microsoft", "DigiCert", "Corp")
    assert rules.interceptors == shipped_interceptors()
    assert len(load_ruleset(str(more)).rules) == len(rules.rulesets[0].rules) - 1
    assert check_file(read_toml(str(more))) == ()
    assert check_file(read_toml(str(cas))) == ()


def refused(rules: list[str], cas: list[str], directory: Path) -> str:
    with pytest.raises(BadFile) as caught:
        load_rules(rules, cas, str(directory))
    return str(caught.value)


def test_names_that_lead_nowhere(tmp_path: Path) -> None:
    assert "entra: is no set that wayclear ships (entra-app-proxy, " in refused(["entra"], [], tmp_path)
    assert "own.toml: cannot be read: no such file" in refused(["own.toml"], [], tmp_path)
    assert "is a CA set, a rule set belongs here" in refused(["microsoft-azure"], [], tmp_path)
    assert "is a rule set, a CA set belongs here" in refused([], ["entra-app-proxy"], tmp_path)
    assert "two sets have the name entra-app-proxy" in refused(
        ["entra-app-proxy", "entra-app-proxy"], [], tmp_path
    )
    with pytest.raises(BadFile, match="cannot be read"):
        load_caset("none.toml")


def test_files_that_extend_each_other_end(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "a")):
        text = f'schema = "wayclear.ruleset/1"\nname = "{name}"\nextends = "{other}.toml"\n{HEAD}'
        (tmp_path / f"{name}.toml").write_text(text)
    assert "files extend one another, or in a circle" in refused(["a.toml"], [], tmp_path)
    text = f'schema = "wayclear.ruleset/1"\nname = "c"\nextends = "entra"\n{HEAD}'
    (tmp_path / "c.toml").write_text(text)
    assert "extends: 'entra' is not a set that is known" in refused(["c.toml"], [], tmp_path)


def test_a_set_by_name_or_file_whichever_it_is(tmp_path: Path) -> None:
    assert isinstance(load_set("entra-app-proxy"), RuleSet)
    assert isinstance(load_set("microsoft-azure"), CaSet)
    own = tmp_path / "own.toml"
    own.write_text((Path("rules/sets/microsoft-azure.toml")).read_text("utf-8"), "utf-8")
    assert isinstance(load_set(str(own)), CaSet)
    with pytest.raises(BadFile, match="cannot be read"):
        load_set(str(tmp_path / "none.toml"))
