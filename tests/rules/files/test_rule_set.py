"""Rule sets from TOML: the whole of a good file is read, each fault of a bad one is told where it is."""

from __future__ import annotations

import datetime
import time
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.files.rule_set import BadFile, conflicts, parse_caset, parse_interceptors, parse_ruleset
from rules.model.ruleset import Expect, Group, Match, RuleSet, Severity

GOOD = """
schema = "wayclear.ruleset/1"
name = "my-rules"
title = "My rules"
version = "2026.11"
reviewed = 2026-11-23

[citations.page]
title = "Configure connectors"
url = "https://learn.microsoft.com/en-us/entra/x"
date = 2026-02-04

[citations.older]
title = "Tutorial"
url = "https://learn.microsoft.com/en-us/entra/y"
date = 2023-11-01

[[rule]]
id = "service"
title = "The service"
host = "*.msappproxy.net"
match = "suffix"
ports = [443]
group = "service"
citations = ["page", "older"]

[[rule.probe]]
host = "{tenant}.bootstrap.msappproxy.net"
kind = "required"
path = "/ConnectorBootstrap"
expects_client_certificate = true
citation = "page"
grade = "C"

[[rule.probe]]
host = "Autoupdate.msappproxy.net."
kind = "sample"
citation = "older"

[[rule]]
id = "crl"
title = "CRL"
host = "crl3.digicert.com"
match = "exact"
ports = [80]
group = "cert-validation"
severity = "retired"
citations = ["page"]
changed = "retired"
note = "a note"

[[rule.document]]
host = "crl3.digicert.com"
path = "/DigiCertGlobalRootG2.crl"
kind = "crl"
citation = "page"

[[rule]]
id = "pkiops"
title = "CRL and certificates"
host = "www.microsoft.com"
path = "/pkiops"
match = "url_path"
ports = [443, 80]
group = "sign-in"
citations = ["page"]
"""


def parse(text: str, base: RuleSet | None = None) -> RuleSet:
    return parse_ruleset(tomllib.loads(text), "my.toml", sha256="ab", base=base)


def faults(text: str, base: RuleSet | None = None) -> str:
    with pytest.raises(BadFile) as caught:
        parse(text, base)
    return str(caught.value)


def test_the_whole_of_a_good_file() -> None:
    found = parse(GOOD)
    assert (found.name, found.title, found.version, found.cloud) == (
        "my-rules",
        "My rules",
        "2026.11",
        "public",
    )
    assert (found.reviewed, found.source, found.sha256) == (datetime.date(2026, 11, 23), "my.toml", "ab")
    assert found.warnings == ()
    service, crl, pkiops = found.rules
    assert (service.match, service.group, service.expect) == (Match.SUFFIX, Group.SERVICE, Expect.EXPECTED_CA)
    assert [citation.id for citation in service.citations] == ["page", "older"]
    assert service.citation.date == datetime.date(2026, 2, 4)
    bootstrap, update = service.probes
    assert (bootstrap.host, bootstrap.required, bootstrap.grade) == (
        "{tenant}.bootstrap.msappproxy.net",
        True,
        "C",
    )
    assert (bootstrap.path, bootstrap.expects_client_certificate) == ("/ConnectorBootstrap", True)
    assert (update.host, update.required, update.grade) == ("autoupdate.msappproxy.net", False, "A")
    assert (crl.expect, crl.severity, crl.changed, crl.note) == (
        Expect.NONE,
        Severity.RETIRED,
        "retired",
        "a note",
    )
    assert [(d.host, d.path, d.kind) for d in crl.documents] == [
        ("crl3.digicert.com", "/DigiCertGlobalRootG2.crl", "crl")
    ]
    assert (pkiops.path, pkiops.ports, pkiops.expect) == ("/pkiops", (443, 80), Expect.PUBLIC_CA)


