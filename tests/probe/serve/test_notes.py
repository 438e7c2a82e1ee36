"""What the service says about itself: once in the log, and on the page while it lasts."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from exporters.metrics.meters import Meters
from probe.history.writer import History
from probe.serve import textfile as telling_textfile
from probe.serve.publisher import Publisher
from probe.web.exporter_toolkit import WebConfigFile
from probe.web.sign_ins import SignIns
from rules.watch.maintenance import Window
from tests.probe.looped import looping, until
from tests.probe.serve.test_publisher import PLACE, appliance, end, judged, new_publisher, office

GOOD = b"wayclear_web_config_last_reload_successful{"


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("wayclear").propagate = True
    caplog.set_level(logging.INFO, "wayclear")


@looping
async def test_a_history_that_fails_is_told_once_and_once_when_it_is_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = tmp_path / "state"
    directory.write_text("no directory")
    async with office(tmp_path, path=directory / "history.sqlite") as here:
        for _ in range(4):
            await here.publisher.render(here.house.appliance)
        assert here.line("wayclear_history_writable").split()[-1] in ("0", "0.0")
        assert here.line("wayclear_connector_can_live")
        told = [r for r in caplog.records if str(directory) in r.getMessage()]
        assert len(told) == 1
        state = here.publisher.state(here.house.appliance, time.time())
        assert [n for n in state.notes if str(directory) in n] == [here.history.fault], "the page says so"
        directory.unlink()
        await until(lambda: here.history.writable)
        await here.publisher.render(here.house.appliance)
        assert here.line("wayclear_history_writable").split()[-1] in ("1", "1.0")
        assert here.history.dropped == 0, "what waited is written"
        state = here.publisher.state(here.house.appliance, time.time())
        assert not [n for n in state.notes if str(directory) in n]


@looping
async def test_a_window_is_told_when_it_opens_and_when_it_has_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    later = time.time() + 999
    pausing, other = Window("patches", 0.0, later, pause=True), Window("night", 0.0, later)
    for windows in ((), (pausing,), (pausing,), (other,), (other,), ()):
        await made.render(appliance(maintenance=windows))
    assert [r.getMessage() for r in caplog.records if "window" in r.getMessage()] == [
        "the maintenance window patches is open: alerts are muted, nothing is asked until it has ended",
        "the maintenance window patches has ended",
        "the maintenance window night is open: alerts are muted, it is measured on",
        "the maintenance window night has ended",
    ]
    await end(made, history)


@looping
async def test_a_textfile_that_cannot_be_written_is_noted_until_it_is_written_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling_textfile, "TEXTFILE_EVERY", 0.0)
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    here = appliance(textfile=str(tmp_path / "gone"))

    async def noted() -> list[str]:
        await made.render(here)
        await until(lambda: not made._textfile.writing)
        return [n for n in made.state(here, time.time()).notes if n.startswith("The textfile")]

    (note,) = await noted()
    assert str(tmp_path / "gone") in note
    (tmp_path / "gone").mkdir()
    assert await noted() == await noted() == []
    assert [r.getMessage() for r in caplog.records].count("the textfile can be written again") == 1
    here = appliance(textfile=str(tmp_path / "elsewhere"))
    assert await noted()
    here = appliance()
    assert await noted() == [], "none is asked for any more"
    await end(made, history)


@looping
async def test_a_web_configuration_that_breaks_is_in_the_scrape_after_the_next(tmp_path: Path) -> None:
    """Also while nothing is judged, as in a first look: the scrape itself is what looks at the file."""
    web = cast("WebConfigFile", SimpleNamespace(problem="", read_at=1.0, sign_ins=SignIns(), secure=False))
    history = History(tmp_path / "history.sqlite")
    await history.open()
    made = Publisher(PLACE, Meters(PLACE), history, web)
    task = asyncio.create_task(made.render_for_ever(appliance()))

    def told() -> float:
        (line,) = [x for x in made.snapshot.plain.splitlines() if x.startswith(GOOD)]
        return float(line.split()[-1])

    await until(lambda: made._snapshot.taken_at > 0)
    assert told() == 1
    web.problem = "line 1: it is broken"
    before = made.snapshot
    await until(lambda: made._snapshot is not before)
    assert told() == 0
    assert any("it is broken" in n for n in made.state(appliance(), time.time()).refused)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await end(made, history)
