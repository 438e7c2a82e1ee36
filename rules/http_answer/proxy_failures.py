"""Whether a proxy on the path reports its own failure: it did not reach the host, or found no address for it.

Such a proxy refuses nothing, so an exemption from a filter does not help. Its words count only with evidence that it
is on the path (`rules.http_answer.marks.refusal_evidence`). A page that also refuses is a refusal.
"""

from __future__ import annotations

import re

from rules.http_answer.text import Headers, title, visible_text
from rules.http_answer.words import refuses, titled_as_blocked

#: Squid's names for its own failures (its `err_type.h`). ERR_ACCESS_DENIED, ERR_CACHE_ACCESS_DENIED,
#: ERR_FORWARDING_DENIED, ERR_TOO_BIG and the names of an administrator's own pages come from a rule.
_OF_SQUID = re.compile(
    r"ERR_(?:CONNECT_FAIL|DNS_FAIL|READ_TIMEOUT|READ_ERROR|WRITE_ERROR|LIFETIME_EXP|ZERO_SIZE_OBJECT|CANNOT_FORWARD|NO_RELAY"
    r"|SOCKET_FAILURE|SECURE_CONNECT_FAIL|SECURE_ACCEPT_FAIL|GATEWAY_FAILURE|INVALID_RESP|CONFLICT_HOST|SHUTTING_DOWN)\b"
)
#: Errors of RFC 9209 section 2.3 that are failures; http_request_denied comes from a rule.
_OF_PROXY_STATUS = re.compile(
    r";\s{0,8}error\s{0,8}=\s{0,8}(?:dns_|destination_|connection_|tls_(?:protocol|certificate|alert)|http_response_|proxy_)"
)
_FAILED = re.compile(
    r"\b(?:host not found|unknown host|could (?:not|n't) (?:be (?:resolved|reached)|connect|resolve|reach)"
    r"|(?:cannot|can't|unable to|failed to|not able to) (?:connect|resolve|reach|forward|contact|determine (?:the )?ip address)"
    r"|connection (?:to \S{1,80} )?(?:has )?(?:failed|timed out|was refused|refused)|the system returned: \("
    r"|dns (?:failure|error|lookup failed|resolution failed)|(?:zero sized|empty) (?:reply|response)"
    r"|(?:read|connect|gateway) time-?out|did not (?:respond|answer))\b"
)


def could_not_fetch(status: int, headers: Headers, text: str) -> bool:
    """Whether an error (400 or over) of a network device reports its own failure, and not a rule."""
    for name, value in headers:
        if name == "x-squid-error":
            return _OF_SQUID.match(value.strip()) is not None
        if name == "proxy-status" and _OF_PROXY_STATUS.search(value[:2048].lower()):
            return True
    named, said = title(text).lower(), visible_text(text).lower()
    both = f"{named}. {said}"
    return (
        500 <= status < 600
        and _FAILED.search(both) is not None
        and not titled_as_blocked(named)
        and not refuses(both)
    )
