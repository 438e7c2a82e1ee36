"""`wayclear serve` as a process: how it starts, reloads and ends, whatever happens to the network, the clock and the disk."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from probe.host.signals import SAME
from tests.probe.internet import RESOLVERS, SIGN_IN, ZONE, Internet
from tests.probe.serve_process import FAULTS, Scrapers, Served, faketime, remove, served


def hanging(directory: Path) -> Internet:
    """Names resolve, and nobody behind them says a word."""
    net = Internet(directory)
    net.places |= {address: "silent" for found in ZONE.values() for address in found}
    return net


# --- the end --------------------------------------------------------------------------------------------------------------


def half_a_request(daemon: Served) -> socket.socket:
    sock = daemon.client.connect()
    sock.sendall(b"GET /metrics HTTP/1.1\r\n")
    return sock


def a_reader_that_does_not_read(daemon: Served) -> socket.socket:
    sock = daemon.client.connect()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)
    return sock


@pytest.mark.parametrize(
    "state", ["starting", "names hang", "targets hang", "steady", "half a request", "slow reader"]
)
def test_sigterm_ends_it_in_every_state(tmp_path: Path, state: str) -> None:
    net = hanging(tmp_path) if state == "targets hang" else Internet(tmp_path)
    if state == "names hang":
        net.dead |= set(RESOLVERS)
    with served(tmp_path, net=net) as daemon:
        daemon.listening()
        asked = None
        if state == "names hang":
            daemon.until(lambda: net.asked)
        elif state == "targets hang":
            daemon.until(lambda: len(net.hits) >= 4)
        elif state != "starting":
            daemon.ready()
            if state == "half a request":
                asked = half_a_request(daemon)
            elif state == "slow reader":
                asked = a_reader_that_does_not_read(daemon)
        code, took = daemon.end()
        assert (code, took < 5) == (0, True), daemon.log()
        assert 'msg="ending"' in daemon.log()
        assert not re.search("Traceback|nknown child|that handles pid", daemon.log())
        assert not [p for p in (tmp_path / "state").iterdir() if p.name.endswith("-wal") and p.stat().st_size]
        if asked is not None:
            asked.close()


def test_what_is_asked_during_the_end_changes_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.ready()
        daemon.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ProcessLookupError):
            while daemon.process.poll() is None:
                daemon.process.send_signal(signal.SIGHUP)
                time.sleep(0.005)
        assert daemon.process.returncode == 0


#: What hangs, and how far the service comes with it. Put in before the program begins, as a disk would do it.
HANGS = {
    "the history": """
async def hangs(self): await asyncio.Event().wait()
probe.history.writer.History.open = hangs
""",
    "the disk": """
import probe.history.store, threading
probe.history.store.Store.write = lambda *_: threading.Event().wait()
""",
    "a reload": """
import threading
def hangs(*_, **__): threading.Event().wait(60) if calls else calls.append(1); return load(*_, **__)
import probe.command.serve
calls, load, probe.command.serve.load_config = [], probe.command.serve.load_config, hangs
""",
    "the end": """
async def hangs(self): await asyncio.Event().wait()
probe.history.writer.History.close = hangs
""",
}


def with_what_hangs(directory: Path, what: str) -> dict[str, str]:
    (directory / "sitecustomize.py").write_text(f"import asyncio, probe.history.writer\n{HANGS[what]}")
    return {"PYTHONPATH": str(directory)}


def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    with served(tmp_path, environment=with_what_hangs(tmp_path, "the end")) as daemon:
        daemon.ready()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until(lambda: 'msg="ending"' in daemon.log())
        time.sleep(SAME)  # until then it would be the same request
        code, took = daemon.end()
        assert (code, took < 0.5) == (1, True)


@pytest.mark.parametrize("what", HANGS)
def test_what_hangs_is_left_behind(tmp_path: Path, what: str) -> None:
    with served(tmp_path, environment=with_what_hangs(tmp_path, what)) as daemon:
        daemon.until(lambda: daemon.client.status("/-/healthy") == 200)
        if what == "a reload":
            daemon.ready()
            by_signal(daemon)
            time.sleep(0.3)  # the thread hangs, which nobody tells
        code, took = daemon.end()
        assert (code, took < 5) == (0, True)


def test_ctrl_c_is_an_end_as_well(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.listening()
        assert daemon.end(signal.SIGINT)[0] == 0
        assert "Traceback" not in daemon.log()


# --- reloads --------------------------------------------------------------------------------------------------------------

RELOADED = "wayclear_config_last_reload_successful"


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A daemon in its steady state, for tests that leave it so."""
    with served(tmp_path_factory.mktemp("steady")) as daemon:
        daemon.ready()
        yield daemon


def by_signal(daemon: Served) -> None:
    daemon.process.send_signal(signal.SIGHUP)


def by_request(daemon: Served) -> None:
    assert daemon.client.ask("/-/reload", "POST")[0] in (200, 500)


def by_itself(_: Served) -> None:
    """Within seconds of a change."""


