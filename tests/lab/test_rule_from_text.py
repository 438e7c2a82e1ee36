"""From the text of a report to a rule: what a reader allows lets the audit pass, and the names that a connector gets later."""

from __future__ import annotations

import json
import re

import pytest

from exporters.terminal.style import Style
from exporters.terminal.summary import render
from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.auditing import PROGRAM, audit
from tests.lab.lab import Lab
from tests.lab.plan import Interceptor, Plan
from tests.lab.world import Host
from tests.rules import goldens

pytestmark = pytest.mark.lab

#: What a firewall engineer had allowed before: sign-in and its content, by exact names and domains.
BEFORE = tuple(
    f"acl allowed ssl::server_name {name}"
    for name in (
        "login.windows.net",
        "secure.aadcdn.microsoftonline-p.com",
        ".microsoftonline.com",
        "login.microsoftonline-p.com",
        "nexus.microsoftonline-p.com",
        ".msauth.net",
        ".msauthimages.net",
        ".msecnd.net",
        ".msftauth.net",
        ".msftauthimages.net",
        ".phonefactor.net",
        "enterpriseregistration.windows.net",
        "management.azure.com",
        "ctldl.windowsupdate.com",
        "www.microsoft.com",
        "policykeyservice.dc.ad.msft.net",
    )
)
#: The lines that a reader added who had only the text of `service-dropped`, and knew nothing else of the program.
OF_A_READER = (
    "acl allowed ssl::server_name .msappproxy.net",
    "acl allowed ssl::server_name .servicebus.windows.net",
)
#: What a reader of the old text would have added: the names that were tested.
TESTED_NAMES = tuple(
    f"acl allowed ssl::server_name {name}"
    for name in (
        "11111111-2222-3333-4444-555555555555.bootstrap.msappproxy.net",
        "11111111-2222-3333-4444-555555555555.registration.msappproxy.net",
        "cwap-weur-1.renewtrust.msappproxy.net",
        "cwap-eur1-weur2.servicebus.windows.net",
    )
)
#: Names under the same wildcards, one to five labels deep, on no list.
FURTHER = tuple(
    f"{'.'.join(f'l{depth}x{at}n{n}' for at in range(depth))}.{zone}"
    for n, zone in enumerate(("msappproxy.net", "servicebus.windows.net"))
    for depth in (1, 2, 3, 4, 5)
    for n in (n, n + 2)
)


def planned(lines: tuple[str, ...]) -> Plan:
    """A firewall that lets only allowed names pass, and the further names on the internet."""
    plan = Plan()
    for at, name in enumerate(FURTHER):
        plan.world.hosts[name] = Host(name, v4=[f"20.50.200.{at + 1}"], ports=[443], issuer=pki.OCSP04)
    allow = [*BEFORE, *lines]
    plan.interceptors = [Interceptor("squid", plans.match(port=443), pki.CORPORATE, options={"allow": allow})]
    return plan


def reached(lab: Lab) -> list[str]:
    """The further names whose TLS handshake passes, and shows Microsoft's certificate."""
    found = []
    for name in FURTHER:
        run = lab.run(
            ["openssl", "s_client", "-connect", f"{name}:443", "-servername", name, "-brief"],
            stdin="",
            timeout=20,
        )
        if "CONNECTION ESTABLISHED" in run.text and f"CN = {name}" in run.text:
            found.append(name)
    return found


def test_further_names_are_of_every_depth_and_on_no_list() -> None:
    assert len(set(FURTHER)) == 20
    assert {name.count(".") for name in FURTHER if name.endswith("msappproxy.net")} == {2, 3, 4, 5, 6}
    assert not set(FURTHER) & set(Plan().world.hosts)


def test_the_rule_of_a_reader_of_the_text_opens_the_service_and_its_later_names() -> None:
    with Lab(planned(OF_A_READER)) as lab:
        run = audit(lab)
        assert run.report is not None, run.finished.text
        assert run.report["answer"] == "yes", run.report["answer_text"]
        assert reached(lab) == list(FURTHER)


def test_without_the_rule_the_service_is_closed_and_the_report_asks_for_the_wildcards() -> None:
    with Lab(planned(())) as lab:
        run = audit(lab)
        assert run.report is not None, run.finished.text
        assert run.report["answer"] == "no"
        asked = {p for c in run.report["causes"] if c["request"] for p in c["request"]["patterns"]}
        assert {"*.msappproxy.net", "*.servicebus.windows.net"} <= asked
        assert reached(lab) == []


def test_rules_for_the_tested_names_alone_leave_later_names_closed() -> None:
    with Lab(planned(TESTED_NAMES)) as lab:
        only = ["--only", "11111111*", "--format", "json"]
        config = ["--config", f"{lab.directory}/wayclear.toml"]
        run = lab.run([*PROGRAM, "audit", *config, "--pace", "fast", *only])
        names = {
            v["endpoint"]["host"]: v["status"]
            for v in json.loads(run.stdout)["verdicts"]
            if v["check"] == "tls" and v["endpoint"]
        }
        assert set(names.values()) == {"pass"}, names
        assert reached(lab) == []


def test_the_rule_is_made_of_what_the_text_says_to_allow() -> None:
    """The reader had the text of this scenario and nothing else; the text still says so."""
    shown = render(goldens.golden("service-dropped"), Style(100))
    allowed = re.findall(r"(\*\.[a-z.]+) +TCP 443, never inspect TLS", shown)
    assert [line.rpartition(" ")[2] for line in OF_A_READER] == [name.removeprefix("*") for name in allowed]
    assert "at any depth" in shown
