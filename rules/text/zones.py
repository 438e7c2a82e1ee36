"""The zone of a name: the part that one owner registers, by the Public Suffix List (https://publicsuffix.org/list/).

Only the list's ICANN section counts: what registries sell under. Its private section holds suffixes under which one owner
gives names to its customers, `servicebus.windows.net`, `trafficmanager.net` and `cloudapp.net` among them: with it each Relay
would be a zone of its own, although Microsoft answers for all of them.

The list is the one that the library carries, of the day of its release (the version's last part); nothing is fetched. A
suffix that is younger than the list counts by its last two labels, as does every top-level domain that the list does not have.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

import idna
from publicsuffixlist import PublicSuffixList

#: Labels that are looked at, from the right: no rule of the list has more than five.
LABELS = 12


@lru_cache(maxsize=4096)
def zone(name: str) -> str:
    """The registered part of a name, in lower case and A-labels: "portal.isp.co.uk" is of "isp.co.uk".

    A name without such a part (a single label, a public suffix itself) is its own zone, and so is an address. Never raises;
    names come from peers.

    The error it may make: two owners under one suffix of the private section (two customers of `cloudapp.net`) count as one
    zone, and so do two owners under a suffix that is younger than the list. Names directly under a company's own top-level
    domain, and an owner's several domains, count as unrelated. What is below one registered name is never torn apart.
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
    """The list, read when the first zone is asked for: 30 ms and 3.5 MiB, which a process without peers does not need."""
    return PublicSuffixList(only_icann=True)


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _ascii(label: str) -> str:
    """The A-label (RFC 5890); a label that has none, or is too long for one, as it is."""
    if label.isascii() or len(label) > 63:
        return label
    try:
        return idna.encode(label, uts46=True).decode("ascii")
    except idna.IDNAError:
        return label
