"""What a finding asks for, written down by hand: nothing here is taken from `rules/judge/requests.py`."""

from __future__ import annotations

from collections.abc import Mapping

#: By the cause's layer. A layer that is not here asks for nothing.
_BY_LAYER: Mapping[str, str] = {
    "dns": "resolve",
    "tcp": "allow",
    "tls": "allow",
    "http": "allow",
    "proxy": "allow",
}
#: The causes that differ from their layer. "": nothing is closed.
_BY_CAUSE: Mapping[str, str] = {
    "dns.tcp-blocked": "allow",  # of the resolver itself
    "tls.intercepted": "exempt",
    "tls.untrusted": "exempt",
    "tls.incomplete-chain": "",
    "crl.unreachable": "allow",
    "ocsp.unreachable": "allow",
}


def asked_action(word: str) -> str:
    """The action of a request about this cause; "" where there is nothing to ask a network team for."""
    return _BY_CAUSE.get(word, _BY_LAYER.get(word.partition(".")[0], ""))
