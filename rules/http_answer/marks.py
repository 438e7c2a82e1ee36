"""Who wrote an answer over port 80, as far as it says so itself: products of customers' networks, CDNs, unusual
statuses.

A mark is positive evidence only where an origin cannot have left it. These are no marks:
- `Via` and `X-Cache`: every answer that passes a proxy has them, also the origin's own errors (RFC 9110 section
  7.6.3).
- The header of a CDN: the errors of the servers behind it have it too.
- Cookies: load balancers of the same makers set them in front of origins.

`rules.http_answer.words` states what the words of a page are worth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from rules.http_answer.header_lists import split_members, split_name
from rules.http_answer.links import blocked_by
from rules.http_answer.text import Headers, title, visible_text
from rules.http_answer.words import (
    is_waf_page,
    refused_near,
    refuses,
    speaks_for_the_site,
    speaks_to_its_visitor,
    titled_as_blocked,
)
from rules.text.display import display

#: The words that products write into their pages and headers, and the names of the products.
_PRODUCTS: tuple[tuple[str, str], ...] = (
    ("zscaler", "Zscaler"), ("fortinet", "Fortinet"), ("fortigate", "Fortinet"), ("fortiguard", "Fortinet"),
    ("blue coat", "Blue Coat / Symantec ProxySG"), ("bluecoat", "Blue Coat / Symantec ProxySG"),
    ("proxysg", "Blue Coat / Symantec ProxySG"), ("mcafee web gateway", "Skyhigh / McAfee Web Gateway"),
    ("skyhigh", "Skyhigh / McAfee Web Gateway"), ("websense", "Forcepoint"), ("forcepoint", "Forcepoint"),
    ("umbrella", "Cisco Umbrella"), ("opendns", "Cisco Umbrella"), ("ironport", "Cisco Secure Web Appliance"),
    ("check point", "Check Point"), ("palo alto", "Palo Alto Networks"),
    ("sophos", "Sophos"), ("sonicwall", "SonicWall"), ("watchguard", "WatchGuard"), ("barracuda", "Barracuda"),
    ("netskope", "Netskope"), ("iboss", "iboss"), ("untangle", "Untangle"), ("smoothwall", "Smoothwall"),
    ("contentkeeper", "ContentKeeper"), ("trend micro", "Trend Micro"), ("cloudflare gateway", "Cloudflare Gateway"),
    ("kerio", "Kerio"), ("e2guardian", "e2guardian"), ("dansguardian", "DansGuardian"), ("squid", "Squid"),
    ("cyberoam", "Cyberoam"), ("privoxy", "Privoxy"), ("mitmproxy", "mitmproxy"), ("meraki", "Cisco Meraki"),
    ("azure firewall", "Azure Firewall"),
)  # fmt: skip
#: These words are also names, animals or English words: in a page's text and in a free header they prove nothing.
_PLAIN = frozenset(
    {"umbrella", "check point", "palo alto", "barracuda", "untangle", "squid", "sophos", "kerio", "meraki"}
    | {"azure firewall", "skyhigh"}
)
#: Any of the names, anywhere: a header without one needs no further check.
_ANY = re.compile("|".join(re.escape(word) for word, _ in _PRODUCTS))
#: How products sign the text of a page: all of these words occur in it.
_SIGNED: tuple[tuple[tuple[str, ...], str], ...] = (
    # "HTTP request from 10.1.0.4:51000 to x:80. Action: Deny. Reason: No rule matched. Proceeding with default action."
    (("action: deny", "reason:"), "Azure Firewall"),
    (("generated ", " by ", "(squid"), "Squid"),  # the last line of Squid's error pages
)
#: Headers whose value a product may sign. Squid also stands in front of origins, so `server: squid` alone proves
#: nothing.
_SIGNING = ("server", "proxy-agent", "proxy-authenticate")
_LABELLED = frozenset({*_SIGNING, "via", "set-cookie", "location", "proxy-status", "www-authenticate"})
_NO_MARK = frozenset({"via", "set-cookie", "x-cache", "x-cache-lookup"})
#: Firewalls and load balancers of the same makers also stand in front of origins: the headers that they sign, and the
#: names that they use.
_BEFORE_ORIGINS = re.compile(
    r"\A(?:x-)?(?:[\w-]{1,20}-)?(?:waf|protected|protection|secured|shielded)(?:-|\Z)"
)
_AS_BEFORE_ORIGINS = re.compile(
    r"\bwaf\b|\bfortiweb\b|\bweb app(?:lication)? firewall\b|\bload[ -]?balancer\b|\bfortiadc\b|\A\s*barracuda\s*\Z"
)
#: Headers of CDNs, or of front ends before origins, and the names that they use.
_CDN_HEADERS = (
    "cf-ray", "cf-mitigated", "x-azure-ref", "x-msedge-ref", "x-amz-", "x-akamai-", "akamai-", "x-served-by", "x-fastly-",
    "x-varnish", "x-sucuri-", "x-iinfo", "x-cdn", "x-ec-", "x-edge-", "x-nf-request-id", "x-vercel-", "x-github-request-id",
)  # fmt: skip
_CDN_SERVERS = (
    "akamai", "cloudflare", "cloudfront", "ecacc", "ecs (", "ecd (", "eca (", "azurefrontdoor", "varnish", "fastly", "gws",
    "sucuri", "imperva", "netlify", "bunnycdn", "keycdn", "cdn77", "amazons3", "awselb", "windows-azure-blob",
    "microsoft-azure-application-gateway", "google frontend",
)  # fmt: skip

#: The words of a page between itself and "by" a product.
_STOPPED = ("blocked", "denied", "filtered", "stopped")

#: HTTP Status Code Registry (https://www.iana.org/assignments/http-status-codes, 2025-09-15), 400 and over.
_REGISTERED = frozenset({*range(400, 419), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511})
#: Statuses without a registration that servers and front ends of origins give: nginx 444 and 494-499 (its
#: documentation and `ngx_http_request.h`), Cloudflare 520-530 (its support pages, "Cloudflare 5xx errors"), AWS load
#: balancers 460-464 and 561 (their troubleshooting page), IIS 440 and 449 (MS-WDV, MS-ASHTTP), Laravel and Twitter
#: 419, 420, Pantheon 540, 561.
_OF_ORIGINS = frozenset(
    {419, 420, 430, 440, 444, 449, 460, 463, 464, *range(494, 500), 509, *range(520, 531), 540, 561}
)

_REALM = re.compile(r"\brealm\s*=\s*(?:\"([^\"]*)\"|([^\s,\"]+))", re.IGNORECASE)


def no_origin_gives(status: int | None) -> bool:
    """Whether no web server is known to give this error status: it is not registered (RFC 9110 section 16.2.1), and
    not one of the few that servers and front ends of origins invented. Example: Azure Firewall's 470."""
    return status is not None and status >= 400 and status not in _REGISTERED | _OF_ORIGINS


