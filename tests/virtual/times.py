"""How long a change takes from its evidence until it is published: `python -m tests.virtual.times`.

For lists of 13 and 41 names with 1, 2 and 4 addresses each, the shipped schedule, in virtual time. Everything breaks, and
after an hour everything works again. The program prints a row for each list and direction:

- first, last: seconds from the event until the first and the last target is published in its new state,
- a name: the longest time of one name, from the end of the first answer that differs to its first transition,
- settled: the same to its last transition, when its other addresses have had their turn,
- answer: seconds from the first answer that differs, of any name, to the transition of the connector's answer,
- steps: the distinct transitions of targets; more than one means that a name was half broken on the way,
- rate: the most connections in a window of 60 s.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import Iterable
from dataclasses import dataclass

from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step, got_through, kind_of
from rules.model.ruleset import Rules
from rules.watch.confirmation import CONNECTOR
from tests.rules.script import SILENCE, World
from tests.virtual.hours import Clock, Hours, going, run
from tests.virtual.networks import listed

NAMES, ADDRESSES = (13, 41), (1, 2, 4)
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds; see the module. `answers` and `steps` are transitions as (before, after)."""

    direction: str
    first: float
    last: float
    of_a_name: float
    settled: float
    answer: float
    answers: tuple[tuple[str, str], ...]
    steps: tuple[tuple[str, str], ...]
    names: int  # that were published in the end
    in_a_minute: int


def network(names: int, addresses: int) -> tuple[World, Rules]:
    """A bootstrap name, samples of the relay and sign-in names, half and half, and the two revocation sources."""
    relays = (names - 1) // 2
    return listed(addresses, relays=relays, sign_in=names - 1 - relays)


def measure(names: int, addresses: int) -> list[Times]:
    """The times of a break of everything and of its repair an hour later."""
    found: list[Times] = []

    async def story(clock: Clock) -> None:
        world, rules = network(names, addresses)
        async with going(clock, world, rules) as here:
            await here.settle()
            event = clock.mono
            world.when((TlsHandshake, HttpFetch), SILENCE)
            await asyncio.sleep(HOUR)
            found.append(_times(here, "break", event, works=False))
            here.told.clear()
            event = clock.mono
            world.script.clear()
            await asyncio.sleep(HOUR)
            found.append(_times(here, "repair", event, works=True))

    run(story)
    return found


def _times(here: Hours, direction: str, event: float, *, works: bool) -> Times:
    """What was published since `event`."""
    evidence: dict[str, float] = {}
    for ended, seen in here.prober.answers:
        step = seen.step
        if not isinstance(step, TlsHandshake) or step.hello != "connector":
            continue
        if ended - seen.elapsed >= event and got_through(seen) is works:
            evidence.setdefault(step.server_name, ended)
    begins: dict[str, float] = {}
    ends: dict[str, float] = {}
    for at, subject, _, _ in here.told:
        begins.setdefault(subject.partition(":")[0], at)
        ends[subject.partition(":")[0]] = at
    names = {name: at for name, at in ends.items() if name in evidence}
    answers = [(at, before, after) for at, subject, before, after in here.told if subject == CONNECTOR]
    return Times(
        direction,
        min(names.values()) - event,
        max(names.values()) - event,
        max(begins[name] - evidence[name] for name in names),
        max(at - evidence[name] for name, at in names.items()),
        answers[-1][0] - min(evidence.values()),
        tuple((before, after) for _, before, after in answers),
        tuple(sorted({(b, a) for _, subject, b, a in here.told if subject != CONNECTOR})),
        len(names),
        most_within(here.asked(event, _connects), 60.0),
    )


def _connects(step: Step) -> bool:
    return kind_of(step).connects


def most_within(moments: Iterable[float], seconds: float) -> int:
    """The most of these moments in a window of so many seconds."""
    ordered = sorted(moments)
    return max(
        (n + 1 - bisect.bisect_right(ordered, at - seconds) for n, at in enumerate(ordered)), default=0
    )


def _row(names: int, addresses: int, times: Times) -> str:
    def arrows(pairs: Iterable[tuple[str, str]]) -> str:
        return ", ".join(f"{before}-{after}" for before, after in pairs)

    numbers = " | ".join(
        f"{value:.0f}" for value in (times.first, times.last, times.of_a_name, times.settled, times.answer)
    )
    return (
        f"| {times.direction} | {names} | {addresses} | {numbers} | {arrows(times.answers)} "
        f"| {arrows(times.steps)} | {times.in_a_minute} |"
    )


def main() -> None:
    print("| event | names | addresses | first | last | a name | settled | answer | answers | steps | rate |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for names in NAMES:
        for addresses in ADDRESSES:
            for times in measure(names, addresses):
                print(_row(names, addresses, times), flush=True)


if __name__ == "__main__":
    main()
