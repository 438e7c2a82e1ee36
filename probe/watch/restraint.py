"""Not to be taken for a scan: when many addresses have met silence, no further ones are tried for a while.

The audit stops altogether (`rules/audit/guard.py`). The appliance goes on with the addresses that it has met: those that are
silent already add nothing to what a firewall counts, and those that answer are no silence.
"""

from __future__ import annotations

from rules.model.failure import Code
from rules.model.observation import Observation, got_through, kind_of

DAY = 86_400.0
#: Addresses above which those of more than a day ago are forgotten: names rotate through very many.
KEPT = 4096
_SILENCE = frozenset({Code.TIMEOUT, Code.RESET, Code.EOF, Code.REFUSED})


class Restraint:
    """Addresses that met silence or a reset within `window` seconds; at `limit` of them no new one is tried."""

    def __init__(self, limit: int, window: float) -> None:
        self._limit = limit
        self._window = window
        self._silent: dict[str, float] = {}
        self._answered: dict[str, float] = {}

    def note(self, seen: Observation, now: float) -> None:
        """Take an answer; `now` is the caller's monotonic clock."""
        kind = kind_of(seen.step)
        place = kind.place(seen.step)
        if place is None or kind.endpoint(seen.step) is None:
            return
        address, _ = place
        through = got_through(seen)
        if not through and seen.failure is not None and seen.failure.code in _SILENCE:
            self._silent[address] = now
            self._answered.pop(address, None)
        elif through:
            self._silent.pop(address, None)
            self._answered[address] = now
        if len(self._silent) + len(self._answered) > KEPT:
            self._silent = {a: when for a, when in self._silent.items() if now - when <= DAY}
            self._answered = {a: when for a, when in self._answered.items() if now - when <= DAY}

    def allows(self, address: str, now: float) -> bool:
        """Whether a packet to `address` would look like nothing new."""
        if address in self._silent or address in self._answered:
            return True
        recent = sum(1 for when in self._silent.values() if now - when <= self._window)
        return recent < self._limit
