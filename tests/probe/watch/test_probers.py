"""Probers that come and go with the configuration: their lookup processes, and the connections that they made."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import replace
from pathlib import Path

import pytest

from exporters.metrics.meters import Meters
from probe.config.settings import Config
from probe.measure.limits import Limits
from probe.measure.prober import Prober
from probe.watch.probers import CountedProber, Probers
from rules.model.kinds.os_lookup import OsLookup
from rules.model.observation import Observation, Step
from rules.watch.state import Place
from tests.probe.looped import looping
from tests.probe.serve_process import QUICK, Served, served

ONE = Config()
OTHER = replace(ONE, limits=Limits(tcp=1.0))


def made() -> Probers:
    return Probers(Meters(Place("connector01")))


def pids(prober: CountedProber) -> tuple[int, ...]:
    return prober._tools.resolver.pids


@looping
async def test_one_that_still_fits_stays() -> None:
    probers = made()
    first = probers.fitting(ONE)
    assert probers.use(ONE, first) is None
    assert probers.fitting(replace(ONE, pace="fast")) is first
    assert probers.use(replace(ONE, pace="fast"), first) is None
    for changed in (OTHER, replace(ONE, public_roots="x.pem"), replace(ONE, os_store="x.pem")):
        fresh = probers.fitting(changed)
        assert fresh is not first
        await probers.refuse(fresh)
    await probers.refuse(first)
    assert probers.fitting(ONE) is first
    await probers.close()


@looping
async def test_one_that_is_retired_is_closed_with_its_processes_when_its_last_measurement_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    probers, go, begun = made(), asyncio.Event(), asyncio.Event()
    first = probers.fitting(ONE)
    probers.use(ONE, first)
    await first.measure(OsLookup("localhost"))
    assert pids(first)
    plain = Prober.measure

    async def held(self: Prober, step: Step) -> Observation:
        begun.set()
        await go.wait()
        return await plain(self, step)

    monkeypatch.setattr(Prober, "measure", held)
    running = asyncio.create_task(first.measure(OsLookup("localhost")))
    await begun.wait()
    second = probers.fitting(OTHER)
    assert probers.use(OTHER, second) is first
    burying = asyncio.create_task(probers.bury(first))
    probers.settled.set()
    for _ in range(5):
        await asyncio.sleep(0)
    assert probers.retired == 1, "it measures"
    go.set()
    assert (await running).failure is None
    await burying
    assert (probers.retired, pids(first)) == (0, ())
    await probers.close()


@looping
async def test_before_the_first_look_has_ended_none_is_closed() -> None:
    probers = made()
    first = probers.fitting(ONE)
    probers.use(ONE, first)
    second = probers.fitting(OTHER)
    assert probers.use(OTHER, second) is first
    burying = asyncio.create_task(probers.bury(first))
    await asyncio.sleep(0.01)
    assert (await first.measure(OsLookup("localhost"))).failure is None, "the first look goes on with it"
    probers.settled.set()
    await burying
    assert probers.retired == 0
    await probers.close()


@looping
async def test_the_count_of_connections_never_becomes_less(monkeypatch: pytest.MonkeyPatch) -> None:
    probers = made()
    counts: dict[int, int] = {}
    monkeypatch.setattr(Prober, "connections", property(lambda self: counts.get(id(self), 0)))
    first = probers.fitting(ONE)
    probers.use(ONE, first)
    counts[id(first)] = 7
    second = probers.fitting(OTHER)
    probers.use(OTHER, second)
    counts[id(second)] = 2
    assert probers.connections == 9
    probers.settled.set()
    await probers.bury(first)
    counts[id(first)] = 0
    assert probers.connections == 9
    await probers.close()


def children(daemon: Served) -> int:
    """Lookup processes."""
    found = 0
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parent = (place / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        found += parent == str(daemon.process.pid)
    return found


def test_reloads_of_timeouts_leave_no_process_behind_and_cycles_lose_no_connections(tmp_path: Path) -> None:
    ended = "wayclear_last_cycle_timestamp_seconds"
    with served(tmp_path, schedule=QUICK.replace("rotation = 10", "rotation = 1")) as daemon:
        daemon.ready()
        text, opened = daemon.config.read_text(), 0.0
        for number in range(1, 5):
            daemon.config.write_text(text.replace("tcp = 1.0", f"tcp = 1.{number}"))
            assert daemon.client.ask("/-/reload", "POST")[0] == 200
            assert f'"tcp": 1.{number}' in daemon.client.get("/config")
            opened = daemon.metric("wayclear_connections_opened_total") or 0
            last = time.time() + 1.2
            # the default binds this turn's value, and a lambda with one has no type that could be inferred
            daemon.until(lambda then=last: (daemon.metric(ended, kind="service") or 0) > then)  # type: ignore[misc]
            assert children(daemon) <= 2
        assert daemon.end()[0] == 0
        assert "Traceback" not in daemon.log()
    with contextlib.closing(sqlite3.connect(tmp_path / "state" / "history.sqlite")) as connection:
        counts = [row[0] for row in connection.execute("SELECT connections FROM cycles")]
    assert len(counts) > 4
    assert sum(counts) >= opened > 8
