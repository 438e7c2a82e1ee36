"""`wayclear verify` in labs whose firewall is changed while it asks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rules.verify.rounds import MOST
from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.appliance import until
from tests.lab.auditing import PROGRAM, audit
from tests.lab.lab import Finished, Lab
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenarios.names import BOOTSTRAP
from tests.lab.test_commands import on_terminal
from tests.lab.watching import connections, start_watching
from tests.lab.world import TENANT

pytestmark = pytest.mark.lab

SCHEMA = json.loads((Path(__file__).parents[2] / "rules" / "schema" / "report-1.json").read_text())
PASSES = re.compile(r"^\d\d:\d\d:\d\d UTC  passes     (\S+):443 \((\S+)\)", re.MULTILINE)
FAILS = re.compile(r"^\d\d:\d\d:\d\d UTC  FAILS      (\S+):443 \((\S+)\) \[(\S+)\]", re.MULTILINE)


def service(plan: Plan, zone: str) -> list[str]:
    return [address for host in plan.world.matching(zone) for address in host.v4]


def dropped() -> Plan:
    """An allow list without the service, as in the scenario `service-dropped`."""
    plan = Plan()
    both = [*service(plan, ".msappproxy.net"), *service(plan, ".servicebus.windows.net")]
    plan.forward = [plans.drop(to=both, port=443)]
    return plan


def argv(lab: Lab, report: str, *more: str) -> list[str]:
    return [*PROGRAM, "verify", report, "--config", f"{lab.directory}/wayclear.toml", *more]


def verify(lab: Lab, report: str, *more: str) -> Finished:
    return lab.run(argv(lab, report, *more), timeout=300)


def watch(lab: Lab, report: str, *more: str) -> None:
    """Start `wayclear verify --watch`; its output and its exit code are in the log of "verify"."""
    words = argv(lab, report, "--watch", *more)
    lab.start("verify", ["sh", "-c", '"$@"; echo "exit $?"', "sh", *words], "Asking again")


def firewall(lab: Lab, *rules: str) -> None:
    """Replace the rules of the firewall's forward chain."""
    added = "".join(f"add rule inet lab passing {rule}\n" for rule in rules)
    lab.nft(f"flush chain inet lab passing\n{added}")


def test_flows_turn_green_while_the_rule_is_changed() -> None:
    plan = dropped()
    connector, relays = service(plan, ".msappproxy.net"), service(plan, ".servicebus.windows.net")
    with Lab(plan) as lab:
        run = audit(lab)
        assert run.report is not None
        assert run.report["answer"] == "no"
        start_watching(lab)
        out = lab.directory / "verified.json"
        watch(lab, f"{run.path}#1", "--format", "json", "--output", str(out))
        failing = len(connector) + len(relays)
        until("the first round", lambda: len(FAILS.findall(lab.log("verify"))) == failing, 30)
        assert not PASSES.findall(lab.log("verify"))
        firewall(lab, plans.drop(to=relays, port=443))
        until("half of it", lambda: len(PASSES.findall(lab.log("verify"))) == len(connector), 60)
        assert {address for address, _ in PASSES.findall(lab.log("verify"))} == set(connector)
        assert "exit" not in lab.log("verify")
        firewall(lab)
        until("the end", lambda: "exit " in lab.log("verify"), 60)
        text = lab.log("verify")
        assert text.endswith("exit 0\n"), text
        assert {address for address, _ in PASSES.findall(text)} == {*connector, *relays}
        assert TENANT not in text, "the tenant is {tenant}"
        report = json.loads(out.read_text())
        asked = connections(lab)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["answer"] == "yes", report["answer_text"]
    assert {c.address for c in asked if c.port == 443} == {*connector, *relays}, "and nothing else"
    name = BOOTSTRAP.replace(TENANT, "{tenant}")
    for address in plan.world.hosts[BOOTSTRAP].v4:
        (since,) = passes_since(report, f"{address}:443 ({name})")
        (shown,) = re.findall(
            rf"^(\d\d:\d\d):\d\d UTC  passes     {re.escape(address)}:443", text, re.MULTILINE
        )
        assert (minutes(shown) - minutes(since)) % 1440 in (0, 1), "the minute in which the round asked"
    assert len([n for n in report["notes"] if "passes since" in n]) == failing
    assert {f["endpoint"]["address"] for f in report["verified"]} == {*connector, *relays}
    for flow in report["verified"]:
        assert flow["state"] == "passes"
        assert run.report["finished"] < flow["since"] < report["finished"]


def passes_since(report: dict[str, Any], flow: str) -> list[str]:
    found = (re.fullmatch(re.escape(flow) + r" passes since (\d\d:\d\d) UTC", n) for n in report["notes"])
    return [match[1] for match in found if match]


