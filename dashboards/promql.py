"""How expressions are written in this package, and what becomes of them.

- `@5m@` is a duration in seconds (`300`), `[5m]` a range: both follow the scale that a test asks for. Facts that are no
  waiting time (a certificate's three days, a rule set's 180) are plain numbers and do not.
- A name with a colon (`connector:wayclear_able:bool`) is a block of `dashboards/blocks.py`. The Prometheus rules record
  it and use it by its name; Grafana's rules and the dashboards stand alone, so there it is written out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SECONDS = re.compile(r"@(\d+[a-z]+)@")
_RANGE = re.compile(r"\[(\d+[a-z]+)(?::(\d+[a-z]+))?\]")
_BLOCK = re.compile(r"\b([a-z]+:wayclear_[a-z_]+:[a-z]+)\b(\[(\d+[a-z]+)\])?")
#: A block that is written out and asked over a range becomes a subquery with this step.
STEP = "30s"


def seconds(text: str) -> float:
    """`5m` in seconds."""
    match = re.fullmatch(r"(\d+)([a-z]+)", text)
    if match is None or match[2] not in UNITS:
        raise ValueError(f"{text!r} is not a duration such as 30s, 5m, 1h or 1d")
    return int(match[1]) * UNITS[match[2]]


def duration(value: float) -> str:
    """Seconds as Prometheus writes them, in the largest unit that leaves a whole number; at least 1ms."""
    milliseconds = max(1, round(value * 1000))
    for unit in ("d", "h", "m", "s"):
        size = round(UNITS[unit] * 1000)
        if milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms"


def scaled(text: str, scale: float) -> str:
    """A duration times `scale`: `scaled("5m", 1/60)` is `5s`."""
    return duration(seconds(text) * scale)


def rendered(expr: str, scale: float = 1.0) -> str:
    """An expression as Prometheus takes it."""

    def in_seconds(match: re.Match[str]) -> str:
        return f"{seconds(match[1]) * scale:g}"

    def in_range(match: re.Match[str]) -> str:
        step = f":{scaled(match[2], scale)}" if match[2] else ""
        return f"[{scaled(match[1], scale)}{step}]"

    return _RANGE.sub(in_range, _SECONDS.sub(in_seconds, expr))


def written_out(expr: str, blocks: Mapping[str, str]) -> str:
    """An expression with each block in it replaced by what it stands for. Unknown blocks are a `KeyError`."""

    def replace(match: re.Match[str]) -> str:
        body = written_out(blocks[match[1]], blocks)
        inner = "\n".join(f"  {line}" for line in body.splitlines())
        return f"(\n{inner}\n)" + (f"[{match[3]}:{STEP}]" if match[3] else "")

    return _BLOCK.sub(replace, expr)
