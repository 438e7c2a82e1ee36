"""The service's textfile: when it is written, how old it says it is, what a fault of it costs."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from exporters.metrics.exposition import Ended, from_state
from probe.serve import textfile as telling_textfile
from probe.serve.textfile import TextfilePublisher, last_round
from probe.watch.rounds import FinishedRound
from rules.watch.maintenance import Window
from rules.watch.state import Place
from tests.exporters.states import NOW, failing, state, target
from tests.probe.looped import looping, until
from tests.probe.serve.test_publisher import Office, appliance, end, judged, new_publisher, office


def age(text: str) -> tuple[str, float]:
    """Kind and time of the file."""
    (line,) = [x for x in text.splitlines() if x.startswith("wayclear_last_cycle_timestamp_seconds{")]
    return line.partition('kind="')[2].partition('"')[0], float(line.split()[-1])


@looping
async def test_the_textfile_is_written_and_a_fault_of_it_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling_textfile, "TEXTFILE_EVERY", 0.0)
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    await made.render(appliance(textfile=str(tmp_path)))
    await until((tmp_path / "wayclear.prom").exists)
    text = (tmp_path / "wayclear.prom").read_bytes()
    assert text.endswith(b"\n")
    assert b'wayclear_connector_can_live{connector="c1"} 1' in text
    await made.close()
    caplog.clear()
    logging.getLogger("wayclear").propagate = True
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            await made.render(appliance(textfile=str(tmp_path / "gone")))
            await until(lambda: not made._textfile.writing)
    assert [r.levelname for r in caplog.records] == ["ERROR"], "it is said once"
    await end(made, history)


def with_textfile(here: Office, directory: Path) -> None:
    appliance = here.house.appliance
    appliance.config = replace(
        appliance.config, serve=replace(appliance.config.serve, textfile=str(directory))
    )


@looping
async def test_the_textfile_is_written_now_and_then_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling_textfile, "TEXTFILE_EVERY", 0.2)
    async with office(tmp_path) as here:
        with_textfile(here, tmp_path)
        path, true = tmp_path / "wayclear.prom", time.time
        await here.publisher.render(here.house.appliance)
        await until(path.exists)
        first = path.stat().st_ino
        await here.publisher.render(here.house.appliance)
        await asyncio.sleep(0.05)
        assert path.stat().st_ino == first, "not every time"
        monkeypatch.setattr(time, "time", lambda: true() - 5 * 365 * 86_400)
        await asyncio.sleep(0.2)
        await here.publisher.render(here.house.appliance)
        await until(lambda: path.stat().st_ino != first)
        assert b"wayclear_connector_can_live" in path.read_bytes()


@looping
async def test_a_directory_that_does_not_answer_keeps_no_snapshot_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling_textfile, "TEXTFILE_EVERY", -math.inf)
    answer, calls = threading.Event(), list[str]()

    def hangs(directory: str, *_: object) -> None:
        calls.append(directory)
        answer.wait(10)

    monkeypatch.setattr("probe.serve.textfile.write_textfile", hangs)
    async with office(tmp_path) as here:
        with_textfile(here, tmp_path)
        times = set()
        for _ in range(5):
            async with asyncio.timeout(2):
                await here.publisher.render(here.house.appliance)
            times.add(here.publisher.snapshot.taken_at)
        assert len(times) == 5
        assert len(calls) <= 1, "one thread hangs, not one for each snapshot"
        answer.set()


@looping
async def test_a_textfile_grows_old_when_rounds_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop lives and renders on, and nothing is measured any more."""
    monkeypatch.setattr(telling_textfile, "TEXTFILE_EVERY", 0.0)
    made, history = await new_publisher(tmp_path)
    now = float(int(time.time()))

    async def told(at: float) -> tuple[str, float]:
        monkeypatch.setattr(time, "time", lambda: at)
        await made.render(appliance(textfile=str(tmp_path)))
        await until(lambda: not made._textfile.writing)
        return age((tmp_path / "wayclear.prom").read_text())

    monkeypatch.setattr(time, "time", lambda: now)
    made.judged(judged("healthy"))
    assert await told(now + 100) == ("audit", now), "the first look"
    made.closed(FinishedRound("service", now + 100, 50.0, 13, 0), 0)
    made.closed(FinishedRound("sign-in", now + 100, 50.0, 13, 0), 0)
    assert await told(now + 200) == ("service", now + 100)
    monkeypatch.setattr(time, "time", lambda: now + 900)
    made.judged(judged("healthy"))  # judged again, and nothing was measured
    made.closed(FinishedRound("sign-in", now + 100, 50.0, 13, 0), 0)
    assert await told(now + 5000) == ("service", now + 100)
    monkeypatch.setattr(time, "time", lambda: now + 5000)
    await end(made, history)


