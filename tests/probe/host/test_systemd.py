"""What the service manager is told: real datagrams to real sockets, and silence where there is none."""

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.host.systemd import LONGEST_STATUS, LONGEST_WAIT, Notifier

SYSTEMD = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and its name in NOTIFY_SOCKET."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@wayclear-test-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name.replace("@", "\0", 1) if name.startswith("@") else name)
        listening.settimeout(5)
        yield listening, name


def test_what_the_manager_hears(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    said = [notifier.ready(), notifier.watchdog(), notifier.status("40 names, all well"), notifier.stopping()]
    assert said == [True] * 4
    heard = [listening.recv(4096) for _ in said]
    assert heard == [b"READY=1", b"WATCHDOG=1", b"STATUS=40 names, all well", b"STOPPING=1"]
    notifier.close()


def test_a_reload_tells_its_time(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert notifier.reloading()
    told = re.fullmatch(rb"RELOADING=1\nMONOTONIC_USEC=(\d+)", listening.recv(4096))
    assert told
    assert before <= int(told[1]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notifier.close()


def test_closed_twice_it_opens_again(manager: tuple[socket.socket, str]) -> None:
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.ready()
    notifier.close()
    notifier.close()
    assert notifier.watchdog()
    assert [listening.recv(99), listening.recv(99)] == [b"READY=1", b"WATCHDOG=1"]
    notifier.close()


@pytest.mark.parametrize(
    "text", ["x\nREADY=1", "x\r\nWATCHDOG=1", "x\0STOPPING=1", "\x1b]0;x\x07", "\ud800", "x" * 100_000, ""]
)
def test_a_status_is_one_line_whatever_a_peer_wrote(manager: tuple[socket.socket, str], text: str) -> None:
    listening, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    assert notifier.status(text)
    line = listening.recv(65_536).decode("utf-8")
    assert line.startswith("STATUS=")
    assert line.isprintable()
    assert len(line) <= LONGEST_STATUS + 60, "a long text says how much of it is not shown"
    notifier.close()


def test_without_a_manager_nothing_happens() -> None:
    notifier = Notifier({})
    assert (notifier.interval, notifier.ready(), notifier.reloading(), notifier.stopping()) == (
        None,
        False,
        False,
        False,
    )
    assert (notifier.watchdog(), notifier.status("text")) == (False, False)
    notifier.close()


@pytest.mark.parametrize(
    "name",
    [
        "",
        "@",
        "relative",
        "vsock:2:1234",
        "/nowhere/at/all",
        "/a\0b",
        "/" + "x" * 500,
        "@" + "x" * 500,
        "\ud800",
    ],
)
def test_a_socket_that_cannot_be_is_no_error(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, **SYSTEMD})
    assert not notifier.ready()
    notifier.close()


def test_a_manager_that_went_away_and_came_back(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    notifier = Notifier({"NOTIFY_SOCKET": name})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as first:
        first.bind(name)
        assert notifier.ready()
    assert not notifier.watchdog(), "bound to nobody"
    Path(name).unlink()
    assert not notifier.watchdog(), "not there"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as second:
        second.bind(name)
        second.settimeout(5)
        assert notifier.watchdog()
        assert second.recv(99) == b"WATCHDOG=1"
    notifier.close()


def test_a_manager_that_never_reads_holds_nobody_up(manager: tuple[socket.socket, str]) -> None:
    _, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    for _ in range(100_000):  # its queue is a matter of the system's settings
        began = time.monotonic()
        if not notifier.watchdog():
            break
    else:
        pytest.fail("a queue without end")
    assert time.monotonic() - began < LONGEST_WAIT + 60
    notifier.close()


def test_the_watchdog_is_fed_when_descriptors_have_run_out(tmp_path: Path) -> None:
    """A service without descriptors lives on, and its manager hears so."""
    script = """
import os, resource
from probe.host.systemd import Notifier
notifier = Notifier(os.environ)
print(notifier.ready())
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
print(notifier.watchdog())
"""
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(name)
        run = subprocess.run(
            [sys.executable, "-c", script],
            env={"NOTIFY_SOCKET": name, "PYTHONPATH": str(Path(__file__).resolve().parents[3])},
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
    assert run.stdout.split() == ["True", "True"], run.stderr


def test_the_interval_is_half_of_what_the_manager_allows(tmp_path: Path) -> None:
    place = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
    assert Notifier({**place, "WATCHDOG_USEC": "30000000"}).interval == 15
    assert Notifier({**place, **SYSTEMD}).interval == 15
    assert Notifier({**place, **SYSTEMD}, pid=1).interval is None, "meant for another process"
    assert Notifier(SYSTEMD).interval is None, "nobody to tell"


@given(st.one_of(st.text(max_size=30), st.sampled_from(["0", "-1", "1.5", "9" * 5000, "1e9", "٣", " 1"])))
def test_any_watchdog_time_is_a_positive_interval_or_none(period: str) -> None:
    interval = Notifier({"NOTIFY_SOCKET": "/nowhere", "WATCHDOG_USEC": period}).interval
    assert interval is None or interval > 0
