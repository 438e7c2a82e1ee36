"""How much the daemon holds over hours: `python -m tests.lab.soak --seconds 3600 --output FILE`.

Everything is measured once a second, without a limit of the rate, so an hour does the work of more than two days. Every
minute one address of the service is dropped for twenty seconds, so that judging, transitions and the history work as
well. Every ten seconds the page, the report and the metrics are asked for, and a row is written: what the kernel says of
the process (memory, descriptors, threads), how many tasks and blocks it holds, connections, lag of its loop.
"""

from __future__ import annotations

import argparse
import csv
import signal
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.lab.appliance import QUICK, Daemon, Sample, serve, until
from tests.lab.lab import Lab
from tests.lab.plan import drop
from tests.lab.scenarios.names import BOOTSTRAP

EVERY = 10.0
SCHEDULE = dict(QUICK, service=1, sign_in=1, http=1, rotation=5)
#: Seconds at the start that do not count, because caches fill. A third of a run that is shorter than half an hour.
SETTLING = 600.0
#: Bytes by which the resident memory may grow in an hour, by the line of least squares through all rows that count.
SLOPE = 3 * 1024 * 1024
#: The permitted difference of descriptors and tasks between the first and the last quarter of the rows that count.
DESCRIPTORS, TASKS, THREADS = 2.0, 5.0, 1.0
#: Seconds by which the event loop may be late, as a mean over ten seconds.
LAG = 0.05
CHANGE_EVERY, CHANGE_FOR = 60.0, 20.0


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Seconds since the end of the daemon's first sweep, bytes, totals since its start."""

    seconds: float
    rss: int
    descriptors: int
    threads: int
    tasks: int
    blocks: int
    connections: int
    in_flight: int
    lag: float  # mean over the seconds since the previous row
    cpu: float
    missed: int
    transitions: int
    history: int


def total(found: list[Sample], name: str) -> float:
    """The sum of all series of a metric."""
    return sum(s.value for s in found if s.name == name)


class Looks:
    """Rows of one daemon, one after the other."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._begun = time.monotonic()
        self._lag = (0.0, 0.0)

    def row(self) -> Row:
        """Request every page once."""
        lab, name = self._daemon.lab, self._daemon.name
        count = lab.directory / f"{name}.count"
        count.unlink(missing_ok=True)
        pid = lab.signal(name, signal.SIGUSR1 if sys.platform == "linux" else 0)
        for path in ("/", "/report.json"):
            reply = self._daemon.get(path)
            assert reply.status == 200, (path, reply.status, reply.text[-1000:], self._daemon.log()[-3000:])
        found = self._daemon.samples()
        status = lab.run(["sh", "-c", f"cat /proc/{pid}/status; ls /proc/{pid}/fd | wc -l"]).stdout
        told = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        until("the counts of tasks", count.exists, 10.0, every=0.05)
        tasks, blocks = count.read_text(encoding="ascii").split()
        lag = tuple(total(found, f"wayclear_event_loop_lag_seconds_{part}") for part in ("sum", "count"))
        late, woken = lag[0] - self._lag[0], lag[1] - self._lag[1]
        self._lag = (lag[0], lag[1])
        return Row(
            round(time.monotonic() - self._begun, 1),
            int(told["VmRSS"].split()[0]) * 1024,
            int(status.splitlines()[-1]),
            int(told["Threads"]),
            int(tasks),
            int(blocks),
            int(total(found, "wayclear_connections_opened_total")),
            int(total(found, "wayclear_probes_in_flight")),
            round(late / woken if woken else 0.0, 5),
            total(found, "process_cpu_seconds_total"),
            int(total(found, "wayclear_cycles_missed_total")),
            int(total(found, "wayclear_transitions_total")),
            int(total(found, "wayclear_history_size_bytes")),
        )


class Weather:
    """Drops and restores one address of the service."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._address = lab.plan.world.hosts[BOOTSTRAP].v4[0]
        self._dropped = False

    def at(self, seconds: float) -> None:
        """Set the firewall to the state for this moment."""
        wanted = seconds % CHANGE_EVERY >= CHANGE_EVERY - CHANGE_FOR
        if wanted and not self._dropped:
            self._lab.nft(f"add rule inet lab passing {drop(to=[self._address], port=443)}")
        elif self._dropped and not wanted:
            self._lab.nft("flush chain inet lab passing")
        self._dropped = wanted


