"""Whether an answer came out of a cache, as far as its headers prove it (RFC 9111 section 5, RFC 9211).

A publisher's own delivery network is a cache too and says so in the same headers, so that a cache alone accuses no device of
the network here. What counts is when the document left its origin: `Age` and `Date` tell.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    "edgio", "limelight", "cdn", "cf-cache-status",
)  # fmt: skip

#: "": the headers prove neither a cache nor a late publisher.
LateBy: TypeAlias = Literal["cached", "cached-unnamed", "cached-by-publisher", "late", ""]


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """A cache that answered. `name`: as it calls itself, "" where it does not; `line`: the header that proves it; `ages`:
    how many seconds ago the origin gave the document, once by each header that tells it. Texts are harmless."""

    name: str
    line: str
    ages: tuple[float, ...] = ()


def cache_seen(exchange: HttpExchange, made: float, now: float) -> CacheSeen | None:
    """The cache that gave this answer; None where no header proves one. `made`: when the document was issued (thisUpdate).

    Proofs: an `Age` over zero that is no longer than the document's own, a hit in `Cache-Status` or `X-Cache`, or a
    `Warning` 110 or 111 (RFC 7234 section 5.5). `Via` alone is a proxy, not a cache; an old `Date` alone may as well be
    the word of a server whose clock is wrong.
    """
    age, back = _age(exchange), _back(exchange, now)
    believed = age if age is not None and _possible(age, made, now) else None
    hit = next(_hits(exchange), None)
    if not believed and hit is None:
        return None
    line = f"{hit[0]}: {hit[1]}" if hit is not None else f"age: {believed}"
    dated = back if back is not None and back > SLACK and _possible(back, made, now) else None
    ages = tuple(float(a) for a in (believed, dated) if a is not None)
    return CacheSeen(_name(exchange, hit), display(line, 120), ages)


def late_by(exchange: HttpExchange, made: float, ran_out: float, now: float) -> tuple[LateBy, str]:
    """Who kept a document past its end, and a clause that says why. Unix times: `made` is its thisUpdate.

    A document that left its origin before it ran out was kept too long by a cache; one that had run out already when it
    left is the publisher's, cache or not. Headers that contradict each other, the document or the clocks prove neither.
    """
    seen = cache_seen(exchange, made, now)
    if seen is None:
        return _unproved(exchange, made, ran_out, now)
    called = (
        f"the cache that calls itself {seen.name}" if seen.name else "a cache that does not tell its name"
    )
    before = [_before(age, ran_out, now) for age in seen.ages]
    if any(before) and not all(before):
        return "", f"{called} gave it ({seen.line}), and its Age and its Date contradict each other"
    if before and not any(before):
        return "late", f"{called} got it {_span(max(seen.ages))} ago, when it had run out already"
    kept = f" has kept it for {_span(max(seen.ages))}" if seen.ages else " gave it"
    marks = f"{seen.name} {seen.line} {header(exchange, 'x-cache')} {header(exchange, 'server')}".lower()
    by: LateBy = "cached" if seen.name else "cached-unnamed"
    if any(mark in marks for mark in _PUBLISHERS):
        by = "cached-by-publisher"
    return by, f"{called}{kept} ({seen.line})"


def _unproved(exchange: HttpExchange, made: float, ran_out: float, now: float) -> tuple[LateBy, str]:
    """The same where nothing proves a cache."""
    age, back = _age(exchange), _back(exchange, now)
    if age and not _possible(age, made, now):
        return "", f"its Age ({_span(age)}) is longer than its own, and proves nothing"
    if back is None or back <= SLACK:
        return "late", "no header shows a cache"
    if not _possible(back, made, now):
        return "", f"its Date lies {_span(back)} back, before it was issued, and proves nothing"
    if not _before(back, ran_out, now):
        return "late", f"by its Date it left its server {_span(back)} ago, when it had run out already"
    return "", f"its Date lies {_span(back)} back: a cache has kept it, or its server's clock is wrong"


def _possible(age: float, made: float, now: float) -> bool:
    """Whether a document of this issue can have left its origin so long ago."""
    return now - age >= made - SLACK


def _before(age: float, ran_out: float, now: float) -> bool:
    return now - age <= ran_out + SLACK


def _back(exchange: HttpExchange, now: float) -> float | None:
    """How many seconds back the Date lies, None where there is none."""
    date = http_date(header(exchange, "date"), now)
    return None if date is None else now - date


def _hits(exchange: HttpExchange) -> Iterator[tuple[str, str]]:
    """The headers that tell of a hit, the nearest cache's last line first: each cache adds its own at the end."""
    for name, value in reversed(exchange.headers):
        words = value.lower()
        if name == "cache-status":  # RFC 9211 section 2.1: "ExampleCache; hit"
            hit = any(_member_hit(member) for member in words.split(","))
        elif name in _HIT_OR_MISS:
            hit = "hit" in words.replace("_", " ").replace(",", " ").split()
        else:
            hit = name == "warning" and words.lstrip()[:3] in ("110", "111")
        if hit:
            yield name, value


#: X-Cache-Lookup is none of them: Squid calls it a hit as well where it had the document and got it anew.
_HIT_OR_MISS = ("x-cache", "cf-cache-status", "x-proxy-cache")


def _member_hit(member: str) -> bool:
    return "hit" in [part.strip() for part in member.lower().split(";")[1:]]


def _name(exchange: HttpExchange, hit: tuple[str, str] | None) -> str:
    """The name that the cache gives itself: in its hit, else that of the nearest proxy, unless that tells of a miss."""
    vias = [
        entry.strip().partition(" ")[2]
        for n, value in exchange.headers
        if n == "via"
        for entry in value.split(",")
    ]
    own = ""
    if hit is not None and hit[0] == "cache-status":
        members = [member for member in hit[1].split(",") if _member_hit(member)]
        own = members[-1].partition(";")[0].strip(' "')
    elif hit is not None and hit[0] != "warning":
        own = hit[1].partition(" from ")[2].split(",")[0].strip()
    if own:
        return display(next((via for via in reversed(vias) if via.startswith(own)), own), 100)
    told = any(name in ("cache-status", *_HIT_OR_MISS) for name, _ in exchange.headers)
    if hit is None and told:
        return ""  # each cache that tells of itself did not have it: another one did
    return display(vias[-1], 100) if vias else ""


def _age(exchange: HttpExchange) -> int | None:
    """The Age in seconds. Of several the first one counts, and garbage for nothing (RFC 9111 section 5.1)."""
    text = header(exchange, "age").partition(",")[0].strip()
    return min(int(text), MAX_AGE) if text.isascii() and text.isdigit() and len(text) <= 20 else None


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s"
