"""Evidence for the appliance: what its memory makes of the lab's recordings and of scripted networks."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path

from exporters.terminal.headline import headline
from probe.config.settings import load_rules
from rules.audit.machine import Audit
from rules.audit.targets import targets
from rules.files.report_json import loads
from rules.judge.report import make_report, replay
from rules.model.failure import Failure
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion, Record
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Evidence, Observation, Step
from rules.model.ruleset import Rules
from rules.model.verdict import Report
from rules.watch.memory import Memory
from rules.watch.state import Place, State
from rules.watch.state_of import rows_of, source_states, target_states
from rules.watch.targets import TargetRecords, key_of
from tests import recordings
from tests.lab import audit_files
from tests.rules.script import CRL_HOST, RESOLVERS, RULES, SILENCE, START, ZONE, World, crl, healthy, run

PLACE = Place("connector01", "vienna", "Vienna", "eu")
NAMING = (DnsQuestion, OsLookup)
CONNECTING = (TlsHandshake, HttpFetch)
#: The appliance goes on where an audit ends for having been taken for a scan, so it judges this one otherwise.
SWEEP = "sweep-detecting-firewall"
NAMES = recordings.names()
STEADY = tuple(name for name in NAMES if name != SWEEP)


@cache
def rules() -> Rules:
    """The shipped list with the lab's own CAs."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "lab-cas.toml"
        path.write_text(audit_files.ca_set(), "utf-8")
        return load_rules(("entra-app-proxy",), (str(path),))


@cache
def recorded(name: str) -> Report:
    """What the scenario's audit saw."""
    return loads(recordings.whole(name))


@cache
def golden(name: str) -> Report:
    """The recording as today's rules judge it."""
    return replay(recorded(name), rules())


def memory_of(observations: Iterable[Observation]) -> Memory:
    """A memory that was told these, one after the other."""
    memory = Memory()
    for seen in observations:
        memory.record(seen)
    return memory


def sizes(memory: Memory) -> dict[str, int]:
    """How many things each part of a memory holds."""
    parts = {name: value for name, value in vars(memory).items() if isinstance(value, dict)}
    return {name: len(value) for name, value in parts.items()} | {
        f"{name} inside": sum(len(inner) for inner in value.values())
        for name, value in parts.items()
        if name in ("_of_document", "_of_name", "_repeats", "_last_good", "_silent")
    }


def steady(memory: Memory, report: Report, known: Rules | None = None) -> Audit:
    """What the appliance judges: `memory`, with the plan that belongs to it."""
    known = known or rules()
    asked = targets(known, report.vantage.tenant, report.plan.only)
    hosts = tuple(dict.fromkeys(target.host for target in asked if target.host))
    return Audit(known, memory.plan(report.plan, hosts), memory)


def judged(memory: Memory, report: Report, known: Rules | None = None) -> Report:
    """The same as a report, at the time of `report`."""
    return make_report(steady(memory, report, known), report.started, report.finished, report.version)


def pictured(audit: Audit, report: Report, tracks: TargetRecords | None = None) -> State:
    """What is told of a judgement."""
    tracks, rows = tracks or TargetRecords(), rows_of(report)
    tracks.apply_verdicts(audit, rows, report.started)
    return State(
        PLACE,
        "0",
        report.started,
        report.started,
        report,
        report.answer,
        report.started,
        headline(report),
        report.answer_text,
        target_states(audit, tracks, rows, report.started),
        source_states(report, audit),
    )


@cache
def state(name: str) -> State:
    """The appliance's picture after the scenario's first look."""
    report = recorded(name)
    memory, tracks = memory_of(report.observations), TargetRecords()
    for seen in report.observations:
        key = key_of(seen.step)
        if key is not None:
            tracks.observe(key, seen, new=True)
    audit = steady(memory, report)
    return pictured(audit, make_report(audit, report.started, report.finished, "0"), tracks)


def usual(name: str) -> Report:
    """The recording as the appliance judges it when it was told everything in its order."""
    report = state(name).report
    assert report is not None
    return report


def decided(report: Report) -> tuple[object, ...]:
    """Status and cause of everything, without the words."""
    rows = sorted((v.rule, str(v.endpoint), v.check, v.status.value, v.cause.word) for v in report.verdicts)
    return report.answer, rows


def later(seen: Observation, seconds: float) -> Observation:
    """The same answer at another time."""
    return replace(seen, started=seen.started + seconds)


# --- the same with scripted networks -------------------------------------------------------------------------------------


def of_world(world: World) -> Memory:
    """A memory that has seen the whole of a network once."""
    return memory_of(run(world).seen.values())


def began(failure: Failure, *kinds: type[Step], **fields: object) -> Memory:
    """A healthy network on which steps of these kinds have begun to end so a minute ago."""
    memory, world = of_world(healthy()), healthy().when(kinds, failure, **fields)
    for step in list(memory.known):
        memory.record(later(world.answer(step), 60))
    return memory


def moved(address: str) -> Memory:
    """A healthy network on which the list's host has moved to `address`, and nobody has been there."""
    memory, world = of_world(healthy()), healthy(zone={**ZONE, CRL_HOST: (address,)})
    for seen in run(world).seen.values():
        if isinstance(seen.step, NAMING):
            memory.record(later(seen, 60))
    return memory


def scripted(memory: Memory) -> Audit:
    """What the appliance judges of a scripted network."""
    return steady(memory, _SCRIPTED, RULES)


def told(memory: Memory) -> Report:
    """The same as a report."""
    return judged(memory, _SCRIPTED, RULES)


_SCRIPTED = make_report(run(healthy()), START, START + 60, "0")


# --- one answer ------------------------------------------------------------------------------------------------------------


def seen(
    step: Step, evidence: Evidence | None = None, failure: Failure | None = None, at: float = 0.0
) -> Observation:
    return Observation(step, START + at, 0.05, failure, evidence)


def question(name: str, resolver: str = RESOLVERS[0]) -> DnsQuestion:
    return DnsQuestion(resolver, name, "A")


def resolves(name: str, *addresses: str, resolver: str = RESOLVERS[0], at: float = 0.0) -> Observation:
    records = tuple(Record(name, "A", 60, address) for address in addresses)
    return seen(question(name, resolver), DnsAnswer("NOERROR", records), at=at)


def rotating(number: int, at: float) -> list[Observation]:
    """What a name brings that shows another name and another address each time."""
    name, address = f"n{number}.zone.test", f"198.18.{number // 250 % 250}.{number % 250 + 1}"
    shake = TlsHandshake(address, 443, "a.test")
    return [
        seen(question(name), DnsAnswer("NOERROR", (Record(name, "A", 0, address),)), at=at),
        resolves("a.test", address, at=at),
        seen(shake, None, SILENCE, at=at),
        seen(replace(shake, attempt=2), None, SILENCE, at=at + 1),
        seen(HttpFetch(address, 80, CRL_HOST, "/issuing.crl", "crl"), crl(), at=at),
    ]
