"""The checker of scenarios complains when it should: otherwise every scenario would be green."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.lab.plan import Plan
from tests.lab.scenario import Scenario, Want, check, essence


def healthy(_plan: Plan) -> None:
    """Nothing is spoilt."""


def verdict(cause: str, status: str, host: str = "a.example.net") -> dict[str, Any]:
    where = {"host": host, "port": 443, "address": None}
    told = {"rule": "set/row", "check": "tls", "summary": "told", "evidence": ["o1"]}
    return told | {"cause": cause, "status": status, "endpoint": where}


def cause(
    word: str, owner: str = "firewall", because: tuple[str, ...] = (), patterns: tuple[str, ...] = ("*.a",)
) -> dict[str, Any]:
    asked = {"patterns": list(patterns)} if patterns else None
    told = {"cause": word, "status": "fail", "owner": owner, "because": list(because), "summary": "told"}
    return told | {"request": asked, "tested": [{"host": "a"}]}


def report(*verdicts: dict[str, Any], answer: str = "no", code: int = 2) -> dict[str, Any]:
    told = {"answer": answer, "answer_text": "told", "exit_code": code}
    seen = {"verdicts": list(verdicts), "observations": [{"id": "o1"}]}
    return told | seen | {"causes": [cause("tls.expired")]}


WANTED = Scenario(
    "one", "", "no", 2, healthy, (Want("tls.expired", ("a.*",), "fail", only=True),), never=("tcp.*",)
)


def test_what_is_expected_passes() -> None:
    found = report(verdict("tls.expired", "fail"), verdict("ok", "pass", "b.example.net"))
    assert check(WANTED, found, 2).faults == ()


@pytest.mark.parametrize(
    ("verdicts", "complaint"),
    [
        ((), "no verdict tls.expired (fail) for a.*"),
        ((verdict("tls.expired", "notice"),), "no verdict tls.expired (fail)"),
        (
            (verdict("tls.expired", "fail"), verdict("tls.expired", "fail", "b.example.net")),
            "b.example.net too",
        ),
        ((verdict("tls.expired", "fail"), verdict("dns.nxdomain", "warn")), "unexpected warn dns.nxdomain"),
        ((verdict("tls.expired", "fail"), verdict("tcp.reset", "notice")), "tcp.reset must not appear"),
        ((verdict("tls.expired", "fail"), verdict("audit.bug", "broken")), "broken: audit.bug"),
        ((verdict("tls.expired", "fail") | {"evidence": []},), "not evidenced"),
        ((verdict("tls.expired", "fail") | {"evidence": ["o7"]},), "not evidenced"),
    ],
)
def test_whatever_differs_is_told(verdicts: tuple[dict[str, Any], ...], complaint: str) -> None:
    assert any(complaint in fault for fault in check(WANTED, report(*verdicts), 2).faults)


def test_answer_and_exit_code_count() -> None:
    found = report(verdict("tls.expired", "fail"), answer="yes", code=0)
    assert len(check(WANTED, found, 0).faults) == 2
    assert any("the report says 0" in fault for fault in check(WANTED, found, 2).faults)


def test_essence_ignores_words_and_order_only() -> None:
    one, other = verdict("tls.expired", "fail"), verdict("ok", "pass", "b.example.net")
    assert essence(report(one, other)) == essence(report(other | {"summary": "else"}, one))
    assert essence(report(one, other)) != essence(report(one, other | {"status": "warn"}))


@pytest.mark.parametrize(
    ("causes", "owners", "complaint"),
    [
        ([cause("tls.expired"), cause("tcp.reset")], (), "2 findings of one fault"),
        ([], (), "0 findings of one fault"),
        ([cause("tls.expired") | {"status": "notice"}], (), "0 findings of one fault"),
        ([cause("tls.expired"), cause("tcp.reset", because=("1",))], (), ""),
        ([cause("tls.expired", patterns=())], (), "nothing to allow"),
        ([cause("tls.expired", "host", patterns=())], (), ""),
        ([cause("tls.expired"), cause("dns.nxdomain", "dns")], ("dns", "firewall"), ""),
        ([cause("tls.expired"), cause("dns.nxdomain", "host")], ("dns", "firewall"), "expected one for each"),
    ],
)
def test_one_fault_is_one_finding(
    causes: list[dict[str, Any]], owners: tuple[str, ...], complaint: str
) -> None:
    found = report(verdict("tls.expired", "fail")) | {"causes": causes}
    faults = check(replace(WANTED, owners=owners), found, 2).faults
    assert any(complaint in fault for fault in faults) if complaint else faults == ()


def test_a_network_that_is_well_needs_no_finding_and_may_have_one() -> None:
    well = replace(WANTED, answer="yes", exit_code=1, wants=())
    for causes, found in (([], 0), ([cause("ok")], 0), ([cause("ok"), cause("ok")], 1)):
        told = report(answer="yes", code=1) | {"causes": causes}
        assert len(check(well, told, 1).faults) == found


def test_a_report_without_its_findings_is_none() -> None:
    told = report(verdict("tls.expired", "fail"))
    del told["causes"]
    with pytest.raises(KeyError):
        check(WANTED, told, 2)
