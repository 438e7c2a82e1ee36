"""A resolver's own word on why it does not answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.extended_errors import BLOCKED, error_codes, resolver_statement
from rules.model.kinds.dns_chain import DnsAnswer


def failed(ede: str = "", told: tuple[int, ...] = (), rcode: str = "NXDOMAIN") -> DnsAnswer:
    return DnsAnswer(rcode, ede=ede, ede_codes=told)


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "NOERROR", "SERVFAIL", "REFUSED"])
@pytest.mark.parametrize("code", sorted(BLOCKED))
def test_policies_block_whatever_the_rcode(code: int, rcode: str) -> None:
    said = resolver_statement(failed(f"{code} Name: why", (code,), rcode), resolved=False)
    assert said is not None
    assert (said.word, said.code, said.text) == ("sinkholed", code, f"{code} Name: why")


def test_prohibited_is_about_the_host_that_asks() -> None:
    said = resolver_statement(failed("18 Prohibited", (18,), "REFUSED"), resolved=False)
    assert said is not None
    assert said.word == "refused"
    assert resolver_statement(failed("18 Prohibited", (18,), "NOERROR"), resolved=True) is None


@pytest.mark.parametrize("code", [0, 1, 3, 5, 6, 9, 12, 14, 19, 20, 21, 22, 23, 24, 29, 49_152, 65_535])
@pytest.mark.parametrize("resolved", [True, False])
def test_other_errors_tell_of_no_policy(code: int, resolved: bool) -> None:
    assert resolver_statement(failed(f"{code} Something", (code,)), resolved=resolved) is None
    assert resolver_statement(failed(f"{code}"), resolved=resolved) is None


def test_an_answer_that_resolves_is_blocked_only_by_a_policy() -> None:
    assert resolver_statement(failed("4 Forged answer", (4,), "NOERROR"), resolved=True) is not None
    assert (
        resolver_statement(failed("3 Stale answer; 22 No reachable authority", (3, 22), "NOERROR"), True)
        is None
    )
    assert resolver_statement(None, resolved=False) is None


def test_the_one_that_counts_is_found_among_several() -> None:
    said = resolver_statement(
        failed("22 No reachable authority; 15 Blocked: here; 15 Blocked: there", (22, 15, 15)), False
    )
    assert said is not None
    assert said.text == "15 Blocked: here"
    both = resolver_statement(failed("18 Prohibited; 17 Filtered", (18, 17)), resolved=False)
    assert both is not None
    assert both.word == "sinkholed"


@pytest.mark.parametrize(
    ("ede", "expected"),
    [
        ("15 Blocked: by policy", (15,)),
        ("15", (15,)),
        ("22 No reachable authority; 17 Filtered", (22, 17)),
        ("0 Other: see 15 Blocked", (0,)),
        ("", ()),
        ("text without a number", ()),
        ("15.5 of something", ()),
        ("155555555 long", ()),
    ],
)
def test_a_recording_with_the_text_alone_is_read_by_its_numbers(ede: str, expected: tuple[int, ...]) -> None:
    assert error_codes(failed(ede)) == expected
    assert error_codes(failed(ede, (7,))) == (7,)


@given(st.text(), st.lists(st.integers(0, 65_535), max_size=9), st.booleans())
def test_whatever_a_resolver_says_is_one_harmless_line(ede: str, told: list[int], resolved: bool) -> None:
    said = resolver_statement(failed(ede, tuple(told)), resolved)
    assert said is None or (said.text and said.text.isprintable())
