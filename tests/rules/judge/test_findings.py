"""Findings: what to allow apart from what was tested, what follows from what, what passed beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from rules.files import report_json
from rules.judge.causes import grouped
from rules.judge.contrast import contrast
from rules.judge.report import replay
from rules.judge.roots import Seen
from rules.judge.roots import roots as root_places
from rules.model import causes
from rules.model.causes.record import Cause
from rules.model.geography import GEOGRAPHIES, geography
from rules.model.kinds.dns_chain import DnsAnswer, DnsQuestion
from rules.model.kinds.local_host import HostFacts
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.observation import Observation
from rules.model.verdict import Answer, CauseGroup, Endpoint, Plan, Report, Status, Verdict
from tests.rules import goldens
from tests.rules.asked import asked_action

WRONG = (Status.FAIL, Status.WARN, Status.BROKEN)
OWNERS = ("firewall", "proxy", "dns")  #: whose devices a request is about
SERVICE = ("*.msappproxy.net", "*.servicebus.windows.net")


def roots(report: Report) -> list[CauseGroup]:
    return [c for c in report.causes if c.status in WRONG and not c.because]


def root(name: str) -> CauseGroup:
    (found,) = roots(goldens.golden(name))
    return found


def followers(name: str) -> dict[str, Status]:
    return {
        c.cause.word: c.status
        for c in goldens.golden(name).causes
        if c.because and c.status is not Status.NOTICE
    }


@pytest.mark.parametrize("name", goldens.NAMES)
def test_every_finding_has_its_number_and_follows_from_one_that_has_none(name: str) -> None:
    report = goldens.golden(name)
    by_id = {c.id: c for c in report.causes}
    assert len(by_id) == len(report.causes)
    for found in report.causes:
        for below in found.because:
            assert by_id[below].because == ()
            assert by_id[below].status in WRONG
            assert found.id.startswith(f"{below}.")
    assert [c.id for c in roots(report)] == [str(n) for n in range(1, len(roots(report)) + 1)]


@pytest.mark.parametrize("name", goldens.NAMES)
def test_no_request_lacks_its_pattern_its_row_and_its_source(name: str) -> None:
    for found in goldens.golden(name).causes:
        if found.request is not None:
            assert found.request.patterns
            assert found.request.ports
            assert found.request.citation
            assert {row.pattern for row in found.request.rows} == set(found.request.patterns)
            assert found.request.action == asked_action(found.cause.word)
        elif found in roots(goldens.golden(name)) and asked_action(found.cause.word):
            assert found.owner not in OWNERS or not found.tested, "a device has something to let through"


@pytest.mark.parametrize("name", goldens.NAMES)
def test_a_request_for_a_sample_names_its_wildcard(name: str) -> None:
    for found in goldens.golden(name).causes:
        for one in found.tested:
            if one.need == "example":
                assert one.pattern.startswith("*.")
                assert found.request is None or one.host not in found.request.patterns


def test_what_to_allow_is_the_service_and_not_the_names_that_were_tried() -> None:
    found = root("service-dropped")
    assert found.request is not None
    assert (found.request.action, found.request.patterns, found.request.ports) == ("allow", SERVICE, (443,))
    assert found.request.inspect == "never"
    assert found.request.citation.endswith("2026-02-04")
    assert Counter(one.need for one in found.tested) == {"required": 2, "example": 11}


def test_inspection_is_forbidden_for_the_service_alone() -> None:
    found = root("intercepted-by-squid")
    assert found.request is not None
    assert (found.request.action, found.request.patterns, found.request.inspect) == (
        "exempt",
        SERVICE,
        "never",
    )
    assert "login.windows.net" in found.request.may_inspect
    only = root("intercepted-sign-in-only").request
    assert only is not None
    assert (only.inspect, only.may_inspect) == ("allowed", ())


@pytest.mark.parametrize(
    ("name", "word", "below"),
    [
        ("wildcard-everything", "dns.wildcarded", {"tls.name-mismatch", "http.block-page", "dns.wildcarded"}),
        ("port-80-dropped", "tcp.timeout", {"crl.unreachable", "ocsp.unreachable"}),
        ("hosts-file-pin", "dns.os-differs", {"tcp.timeout"}),
        ("revoked", "tls.revoked", {"crl.revoked", "ocsp.revoked"}),
        ("intercepted-by-squid", "tls.intercepted", {"tcp.accept-all"}),
        ("accepts-everything", "tls.timeout", {"tcp.accept-all"}),
        ("one-page-for-everything", "http.block-page", {"crl.not-a-crl", "ocsp.not-ocsp"}),
        ("forged-list-everywhere", "crl.wrong-issuer", {"ocsp.not-ocsp"}),
        ("large-answers-lost", "tls.timeout", {"http.timeout"}),
        (
            "chain-incomplete-for-good",
            "tcp.timeout",
            {"crl.unreachable", "ocsp.unreachable", "tls.incomplete-chain"},
        ),
    ],
)
def test_what_follows_is_told_below_its_root(name: str, word: str, below: set[str]) -> None:
    assert root(name).cause.word == word
    assert set(followers(name)) == below


def test_a_revoked_certificate_of_the_service_is_a_case_for_microsoft() -> None:
    assert root("revoked").owner == "microsoft"


def test_a_revoked_certificate_of_an_own_server_is_none() -> None:
    """A rule set of the user's has servers of the user's."""
    (shipped,) = goldens.rules().rulesets
    own = tuple(
        replace(one, citation=replace(one.citation, url="https://wiki.example/rules"))
        for one in shipped.rules
    )
    known = replace(goldens.rules(), rulesets=(replace(shipped, rules=own),))
    (found,) = roots(replay(goldens.recorded("revoked"), known))
    assert found.owner == "pki"
    assert "Microsoft" not in found.remedy


@pytest.mark.parametrize(
    ("name", "action"),
    [
        ("service-dropped", "allow"),
        ("port-80-dropped", "allow"),
        ("intercepted-by-squid", "exempt"),
        ("reset-by-name", "allow"),
        ("captive-portal-on-80", "allow"),
        ("crl-host-silent", "allow"),
        ("zone-refused", "resolve"),
        ("wildcard-everything", "resolve"),
        ("tcp53-blocked", "allow"),
    ],
)
def test_what_a_fault_asks_for(name: str, action: str) -> None:
    asked = root(name).request
    assert asked is not None
    assert asked.action == action


@pytest.mark.parametrize(
    "name", ["issuer-behind-a-page", "issuer-s-host-resets", "chain-incomplete-for-good"]
)
def test_a_missing_issuer_is_no_reason_to_exempt_anything_from_inspection(name: str) -> None:
    for found in goldens.golden(name).causes:
        assert found.request is None or found.request.action != "exempt"


def test_a_resolver_is_not_asked_for_a_path() -> None:
    asked = root("wildcard-everything").request
    assert asked is not None
    assert not [one for one in asked.patterns if "/" in one]
    assert len(set(asked.patterns)) == len(asked.patterns)


@pytest.mark.parametrize(
    ("system", "command"), [("Windows Server 2022", "Get-DnsClient"), ("Linux", "/etc/hosts")]
)
def test_a_command_is_one_of_this_system(system: str, command: str) -> None:
    def here(seen: Observation) -> Observation:
        facts = seen.evidence
        return replace(seen, evidence=replace(facts, os=system)) if isinstance(facts, HostFacts) else seen

    recorded = goldens.recorded("hosts-file-pin")
    changed = replace(recorded, observations=tuple(map(here, recorded.observations)))
    (found,) = roots(replay(changed, goldens.rules()))
    assert command in found.command
    assert "(" not in found.command


@pytest.mark.parametrize(
    ("cause", "names", "explains"),
    [
        (causes.TLS_RESET, 2, True),
        (causes.TLS_RESET, 1, False),
        (causes.TLS_INTERCEPTED, 1, True),
        (causes.HTTP_STATUS, 2, False),
        (causes.TCP_TIMEOUT, 2, False),
    ],
)
def test_a_device_that_accepts_everything_is_no_consequence_of_any_failure(
    cause: Cause, names: int, explains: bool
) -> None:
    hosts = [f"h{number}.example" for number in range(names)]
    failed = [_verdict(cause, Status.FAIL, Endpoint(host, 443, "203.0.113.1")) for host in hosts]
    accepted = _verdict(causes.TCP_ACCEPT_ALL, Status.WARN, Endpoint("198.51.100.9", 443, "198.51.100.9"))
    found = grouped([*failed, accepted])
    assert (root_places(found, Seen({}, frozenset())) == {1: 0}) is explains


def _verdict(cause: Cause, status: Status, endpoint: Endpoint) -> Verdict:
    return Verdict("app/r", "t", endpoint, "tls", status, cause, "what was met", "")


def test_forgers_are_not_said_to_have_issued_by_the_ca_whose_name_they_carry() -> None:
    shown = [c.summary for c in goldens.golden("intercepted-by-squid").causes]
    forged = [
        c.summary
        for c in goldens.golden("forged-issuers-service-only").causes
        if c.cause.word == "tls.intercepted"
    ]
    assert forged
    assert not [text for text in forged if " issued the certificates" in text]
    assert any(" issued the certificates" in text for text in shown)


@pytest.mark.parametrize(
    ("region", "answer"), [("", Answer.DEGRADED), ("eur", Answer.NO), ("nam", Answer.DEGRADED)]
)
def test_the_names_of_the_connectors_region_are_required(region: str, answer: Answer) -> None:
    recorded = goldens.recorded("one-region-dropped")
    report = replay(replace(recorded, plan=replace(recorded.plan, region=region)), goldens.rules())
    assert report.answer is answer
    (found,) = roots(report)
    assert [(one.need, one.region) for one in found.tested] == [
        ("required", "") if region == "eur" else ("example", "eur")
    ]


def test_a_healthy_network_is_healthy_in_every_region() -> None:
    recorded = goldens.recorded("healthy")
    for region in GEOGRAPHIES:
        report = replay(replace(recorded, plan=replace(recorded.plan, region=region)), goldens.rules())
        assert report.answer is Answer.YES


def without(*gone: str, plan: Plan | None = None) -> Report:
    """The healthy network, where no resolver knows the names that end in one of `gone`."""

    def today(seen: Observation) -> Observation:
        name = getattr(seen.step, "name", "")
        if isinstance(seen.step, DnsQuestion) and name.endswith(gone):
            return replace(seen, evidence=DnsAnswer("NXDOMAIN", soa="msappproxy.net"), failure=None)
        if isinstance(seen.step, OsLookup) and name.endswith(gone):
            return replace(seen, evidence=OsAnswer((), "EAI_NONAME"), failure=None)
        return seen

    recorded = goldens.recorded("healthy")
    seen = tuple(map(today, recorded.observations))
    assert seen != recorded.observations
    return replay(replace(recorded, plan=plan or recorded.plan, observations=seen), goldens.rules())


def test_two_faults_of_resolution_stay_two_findings() -> None:
    """A wrong tenant id, and a resolver that hides a name of signing in: who reads one must not miss the other."""
    report = without("bootstrap.msappproxy.net", "registration.msappproxy.net", "login.windows.net")
    assert [(c.cause.word, c.owner) for c in roots(report)] == [
        ("dns.nxdomain", "host"),
        ("dns.nxdomain", "dns"),
    ]


@pytest.mark.parametrize("region", ["", "eur"])
def test_a_name_of_the_region_that_nobody_knows_any_more_is_no_outage(region: str) -> None:
    """It is a name that somebody saw: Microsoft takes such names out of use."""
    recorded = goldens.recorded("healthy")
    report = without("cwap-weur-1.renewtrust.msappproxy.net", plan=replace(recorded.plan, region=region))
    assert report.answer is Answer.YES
    assert roots(report) == []


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("Europe", "eur"),
        ("eur", "eur"),
        ("north-america", "nam"),
        ("NORTH AMERICA", "nam"),
        ("emea", ""),
        ("", ""),
    ],
)
def test_a_geography_is_known_by_its_name_and_its_code(said: str, code: str) -> None:
    assert geography(said) == code


# --- the contrast --------------------------------------------------------------------------------------------------------


def test_what_passed_beside_it_proves_that_the_destinations_are_filtered() -> None:
    found = root("service-dropped")
    assert found.confidence == "proven"
    assert found.contrast == (
        "13 of 13 tested names under *.msappproxy.net and *.servicebus.windows.net fail; 17 other names on port 443 are reached "
        "from the same source at the same time"
    )


@pytest.mark.parametrize(
    ("name", "confidence"),
    [
        ("one-region-dropped", "likely"),  # one server's fault explains it
        ("all-443-dropped", "likely"),  # nothing passes on this port: nothing to compare with
        ("reset-by-name", "likely"),  # possible before
        ("dns-filter-page", "likely"),  # resolution proves nothing about filters
    ],
)
def test_a_contrast_raises_the_confidence_by_one_step_at_most(name: str, confidence: str) -> None:
    assert root(name).confidence == confidence


def test_a_contrast_counts_the_names_under_the_pattern_that_pass() -> None:
    assert root("one-region-dropped").contrast.startswith(
        "1 of 6 tested names under *.servicebus.windows.net fails; "
    )


def test_a_contrast_counts_each_pattern_by_itself() -> None:
    """One number for two patterns would hide that one of them is closed as a whole."""
    report, found = goldens.golden("service-dropped"), root("service-dropped")
    seen = {f"o{number}": one for number, one in enumerate(report.observations, 1)}
    relays = [one for one in found.tested if one.pattern == "*.servicebus.windows.net"]
    passing = {one.host for one in relays[1:]}
    tested = [one for one in found.tested if one.host not in passing]
    verdicts = [
        replace(v, status=Status.PASS, cause=causes.OK)
        if v.check == "tcp" and v.endpoint is not None and v.endpoint.host in passing
        else v
        for v in report.verdicts
    ]
    told = contrast(replace(found, confidence="likely"), tested, verdicts, seen)
    assert told.text.startswith(
        "7 of 7 tested names under *.msappproxy.net and 1 of 6 under *.servicebus.windows.net fail; "
    )
    assert told.confidence == "likely"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("port-80-dropped", "0 of 11 tested names on port 80 are reached, 30 on port 443 are "),
        ("all-443-dropped", "0 of 30 tested names on port 443 are reached, 11 on port 80 are "),
    ],
)
def test_where_a_whole_port_is_closed_the_other_port_is_the_contrast(name: str, text: str) -> None:
    assert root(name).contrast.startswith(text)
    assert root(name).confidence == "likely"


def test_long_answers_need_the_resolvers_own_port() -> None:
    asked = root("tcp53-blocked").request
    assert asked is not None
    assert (asked.action, asked.patterns, asked.ports, asked.inspect) == ("allow", ("10.0.0.53",), (53,), "")
    assert "RFC 7766" in asked.citation


def test_there_is_no_contrast_where_other_addresses_of_the_name_pass() -> None:
    assert root("one-of-three-dropped").contrast == ""
    assert root("resolvers-disagree").contrast == ""


def test_names_that_may_be_inspected_are_not_called_forbidden() -> None:
    assert "Microsoft forbids" not in root("intercepted-sign-in-only").remedy
    assert "Microsoft forbids" in root("intercepted-relay-only").remedy


def test_hosts_that_certificates_name_behind_a_closed_port_are_asked_for_too() -> None:
    asked = root("port-80-dropped").request
    assert asked is not None
    assert {"crl2.microsoft.com", "c.example-trust.net", "crl3.digicert.com"} <= set(asked.patterns)


def test_without_anything_that_passes_there_is_no_contrast() -> None:
    report, found = goldens.golden("port-80-dropped"), root("port-80-dropped")
    seen = {f"o{number}": one for number, one in enumerate(report.observations, 1)}
    failing = [v for v in report.verdicts if v.status is not Status.PASS]
    assert contrast(found, found.tested, report.verdicts, seen).text != ""
    assert contrast(found, found.tested, failing, seen).text == ""


def test_a_domain_that_led_to_no_tenant_is_named_and_not_asked_for_again() -> None:
    recorded = goldens.recorded("no-tenant")
    plan = replace(recorded.plan, tenant_source="--tenant nosuch.example")
    report = replay(replace(recorded, plan=plan), goldens.rules())
    (found,) = [c for c in report.causes if c.cause == causes.AUDIT_NO_TENANT]
    assert found.remedy.startswith("No tenant id was found for --tenant nosuch.example")
    assert "contoso" not in found.command


def _elsewhere(changed: str) -> str:
    """The contrast where every connection that passes has another time or another source."""
    report, found = goldens.golden("service-dropped"), root("service-dropped")
    failing = set(found.evidence)
    seen = {}
    for number, one in enumerate(report.observations, 1):
        moved = one
        if f"o{number}" not in failing and changed == "time":
            moved = replace(one, started=one.started + 120)
        elif f"o{number}" not in failing and changed == "source" and one.local is not None:
            moved = replace(one, local=("192.0.2.9", one.local[1]))
        seen[f"o{number}"] = moved
    return contrast(found, found.tested, report.verdicts, seen).text


def test_only_the_same_source_at_the_same_time_is_a_contrast() -> None:
    assert "17 other names" in _elsewhere("nothing")
    assert _elsewhere("time") == ""
    assert _elsewhere("source") == ""


def test_a_port_on_which_a_name_passed_at_another_time_is_not_called_closed() -> None:
    """The service judges answers of different times together."""
    report, found = goldens.golden("port-80-dropped"), root("port-80-dropped")
    seen = {f"o{number}": one for number, one in enumerate(report.observations, 1)}
    (ahead, *_) = [v for v in report.verdicts if v.check == "tcp" and v.status is Status.PASS]
    assert ahead.endpoint is not None
    early = replace(seen[ahead.evidence[0]], started=0.0)
    other = replace(ahead, endpoint=Endpoint("other.example", 80, "203.0.113.7"), evidence=("o0",))
    assert contrast(found, found.tested, report.verdicts, seen).text.startswith("0 of 11 ")
    assert contrast(found, found.tested, [*report.verdicts, other], {**seen, "o0": early}).text == ""


#: By the cause: a part of the line to copy, on this system (the lab's).
COMMANDS = {
    "audit.no-tenant": "wayclear audit --tenant",
    "dns.os-differs": "cat /etc/hosts",
    "local.clock-skew": "chronyc",
    "path.sweep-detected": "wayclear audit --pace polite",
}


@pytest.mark.parametrize(
    "name", ["no-tenant", "hosts-file-pin", "clock-an-hour-off", "sweep-detecting-firewall"]
)
def test_a_remedy_that_ends_in_a_command_has_it_as_a_line_to_copy(name: str) -> None:
    found = [c for c in goldens.golden(name).causes if c.cause.word in COMMANDS]
    assert found
    for one in found:
        assert COMMANDS[one.cause.word] in one.command


def test_every_cause_with_a_command_is_known_here() -> None:
    assert {c.word for c in causes.BY_WORD.values() if c.command} == set(COMMANDS)


def test_the_zone_of_the_host_is_kept_in_a_report_and_in_what_is_judged_from_it() -> None:
    def east(seen: Observation) -> Observation:
        facts = seen.evidence
        return (
            replace(seen, evidence=replace(facts, utc_offset=19_800))
            if isinstance(facts, HostFacts)
            else seen
        )

    recorded = goldens.recorded("healthy")
    moved = replace(recorded, observations=tuple(map(east, recorded.observations)))
    written = report_json.loads(report_json.dumps(replay(moved, goldens.rules())))
    assert written.vantage.utc_offset == 19_800
    assert replay(written, goldens.rules()).vantage.utc_offset == 19_800
