"""One version, wherever it is written."""

from __future__ import annotations

import tomllib
from pathlib import Path

from probe.version import VERSION


def test_it_is_the_one_of_the_package() -> None:
    project = Path(__file__).resolve().parents[2] / "pyproject.toml"
    assert tomllib.loads(project.read_text("utf-8"))["project"]["version"] == VERSION
