"""The command line end to end inside a lab: what is told, where it is written, how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.lab.auditing import PROGRAM, audit
from tests.lab.lab import Finished, Lab
from tests.lab.plan import SECOND_RESOLVER, Interceptor, Plan, Resolver, match
from tests.lab.scenario import essence
from tests.lab.scenarios.names import BOOTSTRAP, LOGIN, REGISTRATION, RELAY
from tests.lab.world import TENANT, World

pytestmark = pytest.mark.lab

SCHEMA = json.loads((Path(__file__).parents[2] / "rules" / "schema" / "report-1.json").read_text())
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
SOME = ("--only", "*.msappproxy.net")


@pytest.fixture(scope="module")
def healthy() -> Iterator[Lab]:
    """A network without a fault, with two resolvers."""
    with Lab(Plan(resolvers=[Resolver(), Resolver(SECOND_RESOLVER)])) as lab:
        yield lab


@pytest.fixture(scope="module")
def intercepted() -> Iterator[Lab]:
    """A device re-signs everything with issuers' names copied."""
    with Lab(Plan(interceptors=[Interceptor("forge", match(port=443))])) as lab:
        yield lab


def command(lab: Lab, name: str, *arguments: str, pace: str = "fast") -> Finished:
    """`wayclear NAME ...` in the lab, as it answers into a pipe."""
    return lab.run(argv(lab, name, *arguments, pace=pace), timeout=120)


def argv(lab: Lab, name: str, *arguments: str, pace: str = "fast") -> list[str]:
    return [*PROGRAM, name, "--config", f"{lab.directory}/wayclear.toml", "--pace", pace, *arguments]


def on_terminal(lab: Lab, arguments: list[str], **options: object) -> dict[str, Any]:
    """The command on a terminal: see tests/lab/on_terminal.py."""
    run = [PROGRAM[0], "-m", "tests.lab.on_terminal", json.dumps(options), *arguments]
    finished = lab.run(run, timeout=120, environment={"TERM": "xterm-256color"})
    assert finished.code == 0, finished.text
    shown: dict[str, Any] = json.loads(finished.stdout)
    return shown


# --- explain ------------------------------------------------------------------------------------------------------


def test_explain_shows_the_whole_way_to_an_endpoint(healthy: Lab) -> None:
    done = command(healthy, "explain", f"{REGISTRATION}:443")
    text = done.stdout
    assert done.code == 0, done.text
    assert f"{REGISTRATION}:443  ok" in text
    for resolver in ("10.0.0.53", SECOND_RESOLVER):
        assert f"resolver {resolver}" in text
    assert text.count(REGISTRATION.partition(".")[0]) == 1, "the tenant's id stands once"
    shown = re.escape("{tenant}.registration.msappproxy.net")
    assert re.search(rf"A {shown}: NOERROR, \d records in\s+[│ ]*[\d.]+ m?s", text)
    assert "CNAME  300 s" in text
    assert re.search(r"A  300 s  20\.50\.\d+\.11", text)
    assert "the operating system: 20.50." in text
    for host in healthy.plan.world.hosts[REGISTRATION].v4:
        assert f"{host}:443" in text
    assert len(re.findall(r"TLS 1\.2: from 10\.10\.1\.2:\d+ at \d\d:\d\d:\d\d\.\d{3} UTC", text)) == 3
    assert re.search(r"TCP: connected in [\d.]+ m?s", text)
    assert "certificates as served: chain 1" in text
    assert "issuer  CN=Microsoft TLS G2 RSA CA OCSP 04" in text
    plain = re.sub(r"[│├└─\s]+", " ", text)  # a long line goes on below itself
    assert "signed up to the expected CA Microsoft TLS RSA Root G2" in plain
    assert "http://www.microsoft.com/pkiops/crl/" in text
    assert "the responder says: good" in text
    assert "[" not in text.partition("verdict")[2], "no cause where nothing is wrong"


def test_explain_names_the_interceptor_and_what_to_do(intercepted: Lab) -> None:
    done = command(intercepted, "explain", LOGIN)
    assert done.code == 2, done.text
    verdict = done.stdout.partition("└─ verdict")[2]
    assert "[tls.intercepted]" in verdict
    assert "key that differs" in verdict
    assert "do: " in verdict
    assert "rule: entra-app-proxy/" in verdict
    plain = re.sub(r"[│├└─\s]+", " ", verdict)
    assert plain.count("TLS is intercepted") == 1, "one finding at five addresses is told once"
    for address in intercepted.plan.world.hosts[LOGIN].addresses:
        assert address in verdict