def test_an_exact_row_without_a_probe_is_its_own_required_probe() -> None:
    _, crl, pkiops = parse(GOOD).rules
    assert [(p.host, p.required, p.path) for p in crl.probes] == [("crl3.digicert.com", True, None)]
    assert [(p.host, p.required, p.path) for p in pkiops.probes] == [("www.microsoft.com", True, "/pkiops")]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('schema = "wayclear.ruleset/1"', 'schema = "wayclear.ruleset/2"', "schema: 'wayclear.ruleset/2' is not"),
        ('name = "my-rules"', 'name = "My Rules"', "name: 'My Rules' is not lower-case words"),
        ('title = "My rules"', "", "title: is missing. For example: title = "),
        ("reviewed = 2026-11-23", 'reviewed = "2026-11-23"', "reviewed: is the text '2026-11-23', must be a date"),
        ("date = 2026-02-04", "date = 2026-02-04T00:00:00Z", "citations.page.date: is the date and time"),
        ('url = "https://learn.microsoft.com/en-us/entra/x"', 'url = "see there"', "citations.page.url: 'see there'"),
        ('title = "Tutorial"', 'titel = "Tutorial"', "citations.older.titel: is not a key that is known here, did you"),
        ('id = "crl"', 'id = "CRL"', "rule[1].id: 'CRL' is not lower-case words"),
        ('id = "crl"', 'id = "service"', "rule: the id service is given twice"),
        ('match = "suffix"', 'match = "regex"', "rule[0].match: 'regex' is none of exact, suffix, url_path"),
        ('match = "suffix"', 'match = "exact"', "rule[0].host: '*.msappproxy.net' is a wildcard"),
        ('host = "*.msappproxy.net"', 'host = "*"', "rule[0].host: '*' must begin with *."),
        ('host = "*.msappproxy.net"', 'host = "*.net"', "rule[0].host: '*.net' covers a whole top-level domain"),
        ('host = "*.msappproxy.net"', 'host = "*.*.net"', "rule[0].host: '*.*.net' must begin with *."),
        ('host = "crl3.digicert.com"\nmatch', 'host = "http://crl3.digicert.com"\nmatch', "rule[1].host:"),
        ('host = "crl3.digicert.com"\nmatch', 'host = "crl3.digicert.com\\u0000"\nmatch', "rule[1].host:"),
        ("ports = [80]", "ports = [0]", "rule[1].ports[0]: 0 is no TCP port"),
        ("ports = [80]", "ports = [true]", "rule[1].ports[0]: True is no TCP port"),
        ("ports = [80]", 'ports = ["80"]', "rule[1].ports[0]: '80' is no TCP port"),
        ("ports = [80]", "ports = [80, 80]", "rule[1].ports: must name between 1 and 16 ports, each once"),
        ("ports = [80]", "ports = []", "rule[1].ports: must name between 1 and 16"),
        ("ports = [80]", "ports = 80", "rule[1].ports: is the number 80, must be an array. For example: ports = [443]"),
        ("ports = [80]", "ports = [443]", "a document is fetched over port 80"),
        ('group = "cert-validation"', 'group = "validation"', "rule[1].group: 'validation' is none of service, cert-v"),
        ('severity = "retired"', 'severity = "low"', "rule[1].severity: 'low' is none of required, retired, optional"),
        ('severity = "retired"', 'expect = "public-ca"', "rule[1].expect: asks for a certificate, but port 80 alone"),
        ('group = "service"', 'group = "service"\nexpect = "none"', "rule[0].expect: is none, but port 443 speaks TLS"),
        ('citations = ["page", "older"]', 'citations = ["pages"]', "rule[0].citations[0]: 'pages' is no citation"),
        ('citations = ["page", "older"]', "citations = []", "rule[0].citations: is empty"),
        ('citations = ["page", "older"]', 'citations = ["page", "page"]', "rule[0].citations: names 'page' twice"),
        ('host = "Autoupdate.msappproxy.net."', 'host = "autoupdate.msappproxy.us"', "rule[0].probe[1].host:"),
        ('host = "Autoupdate.msappproxy.net."', 'host = "msappproxy.net"', "not covered by the rule's own pattern"),
        ('host = "{tenant}.bootstrap', 'host = "{tid}.bootstrap', "rule[0].probe[0].host:"),
        ('kind = "required"', 'kind = "sample"', "rule[0].probe[0].kind: is sample, but a name with the tenant"),
        ('kind = "sample"', 'kind = "maybe"', "rule[0].probe[1].kind: 'maybe' is not required or sample"),
        ('kind = "sample"', "", "rule[0].probe[1].kind: is missing"),
        ('grade = "C"', 'grade = "G"', "rule[0].probe[0].grade: 'G' is not A, B or C"),
        ('path = "/ConnectorBootstrap"', 'path = "Connector Bootstrap"', "rule[0].probe[0].path:"),
        ('path = "/pkiops"', "", "rule[2].path: is missing"),
        ('citation = "older"', 'citation = "oldest"', "rule[0].probe[1].citation: 'oldest' is no citation"),
        ('kind = "crl"', 'kind = "ocsp"', "rule[1].document[0].kind: 'ocsp' is not crl or aia"),
        ('host = "Autoupdate', 'host = "{tenant}.autoupdate', "rule[0].probe[1].kind: is sample"),
        ('host = "crl3.digicert.com"\nmatch', 'host = "www.microsoft.com"\npath = "/pkiops"\nmatch', "url_path"),
        ('note = "a note"', 'probes = 3', "rule[1].probes: is not a key that is known here, did you mean probe?"),
    ],
)  # fmt: skip
def test_each_fault_is_told_where_it_is(old: str, new: str, told: str) -> None:
    assert old in GOOD
    text = faults(GOOD.replace(old, new, 1))
    assert text.startswith("my.toml: ")
    assert told in text