def minutes(clock: str) -> int:
    hours, rest = clock.split(":")
    return int(hours) * 60 + int(rest)


def test_an_inspecting_device_is_not_repaired_before_it_lets_go() -> None:
    """Its ports are open and its handshakes succeed; only the right issuer counts."""
    some = ("--only", "*.msappproxy.net")
    plan = Plan(interceptors=[Interceptor("squid", plans.match(port=443), pki.CORPORATE)])
    plan.os_store = (pki.CORPORATE,)
    flows = service(plan, ".msappproxy.net")
    with Lab(plan) as lab:
        run = audit(lab, *some)
        watch(lab, f"{run.path}#1")
        until("the first round", lambda: len(FAILS.findall(lab.log("verify"))) == len(flows), 30)
        assert {cause for _, _, cause in FAILS.findall(lab.log("verify"))} == {"tls.intercepted"}
        lab.nft("flush chain inet lab divert\n")
        until("the end", lambda: "exit " in lab.log("verify"), 60)
        text = lab.log("verify")
    assert {address for address, _ in PASSES.findall(text)} == set(flows)
    # one more flow: the device opened every connection
    assert f"REPAIRED: all {len(flows) + 1} flows that failed now pass." in text
    # in a line of its own where another minute began between it and the flows
    passing = text.partition("WHAT PASSES NOW")[2]
    assert re.search(
        r"^ +this network \[tcp\.accept-all\]( passes since \d\d:\d\d UTC)?$", passing, re.MULTILINE
    )
    assert text.endswith("exit 0\n")


def test_one_round_takes_twenty_addresses() -> None:
    plan = Plan(forward=[plans.drop(port=443)])
    with Lab(plan) as lab:
        run = audit(lab)
        start_watching(lab)
        done = verify(lab, str(run.path))
        assert done.code == 2, done.text
        assert len({c.address for c in connections(lab)}) == MOST
        assert done.stdout.startswith("FAILS: ")
        assert re.search(rf"Verified: {MOST} of \d\d addresses asked again in 1 round", done.stdout)
        assert "WHAT WAS NOT ASKED AGAIN" in done.stdout


@pytest.fixture(scope="module")
def broken() -> Iterator[tuple[Lab, Path]]:
    """A lab without the service, and the report of its audit."""
    with Lab(dropped()) as lab:
        yield lab, audit(lab).path


def test_a_terminal_is_redrawn_and_ctrl_c_ends_it_with_a_report(broken: tuple[Lab, Path]) -> None:
    lab, path = broken
    # after the last line of the round: a terminal drops what nobody has read yet
    seen = on_terminal(lab, argv(lab, str(path), "--watch"), interrupt="\x1b[J")
    assert seen["code"] == 2, seen["shown"]
    assert seen["left"] == []
    shown = seen["shown"]
    assert "17 flows, 17 addresses, a round every 15 s" in shown
    assert re.search(r"Round 1: 17 of 17 addresses asked, 0 of 17 flows pass\x1b\[K", shown)
    assert shown.count("\x1b[1;31mFAILS    \x1b[0m") == 17, "in red"
    assert "17 of 17 flows still fail" in shown
    assert "Traceback" not in shown


def test_the_teams_are_those_of_the_configuration(broken: tuple[Lab, Path]) -> None:
    lab, path = broken
    config = lab.directory / "teams.toml"
    config.write_text(
        (lab.directory / "wayclear.toml").read_text() + '\n[owners]\nfirewall = "NETSEC queue"\n'
    )
    done = verify(lab, str(path), "--verbose", "--config", str(config))
    assert done.code == 2, done.text
    assert "NETSEC queue: finding 1" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("report", "told"),
    [
        ("{path}#9", "has no finding #9: it has the findings #1"),
        ("{path}#", "argument REPORT"),
        ("/no/such/report.json", "/no/such/report.json: cannot be read"),
        ("{config}", "is not JSON"),
    ],
)
def test_what_cannot_be_verified_is_one_message(broken: tuple[Lab, Path], report: str, told: str) -> None:
    lab, path = broken
    done = verify(lab, report.format(path=path, config=lab.directory / "wayclear.toml"))
    assert (done.code, done.stdout) == (3, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_healthy_report_has_nothing_to_verify() -> None:
    with Lab(Plan()) as lab:
        run = audit(lab)
        start_watching(lab)
        for more in ((), ("--watch",)):
            done = verify(lab, str(run.path), *more)
            assert done.code == 0, done.text
            assert done.stderr.startswith("Nothing failed in ")
        assert connections(lab) == []
