"""The polite pace, measured from outside: what the firewall sees of an audit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.lab.auditing import PROGRAM
from tests.lab.lab import Connection, Lab
from tests.lab.plan import Plan
from tests.lab.scenarios.names import LOGIN
from tests.lab.world import CANARY

pytestmark = pytest.mark.lab

RATE, BURST = 2.0, 5
SLACK = 0.25  # seconds by which a busy machine may delay one SYN against the next
SERVICE = (".msappproxy.net", ".servicebus.windows.net")


def rushed(moments: list[float], rate: float = RATE, burst: int = BURST, slack: float = SLACK) -> list[str]:
    """Windows in which more connections began than `burst` and `rate` allow, every window looked at."""
    found = []
    for first, start in enumerate(moments):
        for last in range(first, len(moments)):
            span = moments[last] - start
            if last - first + 1 > burst + rate * (span + slack):
                found.append(f"{last - first + 1} connections in {span:.2f} s from {start:.2f}")
    return found


def most_at_once(connections: list[Connection]) -> int:
    """How many were open at the same time."""
    changes = [(c.began, 1) for c in connections] + [
        (c.ended, -1) for c in connections if c.ended is not None
    ]
    open_now = most = 0
    for _, change in sorted(changes):
        open_now += change
        most = max(most, open_now)
    return most


def test_the_measure_itself_would_complain() -> None:
    assert not rushed([0.0] * 5 + [0.5, 1.0, 1.5])
    assert rushed([0.0] * 6)
    assert rushed([0.0] * 5 + [0.4, 0.6, 0.8])
    assert rushed([float(n) for n in range(9)] + [8.1] * 5 + [8.2, 8.3])
    assert most_at_once([Connection(0.0, "a", 1, 2.0), Connection(1.0, "a", 1), Connection(3.0, "a", 1)]) == 2


def polite(lab: Lab, *arguments: str) -> tuple[dict[str, Any], dict[str, Any], list[Connection]]:
    """A polite audit on a terminal: what the terminal showed, the report, the connections to other machines than DNS."""
    lab.watch()
    path = lab.directory / "polite.json"
    audit = [*PROGRAM, "audit", "--config", f"{lab.directory}/wayclear.toml", "--format", "json"]
    audit += ["--output", str(path), *arguments]
    done = lab.run([PROGRAM[0], "-m", "tests.lab.on_terminal", "{}", *audit], timeout=240)
    assert done.code == 0, done.text
    seen = [c for c in lab.connections() if c.port != 53]
    return json.loads(done.stdout), json.loads(path.read_text()), seen


def test_a_polite_audit_of_a_healthy_network() -> None:
    plan = Plan()
    login = plan.world.hosts[LOGIN]
    login.v4 = [f"{login.v4[0].rpartition('.')[0]}.{n}" for n in range(31, 38)]
    login.v6 = [f"{login.v6[0].rpartition('::')[0]}::{n}" for n in range(1, 7)]
    with Lab(plan) as lab:
        terminal, report, seen = polite(lab, "--tenant", "contoso.com")
    assert terminal["code"] == 0
    assert report["answer"] == "yes"
    assert len(seen) > 80, "the recorder saw the audit"

    moments = [c.began for c in seen]
    assert rushed(moments) == []
    for address in {c.address for c in seen}:
        assert most_at_once([c for c in seen if c.address == address]) <= 2, address
    for addresses in (login.v4, login.v6):
        assert len({c.address for c in seen[1:]} & set(addresses)) == 4  # the first asks for the tenant's id

    owners = {a: h.name for h in plan.world.hosts.values() for a in h.addresses}
    canary = CANARY.rpartition(":")[0]
    assert [c.address for c in seen].count(canary) == 1
    assert next(c for c in seen if c.address == canary).began > min(
        c.ended for c in seen if c.ended is not None
    )
    after_tenant = [owners.get(c.address, "") for c in seen[1:]]
    assert owners[seen[0].address] == LOGIN
    service = {o["step"]["server_name"] for o in report["observations"] if o["kind"] == "tls_handshake"}
    service = {name for name in service if name.endswith(SERVICE)}
    assert set(after_tenant[: len(service)]) == service, (
        "one address of every name of the service comes first"
    )

    shown = terminal["shown"]
    assert "(polite pace)" in shown
    said = int(shown.partition("names, about ")[2].split()[0])
    assert shown.index("(polite pace)") < shown.index("YES")
    assert moments[-1] - moments[0] < max(120.0, 1.5 * said / RATE)
    assert len(seen) <= 1.5 * said


def test_after_twenty_silent_hosts_it_stops_and_says_so() -> None:
    with Lab(Plan(forward=["meta l4proto tcp drop"])) as lab:
        terminal, report, seen = polite(lab)
    assert rushed([c.began for c in seen]) == []
    hosts = {c.address for c in seen}
    assert 20 <= len(hosts) <= 26, "those under way when the twentieth was given up may be more"
    assert terminal["code"] == report["exit_code"]
    stopped = [v for v in report["verdicts"] if not v["rule"] and v["cause"] == "audit.not-reached"]
    assert [v["summary"].partition(":")[0] for v in stopped] == [
        f"Stopped after {_count(stopped)} hosts that met silence or a reset"
    ]
    assert 20 <= _count(stopped) <= len(hosts)
    assert "--pace fast" in stopped[0]["remedy"]
    names = {v["endpoint"]["host"] for v in report["verdicts"] if v["endpoint"]}
    assert len(names) > 30, "what was not reached has its row all the same"


def _count(stopped: list[dict[str, Any]]) -> int:
    return int(stopped[0]["summary"].split()[2])
