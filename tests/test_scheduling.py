"""Which process of pytest-xdist runs which tests: see `tests/conftest.py`."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict

from tests.conftest import LONG, OF_RECORDINGS, SPREAD, group_of
from tests.lab.lab import ROOT


def test_one_process_runs_all_of_a_file() -> None:
    """By pytest itself: pytest-xdist has marks for it that do nothing under some versions of pytest."""
    files = ["tests/rules/watch/test_ledger.py", "tests/rules/watch/test_events.py"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-v",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "-p",
            "no:cacheprovider",
            *files,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    processes = defaultdict(set)
    for process, file in re.findall(r"^\[(gw\d)\].* PASSED (tests/\S+?)::", done.stdout, re.MULTILINE):
        processes[file].add(process)
    assert {file: len(seen) for file, seen in processes.items()} == dict.fromkeys(files, 1)


def test_groups() -> None:
    assert group_of("tests/a.py::test_b[x::y]") == "tests/a.py"
    assert group_of(f"{SPREAD[0]}::test_b[c]") == f"{SPREAD[0]}::test_b[c]"
    assert len({group_of(f"{file}::test_b") for file in OF_RECORDINGS}) == 1


def test_the_named_files_exist() -> None:
    assert [name for name in (*LONG, *SPREAD, *OF_RECORDINGS) if not (ROOT / name).exists()] == []
