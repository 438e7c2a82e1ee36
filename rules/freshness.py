"""What a target's status rests on, and from when that is: evidence of before and after a change proves no state of a target.

Pure. Its addresses are tried one after the other, so for a while some of what is known of them is older than the change.
"""

from __future__ import annotations

from rules.state import AddressState, TargetState
from rules.verdict import Status

_WELL = (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE)


def looked(target: TargetState) -> float | None:
    """When that was last measured on which the status rests (Unix time): an address, or the name where that is at fault.

    A name that is resolved again says nothing about a connection that failed. None: nothing was measured yet.
    """
    if misnamed(target):
        return target.resolved
    return max((when for when, _ in _tried(target)), default=target.measured)


def misnamed(target: TargetState) -> bool:
    """Whether what is at fault is its name."""
    return target.check == "dns" and target.status not in _WELL


def began(before: TargetState, target: TargetState, now: float) -> float:
    """When a change that is seen now began (Unix time): with the newest of its addresses, if that is what has changed.

    Otherwise nothing of its own has: a name that was one of many to fail is weighed anew when another one of them works.
    """
    newest = max(_tried(target), key=lambda one: one[0], default=None)
    if newest is None:
        return now
    tried, address = newest
    same = any(a.address == address.address and a.ok is address.ok for a in before.addresses)
    return now if same else tried


def outlived(target: TargetState, since: float) -> bool:
    """Whether an address failed that was not tried since then (Unix time), while the newest of its family works.

    Where the newest fails as well, what is old is no less true. The other family may have a fault of its own.
    """
    for family in ("ipv4", "ipv6"):
        tried = [(when, address.ok) for when, address in _tried(target) if address.family == family]
        if tried:
            _, newest = max(tried)
            if newest and any(when < since and not ok for when, ok in tried):
                return True
    return False


def _tried(target: TargetState) -> list[tuple[float, AddressState]]:
    """The addresses that are asked and have shown something, with the time of that."""
    return [
        (a.tried, a)
        for a in target.addresses
        if a.tried is not None and a.ok is not None and (a.current or a.stale)
    ]
