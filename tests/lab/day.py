"""The rate of a day's schedule, counted from outside: `python -m tests.lab.day --seconds 3600`.

The shipped schedule with every interval divided by 24 and the rate multiplied by 24, so an hour does what a day does: a
minute of the schedule is two and a half seconds, and 0.5 connections a second are 12. What is not shortened: the first
look (at the audit's own polite pace, before the count begins), questions to resolvers, and the pause after a failure,
which a healthy network does not need. Connections are counted at the firewall's wire, never from what the daemon says.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from probe.config.service import Intervals
from tests.lab import pki
from tests.lab.appliance import Daemon, serve, until
from tests.lab.lab import Lab

FASTER = 24.0
RATE, BURST = 0.5, 2  # of the shipped schedule: new connections per second, and at once after a pause
MINUTE, DAY = 60.0, 86_400.0
#: Seconds of the schedule within which the daemon connects to every address of a service name.
ROTATION = 600.0
#: Additional time that an address may wait after its turn: for the queue of the rate, and a second of a busy machine.
SLACK = 1.25
#: Hosts that serve lists: the daemon fetches each list by its own life, from any address.
LIST_HOSTS = frozenset(urlsplit(u).hostname for a in pki.AUTHORITIES.values() for u in a.sources.crls)
Place = tuple[str, int]  # address and port


def schedule(faster: float) -> dict[str, float]:
    """The shipped intervals, divided by the factor."""
    shipped = Intervals()
    names = ("service", "sign_in", "http", "revocation", "extras", "rotation")
    made = {name: getattr(shipped, name) / faster for name in names}
    return made | {"rate": shipped.rate * faster, "retry": max(1.0, shipped.retry / faster)}


@dataclass(frozen=True, slots=True)
class Turn:
    """The daemon must ask one of `places` within so many seconds of the schedule."""

    name: str
    places: frozenset[Place]
    seconds: float


@dataclass(frozen=True, slots=True)
class Counted:
    """The observations. Times are seconds of the schedule since the first sweep ended."""

    span: float
    moments: tuple[float, ...]
    by_place: Mapping[Place, tuple[float, ...]]
    turns: tuple[Turn, ...]
    said: int  # `wayclear_connections_opened_total` of one snapshot
    seen: int  # connections on the wire until then, including the first sweep

    @property
    def worst_minute(self) -> int:
        """The largest number of connections within 60 s of the schedule."""
        return most_within(self.moments, MINUTE)


def most_within(moments: tuple[float, ...], seconds: float) -> int:
    """The largest number in any period of so many seconds; `moments` in order."""
    return max(
        (bisect.bisect_left(moments, at + seconds) - first for first, at in enumerate(moments)), default=0
    )


def turns(daemon: Daemon) -> tuple[Turn, ...]:
    """Every address of every target; for a host that serves lists any one of them, by the lives of its lists."""
    shipped, hosts = Intervals(), daemon.lab.plan.world.hosts
    found = []
    for row in json.loads(daemon.get("/targets").text):
        name, _, port = row["targets"][0].rpartition(":")
        service = row["labels"]["__meta_wayclear_kind"] == "service"
        places = [(address, int(port)) for address in hosts[name].addresses]
        if port == "80" and name in LIST_HOSTS:
            found.append(Turn(f"{name}:80", frozenset(places), shipped.revocation))
            continue
        turn = (shipped.service if service else shipped.sign_in) * len(places)
        turn = min(ROTATION, turn) if service else turn
        found += [Turn(f"{name}:{port} at {place[0]}", frozenset({place}), turn) for place in places]
    return tuple(found)


def counted(daemon: Daemon, faster: float) -> Counted:
    """Compare the connections on the wire with the daemon's own count at the same moment."""
    values = {s.name: s.value for s in daemon.samples() if not set(s.labels) - {"connector"}}
    until_then = values["wayclear_snapshot_timestamp_seconds"]
    began = values["wayclear_connector_answer_since_timestamp_seconds"]
    seen = [c for c in daemon.lab.connections() if c.port != 53]
    after = [((c.began - began) * faster, c) for c in seen if began <= c.began <= until_then]
    by_place: dict[Place, list[float]] = defaultdict(list)
    for at, connection in after:
        by_place[connection.address, connection.port].append(at)
    return Counted(
        span=(until_then - began) * faster,
        moments=tuple(at for at, _ in after),
        by_place={place: tuple(found) for place, found in by_place.items()},
        turns=turns(daemon),
        said=int(values["wayclear_connections_opened_total"]),
        seen=sum(c.began <= until_then for c in seen),
    )


