"""Commands under Wine, in a prefix of the tests' own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WINE = "/usr/lib/wine/wine64"
SERVER = "/usr/lib/wine/wineserver64"
PYTHON = Path("drive_c/Program Files/wayclear/python")  #: where install.ps1 puts it
SITE = PYTHON / "Lib/site-packages"
PATIENCE = 900.0  #: seconds for one command: tells hanging from slow
#: Nothing of Wine's that a server would not have: no browser, no .NET, no menus; and no window, whatever display there is.
_OVERRIDES = "mscoree,mshtml,winemenubuilder.exe="
_FOREIGN = ("PYTHON", "WINE", "XDG_", "COV_", "COVERAGE")


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command said."""

    code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class Wine:
    """A prefix with the program in it."""

    prefix: Path

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of a command."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN) and k != "DISPLAY"}
        return inherited | {
            "HOME": str(self.prefix),
            "LC_ALL": "C.UTF-8",
            "WINEPREFIX": str(self.prefix),
            "WINESERVER": SERVER,
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": _OVERRIDES,
        }

    def python(self, *arguments: str) -> list[str]:
        """The command line of the installed Python. Its standard streams must be pipes: Wine takes no files."""
        return [WINE, str(self.prefix / PYTHON / "python.exe"), *arguments]

    def wayclear(self, *arguments: str) -> list[str]:
        """The command line of the program, as docs/windows.md has it."""
        return self.python("-I", "-m", "probe", *arguments)

    def run(self, command: Sequence[str], *, cwd: Path = ROOT, timeout: float = PATIENCE) -> Finished:
        """Run a command to its end."""
        return finished(command, cwd=cwd, environment=self.environment, timeout=timeout)

    @contextlib.contextmanager
    def up(self) -> Iterator[None]:
        """Keep Wine's own services running meanwhile: they end with the last program, and take a second to start.

        What they inherit they hold open, so the program that waits has pipes of its own.
        """
        waiting = self.python("-I", "-c", "import sys; print('up', flush=True); sys.stdin.read()")
        pipe = subprocess.PIPE
        with subprocess.Popen(
            waiting, env=self.environment, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
        ) as process:
            assert process.stdin
            assert process.stdout
            assert process.stdout.readline().strip() == b"up"
            try:
                yield
            finally:
                process.stdin.close()

    def end(self) -> None:
        """End every process of this prefix, and no other."""
        for argument in ("-k", "-w"):
            subprocess.run([SERVER, argument], env=self.environment, timeout=PATIENCE, check=False)


def finished(
    command: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
    timeout: float = PATIENCE,
) -> Finished:
    """Run a command to its end, its standard streams pipes; at the time limit its whole session is killed."""
    with subprocess.Popen(
        command, cwd=cwd, env=environment, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            out, err = process.communicate(b"", timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Finished(process.returncode, out, err)
