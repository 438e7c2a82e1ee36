"""The operating system's own resolution as one more resolver."""

from __future__ import annotations

import pytest

from rules.model.kinds.dns_chain import OS
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from tests.rules.script import RESOLVERS, SIGN_IN, healthy, judged, only, run


def test_a_repeat_is_another_step() -> None:
    assert OsLookup(SIGN_IN) != OsLookup(SIGN_IN, 2)
    assert len({OsLookup(SIGN_IN), OsLookup(SIGN_IN)}) == 1


def test_an_answer_has_addresses_or_says_why_not() -> None:
    assert OsAnswer(("203.0.113.1",)).error == ""
    assert OsAnswer((), "EAI_NONAME").addresses == ()


def test_its_addresses_are_always_among_those_tried() -> None:
    audit = run(healthy().when(OsLookup, OsAnswer(("203.0.113.77",)), name=SIGN_IN))
    assert audit.candidates(SIGN_IN)[0].resolvers == (OS,)
    assert TlsHandshake("203.0.113.77", 443, SIGN_IN) in audit.seen
    assert {r for c in audit.candidates(SIGN_IN) for r in c.resolvers} == {OS, *RESOLVERS}


@pytest.mark.parametrize(
    "error", ["EAI_NONAME", "EAI_AGAIN", "EAI_FAIL", "EAI_NODATA", "EAI_SYSTEM", "EAI_7", ""]
)
def test_whatever_its_error_the_resolvers_addresses_are_tried(error: str) -> None:
    world = healthy().when(OsLookup, OsAnswer((), error), name=SIGN_IN)
    assert TlsHandshake("203.0.113.21", 443, SIGN_IN) in run(world).seen
    assert only(judged(world), SIGN_IN, "dns").cause.word == "dns.os-differs"
