"""Confirmations that tests drive judgement by judgement, with one target, two names or many."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Set
from dataclasses import replace

from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.verdict import Answer, Report, Status
from rules.watch.confirmation import (
    CONNECTOR,
    Confirmation,
    Inquiry,
    Moment,
    Settled,
    status_word,
)
from rules.watch.events import Transition
from rules.watch.state import AddressState, Family, TargetState
from tests.rules.script import SILENCE, START, healthy, judged

HEALTHY = judged(healthy())
DOWN = judged(healthy().when(TlsHandshake, SILENCE))
DEGRADED = replace(HEALTHY, answer=Answer.DEGRADED)
TARGET = TargetState("a.test", 443, "app/a", "service", False, Status.PASS, "ok", "tls", "fine", ())
KEY = TARGET.key
KEYS = frozenset({KEY})
WORDS = ("pass", "warn", "inconclusive", "fail")
NONE: frozenset[str] = frozenset()
EVERY = 15.0


class Judgements:
    """A confirmation that is given one judgement after the other, at a time that goes on."""

    def __init__(self, known: Mapping[str, Transition] | None = None) -> None:
        self.confirmation = Confirmation(known)
        self.now = START
        self.asked: dict[Hashable, int] = {}
        self.number = 0

    def judge(
        self,
        targets: list[TargetState],
        report: Report = HEALTHY,
        *,
        asked: Set[Hashable] = frozenset(),
        pending: frozenset[str] = NONE,
        after: float = EVERY,
    ) -> Settled:
        """`asked`: what was asked as a whole between the judgement before and this one."""
        self.now += after
        self.asked |= dict.fromkeys(asked, self.number)
        for target in targets:
            if target.key in asked:
                self.asked |= {(target.key, a.address): self.number for a in target.addresses}
        moment = Moment(self.now, self.now - START, self.now - START)
        settled = self.confirmation.settle(report, targets, pending, self.asked, moment)
        self.number = settled.number
        return settled


class OneTarget(Judgements):
    """The same for one target without addresses."""

    def __call__(
        self,
        status: Status,
        cause: str = "",
        *,
        asked: bool = True,
        pending: bool = False,
        report: Report = HEALTHY,
        after: float = EVERY,
    ) -> Settled:
        cause = cause or ("ok" if status is Status.PASS else "tcp.timeout")
        target = replace(TARGET, status=status, cause=cause, summary=f"it is {status}", measured=self.now)
        waits = frozenset([TARGET.host]) if pending else NONE
        keys: frozenset[Hashable] = frozenset([KEY]) if asked else frozenset()
        return self.judge([target], report, asked=keys, pending=waits, after=after)


def shown(settled: Settled) -> str:
    (target,) = settled.targets
    return status_word(target.status)


def at(number: int, ok: bool | None, tried: float | None, family: Family = "ipv4") -> AddressState:
    return AddressState(f"{family} {number}", family, ok, "ok" if ok else "tcp.timeout", tried, current=True)


def of(*addresses: AddressState, name: str = "a.test", required: bool = False) -> TargetState:
    """A target as it is judged by its addresses."""
    good = [a.ok for a in addresses if a.ok is not None]
    status = Status.PASS if all(good) else Status.WARN if any(good) else Status.FAIL
    cause = "ok" if all(good) else "tcp.timeout"
    return replace(TARGET, host=name, status=status, cause=cause, addresses=addresses, required=required)


class Names(Judgements):
    """Many names, of which everything that differs is asked: whole, or at one address; what is outdated is forgotten."""

    def __init__(self, count: int, addresses: int) -> None:
        super().__init__()
        self.known = {
            f"n{n:02}.test": {number: at(number, True, START) for number in range(addresses)}
            for n in range(count)
        }
        self.broken: frozenset[int] = frozenset()
        self.changes: list[tuple[str, str]] = []
        self.settled = self.look({})

    def look(self, inquiries: Mapping[tuple[str, int], Inquiry], asked: Set[str] = frozenset()) -> Settled:
        self.now += 1.0
        for name, found in self.known.items():
            inquiry = inquiries.get((name, 443))
            oldest = min(found, key=lambda number: found[number].tried or 0.0)
            turn = list(found) if inquiry is not None and inquiry.whole else [oldest]
            for number in turn if inquiry is not None or name in asked else ():
                found[number] = at(number, number not in self.broken, self.now)
        targets = [of(*found.values(), name=name) for name, found in self.known.items()]
        self.settled = self.judge(targets, asked={*inquiries, *((name, 443) for name in asked)})
        self.changes += [(t.before, t.after) for t in self.settled.transitions if t.subject != CONNECTOR]
        for (host, _), address in self.settled.outdated:
            found, number = self.known[host], int(address.split()[1])
            assert found[number].ok is False
            found[number] = at(number, None, None)
        return self.settled


class Two(Judgements):
    """Two names with an address each, and the answer that comes of them. B may fail: then it is degraded."""

    def __init__(self) -> None:
        super().__init__()
        self.known = {"a.test": True, "b.test": True}
        self.answers: list[str] = []
        self.turn()

    def turn(self, after: float = EVERY, **tried: bool) -> Settled:
        self.known |= {f"{name}.test": ok for name, ok in tried.items()}
        a, b = (of(at(0, ok, self.now), name=name) for name, ok in self.known.items())
        report = DOWN if a.status is Status.FAIL else DEGRADED if b.status is Status.FAIL else HEALTHY
        settled = self.judge([a, b], report, asked={(f"{name}.test", 443) for name in tried}, after=after)
        self.answers += [t.after for t in settled.transitions if t.subject == CONNECTOR]
        return settled