def test_explain_refuses_what_is_on_no_rule(healthy: Lab) -> None:
    before = healthy.log("unbound-10.0.0.53")
    for endpoint in ("www.fabrikam.example", f"{REGISTRATION}:8443"):
        done = command(healthy, "explain", endpoint)
        assert done.code == 3
        assert done.stdout == ""
        assert "no rule" in done.stderr
        assert "wayclear rules list" in done.stderr
    assert healthy.log("unbound-10.0.0.53") == before


def test_explain_verbose_shows_every_step(healthy: Lab) -> None:
    short, long = (command(healthy, "explain", RELAY, *more).stdout for more in ((), ("--verbose",)))
    steps = long.partition("steps")[2]
    assert "steps" not in short
    assert "o1 +" in steps
    assert f"TLS to 40.84.{healthy.plan.world.hosts[RELAY].v4[0].split('.')[2]}.21:443 as {RELAY}" in steps


# --- output -------------------------------------------------------------------------------------------------------


def test_json_is_valid_against_the_shipped_schema(healthy: Lab) -> None:
    done = command(healthy, "audit", "--format", "json", *SOME)
    assert done.stderr == ""
    report = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(report)
    assert report["answer"] == "not-proven", "a part of the list proves no network"
    names = {h.name for h in healthy.plan.world.matching(".msappproxy.net")}
    assert {v["endpoint"]["host"] for v in report["verdicts"] if v["check"] == "tls"} == names


def test_only_narrows_what_is_asked_for(healthy: Lab) -> None:
    done = command(healthy, "audit", "--format", "json", "--only", LOGIN)
    report = json.loads(done.stdout)
    ways = [v for v in report["verdicts"] if v["rule"] and v["check"] not in ("crl", "ocsp")]
    assert {v["endpoint"]["host"] for v in ways} == {LOGIN}
    asked = {o["step"].get("server_name") for o in report["observations"]} - {None}
    assert asked == {LOGIN}


def test_output_is_a_file_of_ours_alone(healthy: Lab) -> None:
    path = healthy.directory / "out.json"
    done = command(healthy, "audit", "--format", "json", "--output", str(path), *SOME)
    assert done.stdout == ""
    assert done.stderr.startswith("NOT PROVEN: ")
    assert str(path) in done.stderr
    assert path.stat().st_mode & 0o777 == 0o640
    assert json.loads(path.read_text())["schema"] == "wayclear.report/1"
    refused = command(healthy, "audit", "--output", str(healthy.directory / "nowhere" / "out.txt"), *SOME)
    assert refused.code == 3
    assert "there is no directory" in refused.stderr
    assert refused.elapsed < 20, "said before the audit, not after it"


def test_resolvers_of_the_command_line_are_asked(healthy: Lab) -> None:
    both = ("--resolver", SECOND_RESOLVER, "--resolver", "10.0.0.53")
    report = json.loads(command(healthy, "audit", "--format", "json", *both, *SOME).stdout)
    assert report["vantage"]["resolvers"] == [SECOND_RESOLVER, "10.0.0.53"]
    one = json.loads(
        command(healthy, "audit", "--format", "json", "--resolver", SECOND_RESOLVER, *SOME).stdout
    )
    assert {o["step"]["resolver"] for o in one["observations"] if o["kind"] == "dns_question"} == {
        SECOND_RESOLVER
    }
    assert one["answer"] == report["answer"] == "not-proven"


def test_a_pipe_gets_plain_text(healthy: Lab) -> None:
    done = command(healthy, "audit", *SOME)
    assert done.stdout.startswith("NOT PROVEN: ")
    assert not CONTROL.search(done.stdout)
    assert done.stderr == ""
    first_screen = "\n".join(done.stdout.splitlines()[:25])
    for word in ("Tested from", "root", "10.10.1.2", "Tenant", "Rules"):
        assert word in first_screen


def test_a_terminal_gets_the_plan_a_bar_and_then_the_answer(healthy: Lab) -> None:
    seen = on_terminal(healthy, argv(healthy, "audit", *SOME))
    shown = seen["shown"]
    assert seen["code"] == 3
    plan = re.search(r"\d+ names, about \d+ connections, about \d+ s", shown)
    assert plan is not None
    bar = shown.index("[#")
    answer = shown.index("NOT PROVEN")
    assert plan.start() < bar < answer
    assert "\x1b[" in shown[answer - 8 : answer + 8], "the answer is in colour"
    assert "\r" not in shown[answer:].replace("\r\n", "\n")
    assert seen["left"] == []


