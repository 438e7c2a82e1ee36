"""The zone of a name: the part that one owner registers, by the Public Suffix List (https://publicsuffix.org/list/).

Only the list's ICANN section counts: suffixes under which registries sell names. Its private section holds suffixes
under which one owner gives names to its customers, such as `servicebus.windows.net`, `trafficmanager.net` and
`cloudapp.net`: with it each Relay would be a zone of its own, although Microsoft answers for all of them.

The list is the library's, from the day of its release (the version's last part); nothing is fetched. A newer suffix counts
by its last two labels, as does every top-level domain that the list lacks.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

import idna
from publicsuffixlist import PublicSuffixList

#: Labels that are compared, from the right: no rule of the list has more than five.
LABELS = 12


@lru_cache(maxsize=4096)
def zone(name: str) -> str:
    """The registered part of a name, in lower case and A-labels: "isp.co.uk" for "portal.isp.co.uk".

    A name without such a part (a single label, a public suffix itself) is its own zone, and so is an address. Never
    raises; names come from peers.

    Possible errors: two owners under one suffix of the private section (two customers of `cloudapp.net`) count as one
    zone, and so do two owners under a suffix that is newer than the list. Names directly under a company's own
    top-level domain, and an owner's several domains, count as unrelated. Names below one registered name always share
    a zone.
    """
    text = name.strip().lower().removesuffix(".")
    if _is_address(text):
        return text
    labels = [_ascii(label) for label in text.split(".")[-LABELS:]]
    found = _list().privatesuffix(".".join(labels))
    return found if found is not None else ".".join(labels)


def related(one: str, other: str) -> bool:
    """Whether one owner registered both names."""
    return zone(one) == zone(other)


@lru_cache(maxsize=1)
def _list() -> PublicSuffixList:
    """The list, read when the first zone is needed: it takes 30 ms and 3.5 MiB, which a process without peers saves."""
    return PublicSuffixList(only_icann=True)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _ascii(label: str) -> str:
    """The A-label (RFC 5890) of a label; the label itself if it has none, or is too long for one."""
    if label.isascii() or len(label) > 63:
        return label
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        return label
