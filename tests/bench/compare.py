"""Two checkouts side by side: `python -m tests.bench.compare BEFORE [AFTER]`, what a probe and an audit cost before and after.

Both run in the same namespace against the same servers, with the environment of this checkout, and take turns round by
round; which of them begins changes with each round. A figure is the ratio after : before, the geometric mean over the
rounds, with the interval that holds it in 95 of 100 such measurements (Student's t on the logarithms). A machine that does
other things as well widens the interval and moves no ratio.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from tests.bench.audits import Servers, audit, well
from tests.bench.cost import DNS_NAMES, Side
from tests.bench.namespace import ROOT, BenchError, enter, settle
from tests.bench.population import endpoint_address, host_name, server_address
from tests.pki import KeyKind

#: What a checkout is asked once a round: figures by their titles.
Turn: TypeAlias = Callable[[], Mapping[str, float]]
#: The 97.5 % quantiles of Student's t by degrees of freedom.
_T = (
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)
ROUNDS = 9
_KEYS: Mapping[KeyKind, str] = {"rsa": "RSA", "ec": "ECDSA"}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured: rounds, TLS servers and how often each is asked, DNS questions, endpoints of the audit."""

    rounds: int = ROUNDS
    servers: int = 100
    repeats: int = 4
    questions: int = 1500
    endpoints: int = 150
    in_flight: int = 32


@dataclass(frozen=True, slots=True)
class Ratio:
    """After : before of one figure. `before` and `after` are medians, in the unit that the title names."""

    title: str
    ratio: float
    low: float
    high: float
    before: float
    after: float
    rounds: int

    @property
    def text(self) -> str:
        interval = f"{self.ratio:.3f} [{self.low:.3f}, {self.high:.3f}]"
        return f"{self.title:38} {interval}  {self.before:.3f} -> {self.after:.3f}  ({self.rounds} rounds)"


def ratio(title: str, before: Sequence[float], after: Sequence[float]) -> Ratio:
    """The ratio of rounds that were measured in pairs; ValueError for fewer than two or more than sixteen."""
    logs = [math.log(a / b) for a, b in zip(after, before, strict=True)]
    if not 2 <= len(logs) <= len(_T) + 1:
        raise ValueError(f"{len(logs)} rounds give no interval")
    mean = statistics.fmean(logs)
    half = _T[len(logs) - 2] * statistics.stdev(logs) / math.sqrt(len(logs))
    return Ratio(
        title,
        math.exp(mean),
        math.exp(mean - half),
        math.exp(mean + half),
        statistics.median(before),
        statistics.median(after),
        len(logs),
    )


def rounds(before: Turn, after: Turn, count: int) -> list[Ratio]:
    """Warm up once, then let both take turns; an odd round begins with the other one."""
    found: dict[str, tuple[list[float], list[float]]] = {}
    for number in range(count + 1):
        sides = [(0, before), (1, after)]
        for which, turn in sides if number % 2 else reversed(sides):
            for title, value in turn().items():
                if number:
                    found.setdefault(title, ([], []))[which].append(value)
    return [ratio(title, *pair) for title, pair in found.items()]


def probes(root: Path, directory: Path, size: Size, name: str) -> tuple[Turn, Callable[[], None]]:
    """CPU per TLS probe and per DNS question of a checkout, and how to end its process."""
    side = Side("asyncio", directory, root, name)
    names = [host_name(endpoint_address(i)) for i in range(DNS_NAMES)]
    asked = list(itertools.islice(itertools.cycle(names), size.questions))

    def turn() -> dict[str, float]:
        found = {}
        for version, kind in itertools.product(("1.2", "1.3"), _KEYS):
            hello = "connector" if version == "1.2" else "tls13"
            targets = [(server_address(kind, version, i), hello) for i in range(size.servers)] * size.repeats
            spent = side.cost(kind="tls", targets=targets, in_flight=size.in_flight)
            found[f"TLS {version} probe, {_KEYS[kind]}, ms CPU"] = spent * 1000 / len(targets)
        spent = side.cost(kind="dns", names=asked, in_flight=size.in_flight)
        return found | {"DNS question, ms CPU": spent * 1000 / len(asked)}

    return turn, side.stop


def audits(root: Path, servers: Servers, size: Size) -> Turn:
    """CPU and peak memory of the command line's whole audit, Python's start among it."""

    def turn() -> dict[str, float]:
        done = well(audit(servers, size.endpoints, root=root))
        title = f"audit of {size.endpoints} endpoints"
        return {f"{title}, s CPU": done.cpu, f"{title}, MB at its peak": done.peak}

    return turn


def compare(before: Path, after: Path, size: Size, directory: Path) -> list[Ratio]:
    """All figures. BenchError where one of the checkouts does not find everything well."""
    settle(directory)
    servers = Servers(directory, max(size.endpoints, DNS_NAMES), size.servers)
    ends: list[Callable[[], None]] = [servers.stop]
    try:
        sides = [probes(root, directory, size, name) for root, name in ((before, "before"), (after, "after"))]
        ends += [end for _, end in sides]
        found = rounds(sides[0][0], sides[1][0], size.rounds)
        return found + rounds(audits(before, servers, size), audits(after, servers, size), size.rounds)
    finally:
        for end in ends:
            end()


def main(argv: Sequence[str]) -> int:
    """0 when everything was measured, 1 where it could not be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.compare", description=__doc__)
    parser.add_argument("before", type=Path, help="a checkout, of the commit to compare with")
    parser.add_argument("after", type=Path, nargs="?", default=ROOT, help="another one; default: this")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--quick", action="store_true", help="little of everything: shows that it runs")
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    asked = parser.parse_args(argv)
    for root in (asked.before, asked.after):
        if not (root / "probe" / "__main__.py").is_file():
            parser.error(f"{root} is no checkout of wayclear: it has no probe/__main__.py")
    inside = enter([str(word) for word in argv], "tests.bench.compare")
    if inside is not None:
        return inside
    size = Size(3, 3, 1, 6, 5) if asked.quick else Size(asked.rounds)
    with tempfile.TemporaryDirectory(prefix="wayclear-bench-") as name:
        Path(name).chmod(0o755)
        try:
            found = compare(asked.before.resolve(), asked.after.resolve(), size, Path(name))
        except BenchError as error:
            print(error, file=sys.stderr)
            return 1
    print("after : before [95 % interval], medians")
    for one in found:
        print(one.text)
    if asked.output is not None:
        asked.output.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
