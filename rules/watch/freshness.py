"""What a target's status rests on, and from when that is: evidence of before and after a change proves no state of a target.

Pure. Its addresses are tried one after the other, so for a while some of what is known of them is older than the change.
Lists and extra observations are asked for by times of their own, which are further apart still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rules.audit.documents import has_document
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation
from rules.model.verdict import Report, Status, Verdict
from rules.watch.memory import document
from rules.watch.state import AddressState, TargetState

_WELL = (Status.PASS, Status.NOTICE, Status.NOT_APPLICABLE)
_FAULTS = (Status.WARN, Status.FAIL)


def looked(target: TargetState, before: TargetState | None = None) -> float | None:
    """When that was last measured on which the status rests (Unix time): an address, or the name where that is at fault.

    A name that is resolved again says nothing about a connection that failed. Where only some ways of asking for it did
    not do, addresses were tried all the time, and that it is well again is said by the name: `before` is what the target
    was. None: nothing was measured yet.
    """
    only_name = before is not None and misnamed(before) and before.status is Status.WARN
    if misnamed(target) or (only_name and target.status in _WELL):
        return target.resolved
    if target.lagging is not None:
        return target.lagging
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

    Where the newest fails as well, what is old is no less true. The other family may have a fault of its own. Or
    whether its status rests on a list or an extra observation alone that was not asked for since then.
    """
    if target.lagging is not None and target.lagging < since:
        return True
    for family in ("ipv4", "ipv6"):
        tried = [(when, address.ok) for when, address in _tried(target) if address.family == family]
        if tried:
            _, newest = max(tried)
            if newest and any(when < since and not ok for when, ok in tried):
                return True
    return False


def lagging(rows: Iterable[Verdict], seen: Sequence[Observation]) -> float | None:
    """When the oldest answer was had that makes these rows as bad as they are (Unix time).

    None where they are well, or where an address or a name is at fault: those have their turns. `rows` are of one target,
    `seen` are the observations of its report.
    """
    rows = [row for row in rows if row.status in _FAULTS]
    worst = max((row.status.weight for row in rows), default=0)
    found: list[float] = []
    for row in rows:
        if row.status.weight == worst:
            when = _failed(row, seen)
            if when is None:
                return None
            found.append(when)
    return min(found, default=None)


def loose(report: Report, targets: Iterable[TargetState]) -> dict[tuple[object, ...], float]:
    """Documents that failed and make the answer worse although no target rests on them, with the time of that."""
    known = {(target.rule, target.host, target.port) for target in targets}
    found: dict[tuple[object, ...], float] = {}
    for row in report.verdicts:
        about = row.endpoint
        if (
            row.status is Status.FAIL
            and about is not None
            and (row.rule, about.host, about.port) not in known
        ):
            for one in _evidence(row, report.observations):
                wanted = document(one.step)
                if wanted is not None and not well(one):
                    found[wanted] = min(one.started, found.get(wanted, one.started))
    return found


def _failed(row: Verdict, seen: Sequence[Observation]) -> float | None:
    """When the oldest document failed on which the row rests; None where it rests on something else as well."""
    if row.check == "dns" or (row.endpoint is not None and row.endpoint.port == 80 and row.endpoint.address):
        return None  # a list at an address of its host has its turn there
    found = _evidence(row, seen)
    bad = [one for one in found if not well(one)] or found
    if any(document(one.step) is None for one in bad):
        return None
    return min((one.started for one in bad), default=None)


def _evidence(row: Verdict, seen: Sequence[Observation]) -> list[Observation]:
    return [seen[int(number[1:]) - 1] for number in row.evidence]


def well(seen: Observation) -> bool:
    """Whether an answer came; of a document, whether it is one."""
    if isinstance(seen.step, HttpFetch) and seen.step.purpose != "reach":
        return has_document(seen)
    return seen.failure is None


def _tried(target: TargetState) -> list[tuple[float, AddressState]]:
    """The addresses that are asked and have shown something, with the time of that."""
    return [
        (a.tried, a)
        for a in target.addresses
        if a.tried is not None and a.ok is not None and (a.current or a.stale)
    ]
