"""The operating system's own resolution: hosts file, NRPT, search policy. It gives addresses only, no CNAME chain."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from rules.model.kind import Interval, Kind, Needs, Resolution
from rules.model.kinds.dns_chain import OS, resolved_in

#: Errors of getaddrinfo that mean that no server answered.
NO_SERVER = frozenset({"EAI_AGAIN", "EAI_FAIL", "EAI_SYSTEM"})


@dataclass(frozen=True, slots=True)
class OsLookup:
    """`getaddrinfo(name)` in a child process that a deadline can kill."""

    name: str  # A-label form, lower case, without the trailing dot
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class OsAnswer:
    """The addresses that the operating system gives to every program on this host, in its own order."""

    addresses: tuple[str, ...]
    error: str = ""  # "EAI_NONAME", "EAI_AGAIN", ... if resolution failed


def _interval(step: OsLookup, needs: Needs) -> Interval | None:
    return "sign_in" if step.attempt == 1 and step.name not in needs.names else None


def _significant(answer: OsAnswer) -> Hashable:
    return (frozenset(answer.addresses), answer.error)


KIND: Kind[OsLookup, OsAnswer] = Kind(
    word="os_lookup",
    step=OsLookup,
    evidence=OsAnswer,
    queue="os",
    name=lambda step: step.name,
    resolution=Resolution(
        resolver=lambda _: OS,
        addresses=lambda answer: answer.addresses,
        aliased=lambda _: False,
        unanswered=lambda answer: answer.error in NO_SERVER,
        walks=lambda _: False,
        walk_of=lambda _step, _answer_to: (),
    ),
    interval=_interval,
    ages=True,
    significant=_significant,
    literals=lambda answer: ((f"addresses[{at}]", value) for at, value in enumerate(answer.addresses)),
    stages=resolved_in,
)
