"""A recording with some of its answers replaced, as a network with one more fault would have given them.

======================  ==========================================  ================================================
change                  questions that it touches                   answer instead
======================  ==========================================  ================================================
`Block`                 connections to a name that matches          silence, or a RST
`ClosedPort`            connections to a port                       silence, or a RST
`Inspection`            TLS handshakes for a name that matches      the same, with a certificate of an invented CA
======================  ==========================================  ================================================

Every other answer is the recorded one. A question that only the changed network leads to (the second attempt, the control
name) is answered from what was recorded at the same address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from rules.model.observation import Observation, Step, got_through, kind_of
from rules.pki.certificate import facts
from rules.text.pattern import matches

#: Makes a certificate chain for a name: the leaf and the CA's own certificate (DER).
Forge: TypeAlias = Callable[[str], tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Block:
    """A firewall lets no connection to matching names through. `port` 0: any port. `reset`: it answers with a RST."""

    pattern: str
    port: int = 0
    reset: bool = False


@dataclass(frozen=True, slots=True)
class ClosedPort:
    """A firewall lets no connection to a port through."""

    port: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Inspection:
    """A device ends TLS for matching names, and signs by a CA that this host trusts and no public list has."""

    pattern: str


Change: TypeAlias = Block | ClosedPort | Inspection


def touches(change: Change, step: Step) -> bool:
    """Whether a change replaces the answer to a step."""
    place, name = kind_of(step).place(step), kind_of(step).name(step)
    if place is None:
        return False
    match change:
        case Block(pattern=pattern, port=port):
            return name is not None and port in (0, place[1]) and matches(pattern, name)
        case ClosedPort(port=port):
            return place[1] == port
        case Inspection(pattern=pattern):
            return isinstance(step, TlsHandshake) and matches(pattern, step.server_name)
        case _:
            assert_never(change)


def untouched(changes: Iterable[Change], observations: Iterable[Observation]) -> tuple[Change, ...]:
    """The changes that touch none of the recorded questions."""
    steps = [seen.step for seen in observations]
    return tuple(change for change in changes if not any(touches(change, step) for step in steps))


class Rehearsed:
    """The answers of the changed network (`rules.audit.machine.Known`). `silence`: seconds that a dropped connection was
    waited for."""

    def __init__(
        self,
        recorded: Mapping[Step, Observation],
        changes: Sequence[Change],
        forge: Forge,
        silence: float,
        control: str,
    ) -> None:
        self._recorded = recorded
        self._changes = tuple(changes)
        self._forge = forge
        self._silence = silence
        self._control = control
        self._chains: dict[str, tuple[bytes, ...]] = {}
        self._of_name: dict[tuple[str, int], Observation] = {}  # a handshake at each address and port
        for seen in recorded.values():
            if isinstance(seen.step, TlsHandshake) and isinstance(seen.evidence, TlsFacts):
                self._of_name.setdefault((seen.step.address, seen.step.port), seen)

    def get(self, step: Step, /) -> Observation | None:
        """The answer to a step; None where the recording has nothing to answer it with."""
        if isinstance(step, TrustLookup):
            return self._roots(step)
        known = self._known(step)
        if known is None:
            return None
        for change in self._changes:
            if touches(change, step) or self._led_by(change, step):
                known = self._changed(change, known)
        return known

    def _known(self, step: Step) -> Observation | None:
        """The recorded answer. To a second attempt as to the first, and to another hello or name as at its address."""
        first = self._recorded.get(step) or self._recorded.get(replace(step, attempt=1))
        if first is None and isinstance(step, TlsHandshake):
            first = self._of_name.get((step.address, step.port))
        return None if first is None else replace(first, step=step)

    def _led_by(self, change: Change, step: Step) -> bool:
        """Whether it is the control name, at an address where the change holds for the name that led there."""
        if (
            not isinstance(change, Block)
            or not isinstance(step, TlsHandshake)
            or step.server_name != self._control
        ):
            return False
        there = self._of_name.get((step.address, step.port))
        return there is not None and touches(change, there.step)

    def _changed(self, change: Change, seen: Observation) -> Observation:
        match change:
            case Block(reset=reset) | ClosedPort(reset=reset):
                return self._refused(seen, reset)
            case Inspection():
                return self._inspected(seen)
            case _:
                assert_never(change)

    def _refused(self, seen: Observation, reset: bool) -> Observation:
        failure = Failure(Stage.TCP, Code.REFUSED if reset else Code.TIMEOUT)
        elapsed = min(seen.elapsed, 0.05) if reset else self._silence
        return replace(seen, failure=failure, evidence=None, elapsed=elapsed)

    def _inspected(self, seen: Observation) -> Observation:
        """The device itself shakes hands, so a server that ended it for want of a client certificate no longer does."""
        shown = seen.evidence
        if not isinstance(shown, TlsFacts) or not shown.chain or not got_through(seen):
            return seen
        name = kind_of(seen.step).name(seen.step) or ""
        if name not in self._chains:
            self._chains[name] = self._forge(name)
        made = replace(
            shown,
            chain=self._chains[name],
            handshake_s=shown.handshake_s if shown.handshake_s is not None else shown.connect_s,
            staple=None,
            client_certificate_asked=False,
            certificate_sent=False,
            key_proven=True,
        )
        return replace(seen, failure=None, evidence=made)

    def _roots(self, step: TrustLookup) -> Observation | None:
        """The invented CA is in the system's store and in no public list."""
        known = self._recorded.get(step)
        made = next(
            (chain[-1] for chain in self._chains.values() if facts(chain[-1]).subject == step.subject), None
        )
        if known is not None or made is None:
            return known
        like = next((s for s in self._recorded.values() if isinstance(s.step, TrustLookup)), None)
        found = like.evidence if like is not None and isinstance(like.evidence, TrustRoots) else TrustRoots()
        evidence = replace(found, public=(), system=(made,))
        started = like.started if like is not None else next(iter(self._recorded.values())).started
        return Observation(step, started, 0.0, None, evidence)
