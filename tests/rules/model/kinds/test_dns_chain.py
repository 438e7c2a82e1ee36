"""Chains out of answers: every way a chain can end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import (
    MAX_LINKS,
    Chain,
    DnsAnswer,
    DnsQuestion,
    Outcome,
    Record,
    follow_chain,
)

R = "10.0.0.53"
Answers = dict[str, tuple[DnsAnswer | None, Failure | None]]


def cname(name: str, target: str) -> Record:
    return Record(name, "CNAME", 60, target)


def a(name: str, address: str) -> Record:
    return Record(name, "A", 60, address)


def answer(*records: Record, rcode: str = "NOERROR", tcp_failure: str = "") -> tuple[DnsAnswer, None]:
    return DnsAnswer(rcode, records, tcp_failure=tcp_failure), None


def failed(code: Code) -> tuple[None, Failure]:
    return None, Failure(Stage.DNS, code)


def follow(answers: Answers, name: str = "a.example") -> Chain:
    return follow_chain(R, name, "A", lambda question: answers.get(question.name))


def test_a_whole_chain_in_one_answer_keeps_every_link_in_order() -> None:
    chain = follow(
        {
            "a.example": answer(
                cname("a.example", "b.example"), cname("b.example", "c.example"), a("c.example", "20.50.0.1")
            )
        }
    )
    assert [link.value for link in chain.links] == ["b.example", "c.example"]
    assert [record.value for record in chain.addresses] == ["20.50.0.1"]
    assert (chain.outcome, chain.end, chain.ask) == (Outcome.RESOLVED, "c.example", None)


def test_records_in_any_order_make_the_same_chain() -> None:
    records = (a("c.example", "20.50.0.1"), cname("b.example", "c.example"), cname("a.example", "b.example"))
    assert follow({"a.example": answer(*records)}).end == "c.example"


def test_a_chain_that_the_answer_leaves_open_is_asked_on() -> None:
    chain = follow({"a.example": answer(cname("a.example", "b.example"))})
    assert chain.ask == DnsQuestion(R, "b.example", "A")


def test_an_alias_whose_end_has_no_such_record_is_not_asked_for_again() -> None:
    nodata = DnsAnswer("NOERROR", (cname("a.example", "b.example"),), negative=True), None
    chain = follow({"a.example": nodata})
    assert (chain.outcome, chain.at, chain.ask) == (Outcome.NO_ADDRESS, "b.example", None)


def test_a_chain_over_two_answers() -> None:
    chain = follow(
        {
            "a.example": answer(cname("a.example", "b.example")),
            "b.example": answer(a("b.example", "20.50.0.1")),
        }
    )
    assert chain.outcome is Outcome.RESOLVED
    assert [q.name for q in chain.questions] == ["a.example", "b.example"]


@pytest.mark.parametrize(
    ("got", "outcome"),
    [
        (answer(rcode="NXDOMAIN"), Outcome.NXDOMAIN),
        (answer(rcode="SERVFAIL"), Outcome.SERVFAIL),
        (answer(rcode="REFUSED"), Outcome.REFUSED),
        (answer(rcode="RCODE23"), Outcome.SERVFAIL),
        (answer(), Outcome.NO_ADDRESS),
        (answer(tcp_failure="refused"), Outcome.TCP_BLOCKED),
        (failed(Code.TIMEOUT), Outcome.TIMEOUT),
        (failed(Code.REFUSED), Outcome.UNREACHABLE),
        (failed(Code.MALFORMED), Outcome.MALFORMED),
    ],
)
def test_how_a_name_without_alias_ends(
    got: tuple[DnsAnswer | None, Failure | None], outcome: Outcome
) -> None:
    assert follow({"a.example": got}).outcome is outcome


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
def test_a_later_name_that_fails_breaks_the_chain_and_is_named(rcode: str) -> None:
    chain = follow({"a.example": answer(cname("a.example", "b.example")), "b.example": answer(rcode=rcode)})
    assert (chain.outcome, chain.at) == (Outcome.CHAIN_BROKEN, "b.example")
    assert rcode.lower() in chain.detail


def test_the_rcode_of_an_answer_with_an_alias_speaks_of_the_last_name() -> None:
    chain = follow({"a.example": answer(cname("a.example", "gone.example"), rcode="NXDOMAIN")})
    assert (chain.outcome, chain.at) == (Outcome.CHAIN_BROKEN, "gone.example")


def test_a_loop_inside_one_answer_and_over_two() -> None:
    inside = follow({"a.example": answer(cname("a.example", "b.example"), cname("b.example", "a.example"))})
    over = follow(
        {
            "a.example": answer(cname("a.example", "b.example")),
            "b.example": answer(cname("b.example", "a.example")),
        }
    )
    assert inside.outcome is over.outcome is Outcome.LOOP


def test_an_endless_chain_ends_at_the_bound() -> None:
    answers: Answers = {
        f"n{i}.example": answer(cname(f"n{i}.example", f"n{i + 1}.example")) for i in range(40)
    }
    chain = follow(answers, "n0.example")
    assert chain.outcome is Outcome.TOO_LONG
    assert len(chain.links) == MAX_LINKS + 1


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12), st.booleans())
def test_any_graph_of_aliases_ends(edges: list[tuple[int, int]], with_address: bool) -> None:
    records = [cname(f"n{x}.example", f"n{y}.example") for x, y in edges]
    records += [a("n6.example", "20.50.0.1")] if with_address else []
    answers: Answers = {f"n{i}.example": answer(*records) for i in range(7)}
    chain = follow(answers, "n0.example")
    assert chain.ask is None
    assert bool(chain.addresses) == (chain.outcome is Outcome.RESOLVED)


def test_how_a_question_without_an_answer_ended() -> None:
    assert follow({"a.example": failed(Code.WRONG_SOURCE)}).outcome is Outcome.WRONG_SOURCE
    broken = follow({"a.example": (None, Failure(Stage.DNS, Code.MALFORMED, sign="no-question"))})
    assert (broken.outcome, broken.sign) == (Outcome.MALFORMED, "no-question")


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("refused", Outcome.TCP_BLOCKED), ("timeout", Outcome.TCP_BLOCKED), ("malformed", Outcome.MALFORMED)],
)
def test_a_broken_answer_over_tcp_closes_no_port(word: str, outcome: Outcome) -> None:
    assert follow({"a.example": answer(tcp_failure=word)}).outcome is outcome
