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

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
GZIP = 16 + zlib.MAX_WBITS  # zlib's way to ask for a gzip header
LEVEL = 1  #: of gzip: the text is so alike that more effort saves little

_CAUSE = re.compile(r"[a-z-]+\.[a-z0-9-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


def clean(value: str) -> str:
    """`value` as UTF-8 can hold it: a lone surrogate, which would cost the whole scrape, becomes U+FFFD."""
    return value if value.isascii() else _SURROGATE.sub("\ufffd", value)


def escape(value: str) -> str:
    """`value` as it stands between the quotes of a label. Reads back exactly, but for lone surrogates."""
    return clean(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def labels(pairs: Iterable[tuple[str, str]]) -> str:
    """`a="1",b="2"`; "" for none."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in pairs)


def sample(name: str, pairs: Iterable[tuple[str, str]], value: float) -> str:
    """One line, with its end."""
    shown = labels(pairs)
    return f"{name}{{{shown}}} {number(value)}\n" if shown else f"{name} {number(value)}\n"


def constants(place: Place) -> tuple[tuple[str, str], ...]:
    """The labels of every series with their values; what is not configured is left out."""
    return tuple((name, clean(value)) for name in CONSTANT if (value := getattr(place, name)))


def cause(value: str) -> str:
    """A cause of the vocabulary's form as it is, anything else "other": a label is no place for free text."""
    return value if value == "ok" or (len(value) <= 64 and _CAUSE.fullmatch(value)) else OTHER


def number(value: float) -> str:
    """A sample's value: whole numbers without a point, others to the microsecond. Finite values only."""
    rounded = round(value, 6)
    return str(int(rounded)) if rounded == int(rounded) else repr(rounded)


def finite(value: float | None) -> TypeGuard[float]:
    """Whether there is a number to tell; a series without one is absent."""
    return value is not None and math.isfinite(value)


def header(metric: Metric) -> bytes:
    """The two lines in front of a family's samples."""
    told = metric.help.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {metric.name} {told}\n# TYPE {metric.name} {metric.type}\n".encode()


def gzipped(parts: Iterable[bytes]) -> bytes:
    """`parts` in a row as `Content-Encoding: gzip` (RFC 1952). Takes milliseconds for a large page: call it in a thread."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    return b"".join((*map(packer.compress, parts), packer.flush()))
