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
    tried = [when for when, _ in _tried(target)]
    named = target.check == "dns" and target.status not in _WELL
    return max(tried) if tried and not named else target.measured


def outlived(target: TargetState, since: float) -> bool:
    """Whether an address that was not tried since then (Unix time) says otherwise than the newest of its family.

    Where all say the same, what is old is no less true. The other family may have its own fault, and always has.
    """
    for family in ("ipv4", "ipv6"):
        tried = [(when, address.ok) for when, address in _tried(target) if address.family == family]
        if tried:
            _, newest = max(tried)
            if any(when < since and ok is not newest for when, ok in tried):
                return True
    return False


def _tried(target: TargetState) -> list[tuple[float, AddressState]]:
    """The addresses that are asked and have shown something, with the time of that."""
    return [
        (a.tried, a)
        for a in target.addresses
        if a.tried is not None and a.ok is not None and (a.current or a.stale)
    ]