def test_an_interrupt_ends_it_at_once_and_leaves_nothing(healthy: Lab) -> None:
    seen = on_terminal(healthy, argv(healthy, "audit", pace="polite"), interrupt="[#")
    assert seen["code"] == 130
    assert 0 < seen["after"] < 2
    assert seen["left"] == []
    assert "Traceback" not in seen["shown"]
    assert "Interrupted after" in seen["shown"], "the report of what was seen"


# --- how much, how long, as whom ----------------------------------------------------------------------------------


def test_what_a_short_budget_does_not_reach_is_said_row_by_row(healthy: Lab) -> None:
    run = audit(healthy, "--budget", "3", pace="polite")
    assert run.report is not None
    assert run.finished.code == 3
    assert run.finished.elapsed < 8
    assert run.report["answer"] == "not-proven"
    assert "ended before" in run.report["answer_text"]
    whole = audit(healthy)
    assert whole.report is not None
    rows = [
        {(v["rule"], v["endpoint"]["host"]) for v in r["verdicts"] if v["rule"]}
        for r in (run.report, whole.report)
    ]
    assert rows[0] == rows[1], "every row has its verdict"
    late = [v for v in run.report["verdicts"] if v["cause"] == "audit.not-reached"]
    assert len({v["endpoint"]["host"] for v in late if v["endpoint"]}) > 20
    assert {v["status"] for v in late} <= {"inconclusive", "notice"}
    assert not [v for v in run.report["verdicts"] if v["status"] == "fail"]


def test_the_same_audit_twice_says_the_same(healthy: Lab) -> None:
    first, second = (audit(healthy).report for _ in range(2))
    assert first is not None
    assert second is not None
    assert essence(first) == essence(second)


def test_no_raw_sockets_are_needed(healthy: Lab) -> None:
    without = ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", "--"]
    status = healthy.run([*without, "grep", "CapEff", "/proc/self/status"]).stdout
    assert not int(status.split()[1], 16) & 1 << 13
    done = healthy.run([*without, *argv(healthy, "audit")], timeout=120)
    assert done.code == 0, done.text


def test_a_tenant_may_be_a_domain(healthy: Lab) -> None:
    known = json.loads(command(healthy, "audit", "--tenant", "contoso.com", "--format", "json").stdout)
    assert known["vantage"]["tenant"] == TENANT
    assert known["vantage"]["tenant_source"] == "--tenant contoso.com"
    assert known["answer"] == "yes"
    done = command(healthy, "audit", "--tenant", "nobody.example", *SOME)
    assert done.code == 3
    assert done.stdout.startswith("NOT PROVEN")
    assert "[audit.no-tenant]" in done.stdout
    notes = re.sub(r"\s+", " ", done.stdout.partition("NOTES")[2])
    assert "nobody.example could not be turned into a tenant id" in notes
    assert "HTTP 400 (AADSTS90002)" in notes


def test_a_tenant_is_not_believed_from_an_interceptor(intercepted: Lab) -> None:
    done = command(intercepted, "audit", "--tenant", "contoso.com", "--only", BOOTSTRAP)
    notes = re.sub(r"\s+", " ", done.stdout.partition("NOTES")[2])
    assert "its certificate leads to no public root" in notes


# --- hostile peers ------------------------------------------------------------------------------------------------


def _hostile(world: World) -> None:
    for name in (LOGIN, RELAY):
        world.hosts[name].cert = "hostile-text"
    for host in world.hosts.values():
        if 80 in host.ports:
            host.port80 = "hostile-text"


@pytest.fixture(scope="module")
def hostile() -> Iterator[Lab]:
    """Certificates and pages whose text would run in a terminal or a browser."""
    plan = Plan()
    _hostile(plan.world)
    with Lab(plan) as lab:
        yield lab


@pytest.mark.parametrize("arguments", [("audit",), ("audit", "--verbose"), ("explain", LOGIN, "--verbose")])
def test_a_peers_text_is_shown_harmless(hostile: Lab, arguments: tuple[str, ...]) -> None:
    done = command(hostile, *arguments)
    assert "Fabrikam" in done.stdout, "the text was shown"
    assert "[31m" in done.stdout, "what is left of it when it is harmless"
    assert not CONTROL.search(done.stdout)
    assert not CONTROL.search(done.stderr)


def test_a_peers_text_cannot_break_json(hostile: Lab) -> None:
    text = command(hostile, "audit", "--format", "json").stdout
    assert not CONTROL.search(text)
    report = json.loads(text)
    for verdict in report["verdicts"]:
        for text in (verdict["summary"], verdict["remedy"], *(value for _, value in verdict["details"])):
            assert not CONTROL.search(text)
