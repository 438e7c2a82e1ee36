"""What a judgement waits for: which targets, lists and extra observations are asked sooner, and which are left alone."""

from __future__ import annotations

from dataclasses import replace

from probe.watch.hurry import AWAITED, hurry
from probe.watch.judgement import Wish
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation
from rules.model.verdict import Answer, Status
from rules.watch.confirmation import Settled
from rules.watch.memory import Memory, document
from rules.watch.schedule import Schedule
from rules.watch.state import TargetState
from rules.watch.targets import Key
from tests.rules.script import SILENCE, START, crl

HOST: Key = ("crl.test", 80)
TARGET = TargetState(*HOST, "app/crl", "cert-validation", True, Status.WARN, "crl.unreachable", "crl", "", ())
SETTLED = Settled(
    (TARGET,), Answer.YES, START, (), frozenset(), frozenset(), frozenset(), frozenset(), report_holds=False
)
LATER, AT = 3600.0, 15.0


def wish(path: str, host: str = "crl.test") -> Wish:
    step = HttpFetch("203.0.113.1", 80, host, path, purpose="crl")
    return Wish(("document", document(step)), "revocation", LATER, step, host)


class Waiting:
    """A schedule in which nothing is due for a long time."""

    def __init__(self, *keys: Key) -> None:
        self.schedule, self.memory, self.extras = Schedule("here"), Memory(), dict[str, list[Wish]]()
        for key in keys:
            self.schedule.put(key, "service", LATER, LATER)

    def fetched(self, made: Wish, well: bool, started: float = START) -> None:
        failure, evidence = (None, crl()) if well else (SILENCE, None)
        self.memory.take(Observation(made.step, started, 0.1, failure, evidence))
        self.extras.setdefault(made.host or "", []).append(made)
        self.schedule.put(made.key, made.kind, made.interval, LATER)

    def sooner(self, settled: Settled, held: set[Key], soon: set[Key] | None = None) -> set[object]:
        hurry(self.schedule, settled, held, soon or held, self.extras, self.memory, AT)
        return {entry.key for entry in self.schedule.entries() if entry.due == AT}


def lagging(since: float | None) -> Settled:
    return replace(SETTLED, targets=(replace(TARGET, lagging=since),))


def test_of_a_target_s_documents_those_that_failed_are_asked_and_no_good_one() -> None:
    here = Waiting(HOST)
    here.fetched(bad := wish("/bad.crl"), well=False)
    here.fetched(wish("/good.crl"), well=True, started=START - 900)
    assert here.sooner(lagging(START), {HOST}) == {HOST, bad.key}


def test_a_document_that_came_and_is_at_fault_is_asked_as_well() -> None:
    here = Waiting(HOST)
    here.fetched(old := wish("/old.crl"), well=True)
    assert here.sooner(lagging(START), {HOST}) == {HOST, old.key}


def test_where_an_address_is_at_fault_no_document_is_asked() -> None:
    here = Waiting(HOST)
    here.fetched(wish("/bad.crl"), well=False)
    assert here.sooner(lagging(None), {HOST}) == {HOST}


def test_a_document_of_another_host_is_left_alone() -> None:
    here = Waiting(HOST)
    here.fetched(wish("/bad.crl", "other.test"), well=False)
    assert here.sooner(lagging(START), {HOST}) == {HOST}


def test_a_list_of_no_target_is_asked_when_the_answer_waits_for_it() -> None:
    here = Waiting()
    here.fetched(bad := wish("/bad.crl", "off-list.test"), well=False)
    wanted = document(bad.step)
    assert wanted is not None
    assert here.sooner(replace(SETTLED, lists=frozenset({wanted})), set()) == {bad.key}


def test_what_only_the_answer_waits_for_is_asked_a_few_at_a_time() -> None:
    keys = {(f"n{n:02}.test", 443) for n in range(3 * AWAITED)}
    held = {(f"held{n:02}.test", 443) for n in range(3 * AWAITED)}
    here = Waiting(*keys, *held)
    found = here.sooner(SETTLED, held, keys | held)
    assert held <= found
    assert found - held == set(sorted(keys)[:AWAITED])
