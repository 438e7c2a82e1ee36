"""Whether an answer came from a cache, as far as its headers prove it (RFC 9111 section 5, RFC 9211).

A publisher's own delivery network is a cache too and uses the same headers. So a cache alone is no evidence against a
device of the network under test. What counts is when the document left its origin; `Age` and `Date` give that time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.http_answer.header_lists import split_members, split_name
from rules.http_answer.page import header
from rules.model.kinds.http_fetch import HttpExchange
from rules.text.display import display
from rules.text.moments import http_date, seconds_of

#: Seconds by which the clocks of the origin, of a cache and of this host may differ.
SLACK = 300.0

#: How caches of delivery networks that publishers rent call themselves: the first word of the name that a cache gives
#: itself, the zone of that word, or the product in the brackets after it, each as a whole. A name of the network
#: under test that only contains such a word (cdnproxy.corp, squid1.westeurope.cloudapp.azure.com) does not match. A
#: label on a name, never a reason.
_SELF = re.compile(
    r"cloudfront|varnish|google|cloudflare|fastly|akamai|akamaighost|akamai ghost|ecacc|ecs|ecd|edgecast|edgio|limelight"
    r"|cache-[a-z]{3,4}(-[a-z]{2,8})?\d{3,}-[a-z]{3}"  # Fastly: "cache-ams1234-AMS"
    r"|([a-z0-9_-]+\.)+(akamaitechnologies\.com|akamai\.net|akamaiedge\.net|cloudfront\.net|fastly\.net|edgecastcdn\.net"
    r"|azureedge\.net|azurefd\.net|llnw\.net|llnwd\.net)",
    re.IGNORECASE,
)
_PRODUCT = re.compile(r"\((akamaighost|cloudfront)\b", re.IGNORECASE)
_CLOUDFLARE = "Cloudflare"  #: these have the header cf-cache-status

#: "": the headers prove neither a cache nor a late publisher.
LateBy: TypeAlias = Literal["cached", "cached-unnamed", "cached-by-publisher", "late", ""]


@dataclass(frozen=True, slots=True)
class CacheSeen:
    """A cache that answered.

    `name`: the name that it gives itself, "" without one; `line`: the header that proves it; `ages`: how many seconds
    ago the origin gave the document, one value for each header that gives it; `publisher`: whether it calls itself a
    cache of a publisher's delivery network; `identified`: whether the headers show which one of several caches it is.
    Texts are harmless.
    """

    name: str
    line: str
    ages: tuple[float, ...] = ()
    publisher: bool = False
    identified: bool = True


@dataclass(frozen=True, slots=True)
class _Hit:
    """A header in which a cache says that it had the document. `name` as given there, "" without one."""

    header: str
    member: str
    name: str


def cache_seen(exchange: HttpExchange, made: float, now: float) -> CacheSeen | None:
    """The cache that gave this answer; None where no header proves one. `made`: when the document was issued
    (thisUpdate).

    Proofs: an `Age` over zero that is no longer than the document's own, a hit in `Cache-Status` or `X-Cache`, or a
    `Warning` 110 or 111 (RFC 7234 section 5.5). `Via` alone shows a proxy, not a cache. An old `Date` alone may come
    from a server whose clock is wrong.
    """
    age, back = _age(exchange), _date_age(exchange, now)
    believed = age if age is not None and _possible(age, made, now) else None
    hits = _hits(exchange)
    if not believed and not hits:
        return None
    hit, identified = _nearest(hits, _proxy_names(exchange))
    line = f"{hit.header}: {hit.member}" if hit is not None else f"age: {believed}"
    dated = back if back is not None and back > SLACK and _possible(back, made, now) else None
    ages = tuple(float(a) for a in (believed, dated) if a is not None)
    if hit is None:
        name, identified = _by_age(exchange)
    else:
        name = _full_name(hit, exchange)
    return CacheSeen(display(name, 100), display(line, 120), ages, _is_publisher(name), identified)


def late_by(exchange: HttpExchange, made: float, ran_out: float, now: float) -> tuple[LateBy, str]:
    """Who kept a document past its end, and a clause with the reason. Unix times: `made` is its thisUpdate.

    If the document left its origin before its end, a cache kept it too long. If it had already ended when it left,
    the publisher is late, with or without a cache. Headers that contradict each other, the document or the clocks
    prove neither.
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
    if not seen.identified:
        return "", f"which cache kept it cannot be told ({seen.line})"
    kept = f" has kept it for {_span(max(seen.ages))}" if seen.ages else " gave it"
    by: LateBy = "cached-by-publisher" if seen.publisher else "cached" if seen.name else "cached-unnamed"
    return by, f"{called}{kept} ({seen.line})"


def _unproved(exchange: HttpExchange, made: float, ran_out: float, now: float) -> tuple[LateBy, str]:
    """The same where nothing proves a cache."""
    age, back = _age(exchange), _date_age(exchange, now)
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


def _date_age(exchange: HttpExchange, now: float) -> float | None:
    """How many seconds before `now` the Date lies; None without one."""
    date = http_date(header(exchange, "date"), now)
    return None if date is None else now - date