def faults(found: Counted) -> list[str]:
    """The broken promises, in words."""
    wrong = []
    if (most := RATE * found.span + BURST) < len(found.moments):
        wrong.append(f"{len(found.moments)} connections, more than {most:.0f}")
    if found.worst_minute > RATE * MINUTE + BURST:
        wrong.append(f"{found.worst_minute} connections within a minute, more than {RATE * MINUTE + BURST:g}")
    if abs(found.said - found.seen) > 1:  # the daemon may have counted one whose SYN is not on the wire yet
        wrong.append(f"the metric says {found.said} connections, the wire saw {found.seen}")
    for turn in found.turns:
        late = longest_wait(found, turn)
        if late > turn.seconds * SLACK + MINUTE * 0.25:
            wrong.append(f"{turn.name} waited {late:.0f} s, its turn is every {turn.seconds:.0f} s")
    if not found.turns:
        wrong.append("there are no targets: this count shows nothing")
    return wrong


def longest_wait(found: Counted, turn: Turn) -> float:
    """The longest time without a connection to any of the places, including the start and the end of the count."""
    moments = sorted(at for place in turn.places for at in found.by_place.get(place, ()))
    return max(after - before for before, after in itertools.pairwise((0.0, *moments, found.span)))


def verdict(found: Counted) -> str:
    """The count in a few lines."""
    wrong = faults(found)
    ports = Counter(port for _, port in (p for p, at in found.by_place.items() for _ in at))
    late = max(found.turns, key=lambda turn: longest_wait(found, turn) / turn.seconds)
    lines = [
        f"{found.span / 3600:.1f} hours of the schedule: {len(found.moments)} connections, "
        f"{len(found.moments) / found.span:.3f} a second in the mean, {found.worst_minute} in the worst minute",
        f"by port: {', '.join(f'{port}: {number}' for port, number in sorted(ports.items()))}",
        f"{len(found.turns)} turns (addresses of targets, lists), the latest: {late.name}, "
        f"after {longest_wait(found, late):.0f} s instead of {late.seconds:.0f}",
        f"wayclear_connections_opened_total {found.said}, connections on the wire {found.seen}",
        *(f"FAULT: {fault}" for fault in wrong),
        "not as promised" if wrong else "as promised",
    ]
    return "\n".join(lines)


def run(seconds: float, faster: float = FASTER) -> Counted:
    """Run a daemon on a healthy network for this time after its first sweep, and count."""
    with Lab() as lab:
        lab.watch()
        daemon = serve(lab, schedule=schedule(faster))
        daemon.ready(300)
        time.sleep(seconds)  # the measurement is what happens meanwhile
        begun = time.time()
        until("a snapshot of after that", lambda: _snapshot(daemon) > begun, 30)
        return counted(daemon, faster)


def _snapshot(daemon: Daemon) -> float:
    return daemon.value("wayclear_snapshot_timestamp_seconds") or 0.0


def main() -> int:
    """Returns 0 if every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.day", description=__doc__)
    parser.add_argument("--seconds", type=float, default=DAY / FASTER, help="how long (default: an hour)")
    parser.add_argument("--faster", type=float, default=FASTER, help="how many times as fast (default: 24)")
    arguments = parser.parse_args()
    found = run(arguments.seconds, arguments.faster)
    print(verdict(found))
    return 1 if faults(found) else 0


if __name__ == "__main__":
    sys.exit(main())
