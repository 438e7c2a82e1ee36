"""The GET inside a session: rare for the service, at each address in turn, borrowed in between."""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.config.service import Intervals
from probe.watch.asker import MOST_ADDRESSES, HttpTurns
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from tests.probe.internet import BOOT, RELAY, ZONE, Internet
from tests.probe.looped import desk, looping


def shake(address: str, name: str = BOOT, path: str | None = "/") -> TlsHandshake:
    return TlsHandshake(address, 443, name, "connector", path)


BOOT_KEY = (BOOT, 443)
ONE, OTHER = map(shake, ZONE[BOOT])


def status(seen: Observation) -> int | None:
    assert isinstance(seen.evidence, TlsFacts)
    return seen.evidence.http_status


def gets(net: Internet) -> int:
    return len([hit for hit in net.hits if hit.path])


@looping
async def test_the_get_inside_is_asked_rarely_and_borrowed_in_between(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0, http=0.5)) as here:
        for _ in range(4):
            assert status(await here.asker.handshake(ONE, BOOT_KEY)) == 403
        assert (len(net.hits), gets(net)) == (4, 1)
        assert set(here.memory.known) == {ONE}, "the same question, whether the GET is in it or not"
        assert here.differs == 1
        await asyncio.sleep(0.5)
        assert status(await here.asker.handshake(ONE, BOOT_KEY)) == 403
        assert gets(net) == 2


@looping
async def test_the_get_of_the_first_look_counts(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0)) as here:
        here.asker.record(await here.prober.measure(ONE), None)
        assert status(await here.asker.handshake(ONE, BOOT_KEY)) == 403
        assert gets(net) == 1


@looping
async def test_it_is_the_service_that_is_asked_rarely_not_each_of_its_addresses(tmp_path: Path) -> None:
    """HTTP to the bootstrap service at most once in `http` seconds; the addresses take turns."""
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0, http=0.4)) as here:
        for step in (ONE, OTHER):
            here.asker.record(await here.prober.measure(step), None)
        begun, times = time.monotonic(), 0
        while time.monotonic() - begun < 2.0:
            for step in (ONE, OTHER):
                assert status(await here.asker.handshake(step, BOOT_KEY, 2)) == 403
            times += 1
            await asyncio.sleep(0.05)
        later = [hit for hit in net.hits if hit.path and hit.at > begun]
        assert 3 <= len(later) <= 5 < times
        assert all(b.at - a.at >= 0.39 for a, b in itertools.pairwise(later))
        assert len({hit.address for hit in later}) == 2
        counts = [len([h for h in later if h.address == a]) for a in ZONE[BOOT]]
        assert abs(counts[0] - counts[1]) <= 1


@looping
async def test_a_handshake_that_fails_and_comes_back_asks_for_no_get_before_its_time(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0)) as here:
        await here.asker.handshake(ONE, BOOT_KEY)
        for _ in range(3):
            net.places[ONE.address] = "reset"
            failed = await here.asker.handshake(ONE, BOOT_KEY)
            assert failed.failure is not None
            assert failed.step == ONE
            net.places[ONE.address] = "genuine"
            assert (await here.asker.handshake(ONE, BOOT_KEY)).failure is None
        assert gets(net) == 1


@looping
@pytest.mark.parametrize(("cut", "sent", "shown"), [(1, 2, ""), (2, 2, "reset")])
async def test_a_get_that_begins_to_fail_is_sent_once_more(
    tmp_path: Path, cut: int, sent: int, shown: str
) -> None:
    """What it shows is borrowed for minutes: a single mishap must not stand so long."""
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0, http=0.3)) as here:
        await here.asker.handshake(ONE, BOOT_KEY)
        net.cut, before = cut, gets(net)
        await asyncio.sleep(0.3)
        seen = await here.asker.handshake(ONE, BOOT_KEY)
        assert isinstance(seen.evidence, TlsFacts)
        assert (gets(net) - before, seen.evidence.http_failure) == (sent, shown)
        assert here.memory.known[ONE] == seen
        net.cut, before = 1 if shown else 0, gets(net)
        await asyncio.sleep(0.3)
        await here.asker.handshake(ONE, BOOT_KEY)
        assert gets(net) - before == 1, "one that goes on failing is asked for as rarely as any"


@looping
async def test_a_target_without_a_path_is_never_sent_one(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with desk(net, Intervals(rate=0, http=0.01)) as here:
        for _ in range(3):
            await here.asker.handshake(shake(ZONE[RELAY][0], RELAY, None), (RELAY, 443))
        assert (len(net.hits), gets(net)) == (3, 0)


# --- the books by themselves ----------------------------------------------------------------------------------------------


def answered(address: str, **facts: object) -> Observation:
    return Observation(shake(address), 0.0, 0.1, None, TlsFacts(0.01, **facts))  # type: ignore[arg-type]  # a short hand


@given(st.integers(1, 8), st.integers(5, 120), st.integers(60, 900))
def test_no_address_starves_and_the_service_is_never_asked_sooner(
    addresses: int, every: int, interval: int
) -> None:
    """Addresses are visited one after the other every so many seconds, as the rotation does it."""
    gets, sent = HttpTurns(), list[tuple[int, str]]()
    for turn in range(1 + 4 * addresses * (interval // every + addresses)):
        now, address = turn * every, f"20.50.1.{turn % addresses}"
        if gets.due(shake(address), addresses, interval, now):
            sent.append((now, address))
            gets.note(answered(address, http_status=403), interval, now)
    assert all(b - a >= interval for (a, _), (b, _) in itertools.pairwise(sent))
    counts = [len([1 for _, a in sent if a == f"20.50.1.{n}"]) for n in range(addresses)]
    assert min(counts) >= 1
    assert max(counts) - min(counts) <= 1


def test_what_was_not_sent_does_not_count() -> None:
    gets, one = HttpTurns(), ZONE[BOOT][0]
    refused = Observation(shake(one), 0.0, 0.1, Failure(Stage.TLS, Code.RESET), TlsFacts(0.01))
    for seen in (
        refused,
        answered(one),
        Observation(shake(one, path=None), 0.0, 0.1, None, TlsFacts(0.01, http_status=1)),
    ):
        gets.note(seen, 600, 0.0)
        assert gets.due(shake(one), 1, 600, 1.0)
    gets.note(answered(one, http_failure="timeout"), 600, 0.0)
    assert not gets.due(shake(one), 1, 600, 1.0)


def test_addresses_that_are_gone_are_forgotten_in_time() -> None:
    gets = HttpTurns()
    for number in range(200):
        gets.note(answered(f"20.50.{number}.1", http_status=403), 600, number * 600.0)
    assert len(gets._sent[(BOOT, 443)]) <= MOST_ADDRESSES + 1
