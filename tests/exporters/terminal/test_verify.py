"""What `wayclear verify` says while it asks, and at the end."""

from __future__ import annotations

import pytest

from exporters.terminal import verify as words
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


def recorded() -> Report:
    return samples.report()


def progress(*standings: tuple[Flow, Standing], round_: int = 2) -> Progress:
    since = {flow: samples.START for flow, one in standings if one.state is FlowState.PASSES}
    return Progress(round_, dict(standings), since, 2, 3)


def text(made: Progress, **style: object) -> str:
    subject = words.Subject(recorded(), "", watch=True)
    return words.render(subject, recorded(), made, Style(**style))  # type: ignore[arg-type]


def test_a_flow_is_its_address_and_name_with_the_tenant_as_a_word() -> None:
    assert words.flow_text(ONE, TENANT) == "203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net)"
    assert words.flow_text(TWO, None) == "[2001:db8::7]:443 (eur.servicebus.windows.net)"
    assert words.flow_text(Flow("host.example", 80), TENANT) == "host.example:80"
    assert words.flow_text(CLOCK, TENANT) == "this host [local.clock-skew]"
    assert words.flow_text(Flow("", 0, cause="tcp.accept-all"), None) == "this network [tcp.accept-all]"


def test_the_first_line_says_how_it_ends() -> None:
    done = text(progress((ONE, PASSES), (TWO, PASSES)))
    assert done.startswith("REPAIRED: all 2 flows that failed now pass.\n")
    assert "203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net) passes since 09:14 UTC" in done
    assert text(progress((ONE, PASSES))).startswith("REPAIRED: 1 flow that failed now passes.\n")
    some = text(progress((ONE, PASSES), (TWO, FAILS)))
    assert some.startswith("FAILS: 1 of 2 flows still fails.\n")
    assert "still fails: TCP is silently dropped [tcp.timeout]" in some
    late = text(progress((ONE, PASSES), (TWO, WAITS)))
    assert late.startswith("NOT PROVEN: 1 of 2 flows had no turn yet. --watch asks all of them")
    assert "WHAT WAS NOT ASKED AGAIN (1)" in late


def test_long_lists_are_folded_and_unfolded() -> None:
    many = progress(*((Flow(f"host{n}.example", 443, f"203.0.113.{n}"), FAILS) for n in range(40)))
    assert "+28 more (--verbose shows all)" in text(many)
    assert text(many, verbose=True).count("still fails:") == 40


def test_colours_only_where_they_are_wanted() -> None:
    made = progress((ONE, PASSES), (TWO, FAILS))
    assert "\x1b" not in text(made)
    assert words.live(made, TENANT, Style(color=True), 20)[1].startswith("  \x1b[1;32mpasses   \x1b[0m")
    assert "\x1b[1;31mFAILS    \x1b[0m" in words.live(made, TENANT, Style(color=True), 20)[2]


def test_many_flows_become_a_line_for_each_name_and_the_failing_come_first() -> None:
    flows = [(Flow(f"host{n // 3}.example", 443, f"203.0.113.{n}"), PASSES) for n in range(30)]
    flows[29] = (flows[29][0], FAILS)
    lines = words.live(progress(*flows), None, Style(), 20)
    assert lines[0] == "Round 2: 2 of 3 addresses asked, 29 of 30 flows pass"
    assert lines[1] == "  FAILS      host9.example:443, 2 of 3 pass"
    assert len(lines) == 11
    short = words.live(progress(*flows), None, Style(), 6)
    assert len(short) == 6
    assert short[-1] == "  and 6 more names"


def test_a_stream_gets_a_line_when_a_state_changes() -> None:
    before = {ONE: FAILS, TWO: FAILS}
    (line,) = words.changes(before, progress((ONE, PASSES), (TWO, FAILS)), TENANT, samples.START)
    assert line == "09:14:05 UTC  passes     203.0.113.1:443 ({tenant}.bootstrap.msappproxy.net)"
    assert len(list(words.changes({}, progress((ONE, FAILS)), TENANT, samples.START))) == 1


def test_another_host_and_an_old_recording_are_said() -> None:
    subject = words.Subject(recorded(), "1", watch=False)
    made = progress((ONE, PASSES))
    later = samples.report(
        vantage=samples.vantage(sources=("192.0.2.9",)), finished=samples.START + 3 * 86_400
    )
    told = " ".join(words.notes(subject, later, made))
    assert "asks from 192.0.2.9, the recording is from 10.20.0.5" in told
    assert "more than a day old" in told
    told = " ".join(words.notes(subject, recorded(), made))
    assert "another host" not in told
    assert "a day old" not in told


@pytest.mark.parametrize("hostile", PAYLOADS)
def test_a_peers_text_is_harmless(hostile: str) -> None:
    standing = Standing(FlowState.FAILS, "tcp.timeout", hostile, samples.START)
    told = text(progress((Flow(hostile, 443, hostile), standing)))
    assert all(char.isprintable() or char == "\n" for char in told)
