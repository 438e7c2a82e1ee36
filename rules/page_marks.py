"""Who wrote an answer over port 80, as far as its own words tell: products of customers' networks, CDNs, odd statuses.

A mark is positive evidence only where an origin cannot have left it. `Via` and `X-Cache` are none: every answer that passes a
proxy bears them, also the origin's own errors (RFC 9110 section 7.6.3). Nor is the header of a CDN: it stands in the errors of
the servers behind it. Cookies are none: load balancers of the same makers set them in front of origins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rules.display import display

Headers = tuple[tuple[str, str], ...]

SNIFFED = 16_384  #: bytes of a body that are looked at for signs of a page
SENTENCE = 160  #: characters of a page's text that are shown

#: What products write into their pages and headers, and who they are.
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
#: Words of these are names, animals or English as well: in the text of a page they prove nothing.
_PLAIN = frozenset(
    {"umbrella", "check point", "palo alto", "barracuda", "untangle", "squid", "sophos", "kerio", "meraki"}
    | {"azure firewall", "skyhigh"}
)
#: How products sign the text of a page: all of these words are in it.
_SIGNED: tuple[tuple[tuple[str, ...], str], ...] = (
    # "HTTP request from 10.1.0.4:51000 to x:80. Action: Deny. Reason: No rule matched. Proceeding with default action."
    (("action: deny", "reason:"), "Azure Firewall"),
    (("generated ", " by ", "(squid"), "Squid"),  # the last line of Squid's error pages
)
_LABELLED = frozenset({"server", "via", "set-cookie", "proxy-agent", "proxy-authenticate", "location"})
_NO_MARK = frozenset({"via", "set-cookie", "x-cache", "x-cache-lookup"})
#: Headers that a CDN sets, or a front end that stands before origins, and what they call themselves.
_CDN_HEADERS = (
    "cf-ray", "cf-mitigated", "x-azure-ref", "x-msedge-ref", "x-amz-", "x-akamai-", "akamai-", "x-served-by", "x-fastly-",
    "x-varnish", "x-sucuri-", "x-iinfo", "x-cdn", "x-ec-", "x-edge-", "x-nf-request-id", "x-vercel-", "x-github-request-id",
)  # fmt: skip
_CDN_SERVERS = (
    "akamai", "cloudflare", "cloudfront", "ecacc", "ecs (", "ecd (", "eca (", "azurefrontdoor", "varnish", "fastly", "gws",
    "sucuri", "imperva", "netlify", "bunnycdn", "keycdn", "cdn77", "amazons3", "awselb", "windows-azure-blob",
    "microsoft-azure-application-gateway", "google frontend",
)  # fmt: skip

#: Titles that only a filter gives to its pages.
_BLOCK_WORDS = ("blocked", "web filter", "webfilter", "url filter", "content filter", "policy violation")
_BLOCK_SENTENCES = (
    "page blocked", "site blocked", "blocked by policy", "blocked by your", "blocked by the administrator", "blocked by admin",
    "blocked by the firewall", "web filter", "url filter", "content filter", "against your organization's policy",
)  # fmt: skip

#: HTTP Status Code Registry (https://www.iana.org/assignments/http-status-codes, 2025-09-15), 400 and over.
_REGISTERED = frozenset({*range(400, 419), *range(421, 427), 428, 429, 431, 451, *range(500, 509), 510, 511})
#: Statuses without a registration that servers and front ends of origins give: nginx 444 and 494-499 (its documentation and
#: `ngx_http_request.h`), Cloudflare 520-530 (its support pages, "Cloudflare 5xx errors"), AWS load balancers 460-464 and 561
#: (their troubleshooting page), IIS 440 and 449 (MS-WDV, MS-ASHTTP), Laravel and Twitter 419, 420, Pantheon 540, 561.
_OF_ORIGINS = frozenset(
    {419, 420, 430, 440, 444, 449, 460, 463, 464, *range(494, 500), 509, *range(520, 531), 540, 561}
)

_TAGS = re.compile(
    r"<(script|style|title)\b.*?(</\1\s*>|\Z)|<!--.*?(-->|\Z)|<[^<>]*>", re.DOTALL | re.IGNORECASE
)


def no_origin_gives(status: int | None) -> bool:
    """Whether an error status is none that a web server is known to give: not registered (RFC 9110 section 16.2.1), and
    not of the few that origins' servers and front ends made up. Azure Firewall's 470 is such a one."""
    return status is not None and status >= 400 and status not in _REGISTERED | _OF_ORIGINS


def title(body: bytes | None) -> str:
    """The title of a page in one line, "" where it has none. Not yet harmless: see `display`."""
    text = _text(body)
    lower = text.lower()
    start = lower.find("<title")
    start = lower.find(">", start) + 1 if start >= 0 else 0
    end = lower.find("</title", start)
    return " ".join(text[start:end].split()) if start and end > start else ""


def sentence(body: bytes | None) -> str:
    """How the text of an answer begins, in one line and harmless; "" where the bytes are no text."""
    text = _text(body)
    if not text or "\x00" in text or text.count("\\x") > len(text) // 40:
        return ""
    return display(" ".join(_TAGS.sub(" ", text).split()), SENTENCE)


def product(headers: Headers, body: bytes | None) -> tuple[str, tuple[str, ...]]:
    """What a page looks like, by its headers and then by its text: a label on a page that was recognised otherwise."""
    told = [(k, v) for k, v in headers if k in _LABELLED or k.startswith("x-")]
    name, marks = _in_headers(told)
    if name:
        return name, marks
    text = _text(body).lower()
    return _signed(text) or next((who for word, who in _PRODUCTS if word in text), ""), ()


def of_cdn(headers: Headers) -> bool:
    """Whether a CDN or another front end of origins signed the answer: what it refuses, it refuses for its customer."""
    return any(
        name.startswith(_CDN_HEADERS) or (name == "server" and value.lower().startswith(_CDN_SERVERS))
        for name, value in headers
    )


def page_evidence(headers: Headers, body: bytes | None) -> str:
    """What shows that a filter wrote a page that came with 200: its headers or its title. "" where nothing does."""
    _, marks = _in_headers(_marked(headers))
    if marks:
        return f"the header {marks[0]}"
    named = title(body)
    if not of_cdn(headers) and any(word in named.lower() for word in _BLOCK_WORDS):
        return "its title"
    return ""


def refusal_evidence(status: int, headers: Headers, body: bytes | None) -> str:
    """What shows that a device on the way gave this error, and not the origin or its CDN. "" where nothing does."""
    text = _text(body).lower()
    named = title(body).lower()
    if no_origin_gives(status):
        return f"the status {status}, which no web server is known to give"
    found = page_evidence(headers, body)
    if found:
        return found
    if _signed(text):
        return "its text"
    who = next((who for word, who in _PRODUCTS if word in (text if word not in _PLAIN else named)), "")
    if who:
        return f"the name of {who}"
    if not of_cdn(headers) and any(words in _plain(text) for words in _BLOCK_SENTENCES):
        return "its text"
    return ""


def _marked(headers: Headers) -> list[tuple[str, str]]:
    """The headers in which a product's name is its own word."""
    labelled = _LABELLED - {"location"}
    return [(k, v) for k, v in headers if (k in labelled or k.startswith("x-")) and k not in _NO_MARK]


def _in_headers(headers: Iterable[tuple[str, str]]) -> tuple[str, tuple[str, ...]]:
    told = list(headers)
    for word, who in _PRODUCTS:
        marks = tuple(f"{display(k, 40)}: {display(v, 120)}" for k, v in told if word in f"{k}: {v}".lower())
        if marks:
            return who, marks[:4]
    return "", ()


def _signed(text: str) -> str:
    return next((who for words, who in _SIGNED if all(word in text for word in words)), "")


def _text(body: bytes | None) -> str:
    return (body or b"")[:SNIFFED].decode("utf-8", "backslashreplace")


def _plain(text: str) -> str:
    return " ".join(_TAGS.sub(" ", text).split())
