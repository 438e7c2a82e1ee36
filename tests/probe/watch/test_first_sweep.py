"""The first look and the windows in which nothing is asked."""

from __future__ import annotations

import datetime
import time
import tomllib
from pathlib import Path

import pytest

from probe.config.settings import Config, parse_config
from probe.watch.first_sweep import pausing_window
from tests.probe import serve_process
from tests.probe.internet import ZONE, Internet
from tests.probe.serve_process import STILL, Served, served

ALWAYS = '[[maintenance]]\nname = "patches"\nstart = 2020-01-01T00:00:00Z\nend = 2099-01-01T00:00:00Z\npause = true\n'
SAID = "The maintenance window patches is open: the first look begins when it has ended."


def reloaded(daemon: Served, text: str) -> None:
    daemon.config.write_text(text)
    assert daemon.client.ask("/-/reload", "POST")[0] == 200


def config(end: str, pause: str) -> Config:
    text = f'[[maintenance]]\nname = "one"\nstart = 2020-01-01T00:00:00Z\nend = {end}\npause = {pause}\n'
    return parse_config(tomllib.loads(text), "test")


def test_only_a_window_that_is_open_and_pauses_does() -> None:
    found = pausing_window(config("2099-01-01T00:00:00Z", "true"))
    assert found is not None
    assert found.name == "one"
    assert pausing_window(config("2099-01-01T00:00:00Z", "false")) is None
    assert pausing_window(config("2020-01-02T00:00:00Z", "true")) is None
    assert pausing_window(Config()) is None


def test_in_a_window_that_pauses_nothing_is_asked_until_it_has_ended(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    with served(tmp_path, net=net, schedule=STILL, more=ALWAYS) as daemon:
        daemon.until(lambda: SAID in daemon.log())
        daemon.until(lambda: SAID in daemon.client.get("/"), 5)
        assert (daemon.client.status("/-/ready"), daemon.client.status("/-/healthy")) == (503, 200)
        assert daemon.client.status("/report.json") == 503
        good = daemon.config.read_text()
        reloaded(daemon, 'site = "elsewhere"\n' + good)
        assert (net.hits, net.asked) == ([], []), "nor by a reload"
        daemon.config.write_text(good.replace(ALWAYS, ""))  # which is seen without being told
        daemon.ready()
        daemon.until(lambda: SAID not in daemon.client.get("/"), 5)
        assert net.hits
        assert daemon.log().count(SAID) == 1
        assert daemon.end()[0] == 0


def test_a_window_that_opens_during_the_first_look_gives_it_up_until_it_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_process, "TIMEOUTS", serve_process.TIMEOUTS.replace("tls = 1.0", "tls = 15.0"))
    net = Internet(tmp_path)
    net.places |= {address: "silent" for found in ZONE.values() for address in found}
    with served(tmp_path, net=net, schedule=STILL) as daemon:
        good = daemon.config.read_text()
        daemon.until(lambda: len(net.hits) >= 4)
        reloaded(daemon, good + ALWAYS)
        daemon.until(lambda: SAID in daemon.log(), 10)
        before = len(net.hits), len(net.asked)
        net.places.clear()
        daemon.until(lambda: SAID in daemon.client.get("/"), 5)
        assert daemon.client.status("/-/ready") == 503
        assert (len(net.hits), len(net.asked)) == before
        reloaded(daemon, good)
        daemon.ready()
        assert len(net.hits) > before[0]
        daemon.until(lambda: '"answer": "yes"' in daemon.client.get("/report.json"), 5)
        assert "Traceback" not in daemon.log()


def test_an_end_in_a_window_is_an_end(tmp_path: Path) -> None:
    with served(tmp_path, schedule=STILL, more=ALWAYS) as daemon:
        daemon.until(lambda: SAID in daemon.log())
        code, took = daemon.end()
        assert (code, took < 5) == (0, True)
        assert "Traceback" not in daemon.log()


def test_a_window_that_opens_by_itself_later_is_heard_within_seconds_and_so_is_its_end(
    tmp_path: Path,
) -> None:
    """Not only at a tick, which comes every half minute: the page says at once that nothing is asked."""
    opens = time.time() + 8.0
    window = f'[[maintenance]]\nname = "later"\nstart = {_shown(opens)}\nend = {_shown(opens + 16.0)}\npause = true\n'
    net = Internet(tmp_path)
    with served(tmp_path, net=net, more=window) as daemon:
        daemon.ready()
        assert time.time() < opens
        time.sleep(opens + 7.0 - time.time())
        quiet = time.monotonic()
        time.sleep(opens + 16.0 - time.time())
        assert [hit for hit in net.hits if hit.at > quiet] == []
        ended = time.monotonic()
        daemon.until(lambda: [hit for hit in net.hits if hit.at > ended], 8)
        assert daemon.end()[0] == 0


def _shown(at: float) -> str:
    return datetime.datetime.fromtimestamp(round(at), datetime.UTC).isoformat()
