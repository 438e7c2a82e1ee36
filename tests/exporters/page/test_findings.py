"""The audit's first screen on a page: who must act, on what, how we know."""

from __future__ import annotations

from dataclasses import replace

from exporters.page.findings import CAUSES, DIGEST, UNFOLDED, digest, findings, notices
from exporters.terminal.audit import FOLD
from rules.model import causes
from rules.model.verdict import CauseGroup, Endpoint, Plan, Report, Status
from tests.exporters import samples, states
from tests.exporters.html_reader import Node, read

HOST = replace(
    samples.SILENT, owner="host", summary="The hosts file says otherwise.", cause=causes.DNS_OS_DIFFERS
)


def shown(report: Report, *anchors: str) -> Node:
    return read(findings(report, frozenset(anchors)))


def cause(report: Report, number: int = 0, *anchors: str) -> Node:
    return list(shown(report, *anchors).all("article"))[number]


def test_causes_stand_under_who_must_act_with_the_numbers_of_the_audit() -> None:
    third = replace(samples.SILENT, id="3")
    report = samples.report(causes=(samples.INTERCEPTED, replace(HOST, id="2"), third, samples.UNTESTED))
    page = shown(report)
    assert [h.text for h in page.all("h2")] == ["Who must act", "What could not be tested, and why"]
    assert [h.text for h in page.all("h3")] == ["Firewall team", "You, the administrator of this host"]
    assert [h.text[:2] for h in page.all("h4")] == ["1.", "3.", "2."], "by owner"


def test_the_numbers_are_those_of_the_report() -> None:
    report = samples.report(causes=(replace(samples.INTERCEPTED, id="1"), replace(samples.SILENT, id="3")))
    assert [h.text[:2] for h in shown(report).all("h4")] == ["1.", "3."]
    lines = [item.text for item in read(digest(report)).all("li")]
    assert lines[1] == f"Firewall team: 3. {samples.SILENT.summary}"
    assert [a.attributes["href"] for a in read(digest(report)).all("a")] == ["#finding:1", "#finding:3"]
    assert {"finding:1", "finding:3"} == {a.attributes["id"] for a in shown(report).all("article")}


def test_what_follows_from_a_finding_is_told_below_it_and_nowhere_else() -> None:
    root = replace(samples.INTERCEPTED, id="1")
    follows = replace(samples.SILENT, id="1.1", because=("1",))
    remark = replace(samples.NOTICE, id="1.2", because=("1",))
    report = samples.report(causes=(root, follows, remark))
    page = shown(report)
    assert [h.text[:2] for h in page.all("h4")] == ["1."]
    fold = next(d for d in page.all("details") if "2 findings follow from this one" in d.text)
    assert [item.text[:5] for item in fold.all("li")] == ["1.1. ", "1.2. "]
    assert samples.SILENT.summary in fold.text
    state = states.state(report=report, notes=())
    assert samples.NOTICE.summary not in notices(state), "told below its root"
    orphan = samples.report(causes=(replace(follows, because=("7",)),))
    assert [h.text[:4] for h in shown(orphan).all("h4")] == ["1.1."], "a root that is absent hides nothing"


def test_an_owner_has_the_organisations_own_name() -> None:
    plan = Plan("q7x2", owners=(("firewall", "NETSEC queue <b>"),))
    report = samples.report(plan=plan)
    assert [h.text for h in shown(report).all("h3")] == ["NETSEC queue <b>"]
    assert read(digest(report)).text.startswith("NETSEC queue <b>: 1. ")


def test_the_digest_names_the_heaviest_and_counts_the_rest() -> None:
    many = tuple(replace(samples.SILENT, cause=causes.from_word(f"tcp.x{i}")) for i in range(DIGEST + 3))
    lines = [item.text for item in read(digest(samples.report(causes=many))).all("li")]
    assert len(lines) == DIGEST + 1
    assert lines[-1] == "3 more findings"
    assert digest(samples.healthy()) == ""


def test_a_cause_says_what_what_to_do_where_and_how_sure() -> None:
    article = cause(samples.report())
    assert article.one("h4").text == f"1. FAIL {samples.INTERCEPTED.summary} tls.intercepted"
    told = [(d.text, v.text) for d, v in zip(article.all("dt"), article.all("dd"), strict=True)]
    assert told[0] == ("Do", samples.INTERCEPTED.remedy)
    assert told[1][0] == "8 endpoints"
    assert told[2] == ("How sure", "proven")
    assert told[3][0] == "Evidence"


def test_how_sure_it_is_names_the_hop() -> None:
    assert "likely, not proven, at 10.20.0.1" in cause(samples.report(), 1).text


def test_evidence_is_told_and_the_connections_as_they_appear_in_a_log() -> None:
    article = cause(samples.report())
    assert "expected" in article.text
    assert "CN=Corp Proxy CA \\x1b[31m" in article.text, "text of a peer, made harmless"
    folds = [d.one("summary").text for d in article.all("details")]
    assert folds == ["2 more", "2 of 2 observations, as they appear in a firewall's log"]
    assert "10.20.0.5:53211 → 20.190.0.1:443" in article.text


