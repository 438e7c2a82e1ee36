"""Who must act, in words; an organisation may use names of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.model.causes.record import Owner
from rules.model.verdict import CauseGroup
from rules.text.display import display

#: By the owner of a cause.
OWNERS: Mapping[str, str] = {
    "firewall": "Firewall team",
    "proxy": "Proxy team",
    "dns": "DNS team",
    "host": "You, the administrator of this host",
    "pki": "Certificate (PKI) team",
    "microsoft": "Microsoft: open a support case and attach this report",
    "wayclear": "Authors of wayclear: please report it",
    "nobody": "You",
}


#: The same where the reader is not at the host: in an alert or on a dashboard.
ELSEWHERE: Mapping[str, str] = {
    **OWNERS,
    "host": "Administrator of the connector's host",
    "microsoft": "Microsoft (support case)",
    "wayclear": "Authors of wayclear",
    "nobody": "Operator of wayclear",
}


def owner_name(owner: Owner, named: tuple[tuple[str, str], ...] = ()) -> str:
    """Who must act, for a reader who is not at the host."""
    own = dict(named).get(owner)
    return display(own, 80) if own else ELSEWHERE[owner]


def owner_text(owner: Owner, named: tuple[tuple[str, str], ...] = ()) -> str:
    """Who must act. `named`: what the organisation calls them (`Plan.owners`)."""
    own = dict(named).get(owner)
    return display(own, 80) if own else OWNERS[owner]


def helpers(
    untested: Iterable[CauseGroup], wrong: Iterable[CauseGroup], named: tuple[tuple[str, str], ...] = ()
) -> list[str]:
    """Who could make testable what was not tested, besides those who must act on what is wrong."""
    acting = {found.owner for found in wrong}
    owners = (c.owner for c in untested if c.remedy and c.owner != "nobody" and c.owner not in acting)
    return [owner_text(owner, named) for owner in dict.fromkeys(owners)]