@pytest.mark.parametrize("how", [by_signal, by_request, by_itself])
def test_a_good_file_is_in_force_soon(steady: Served, how: Callable[[Served], None]) -> None:
    text = steady.config.read_text()
    try:
        steady.config.write_text(f'site = "{how.__name__}"\n{text}')
        how(steady)
        steady.until(lambda: f'"site": "{how.__name__}"' in steady.client.get("/config"))
        steady.until(lambda: steady.metric(RELOADED, site=how.__name__) == 1)
    finally:
        steady.config.write_text(text)
        by_request(steady)


def refused(daemon: Served) -> str:
    """The last line of the log that tells of a bad file."""
    lines = [
        line for line in daemon.log().splitlines() if "reload refused, the old configuration stays" in line
    ]
    return lines[-1] if lines else ""


def test_bad_files_keep_the_old_configuration_while_it_is_scraped_and_measures(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.ready()
        scrapers = Scrapers(daemon)
        good, rules = daemon.config.read_bytes(), (tmp_path / "rules.toml").read_bytes()
        before = daemon.client.get("/config")
        with scrapers:
            for number, spoil in enumerate(FAULTS):
                expected, ways = spoil(daemon), (by_signal, by_request)
                ways[number % 2](daemon)
                daemon.until(lambda e=expected: e in refused(daemon))  # type: ignore[misc]
                daemon.until(lambda: daemon.metric(RELOADED) == 0)
                assert daemon.client.get("/config") == before
                daemon.until(
                    lambda: "configuration was refused, the old one stays in force" in daemon.client.get("/"),
                    4,
                )
                remove(daemon.config)
                (tmp_path / "rules.toml").write_bytes(rules)
                daemon.config.write_bytes(good)
                by_request(daemon)
                daemon.until(lambda: daemon.metric(RELOADED) == 1)
        daemon.until(lambda: "configuration was refused" not in daemon.client.get("/"), 4)
        hits = [hit.at for hit in daemon.net.to(SIGN_IN)]
        assert max(b - a for a, b in itertools.pairwise(hits)) < 2.5, (
            "its interval is one second: no probe was dropped"
        )
        assert not daemon.metric("wayclear_cycles_missed_total")
        assert (scrapers.failures, scrapers.scrapes > 100) == ([], True)
        assert daemon.end()[0] == 0


def test_the_reason_is_told_to_who_asked(steady: Served) -> None:
    text = steady.config.read_text()
    try:
        steady.config.write_text("speling = 1\n" + text)
        status, said, _ = steady.client.ask("/-/reload", "POST")
        assert status == 500
        assert said.startswith("Not reloaded, the old configuration stays: ")
        assert str(steady.config) in said
        assert "speling" in said
    finally:
        steady.config.write_text(text)
        by_request(steady)


def test_reloads_at_once_come_one_after_the_other_and_the_last_file_wins(steady: Served) -> None:
    text = steady.config.read_text()
    try:
        threads = []
        for number in range(12):
            steady.config.write_text(f'region = "r{number}"\n{text}')
            threads.append(threading.Thread(target=by_request, args=[steady]))
            threads[-1].start()
            by_signal(steady)
        for thread in threads:
            thread.join(20)
        steady.until(lambda: '"region": "r11"' in steady.client.get("/config"))
        steady.until(lambda: steady.metric("wayclear_build_info", region="r11") == 1)
    finally:
        steady.config.write_text(text)
        by_request(steady)


def test_a_reload_during_the_first_look_waits_for_nothing(tmp_path: Path) -> None:
    net = hanging(tmp_path)
    with served(tmp_path, net=net) as daemon:
        daemon.until(lambda: len(net.hits) >= 4)
        daemon.config.write_text('site = "early"\n' + daemon.config.read_text())
        by_signal(daemon)
        daemon.until(lambda: '"site": "early"' in daemon.client.get("/config"), 2)
        daemon.until(lambda: daemon.metric(RELOADED, site="early") == 1, 5)
        assert daemon.client.status("/-/ready") == 503


def test_new_rules_are_asked_for_and_old_ones_no_more(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.ready()
        rules = tmp_path / "rules.toml"
        rules.write_text(rules.read_text().replace(SIGN_IN, "fresh.svc.example"))
        by_request(daemon)
        daemon.until(lambda: [q for q in daemon.net.asked if q.name == "fresh.svc.example"])
        daemon.until(lambda: "fresh.svc.example:443" in daemon.client.get("/targets"))
        daemon.until(lambda: SIGN_IN not in daemon.client.get("/targets"))
        daemon.until(lambda: daemon.metric("wayclear_check_success", target=SIGN_IN) is None)


# --- the clock and the processor ------------------------------------------------------------------------------------------


def dumped(directory: Path) -> str:
    """Everything that the history holds, as SQL."""
    with contextlib.closing(sqlite3.connect(directory / "state" / "history.sqlite")) as connection:
        return "\n".join(connection.iterdump())


def test_steps_of_years_cost_at_most_one_extra_cycle_each(tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    preload = {
        "LD_PRELOAD": faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
    }
    with served(tmp_path, environment=preload | {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}) as daemon:
        daemon.ready()
        begun = time.monotonic()
        for number, days in enumerate((-1825, 1825), 1):
            clock.write_text(f"{days:+d}d")
            daemon.until(lambda n=number: daemon.metric("wayclear_clock_steps_total") == n, 60)  # type: ignore[misc]
        ran = time.monotonic() - begun
        hits = [hit.at for hit in daemon.net.to(SIGN_IN) if hit.at > begun]
        assert ran * 0.5 - 1 <= len(hits) <= ran + 2 + 2, "one a second, and one for each step"
        assert max(b - a for a, b in itertools.pairwise(hits)) < 4
        assert not daemon.metric("wayclear_jobs_missed_total")
        daemon.until(lambda: "local.clock-skew" in daemon.client.get("/report.json"), 60)
        assert daemon.end()[0] == 0
        assert "the clock was set by -1576" in daemon.log()
        assert dumped(tmp_path).count("clock stepped") == 2


@pytest.mark.parametrize("seconds", [4, pytest.param(50, marks=pytest.mark.proof)])
def test_a_process_that_stood_still_catches_up_once(tmp_path: Path, seconds: int) -> None:
    with served(tmp_path) as daemon:
        daemon.ready()
        daemon.until(lambda: daemon.metric("wayclear_last_cycle_timestamp_seconds", kind="service"))
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        woken = time.monotonic()
        daemon.process.send_signal(signal.SIGCONT)
        daemon.until(lambda: len([h for h in daemon.net.to(SIGN_IN) if h.at > woken]) >= 3)
        early = [h for h in daemon.net.to(SIGN_IN) if woken < h.at < woken + 0.9]
        assert len(early) <= 2, "the one that was late, and its own next"
        assert (daemon.metric("wayclear_cycles_missed_total", kind="sign-in") or 0) >= seconds - 2
        if seconds > 30:
            daemon.until(lambda: daemon.metric("wayclear_jobs_missed_total"))
        daemon.until(lambda: '"answer": "yes"' in daemon.client.get("/report.json"))


# --- the service manager, few descriptors, the log, the disk ----------------------------------------------------------------


def test_the_service_manager_hears_of_it(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10)
        heard: list[str] = []

        def until(word: str) -> None:
            while not any(line.startswith(word) for line in heard):
                heard.extend(manager.recv(4096).decode().splitlines())

        with served(tmp_path, environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"}) as daemon:
            until("READY=1")
            assert daemon.client.status("/-/healthy") == 200, "it is ready when it listens"
            until("STATUS=first look")
            until("STATUS=yes: 4 targets")
            until("WATCHDOG=1")
            heard.clear()
            by_signal(daemon)
            until("RELOADING=1")
            until("MONOTONIC_USEC=")
            heard.clear()
            until("READY=1")
            daemon.process.send_signal(signal.SIGTERM)
            until("STOPPING=1")


def test_with_few_descriptors_it_is_scraped_and_blames_nobody(tmp_path: Path) -> None:
    net = Internet(tmp_path, more=60)
    with served(tmp_path, net=net, around=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"]) as daemon:
        daemon.ready()
        net.places |= {address: "silent" for name in net.zone.values() for address in name.v4}
        with Scrapers(daemon, 8) as scrapers:
            daemon.until(lambda: (daemon.metric("wayclear_probes_in_flight") or 0) > 8)
            time.sleep(3)
        assert (scrapers.failures, scrapers.scrapes > 50) == ([], True)
        report = daemon.client.get("/report.json")
        assert "no-descriptors" not in report
        assert daemon.end()[0] == 0
        assert "Traceback" not in daemon.log()


def test_the_log_is_one_harmless_line_for_each_event(tmp_path: Path) -> None:
    site = "x\\u001b]0;owned\\u0007"
    with served(tmp_path) as daemon:
        daemon.ready()
        daemon.config.write_text(
            f'"spe\\nts=2026 level=info msg=forged\\u202e" = "{site}"\n' + daemon.config.read_text()
        )
        by_request(daemon)
        daemon.config.write_text("x" * 1_000_000 + "\n")
        by_request(daemon)
        daemon.end()
        lines = (tmp_path / "log").read_bytes().splitlines()
        assert len(lines) > 5
        for line in lines:
            assert re.fullmatch(
                rb'ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d level=[a-z]+ msg="[\x20-\x7e]*"', line
            ), line
            assert len(line) <= 8192 + 200
        assert any(b"speling" in line or b"forged" in line for line in lines)


def test_a_history_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("no directory")
    with served(tmp_path) as daemon:
        daemon.ready()
        assert daemon.metric("wayclear_history_writable") == 0
        hits = len(daemon.net.hits)
        daemon.until(lambda: len(daemon.net.hits) > hits + 5)
        assert daemon.metric("wayclear_connector_can_live") == 1
        assert json.loads(daemon.client.get("/report.json"))["answer"] == "yes"
        assert daemon.end()[0] == 0
        assert "history" in daemon.log()