def product(headers: Headers, text: str) -> tuple[str, tuple[str, ...]]:
    """The product that a page looks like, by its headers and then by its text: a label on a page that other evidence
    has recognised."""
    product_headers = [(k, v) for k, v in _with_a_product(headers) if k in _LABELLED or k.startswith("x-")]
    for word, who in _PRODUCTS:
        marks = tuple(_shown(k, v) for k, v in product_headers if _has_mark(word, k, v.lower()))
        if marks:
            return who, marks[:4]
    seen = f"{title(text)} {visible_text(text)}".lower()
    return _signed(text.lower()) or next(
        (who for word, who in _PRODUCTS if _contains_word(word, seen)), ""
    ), ()


def signed_by_cdn(headers: Headers) -> bool:
    """Whether a CDN or another front end of origins signed the answer. Such a front end refuses on behalf of the origin."""
    return any(
        name.startswith(_CDN_HEADERS) or (name == "server" and value.lower().startswith(_CDN_SERVERS))
        for name, value in headers
    )


def page_evidence(headers: Headers, text: str) -> str:
    """The evidence that a filter wrote a page with status 200: its headers or its title. "" without any."""
    mark = next(_marks(headers), "")
    if mark:
        return mark
    named, said = title(text).lower(), visible_text(text).lower()
    both = f"{named} {said}"
    ours = (
        signed_by_cdn(headers)
        or speaks_for_the_site(both)
        or (speaks_to_its_visitor(both) and not refuses(said))
    )
    return "its title" if titled_as_blocked(named) and not ours else ""


def refusal_evidence(status: int, headers: Headers, text: str, host: str = "") -> str:
    """The evidence that a network device gave this error, and not the origin or its CDN. "" without any."""
    if no_origin_gives(status):
        return f"the status {status}, which no web server is known to give"
    found = page_evidence(headers, text) or next(_marks_of_errors(headers, status), "")
    if found:
        return found
    named, said, cdn = title(text).lower(), visible_text(text).lower(), signed_by_cdn(headers)
    who = next(_titles(named, said, cdn), "")
    if who or cdn:
        return f"the name of {who}" if who else ""
    blocker = blocked_by(headers, host) if status == 451 else ""
    if blocker:
        return f"the header link, which says who blocks: {display(blocker, 120)}"
    if _signed(text.lower()):
        return "its text"
    if speaks_for_the_site(f"{named} {said}"):
        return ""
    who = _refuser(said)
    return f"the name of {who}" if who else "its text" if refuses(said) else ""


