"""The example configuration: it is valid, and it has every key with the value that holds without it."""

from __future__ import annotations

import tomllib
from dataclasses import fields
from pathlib import Path

from probe.config.service import KEEP_DAYS, KEEP_MB, LISTEN, Intervals, Web
from probe.config.settings import validate_file

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "packaging/wayclear.example.toml"
DATA = tomllib.loads(EXAMPLE.read_text("utf-8"))


def test_it_is_valid() -> None:
    assert validate_file(str(EXAMPLE)) == []


def test_so_is_the_overlay() -> None:
    assert validate_file(str(ROOT / "packaging/systemd/overlay.example.toml")) == []


def test_the_schedule_is_the_default_s() -> None:
    assert DATA["schedule"] == {f.name: f.default for f in fields(Intervals)}


def test_the_web_and_the_history_are_the_defaults() -> None:
    assert set(DATA["web"]) == {f.name for f in fields(Web)} - {"config_file"}
    assert (DATA["web"]["listen"], DATA["web"]["probe"]) == (list(LISTEN), Web().probe)
    assert DATA["history"] == {"keep_days": KEEP_DAYS, "max_mb": KEEP_MB}


def test_what_is_commented_out_is_valid_as_well(tmp_path: Path) -> None:
    """Whoever takes a comment sign away gets a file that works."""
    lines = EXAMPLE.read_text("utf-8").splitlines()
    keys = ("# config_file = ", "# path = ", "# [textfile]", "# directory = ")
    assert all(any(line.startswith(key) for line in lines) for key in keys)
    file = tmp_path / "wayclear.toml"
    file.write_text("\n".join(line.removeprefix("# ") if line.startswith(keys) else line for line in lines))
    assert validate_file(str(file)) == []
    assert set(tomllib.loads(file.read_text())) > set(DATA)