def soak(seconds: float, told: Callable[[Row], None]) -> list[Row]:
    """Run for this time; calls `told` with each row when it is made."""
    rows = []
    with Lab() as lab:
        daemon = serve(lab, schedule=SCHEDULE, counted=True)
        daemon.ready()
        looks, weather = Looks(daemon), Weather(lab)
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            weather.at(now)
            rows.append(looks.row())
            told(rows[-1])
            time.sleep(max(0.0, (len(rows) * EVERY) - (time.monotonic() - begun)))
    return rows


def slope(rows: list[Row]) -> float:
    """Bytes per hour by which the resident memory grows."""
    line = statistics.linear_regression([r.seconds for r in rows], [float(r.rss) for r in rows])
    return line.slope * 3600.0


def faults(rows: list[Row]) -> list[str]:
    """The values that grow, in words; `rows` of one whole run."""
    counted = [r for r in rows if r.seconds >= min(SETTLING, rows[-1].seconds / 3)]
    quarter = max(1, len(counted) // 4)
    first, last = counted[:quarter], counted[-quarter:]

    def grown(value: Callable[[Row], float]) -> float:
        return statistics.median(map(value, last)) - statistics.median(map(value, first))

    found = []
    if (bytes_an_hour := slope(counted)) > SLOPE:
        found.append(f"memory grows by {bytes_an_hour / 1e6:.2f} MB an hour, more than {SLOPE / 1e6:.2f}")
    for what, more, most in (
        ("descriptors", grown(lambda r: r.descriptors), DESCRIPTORS),
        ("tasks", grown(lambda r: r.tasks), TASKS),
        ("threads", grown(lambda r: r.threads), THREADS),
    ):
        if more > most:
            found.append(f"{what}: {more:g} more in the last quarter than in the first")
    lag = statistics.quantiles([r.lag for r in counted], n=100)[98]
    if lag > LAG:
        found.append(f"the loop wakes up {lag * 1000:.0f} ms late (p99 of the rows)")
    if counted[-1].connections <= counted[0].connections or counted[-1].transitions <= counted[0].transitions:
        found.append("nothing was measured, or nothing changed: this soak shows nothing")
    return found


def verdict(rows: list[Row]) -> str:
    """The run in a few lines."""
    counted = [r for r in rows if r.seconds >= min(SETTLING, rows[-1].seconds / 3)]
    last, wrong = rows[-1], faults(rows)
    lines = [
        f"{last.seconds:.0f} s, {len(rows)} rows, {len(counted)} of them after settling",
        f"memory {counted[0].rss / 1e6:.1f} -> {last.rss / 1e6:.1f} MB, most {max(r.rss for r in rows) / 1e6:.1f} MB, "
        f"{slope(counted) / 1e6:+.2f} MB an hour",
        f"descriptors {counted[0].descriptors} -> {last.descriptors}, threads {counted[0].threads} -> {last.threads}, "
        f"tasks {counted[0].tasks} -> {last.tasks}, blocks {counted[0].blocks} -> {last.blocks}",
        f"{last.connections} connections ({last.connections / last.seconds:.1f} a second), {last.transitions} "
        f"transitions, {last.missed} rounds missed, {last.cpu:.0f} s of CPU, history {last.history / 1e6:.1f} MB",
        *(f"FAULT: {fault}" for fault in wrong),
        "not flat" if wrong else "flat",
    ]
    return "\n".join(lines)


def main() -> int:
    """Returns 0 if everything stayed flat."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0, help="how long (default: an hour)")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the rows as CSV")
    arguments = parser.parse_args()
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        rows = csv.DictWriter(file, [f.name for f in fields(Row)])
        rows.writeheader()

        def told(row: Row) -> None:
            rows.writerow(asdict(row))
            file.flush()

        made = soak(arguments.seconds, told)
    print(verdict(made))
    return 1 if faults(made) else 0


if __name__ == "__main__":
    sys.exit(main())
