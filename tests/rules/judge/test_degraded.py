"""The words of DEGRADED, row by row, and held against every recorded network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.judge.degraded import Extent, Loss, Revocation, loss_clauses, opening_sentence
from rules.model.ruleset import Group
from rules.model.verdict import Answer, Report, Status, Verdict
from tests.lab.scenarios import SCENARIOS
from tests.rules import goldens

FINE = Revocation()
DEGRADED = tuple(s.name for s in SCENARIOS if s.answer == Answer.DEGRADED.value)


def lost(
    extent: Extent,
    group: Group = Group.SERVICE,
    port: int = 443,
    required: bool = True,
    host: str = "a.example",
) -> Loss:
    return Loss(host, port, group, extent, required, "What it is for", 1, 3)


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (lost("some"), "1 of 3 addresses of a.example fails, so fewer ways to the service are left"),
        (lost("whole"), "a.example fails: a connector that is handed such a name cannot connect"),
        (
            replace(lost("whole"), region="eur"),
            "a.example fails: if your connector group is in Europe, this is an outage",
        ),
        (
            lost("issuer"),
            "the certificate of a.example is from a public CA that the service is not known to use",
        ),
        (lost("session"), "sessions to a.example are cut after they opened"),
        (
            lost("whole", Group.SIGN_IN),
            "sign-in or registration fails (a.example), so a connector cannot be installed or renewed",
        ),
        (lost("whole", Group.SIGN_IN, required=False), "a.example fails (What it is for)"),
        (lost("some", Group.SIGN_IN), "some addresses of a.example fail, others get through"),
        (lost("session", Group.SIGN_IN), "sessions to a.example are cut after they opened"),
        (lost("whole", Group.SIGN_IN, 80), "port 80 of a.example fails (What it is for)"),
        (
            lost("some", Group.VALIDATION, 80),
            "port 80 at 1 of 3 addresses of a.example fails (What it is for)",
        ),
    ],
)
def test_a_row_of_the_table(one: Loss, said: str) -> None:
    assert loss_clauses([one], FINE) == (said,)


def test_a_name_of_another_region_than_ours_is_no_outage_of_ours() -> None:
    one = replace(lost("whole"), region="eur")
    said = "a.example fails: connector groups in Europe need it, and yours is in Asia"
    assert loss_clauses([one], FINE, "asia") == (said,)
    outage = ("a.example fails: if your connector group is in Europe, this is an outage",)
    assert loss_clauses([one], FINE, "emea") == loss_clauses([one], FINE, "eur") == outage


@pytest.mark.parametrize(
    ("revocation", "said"),
    [
        (
            Revocation(("a", "b"), (), False),
            "certificates cannot be checked for revocation, which can delay or break connections",
        ),
        (
            Revocation(("a", "b", "c"), (), True),
            "revocation lists of a, b and 1 more fail, others come through",
        ),
        (Revocation((), ("a",), True), "OCSP answers of a cannot be used; the lists come through"),
    ],
)
def test_what_is_said_of_revocation(revocation: Revocation, said: str) -> None:
    assert loss_clauses([], revocation) == (said,)
    assert loss_clauses([lost("whole", Group.VALIDATION, 80, host="a")], revocation) == (said,), "told once"


def test_several_names() -> None:
    some = [lost("some", host=f"{letter}.example") for letter in "abc"]
    assert loss_clauses(some, FINE) == (
        "some addresses of a.example, b.example and 1 more fail, so fewer ways to the service are left",
    )
    both = loss_clauses([lost("some"), lost("whole", host="b.example")], FINE)
    assert len(both) == 2
    assert loss_clauses([], FINE) == ()


def test_of_a_wrong_clock_nobody_knows_whether_it_starts() -> None:
    assert "It will start" in opening_sentence(False)
    assert "It will start" not in opening_sentence(True)


# --- every recorded network ----------------------------------------------------------------------------------------------


def way(report: Report, group: str) -> list[Verdict]:
    """Verdicts on the way to the names of a group over TLS."""
    return [
        v for v in report.verdicts if v.group == group and v.endpoint is not None and v.endpoint.port == 443
    ]


@pytest.mark.parametrize("name", DEGRADED)
def test_something_is_said_and_it_fits(name: str) -> None:
    report = goldens.golden(name)
    text = report.answer_text
    clock = any(v.cause.word == "local.clock-skew" and v.status is Status.FAIL for v in report.verdicts)
    assert ("Here: " in text) or clock
    bad = (Status.FAIL, Status.WARN)
    if not any(v.status is Status.FAIL for v in way(report, "sign-in")):
        assert "sign-in or registration" not in text
    closed = [v for v in way(report, "service") if v.status in bad]
    if not closed:
        assert "fewer ways" not in text
        assert "handed" not in text
    if "fewer ways" in text:
        hosts = {v.endpoint.host for v in closed if v.endpoint is not None}
        open_ = {
            v.endpoint.host
            for v in way(report, "service")
            if v.check == "tls" and v.status is Status.PASS and v.endpoint
        }
        assert hosts & open_, "another address of the name gets through"
    if not any(v.check == "crl" and v.status in bad for v in report.verdicts):
        assert "checked for revocation" not in text
    if clock:
        assert "It will start" not in text


@pytest.mark.parametrize(
    ("name", "said", "unsaid"),
    [
        ("port-80-dropped", "certificates cannot be checked for revocation", "sign-in"),
        ("captive-portal-on-80", "certificates cannot be checked for revocation", "sign-in"),
        ("one-of-three-dropped", "1 of 3 addresses", "handed"),
        ("one-region-dropped", "if your connector group is in Europe, this is an outage", "fewer ways"),
        ("other-public-ca", "public CA", "fewer ways"),
        ("sign-in-dropped", "cannot be installed or renewed", "fewer ways"),
        ("sign-in-expired", "cannot be installed or renewed", "revocation"),
        ("crl-host-resets", "others come through", "cannot be checked"),
        ("ocsp-bad-signature", "OCSP", "cannot be checked"),
    ],
)
def test_the_networks_that_were_told_wrong(name: str, said: str, unsaid: str) -> None:
    text = goldens.golden(name).answer_text
    assert said in text
    assert unsaid not in text
