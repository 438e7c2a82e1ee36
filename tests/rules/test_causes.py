"""One cause, many endpoints: what a reader acts on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.causes import group, owner
from rules.verdict import Endpoint, Status, Verdict

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
    host: str, cause: str = "tcp.timeout", status: Status = Status.FAIL, port: int = 443, **more: object
) -> Verdict:
    values: dict[str, object] = {"summary": f"what {host} met", "evidence": (f"o{port}",)}
    endpoint = Endpoint(host, port, "203.0.113.1")
    return Verdict("app/r", "t", endpoint, "tcp", status, cause, **(values | more))  # type: ignore[arg-type]


def test_many_endpoints_of_one_cause_are_one_block() -> None:
    (found,) = group([verdict(f"h{n}.example") for n in range(5)])
    assert found.summary == "TCP is silently dropped on the way to 5 endpoints"
    assert len(found.endpoints) == 5
    assert found.evidence == ("o443",)


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


def test_a_failure_and_a_warning_of_one_cause_stay_apart() -> None:
    assert [c.status for c in group([verdict("a"), verdict("b", status=Status.WARN)])] == [
        Status.FAIL,
        Status.WARN,
    ]


def test_two_interceptors_are_two_causes() -> None:
    one, other = (("issuing key", "aa"),), (("issuing key", "bb"),)
    found = group(
        [verdict(h, "tls.intercepted", details=d) for h, d in (("a", one), ("b", one), ("c", other))]
    )
    assert [len(c.endpoints) for c in found] == [2, 1]


def test_a_cause_of_the_whole_host_is_one_block_led_by_its_own_finding() -> None:
    own = Verdict("", "This host", None, "host", Status.INCONCLUSIVE, "local.no-route", "no route at all")
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
    assert owner(cause) == who


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
        if one.cause != "ok" and one.status is not Status.NOT_APPLICABLE:
            mine = [b for b in blocks if b.cause == one.cause and one.endpoint in b.endpoints]
            assert mine
            assert any(b.status.weight >= one.status.weight for b in mine)
    shuffled = list(found)
    rnd.shuffle(shuffled)  # type: ignore[attr-defined]
    again = [(b.cause, b.status, set(b.endpoints)) for b in group(shuffled)]
    assert all((b.cause, b.status, set(b.endpoints)) in again for b in blocks)


def test_a_block_holds_no_more_details_than_a_reader_takes_in() -> None:
    many = [verdict(f"h{n}", details=tuple((f"k{n}{m}", "v") for m in range(9))) for n in range(30)]
    assert len(group(many)[0].details) <= 12
