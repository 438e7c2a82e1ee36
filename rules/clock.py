"""What genuine certificates tell of this host's clock where no server gives the time.

A certificate is signed by its CA, so its dates are the CA's word. One that is out of date may be the server's fault. When
those of several names are out of date at once, and all of them are in date at one other time, then this host's clock is the
likely reason: CAs date no certificate ahead, and servers do not all forget to renew in the same week.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rules.certificate import facts

Chain = tuple[bytes, ...]

#: Names whose certificates must be out of date, and different certificates among them: one may be at many names.
MIN_NAMES = 3
MIN_CERTIFICATES = 2


@dataclass(frozen=True, slots=True)
class Served:
    """A genuine chain (DER, the server's first) that was served for its name. `valid`: in date by this host's clock."""

    name: str
    chain: Chain
    valid: bool


def time_by_certificates(
    served: Sequence[Served], now: float, valid_at: Callable[[Chain, float], bool]
) -> float | None:
    """The time nearest to `now` (Unix time) at which every certificate that is out of date would be in date, None where
    they do not show that this host's clock is wrong.

    Those that are in date now must be so at that time too. Where they have run out, all must have: that some servers
    forgot to renew is common. `valid_at` tells whether a chain is in date at a time.
    """
    out = [one for one in served if not one.valid]
    if len({one.name for one in out}) < MIN_NAMES or len({one.chain[0] for one in out}) < MIN_CERTIFICATES:
        return None
    dates = [(leaf.not_before, leaf.not_after) for leaf in (facts(one.chain[0]) for one in out)]
    begins = [begin for begin, _ in dates if begin is not None and begin > now]
    ends = [end for _, end in dates if end is not None and end < now]
    if len(begins) == len(out):
        moment = max(begins)
    elif len(ends) == len(served):
        moment = min(ends)
    else:
        return None
    return moment if all(valid_at(one.chain, moment) for one in served) else None
