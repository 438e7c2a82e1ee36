"""What Prometheus does, in a process of its own: `python -m tests.bench.serve_drive DIRECTORY INTERVAL`.

The exporter's probes in DIRECTORY/paths.json are asked once every INTERVAL seconds, spread evenly, over kept-alive
connections; the daemon is scraped every 15 s with gzip. What came is counted in DIRECTORY/driven.json.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.bench.exporter import LISTEN

DAEMON = ("127.0.0.1", 19115)
SCRAPED_EVERY = 15.0
THREADS = 8  # of the driver: probes that are under way at once, at most


@dataclass(slots=True)
class Driven:
    """What was asked of the exporter, how often it did not succeed, and how late the driver was at worst (seconds)."""

    asked: int = 0
    bad: int = 0
    example: str = ""
    late: float = 0.0
    scraped: int = 0


def drive(paths: list[str], interval: float, number: int, begun: float, told: Driven) -> None:
    """Thread `number` of THREADS: every THREADS-th path at its place in the interval, for ever."""
    connection = http.client.HTTPConnection(*LISTEN, timeout=30)
    place = number
    while True:
        turn, index = divmod(place, len(paths))
        due = begun + (turn + index / len(paths)) * interval
        time.sleep(max(0.0, due - time.monotonic()))
        told.late = max(told.late, time.monotonic() - due)
        connection.request("GET", paths[index])
        body = connection.getresponse().read()
        told.asked += 1
        if b"\nprobe_success 1\n" not in body:
            told.bad, told.example = told.bad + 1, f"{paths[index]}: {body[-300:]!r}"
        place += THREADS


def scrape(told: Driven) -> None:
    """One scraper, as a Prometheus with its default-like interval."""
    connection = http.client.HTTPConnection(*DAEMON, timeout=10)
    while True:
        connection.request("GET", "/metrics", headers={"Accept-Encoding": "gzip"})
        if connection.getresponse().read()[:2] == b"\x1f\x8b":
            told.scraped += 1
        time.sleep(SCRAPED_EVERY)


def main(directory: Path, interval: float) -> None:
    """Begin, and count until killed."""
    paths = json.loads((directory / "paths.json").read_text())
    told, begun = Driven(), time.monotonic()
    work = [threading.Thread(target=drive, args=(paths, interval, n, begun, told)) for n in range(THREADS)]
    for thread in (*work, threading.Thread(target=scrape, args=(told,))):
        thread.daemon = True
        thread.start()
    print("ready", flush=True)
    while True:
        time.sleep(0.5)
        (directory / "driven.new").write_text(json.dumps(asdict(told)))
        (directory / "driven.new").rename(directory / "driven.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
