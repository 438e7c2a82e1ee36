"""A named network with its expected verdicts, and the comparison of an audit's report with them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from tests.lab.lab import Lab
from tests.lab.plan import Plan
from tests.rules.asked import asked_action

Report = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Want:
    """A verdict with this cause must exist. `hosts`: globs, each of which must match; empty: any host.

    `status` narrows it. `only`: no verdict outside `hosts` may have the cause.
    """

    cause: str
    hosts: tuple[str, ...] = ()
    status: str = ""
    only: bool = False

    def faults(self, verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
        """The differences from the expectation, in words."""
        found = [v for v in verdicts if v["cause"] == self.cause and v["status"] != "not-applicable"]
        told = [(_host(v), v["status"]) for v in found]
        wanted = f"{self.cause}{f' ({self.status})' if self.status else ''}"
        if not self.hosts:
            right = [t for t in told if self.status in ("", t[1])]
            return [] if right else [f"no verdict {wanted}; seen: {told or 'none'}"]
        missing = [
            f"no verdict {wanted} for {glob}"
            for glob in self.hosts
            if not any(fnmatchcase(h, glob) and self.status in ("", s) for h, s in told)
        ]
        if self.only:
            missing += [
                f"{self.cause} for {h} too"
                for h, _ in told
                if not any(fnmatchcase(h, glob) for glob in self.hosts)
            ]
        return missing


@dataclass(frozen=True, slots=True)
class Scenario:
    """One network.

    `wants` contains everything expected; a verdict that fails for any cause outside `wants` and `also` is a false
    alarm. `spoil` changes the plan before the lab starts, `during` changes the running lab before the audit.
    """

    name: str
    title: str
    answer: str
    exit_code: int
    spoil: Callable[[Plan], None]
    wants: tuple[Want, ...] = ()
    also: tuple[str, ...] = ()  # further causes that may fail or be inconclusive here
    never: tuple[str, ...] = ()  # globs of causes that no verdict may have, with any status
    during: Callable[[Lab], None] | None = None
    seconds: float = 40.0  # the audit must be over by then
    owners: tuple[str, ...] = ()  # of several faults: who must act on each, which are as many findings


@dataclass(frozen=True, slots=True)
class Outcome:
    """The comparison of a report with its scenario."""

    faults: tuple[str, ...] = field(default=())


def check(scenario: Scenario, report: Report, exit_code: int) -> Outcome:
    """All differences between the expectation and the report."""
    faults = []
    if report["answer"] != scenario.answer:
        faults.append(f"answer {report['answer']!r}, expected {scenario.answer!r}: {report['answer_text']}")
    if exit_code != scenario.exit_code or report["exit_code"] != exit_code:
        told = f"{exit_code} (the report says {report['exit_code']})"
        faults.append(f"exit code {told}, expected {scenario.exit_code}")
    verdicts = report["verdicts"]
    for want in scenario.wants:
        faults += want.faults(verdicts)
    faults += _false_alarms(scenario, verdicts)
    faults += _findings(scenario, report["causes"])
    faults += [f"not evidenced: {v['cause']} for {_host(v)}" for v in verdicts if _lacks_evidence(v, report)]
    return Outcome(tuple(faults))


def _findings(scenario: Scenario, causes: Iterable[Mapping[str, Any]]) -> list[str]:
    """One fault is one finding, and each finding that a network team must act on says what to allow."""
    found = []
    roots = [c for c in causes if c["status"] in ("fail", "warn", "broken") and not c["because"]]
    shown = [f"{c['cause']} ({c['owner']}): {c['summary']}" for c in roots]
    if scenario.owners and sorted(c["owner"] for c in roots) != sorted(scenario.owners):
        found.append(f"findings {shown}, expected one for each of {scenario.owners}")
    elif not scenario.owners and len(roots) != 1 and (roots[1:] or scenario.answer in ("no", "degraded")):
        found.append(f"{len(roots)} findings of one fault: {shown}")
    for cause in roots:
        asked = cause["owner"] in ("firewall", "proxy", "dns") and cause["tested"]
        if asked and asked_action(cause["cause"]) and not (cause["request"] and cause["request"]["patterns"]):
            found.append(f"nothing to allow: {cause['cause']} ({cause['owner']}): {cause['summary']}")
    return found


def _false_alarms(scenario: Scenario, verdicts: Iterable[Mapping[str, Any]]) -> list[str]:
    expected = {w.cause for w in scenario.wants} | set(scenario.also) | {"audit.no-probe-name"}
    found = []
    for verdict in verdicts:
        status, cause = verdict["status"], verdict["cause"]
        if status == "broken":
            found.append(f"broken: {cause} for {_host(verdict)}: {verdict['summary']}")
        elif status in ("fail", "warn", "inconclusive") and cause not in expected:
            found.append(f"unexpected {status} {cause} for {_host(verdict)}: {verdict['summary']}")
        elif any(fnmatchcase(cause, glob) for glob in scenario.never):
            found.append(f"{cause} must not appear, seen for {_host(verdict)}")
    return found


def _lacks_evidence(verdict: Mapping[str, Any], report: Report) -> bool:
    """A verdict that fails because of observations must name observations in the report."""
    if verdict["status"] != "fail":
        return False
    known = {o["id"] for o in report["observations"]}
    return not verdict["evidence"] or not set(verdict["evidence"]) <= known


def _host(verdict: Mapping[str, Any]) -> str:
    endpoint = verdict.get("endpoint")
    return str(endpoint["host"]) if endpoint else ""


def essence(report: Report) -> list[tuple[str, ...]]:
    """What a replay must reproduce: the answer and each verdict without its wording."""
    rows = sorted(
        (
            str(v["rule"]),
            str((v["endpoint"] or {}).get("host")),
            str((v["endpoint"] or {}).get("port")),
            str((v["endpoint"] or {}).get("address")),
            str(v["check"]),
            str(v["status"]),
            str(v["cause"]),
        )
        for v in report["verdicts"]
    )
    return [(str(report["answer"]), str(report["exit_code"])), *rows]
