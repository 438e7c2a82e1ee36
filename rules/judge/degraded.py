"""The text of DEGRADED: the effect for users, by what failed and how much of it.

=============  ======  ==================================  ===========================================================
group          port    what failed                         text
=============  ======  ==================================  ===========================================================
service        443     some addresses of a name            fewer ways to the service: another address gets through
service        443     a whole name                        an outage for connector groups of its region (its wildcard
                                                            gets through elsewhere; otherwise the answer is NO)
service        443     nothing, but another public CA      the CA is not one that the service is known to use
service        443     a session after it opened           sessions are cut
sign-in        443     a whole required name               sign-in or registration fails
sign-in        443     another whole name                  the purpose of that name fails
sign-in        443     some addresses of a name            the others get through
any            80      every CRL                           nothing can be checked for revocation
any            80      some CRLs, or OCSP alone            the hosts whose data is missing; the rest comes
any            80      a host without revocation data      that host and its purpose
this host      -       its clock                           no statement whether the connector starts
=============  ======  ==================================  ===========================================================

A group in which every check passed is not mentioned.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rules.model.geography import GEOGRAPHIES
from rules.model.ruleset import Group

Extent: TypeAlias = Literal["whole", "some", "issuer", "session"]
"""How much of a name failed. "whole": no address passes; "some": another address does; "issuer": all pass with a
certificate of an unexpected public CA; "session": all pass and are cut later."""

LISTED = 2  #: maximum of names in a sentence


@dataclass(frozen=True, slots=True)
class Loss:
    """A name and port with a failure. `purpose`: the title of its row; `closed` of `addresses` fail."""

    host: str
    port: int
    group: Group
    extent: Extent
    required: bool
    purpose: str
    closed: int = 0
    addresses: int = 0
    region: str = ""  # of an example: the geography whose connectors are handed this name


@dataclass(frozen=True, slots=True)
class Revocation:
    """Hosts of CRLs and of OCSP that failed, and whether any CRL came through."""

    lists: tuple[str, ...] = ()
    responders: tuple[str, ...] = ()
    any_list: bool = True


def loss_clauses(lost: Iterable[Loss], revocation: Revocation, region: str = "") -> tuple[str, ...]:
    """The failures, one clause each, the service first. `region`: the code of the connector group's geography."""
    found = list(lost)
    clauses = [
        *_service([one for one in found if one.group is Group.SERVICE and one.port != 80], region),
        *_revocation(revocation),
        *_sign_in([one for one in found if one.group is not Group.SERVICE and one.port != 80]),
        *_port_80([one for one in found if one.port == 80], revocation),
    ]
    return tuple(dict.fromkeys(clauses))


def opening_sentence(clock_wrong: bool) -> str:
    """The sentence before the clauses."""
    if clock_wrong:
        return "The way to the service is open, but this host's clock is wrong: whether a connector starts with it is not known."
    return "It will start, but part of what it needs fails; users may see errors or delays."


def _service(lost: Sequence[Loss], ours: str) -> Iterable[str]:
    some = [one for one in lost if one.extent == "some"]
    if len(some) == 1:
        one = some[0]
        fail = "fails" if one.closed == 1 else "fail"
        yield f"{one.closed} of {one.addresses} addresses of {one.host} {fail}, so fewer ways to the service are left"
    elif some:
        yield f"some addresses of {_names(some)} fail, so fewer ways to the service are left"
    if whole := [one for one in lost if one.extent == "whole"]:
        yield from _examples(whole, ours)
    if issuer := [one for one in lost if one.extent == "issuer"]:
        yield f"the certificate of {_names(issuer)} is from a public CA that the service is not known to use"
    if session := [one for one in lost if one.extent == "session"]:
        yield f"sessions to {_names(session)} are cut after they opened"


def _examples(whole: Sequence[Loss], ours: str) -> Iterable[str]:
    """Names that fail under a wildcard that gets through elsewhere, by the geography whose connectors are handed them."""
    regions = dict.fromkeys(one.region for one in whole)
    for region in regions:
        found = [one for one in whole if one.region == region]
        fails = f"{_names(found)} fail{_s(found)}"
        if region and ours in GEOGRAPHIES and region != ours:
            yield (
                f"{fails}: connector groups in {GEOGRAPHIES[region]} need {'it' if len(found) == 1 else 'them'}, and yours "
                f"is in {GEOGRAPHIES[ours]}"
            )
        elif region:
            yield f"{fails}: if your connector group is in {GEOGRAPHIES[region]}, this is an outage"
        else:
            yield f"{fails}: a connector that is handed such a name cannot connect"


def _sign_in(lost: Sequence[Loss]) -> Iterable[str]:
    whole = [one for one in lost if one.extent == "whole"]
    if needed := [one for one in whole if one.required]:
        yield (
            f"sign-in or registration fails ({_names(needed)}), so a connector cannot be installed or renewed"
        )
    for one in [one for one in whole if not one.required][:LISTED]:
        yield f"{one.host} fails ({one.purpose})"
    if some := [one for one in lost if one.extent == "some"]:
        yield f"some addresses of {_names(some)} fail, others get through"
    if session := [one for one in lost if one.extent == "session"]:
        yield f"sessions to {_names(session)} are cut after they opened"


def _revocation(revocation: Revocation) -> Iterable[str]:
    if revocation.lists and not revocation.any_list:
        yield "certificates cannot be checked for revocation, which can delay or break connections"
    elif revocation.lists:
        yield f"revocation lists of {_hosts(revocation.lists)} fail, others come through"
    elif revocation.responders:
        yield f"OCSP answers of {_hosts(revocation.responders)} cannot be used; the lists come through"


def _port_80(lost: Sequence[Loss], revocation: Revocation) -> Iterable[str]:
    revocation_hosts = {*revocation.lists, *revocation.responders}
    for one in [one for one in lost if one.host not in revocation_hosts][:LISTED]:
        where = "port 80" if one.extent != "some" else f"port 80 at {one.closed} of {one.addresses} addresses"
        yield f"{where} of {one.host} fails ({one.purpose})"


def _names(lost: Sequence[Loss]) -> str:
    return _hosts(tuple(dict.fromkeys(one.host for one in lost)))


def _hosts(hosts: Sequence[str]) -> str:
    more = f" and {len(hosts) - LISTED} more" if len(hosts) > LISTED else ""
    return " and ".join(hosts) if not more else ", ".join(hosts[:LISTED]) + more


def _s(lost: Sequence[Loss]) -> str:
    return "s" if len({one.host for one in lost}) == 1 else ""
