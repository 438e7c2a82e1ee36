"""The walk along a chain that fails: which questions, and what they find."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.audit.dns_walk import MAX_LINKS, NO_MORE, PATIENCE, ChainWalks, DnsWalk, fault_of, walkable
from rules.audit.machine import Audit
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import Chain, DnsAnswer, DnsQuestion, Outcome, Record
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.observation import Observation
from rules.model.ruleset import Severity
from rules.watch.memory import Memory
from tests.rules import goldens
from tests.rules.script import (
    BOOTSTRAP,
    NO_ANSWER,
    RELAYS,
    RESOLVERS,
    SIGN_IN,
    SIGN_IN_RULE,
    START,
    World,
    healthy,
    rules_of,
    run,
)

R = "198.51.100.53"
SILENT = Failure(Stage.DNS, Code.TIMEOUT)
SERVFAIL, REFUSED, NXDOMAIN, NODATA = (
    DnsAnswer("SERVFAIL"),
    DnsAnswer("REFUSED"),
    DnsAnswer("NXDOMAIN"),
    DnsAnswer("NOERROR"),
)
Told = dict[tuple[str, str], DnsAnswer | Failure]


def alias(name: str, *targets: str) -> DnsAnswer:
    pairs = pairwise((name, *targets))
    return DnsAnswer("NOERROR", tuple(Record(owner, "CNAME", 60, target) for owner, target in pairs))


def address(name: str) -> DnsAnswer:
    return DnsAnswer("NOERROR", (Record(name, "A", 60, "203.0.113.1"),))


def failed(
    name: str = "a.test", outcome: Outcome = Outcome.SERVFAIL, links: tuple[Record, ...] = ()
) -> Chain:
    return Chain(R, name, "A", links=links, outcome=outcome, at=links[-1].value if links else name)


def drive(
    told: Told, *chains: tuple[Chain, DnsAnswer | None], elapsed: float = 0.01
) -> tuple[ChainWalks, list[DnsQuestion]]:
    """Walk these chains in a network that answers `told`, and SERVFAIL for the rest; the questions in order."""
    walks, asked = ChainWalks(), []
    waiting = list(walks.begin(chains))
    while waiting:
        question = waiting.pop(0)
        assert question.walk
        assert question not in asked, "asked twice"
        asked.append(question)
        answer = told.get((question.name, question.rtype), SERVFAIL)
        failure = answer if isinstance(answer, Failure) else None
        evidence = answer if isinstance(answer, DnsAnswer) else None
        waiting += walks.record(Observation(question, START, elapsed, failure, evidence))
    return walks, asked


def one(
    told: Told, chain: Chain | None = None, first: DnsAnswer | None = SERVFAIL
) -> tuple[DnsWalk, list[str]]:
    """The walk of one name, and its questions as "TYPE name"."""
    chain = chain or failed()
    walks, asked = drive(told, (chain, first))
    walked = walks.finished(R, chain.name)
    assert walked is not None
    assert walks.observations(walked)
    return walked, [f"{q.rtype} {q.name}" for q in asked]


TWO: Told = {("a.test", "CNAME"): alias("a.test", "b.test"), ("b.test", "CNAME"): alias("b.test", "c.test")}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (SERVFAIL, Outcome.SERVFAIL),
        (REFUSED, Outcome.REFUSED),
        (NXDOMAIN, Outcome.NXDOMAIN),
        (NODATA, Outcome.NO_ADDRESS),
        (DnsAnswer("NOTIMP"), Outcome.SERVFAIL),
        (SILENT, Outcome.TIMEOUT),
        (Failure(Stage.DNS, Code.MALFORMED), Outcome.MALFORMED),
    ],
)
def test_the_link_that_fails_is_found(answer: DnsAnswer | Failure, outcome: Outcome) -> None:
    walked, asked = one(TWO | {("c.test", "CNAME"): answer, ("c.test", "A"): answer})
    assert walked.found
    assert (walked.at, walked.outcome) == ("c.test", outcome)
    assert [link.name for link in walked.links] == ["a.test", "b.test"]
    silent = [] if isinstance(answer, Failure) else ["A c.test"]
    assert asked == ["CNAME a.test", "CNAME b.test", "CNAME c.test", *silent]
    assert walked.answer == (answer if isinstance(answer, DnsAnswer) else None)


def test_a_circle_is_found_and_not_walked_twice() -> None:
    walked, asked = one(TWO | {("c.test", "CNAME"): alias("c.test", "b.test")})
    assert (walked.outcome, walked.at) == (Outcome.LOOP, "b.test")
    assert len(asked) == 3
    to_itself, asked = one({("a.test", "CNAME"): alias("a.test", "a.test")})
    assert (to_itself.outcome, len(asked)) == (Outcome.LOOP, 1)


def test_twelve_links_are_too_many() -> None:
    told: Told = {(f"n{i}.test", "CNAME"): alias(f"n{i}.test", f"n{i + 1}.test") for i in range(40)}
    walked, asked = one(told, failed("n0.test"))
    assert walked.outcome is Outcome.TOO_LONG
    assert len(walked.links) == len(asked) == MAX_LINKS


def test_a_whole_chain_in_one_answer_counts_every_link() -> None:
    names = [f"n{i}.test" for i in range(40)]
    walked, _ = one({("n0.test", "CNAME"): alias(*names)}, failed("n0.test"))
    assert (walked.outcome, len(walked.links)) == (Outcome.TOO_LONG, MAX_LINKS)


def test_a_name_that_fails_by_itself_shows_nothing_more() -> None:
    walked, asked = one({})
    assert not walked.found
    assert asked == ["CNAME a.test"]
    assert not one({("a.test", "CNAME"): SILENT}, failed(outcome=Outcome.TIMEOUT), None)[0].found


def test_links_that_all_resolve_by_themselves_are_said_to() -> None:
    walked, _ = one(TWO | {("c.test", "CNAME"): NODATA, ("c.test", "A"): address("c.test")})
    assert (walked.outcome, walked.at) == (Outcome.RESOLVED, "c.test")


def test_aliases_that_only_an_a_question_shows_are_followed() -> None:
    told: Told = {
        ("a.test", "CNAME"): alias("a.test", "b.test"),
        ("b.test", "CNAME"): REFUSED,
        ("b.test", "A"): alias("b.test", "c.test"),
        ("c.test", "A"): NXDOMAIN,
    }
    walked, _ = one(told)
    assert (walked.outcome, walked.at, len(walked.links)) == (Outcome.NXDOMAIN, "c.test", 2)


def test_a_walk_begins_where_the_chain_ended() -> None:
    links = (Record("a.test", "CNAME", 60, "b.test"),)
    chain = failed(outcome=Outcome.CHAIN_BROKEN, links=links)
    walked, asked = one(
        {("b.test", "CNAME"): alias("b.test", "c.test"), ("c.test", "A"): REFUSED}, chain, SERVFAIL
    )
    assert (walked.at, walked.outcome) == ("c.test", Outcome.REFUSED)
    assert asked == ["CNAME b.test", "CNAME c.test", "A c.test"]


# --- what bounds it ------------------------------------------------------------------------------------------------


def test_no_question_begins_after_the_first_second() -> None:
    told: Told = {(f"n{i}.test", "CNAME"): alias(f"n{i}.test", f"n{i + 1}.test") for i in range(40)}
    walks, asked = drive(told, (failed("n0.test"), SERVFAIL), elapsed=0.4)
    assert len(asked) == 3  # 0.4, 0.8, 1.2 s: the fourth would begin too late
    walked = walks.finished(R, "n0.test")
    assert walked is not None
    assert walked.spent > NO_MORE
    assert (walked.outcome, walked.found) == (Outcome.NOT_MEASURED, False)


def test_all_walks_at_a_resolver_have_an_end() -> None:
    told: Told = {(f"n{i}.test", "CNAME"): alias(f"n{i}.test", f"m{i}.x{i}.test") for i in range(100)}
    told |= {(f"m{i}.x{i}.test", "CNAME"): SILENT for i in range(100)}
    _, asked = drive(told, *((failed(f"n{i}.test"), SERVFAIL) for i in range(100)), elapsed=1.0)
    assert PATIENCE <= len(asked) <= PATIENCE + 2


def test_a_link_that_names_share_is_asked_for_once() -> None:
    told: Told = {
        ("a.one.test", "CNAME"): alias("a.one.test", "x.cdn.test"),
        ("b.two.test", "CNAME"): alias("b.two.test", "x.cdn.test"),
    }
    walks, asked = drive(told, (failed("a.one.test"), SERVFAIL), (failed("b.two.test"), SERVFAIL))
    assert [f"{q.rtype} {q.name}" for q in asked] == [
        "CNAME a.one.test",
        "CNAME x.cdn.test",
        "A x.cdn.test",
        "CNAME b.two.test",
    ]
    second = walks.finished(R, "b.two.test")
    assert second is not None
    assert (second.at, second.outcome, second.like) == ("x.cdn.test", Outcome.SERVFAIL, "")
    assert second.answer == SERVFAIL
    assert walks.questions()[DnsQuestion(R, "x.cdn.test", "A", walk=True)] == "a.one.test"


def test_other_names_of_a_zone_that_fails_are_not_walked_to_find_it_again() -> None:
    told: Told = {(f"{n}.{n}{n}.test", "CNAME"): alias(f"{n}.{n}{n}.test", f"{n}.cdn.test") for n in "abcd"}
    walks, asked = drive(told, *((failed(f"{n}.{n}{n}.test"), SERVFAIL) for n in "abcd"))
    assert len(asked) == 3 + 3
    last = walks.finished(R, "d.dd.test")
    assert last is not None
    assert (last.at, last.like, last.found) == ("d.cdn.test", "a.cdn.test", True)


def test_a_name_that_does_not_exist_says_nothing_of_its_zone() -> None:
    told: Told = {(f"{n}.{n}{n}.test", "CNAME"): alias(f"{n}.{n}{n}.test", f"{n}.cdn.test") for n in "ab"}
    told |= {(f"{n}.cdn.test", rtype): NXDOMAIN for n in "ab" for rtype in ("A", "CNAME")}
    _, asked = drive(told, *((failed(f"{n}.{n}{n}.test"), SERVFAIL) for n in "ab"))
    assert len(asked) == 6


def test_a_whole_zone_that_fails_costs_one_question_at_each_resolver() -> None:
    _, asked = drive({}, *((failed(f"n{i}.zone.test"), SERVFAIL) for i in range(40)))
    assert len(asked) == 1
    refused = (failed("x.zone.test", Outcome.REFUSED), REFUSED)
    _, asked = drive({}, *((failed(f"n{i}.zone.test"), SERVFAIL) for i in range(40)), refused)
    assert len(asked) == 2, "another fault may have another reason"


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(("A", "CNAME"))),
        st.one_of(
            st.sampled_from((SERVFAIL, NXDOMAIN, NODATA, REFUSED, SILENT)),
            st.lists(st.sampled_from("abcdefgh"), min_size=2, max_size=6).map(lambda names: alias(*names)),
        ),
    ),
    st.lists(st.sampled_from("abcdefgh"), max_size=8, unique=True),
)
def test_every_walk_ends_within_its_bounds(told: Told, names: list[str]) -> None:
    walks, asked = drive(told, *((failed(name), SERVFAIL) for name in names))
    assert len(asked) <= 2 * 8
    for name in names:
        walked = walks.finished(R, name)
        assert walked is None or (len(walked.links) <= MAX_LINKS and walked.ask is None)


# --- which chains are worth one ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "last", "answered", "stale", "expected"),
    [
        (failed(), SERVFAIL, True, False, True),
        (failed(), SERVFAIL, True, True, True),  # a stale name is unknown and does not fail
        (failed(outcome=Outcome.REFUSED), REFUSED, True, False, True),
        (failed(outcome=Outcome.NXDOMAIN), NXDOMAIN, True, False, True),
        (failed(outcome=Outcome.NXDOMAIN), NXDOMAIN, True, True, False),
        (failed(outcome=Outcome.NO_ADDRESS), NODATA, True, False, True),
        (failed(outcome=Outcome.TIMEOUT), None, True, False, True),
        (failed(outcome=Outcome.TIMEOUT), None, False, False, False),  # a resolver that answers nothing
        (failed(outcome=Outcome.LOOP), NODATA, True, False, False),
        (failed(outcome=Outcome.MALFORMED), None, True, False, False),
        (failed(outcome=Outcome.WRONG_SOURCE), None, True, False, False),
        (failed(outcome=Outcome.UNREACHABLE), None, True, False, False),
        (failed(outcome=Outcome.NOT_MEASURED), None, True, False, False),
        (failed(), replace(SERVFAIL, ede="15 Blocked", ede_codes=(15,)), True, False, False),
    ],
)  # fmt: skip
def test_what_is_walked(
    chain: Chain, last: DnsAnswer | None, answered: bool, stale: bool, expected: bool
) -> None:
    assert walkable(chain, last, answered, stale) is expected


def test_below_an_alias_nothing_is_left_to_find_but_behind_an_error() -> None:
    links = (Record("a.test", "CNAME", 60, "b.test"),)
    broken = failed(outcome=Outcome.CHAIN_BROKEN, links=links)
    assert fault_of(broken, NXDOMAIN) is Outcome.NXDOMAIN
    assert not walkable(broken, NXDOMAIN, True)
    assert walkable(broken, SERVFAIL, True)
    assert fault_of(broken, None) is Outcome.TIMEOUT


def walks_in(world: World) -> list[DnsQuestion]:
    return [s for s in run(world).seen if isinstance(s, DnsQuestion) and s.walk]


def test_a_healthy_network_is_walked_nowhere() -> None:
    assert walks_in(healthy()) == []


@pytest.mark.parametrize("name", ["healthy", "no-ipv6", "dns64", "ttl-zero", "junk-datagrams", "truncated"])
def test_a_recorded_healthy_network_is_walked_nowhere(name: str) -> None:
    report = goldens.recorded(name)
    audit = Audit(goldens.rules(), report.plan, {seen.step: seen for seen in report.observations})
    asked = [*audit.seen, *(item.step for item in audit.ready())]
    assert any(isinstance(step, DnsQuestion) for step in asked)
    assert not [step for step in asked if isinstance(step, DnsQuestion) and step.walk]


def test_a_stale_sample_and_a_row_that_weighs_nothing_are_not_walked() -> None:
    world = healthy()
    del world.zone[RELAYS[2]]
    assert walks_in(world) == []
    optional = rules_of(replace(SIGN_IN_RULE, severity=Severity.OPTIONAL))
    world = healthy()
    del world.zone[SIGN_IN]
    assert [s for s in run(world, optional).seen if isinstance(s, DnsQuestion) and s.walk] == []


def test_samples_of_which_none_is_known_are_walked_once() -> None:
    world = healthy()
    for relay in RELAYS:
        del world.zone[relay]
    assert {(q.name, q.rtype) for q in walks_in(world)} == {(RELAYS[0], "CNAME")}


def test_a_name_is_walked_at_each_resolver_that_fails_and_at_no_dead_one() -> None:
    world = (
        healthy()
        .when(DnsQuestion, SERVFAIL, name=BOOTSTRAP)
        .when(OsLookup, OsAnswer((), "EAI_FAIL"), name=BOOTSTRAP)
    )
    assert {q.resolver for q in walks_in(world)} == set(RESOLVERS)
    dead = world.when(DnsQuestion, NO_ANSWER, resolver=RESOLVERS[0])
    assert {q.resolver for q in walks_in(dead)} == {RESOLVERS[1]}


@pytest.mark.parametrize("seed", range(4))
def test_the_walk_does_not_depend_on_the_order_of_answers(seed: int) -> None:
    names = [BOOTSTRAP, SIGN_IN, RELAYS[0]]
    aliases = {name: f"x{i}.cdn.example" for i, name in enumerate(names)}
    world = healthy(aliases=aliases)
    for name in names:
        world.when(DnsQuestion, SERVFAIL, name=name, rtype="A").when(
            DnsQuestion, SERVFAIL, name=aliases[name]
        )
        world.when(OsLookup, OsAnswer((), "EAI_FAIL"), name=name)
    usual = walks_in(world)
    shuffled = run(world, pick=lambda waiting: (seed * 7919 + 13) % waiting)
    assert {s for s in shuffled.seen if isinstance(s, DnsQuestion) and s.walk} == set(usual)
    assert usual


# --- what is remembered --------------------------------------------------------------------------------------------


def remembered(world: World) -> Memory:
    memory = Memory()
    for seen in run(world).seen.values():
        memory.record(seen)
    return memory


def walked_in(memory: Memory) -> set[str]:
    return {s.name for s in memory.known if isinstance(s, DnsQuestion) and s.walk}


def failing_world() -> World:
    world = healthy(aliases={BOOTSTRAP: "one.example", "one.example": "two.example"})
    world.when(DnsQuestion, SERVFAIL, name=BOOTSTRAP, rtype="A").when(
        DnsQuestion, SERVFAIL, name=BOOTSTRAP, rtype="AAAA"
    )
    return world.when(DnsQuestion, REFUSED, name="two.example").when(
        OsLookup, OsAnswer((), "EAI_FAIL"), name=BOOTSTRAP
    )


def test_a_walk_is_remembered_until_its_name_is_answered_in_another_way() -> None:
    memory = remembered(failing_world())
    assert walked_in(memory) == {BOOTSTRAP, "one.example", "two.example"}
    question = DnsQuestion(RESOLVERS[0], BOOTSTRAP, "A")
    memory.record(Observation(question, START + 60, 0.1, None, SERVFAIL))
    assert walked_in(memory) == {BOOTSTRAP, "one.example", "two.example"}
    memory.record(Observation(question, START + 120, 0.1, None, NXDOMAIN))
    left = {s.resolver for s in memory.known if isinstance(s, DnsQuestion) and s.walk}
    assert left == {RESOLVERS[1]}


def test_silence_about_a_link_makes_no_resolver_dead_and_gives_no_address_to_a_name() -> None:
    memory = Memory()
    for number in range(9):
        step = DnsQuestion(R, f"n{number}.test", "CNAME", walk=True)
        memory.record(Observation(step, START, 1.0, SILENT))
    memory.record(Observation(DnsQuestion(R, "x.test", "A", walk=True), START, 0.1, None, address("x.test")))
    assert memory.dead_resolvers(40) == ()
    assert memory.unanswered_names(R) == 0
    assert memory.last_addresses(("x.test",)) == ()
