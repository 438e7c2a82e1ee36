"""Signals of real processes: this one, for a moment, and the service, from its first moment to its last."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.host import signals
from tests.probe.cell import ROOT
from tests.probe.internet import Internet
from tests.probe.looped import looping
from tests.probe.serve_process import Served, served

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextlib.contextmanager
def as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def handle(heard: asyncio.Queue[str]) -> None:
    """Each signal puts into `heard` what the service would do."""
    loop = asyncio.get_running_loop()
    signals.handle_signals(loop, lambda: heard.put_nowait("stop"), lambda: heard.put_nowait("reload"))


@looping
async def test_each_signal_calls_what_it_means_and_none_ends_a_process_that_ends_already() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    with as_before():
        handle(heard)
        for number, meant in ((signal.SIGHUP, "reload"), (signal.SIGTERM, "stop"), (signal.SIGHUP, "reload")):
            os.kill(os.getpid(), number)
            assert await heard.get() == meant
        signals.ignore_signals(asyncio.get_running_loop())
        for number in NUMBERS:
            os.kill(os.getpid(), number)
        await asyncio.sleep(0)
        with pytest.raises(asyncio.QueueEmpty):
            heard.get_nowait()


@pytest.mark.parametrize("quiet", [False, True])
def test_a_full_wake_up_buffer_is_no_traceback(quiet: bool) -> None:
    """What asyncio's loop for Windows does, without the loop."""
    script = (
        "import os, signal, socket\nfrom probe.host.signals import quiet_wakeup\n"
        "read, write = socket.socketpair()\nwrite.setblocking(False)\n"
        "try:\n    while write.send(b'x' * 4096): pass\nexcept BlockingIOError: pass\n"
        "heard = []\nsignal.signal(signal.SIGINT, lambda *_: heard.append(1))\n"
        f"signal.set_wakeup_fd(write.fileno())\nif {quiet}: quiet_wakeup()\n"
        "os.kill(os.getpid(), signal.SIGINT)\nprint(heard)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "[1]\n", done.stderr
    assert ("Exception ignored" in done.stderr) is not quiet


@looping
async def test_a_second_signal_at_once_is_the_same_request_and_a_later_one_is_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(signals, "SAME", 0.2)
    with as_before():
        handle(heard)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert {await heard.get(), await heard.get()} == {"stop", "reload"}
        await asyncio.sleep(0.25)
        assert heard.empty()
        os.kill(os.getpid(), signal.SIGTERM)
        assert await heard.get() == "stop"
        signals.ignore_signals(asyncio.get_running_loop())


@looping
async def test_a_hang_up_is_a_reload_while_the_terminal_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    with as_before(), monkeypatch.context() as patched:
        patched.setattr(signals, "_has_terminal", lambda: True)
        with signals.handle_early_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            handle(heard)
            assert await heard.get() == "reload", "the one that came before anybody heard"
            os.kill(os.getpid(), signal.SIGHUP)
            assert await heard.get() == "reload"
            patched.setattr(signals, "_has_terminal", lambda: False)
            os.kill(os.getpid(), signal.SIGHUP)
            assert await heard.get() == "stop"
            signals.ignore_signals(asyncio.get_running_loop())


@looping
async def test_whoever_was_started_with_nohup_outlives_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    with as_before(), monkeypatch.context() as patched:
        patched.setattr(signals, "_has_terminal", lambda: True)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with signals.handle_early_signals():
            patched.setattr(signals, "_has_terminal", lambda: False)
            handle(heard)
            os.kill(os.getpid(), signal.SIGHUP)
            assert await heard.get() == "reload"
            signals.ignore_signals(asyncio.get_running_loop())


def test_what_nobody_heard_is_as_it_was() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with signals.handle_early_signals():
        assert not set(before) & {signal.getsignal(number) for number in NUMBERS}
    assert [signal.getsignal(number) for number in NUMBERS] == before


# --- the service ------------------------------------------------------------------------------------------------------------

#: A signal at the moment when a module is looked for.
AT = """
import os, sys
class Finder:
    def find_spec(self, name, *_):
        if name == {module!r}:
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Finder())
"""


def patched(directory: Path, module: str, number: int) -> dict[str, str]:
    found = directory / "patches"
    found.mkdir()
    (found / "sitecustomize.py").write_text(AT.format(module=module, number=int(number)))
    return {"PYTHONPATH": str(found)}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("module", ["probe.command.serve", "probe.serve.daemon"])
def test_an_end_before_it_began_is_an_end_without_fault(
    tmp_path: Path, module: str, number: signal.Signals
) -> None:
    net = Internet(tmp_path)
    net.write()
    (tmp_path / "wayclear.toml").write_text(net.config())
    words = ["--config", str(tmp_path / "wayclear.toml"), "--state", str(tmp_path / "state"), "--allow-root"]
    done = subprocess.run(
        [sys.executable, "-m", "probe", "serve", *words],
        cwd=ROOT, env=os.environ | patched(tmp_path, module, number), capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.endswith('level=info msg="ended before it began"\n')
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_a_reload_that_is_asked_for_before_it_began_comes_after_it(tmp_path: Path) -> None:
    with served(tmp_path, environment=patched(tmp_path, "probe.command.serve", signal.SIGHUP)) as daemon:
        daemon.until(lambda: 'msg="reloaded"' in daemon.log())
        assert daemon.end()[0] == 0


def left_over(daemon: Served) -> list[Path]:
    state = daemon.directory / "state"
    return [path for path in state.iterdir() if path.name.endswith("-wal") and path.stat().st_size]


def test_two_sigterms_at_once_are_one(tmp_path: Path) -> None:
    with served(tmp_path) as daemon:
        daemon.ready()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until(lambda: 'msg="ending"' in daemon.log())
        code, _ = daemon.end()
        assert (code, left_over(daemon)) == (0, [])


#: A terminal with a session in it, whose leader waits for the service, as a shell waits for `make serve`. SIGUSR1 closes it.
TERMINAL = """
import os, pty, signal, subprocess, sys
read, write = os.pipe()
log = os.dup(2)
pid, terminal = pty.fork()
if pid == 0:
    subprocess.run(sys.argv[1:], stderr=log, pass_fds=[write])
    os._exit(0)
os.close(write)
signal.signal(signal.SIGUSR1, lambda *_: os.close(terminal))
os.read(read, 1)  # until nobody has the other end any more
"""


def test_a_service_ends_with_its_terminal(tmp_path: Path) -> None:
    with served(tmp_path, around=[sys.executable, "-c", TERMINAL]) as daemon:
        daemon.ready()
        code, took = daemon.end(signal.SIGUSR1, 8)
        assert (code, took < 5) == (0, True)
        assert 'msg="ending"' in daemon.log()
        assert 'msg="reloaded"' not in daemon.log()
        assert left_over(daemon) == []
