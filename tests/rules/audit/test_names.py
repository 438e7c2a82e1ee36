"""Resolution of many names at several resolvers, without a socket."""

from __future__ import annotations

from collections.abc import Callable

from rules.audit.names import DEAD_AFTER, Names
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.dns_chain import OS, DnsAnswer, DnsQuestion, Outcome, Record
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.observation import Observation

Question = DnsQuestion | OsLookup
RESOLVERS = ("198.51.100.53", "198.51.100.54")


def resolved(question: Question) -> Observation:
    if isinstance(question, OsLookup):
        return Observation(question, 0.0, 0.01, evidence=OsAnswer(("20.50.0.1",)))
    records = (Record(question.name, "A", 60, "20.50.0.1"),) if question.rtype == "A" else ()
    return Observation(question, 0.0, 0.01, evidence=DnsAnswer("NOERROR", records))


def silent(question: Question) -> Observation:
    return Observation(question, 0.0, 5.0, Failure(Stage.DNS, Code.TIMEOUT))


def rcode(question: Question, word: str) -> Observation:
    return Observation(question, 0.0, 0.01, evidence=DnsAnswer(word))


def drive(
    names: Names, hosts: list[str], reply: Callable[[Question], Observation]
) -> tuple[list[str], list[Question]]:
    """Answer everything that is asked; returns the hosts in the order in which they were resolved, and the questions."""
    queue: list[Question] = []
    done: list[str] = []
    asked: list[Question] = []
    for host in hosts:
        progress = names.ask(host)
        queue.extend(progress.ask)
        done.extend(progress.resolved)
    while queue:
        question = queue.pop(0)
        if not names.wanted(question):
            continue
        asked.append(question)
        progress = names.record(reply(question))
        queue.extend(progress.ask)
        done.extend(progress.resolved)
    return done, asked


def test_a_chain_holds_the_questions_that_were_asked_and_no_copies() -> None:
    """Of thousands of names the copies would be megabytes."""
    names = Names(("10.0.0.53", "10.0.0.54"))
    _, asked = drive(names, ["a.example", "b.example"], resolved)
    held = [q for host in names.hosts for chain in names.chains(host) for q in chain.questions]
    assert len(held) == 8
    assert {id(q) for q in held} <= {id(q) for q in asked}


def test_a_name_is_resolved_when_every_resolver_and_the_system_have_spoken() -> None:
    names = Names(("10.0.0.53", "10.0.0.54"))
    done, asked = drive(names, ["a.example"], resolved)
    assert done == ["a.example"]
    assert len(asked) == 5  # A and AAAA at two resolvers, and the system
    assert {c.outcome for c in names.chains("a.example")} == {Outcome.RESOLVED, Outcome.NO_ADDRESS}


def test_asking_twice_asks_once() -> None:
    names = Names(("10.0.0.53",))
    names.ask("a.example")
    assert names.ask("a.example").ask == ()


def test_servfail_is_asked_again_and_the_second_answer_counts() -> None:
    names = Names(("10.0.0.53",))

    def reply(question: Question) -> Observation:
        flaky = isinstance(question, DnsQuestion) and question.attempt == 1
        return rcode(question, "SERVFAIL") if flaky else resolved(question)

    done, asked = drive(names, ["a.example"], reply)
    assert done == ["a.example"]
    assert sum(1 for q in asked if q.attempt == 2) == 2
    assert names.chains("a.example")[0].outcome is Outcome.RESOLVED


def test_nxdomain_is_believed_at_once() -> None:
    names = Names(("10.0.0.53",))
    _, asked = drive(
        names, ["a.example"], lambda q: rcode(q, "NXDOMAIN") if isinstance(q, DnsQuestion) else resolved(q)
    )
    assert all(q.attempt == 1 for q in asked)


def test_a_dead_resolver_is_noticed_and_its_other_questions_dropped() -> None:
    names = Names(("10.0.0.53", "10.0.0.54"))
    hosts = [f"n{i}.example" for i in range(20)]
    dead = "10.0.0.54"
    done, asked = drive(
        names,
        hosts,
        lambda q: silent(q) if isinstance(q, DnsQuestion) and q.resolver == dead else resolved(q),
    )
    assert sorted(done) == sorted(hosts)
    assert names.health[dead].dead
    assert sum(1 for q in asked if isinstance(q, DnsQuestion) and q.resolver == dead) == DEAD_AFTER


