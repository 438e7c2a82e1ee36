"""What `wayclear verify` says while it asks, and at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from exporters.terminal import verify as words
from exporters.terminal.moments import Moments
from exporters.terminal.style import Style
from rules.model.verdict import FlowState, Report
from rules.verify.flows import Flow, Standing
from rules.verify.rounds import Progress
from tests.exporters import samples
from tests.exporters.hostile import PAYLOADS

TENANT = "5f3b1c9e-0000-4000-8000-00000000cafe"
NAME = f"{TENANT}.bootstrap.msappproxy.net"
ONE, TWO, CLOCK = (
    Flow(NAME, 443, "203.0.113.1"),
    Flow("eur.servicebus.windows.net", 443, "2001:db8::7"),
    Flow("", 0, cause="local.clock-skew"),
)
PASSES = Standing(FlowState.PASSES, asked=samples.START)
FAILS = Standing(FlowState.FAILS, "tcp.timeout", "TCP is silently dropped", samples.START)
WAITS = Standing(FlowState.WAITS)
UNKNOWN = Standing(FlowState.WAITS, "tls.unverified", "the certificate cannot be judged", samples.START)
UTC, VIENNA = Moments(samples.START), Moments(samples.START, 3600)


def recorded() -> Report:
    return samples.report()


def progress(*standings: tuple[Flow, Standing], round_: int = 2) -> Progress:
    since = {flow: samples.START for flow, one in standings if one.state is FlowState.PASSES}
    return Progress(round_, dict(standings), since, 2, 3)


def subject(tenant: str | None = TENANT, moments: Moments = UTC, *, untested: bool = False) -> words.Subject:
    report = replace(recorded(), vantage=samples.vantage(tenant=tenant))
    return words.Subject(report, "1" if untested else "", True, moments, untested)


def text(
    made: Progress,
    moments: Moments = UTC,
    *,
    untested: bool = False,
    then: Mapping[Flow, frozenset[str]] | None = None,
    verbose: bool = False,
) -> str:
    about = replace(subject(moments=moments, untested=untested), causes=then or {})
    return words.render(about, recorded(), made, Style(verbose=verbose))


def test_a_flow_is_its_address_and_name_with_the_tenant_as_a_word() -> None:
    assert words.flow_text(ONE, TENANT) == "203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net)"
    assert words.flow_text(TWO, None) == "[2001:db8::7]:443 (eur.servicebus.windows.net)"
    assert words.flow_text(Flow("host.example", 80), TENANT) == "host.example:80"
    assert words.flow_text(CLOCK, TENANT) == "this host [local.clock-skew]"
    assert words.flow_text(Flow("", 0, cause="tcp.accept-all"), None) == "this network [tcp.accept-all]"


def test_the_first_line_says_how_it_ends() -> None:
    done = text(progress((ONE, PASSES), (TWO, PASSES)))
    assert done.startswith("REPAIRED: all 2 flows that failed now pass.\n")
    assert (
        "2 flows, each of which passes since 09:14 UTC\n    203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net)\n"
        in done
    )
    assert text(progress((ONE, PASSES))).startswith("REPAIRED: 1 flow that failed now passes.\n")
    some = text(progress((ONE, PASSES), (TWO, FAILS)))
    assert some.startswith("FAILS: 1 of 2 flows still fails.\n")
    assert "still fails: TCP is silently dropped [tcp.timeout]" in some
    late = text(progress((ONE, PASSES), (TWO, WAITS)))
    assert late.startswith("NOT PROVEN: 1 of 2 flows had no turn yet.\n")
    assert "WHAT WAS NOT ASKED AGAIN (1)" in late


def test_long_lists_are_folded_and_unfolded() -> None:
    many = progress(*((Flow(f"host{n}.example", 443, f"203.0.113.{n}"), FAILS) for n in range(40)))
    assert "+28 more (--verbose shows all)" in text(many)
    whole = text(many, verbose=True)
    assert whole.count("40 flows, each of which still fails: TCP is silently dropped [tcp.timeout]") == 1
    assert whole.count(".example)") == 40


def test_a_flow_that_fails_in_another_way_is_not_said_to_fail_still() -> None:
    then = {ONE: frozenset({"tls.alert"}), TWO: frozenset({"tcp.timeout", "tls.timeout"})}
    made = progress((ONE, FAILS), (TWO, FAILS))
    one_of_two = text(made, then=then)
    assert one_of_two.startswith(
        "FAILS: 2 of 2 flows still fail. 1 of them fails in another way than before.\n"
    )
    assert "fails in another way than before [tls.alert]: TCP is silently dropped [tcp.timeout]" in " ".join(
        one_of_two.split()
    )
    alone = text(progress((ONE, FAILS)), then=then)
    assert alone.startswith("FAILS: 1 of 1 flow fails. It fails in another way than before.\n")


def test_another_host_is_told_before_the_first_question() -> None:
    there = words.Subject(samples.report(), "1", watch=False, moments=UTC, host="elsewhere")
    said = " ".join(words.opening(there, [ONE], 1, 0, Style()))
    assert f"The report is from the host {samples.report().vantage.host}, and this is elsewhere" in said
    here = replace(there, host=samples.report().vantage.host.upper())
    assert "another host" not in " ".join(words.opening(here, [ONE], 1, 0, Style()))


def test_colours_only_where_they_are_wanted() -> None:
    made = progress((ONE, PASSES), (TWO, FAILS))
    assert "\x1b" not in text(made)
    assert words.live(subject(), made, Style(color=True), 20)[1].startswith("  \x1b[1;32mpasses   \x1b[0m")
    assert "\x1b[1;31mFAILS    \x1b[0m" in words.live(subject(), made, Style(color=True), 20)[2]


def test_many_flows_become_a_line_for_each_name_and_the_failing_come_first() -> None:
    flows = [(Flow(f"host{n // 3}.example", 443, f"203.0.113.{n}"), PASSES) for n in range(30)]
    flows[29] = (flows[29][0], FAILS)
    lines = words.live(subject(None), progress(*flows), Style(), 20)
    assert lines[0] == "Round 2: 2 of 3 addresses asked, 29 of 30 flows pass"
    assert lines[1] == "  FAILS      host9.example:443, 2 of 3 pass"
    assert len(lines) == 11
    short = words.live(subject(None), progress(*flows), Style(), 6)
    assert len(short) == 6
    assert short[-1] == "  and 6 more names"


def test_a_stream_gets_a_line_when_a_state_changes() -> None:
    before = {ONE: FAILS, TWO: FAILS}
    (line,) = words.changes(subject(), before, progress((ONE, PASSES), (TWO, FAILS)), samples.START)
    assert line == "09:14:05 UTC  passes     203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net)"
    assert len(list(words.changes(subject(), {}, progress((ONE, FAILS)), samples.START))) == 1


def test_what_was_asked_and_could_not_be_tested_says_why() -> None:
    made = progress((ONE, PASSES), (TWO, UNKNOWN))
    told = text(made)
    assert told.startswith("NOT PROVEN: 1 of 2 flows could not be tested.\n")
    assert "WHAT COULD NOT BE TESTED (1)" in told
    flow = "[2001:db8::7]:443 (eur.servicebus.windows.net)"
    assert f"{flow} could not be tested: the certificate cannot be judged [tls.unverified]" in " ".join(
        told.split()
    )
    assert words.live(subject(), made, Style(), 20)[2] == f"  untested   {flow} [tls.unverified]"
    (line,) = words.changes(subject(), {ONE: PASSES, TWO: WAITS}, made, samples.START)
    assert line.endswith(f"untested   {flow} [tls.unverified]")


def test_what_did_not_fail_before_is_not_called_repaired() -> None:
    assert text(progress((ONE, PASSES)), untested=True).startswith(
        "PASSES: 1 flow that could not be tested now passes.\n"
    )
    assert "still" not in text(progress((ONE, FAILS)), untested=True)


def test_an_untested_flow_is_asked_with_watch_only_without_it() -> None:
    once = words.Subject(recorded(), "", watch=False, moments=UTC)
    told = words.render(once, recorded(), progress((ONE, PASSES), (TWO, WAITS)), Style())
    assert "1 of 2 flows had no turn yet. --watch asks all of them, in turn, until they pass." in told


def test_what_is_asked_is_counted_by_its_name() -> None:
    def opening(addresses: int, names: int) -> str:
        return " ".join(words.opening(subject(), (ONE,), addresses, names, Style()))

    assert "1 flow, 17 addresses, a round every 15 s." in opening(17, 0)
    assert "1 flow, 1 name, a round" in opening(0, 1)
    assert "1 flow, 1 address, 3 names, a round" in opening(1, 3)
    assert "1 flow, a round" in opening(0, 0), "a fact of this host"

    def head(reached: int, addresses: int, names: int) -> str:
        made = Progress(1, {ONE: FAILS}, {}, reached, addresses, names)
        return words.live(subject(), made, Style(), 20)[0]

    assert head(2, 3, 0) == "Round 1: 2 of 3 addresses asked, 0 of 1 flow passes"
    assert head(0, 0, 1) == "Round 1: 0 of 1 name asked, 0 of 1 flow passes"
    assert head(2, 2, 3) == "Round 1: 2 of 5 addresses and names asked, 0 of 1 flow passes"
    assert head(0, 0, 0) == "Round 1: this host asked, 0 of 1 flow passes"


def test_times_are_local_and_utc() -> None:
    made = progress((ONE, PASSES))
    assert "passes since 10:14 (09:14 UTC)" in text(made, VIENNA)
    assert "the recording of 2026-11-02 10:14 local time (09:14 UTC)" in " ".join(text(made, VIENNA).split())
    assert words.live(subject(moments=VIENNA), made, Style(), 20)[1].endswith(" since 10:14 (09:14 UTC)")
    (line,) = words.changes(subject(moments=VIENNA), {}, made, samples.START)
    assert line.startswith("10:14:05 (09:14:05 UTC)  passes  ")


def test_another_host_and_an_old_recording_are_said() -> None:
    about = words.Subject(recorded(), "1", watch=False, moments=UTC)
    made = progress((ONE, PASSES))
    later = samples.report(
        vantage=samples.vantage(sources=("192.0.2.9",)), finished=samples.START + 3 * 86_400
    )
    told = " ".join(words.notes(about, later, made))
    assert "asks from 192.0.2.9, the recording is from 10.20.0.5" in told
    assert "more than a day old" in told
    told = " ".join(words.notes(about, recorded(), made))
    assert "another host" not in told
    assert "a day old" not in told


@pytest.mark.parametrize("hostile", PAYLOADS)
def test_a_peers_text_is_harmless(hostile: str) -> None:
    standing = Standing(FlowState.FAILS, "tcp.timeout", hostile, samples.START)
    told = text(progress((Flow(hostile, 443, hostile), standing)))
    assert all(char.isprintable() or char == "\n" for char in told)
