"""How soon the program answers, and what it loads."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.audits import Servers
from tests.bench.figures import Chapter, Figure
from tests.bench.namespace import ROOT, BenchError, environment
from tests.bench.population import write_rules

VERSION_TARGET = 0.15
#: What an audit has no use for: packet crafting, a scheduler, metrics, web servers.
HEAVY = ("scapy", "apscheduler", "prometheus_client", "http.server", "aiohttp", "flask", "tornado")
_LISTING = """\
import json, sys
from probe.command.main import main
try:
    code = main(json.loads(sys.argv[1]))
finally:
    json.dump(sorted(sys.modules), open(sys.argv[2], "w"))
"""


def startup_chapter(servers: Servers, runs: int = 20) -> Chapter:
    """`wayclear --version`, and the heavy modules that an audit loads."""
    argv = [str(Path(sys.executable).with_name("wayclear")), "--version"]
    took = []
    for _ in range(runs):
        begun = time.monotonic()
        subprocess.run(argv, check=True, capture_output=True, env=environment(), cwd=ROOT)
        took.append(time.monotonic() - begun)
    loaded, count = _loaded(servers)
    listing = f"{count} modules loaded, of {', '.join(HEAVY)}: {', '.join(loaded) or 'none'}"
    figures = (
        Figure(
            "`wayclear --version`", statistics.median(took), "s", VERSION_TARGET, f"best {min(took):.3f} s"
        ),
        Figure("modules that an audit has no use for, loaded by one", len(loaded), "modules", 0, listing),
    )
    return Chapter("Start", f"Median of {runs} runs of the installed command.", figures)


def _loaded(servers: Servers) -> tuple[list[str], int]:
    rules, out = servers.directory / "rules-listing.toml", servers.directory / "modules.json"
    write_rules(rules, 2, 1)
    arguments = [
        "audit",
        "--config",
        str(servers.config),
        "--rules",
        str(rules),
        "--pace",
        "fast",
        "--exit-zero",
    ]
    argv = [sys.executable, "-c", _LISTING, json.dumps(arguments), str(out)]
    done = subprocess.run(argv, capture_output=True, text=True, env=environment(), cwd=ROOT, check=False)
    if not out.exists():
        raise BenchError(f"the audit that lists its modules failed: {done.stderr[-1000:]}")
    modules = json.loads(out.read_text())
    return [m for m in HEAVY if m in modules], len(modules)
