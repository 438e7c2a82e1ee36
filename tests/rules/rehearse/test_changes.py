"""What a change replaces, on scripted networks: a rehearsal says what the really changed network says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from rules.files.report_json import dumps, loads
from rules.judge.report import replay
from rules.model.failure import Failure
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step, kind_of
from rules.model.verdict import Answer, Report
from rules.rehearse.changes import Block, Change, ClosedPort, Inspection, touches, untouched
from rules.rehearse.rehearsal import NOTE, rehearse
from tests import pki
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    PLAN,
    REFUSED,
    RELAYS,
    RULES,
    SIGN_IN,
    SILENCE,
    World,
    by,
    healthy,
    judged,
    leaf,
    of_host,
    wanting,
)

ROOT = CORPORATE.certificate.public_bytes(Encoding.DER)
FAST = replace(PLAN, pace="fast")


def forge(name: str) -> tuple[bytes, ...]:
    return (*leaf(name, CORPORATE).chain, ROOT)


def rehearsed(*changes: Change, world: World | None = None) -> Report:
    return rehearse(judged(world or healthy(), plan=FAST), RULES, changes, forge, 5.0)


def without_words(report: Report) -> tuple[object, ...]:
    """The answer and what each check of it says."""
    rows = sorted((v.rule, str(v.endpoint), v.check, v.status.value, v.cause.word) for v in report.verdicts)
    return report.answer, report.exit_code, rows


def blocked(failure: Failure, *names: str) -> World:
    world = healthy()
    for name in names:
        world.when(TlsHandshake, failure, server_name=name)
    return world


def closed_80(failure: Failure) -> World:
    return healthy().when(HttpFetch, failure)


def inspected(*names: str) -> World:
    world = healthy(system=(*healthy().system, ROOT))
    for name in names or ("",):
        fields = {"server_name": name} if name else {}
        world.when(TlsHandshake, by(CORPORATE), **fields)
    return world


@pytest.mark.parametrize(
    ("changes", "world"),
    [
        ((), healthy()),
        ((Block("*.servicebus.windows.net"),), blocked(SILENCE, *RELAYS)),
        ((Block("*.servicebus.windows.net", reset=True),), blocked(REFUSED, *RELAYS)),
        ((Block("*.msappproxy.net:443".removesuffix(":443"), 443),), blocked(SILENCE, BOOTSTRAP)),
        ((Block(SIGN_IN.upper()),), blocked(SILENCE, SIGN_IN)),
        ((ClosedPort(80),), closed_80(SILENCE)),
        ((ClosedPort(80, reset=True),), closed_80(REFUSED)),
        ((Inspection("*"),), inspected()),
        ((Inspection(SIGN_IN),), inspected(SIGN_IN)),
        (
            (Block("eur.*"), Inspection(SIGN_IN)),
            inspected(SIGN_IN).when(TlsHandshake, SILENCE, server_name=RELAYS[0]),
        ),
    ],
)
def test_a_rehearsal_says_what_the_changed_network_says(changes: tuple[Change, ...], world: World) -> None:
    assert without_words(rehearsed(*changes)) == without_words(judged(world, plan=FAST))


def test_a_server_that_wants_a_client_certificate_is_inspected_as_well() -> None:
    name = BOOTSTRAP
    base = healthy().when(TlsHandshake, wanting(leaf(name).chain), server_name=name)
    report = rehearsed(Inspection("*"), world=base)
    assert report.answer is Answer.NO
    assert {c.cause.word for c in report.causes if not c.because} >= {"tls.intercepted"}


def test_what_failed_before_still_fails() -> None:
    base = blocked(SILENCE, SIGN_IN)
    report = rehearsed(Inspection("*"), world=base)
    assert {v.cause.word for v in report.verdicts if v.endpoint and v.endpoint.host == SIGN_IN} >= {
        "tcp.timeout"
    }


def test_no_change_changes_nothing_but_the_mark() -> None:
    report, base = rehearsed(), judged(healthy(), plan=FAST)
    assert without_words(report) == without_words(base)
    assert set(report.observations) == set(base.observations)
    assert report.notes[0] == NOTE
    assert of_host(report) == of_host(base)


def test_a_rehearsal_replays_and_goes_through_a_file() -> None:
    report = rehearsed(Block("*.servicebus.windows.net"), Inspection(SIGN_IN))
    again = replay(loads(dumps(report)), RULES)
    assert without_words(again) == without_words(report)
    assert not [v for v in again.verdicts if v.cause.word == "audit.not-recorded"]


def test_silence_lasts_as_long_as_an_audit_waits() -> None:
    report = rehearsed(Block("*.servicebus.windows.net"))
    silent = [seen for seen in report.observations if seen.failure == SILENCE]
    assert {seen.elapsed for seen in silent} == {5.0}
    assert all(seen.evidence is None for seen in silent)


@pytest.mark.parametrize(
    ("change", "step", "expected"),
    [
        (Block("*.example.com"), TlsHandshake("192.0.2.1", 443, "a.b.example.com"), True),
        (Block("*.example.com"), TlsHandshake("192.0.2.1", 443, "example.com"), False),
        (Block("*.example.com", 443), HttpFetch("192.0.2.1", 80, "a.example.com", "/"), False),
        (Block("*.example.com"), HttpFetch("192.0.2.1", 80, "a.example.com", "/"), True),
        (ClosedPort(80), HttpFetch("192.0.2.1", 80, "a.example.com", "/"), True),
        (ClosedPort(80), TlsHandshake("192.0.2.1", 443, "a.example.com"), False),
        (Inspection("*"), TlsHandshake("192.0.2.1", 443, "a.example.com"), True),
        (Inspection("*"), HttpFetch("192.0.2.1", 80, "a.example.com", "/"), False),
    ],
)
def test_a_change_touches_connections_by_name_and_port(change: Change, step: Step, expected: bool) -> None:
    assert touches(change, step) is expected


def test_a_change_without_an_effect_is_found() -> None:
    seen = judged(healthy()).observations
    nothing = (Block("*.fabrikam.example"), ClosedPort(8443), Inspection("nobody.*"))
    assert untouched((*nothing, Block(CRL_HOST)), seen) == nothing


def test_the_forged_leaf_is_for_the_name_that_was_asked() -> None:
    report = rehearsed(Inspection("*"))
    for seen in report.observations:
        chain = kind_of(seen.step).certificates(seen.evidence) if isinstance(seen.step, TlsHandshake) else ()
        if isinstance(seen.step, TlsHandshake) and chain:
            made = x509.load_der_x509_certificate(chain[0])
            names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == [seen.step.server_name]
    assert pki.der(CORPORATE.certificate) == ROOT
