"""`python -m tests.bench`: measure, print, write docs/bench.md and docs/bench.json."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import audits, cost, serve
from tests.bench.appliance import Appliances, Scrapers
from tests.bench.audits import Servers, growth_chapter, wire_chapter
from tests.bench.cost import dns_chapter, tls_chapter
from tests.bench.exporter import Exporter
from tests.bench.figures import Chapter, as_json, lines, page, surroundings
from tests.bench.namespace import ROOT, BenchError, enter, settle
from tests.bench.startup import startup_chapter

PARTS = ("tls", "dns", "wire", "start", "growth", "serve", "scrape")
_QUICK_LIMITS = "[timeouts]\ntcp = 0.7\n"


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--part", action="append", choices=PARTS, help="only this part (more than one is fine)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="three of everything: shows that it runs, measures nothing"
    )
    parser.add_argument(
        "--output", type=Path, help="directory for bench.md and bench.json; default: docs, for a whole run"
    )
    return parser.parse_args(argv)


def measure(
    parts: Sequence[str], quick: bool, directory: Path, tell: Callable[[Chapter], None]
) -> tuple[list[Chapter], list[str]]:
    """The chapters of these parts, and why others could not be measured."""
    size = cost.Size(3, 1, 3, 6, 3) if quick else cost.Size()
    audit_size = audits.Size(5, 1, 3, 6, 1, 1, _QUICK_LIMITS) if quick else audits.Size()
    here, wire = directory / "here", directory / "wire"
    here.mkdir()
    wire.mkdir()
    settle(here)
    serve_size = serve.Size((3, 5), 4.0, 2, 4.0) if quick else serve.Size()
    appliances = Appliances(directory, serve_size, Scrapers(3, 4.0) if quick else Scrapers())
    servers = Servers(here, max(audit_size.large, cost.DNS_NAMES), size.servers)
    ways: dict[str, Callable[[], Chapter]] = {
        "tls": lambda: tls_chapter(here, size),
        "dns": lambda: dns_chapter(here, size),
        "wire": lambda: wire_chapter(wire, audit_size),
        "start": lambda: startup_chapter(servers, 3 if quick else 20),
        "growth": lambda: growth_chapter(servers, audit_size),
        "serve": appliances.serve,
        "scrape": appliances.scrape,
    }
    chapters, missed = [], []
    try:
        for part in parts:
            try:
                chapters.append(ways[part]())
                tell(chapters[-1])
            except BenchError as error:
                missed.append(f"{part}: {error}")
    finally:
        appliances.stop()
        servers.stop()
    return chapters, missed


def main(argv: Sequence[str]) -> int:
    """0 when everything was measured, whatever the figures are."""
    asked = arguments(argv)
    inside = enter(argv)
    if inside is not None:
        return inside
    parts = [p for p in PARTS if p in (asked.part or PARTS)]
    command = "make bench" if not argv else f"python -m tests.bench {' '.join(argv)}"
    with tempfile.TemporaryDirectory(prefix="wayclear-bench-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        chapters, missed = measure(parts, asked.quick, directory, lambda c: print(lines(c), flush=True))
    about = surroundings() | {"exporter": Exporter.version()}
    for line in missed:
        print(f"\nnot measured: {line}", file=sys.stderr)
    output = asked.output or (ROOT / "docs" if parts == list(PARTS) and not asked.quick else None)
    if output is not None:
        (output / "bench.md").write_text(page(chapters, about, command, missed), encoding="utf-8")
        (output / "bench.json").write_text(as_json(chapters, about, command, missed), encoding="utf-8")
        print(f"\nwritten: {output / 'bench.md'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
