"""The target to which an answer sends a browser by other means than a redirect's `Location`, and who a 451 says is
blocking.

A page sends a browser on by a `Refresh` header, by `<meta http-equiv="refresh">`, or by a script that sets `location`
while the page loads. Only the first target counts, because the browser leaves the page then. A script that sets
`location` later, on a click or under a condition, does not count: many normal pages do so. Comments and `<noscript>`
do not count either.

Every pattern here reads a hostile body only once: its repetitions are bounded, or end at a character that they cannot
hold. The tokens read of all scripts of a page are bounded too, so a page of blocks alone costs no more than any
other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Literal
from urllib.parse import urlsplit

from rules.http_answer.text import Headers
from rules.text.zones import related

TARGET = 2048  #: maximum of characters read of a target
STEPS = 256  #: maximum of tokens read of a page's scripts, and of page parts that may hold a target

#: "0; url=http://x/", "0;'http://x/'", "5, http://x/" (https://html.spec.whatwg.org/#shared-declarative-refresh-steps).
_REFRESH = re.compile(r"\s{0,16}[\d.]{1,16}\s{0,16}[;,\s]\s{0,16}(?:url\s{0,16}=\s{0,16})?+(.*)", re.I | re.S)
#: The parts of a page in order: parts that hide their content, scripts, and parts that hold a target.
_PARTS = re.compile(
    r"<!--.*?(?:-->|\Z)"
    r"|<(?P<hidden>noscript|style|textarea|template|title)\b.*?(?:</(?P=hidden)|\Z)"
    r"|<script\b[^<>]*>(?P<script>.*?)(?:</script|\Z)"
    r"|<meta\b(?P<meta>[^<>]*)>"
    r"|<body\b(?P<body>[^<>]*)>",
    re.DOTALL | re.IGNORECASE,
)
_IS_REFRESH = re.compile(r"\bhttp-equiv\s*=\s*(?:[\"']\s*)?refresh\b", re.IGNORECASE)
_CONTENT = re.compile(r"\bcontent\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"']+))", re.IGNORECASE)
_ONLOAD = re.compile(r"\bonload\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
#: The tokens of a script that show when it sets `location`: comments, the assignment, strings, blocks.
_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|(?<![\w.$])(?:(?:window|document|self|top|parent)\.){0,3}location(?:\.href)?\s*"
    r"(?:=(?!=)|\.\s*(?:replace|assign)\s*\()\s*"
    r"(?P<quote>[\"'`])(?P<target>(?:https?:)?(?:\\?/){2}[^\"'`\s<>]{1,2048})"
    r"|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|[{}]",
    re.DOTALL,
)
#: The text before a block that runs while the page loads.
_RUNS = re.compile(
    r"(?:\bonload\s?=|\bsettimeout\s?\(|[\"'](?:load|domcontentloaded)[\"']\s?,|\.ready\s?\(|\$\s?\(|(?:^|[;{}!])\s?\()\s?"
    r"(?:function\b[^{}]{0,40}|\([^(){}]{0,40}\)\s?=>)\s?$|(?:^|[;{}])\s?try\s?$"
)
_BRANCH = re.compile(r"\b(?:if|else|while|for)\b[^;]*\Z")
_DEPTH = 16  # nested blocks that run; pages have three or four
#: Words in the address of a network's sign-in page, alone or joined: "login", "captiveportal", "fgtauth", "wifi2".
_PORTAL = re.compile(
    r"(?:captive|hotspot|wifi|guest"
    r"|(?:captive|hotspot|wifi|guest|web|user|net|network|secure|custom|customweb|fgt|cp|my)?(?:portal|login|logon|auth))\d{0,3}"
)
_LINK = re.compile(r"<([^<>]{1,2048})>([^<>]*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def sent_to(headers: Headers, text: str, page: bool) -> str:
    """The target to which an answer sends its reader, else "". Not yet harmless. `page`: the text is HTML."""
    refresh_targets = [_refresh_target(value) for name, value in headers if name == "refresh"]
    return next(
        (target for target in (*refresh_targets, *(_page_target(text) if page else ())) if target), ""
    )


def redirect_kind(location: str, host: str) -> Literal["redirect", "portal"] | None:
    """Whether a redirect leads to another zone, or to another scheme than HTTP. A redirect within its zone is normal for
    a host.

    It may err twice. A portal under the same suffix of the list's private section (both at `azurewebsites.net`)
    counts as the host's own. A publisher's redirect to another of its own zones counts as one elsewhere; its remedy
    accuses nobody. An address is a portal's where a whole word of its host or path says so: "authority", "authors"
    and "bloginfo" do not match. The query does not count, because the sender of the redirect writes it.
    """
    try:
        parts = urlsplit(location)
        target = (parts.hostname or "").lower().rstrip(".")
    except ValueError:
        return "redirect"
    if parts.scheme not in ("", "http", "https"):
        return "redirect"
    if not host or not target or related(target, host):
        return None
    words = re.split(r"[^a-z0-9]+", f"{target[:253]}/{parts.path[:512].lower()}")
    return "portal" if any(_PORTAL.fullmatch(word) for word in words) else "redirect"


def blocked_by(headers: Headers, host: str) -> str:
    """Who implements the blocking according to a 451 (RFC 7725 section 4); "" if it is in the host's own zone."""
    for name, value in headers:
        if name != "link" or not host:
            continue
        for link in _LINK.finditer(value[: 2 * TARGET]):
            rel = _REL.search(link[2])
            who = _host(link[1])
            if (
                rel
                and "blocked-by" in (rel[1] or rel[2] or "").lower().split()
                and who
                and not related(who, host)
            ):
                return link[1]
    return ""


