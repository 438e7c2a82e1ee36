"""Figures with their targets: as lines for a terminal, as a page, as JSON."""

from __future__ import annotations

import datetime
import json
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value. `target` is the most that it may be; None: shown beside a figure that has one."""

    title: str
    value: float
    unit: str = ""
    target: float | None = None
    detail: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.target is None else self.value <= self.target

    def shown(self, value: float | None) -> str:
        if value is None:
            return ""
        digits = 0 if self.unit == "MB" else 1 if self.unit == "ms" else 2 if self.unit in ("", "s") else 3
        return f"{value:.{digits}f} {self.unit}".rstrip()

    @property
    def verdict(self) -> str:
        return {True: "met", False: "MISSED", None: ""}[self.met]


@dataclass(frozen=True, slots=True)
class Chapter:
    """Figures that belong together, with what was done to get them."""

    title: str
    text: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Rounds of two sides measured one after the other: CPU seconds for each probe."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over the rounds of ours : theirs of the same round."""
        return statistics.median(o / t for o, t in zip(self.ours, self.theirs, strict=True))

    @property
    def detail(self) -> str:
        """Median and best of both, in milliseconds, and the spread of the ratios."""
        ratios = sorted(o / t for o, t in zip(self.ours, self.theirs, strict=True))
        ours, theirs = (
            f"{statistics.median(s) * 1000:.3f} ms (best {min(s) * 1000:.3f})"
            for s in (self.ours, self.theirs)
        )
        return f"ours {ours}, exporter {theirs}; ratios {ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds"


def lines(chapter: Chapter) -> str:
    """For a terminal."""
    made = [f"\n{chapter.title}"]
    for figure in chapter.figures:
        target = f"at most {figure.shown(figure.target)}" if figure.target is not None else ""
        row = f"  {figure.title:<66} {figure.shown(figure.value):>10}  {target:<16} {figure.verdict}"
        made.append(row.rstrip())
        if figure.detail:
            made.append(f"      {figure.detail}")
    return "\n".join(made)


def surroundings() -> dict[str, str]:
    """Machine and versions."""
    cpuinfo = Path("/proc/cpuinfo").read_text(errors="replace").splitlines()
    models = [line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")]
    names = ("cryptography", "pyOpenSSL", "dnspython")
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{len(models)} x {models[0] if models else platform.machine()}",
        "system": f"{platform.freedesktop_os_release().get('PRETTY_NAME', '')}, Linux {platform.release()}",
        "python": platform.python_version(),
    } | {name: _version(name) for name in names}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def page(chapters: Sequence[Chapter], about: dict[str, str], command: str, missed: Sequence[str]) -> str:
    """docs/bench.md."""
    made = [
        "# Speed, measured",
        "",
        f"Written by `{command}`; not edited by hand. `docs/bench.json` holds the same figures for programs.",
        "",
        *(f"- {key}: {value}" for key, value in about.items()),
        "",
    ]
    for chapter in chapters:
        made += [
            f"## {chapter.title}",
            "",
            chapter.text,
            "",
            "| figure | measured | target | |",
            "| --- | ---: | ---: | --- |",
        ]
        for f in chapter.figures:
            made.append(f"| {f.title} | {f.shown(f.value)} | {f.shown(f.target)} | {f.verdict} |")
        made += ["", *(f"- {f.title}: {f.detail}" for f in chapter.figures if f.detail), ""]
    if missed:
        made += ["## Not measured", "", *(f"- {line}" for line in missed), ""]
    return "\n".join(made)


def as_json(chapters: Sequence[Chapter], about: dict[str, str], command: str, missed: Sequence[str]) -> str:
    """docs/bench.json."""
    made = {
        "schema": "wayclear.bench/1",
        "command": command,
        "about": about,
        "not_measured": list(missed),
        "chapters": [
            {"title": c.title, "text": c.text, "figures": [asdict(f) | {"met": f.met} for f in c.figures]}
            for c in chapters
        ],
    }
    return json.dumps(made, indent=2) + "\n"
