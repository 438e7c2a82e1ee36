"""What the appliance remembers of each target besides the newest answers: addresses of a day, the last handshakes, times.

Mutable and pure: fed with observations as they come and with every judgement.
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

#: Handshakes of a target over which the share of intercepted ones is told.
HANDSHAKES = 3
#: After so many handshakes in a row without a certificate, and so many seconds, the last ones are no news any more: what
#: drops packets now intercepts nothing. Both: a handshake now and then that times out must not end what is intercepted.
WITHOUT, OUTDATED = 3, 600.0
#: Seconds for which an address that failed is kept when resolution gives it no longer. It is not tried again, so nobody
#: would see that it works; but names that rotate give it again within this time.
FAILED = 1800.0


@dataclass(slots=True)
class HandshakeOutcome:
    """One handshake at an address: whether it was intercepted, None while that is open."""

    address: str
    caught: bool | None
    at: float = field(default=0.0, compare=False)  # Unix time


@dataclass(slots=True)
class TargetRecord:
    """One target: the addresses of a day, the last handshakes, the last duration of each stage in seconds."""

    addresses: dict[str, AddressState] = field(default_factory=dict)
    handshakes: tuple[HandshakeOutcome, ...] = ()
    without: int = 0  # handshakes since then that showed no certificate
    stages: tuple[tuple[StageName, float], ...] = ()  # as they are told, so that they are kept once
    measured: float | None = None

    @property
    def intercepted(self) -> int:
        return sum(1 for shake in self.handshakes if shake.caught)


class TargetRecords:
    """All targets, by host and port."""

    def __init__(self) -> None:
        self._by_key: dict[Key, TargetRecord] = {}

    def record_of(self, key: Key) -> TargetRecord:
        return self._by_key.setdefault(key, TargetRecord())

    def keep_only(self, keys: Iterable[Key]) -> None:
        """Forget every target that is none of these."""
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
        """An answer has come. `new`: it differs from the one before, so that its meaning waits for a judgement.

        Returns the durations of the stages that it went through, in seconds.
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
        if before is not None and not new:  # else its time comes with its meaning
            track.addresses[address] = replace(before, tried=seen.started, current=True)
        if kind.shows_certificates and kind.judges(step):
            _shake(track, address, seen, new=new)
        return stages

    def apply_verdicts(self, audit: Audit, rows: Mapping[Key, list[Verdict]], now: float) -> None:
        """Take the verdicts on addresses; drop those that were not met for a day, failed ones sooner (`FAILED`).

        May run in another thread than `measured`: what it replaces, it replaces whole.
        """
        for target in audit.targets:
            if target.host is None:
                continue
            key = (target.host, target.port)
            track = self.record_of(key)
            self._addresses(track, audit, target, rows.get(key, []), now)
            for shake in track.handshakes:
                state = track.addresses.get(shake.address)
                if shake.caught is None and state is not None:
                    caught = state.cause == causes.TLS_INTERCEPTED.word
                    if caught or state.ok:  # a chain that is only untrusted waits for what second looks prove
                        shake.caught = caught

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
            elif seen is not None:  # and no later answer that came while this was judged
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
    """One handshake that judges has ended."""
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
    """Something else was shown at `address`: what is still open there was never proved to be intercepted."""
    for shake in track.handshakes:
        if shake.address == address and shake.caught is None:
            shake.caught = False


def durations(seen: Observation) -> Iterable[tuple[StageName, float]]:
    """Stages of one answer with their seconds; a stage that failed has none."""
    return kind_of(seen.step).stages(seen.elapsed, seen.evidence, seen.failure is None)


def _outcome(rows: list[Verdict]) -> tuple[bool | None, str]:
    """(ok, cause) of one address; None where it was not tried, or nothing can be said."""
    made = [r for r in rows if r.status not in (Status.INCONCLUSIVE, Status.BROKEN, Status.NOT_APPLICABLE)]
    if not made:
        return None, rows[0].cause.word if rows else "ok"
    heaviest = max(made, key=lambda r: r.status.weight)
    return passes(made), heaviest.cause.word


def key_of(step: Step) -> Key | None:
    """The target that a step is about; None for questions and what belongs to this host."""
    return kind_of(step).endpoint(step)
