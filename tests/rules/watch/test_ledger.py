"""What is remembered of endpoints, and what of it is news."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.watch.events import LedgerEntry, LedgerKind
from rules.watch.ledger import MOST, REFRESH, REVOCATION, Ledger, drifts, entries, issuer_mark
from rules.watch.state import State
from tests.exporters.samples import REGIONAL, SIGN_IN
from tests.exporters.states import NOW, address, failing, source, starting, state, target

X = "login.windows.net"


def entry(value: str, kind: LedgerKind = "cname", at: float = NOW, **changes: str) -> LedgerEntry:
    endpoint = changes.get("endpoint", f"{X}:443" if kind == "issuer" else X)
    return LedgerEntry(endpoint, kind, value, at, at, changes.get("mark", ""))


def issuer(name: str, issuer_class: str = "expected", root: str = "") -> LedgerEntry:
    return entry(name, "issuer", mark=issuer_mark(issuer_class, root))


def told(known: list[LedgerEntry], fresh: list[LedgerEntry]) -> list[str]:
    return [drift.text for drift in drifts(known, fresh)]


def values(found: State, kind: LedgerKind) -> set[tuple[str, str]]:
    return {(e.endpoint, e.value) for e in entries(found) if e.kind == kind}


# --- entries -------------------------------------------------------------------------------------------------------


def test_a_state_gives_names_addresses_issuers_and_sources() -> None:
    found = state(target(chain=(REGIONAL[0], "edge.cloudapp.example")), failing(), sources=(source(),))
    assert values(found, "cname") >= {(REGIONAL[0], "edge.cloudapp.example")}
    assert (REGIONAL[0], REGIONAL[0]) not in values(found, "cname")
    assert values(found, "address") >= {(REGIONAL[0], "52.112.127.20"), (SIGN_IN, "40.126.31.1")}
    issuers = {e.endpoint: e for e in entries(found) if e.kind == "issuer"}
    assert issuers[f"{SIGN_IN}:443"].value == "CN=Corp Inspection CA [intercepted]"
    assert issuers[f"{SIGN_IN}:443"].mark == "intercepted"
    assert values(found, "crl") == {(REVOCATION, "http://crl3.digicert.com/DigiCertGlobalRootG2.crl")}


def test_entries_bear_the_time_of_the_measurement() -> None:
    (first, *_) = entries(state(target(measured=NOW - 7)))
    assert (first.first, first.last) == (NOW - 7, NOW - 7)
    assert entries(state(target(measured=None)))[0].last == NOW


def test_addresses_of_yesterday_are_not_seen_now() -> None:
    old = target(addresses=(address(), address("52.1.1.1", current=False), address("52.1.1.2", stale=True)))
    assert values(state(old), "address") == {(REGIONAL[0], "52.112.127.20")}


def test_two_ports_of_a_host_share_names_and_addresses() -> None:
    both = entries(state(target(), target(port=80), sources=()))
    assert len({(e.endpoint, e.kind, e.value) for e in both}) == len(both)
    assert len([e for e in both if e.kind == "address"]) == 2


def test_nothing_is_seen_before_the_first_sweep() -> None:
    assert entries(starting()) == ()


# --- drift ---------------------------------------------------------------------------------------------------------


def test_the_first_sight_of_an_endpoint_is_no_news() -> None:
    fresh = [entry("a.trafficmanager.example"), entry("20.1.2.3", "address"), issuer("CN=A")]
    assert told([], fresh) == []
    assert told([entry("x.example", endpoint="other.example")], fresh) == []


def test_a_new_suffix_in_a_chain_is_news_and_a_new_name_under_a_known_one_is_not() -> None:
    known = [entry("a.akadns.example"), entry("1.2.3.4", "address")]
    assert told(known, [entry("b.akadns.example"), entry("B.AKADNS.EXAMPLE.")]) == []
    assert told(known, [entry("b.azurefd.example")]) == [f"a new suffix in the chain of {X}: azurefd.example"]
    assert told(known, [entry("b.azurefd.example"), entry("c.other.example")]) == [
        f"new suffixes in the chain of {X}: azurefd.example, other.example"
    ]


def test_a_chain_where_there_was_none_is_news_unless_it_stays_in_the_zone() -> None:
    known = [entry("1.2.3.4", "address")]
    assert told(known, [entry("eu.login.windows.net")]) == []
    assert told(known, [entry("x.akadns.example")]) == [f"a new suffix in the chain of {X}: akadns.example"]


@pytest.mark.parametrize(
    ("known", "fresh", "text"),
    [
        ("20.190.1.1", "20.190.99.99", ""),
        ("20.190.1.1", "20.191.1.1", f"{X} now has addresses in 20.191.0.0/16"),
        ("2603:1006::1", "2603:1006:ffff::2", ""),
        ("2603:1006::1", "2603:1007::1", f"{X} now has addresses in 2603:1007::/32"),
        ("20.190.1.1", "2603:1006::1", f"{X} now has addresses in 2603:1006::/32"),
        ("20.190.1.1", "\\x00no address", ""),
    ],
)
def test_an_address_is_news_only_in_a_new_network(known: str, fresh: str, text: str) -> None:
    assert told([entry(known, "address")], [entry(fresh, "address")]) == ([text] if text else [])


def test_an_issuer_is_news_by_class_and_by_root_and_not_by_name() -> None:
    known = [issuer("CN=A", root="Root G2")]
    assert told(known, [issuer("CN=B", root="Root G2")]) == []
    assert told(known, [issuer("CN=B", root="Root G3")]) == [
        f"issuer of {X}:443 now under another root, Root G3: CN=B"
    ]
    assert told(known, [issuer("CN=Corp", "intercepted", "Corp Root")]) == [
        f"issuer of {X}:443 now of another class, intercepted: CN=Corp"
    ]
    assert told([issuer("CN=A")], [issuer("CN=Corp", "intercepted")]) == [
        f"issuer of {X}:443 now of another class, intercepted: CN=Corp"
    ]
    assert told(known, [issuer("CN=?", "")]) == []


def test_a_revocation_source_is_news_by_its_host() -> None:
    known = [entry("http://crl3.digicert.com/a.crl", "crl", endpoint=REVOCATION)]
    new = entry("http://crl.other.example/a.crl", "crl", endpoint=REVOCATION)
    same = entry("http://crl3.digicert.com/b.crl", "crl", endpoint=REVOCATION)
    broken = entry("http://[nonsense/b.crl", "crl", endpoint=REVOCATION)
    assert told(known, [same, broken]) == []
    assert told(known, [new]) == ["a new host of CRLs: crl.other.example"]
    assert told(known, [entry("http://ocsp.example/", "ocsp", endpoint=REVOCATION)]) == []


def test_a_thousand_new_networks_are_one_sentence() -> None:
    known = [entry("1.2.3.4", "address")]
    (text,) = told(known, [entry(f"20.{i}.0.1", "address") for i in range(250)])
    assert text == f"{X} now has addresses in 20.0.0.0/16, 20.1.0.0/16, 20.2.0.0/16 and 247 more"


@given(st.text(max_size=300), st.sampled_from(["cname", "address", "issuer", "crl", "ocsp"]))
def test_no_text_of_a_peer_raises_or_spoils_a_sentence(text: str, kind: LedgerKind) -> None:
    known = [entry("1.2.3.4", kind, mark="expected")]
    for drift in drifts(known, [entry(text, kind, mark=text)]):
        assert drift.text.isprintable()
        assert len(drift.text) < 1024


# --- the ledger over time ------------------------------------------------------------------------------------------


def test_what_is_known_is_written_again_once_an_hour_with_its_first_time() -> None:
    ledger = Ledger()
    assert ledger.see([entry("a.example", at=100.0)]).write == (entry("a.example", at=100.0),)
    assert ledger.see([entry("a.example", at=160.0)]).write == ()
    (again,) = ledger.see([entry("a.example", at=100.0 + REFRESH)]).write
    assert (again.first, again.last) == (100.0, 100.0 + REFRESH)
    assert ledger.see([entry("a.example", at=200.0 + REFRESH)]).write == ()


def test_a_clock_that_goes_back_is_written_as_it_is() -> None:
    ledger = Ledger([entry("a.example", at=NOW + 1e8)])
    (again,) = ledger.see([entry("a.example", at=NOW)]).write
    assert (again.first, again.last) == (NOW + 1e8, NOW)


def test_news_is_told_once() -> None:
    ledger = Ledger([entry("a.akadns.example"), entry("1.2.3.4", "address")])
    fresh = [entry("a.akadns.example"), entry("b.azurefd.example")]
    assert len(ledger.see(fresh).drifts) == 1
    assert ledger.see(fresh).drifts == ()


def test_what_two_states_show_is_news_of_the_second() -> None:
    ledger = Ledger()
    assert ledger.see(entries(state(target()))).drifts == ()
    moved = target(chain=("x.azurefd.example",), issuer="CN=Corp", issuer_class="intercepted")
    assert [drift.kind for drift in ledger.see(entries(state(moved))).drifts] == ["cname", "issuer"]


def test_rotating_addresses_are_bounded() -> None:
    ledger = Ledger()
    for begin in range(0, 5 * MOST, 100):
        ledger.see([entry(f"10.{i >> 8}.{i & 255}.1", "address") for i in range(begin, begin + 100)])
    assert len(ledger) == MOST
    last = entry(f"10.{(5 * MOST - 1) >> 8}.{(5 * MOST - 1) & 255}.1", "address")
    assert ledger.see([last]).write == ()
    assert ledger.see([entry("10.0.0.1", "address")]).write != ()  # forgotten, and so new


def test_what_was_not_seen_for_long_is_forgotten_and_then_seen_for_the_first_time() -> None:
    old = entry("20.1.2.3", "address", at=NOW - 500)
    kept = entry("a.akadns.example", at=NOW - 500)
    removed = entry("b.example", endpoint="removed.example", at=NOW - 500)
    ledger = Ledger([old, kept, removed])
    ledger.see([entry("a.akadns.example", at=NOW)])
    assert ledger.forget(NOW - 500) == 0, "what is as old as that stays"
    assert ledger.forget(NOW - 100) == 2
    assert len(ledger) == 1
    seen = ledger.see([entry("20.9.9.9", "address", at=NOW), removed])
    assert (len(seen.write), seen.drifts) == (2, ())
    assert ledger.forget(NOW + 1) == 3
    assert len(ledger) == 0


def test_what_comes_after_the_clock_was_set_back_is_news_once_although_the_ledger_is_full() -> None:
    full = Ledger(entry(f"n{n}.akadns.example") for n in range(MOST))
    late = entry("n.other.example", at=NOW - 1e6)
    assert [len(full.see([late]).drifts) for _ in range(3)] == [1, 0, 0]
    assert len(full) == MOST
