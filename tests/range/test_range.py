"""A healthy network that we did not build for the audit: the answer is YES, and nothing warns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.range.internet import Internet
from tests.range.names import ENDED

pytestmark = pytest.mark.lab
#: What may be noted on this range, and is no alarm.
NOTICES = frozenset({"audit.not-on-list", "http.same-page"})
TIMES = 20


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    with Internet() as made:
        yield made


def alarms(report: dict[str, Any]) -> list[tuple[str, str, str, object]]:
    """Every verdict that is more than a notice, with its sentence."""
    return [
        (v["status"], v["cause"], v["summary"], v["endpoint"])
        for v in report["verdicts"]
        if v["status"] not in ("pass", "notice", "not-applicable")
    ]


def check(code: int, report: dict[str, Any]) -> None:
    assert alarms(report) == []
    assert (report["answer"], code) == ("yes", 0)
    assert {c["cause"] for c in report["causes"]} <= NOTICES


def test_a_healthy_network_of_other_makers_raises_no_alarm(internet: Internet) -> None:
    check(*internet.audit())


def test_what_is_closed_there_is_told(internet: Internet) -> None:
    """What the relays' front ends answer is lost: this range is no network that always passes."""
    lost = f"ip saddr {{ {', '.join(ENDED)} }} tcp sport 443 drop"
    rules = f"add table ip lossy; add chain ip lossy into {{ type filter hook input priority 0; }}; add rule ip lossy into {lost}"
    code, _, error = internet.run(["nft", rules])
    assert code == 0, error
    try:
        code, report = internet.audit()
    finally:
        assert internet.run(["nft", "delete table ip lossy"])[0] == 0
    assert (report["answer"], code) == ("no", 2)
    assert {cause for status, cause, *_ in alarms(report) if status == "fail"} == {"tcp.timeout"}


@pytest.mark.proof
@pytest.mark.parametrize("run", range(TIMES))
def test_nor_in_twenty_audits(internet: Internet, run: int) -> None:
    check(*internet.audit())
