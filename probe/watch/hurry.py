"""What a judgement waits for is asked soon: targets, and the lists and extra observations on which they rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from probe.watch.judgement import Wish
from rules.watch.confirmation import Settled
from rules.watch.freshness import well
from rules.watch.memory import Memory
from rules.watch.schedule import Schedule
from rules.watch.targets import Key, key_of

#: Targets at a time that are asked sooner because the answer waits for them: the others must not stand behind a hundred.
AWAITED = 8


def hurry(
    schedule: Schedule,
    settled: Settled,
    held: Set[Key],
    soon: Set[Key],
    extras: Mapping[str, Sequence[Wish]],
    memory: Memory,
    at: float,
) -> None:
    """Let all that is waited for be due at `at` (the schedule's clock), if it would be later.

    `held`: targets whose own change waits; `soon`: these, and those that the answer waits for. `extras`: what is asked besides
    about a name; of that only what failed and what is at fault itself, so that no good list is fetched again.
    """
    lagging: dict[Key, float] = {
        (t.host, t.port): t.lagging for t in settled.targets if t.lagging is not None
    }
    for key in (*sorted(held), *sorted(soon - held)[:AWAITED]):
        schedule.sooner(key, at, again=key in held)
        for wish in extras.get(key[0], ()) if key in lagging else ():
            seen = memory.get(wish.step)
            if seen is None or key_of(wish.step) != key:
                continue
            if not well(seen) or seen.started == lagging[key]:
                schedule.sooner(wish.key, at, again=False)
    for wanted in sorted(settled.lists, key=repr)[:AWAITED]:
        schedule.sooner(("document", wanted), at, again=False)
