"""The chapters of `wayclear serve`: what a cycle costs beside the exporter, and what a scrape takes while one runs."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.figures import Chapter, Figure
from tests.bench.namespace import BenchError, Service
from tests.bench.serve import Ground, Size, buckets, children, measured, own, peak, quantile, total

RATIO_TARGET = 0.65
GROWTH_TARGET = 1.1
LAG_TARGET = 250.0
MEMORY_TARGET = 160.0
SCRAPE_TARGET = 50.0
LOOP_TARGET = 50.0


@dataclass(frozen=True, slots=True)
class Scrapers:
    """How many scrape the largest list, for how many seconds at places of their own and as long all at once."""

    number: int = 40
    seconds: float = 60.0


@dataclass(slots=True)
class Appliances:
    """The daemons of both chapters: the largest one of the first is the one that is scraped."""

    directory: Path
    size: Size
    scrapers: Scrapers
    _grounds: list[Ground] = field(default_factory=list)

    def serve(self) -> Chapter:
        """CPU, memory and lag of a cycle, the exporter beside it."""
        self._grounds = measured(self.directory, self.size)
        return serve_chapter(self._grounds, self.size)

    def scrape(self) -> Chapter:
        """Latency of scrapes of the largest list, nobody else at work but its cycle."""
        if not self._grounds:
            ground = Ground(self.directory / "scraped", max(self.size.counts), self.size)
            self._grounds = [ground]
            time.sleep(self.size.settle)
        *others, largest = self._grounds
        self._grounds = [largest]
        for ground in others:
            ground.stop()
        largest.alone()
        return scrape_chapter(largest, self.scrapers)

    def stop(self) -> None:
        for ground in self._grounds:
            ground.stop()


def serve_chapter(grounds: Sequence[Ground], size: Size) -> Chapter:
    """The figures of grounds that were measured in the same windows."""
    figures: list[Figure] = []
    for ground in grounds:
        shown = [w.ratio for w in ground.windows]
        title = f"CPU of a cycle of {ground.endpoints} endpoints, daemon : exporter"
        figures.append(Figure(title, statistics.median(shown), "", RATIO_TARGET, _costs(ground)))
    small, large = grounds[0], grounds[-1]
    growth = [
        (b.ours / large.endpoints) / (a.ours / small.endpoints)
        for a, b in zip(small.windows, large.windows, strict=True)
    ]
    title = f"CPU per endpoint, {large.endpoints} : {small.endpoints}"
    figures.append(Figure(title, statistics.median(growth), "", GROWTH_TARGET))
    for ground in grounds:
        found = buckets(ground.daemon.fetch(), "wayclear_schedule_lag_seconds", ground.begun)
        title = f"lag of the schedule at {ground.endpoints}, p99"
        figures.append(Figure(title, quantile(found, 0.99) * 1000, "ms", LAG_TARGET, _spread(found)))
    for ground in grounds:
        daemon, beside = peak(ground.daemon.pid), children(ground.daemon.pid)
        asking = ", ".join(f"{own(child):.0f} MB of its own (resident {peak(child):.0f})" for child in beside)
        detail = f"daemon {daemon:.0f} MB, beside it {asking or 'none'}; exporter {peak(ground.exporter.pid):.0f} MB"
        title = f"peak memory of the daemon and its lookup process at {ground.endpoints}"
        figures.append(Figure(title, daemon + sum(map(own, beside)), "MB", MEMORY_TARGET, detail))
    text = (
        f"`wayclear serve` of names at one address each, every name once in {size.interval:.0f} s, its rate not limited; one "
        "in ten is of the service group, the others of sign-in. The TTL is shorter than the interval, so a cycle has one A "
        "question and one TLS handshake for each, judged when an answer differs; Prometheus scrapes it every 15 s with gzip. "
        "blackbox_exporter is asked for the same by its dns and tcp+tls modules over kept-alive connections, spread over the "
        f"interval. Both sides and all sizes run at the same time, each size in a network of its own, for "
        f"{len(grounds[0].windows)} windows of a cycle after {size.settle:.0f} s. CPU is the kernel's count for the process and "
        "its children; the ratio is the median over the windows. A lag is how late a measurement begins; a quantile is the "
        "upper bound of the histogram's bucket in which it lies. Memory is the daemon's peak since its start "
        "(VmHWM), the first look included, and what the process that asks the operating system has for itself at the end: "
        "the interpreter's code, which they share, counts once."
    )
    return Chapter("The service, a cycle", text, tuple(figures))


def _costs(ground: Ground) -> str:
    """Milliseconds per endpoint on both sides, and what else a cycle of ours had."""
    ours, theirs = (
        statistics.median(getattr(w, side) for w in ground.windows) / ground.endpoints * 1000
        for side in ("ours", "theirs")
    )
    ratios = sorted(w.ratio for w in ground.windows)
    lookups = statistics.median(w.lookups for w in ground.windows) / ground.endpoints * 1000
    return (
        f"per endpoint ours {ours:.3f} ms (of it {lookups:.3f} ms in processes that ask the operating system), exporter "
        f"{theirs:.3f} ms; ratios {ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} windows; handshakes "
        f"{sum(w.handshakes for w in ground.windows)}, questions {sum(w.questions for w in ground.windows)}"
    )


def _spread(found: dict[float, float]) -> str:
    number = max(found.values())
    above = ((bound, number - below) for bound, below in found.items() if not math.isinf(bound))
    beyond = ", ".join(f"{count:.0f} over {bound:g} s" for bound, count in above if count)
    return f"{number:.0f} observations, {beyond or 'none over the first bucket'}"


def scrape_chapter(ground: Ground, scrapers: Scrapers) -> Chapter:
    """Scrape a daemon that goes on measuring. BenchError where an answer is no page of metrics."""
    before = ground.daemon.fetch()
    argv = [sys.executable, "-m", "tests.bench.scrapers", str(ground.directory), str(scrapers.number)]
    work = Service([*argv, str(scrapers.seconds)], ground.directory / "scrapers.log", "", ground.network)
    try:
        if work.process.wait(timeout=2 * scrapers.seconds + 60):
            raise BenchError(f"the scrapers failed: {work.log[-2000:]}")
    except subprocess.TimeoutExpired:
        raise BenchError("the scrapers came to no end: the daemon did not answer one of them") from None
    finally:
        work.stop()
    told = json.loads((ground.directory / "scraped.json").read_text())
    if told["bad"]:
        raise BenchError(f"{len(told['bad'])} scrapes were no page of metrics: {told['bad'][0]}")
    after = _newer(ground, time.time())
    lag = buckets(after, "wayclear_event_loop_lag_seconds", before)
    series, plain = after.count("\nwayclear_"), len(after.encode()) / 1e6
    size = f"{series} series, {plain:.1f} MB, {told['largest'] / 1e3:.0f} kB with gzip"
    figures = (
        Figure(
            f"scrape of {ground.endpoints} targets, {scrapers.number} scrapers one after the other, p99",
            _percentile(told["spread"], 0.99) * 1000, "ms", SCRAPE_TARGET, f"{_latencies(told['spread'])}; {size}",
        ),
        Figure(
            f"the same, all {scrapers.number} at the same moment, p99",
            _percentile(told["together"], 0.99) * 1000, "ms", SCRAPE_TARGET, _latencies(told["together"]),
        ),
        Figure("lag of the daemon's loop meanwhile, p99.9", quantile(lag, 0.999) * 1000, "ms", LOOP_TARGET, _spread(lag)),
    )  # fmt: skip
    text = (
        f"{scrapers.number} scrapers on kept-alive connections, each once a second (a Prometheus asks every 15 to 60 s), for "
        f"{scrapers.seconds:.0f} s at places of their own within the second and then for as long all at the same moment, in "
        "one process on the same two cores, while the daemon measures its targets. A time is from the request to the last "
        "byte. The lag is the daemon's own histogram; a quantile is the upper bound of its bucket, and of fewer than 1,000 "
        "observations p99.9 is the largest."
    )
    return Chapter("The service, scraped", text, figures)


def _newer(ground: Ground, moment: float) -> str:
    """The page whose values were taken after `moment`: it is made every few seconds, not for each scraper."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        page = ground.daemon.fetch()
        if total(page, "wayclear_snapshot_timestamp_seconds") > moment:
            return page
        time.sleep(0.5)
    raise BenchError("the daemon made no new page of metrics for a minute")


def _percentile(values: Sequence[float], part: float) -> float:
    """The value that so large a part does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]


def _latencies(values: Sequence[float]) -> str:
    return (
        f"{len(values)} scrapes, median {statistics.median(values) * 1000:.1f} ms, p99.9 "
        f"{_percentile(values, 0.999) * 1000:.1f} ms, slowest {max(values) * 1000:.1f} ms"
    )
