"""How often HTTP is asked inside a service's TLS session: rarely for the service, at each of its addresses in turn."""

from __future__ import annotations

import math

from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.observation import Observation
from rules.watch.targets import Key

#: Addresses of a target, at the most, among which the GET takes turns.
MOST_ADDRESSES = 32


class Gets:
    """When the GET was sent last, by target and address. Times are seconds of the caller's monotonic clock."""

    def __init__(self) -> None:
        self._sent: dict[Key, dict[str, float]] = {}

    def due(self, step: TlsHandshake, addresses: int, interval: float, now: float) -> bool:
        """Whether the handshake `step` takes the GET with it; the target has so many addresses.

        No more than one for the target within `interval`, and one at this address when all had their turn.
        """
        sent = self._sent.get((step.server_name, step.port), {})
        own = sent.get(step.address, -math.inf)
        return now - max(sent.values(), default=-math.inf) >= interval and now - own >= interval * addresses

    def note(self, seen: Observation, interval: float, now: float) -> None:
        """Take an answer: one whose GET was answered, or met a failure, was sent; a handshake that failed sends none."""
        step, facts = seen.step, seen.evidence
        if not isinstance(step, TlsHandshake) or step.path is None or not isinstance(facts, TlsFacts):
            return
        if facts.http_status is None and not facts.http_failure:
            return
        key, old = (step.server_name, step.port), now - interval * MOST_ADDRESSES
        kept = {address: at for address, at in self._sent.get(key, {}).items() if at > old}
        self._sent[key] = {**kept, step.address: now}
