"""The bare connect: the address canary, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rules.model.kinds.tcp_connect import KIND, TcpConnect, TcpFacts
from tests.rules.script import PLAN, QUIET, healthy, judged, run

CANARY = replace(PLAN, canary_address="192.0.2.77:443")


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [("192.0.2.77:443", "192.0.2.77", 443), ("[2001:db8::77]:8443", "2001:db8::77", 8443)],
)
def test_the_canary_s_address_as_it_is_configured(text: str, address: str, port: int) -> None:
    audit = run(healthy(), plan=replace(PLAN, canary_address=text))
    assert [s for s in audit.seen if isinstance(s, TcpConnect)] == [TcpConnect(address, port)]


def test_it_counts_as_a_connection() -> None:
    assert KIND.connects
    assert run(healthy(), plan=CANARY).connections == run(healthy()).connections + 1


def test_it_is_not_sent_unless_configured_nor_without_extras() -> None:
    for plan in (PLAN, QUIET, replace(CANARY, extras=False)):
        assert not [s for s in run(healthy(), plan=plan).seen if isinstance(s, TcpConnect)]


def test_a_canary_that_opens_is_told_with_where_it_was() -> None:
    report = judged(healthy().when(TcpConnect, TcpFacts(0.01)), plan=CANARY)
    (cause,) = [c for c in report.causes if c.cause.word == "tcp.accept-all"]
    assert "192.0.2.77:443" in cause.summary
    assert cause.evidence
