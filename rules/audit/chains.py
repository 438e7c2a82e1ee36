"""Served certificate chains before they are judged: which roots to look up, which missing issuer to fetch.

Many handshakes show the same chain. It is looked up, completed and judged once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rules.model.kinds.trust_store import TrustRoots
from rules.model.ruleset import CaSet
from rules.pki.trust import ChainJudgement, judge_chain, missing_pieces

#: AIA addresses tried for one chain (a certificate names two at most in practice).
MAX_AIA = 3


@dataclass(slots=True)
class ChainState:
    """One chain as served. `urls` maps each AIA address tried to its answer: None while it is under way or after a
    refusal."""

    chain: tuple[bytes, ...]
    urls: dict[str, bytes | None] = field(default_factory=dict)
    # frozen, because nearly all are empty: thousands of mutable sets would take megabytes
    open_urls: frozenset[str] = frozenset()
    open_lookups: frozenset[bytes] = frozenset()
    settled: bool = False

    @property
    def fetched(self) -> tuple[bytes, ...]:
        return tuple(der for der in self.urls.values() if der)


@dataclass(frozen=True, slots=True)
class ChainNeeds:
    """What the chains need next. `settled`: chains that can be judged now."""

    lookups: tuple[bytes, ...] = ()
    urls: tuple[str, ...] = ()
    settled: tuple[tuple[bytes, ...], ...] = ()


class Chains:
    """All chains of an audit."""

    def __init__(self, cas: tuple[CaSet, ...]) -> None:
        self._cas = cas
        self._states: dict[tuple[bytes, ...], ChainState] = {}
        self._asked: set[bytes] = set()
        self.roots: dict[bytes, TrustRoots] = {}

    def add(self, chain: tuple[bytes, ...]) -> ChainNeeds:
        """A server showed a chain. A known chain needs nothing more."""
        if chain in self._states:
            return ChainNeeds(settled=(chain,) if self._states[chain].settled else ())
        state = self._states[chain] = ChainState(chain)
        return self._advance([state])

    def looked_up(self, subject: bytes, roots: TrustRoots | None) -> ChainNeeds:
        """The trust stores have answered for `subject`."""
        self.roots[subject] = roots or TrustRoots()
        waiting = [s for s in self._states.values() if subject in s.open_lookups]
        for state in waiting:
            state.open_lookups -= {subject}
        return self._advance(waiting)

    def fetched(self, url: str, der: bytes | None) -> ChainNeeds:
        """An AIA address gave a certificate, or none (None)."""
        waiting = [s for s in self._states.values() if url in s.open_urls]
        for state in waiting:
            state.open_urls -= {url}
            state.urls[url] = der
        return self._advance(waiting)

    def settled(self, chain: tuple[bytes, ...]) -> bool:
        state = self._states.get(chain)
        return state is not None and state.settled

    def known(self) -> Iterable[tuple[bytes, ...]]:
        return self._states

    def fetched_for(self, chain: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """The issuers' certificates that were fetched from AIA addresses for a chain."""
        state = self._states.get(chain)
        return state.fetched if state is not None else ()

    def missing_at(self, chain: tuple[bytes, ...]) -> tuple[str, ...]:
        """The AIA addresses of the missing issuer, as the chain's certificates name them."""
        return missing_pieces(chain, self.fetched_for(chain), self.roots, self._cas)[1]

    def judge(self, chain: tuple[bytes, ...], now: float) -> ChainJudgement:
        """The judgement with the facts known so far, also of a chain that has not settled."""
        state = self._states.get(chain)
        return judge_chain(chain, state.fetched if state else (), self.roots, self._cas, now)

    def _advance(self, states: list[ChainState]) -> ChainNeeds:
        lookups: dict[bytes, None] = {}
        urls: dict[str, None] = {}
        settled: list[tuple[bytes, ...]] = []
        for state in states:
            if state.open_lookups or state.open_urls or state.settled:
                continue
            subjects, sources = missing_pieces(state.chain, state.fetched, self.roots, self._cas)
            missing = [s for s in subjects if s not in self.roots]
            fresh = [u for u in sources if u not in state.urls][: MAX_AIA - len(state.urls)]
            if missing:
                state.open_lookups |= frozenset(missing)
                lookups.update(dict.fromkeys(s for s in missing if s not in self._asked))
                self._asked.update(missing)
            elif fresh:
                # one after the other: the second only if the first gives nothing
                state.open_urls |= {fresh[0]}
                state.urls[fresh[0]] = None
                urls[fresh[0]] = None
            else:
                state.settled = True
                settled.append(state.chain)
        return ChainNeeds(tuple(lookups), tuple(urls), tuple(settled))