def test_faults_of_many_places_come_together() -> None:
    text = faults(
        GOOD.replace("ports = [80]", "ports = [0]")
        .replace('grade = "C"', 'grade = "G"')
        .replace("2026.11", "")
    )
    assert text.splitlines()[0] == "my.toml: 3 things are wrong"
    assert all(path in text for path in ("version:", "rule[1].ports[0]:", "rule[0].probe[0].grade:"))


def test_the_same_destination_twice() -> None:
    again = GOOD[GOOD.index('[[rule]]\nid = "crl"') : GOOD.index("[[rule.document]]")].replace(
        'id = "crl"', 'id = "crl-2"'
    )
    text = faults(GOOD + again)
    assert "rule crl-2: crl3.digicert.com port 80 is already in rule crl" in text
    other_port = again.replace("ports = [80]", "ports = [8080]")
    assert len(parse(GOOD + other_port).rules) == 4


def test_the_same_probe_name_twice() -> None:
    again = '\n[[rule.probe]]\nhost = "autoupdate.msappproxy.net"\nkind = "sample"\ncitation = "page"\n'
    text = faults(GOOD.replace('\n[[rule]]\nid = "crl"', again + '\n[[rule]]\nid = "crl"'))
    assert "rule service: the probe autoupdate.msappproxy.net port 443 is given twice" in text


def test_an_exact_row_takes_no_sample() -> None:
    probe = '\n[[rule.probe]]\nhost = "www.microsoft.com"\nkind = "sample"\ncitation = "page"\n'
    assert "rule[2].probe[0].kind: is sample, but an exact row's own name is required" in faults(GOOD + probe)
    assert parse(GOOD + probe.replace('kind = "sample"\n', "")).rules[2].probes[0].required


def test_a_set_without_rules_says_why() -> None:
    head = GOOD[: GOOD.index("[citations.page]")]
    assert "rule: is missing" in faults(head)
    assert parse(head + 'unpublished = "no published list"\n').unpublished == "no published list"


EXTENSION = GOOD[: GOOD.index("[[rule]]")].replace("my-rules", "ours").replace("2026-11-23", "2026-12-01")


def test_an_extension_replaces_adds_and_removes() -> None:
    base = parse(GOOD)
    own = EXTENSION.replace('version = "2026.11"', 'version = "1"\nextends = "my-rules"\nremove = ["pkiops"]')
    row = GOOD[GOOD.index('[[rule]]\nid = "crl"') : GOOD.index("[[rule.document]]")]
    own += row.replace("retired", "required").replace("CRL", "Our CRL") + row.replace(
        'id = "crl"', 'id = "more"'
    ).replace("crl3.digicert.com", "crl.corp.example")
    found = parse(own, base)
    assert [rule.id for rule in found.rules] == ["service", "crl", "more"]
    assert found.rules[1].title == "Our CRL"
    assert (found.name, found.reviewed) == ("ours", datetime.date(2026, 11, 23))  # as old as the older part
    assert found.source == "my.toml (extends my-rules 2026.11)"