def _page_target(text: str) -> Iterator[str]:
    steps = iter(range(STEPS))
    for _, part in zip(steps, _PARTS.finditer(text), strict=False):
        if part["meta"] and _IS_REFRESH.search(part["meta"]):
            content = _CONTENT.search(part["meta"])
            yield _refresh_target(next(filter(None, content.groups()), "")) if content else ""
        elif part["script"]:
            yield _script_target(part["script"], steps)
        elif part["body"]:
            onload = _ONLOAD.search(part["body"])
            yield _script_target(unescape((onload[1] or onload[2] or "")[:TARGET]), steps) if onload else ""


def _refresh_target(value: str) -> str:
    """The target of a refresh; "" where it only reloads the page."""
    match = _REFRESH.match(unescape(value[:TARGET]))
    if match is None:
        return ""
    target = match[1].strip()
    quote = target[:1]
    target = target[1:].partition(quote)[0] if quote in ("'", '"') else target
    target = "".join(target.split())
    return target if _is_web_target(target) else ""


def _script_target(script: str, steps: Iterator[int]) -> str:
    """The first absolute address to which a script sets `location` while it loads."""
    if "location" not in script:
        return ""
    script = script[: script.rfind("location") + 2 * TARGET]  # no assignment: this begins something else
    running = [True]  # for each open block, the outermost first: whether it runs while the page loads
    comment_end = 0  # the end of the last comment, which may stand between two statements
    for _, token in zip(steps, _TOKENS.finditer(script), strict=False):
        before = script[max(comment_end, token.start() - 120) : token.start()]
        if token[0][:2] in ("//", "/*"):
            comment_end = token.end()
        elif token[0] == "{":
            running.append(running[-1] and len(running) < _DEPTH and _runs_on_load(before))
        elif token[0] == "}":
            del running[max(1, len(running) - 1) :]
        elif token["target"] and running[-1] and _begins_statement(before):
            return token["target"].replace("\\/", "/")
    return ""


def _runs_on_load(before: str) -> bool:
    """Whether a block that begins here runs while the page loads."""
    text = " ".join(before.lower().split())
    return text.endswith((")", "=>", "try")) and _RUNS.search(text) is not None


def _begins_statement(before: str) -> bool:
    """Whether a statement begins here, rather than the branch of a condition or a part of an expression."""
    text = before.rstrip().removesuffix("javascript:")
    if not text or text[-1] in ";{}" or text.endswith("<!--"):
        return True
    line = "\n" in before[len(text) :] and (text[-1].isalnum() or text[-1] in "'\"`])")
    return line and _BRANCH.search(text) is None


def _is_web_target(target: str) -> bool:
    """Whether the target is a web page, and not another program or a piece of script."""
    try:
        return urlsplit(target).scheme in ("", "http", "https")
    except ValueError:
        return False


def _host(target: str) -> str:
    try:
        return (urlsplit(target.strip()).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
