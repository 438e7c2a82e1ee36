"""Whether an answer came out of a cache, as far as its headers prove it (RFC 9111 section 5, RFC 9211).

A publisher's own delivery network is a cache too and says so in the same headers, so that a cache alone accuses no device of
the network here. What counts is when the document left its origin: `Age` and `Date` tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.display import display
from rules.kinds.http_fetch import HttpExchange, header
from rules.moments import http_date

#: Seconds by which the clocks of the origin, of a cache and of this host may differ.
SLACK = 300.0
#: The largest age that is read, in seconds: a hundred years.
MAX_AGE = 3_155_760_000

#: What delivery networks that publishers rent write into these headers. A label on a name, never a reason.
_PUBLISHERS = (
    "akamai", "ghost", "cloudfront", "fastly", "varnish", "ecacc", "ecs (", "azure", "cloudflare", "google", "edgecast",
    "edgio", "limelight", "cdn",
)  # fmt: skip

LateBy: TypeAlias = Literal["cached", "cached-by-publisher", "late"]


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """A cache that answered. `name`: as it calls itself, "" where it does not; `age`: seconds since the origin gave the
    document, None where nothing tells; `line`: the header that proves it. Texts are harmless."""

    name: str
    line: str
    age: float | None = None


def cache_seen(exchange: HttpExchange, now: float) -> CacheSeen | None:
    """The cache that gave this answer; None where no header proves one.

    Proofs: an `Age` over zero, a hit in `Cache-Status` or `X-Cache`, a `Warning` 110 or 111 (RFC 7234 section 5.5), or a
    `Date` that lies further back than clocks differ. `Via` alone is a proxy, not a cache.
    """
    age = _age(header(exchange, "age"))
    date = http_date(header(exchange, "date"), now)
    back = now - date if date is not None and now - date > SLACK else None
    hit = next((line for line in _hits(exchange)), "")
    if not age and back is None and not hit:
        return None
    line = hit or (f"age: {age}" if age else f"date: {header(exchange, 'date')}")
    oldest = max((a for a in (float(age or 0), back or 0.0) if a), default=None)
    return CacheSeen(_name(exchange), display(line, 120), oldest)


def late_by(exchange: HttpExchange, ran_out: float, now: float) -> tuple[LateBy, str]:
    """Who kept a document past its end, and a clause that says why; `ran_out` and `now` are Unix time.

    A document that left its origin before it ran out was kept too long by a cache; one that had run out already when it
    left is the publisher's, cache or not. No proof of a cache: the publisher is late.
    """
    seen = cache_seen(exchange, now)
    if seen is None:
        return "late", "no header shows a cache"
    called = (
        f"the cache that calls itself {seen.name}" if seen.name else "a cache that does not tell its name"
    )
    if seen.age is not None and now - seen.age > ran_out + SLACK:
        return "late", f"{called} got it {_span(seen.age)} ago, when it had run out already"
    kept = f" has kept it for {_span(seen.age)}" if seen.age is not None else " gave it"
    marks = f"{seen.name} {header(exchange, 'x-cache')} {header(exchange, 'server')}".lower()
    by: LateBy = "cached-by-publisher" if any(mark in marks for mark in _PUBLISHERS) else "cached"
    return by, f"{called}{kept} ({seen.line})"


def _hits(exchange: HttpExchange) -> list[str]:
    found = []
    for name, value in exchange.headers:
        words = value.lower()
        if name == "cache-status":  # RFC 9211 section 2.1: "ExampleCache; hit"
            hit = any("hit" in [p.strip() for p in member.split(";")[1:]] for member in words.split(","))
        elif name in ("x-cache", "x-cache-lookup", "cf-cache-status", "x-proxy-cache"):
            hit = "hit" in words.replace("_", " ").replace(",", " ").split()
        else:
            hit = name == "warning" and words.lstrip()[:3] in ("110", "111")
        if hit:
            found.append(f"{name}: {value}")
    return found


def _name(exchange: HttpExchange) -> str:
    """The name that the nearest cache gives itself."""
    status = header(exchange, "cache-status").rpartition(",")[2].partition(";")[0].strip(' "')
    hit = header(exchange, "x-cache").partition(" from ")[2].split(",")[0].strip()
    via = header(exchange, "via").rpartition(",")[2].strip().partition(" ")[2]
    return display(status or via or hit, 100)


def _age(value: str) -> int | None:
    text = value.partition(",")[0].strip()
    return min(int(text), MAX_AGE) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s"
