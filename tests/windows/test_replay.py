"""Replays under Wine are those of Linux, byte for byte: exit code, JSON, text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import recordings
from tests.lab import audit_files
from tests.lab.plan import Plan
from tests.lab.scenario import check
from tests.lab.scenarios import SCENARIOS
from tests.windows.wine import Finished, Wine, finished

SCRIPT = str(Path(__file__).with_name("replaying.py"))
NAMES = recordings.names()
EXPECTED = {scenario.name: scenario for scenario in SCENARIOS}
PARTS = 4  #: so many pairs of processes replay everything
ANY_DATE = re.compile(r'"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"')


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the lab's configuration, in which both programs run: no path of it differs between them."""
    directory = tmp_path_factory.mktemp("replays")
    audit_files.write(directory, Plan())
    file = directory / "wayclear.toml"
    file.write_text(file.read_text("utf-8").replace(f"{directory}/", ""), "utf-8")
    return directory


def compare(wine: Wine, place: Path, outputs: Iterable[str]) -> dict[str, int]:
    """Replay the reports in `place` on Linux and under Wine at the same time; the exit codes that both gave."""
    names = list(outputs)
    systems = {"linux": ([sys.executable, SCRIPT], None), "wine": (wine.python(SCRIPT), wine.environment)}

    def run(system: str) -> Finished:
        (place / system).mkdir(exist_ok=True)
        command, environment = systems[system]
        return finished([*command, "wayclear.toml", system, *names], cwd=place, environment=environment)

    with ThreadPoolExecutor() as pool:
        linux, windows = pool.map(run, systems)
    assert windows.code == linux.code == 0, (windows.stderr + linux.stderr)[-2000:].decode(errors="replace")
    codes: dict[str, int] = json.loads(linux.stdout)
    assert json.loads(windows.stdout) == codes
    differing = [n for n in names if (place / "linux" / n).read_bytes() != (place / "wine" / n).read_bytes()]
    assert differing == []
    return codes


@pytest.mark.parametrize("part", range(PARTS))
def test_every_golden_replay_is_that_of_linux(wine: Wine, place: Path, part: int) -> None:
    """As JSON, which holds everything that was judged, and judged as expected; some as text too (the next test: all)."""
    names = NAMES[part::PARTS]
    for name in names:
        (place / f"{name}.json").write_text(recordings.whole(name), "utf-8", newline="")
    codes = compare(
        wine, place, [*(f"{name}.json" for name in names), *(f"{name}.txt" for name in names[::4])]
    )
    for name in names:
        report = json.loads((place / "linux" / f"{name}.json").read_text("utf-8"))
        assert check(EXPECTED[name], report, codes[f"{name}.json"]).faults == (), name


@pytest.mark.proof
@pytest.mark.parametrize("part", range(PARTS))
def test_every_text_of_a_golden_is_that_of_linux(wine: Wine, place: Path, part: int) -> None:
    names = NAMES[part::PARTS]
    for name in names:
        (place / f"{name}.json").write_text(recordings.whole(name), "utf-8", newline="")
    compare(wine, place, [f"{name}.txt" for name in names])


def test_times_that_the_c_library_of_windows_refuses(wine: Wine, place: Path) -> None:
    """A peer without a clock, one of the far future, one whose zone nobody knows, and a report from before 1970."""
    text = recordings.whole("healthy")
    assert ANY_DATE.search(text)
    dates = {
        "old": "Thu, 01 Jan 1970 01:23:45 CET",
        "older": "Sun, 06 Nov 1904 08:49:37 GMT",
        "future": "Thu, 01 Jan 9998 00:00:00 GMT",
        "nowhere": "Mon, 30 Nov 2026 05:30:43 -0000",
        "unknown": "Mon, 30 Nov 2026 05:30:43 XYZ",
    }
    reports = {name: ANY_DATE.sub(f'"{date}"', text) for name, date in dates.items()}
    reports["before-1970"] = text.replace('"2026-', '"1969-')
    for name, report in reports.items():
        (place / f"{name}.json").write_text(report, "utf-8", newline="")
    compare(wine, place, [*(f"{name}.json" for name in reports), "old.txt", "before-1970.txt"])