#: X-Cache-Lookup does not count: Squid writes a hit there also where it had the document and fetched it again.
_HIT_OR_MISS = ("x-cache", "cf-cache-status", "x-proxy-cache")
_STALE = ("110", "111")  #: codes of `Warning`


def _hits(exchange: HttpExchange) -> tuple[_Hit, ...]:
    """The hits, in the order of the header lines: each cache adds its own at the end."""
    found: list[_Hit] = []
    served = split_members(header(exchange, "x-served-by"))  # Fastly: the same caches in the same order
    for name, value in exchange.headers:
        if name == "warning":
            agents = (member.split() for member in split_members(value))
            found += [
                _Hit(name, value, agent[1]) for agent in agents if len(agent) > 1 and agent[0] in _STALE
            ]
        elif name == "cache-status":  # RFC 9211 section 2.1: "ExampleCache; hit"
            found += [_Hit(name, m, split_name(m)[0]) for m in split_members(value) if _member_hit(m)]
        elif name == "cf-cache-status" and _is_hit(value):
            found.append(_Hit(name, value, _CLOUDFLARE))
        elif name in _HIT_OR_MISS:
            members = split_members(value)
            for place, member in enumerate(members):
                own = _hit_name(member) or (served[place] if len(served) == len(members) else "")
                if _is_hit(member):
                    found.append(_Hit(name, member, own))
    return tuple(found)


def _member_hit(member: str) -> bool:
    parameters = re.sub(r'"[^"]*"', "", split_name(member)[1])
    parameter_list = [part.strip() for part in parameters.lower().split(";")]
    return "hit" in parameter_list or "hit=?1" in parameter_list


def _is_hit(member: str) -> bool:
    return "hit" in member.lower().partition(" from ")[0].replace("_", " ").split()


def _hit_name(member: str) -> str:
    return member.partition(" from ")[2].strip()


def _nearest(hits: tuple[_Hit, ...], vias: list[str]) -> tuple[_Hit | None, bool]:
    """The nearest of the caches that had the document, and whether the headers prove that it is the nearest.

    Lines with one header name are in order; lines with different names are not (RFC 9110 section 5.3), and then only
    `Via` gives the order. It matters where a publisher's cache and another one had the document.
    """
    if not hits:
        return None, False
    named = [hit for hit in hits if hit.header != "warning"] or list(hits)
    last = named[-1]
    if len({_is_publisher(hit.name) for hit in named}) == 1:
        return last, True
    at_end = next((hit for hit in reversed(named) if vias and _same_cache(hit.name, vias[-1])), None)
    if at_end is not None:
        return at_end, [hit for hit in named if hit.header == at_end.header][-1] is at_end
    return last, len({hit.header for hit in named}) == 1


def _proxy_names(exchange: HttpExchange) -> list[str]:
    """The names of the proxies on the path, the nearest last (RFC 9110 section 7.6.3)."""
    lines = (value for name, value in exchange.headers if name == "via")
    return [member.partition(" ")[2].strip() for line in lines for member in split_members(line)]


def _same_cache(own: str, via: str) -> bool:
    """Whether a cache's header and an entry of `Via` have one name; the entry may add a comment."""
    first = own.partition(" ")[0].lower()
    return bool(first) and (first == via.partition(" ")[0].lower() or f"({first})" in via.lower())


def _full_name(hit: _Hit, exchange: HttpExchange) -> str:
    """The name that the cache with the hit gives itself, with its addition in `Via`.

    A hit without a name stays without one: another program than the proxies in `Via` may have written it.
    """
    if not hit.name:
        return ""
    via = next((via for via in reversed(_proxy_names(exchange)) if _same_cache(hit.name, via)), "")
    if hit.header == "warning":  # a name or only a product, as Squid gives it: "110 squid/5.7"
        return via
    return via if via.lower().startswith(hit.name.lower()) else hit.name


def _by_age(exchange: HttpExchange) -> tuple[str, bool]:
    """The name of the nearest proxy where only an Age proves a cache, and whether it is certainly that one."""
    if any(name in ("cache-status", *_HIT_OR_MISS) for name, _ in exchange.headers):
        return "", True  # each cache that names itself did not have the document, so another one had
    vias = _proxy_names(exchange)
    if not vias:
        return "", True
    others = (*vias[:-1], header(exchange, "server"))  # a delivery network may write no Via
    return vias[-1], _is_publisher(vias[-1]) or not any(map(_is_publisher, others))


def _is_publisher(name: str) -> bool:
    own = name.partition("(")[0].partition("/")[0].strip()
    return bool(_SELF.fullmatch(own) or _PRODUCT.search(name))


def _age(exchange: HttpExchange) -> int | None:
    """The Age in seconds. The first of several counts; an unreadable value counts as none (RFC 9111 section 5.1)."""
    return seconds_of(header(exchange, "age"))


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "day"), (3600.0, "hour"), (60.0, "minute")):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''}"
    return f"{seconds:.0f} s"