def test_an_address_of_ours_is_told_where_no_connection_tells_it() -> None:
    cause = replace(samples.SILENT, details=(("from", "10.20.0.5:53212"), ("by", "the firewall")))
    report = samples.report(causes=(cause,))
    assert "from" not in [s.text for s in shown(report).all("span")], "the connection of the evidence says it"
    bare = samples.report(causes=(replace(cause, evidence=()),))
    assert [s.text for s in shown(bare).all("span") if s.text in ("by", "from")] == ["from"]


def test_endpoints_lead_to_their_targets_where_the_page_has_them() -> None:
    name = f"{samples.REGIONAL[0]}:443"
    links = list(cause(samples.report(), 0, name).all("a"))
    assert [a.attributes["href"] for a in links] == [f"#{name}"]
    assert list(cause(samples.report()).all("a")) == []


def test_endpoints_are_folded_and_their_number_is_bounded() -> None:
    many = tuple(Endpoint(f"host{i}.example", 443, f"192.0.2.{i % 250}") for i in range(5000))
    article = cause(samples.report(causes=(replace(samples.INTERCEPTED, endpoints=many, evidence=()),)))
    endpoints = list(article.all("ul"))[:2]
    assert [len(list(ul.all("li"))) for ul in endpoints] == [FOLD, UNFOLDED]
    assert f"{5000 - FOLD - UNFOLDED} more endpoints are in the report" in article.text


def test_addresses_of_an_endpoint_are_few() -> None:
    many = tuple(Endpoint("host.example", 443, f"192.0.2.{i}") for i in range(9))
    article = cause(samples.report(causes=(replace(samples.SILENT, endpoints=many),)))
    assert "host.example:443 at 192.0.2.0, 192.0.2.1, 192.0.2.2, +6 more" in article.text


def test_causes_are_bounded_too() -> None:
    many = tuple(replace(samples.SILENT, cause=causes.from_word(f"tcp.x{i}")) for i in range(CAUSES + 5))
    page = shown(samples.report(causes=many))
    assert len(list(page.all("article"))) == CAUSES
    assert "5 more causes are in the report" in page.text
    untested = [replace(c, status=Status.INCONCLUSIVE) for c in many]
    listed = list(shown(samples.report(causes=tuple(untested))).all("ul", class_="plain"))
    assert len([n for n in listed[0].inside if isinstance(n, Node)]) == CAUSES
    section = read(notices(states.state(notes=tuple(f"note {i}" for i in range(CAUSES + 3)))))
    assert "3 more notes are in the report" in section.text


def test_nobody_must_act_is_said_in_the_audits_words() -> None:
    assert "Nothing to do." in shown(samples.healthy()).text
    page = shown(samples.report(causes=(samples.UNTESTED,)))
    assert "No action is needed for what was tested: see below what could not be tested." in page.text


def test_who_can_make_it_testable_is_named() -> None:
    cause = replace(samples.UNTESTED, owner="host")
    assert (
        "You, the administrator of this host: to make it testable, see below"
        in shown(samples.report(causes=(cause,))).text
    )
    assert "to make it testable" in shown(samples.report(causes=(samples.INTERCEPTED, cause))).text


def test_what_could_not_be_tested_says_how_it_could_be() -> None:
    untested = replace(samples.UNTESTED, endpoints=(Endpoint("a.example", 443),))
    section = list(shown(samples.report(causes=(untested,))).all("section"))[1]
    assert "NOT TESTED No name is known to try under *.msauth.net. audit.no-probe-name" in section.text
    assert "To test it (You): Name one in a rule set of your own." in section.text
    assert section.one("summary").text == "1 endpoint"


def test_what_is_worth_knowing_is_told_once() -> None:
    note = samples.report().notes[0]
    section = read(notices(states.state(report=samples.report(), notes=(note, "a note of the appliance"))))
    lines = [item.text for item in section.all("li")]
    assert lines == [f"{samples.NOTICE.summary} [tls.large-hello-blocked]", note, "a note of the appliance"]


def test_nothing_worth_knowing_leaves_no_heading() -> None:
    assert notices(states.state()) == ""
    assert notices(states.starting()) == ""
    assert "early" in notices(states.starting(notes=("early",)))


def test_a_cause_of_every_status_finds_its_place() -> None:
    made = tuple(replace(samples.SILENT, status=s, cause=causes.from_word(f"tcp.{s.value}")) for s in Status)
    state = states.state(report=samples.report(causes=made))
    page = findings(samples.report(causes=made), frozenset()) + notices(state)
    told: dict[Status, bool] = {s: f"tcp.{s.value}" in page for s in Status}
    assert [s for s, there in told.items() if not there] == [Status.PASS, Status.NOT_APPLICABLE]


def test_a_cause_without_anything_is_a_cause() -> None:
    bare = CauseGroup(
        causes.TCP_ACCEPT_ALL, Status.WARN, "Everything is accepted.", "", "firewall", "likely", ()
    )
    article = cause(samples.report(causes=(bare,)))
    assert [d.text for d in article.all("dt")] == ["How sure"]
