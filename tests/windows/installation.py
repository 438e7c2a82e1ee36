"""The program as it is installed on Windows, in a Wine prefix that is made for one run of the tests.

What takes long is built once and kept in the user's cache, by a key of everything that it is made from: a prefix with the
interpreter and the locked wheels. Each run gets a copy of it by hard links, with wayclear from this clone.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.windows import building, interpreter
from tests.windows.wine import ROOT, SERVER, SITE, Wine

#: Files of this directory that a build depends on.
OWN = ("building.py", "interpreter.py", "precompile.py", "requirements.txt", "python.c", "bcryptprimitives.c")
KEPT = 2  #: builds in the cache; older ones go
ABANDONED = 86_400.0  #: seconds after which the copy of a run that was killed goes


@contextlib.contextmanager
def installed() -> Iterator[Wine]:
    """The program in a prefix that is removed afterwards, with all processes in it. Nothing runs in it yet: its sockets will
    be of the network in which its first program is started."""
    cache = _cache()
    copy = Path(tempfile.mkdtemp(prefix="run-", dir=cache))
    wine = Wine(copy)
    try:
        with _locked(cache):
            _copy(_built(cache), copy)
        with tempfile.TemporaryDirectory() as work:
            building.bundle().install_wayclear(copy / SITE, Path(work))
        yield wine
    finally:
        wine.end()
        shutil.rmtree(copy)


def prepare() -> None:
    """Build what is not in the cache. The tests would do so as well; before them nobody takes it for a test that hangs."""
    cache = _cache()
    with _locked(cache):
        _built(cache)


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wayclear-windows"
    cache.mkdir(parents=True, exist_ok=True)
    return cache


@contextlib.contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Of several processes one builds, the others wait."""
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copy(built: Path, copy: Path) -> None:
    """The prefix by hard links, but for the registry, which Wine writes where it is."""
    shutil.copytree(built, copy, symlinks=True, copy_function=os.link, dirs_exist_ok=True)
    for file in copy.glob("*.reg"):
        file.unlink()
        shutil.copyfile(built / file.name, file)


def _built(cache: Path) -> Path:
    """The prefix with interpreter and wheels, out of the cache or built now."""
    built = cache / _key()
    if not built.exists():
        sys.stderr.write(
            "wayclear: building the program for Windows once, with Python and Wine, for tests only\n"
        )
        with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as name:
            building.prefix(Path(name)).rename(built)
    os.utime(built)
    builds = sorted(cache.glob("built-*"), key=lambda path: path.stat().st_mtime)
    left = [run for run in cache.glob("run-*") if time.time() - run.stat().st_mtime > ABANDONED]
    for old in (*builds[:-KEPT], *left):
        shutil.rmtree(old)
    return built


def _key() -> str:
    """Of everything that goes into a build."""
    inputs = [interpreter.HERE / name for name in OWN]
    inputs += [building.BUNDLE, ROOT / "requirements/run.txt", Path(SERVER), *interpreter.stdlib_files()]
    digest = hashlib.sha256()
    for file in inputs:
        digest.update(f"{file.name}\0{hashlib.sha256(file.read_bytes()).hexdigest()}\0".encode())
    digest.update(interpreter.run(interpreter.COMPILER, "--version").encode())
    return f"built-{digest.hexdigest()[:16]}"


if __name__ == "__main__":
    prepare()
