"""Where an answer over port 80 sends a browser by other means than the `Location` of a redirect, and who it says is blocking.

A page sends a browser on by a `Refresh` header, by `<meta http-equiv="refresh">`, or by a script that sets `location` while the
page loads. Only the first target counts, for the browser is gone by then. A script may also set `location` later, on a click or
under a condition: healthy pages are full of that, so it counts for nothing. Nor does a comment, or `<noscript>`.

Every pattern here passes a hostile body once: its repetitions are bounded, or end at a character that they cannot hold. Of all
scripts of a page a bounded number of tokens is read: a page of nothing but blocks costs no more than any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Literal
from urllib.parse import urlsplit

from rules.http_answer.text import Headers
from rules.text.zones import related

TARGET = 2048  #: characters of a target that are read
STEPS = 256  #: tokens of a page's scripts that are read, and parts of the page that may hold a target

#: "0; url=http://x/", "0;'http://x/'", "5, http://x/" (https://html.spec.whatwg.org/#shared-declarative-refresh-steps).
_REFRESH = re.compile(r"\s{0,16}[\d.]{1,16}\s{0,16}[;,\s]\s{0,16}(?:url\s{0,16}=\s{0,16})?+(.*)", re.I | re.S)
#: The parts of a page in its order: what hides its content, what runs, and what sends on.
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
#: The tokens of a script that tell when a `location` is set: comments, the setting itself, texts, blocks.
_TOKENS = re.compile(
    r"//[^\n]*|/\*.*?(?:\*/|\Z)"
    r"|(?<![\w.$])(?:(?:window|document|self|top|parent)\.){0,3}location(?:\.href)?\s*"
    r"(?:=(?!=)|\.\s*(?:replace|assign)\s*\()\s*"
    r"(?P<quote>[\"'`])(?P<target>(?:https?:)?(?:\\?/){2}[^\"'`\s<>]{1,2048})"
    r"|\"(?:[^\"\\\n]|\\.)*\"?|'(?:[^'\\\n]|\\.)*'?|[{}]",
    re.DOTALL,
)
#: What stands before a block that runs while the page loads.
_RUNS = re.compile(
    r"(?:\bonload\s?=|\bsettimeout\s?\(|[\"'](?:load|domcontentloaded)[\"']\s?,|\.ready\s?\(|\$\s?\(|(?:^|[;{}!])\s?\()\s?"
    r"(?:function\b[^{}]{0,40}|\([^(){}]{0,40}\)\s?=>)\s?$|(?:^|[;{}])\s?try\s?$"
)
_BRANCH = re.compile(r"\b(?:if|else|while|for)\b[^;]*\Z")
_DEPTH = 16  # of blocks in blocks that run; pages have three or four
#: Words of an address where one signs in to a network, alone or joined: "login", "captiveportal", "fgtauth", "wifi2".
_PORTAL = re.compile(
    r"(?:captive|hotspot|wifi|guest"
    r"|(?:captive|hotspot|wifi|guest|web|user|net|network|secure|custom|customweb|fgt|cp|my)?(?:portal|login|logon|auth))\d{0,3}"
)
_LINK = re.compile(r"<([^<>]{1,2048})>([^<>]*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,\"]+))", re.IGNORECASE)


def sent_to(headers: Headers, text: str, page: bool) -> str:
    """Where an answer sends its reader, "" where it does not. Not yet harmless. `page`: its text is one of HTML."""
    told = [_refreshed(value) for name, value in headers if name == "refresh"]
    return next((target for target in (*told, *(_of_page(text) if page else ())) if target), "")


def redirect_kind(location: str, host: str) -> Literal["redirect", "portal"] | None:
    """A redirect to another zone, or to what is no HTTP at all; one within its zone is the host's own affair.

    It may err twice. A portal under the same suffix of the list's private section (both at `azurewebsites.net`) counts as the
    host's own. A publisher's redirect to another of its zones counts as one elsewhere; its remedy accuses nobody. An address is
    a portal's where a whole word of its host or path says so: "authority", "authors" and "bloginfo" do not. The query does not
    count, because the sender of the redirect writes it.
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
    """Who a 451 says implements the blocking (RFC 7725 section 4), where it is none of the host's own zone; else ""."""
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


def _of_page(text: str) -> Iterator[str]:
    steps = iter(range(STEPS))
    for _, part in zip(steps, _PARTS.finditer(text), strict=False):
        if part["meta"] and _IS_REFRESH.search(part["meta"]):
            content = _CONTENT.search(part["meta"])
            yield _refreshed(next(filter(None, content.groups()), "")) if content else ""
        elif part["script"]:
            yield _of_script(part["script"], steps)
        elif part["body"]:
            onload = _ONLOAD.search(part["body"])
            yield _of_script(unescape((onload[1] or onload[2] or "")[:TARGET]), steps) if onload else ""


def _refreshed(value: str) -> str:
    """The target of a refresh; "" where it only loads the page anew."""
    match = _REFRESH.match(unescape(value[:TARGET]))
    if match is None:
        return ""
    target = match[1].strip()
    quote = target[:1]
    target = target[1:].partition(quote)[0] if quote in ("'", '"') else target
    target = "".join(target.split())
    return target if _of_web(target) else ""


def _of_script(script: str, steps: Iterator[int]) -> str:
    """The first absolute address that a script sets `location` to while it loads."""
    if "location" not in script:
        return ""
    script = script[: script.rfind("location") + 2 * TARGET]  # what follows sets none
    running = [True]  # of the blocks that are open, the outermost first: whether it runs while the page loads
    told = 0  # where the last comment ended: it may stand between two statements
    for _, token in zip(steps, _TOKENS.finditer(script), strict=False):
        before = script[max(told, token.start() - 120) : token.start()]
        if token[0][:2] in ("//", "/*"):
            told = token.end()
        elif token[0] == "{":
            running.append(running[-1] and len(running) < _DEPTH and _runs(before))
        elif token[0] == "}":
            del running[max(1, len(running) - 1) :]
        elif token["target"] and running[-1] and _begins(before):
            return token["target"].replace("\\/", "/")
    return ""


def _runs(before: str) -> bool:
    """Whether a block that begins here runs while the page loads."""
    text = " ".join(before.lower().split())
    return text.endswith((")", "=>", "try")) and _RUNS.search(text) is not None


def _begins(before: str) -> bool:
    """Whether a statement begins here: not the branch of a condition, and no part of an expression."""
    text = before.rstrip().removesuffix("javascript:")
    if not text or text[-1] in ";{}" or text.endswith("<!--"):
        return True
    line = "\n" in before[len(text) :] and (text[-1].isalnum() or text[-1] in "'\"`])")
    return line and _BRANCH.search(text) is None


def _of_web(target: str) -> bool:
    """Whether the target is a web page, and no call of a program or a piece of script."""
    try:
        return urlsplit(target).scheme in ("", "http", "https")
    except ValueError:
        return False


def _host(target: str) -> str:
    try:
        return (urlsplit(target.strip()).hostname or "").lower().rstrip(".")
    except ValueError:
        return ""