def test_without_service_names_any_round_tells_the_age() -> None:
    made = TextfilePublisher()
    made.judged(NOW)
    made.judged(NOW + 900)
    there, none = state(target(), failing()), state(failing())
    assert {t.group for t in none.targets} == {"sign-in"}
    assert made.ended(there, {}) == made.ended(none, {}) == Ended("audit", NOW)
    made.closed("sign-in", NOW + 60)
    assert made.ended(none, {}) == Ended("audit", NOW + 60)
    assert made.ended(there, {}) == Ended("audit", NOW), "the service names were not measured since"
    made.closed("service", NOW + 70)
    assert made.ended(there, {}) == Ended("service", NOW + 70)


@looping
async def test_before_the_first_look_it_tells_maintenance_and_keeps_the_last_round(tmp_path: Path) -> None:
    """A restart in a window that pauses: an alert that reads the file must see the window, and no round that was none."""
    path = tmp_path / "wayclear.prom"
    path.write_text(
        from_state(
            state(target(), place=Place("c1")), Ended("service", NOW, {"service": 60.0, "sign-in": 900.0})
        )
    )
    before = path.read_text()
    assert 'wayclear_maintenance{connector="c1"} 0' in before
    made, history = await new_publisher(tmp_path)
    window = Window("patches", 0.0, time.time() + 999, pause=True)
    for _ in range(2):  # what it wrote itself is kept again
        made._textfile._written_at = -math.inf
        await made.render(appliance(textfile=str(tmp_path), maintenance=(window,), inventory=("c1", "c2")))
        await until(lambda: not made._textfile.writing)
        text = path.read_text()
        assert 'wayclear_maintenance{connector="c1"} 1' in text
        assert text.count("wayclear_inventory_member{") == 2
        assert age(text) == ("service", NOW)
        kept = [x for x in before.splitlines() if "wayclear_cycle_interval_seconds" in x]
        assert [x for x in text.splitlines() if "wayclear_cycle_interval_seconds" in x] == kept
        assert "wayclear_connector_can_live" not in text, "nothing is known yet"
    await end(made, history)


@looping
async def test_a_window_that_opens_or_closes_is_in_the_file_at_once(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    window = Window("patches", 0.0, time.time() + 999)
    for windows, told in (((), "0"), ((window,), "1"), ((), "0")):
        await made.render(appliance(textfile=str(tmp_path), maintenance=windows))
        await until(lambda: not made._textfile.writing)
        assert f'wayclear_maintenance{{connector="c1"}} {told}\n' in (tmp_path / "wayclear.prom").read_text()
    await end(made, history)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0\xff",
        'wayclear_last_cycle_timestamp_seconds{connector="other",kind="service"} 1764000000\n',
        'wayclear_last_cycle_timestamp_seconds{connector="c1",kind="service"} nonsense\n',
        'wayclear_last_cycle_timestamp_seconds{connector="c1",kind="x"} 1764000000\n',
    ],
)
def test_of_a_file_that_tells_no_round_of_this_place_nothing_is_kept(tmp_path: Path, text: str) -> None:
    assert last_round(str(tmp_path), Place("c1")) == ""
    (tmp_path / "wayclear.prom").write_text(text, "latin-1")
    assert last_round(str(tmp_path), Place("c1")) == ""


def test_a_textfile_of_somebody_else_is_never_read_without_an_end(tmp_path: Path) -> None:
    """A sparse file of 64 GiB, a pipe that nobody writes to, a link to /dev/zero."""
    path = tmp_path / "wayclear.prom"
    with path.open("wb") as file:
        file.truncate(64 << 30)
    assert last_round(str(tmp_path), Place("c1")) == ""
    path.unlink()
    os.mkfifo(path)
    assert last_round(str(tmp_path), Place("c1")) == ""
    path.unlink()
    path.symlink_to("/dev/zero")
    assert last_round(str(tmp_path), Place("c1")) == ""
