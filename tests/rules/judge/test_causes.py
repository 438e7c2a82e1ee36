"""One cause, many endpoints: what a reader acts on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judge.causes import grouped
from rules.model import causes
from rules.model.verdict import CauseGroup, Check, Endpoint, Status, Verdict

CAUSES = (
    "ok",
    "tcp.timeout",
    "tcp.reset",
    "tls.intercepted",
    "dns.nxdomain",
    "local.no-route",
    "proxy.not-tested",
)


def verdict(
    host: str,
    cause: str = "tcp.timeout",
    status: Status = Status.FAIL,
    port: int = 443,
    *,
    check: Check = "tcp",
    summary: str = "",
    remedy: str = "",
    details: tuple[tuple[str, str], ...] = (),
    circumstance: str = "",
) -> Verdict:
    return Verdict(
        "app/r",
        "t",
        Endpoint(host, port, "203.0.113.1"),
        check,
        status,
        causes.from_word(cause),
        summary or f"what {host} met",
        remedy,
        evidence=(f"o{port}",),
        details=details,
        circumstance=circumstance,
    )


def group(rows: Iterable[Verdict]) -> tuple[CauseGroup, ...]:
    return tuple(found.group for found in grouped(rows))


def test_many_endpoints_of_one_cause_are_one_block() -> None:
    (found,) = group([verdict(f"h{n}.example") for n in range(5)])
    assert found.summary == "TCP connections to 5 endpoints get no answer: something drops them silently"
    assert len(found.endpoints) == 5
    assert found.evidence == ("o443",)


def test_a_proxy_that_fails_is_called_no_block_page() -> None:
    pages = [verdict(f"h{n}.example", "http.block-page", port=80) for n in range(2)]
    failed = [
        verdict(f"p{n}.example", "http.block-page", port=80, circumstance="proxy-failed") for n in range(3)
    ]
    assert {c.summary for c in group([*pages, *failed])} == {
        "A block page comes instead of the answer of 2 endpoints on port 80",
        "A proxy answers for 3 endpoints on port 80 that it cannot reach",
    }


def test_a_single_endpoint_is_named_in_its_sentence() -> None:
    (found,) = group([verdict("h.example", summary="gets no answer")])
    assert found.summary == "h.example: gets no answer"


def test_what_is_fine_is_no_cause() -> None:
    fine = [
        verdict("a", "ok", Status.PASS),
        verdict("b", "ok", Status.NOTICE),
        verdict("c", "x.y", Status.NOT_APPLICABLE),
    ]
    assert group(fine) == ()


def test_the_heaviest_comes_first() -> None:
    order = [Status.NOTICE, Status.BROKEN, Status.INCONCLUSIVE, Status.FAIL, Status.WARN]
    found = group([verdict("h", f"tcp.x{n}", status) for n, status in enumerate(order)])
    assert [c.status for c in found] == [
        Status.BROKEN,
        Status.FAIL,
        Status.WARN,
        Status.INCONCLUSIVE,
        Status.NOTICE,
    ]


def test_two_ports_are_two_requests_to_a_firewall() -> None:
    assert len(group([verdict("a", port=443), verdict("b", port=80)])) == 2
    assert len(group([verdict("a", "dns.nxdomain", port=443), verdict("a", "dns.nxdomain", port=80)])) == 1


def test_a_failure_and_a_warning_of_one_cause_and_action_are_one_finding() -> None:
    (found,) = group([verdict("a"), verdict("b", status=Status.WARN)])
    assert (found.status, len(found.endpoints)) == (Status.FAIL, 2)
    apart = group([verdict("a"), verdict("b", status=Status.NOTICE)])
    assert [c.status for c in apart] == [Status.FAIL, Status.NOTICE]


def test_interception_is_one_finding_whatever_its_keys() -> None:
    one, other = (("issuing key", "aa"),), (("issuing key", "bb"),)
    (found,) = group(
        [verdict(h, "tls.intercepted", details=d) for h, d in (("a", one), ("b", one), ("c", other))]
    )
    assert found.summary == "TLS is intercepted at 3 endpoints, with 2 unknown keys"


def test_a_cause_of_the_whole_host_is_one_block_led_by_its_own_finding() -> None:
    own = Verdict(
        "", "This host", None, "host", Status.INCONCLUSIVE, causes.LOCAL_NO_ROUTE, "no route at all"
    )
    (found,) = group([*(verdict(f"h{n}", "local.no-route", Status.INCONCLUSIVE) for n in range(9)), own])
    assert (found.summary, len(found.endpoints)) == ("no route at all", 9)


@pytest.mark.parametrize(
    ("cause", "who"),
    [
        ("tcp.timeout", "firewall"),
        ("tls.intercepted", "firewall"),
        ("tls.expired", "microsoft"),
        ("tls.issuer-unexpected", "pki"),
        ("dns.servfail", "dns"),
        ("dns.os-differs", "host"),
        ("proxy.not-tested", "proxy"),
        ("local.no-route", "host"),
        ("audit.no-tenant", "host"),
        ("audit.not-reached", "nobody"),
        ("audit.bug", "wayclear"),
        ("new.layer", "nobody"),
    ],
)
def test_who_must_act(cause: str, who: str) -> None:
    assert group([verdict("a", cause)])[0].owner == who


def test_the_device_that_told_of_itself_and_the_mechanism_are_kept() -> None:
    by_name = verdict("a", "tls.intercepted", details=(("by", "name"),))
    assert group([by_name])[0].mechanism == "name"
    assert group([verdict("a", "tls.large-hello-blocked", Status.NOTICE)])[0].mechanism == "size"
    assert (
        group([verdict("a", "tcp.unreachable", details=(("sent by", "203.0.113.254"),))])[0].hop
        == "203.0.113.254"
    )


def test_confidence_follows_from_what_proves_it() -> None:
    told = {
        c: group([verdict("a", c)])[0].confidence for c in ("tls.intercepted", "tcp.timeout", "dns.nxdomain")
    }
    assert told == {"tls.intercepted": "proven", "tcp.timeout": "likely", "dns.nxdomain": "possible"}


@given(
    st.lists(
        st.builds(
            lambda host, cause, status, port: verdict(f"h{host}.example", cause, status, port),
            st.integers(0, 9),
            st.sampled_from(CAUSES),
            st.sampled_from([s for s in Status if s is not Status.PASS]),
            st.sampled_from([80, 443]),
        )
    ),
    st.randoms(use_true_random=False),
)
def test_every_finding_is_in_a_block_and_order_does_not_matter(found: list[Verdict], rnd: object) -> None:
    blocks = group(found)
    for one in found:
        if one.cause.word != "ok" and one.status is not Status.NOT_APPLICABLE:
            mine = [b for b in blocks if b.cause == one.cause and one.endpoint in b.endpoints]
            assert mine
            assert any(b.status.rank >= one.status.rank for b in mine)
    shuffled = list(found)
    rnd.shuffle(shuffled)  # type: ignore[attr-defined]
    again = [(b.cause, b.status, set(b.endpoints)) for b in group(shuffled)]
    assert all((b.cause, b.status, set(b.endpoints)) in again for b in blocks)


def test_a_block_holds_no_more_details_than_a_reader_takes_in() -> None:
    many = [verdict(f"h{n}", details=tuple((f"k{n}{m}", "v") for m in range(9))) for n in range(30)]
    assert len(group(many)[0].details) <= 12


KEY_A, KEY_B = "aa" * 32, "bb" * 32


def intercepted(host: str, key: str, expected: str, summary: str = "met it", remedy: str = "") -> Verdict:
    details = (
        ("expected", expected),
        ("served", f"CN={host}"),
        ("issuing key", key),
        ("from", "10.0.0.5 port 40000"),
    )
    return verdict(host, "tls.intercepted", check="tls", details=details, summary=summary, remedy=remedy)


def test_copied_names_are_one_block_whatever_their_keys() -> None:
    own = "with its own key"
    found = [
        intercepted(
            "a.example", KEY_A, f"CA 1, {own}", remedy="Exempt this name at the device that re-signs it."
        ),
        intercepted("b.example", KEY_B, f"CA 2, {own}"),
        intercepted("c.example", KEY_A, "a signature up to a public root", summary="an own key"),
    ]
    (one,) = group(found)
    assert (
        one.summary
        == "TLS is intercepted at 3 endpoints: 2 keys carry the names of known CAs and are not theirs"
    )
    assert one.remedy == "Exempt these names at the device that re-signs them."
    other = intercepted("d.example", "f" * 64, "a signature up to a public root", summary="an own key")
    (both,) = group([*found, other])
    assert both.summary.endswith("with 3 keys; 2 of them carry the names of known CAs and are not theirs")


def test_the_evidence_of_many_is_what_they_share_and_the_first_of_what_differs() -> None:
    own = "CA 1, with its own key"
    (found,) = group([intercepted(f"h{n}.example", KEY_A, own) for n in range(4)])
    assert found.details == (
        ("expected", own),
        ("served", "CN=h0.example (and 3 more)"),
        ("issuing key", KEY_A),
    )
    (single,) = group([intercepted("h.example", KEY_A, own)])
    assert ("from", "10.0.0.5 port 40000") in single.details


def test_a_longer_line_stands_for_the_one_that_it_begins_with() -> None:
    lines = ("up to a key of the CA set", "up to a key of the CA set or a public root")
    (found,) = group([verdict(f"h{n}", details=(("expected", line),)) for n, line in enumerate(lines)])
    assert found.details == (("expected", lines[1]),)


def test_a_remedy_names_the_one_host_or_speaks_of_all() -> None:
    one = verdict(
        "crl.example",
        "crl.unreachable",
        check="crl",
        remedy="Allow port 80 to this host: it fetches this list.",
    )
    assert group([one])[0].remedy == "Allow port 80 to crl.example: it fetches this list."
    two = [one, verdict("crl2.example", "crl.unreachable", check="crl", remedy=one.remedy)]
    assert group(two)[0].remedy == "Allow port 80 to these hosts: it fetches these lists."
    ours = verdict("h", "dns.tcp-blocked", remedy="Allow TCP port 53 from this host to its resolvers.")
    assert group([ours])[0].remedy == ours.remedy, "this host is the one that asks"


def test_a_remedy_is_found_although_the_first_finding_has_none() -> None:
    (found,) = group([verdict("a", remedy=""), verdict("b", remedy="Allow it.")])
    assert found.remedy == "Allow it."


def test_hosts_that_only_certificates_name_join_those_on_a_rule() -> None:
    listed = verdict("crl.example", "crl.unreachable", check="crl")
    unlisted = replace(verdict("other.example", "crl.unreachable", check="crl", summary="another"), rule="")
    (found,) = group([listed, unlisted])
    assert found.summary == "The CRL cannot be downloaded from 2 hosts"
    resolvers = [
        replace(verdict(r, "dns.timeout", check="dns", summary=f"{r} is dead"), rule="")
        for r in ("10.0.0.1", "10.0.0.2")
    ]
    assert len(group(resolvers)) == 2, "each resolver is repaired by itself"


def test_an_address_that_only_this_host_believes_in_is_no_firewalls_business() -> None:
    ours = replace(verdict("a.example", remedy="Mend the name first."), circumstance="this-host-alone")
    found = {c.owner: c.remedy for c in group([ours, verdict("b.example", remedy="Allow it.")])}
    assert found == {"host": "Mend the name first.", "firewall": "Allow it."}


def test_a_sentence_that_says_what_differs_is_kept_with_how_many_more_there_are() -> None:
    found = [verdict(f"h{n}", "dns.chain-broken", summary=f"h{n} breaks at x{n}.example") for n in range(3)]
    assert group(found)[0].summary == "h0 breaks at x0.example (and 2 more)"


def test_what_is_the_hosts_own_is_explained_and_not_counted() -> None:
    why = replace(
        verdict("h", "path.sweep-detected", summary="A firewall takes the audit for a scan"), rule=""
    )
    silent = [verdict(f"h{n}", "path.sweep-detected", Status.INCONCLUSIVE) for n in range(3)]
    assert group([*silent, replace(why, endpoint=None)])[0].summary == "A firewall takes the audit for a scan"