def _marks(headers: Headers) -> Iterator[str]:
    """The headers in which a product names itself. Squid also signs the answers of origins behind it; only its own
    errors have a header of their own."""
    likely = _with_a_product(headers)
    for word, who in _PRODUCTS if likely else ():
        for name, value in likely:
            if _BEFORE_ORIGINS.match(name) or _AS_BEFORE_ORIGINS.search(value[:2048].lower()):
                continue
            free = word not in _PLAIN and name.startswith("x-") and name not in _NO_MARK
            signs = who != "Squid" and (free or name in _SIGNING)
            if _is_product_header(word, name) or (signs and _contains_word(word, value.lower())):
                yield f"the header {_shown(name, value)}"


def _marks_of_errors(headers: Headers, status: int) -> Iterator[str]:
    """Headers that occur only in errors and show who gave them. `Proxy-Authenticate` is a proxy's (RFC 9110 section
    11.7.1). An intermediary with a `received-status` forwards the error of another (RFC 9209 section 2.1.5)."""
    for name, value in headers:
        words: list[str] = []
        if name == "proxy-authenticate" and status != 407:
            yield f"the header {_shown(name, value)}, which only proxies send"
        elif not _ANY.search(value[:2048].lower()):
            continue
        elif name == "proxy-status":
            intermediaries = map(split_name, split_members(value))
            words = [
                who.lower()
                for who, parameters in intermediaries
                if "received-status" not in parameters.lower()
            ]
        elif name == "www-authenticate":
            words = [(quoted or bare).lower() for quoted, bare in _REALM.findall(value[:2048])]
        if any(_contains_word(word, one) for one in words for word, _ in _PRODUCTS if word not in _PLAIN):
            yield f"the header {_shown(name, value)}"


def _titles(named: str, said: str, cdn: bool) -> Iterator[str]:
    """The products that a title names. An English word counts where it is the whole title, or where the page refuses."""
    for word, who in _PRODUCTS:
        if _contains_word(word, named):
            whole = word not in _PLAIN or named in (word, who.lower())
            both = f"{named}. {said}"
            if (whole and not is_waf_page(both)) or (
                not cdn
                and not speaks_for_the_site(both)
                and (refuses(both) or refused_near(both, _pattern(word)))
            ):
                yield who


def _refuser(said: str) -> str:
    """The product that names itself in a refusing text; an English word counts only right after "blocked by". A text
    that names two makers is about them: no product names another in its page."""
    found: dict[str, bool] = {}
    for word, who in _PRODUCTS:
        if word in said and _contains_word(word, said):
            by_it = any(
                f"{stopped} by {the}{word}" in said for stopped in _STOPPED for the in ("", "the ", "cisco ")
            )
            near = word not in _PLAIN and refused_near(said, _pattern(word))
            if word not in _PLAIN or by_it:
                found[who] = found.get(who, False) or near or by_it
    return next(iter(found)) if list(found.values()) == [True] else ""


def _with_a_product(headers: Headers) -> list[tuple[str, str]]:
    """The headers that contain the name of a product. They are few; a hostile answer has hundreds of others."""
    return [(name, value) for name, value in headers if _ANY.search(name) or _ANY.search(value.lower())]


def _has_mark(word: str, name: str, value: str) -> bool:
    """Whether a header has a product's word as a mark. The address of a redirect is no text: there the word may be
    part of a name."""
    return _is_product_header(word, name) or (
        word in value if name == "location" else _contains_word(word, value)
    )


def _is_product_header(word: str, name: str) -> bool:
    """Whether a header's own name is a product's. English words are names of servers as well."""
    return name == "x-squid-error" if word == "squid" else word not in _PLAIN and word in name.split("-")


def _contains_word(word: str, text: str) -> bool:
    return word in text and _pattern(word).search(text) is not None


@cache
def _pattern(word: str) -> re.Pattern[str]:
    """A pattern for the whole word: "umbrella-prod-3", "barracuda7" and "zscaler.example" are other people's names."""
    return re.compile(rf"(?<![\w.@-]){re.escape(word)}(?![\w-]|\.\w)")


def _shown(name: str, value: str) -> str:
    return f"{display(name, 40)}: {display(value, 120)}"


def _signed(text: str) -> str:
    return next((who for words, who in _SIGNED if all(word in text for word in words)), "")