def test_an_extension_of_nothing_is_refused() -> None:
    extends = EXTENSION.replace('version = "2026.11"', 'version = "1"\nextends = "unknown"')
    assert "extends: 'unknown' is not a set that is known" in faults(extends)
    removes = EXTENSION.replace('version = "2026.11"', 'version = "1"\nremove = ["pkiops"]')
    assert "remove: drops rows of another set, but the file extends none" in faults(removes)
    slip = EXTENSION.replace('version = "2026.11"', 'version = "1"\nextends = "my-rules"\nremove = ["pkiop"]')
    assert "remove[0]: 'pkiop' is not the id of a row of my-rules (service, crl, pkiops)" in faults(
        slip, parse(GOOD)
    )


def test_a_look_alike_is_a_warning_with_both_forms() -> None:
    found = parse(GOOD.replace('host = "www.microsoft.com"', 'host = "www.mіcrosoft.com"'))
    assert found.rules[2].host == "www.xn--mcrosoft-thh.com"
    assert "xn--mcrosoft-thh.com) mixes CYRILLIC and LATIN letters" in found.warnings[0]


def test_rows_that_disagree_are_listed() -> None:
    row = GOOD[GOOD.index('[[rule]]\nid = "crl"') : GOOD.index("[[rule.document]]")]
    other = (
        row.replace('id = "crl"', 'id = "odd"')
        .replace("crl3.digicert.com", "x.msappproxy.net")
        .replace("[80]", "[443]")
    )
    found = parse(GOOD + other.replace('"cert-validation"', '"sign-in"'))
    assert found.warnings == conflicts(found.rules)
    assert found.warnings[0].startswith("rule odd (x.msappproxy.net, sign-in, public-ca) and rule service")


def test_ten_thousand_wildcards_are_compared_in_no_time() -> None:
    one = next(
        rule for rule in parse_ruleset(tomllib.loads(GOOD), "my.toml").rules if rule.match is Match.SUFFIX
    )
    nested = [replace(one, id=f"r{n}", host=f"*.{'a.' * (n % 5)}z{n // 5}.example") for n in range(10_000)]
    begin = time.process_time()
    assert conflicts(nested) == ()
    found = conflicts([replace(nested[4], group=Group.SIGN_IN), *nested[:2]])
    assert time.process_time() - begin < 2
    assert len(found) == 2


def test_very_many_names_are_refused() -> None:
    probe = '[[rule.probe]]\nhost = "a{}.msappproxy.net"\nkind = "sample"\ncitation = "page"\n'
    head, tail = GOOD.split('[[rule]]\nid = "crl"', 1)
    many = head + "".join(probe.format(i) for i in range(9_998)) + '[[rule]]\nid = "crl"' + tail
    assert "more than 10000 names to probe" in faults(many)


KEYS = (
    "schema name title version reviewed extends remove citations rule id host match ports group severity expect path "
    "changed note probe kind citation grade document page service suffix exact url_path required ca role issuer "
    "spki_sha256 pki_hosts brands interceptor product cn o ou url date *.msappproxy.net crl3.digicert.com"
)
WORDS = st.sampled_from(KEYS.split())
LEAVES = st.one_of(
    WORDS,
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.dates(),
    st.datetimes(),
    st.times(),
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.one_of(WORDS, st.text()), inner, max_size=6)
    ),
)


@settings(max_examples=60)
@given(
    st.dictionaries(st.one_of(WORDS, st.text()), VALUES, max_size=8),
    st.sampled_from(["", "rule", "ca", "interceptor"]),
)
def test_whatever_the_file_holds_is_a_set_or_a_list_of_faults(data: dict[str, object], array: str) -> None:
    if array:
        data[array] = [dict(data), dict(data)]
    for parser in (parse_ruleset, parse_caset, parse_interceptors):
        with pytest.raises(BadFile) as caught:
            parser(data, "my.toml")
        assert str(caught.value).replace("\n", "").isprintable()
        assert str(caught.value).startswith("my.toml: ")
