"""The bench runs from end to end, with three of everything, and writes what it says it writes."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.compare import Turn, ratio, rounds
from tests.bench.exporter import PROGRAM
from tests.bench.figures import Chapter, Figure, Pair, as_json, lines, page
from tests.bench.namespace import ROOT, TOOLS

WHOLE = ("dns", "wire", "start", "growth", "serve", "scrape")


@pytest.mark.lab
def test_every_part_runs(tmp_path: Path) -> None:
    assert shutil.which(PROGRAM, path=TOOLS), (
        "Debian's prometheus-blackbox-exporter is missing: make test installs it"
    )
    parts = (*WHOLE, "tls")
    argv = [sys.executable, "-m", "tests.bench", "--quick", "--output", str(tmp_path)]
    argv += [word for part in parts for word in ("--part", part)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 1), (
        done.stdout + done.stderr
    )  # 1: a target missed; three of everything prove none
    made = json.loads((tmp_path / "bench.json").read_text())
    assert made["not_measured"] == []
    assert len(made["chapters"]) == len(parts)
    assert all(figure["value"] >= 0 for chapter in made["chapters"] for figure in chapter["figures"])
    text = (tmp_path / "bench.md").read_text()
    assert all(f"## {chapter['title']}" in text for chapter in made["chapters"])


@pytest.mark.lab
def test_two_checkouts_are_compared(tmp_path: Path) -> None:
    argv = [
        sys.executable,
        "-m",
        "tests.bench.compare",
        "--quick",
        "--output",
        str(tmp_path / "a.json"),
        str(ROOT),
    ]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    made = json.loads((tmp_path / "a.json").read_text())
    assert len(made) == 7
    for one in made:
        assert one["low"] <= one["ratio"] <= one["high"]
        assert one["title"] in done.stdout


def test_the_interval_of_a_ratio() -> None:
    """Student's t on the logarithms, by hand for three rounds: 2, 2 and 8 times as much."""
    made = ratio("a", (1.0, 2.0, 1.0), (2.0, 4.0, 8.0))
    assert made.ratio == pytest.approx(2 ** (5 / 3))
    half = 4.303 * math.log(2) * math.sqrt(4 / 3) / math.sqrt(3)  # deviations of -2/3, -2/3 and 4/3 doublings
    assert math.log(made.high / made.ratio) == pytest.approx(half)
    assert math.log(made.ratio / made.low) == pytest.approx(half)
    assert (made.before, made.after, made.rounds) == (1.0, 4.0, 3)
    with pytest.raises(ValueError, match="no interval"):
        ratio("a", (1.0,), (1.0,))


def test_both_take_turns_and_the_first_round_warms_up() -> None:
    told: list[str] = []

    def side(name: str, value: float) -> Turn:
        def turn() -> dict[str, float]:
            told.append(name)
            return {"a": value}

        return turn

    (made,) = rounds(side("before", 2.0), side("after", 3.0), 3)
    assert (made.ratio, made.low, made.high) == pytest.approx((1.5, 1.5, 1.5))
    assert made.rounds == 3
    assert told == ["after", "before", "before", "after", "after", "before", "before", "after"]


def test_a_ratio_is_of_the_same_round_and_a_missed_target_says_so() -> None:
    pair = Pair((0.001, 0.004, 0.002), (0.002, 0.004, 0.001))
    assert pair.ratio == 1.0  # ratios 0.5, 1.0 and 2.0; of the medians it would be 1.0 by chance only
    figure = Figure("a figure", 0.8, "", 0.75)
    chapter = Chapter("A chapter", "How.", (figure, Figure("beside it", 1.5, "s")))
    assert figure.met is False
    assert "MISSED" in lines(chapter)
    assert "| a figure | 0.80 | 0.75 | MISSED |" in page(
        [chapter], {"machine": "one"}, "make bench", ["wire: why"]
    )
    assert json.loads(as_json([chapter], {}, "make bench", []))["chapters"][0]["figures"][0]["met"] is False
