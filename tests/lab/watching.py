"""New connections of a running lab as seen on the firewall's wire."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.lab import Lab


@dataclass(frozen=True, slots=True)
class Connection:
    """`at`: monotonic seconds."""

    at: float
    source: str
    source_port: int
    address: str
    port: int


def start_watching(lab: Lab) -> None:
    """Start to record every first SYN of the connector."""
    lab.start_python("syn_watch", "firewall", "syn_watch", "inside")


def connections(lab: Lab) -> list[Connection]:
    """The recorded connections so far, in order, without those to port 53, which go to the firewall itself."""
    rows = [line.split() for line in lab.log("syn_watch").splitlines()[1:]]
    made = [Connection(float(r[0]), r[1], int(r[2]), r[3], int(r[4])) for r in rows if len(r) == 5]
    return [c for c in made if c.port != 53]


def most_within(seen: list[Connection], seconds: float) -> int:
    """The largest number of new connections in any period of so many seconds."""
    return max((sum(1 for c in seen if first.at <= c.at < first.at + seconds) for first in seen), default=0)
