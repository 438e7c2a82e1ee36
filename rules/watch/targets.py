"""What the service remembers about each target in addition to the newest answers: addresses of a day, the last
handshakes, durations.

It receives every observation on arrival, and the verdicts of every judgement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from rules.audit.guard import is_v6
from rules.audit.machine import Audit
from rules.audit.targets import Target
from rules.judge.answer import passes
from rules.model import causes
from rules.model.failure import Stage
from rules.model.kind import StageName
from rules.model.observation import Observation, Step, kind_of
from rules.model.verdict import Status, Verdict
from rules.watch.memory import MOST, TRACKED, clock_adjusted
from rules.watch.state import AddressState, Key

#: The share of intercepted handshakes is calculated over this many last ones.
HANDSHAKES = 3
#: After this many handshakes in a row without a certificate, and this many seconds, earlier handshakes no longer count:
#: a device that drops packets intercepts nothing. Both limits must be reached, so an occasional timeout does not end an
#: interception.
WITHOUT, OUTDATED = 3, 600.0
#: Seconds for which a failed address stays after the resolvers no longer return it. The service does not try it again,
#: so it cannot recover. For a name that rotates its addresses, the resolvers return it again within this time.
FAILED = 1800.0


@dataclass(slots=True)
class HandshakeOutcome:
    """One handshake at an address. `intercepted` is None until a judgement has decided."""

    address: str
    intercepted: bool | None
    at: float = field(default=0.0, compare=False)  # Unix time


@dataclass(slots=True)
class TargetRecord:
    """One target: its addresses of the last day, its last handshakes, the last duration of each stage in seconds."""

    addresses: dict[str, AddressState] = field(default_factory=dict)
    handshakes: tuple[HandshakeOutcome, ...] = ()
    without: int = 0  # handshakes since the last one that showed a certificate
    stages: tuple[tuple[StageName, float], ...] = ()
    measured: float | None = None

    @property
    def intercepted(self) -> int:
        return sum(1 for shake in self.handshakes if shake.intercepted)


class TargetRecords:
    """All targets, by host and port."""

    def __init__(self) -> None:
        self._by_key: dict[Key, TargetRecord] = {}

    def record_of(self, key: Key) -> TargetRecord:
        return self._by_key.setdefault(key, TargetRecord())

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Forget every target that is not in `keys`."""
        wanted = set(keys)
        for key in [k for k in self._by_key if k not in wanted]:
            del self._by_key[key]

    def clock_was_set(self, by: float, now: float) -> None:
        """The clock was set by `by` seconds and says `now`: see `Memory.clock_was_set`."""
        for track in self._by_key.values():
            if track.measured is not None:
                track.measured = clock_adjusted(track.measured, by, now)
            for shake in track.handshakes:
                shake.at = clock_adjusted(shake.at, by, now)
            track.addresses = {
                address: replace(state, tried=clock_adjusted(state.tried, by, now))
                if state.tried is not None
                else state
                for address, state in track.addresses.items()
            }

    def observe(self, key: Key, seen: Observation, *, new: bool) -> tuple[tuple[StageName, float], ...]:
        """Record an answer. `new`: it differs from the earlier one, so only a judgement can say what it means.

        Returns the duration in seconds of each stage that the measurement completed.
        """
        track = self.record_of(key)
        stages = tuple(durations(seen))
        track.stages = tuple((dict(track.stages) | dict(stages)).items())
        track.measured = seen.started + seen.elapsed
        step = seen.step
        kind = kind_of(step)
        place = kind.place(step)
        if place is None or kind.name(step) is None:
            return stages
        address, _ = place
        before = track.addresses.get(address)
        if before is not None and not new:  # else the judgement sets its time together with its meaning
            track.addresses[address] = replace(before, tried=seen.started, current=True)
        if kind.shows_certificates and kind.judges(step):
            _shake(track, address, seen, new=new)
        return stages

    def apply_verdicts(self, audit: Audit, rows: Mapping[Key, list[Verdict]], now: float) -> None:
        """Record the verdicts on addresses; drop addresses without an answer for a day, failed ones sooner (`FAILED`).

        It may run in another thread than `observe`: it replaces the addresses of a target as a whole.
        """
        for target in audit.targets:
            if target.host is None:
                continue
            key = (target.host, target.port)
            track = self.record_of(key)
            self._addresses(track, audit, target, rows.get(key, []), now)
            for shake in track.handshakes:
                state = track.addresses.get(shake.address)
                if shake.intercepted is None and state is not None:
                    caught = state.cause == causes.TLS_INTERCEPTED.word
                    if caught or state.ok:  # an untrusted chain waits for its second looks
                        shake.intercepted = caught

    def _addresses(
        self, track: TargetRecord, audit: Audit, target: Target, rows: list[Verdict], now: float
    ) -> None:
        assert target.host is not None
        by_address: dict[str, list[Verdict]] = {}
        for row in rows:
            if row.endpoint is not None and row.endpoint.address is not None:
                by_address.setdefault(row.endpoint.address, []).append(row)
        fresh: dict[str, AddressState] = {}
        for candidate in audit.candidates(target.host):
            before = track.addresses.get(candidate.address)
            ok, cause = _outcome(by_address.get(candidate.address, []))
            seen = audit.seen.get(audit.step_for(target, candidate.address))
            tried = before.tried if before is not None else None
            if seen is not None and seen.stale:  # another address answered for this one
                ok, cause = (before.ok, before.cause) if before is not None else (None, "ok")
            elif seen is not None:  # and not of a later answer that arrived during the judgement
                tried = seen.started
            fresh[candidate.address] = AddressState(
                candidate.address,
                "ipv6" if is_v6(candidate.address) else "ipv4",
                ok,
                cause,
                now if tried is None and ok is not None else tried,
                current=not candidate.stale,
                stale=candidate.stale,
            )
        for old in sorted(track.addresses.values(), key=lambda known: -(known.tried or 0.0)):
            met = old.tried is not None and old.tried > now - (FAILED if old.ok is False else TRACKED)
            if met and old.address not in fresh and len(fresh) < MOST:
                fresh[old.address] = replace(old, current=False)
        track.addresses = fresh