def test_a_resolver_that_answers_anything_is_alive() -> None:
    names = Names(("10.0.0.53",))
    drive(
        names,
        [f"n{i}.example" for i in range(6)],
        lambda q: rcode(q, "REFUSED") if isinstance(q, DnsQuestion) else resolved(q),
    )
    assert not names.health["10.0.0.53"].dead


def test_a_dead_operating_system_resolution_ends_every_name() -> None:
    names = Names(("10.0.0.53",))
    hosts = [f"n{i}.example" for i in range(8)]
    done, _ = drive(names, hosts, lambda q: silent(q) if isinstance(q, OsLookup) else resolved(q))
    assert sorted(done) == sorted(hosts)
    assert names.health[OS].dead


def test_later_names_of_a_chain_are_offered_for_a_question_of_their_own() -> None:
    names = Names(("10.0.0.53",))

    def reply(question: Question) -> Observation:
        if isinstance(question, DnsQuestion) and question.rtype == "A":
            records = (
                Record("a.example", "CNAME", 60, "b.example"),
                Record("b.example", "A", 60, "20.50.0.1"),
            )
            return Observation(question, 0.0, 0.01, evidence=DnsAnswer("NOERROR", records))
        return resolved(question)

    drive(names, ["a.example"], reply)
    assert names.links("a.example") == (DnsQuestion("10.0.0.53", "b.example", "A"),)


def test_two_names_that_share_an_alias_ask_for_it_once() -> None:
    names = Names(("10.0.0.53",))

    def reply(question: Question) -> Observation:
        if isinstance(question, DnsQuestion) and question.name != "shared.example":
            return Observation(
                question,
                0.0,
                0.01,
                evidence=DnsAnswer("NOERROR", (Record(question.name, "CNAME", 60, "shared.example"),)),
            )
        return resolved(question)

    done, asked = drive(names, ["a.example", "b.example"], reply)
    assert sorted(done) == ["a.example", "b.example"]
    assert (
        sum(1 for q in asked if isinstance(q, DnsQuestion) and q.name == "shared.example") == 2
    )  # A and AAAA


# --- a steady plan: who is dead is known from elsewhere --------------------------------------------------------------------


def test_a_resolver_that_is_told_to_be_dead_is_not_asked() -> None:
    names = Names(RESOLVERS, frozenset([RESOLVERS[0]]))
    asked = names.ask("a.test").ask
    assert {step.resolver for step in asked if isinstance(step, DnsQuestion)} == {RESOLVERS[1]}
    assert not names.wanted(DnsQuestion(RESOLVERS[0], "a.test", "A"))
    assert names.wanted(OsLookup("a.test"))


def test_what_is_told_stands_whatever_these_answers_say() -> None:
    """Answers are of different times: five silent names of today do not make the resolver dead that is known to live."""
    names = Names(RESOLVERS, frozenset())
    for number in range(9):
        names.ask(f"n{number}.test")
        asked: list[Question] = [DnsQuestion(resolver, f"n{number}.test", "A") for resolver in RESOLVERS]
        for question in (*asked, OsLookup(f"n{number}.test")):
            names.record(silent(question))
    assert not any(health.dead for health in names.health.values())


def test_when_all_are_told_to_be_dead_every_name_is_done_at_once() -> None:
    names = Names(RESOLVERS, frozenset([*RESOLVERS, OS]))
    progress = names.ask("a.test")
    assert (progress.ask, progress.resolved) == ((), ("a.test",))
    assert names.complete("a.test")
    assert names.hosts == ("a.test",)


def test_names_in_the_order_in_which_they_were_begun() -> None:
    names = Names(RESOLVERS)
    for host in ("b.test", "a.test", "b.test"):
        names.ask(host)
    assert names.hosts == ("b.test", "a.test")
