"""From rows of an allow list to names that can be asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.audit.targets import Target, ocsp_names, targets
from rules.model import causes
from rules.model.ruleset import Group, Rule, Severity
from tests.rules.script import (
    ALL,
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CRL_HOST,
    CRL_RULE,
    NO_PROBE_RULE,
    RELAY_RULE,
    RELAYS,
    RETIRED_RULE,
    RULES,
    SIGN_IN,
    SIGN_IN_RULE,
    TENANT,
    rule,
    rules_of,
)


def of(*rows: Rule, tenant: str | None = TENANT, only: str = "") -> tuple[Target, ...]:
    return targets(rules_of(*rows), tenant, only)


def test_an_exact_row_is_its_own_name_at_every_port() -> None:
    found = of(replace(SIGN_IN_RULE, ports=(80, 443)))
    assert [(t.host, t.port, t.id) for t in found] == [
        (SIGN_IN, 80, "app/sign-in"),
        (SIGN_IN, 443, "app/sign-in"),
    ]
    assert all(t.required and not t.sample for t in found)


def test_a_wildcard_is_no_host_its_probes_are() -> None:
    assert [t.host for t in of(RELAY_RULE)] == list(RELAYS)
    assert all(t.sample and not t.required for t in of(RELAY_RULE))


def test_a_wildcard_without_a_name_to_try_says_so() -> None:
    (found,) = of(NO_PROBE_RULE)
    assert (found.host, found.why, found.shown) == (None, causes.AUDIT_NO_PROBE_NAME, "*.msauth.net")


def test_the_tenant_is_put_into_the_names_that_hold_it() -> None:
    (found,) = of(BOOTSTRAP_RULE)
    assert (found.host, found.required, found.path) == (BOOTSTRAP, True, "/")


def test_without_a_tenant_such_a_name_is_open_and_not_guessed() -> None:
    (found,) = of(BOOTSTRAP_RULE, tenant=None)
    assert (found.host, found.why, found.required) == (None, causes.AUDIT_NO_TENANT, True)
    assert found.shown == "{tenant}.bootstrap.msappproxy.net"


@pytest.mark.parametrize("severity", [Severity.RETIRED, Severity.OPTIONAL])
def test_a_row_that_no_longer_weighs_requires_nothing(severity: Severity) -> None:
    (found,) = of(replace(RETIRED_RULE, severity=severity))
    assert not found.required


def test_a_document_belongs_to_its_host_on_port_80_only() -> None:
    at_80, at_443 = of(replace(CRL_RULE, ports=(80, 443)))
    assert at_80.document is not None
    assert at_80.document.path == "/issuing.crl"
    assert at_443.document is None
    (other,) = of(replace(CRL_RULE, host="other.digicert.com"))
    assert other.document is None


@pytest.mark.parametrize(
    ("glob", "hosts"),
    [("login.*", {SIGN_IN}), ("*.DIGICERT.com", {CRL_HOST, "ocsp.digicert.com"}), ("nobody", set())],
)
def test_only_what_the_glob_names(glob: str, hosts: set[str]) -> None:
    assert {t.host for t in targets(RULES, TENANT, glob)} == hosts


def test_every_row_has_a_target() -> None:
    assert {t.rule for t in targets(RULES, None)} == set(ALL)


def test_ocsp_is_asked_for_the_required_names_of_the_service_or_else_its_first_sample() -> None:
    assert ocsp_names(targets(RULES, TENANT)) == {BOOTSTRAP, RELAYS[0]}
    assert ocsp_names(of(rule("x", "login.example", Group.SIGN_IN))) == frozenset()
