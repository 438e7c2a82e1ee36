"""Where the bench runs: a network namespace whose loopback has public-looking addresses, and a meter of CPU time."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.lab import namespaces

ROOT = Path(__file__).parents[2]
INSIDE = "WAYCLEAR_BENCH_INSIDE"
TOOLS = "/usr/sbin:/usr/bin:/sbin:/bin"
RESOLVER = "10.0.0.53"
#: Prefixes that are local in the namespace of the servers: whoever listens on the wildcard address has all of them.
LOCAL = ("20.0.0.0/8", "10.0.0.0/24", "199.7.83.0/24")
_SCHED_CLOCK = 2  # CPUCLOCK_SCHED of the kernel's include/linux/posix-timers.h


class BenchError(Exception):
    """The bench could not measure; says what was tried and what happened."""


def enter(argv: Sequence[str], module: str = "tests.bench") -> int | None:
    """Start this program (`module`) again in namespaces of its own and wait for it; None when it is inside already.

    Without root the namespaces belong to a user namespace. Everything ends with them.
    """
    if os.environ.get(INSIDE) == "1":
        return None
    flags = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    flags += [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    command = ["unshare", *flags, sys.executable, "-m", module, *argv]
    return subprocess.run(command, cwd=ROOT, env=os.environ | {INSIDE: "1"}, check=False).returncode


def settle(directory: Path) -> None:
    """Make this namespace's loopback the servers' network, with a resolver's address in resolv.conf."""
    run(["ip", "-batch", "-"], "link set lo up\n" + "".join(f"route add local {p} dev lo\n" for p in LOCAL))
    (directory / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:2 attempts:2\n")
    (directory / "hosts").write_text("127.0.0.1 localhost\n")
    (directory / "nsswitch.conf").write_text("hosts: files dns\n")
    files = {f"/etc/{n}": str(directory / n) for n in ("resolv.conf", "hosts", "nsswitch.conf")}
    namespaces.private_files(files)


def run(argv: Sequence[str], text: str = "", network: int | None = None) -> str:
    """Run a tool to its end, in the namespace that `network` is open on; BenchError with its own words if it fails."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, check=False, env=environment(),
        preexec_fn=prepare(network), pass_fds=() if network is None else (network,),
    )  # fmt: skip
    if done.returncode:
        raise BenchError(f"{' '.join(argv)}: {done.stdout}{done.stderr}".strip())
    return done.stdout


def prepare(network: int | None = None) -> Callable[[], None]:
    """What a child does before its exec: end with us, and live in `network` where one is given."""

    def child() -> None:
        namespaces.die_with_parent()
        if network is not None:
            namespaces.enter(network)

    return child


def environment() -> dict[str, str]:
    """Ours, without proxies and with the tools of the system administrator on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    return kept | {
        "PATH": f"{os.environ.get('PATH', '')}:{TOOLS}",
        "PYTHONUNBUFFERED": "1",
    }  # a log is read while it grows


def cpu_seconds(pid: int) -> float:
    """CPU time of a process so far, user and system, all its threads: the same clock for every process (clock_getcpuclockid(3))."""
    return time.clock_gettime_ns((~pid << 3) | _SCHED_CLOCK) / 1e9


class Service:
    """A process that says `ready` in its log before anybody uses it."""

    def __init__(
        self,
        argv: Sequence[str],
        log: Path,
        ready: str,
        network: int | None = None,
        *,
        pipe: bool = False,
        keep: tuple[int, ...] = (),
        root: Path = ROOT,
    ) -> None:
        """`root`: the checkout whose program it is."""
        stdin = subprocess.PIPE if pipe else subprocess.DEVNULL
        self._log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                argv, stdin=stdin, stdout=out, stderr=subprocess.STDOUT, cwd=root, env=environment(),
                preexec_fn=prepare(network),  # noqa: PLW1509  # a namespace is entered between fork and exec
                pass_fds=keep if network is None else (*keep, network),
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while ready not in self.log:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"{argv[0]} did not start: {self.log[-2000:]}")
            time.sleep(0.01)  # a foreign daemon's log is all that it tells

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stop(self) -> None:
        """Kill it and wait for its end."""
        self.process.kill()
        self.process.wait()