def _shake(track: TargetRecord, address: str, seen: Observation, *, new: bool) -> None:
    """Record the outcome of a handshake that decides the target's verdict."""
    if seen.evidence is not None and kind_of(seen.step).certificates(seen.evidence):
        known = track.addresses.get(address)
        caught = None if new or known is None else known.cause == causes.TLS_INTERCEPTED.word
        if new and seen.step.attempt == 1:
            _close(track, address)
        track.handshakes = (*track.handshakes, HandshakeOutcome(address, caught, seen.started))[-HANDSHAKES:]
        track.without = 0
    elif seen.failure is not None and seen.failure.stage is not Stage.LOCAL:  # else it was not asked
        track.without += 1
        last = max((shake.at for shake in track.handshakes), default=seen.started)
        if track.without >= WITHOUT and seen.started - last >= OUTDATED:
            track.handshakes = ()


def _close(track: TargetRecord, address: str) -> None:
    """The address now shows another certificate: earlier handshakes there without a decision were not intercepted."""
    for shake in track.handshakes:
        if shake.address == address and shake.intercepted is None:
            shake.intercepted = False


def durations(seen: Observation) -> Iterable[tuple[StageName, float]]:
    """The stages of one answer with their seconds, without a stage that failed."""
    return kind_of(seen.step).stages(seen.elapsed, seen.evidence, seen.failure is None)


def _outcome(rows: list[Verdict]) -> tuple[bool | None, str]:
    """(ok, cause) of one address; None if it was not tried, or if the result is open."""
    made = [r for r in rows if r.status not in (Status.INCONCLUSIVE, Status.BROKEN, Status.NOT_APPLICABLE)]
    if not made:
        return None, rows[0].cause.word if rows else "ok"
    heaviest = max(made, key=lambda r: r.status.rank)
    return passes(made), heaviest.cause.word


def key_of(step: Step) -> Key | None:
    """The target that a step is about; None for DNS questions and steps about this host."""
    return kind_of(step).endpoint(step)
