"""Where another server answers for unrelated names: the table of `rules/judge/portals.py`, row by row, and whole audits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.judge.portals import Came, Visit, judge_portals, portal_certificates, visit_of
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch, Purpose
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Evidence, Observation
from rules.model.verdict import Answer, Report, Status
from rules.pki.trust import ChainJudgement
from tests import pki
from tests.rules.script import (
    BLOCKED,
    BOOTSTRAP,
    CORPORATE,
    CRL_HOST,
    ISSUING,
    NOBODY,
    PLAN,
    PUBLIC,
    RELAYS,
    SIGN_IN,
    SILENCE,
    World,
    by,
    crl,
    healthy,
    judged,
    only,
    page,
    rows,
    shown,
)

PORTAL, OTHER = "203.0.113.80", "203.0.120.80"
RELAY = "a.servicebus.windows.net"


def came(what: Came, host: str, address: str = PORTAL, mark: str = "m") -> Visit:
    return Visit(f"{host} {address} {what}", host, address, what, mark, "a page")


def found(*visits: Visit) -> set[str]:
    return set(judge_portals(visits))


TWO = (came("other", RELAY), came("other", SIGN_IN))


@pytest.mark.parametrize(
    ("row", "visits", "portal"),
    [
        ("certificates for other names, two zones", TWO, True),
        ("pages, two zones", (came("page", RELAY), came("page", SIGN_IN)), True),
        ("a certificate here, a page there", (came("other", RELAY), came("page", CRL_HOST)), True),
        ("its own certificate for one of them", (*TWO, came("own", BOOTSTRAP)), False),
        ("a foreign certificate that claims one of them", (*TWO, came("claimed", BOOTSTRAP)), False),
        ("a claim by a name that is reached elsewhere", (*TWO, came("claimed", BOOTSTRAP), came("own", BOOTSTRAP, OTHER)), False),
        ("one zone", (came("other", RELAY), came("other", RELAYS[0])), False),
        ("one zone and silence of another", (came("other", RELAY), came("nothing", SIGN_IN)), False),
        ("two zones, of which one is reached elsewhere", (*TWO, came("own", SIGN_IN, OTHER)), False),
        ("two zones, of which one answers elsewhere", (*TWO, came("answer", SIGN_IN, OTHER)), False),
        ("silence", (came("nothing", RELAY), came("nothing", SIGN_IN)), False),
        ("answers that prove nothing", (came("answer", RELAY), came("answer", SIGN_IN)), False),
        ("the same certificate for a third zone elsewhere", (*TWO, came("other", BOOTSTRAP, OTHER)), False),
        ("the same certificate beside it", (*TWO, came("other", BOOTSTRAP, "203.0.113.81")), True),
        ("another certificate elsewhere", (*TWO, came("other", BOOTSTRAP, OTHER, "n")), True),
    ],
)  # fmt: skip
def test_the_table(row: str, visits: tuple[Visit, ...], portal: bool) -> None:
    assert (found(*visits) == {PORTAL}) is portal, row
    assert (found(*reversed(visits)) == {PORTAL}) is portal, row


def test_two_addresses_of_one_portal() -> None:
    assert found(*TWO, *(replace(v, address=OTHER) for v in TWO)) == {PORTAL, OTHER}


def test_every_name_that_is_stranded_at_a_portal_belongs_to_it() -> None:
    silent, reached = came("nothing", BOOTSTRAP), came("nothing", CRL_HOST)
    (portal,) = judge_portals((*TWO, silent, reached, came("own", CRL_HOST, OTHER))).values()
    assert portal.hosts == {RELAY, SIGN_IN, BOOTSTRAP}
    assert dict(portal.details)["lead there"] == f"{BOOTSTRAP}, {RELAY}, {SIGN_IN}"


@pytest.mark.parametrize(
    ("addresses", "names", "scattered"),
    [
        (("203.0.113.1", "203.0.114.1", "203.0.115.1"), 3, True),
        (("203.0.113.1", "203.0.114.1"), 3, False),
        (("203.0.113.1", "203.0.113.2", "203.0.113.3"), 3, False),
        (("203.0.113.1", "203.0.114.1", "2001:db8::1"), 3, True),
        (("203.0.113.1", "203.0.114.1", "203.0.115.1"), 1, False),
        ((), 3, False),
    ],
)
def test_one_server_wherever_names_lead(addresses: tuple[str, ...], names: int, scattered: bool) -> None:
    seen = [came("other", f"n{n % names}.example", address) for n in range(3) for address in addresses]
    assert portal_certificates(seen) == (frozenset({"m"}) if scattered else frozenset())


visits = st.builds(
    came,
    st.sampled_from(("own", "claimed", "other", "page", "answer", "nothing")),
    st.sampled_from((RELAY, RELAYS[0], SIGN_IN, BOOTSTRAP, CRL_HOST)),
    st.sampled_from((PORTAL, OTHER)),
    st.sampled_from(("m", "n")),
)


@given(st.lists(visits, max_size=12))
def test_order_never_matters_and_no_portal_shows_a_name_its_own(made: list[Visit]) -> None:
    judged_once = judge_portals(made)
    assert {a: p.hosts for a, p in judged_once.items()} == {
        a: p.hosts for a, p in judge_portals(made[::-1]).items()
    }
    for address, portal in judged_once.items():
        assert not any(v.came in ("own", "claimed") for v in made if v.address == address)
        assert not any(v.came == "own" for v in made if v.host in portal.hosts)


# --- what a question met -------------------------------------------------------------------------------------------------

GENUINE, UNKNOWN = ChainJudgement("genuine"), ChainJudgement("untrusted")


def met(step: TlsHandshake | HttpFetch, evidence: Evidence, judgement: ChainJudgement | None = None) -> Came:
    made = visit_of(Observation(step, 0.0, 0.1, None, evidence), "o1", judgement)
    assert made is not None
    return made.came


@pytest.mark.parametrize(
    ("names", "judgement", "word"),
    [
        ([BOOTSTRAP], GENUINE, "own"),
        ([BOOTSTRAP], UNKNOWN, "claimed"),
        (["*.msappproxy.net"], UNKNOWN, "claimed"),
        (["block.filter.example"], UNKNOWN, "other"),
        (["block.filter.example"], GENUINE, "other"),
    ],
)
def test_what_a_certificate_is(names: list[str], judgement: ChainJudgement, word: Came) -> None:
    made = NOBODY.leaf(names)
    assert met(TlsHandshake(PORTAL, 443, BOOTSTRAP), shown(made.chain), judgement) == word


def test_a_certificate_without_a_readable_name_is_nobodys() -> None:
    assert met(TlsHandshake(PORTAL, 443, BOOTSTRAP), shown((b"junk",)), UNKNOWN) == "nothing"
    assert met(TlsHandshake(PORTAL, 443, BOOTSTRAP), shown(()), None) == "nothing"


@pytest.mark.parametrize(
    ("purpose", "exchange", "word"),
    [
        ("reach", BLOCKED, "page"),
        ("reach", page(200, b"<html><title>Welcome</title>", content_type="text/html"), "answer"),
        ("reach", page(404), "answer"),
        ("reach", page(407), "nothing"),
        ("reach", page(302, location="http://portal.hotel.example/login"), "page"),
        ("crl", crl(), "own"),
        ("crl", replace(crl(), body=b""), "nothing"),
        ("crl", page(200, b"<html><title>Welcome</title>", content_type="text/html"), "page"),
        ("crl", page(403), "answer"),
        ("crl", page(404), "answer"),
    ],
)
def test_what_an_answer_on_port_80_is(purpose: Purpose, exchange: HttpExchange, word: Came) -> None:
    assert met(HttpFetch(PORTAL, 80, CRL_HOST, "/", purpose), exchange) == word


def test_other_questions_are_no_visits() -> None:
    assert visit_of(Observation(OsLookup(BOOTSTRAP), 0.0, 0.1, None, OsAnswer(())), "o1", None) is None


# --- whole audits --------------------------------------------------------------------------------------------------------

SERVICE = (BOOTSTRAP, *RELAYS)


def filtered(*names: str, address: str = PORTAL, authority: pki.Authority = NOBODY, **more: object) -> World:
    """A network whose resolvers lead these names to a page with one certificate of its own."""
    world = healthy(**more)
    world.zone.update(dict.fromkeys(names, (address,)))
    made = authority.leaf(["block.filter.example"])
    chain = (*made.chain, pki.der(authority.certificate)) if authority.issuer is None else made.chain
    world.when(TlsHandshake, shown(chain), address=address)
    return world.when(HttpFetch, BLOCKED, address=address)


def sinkholed(report: Report) -> set[str]:
    return {
        v.endpoint.host for v in rows(report, cause="dns.sinkholed") if v.status is Status.FAIL and v.endpoint
    }


ALONE = pki.authority("block.filter.example")


@pytest.mark.parametrize(
    "authority", [NOBODY, PUBLIC, ISSUING, CORPORATE], ids=["unknown", "public", "expected", "trusted-here"]
)
@pytest.mark.parametrize("address", [PORTAL, "10.1.2.80"])
def test_one_finding_for_the_people_who_run_the_resolver(authority: pki.Authority, address: str) -> None:
    system = (*healthy().system, pki.der(CORPORATE.certificate))
    report = judged(filtered(*SERVICE, address=address, authority=authority, system=system))
    assert sinkholed(report) == set(SERVICE)
    assert report.answer is Answer.NO
    (cause,) = [c for c in report.causes if c.status in (Status.FAIL, Status.WARN)]
    assert (cause.cause.word, cause.owner) == ("dns.sinkholed", "dns")
    assert "block.filter.example" in dict(cause.details)["at the address"]
    assert "inspection" not in cause.remedy
    assert "Allow" not in cause.remedy
    assert cause.evidence


def test_one_zone_is_another_name_at_the_address_and_no_interception() -> None:
    report = judged(filtered(*RELAYS))
    assert not rows(report, cause="dns.sinkholed")
    assert not rows(report, cause="tls.intercepted")
    assert {v.cause.word for v in rows(report, RELAYS[0], "tls")} == {"tls.name-mismatch"}


def test_a_portal_that_re_signs_for_each_name_is_interception_by_its_address() -> None:
    world = filtered(*SERVICE).when(TlsHandshake, by(NOBODY), address=PORTAL)
    report = judged(world)
    assert not rows(report, cause="dns.sinkholed")
    assert {v.cause.word for v in rows(report, BOOTSTRAP, "tls")} == {"tls.intercepted"}
    assert report.answer is Answer.NO


def test_a_portal_whose_certificate_covers_one_of_the_names_is_no_dns_finding() -> None:
    made = NOBODY.leaf(["block.filter.example", BOOTSTRAP])
    chain = (*made.chain, pki.der(NOBODY.certificate))
    report = judged(filtered(*SERVICE).when(TlsHandshake, shown(chain), address=PORTAL))
    assert not rows(report, cause="dns.sinkholed")
    assert not rows(report, cause="tls.intercepted")
    assert only(report, BOOTSTRAP, "tls").cause.word == "tls.untrusted"
    assert only(report, RELAYS[0], "tls").cause.word == "tls.name-mismatch"


def test_a_portal_that_is_silent_on_443_and_shows_its_page_on_80() -> None:
    silent = filtered(*SERVICE).when(TlsHandshake, SILENCE, address=PORTAL)
    assert sinkholed(judged(silent)) == set(SERVICE), "the page is asked for"
    closed = filtered(*SERVICE).when((TlsHandshake, HttpFetch), SILENCE, address=PORTAL)
    assert not sinkholed(judged(closed)), "nothing tells it from a firewall that drops"
    world = filtered(*SERVICE, CRL_HOST, SIGN_IN).when(
        TlsHandshake, SILENCE, address=PORTAL, server_name=BOOTSTRAP
    )
    report = judged(world)
    assert sinkholed(report) == {*SERVICE, CRL_HOST, SIGN_IN}, (
        "one that is silent stands where the others stand"
    )


def test_a_name_that_another_resolver_leads_to_its_own_address_is_not_sinkholed() -> None:
    world = filtered(*RELAYS)
    world.zone[BOOTSTRAP] = ("203.0.113.1", PORTAL)
    world.zone[SIGN_IN] = (PORTAL,)
    report = judged(world)
    assert sinkholed(report) == {*RELAYS, SIGN_IN}
    assert only(report, BOOTSTRAP, "tls", PORTAL).status is Status.WARN
    assert only(report, BOOTSTRAP, "dns").status is Status.PASS


def test_names_that_the_hosts_file_pins_to_one_server_are_the_hosts_own() -> None:
    world = healthy().when(TlsHandshake, shown(NOBODY.leaf(["block.filter.example"]).chain), address=PORTAL)
    for name in (BOOTSTRAP, SIGN_IN):
        world.when(OsLookup, OsAnswer((PORTAL,)), name=name)
    report = judged(world)
    assert not rows(report, cause="dns.sinkholed")
    assert only(report, BOOTSTRAP, "dns").cause.word == "dns.os-differs"


def test_a_shared_front_end_that_shows_each_name_its_own_is_healthy() -> None:
    world = healthy()
    world.zone = dict.fromkeys(world.zone, ("203.0.113.1",))
    report = judged(world)
    assert report.answer is Answer.YES
    assert not [c for c in report.causes if c.status in (Status.FAIL, Status.WARN)]


def test_a_device_that_answers_443_for_everybody_is_nothing_of_the_resolvers() -> None:
    """One certificate of its own at every address, two unrelated names at one of them."""
    chain = NOBODY.leaf(["portal.hotel.example"]).chain
    world = healthy().when(TlsHandshake, shown(chain))
    world.zone[RELAYS[0]] = world.zone[SIGN_IN] = ("203.0.113.21",)
    report = judged(world)
    assert not rows(report, cause="dns.sinkholed")
    assert not rows(report, cause="tls.intercepted")
    assert report.answer is Answer.NO


def test_a_device_that_answers_443_in_several_networks_is_the_firewall_teams() -> None:
    chain = NOBODY.leaf(["portal.hotel.example"]).chain
    world = healthy().when(TlsHandshake, shown(chain))
    world.zone |= {BOOTSTRAP: ("203.0.113.1",), SIGN_IN: ("203.0.114.1",), RELAYS[0]: ("203.0.115.1",)}
    plan = replace(PLAN, public_networks=("203.0.0.0/16",))
    report = judged(world, plan=plan)
    (cause,) = [c for c in report.causes if c.status is Status.FAIL]
    assert (cause.cause.word, cause.owner) == ("tls.name-mismatch", "firewall")
    assert "network device" in cause.remedy
    one = judged(healthy().when(TlsHandshake, shown(chain), server_name=BOOTSTRAP))
    (cause,) = [c for c in one.causes if c.status is Status.FAIL]
    assert (cause.cause.word, cause.owner) == ("tls.name-mismatch", "dns")
    assert "If it is the service's own" in cause.remedy
