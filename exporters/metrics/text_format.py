"""Prometheus' text format 0.0.4: label values, numbers, headers.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Iterable
from typing import TypeGuard

from exporters.metrics.catalogue import CONSTANT, OTHER, Metric
from rules.watch.state import Place

GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header
LEVEL = 1  #: gzip level: the text is so repetitive that a higher level saves little

_CAUSE = re.compile(r"[a-z-]+\.[a-z0-9-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(value: str) -> str:
    """`value` as valid UTF-8: a lone surrogate, which would break the whole scrape, becomes U+FFFD."""
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def escape(value: str) -> str:
    """`value` escaped for the quotes of a label. The original can be read back, except for lone surrogates."""
    return clean(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def labels(pairs: Iterable[tuple[str, str]]) -> str:
    """`a="1",b="2"`; "" for none."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in pairs)


def sample(name: str, pairs: Iterable[tuple[str, str]], value: float) -> str:
    """One line, with its line end."""
    shown = labels(pairs)
    return f"{name}{{{shown}}} {number(value)}\n" if shown else f"{name} {number(value)}\n"


def constants(place: Place) -> tuple[tuple[str, str], ...]:
    """The labels that are on every series, with their values; unset ones are left out."""
    return tuple((name, clean(value)) for name in CONSTANT if (value := getattr(place, name)))


def cause(value: str) -> str:
    """`value` if it has the form of a cause, else "other": free text is no label value."""
    return value if value == "ok" or (len(value) <= 64 and _CAUSE.fullmatch(value)) else OTHER


def number(value: float) -> str:
    """A sample's value: whole numbers without a point, others to the microsecond. Finite values only."""
    rounded = round(value, 6)
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)


def finite(value: float | None) -> TypeGuard[float]:
    """Whether `value` is a number; a series without one is absent."""
    return value is not None and math.isfinite(value)


def header(metric: Metric) -> bytes:
    """The two header lines of a family."""
    help_text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric.name} {help_text}\n# TYPE {metric.name} {metric.type}\n".encode()


def gzipped(parts: Iterable[bytes]) -> bytes:
    """`parts` joined as `Content-Encoding: gzip` (RFC 1952). Takes milliseconds for a large page: call it in a
    thread."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    return b"".join((*map(packer.compress, parts), packer.flush()))
