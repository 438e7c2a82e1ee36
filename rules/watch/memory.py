"""The newest answer to each question: the evidence on which the service judges.

The service stores observations; `Audit(rules, memory.plan(...), memory)` reads them. The store drops second looks that
a newer first look has made invalid, and uses a document from one address for every address that serves it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from rules.audit.documents import has_document
from rules.model.failure import LOCAL_CODES
from rules.model.kind import Resolution
from rules.model.kinds import http_fetch, tls_handshake
from rules.model.kinds.dns_chain import NO_ANSWER
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation, Step, got_through, kind_of
from rules.model.verdict import Plan
from rules.watch.significance import significant_part

#: Seconds for which an address that answered or failed counts among those of its target.
TRACKED = 86_400.0
#: A resolver is dead if this many different names in a row got no answer from it.
DEAD_STREAK = 5
#: Seconds within which the tries of one document belong together. It is longer than the least time between two fetches
#: of a list (`probe/watch/judgement.py`). Otherwise an old copy at one address, which is soon fetched again, would make
#: the new copy invalid.
ROUND = 330.0
#: Addresses that the store keeps for each name.
MAX_LAST_GOOD = 16

#: Answers that the store keeps for each name and port, however many addresses there are.
MOST = 256
#: Seconds for which the store keeps an address, for the time when its name does not resolve.
REMEMBERED = 7 * TRACKED
_Group = TypeVar("_Group", bound=Hashable)
_Member = TypeVar("_Member", bound=Hashable)
#: Within this many seconds the service notices that the clock was set.
SINCE = 60.0


def document_of(step: Step) -> tuple[object, ...] | None:
    """The document that a step fetches, the same for every address of its host; None for a step that fetches none."""
    return kind_of(step).document(step)


def clock_adjusted(when: float, by: float, now: float) -> float:
    """`when`, read from the clock before it was set by `by` seconds, in the time of the new clock, which says `now`.

    A time within the last `SINCE` seconds of the new clock was read from the new clock: it stays.
    """
    return when if now - SINCE <= when <= now else when + by


class Memory:
    """Observations by step. An audit calls `get`: see `rules.audit.machine.Known`."""

    def __init__(self) -> None:
        self.known: dict[Step, Observation] = {}
        # The hash of the significant part: the parts themselves would be megabytes.
        self._essence: dict[Step, int] = {}
        self._documents: dict[Hashable, Observation] = {}  # the newest good answer, from any address
        # tuples, because most have one member: thousands of sets would be megabytes
        self._of_document: dict[Hashable, tuple[Step, ...]] = {}
        self._of_name: dict[str, tuple[Step, ...]] = {}
        self._repeats: dict[Step, tuple[Step, ...]] = {}  # first look -> second looks that are known
        self._last_good: dict[str, dict[str, float]] = defaultdict(dict)
        self._silent: dict[str, set[str]] = {}  # resolver -> names since its last answer
        self._chains: dict[tuple[bytes, ...], tuple[bytes, ...]] = {}

    def __len__(self) -> int:
        return len(self.known)

    def get(self, step: Step, /) -> Observation | None:
        """The newest answer to `step`; for a document also an answer from another address."""
        seen = self.known.get(step)
        if seen is not None:
            return seen
        wanted = document_of(step) if step.attempt == 1 else None  # a second look must use this address
        found = self._documents.get(wanted) if wanted is not None else None
        return replace(found, step=step, stale=True) if found is not None else None

    def record(self, seen: Observation) -> bool:
        """Keep an answer. Returns whether it differs from the earlier one in a part that may change a verdict."""
        seen = self._shared(seen)
        step, now = seen.step, hash(significant_part(seen))
        before = self._essence.get(step)
        kind = kind_of(step)
        if kind.stands and seen.evidence is None and before is not None:
            return False
        if step.attempt == 1:
            self.drop(self._void(seen, before == now))
        else:
            _add(self._repeats, replace(step, attempt=1), step)
        self.known[step] = seen
        wanted = document_of(step)
        if wanted is not None:
            self._take_document(wanted, seen)
        if kind.resolution is not None and not kind.resolution.walks(step):
            self._take_name(step, seen, kind.resolution)
            if before is not None and before != now:
                self.drop(self._walk_of(step, kind.resolution))
        self._essence[step] = now
        return before is None or before != now

    def with_last_get(self, seen: Observation, step: TlsHandshake) -> Observation:
        """`seen`, a handshake without an HTTP request in it, with the HTTP answer of the last one: the answer to `step`.

        The service sends HTTP far more rarely than it makes handshakes. A failed handshake gets no HTTP answer.
        """
        before = self.known.get(step)
        facts = tls_handshake.KIND.shown(seen.evidence)
        old = tls_handshake.KIND.shown(before.evidence) if before is not None else None
        if facts is None or old is None or seen.failure is not None:
            return replace(seen, step=step)
        asked = facts.client_certificate_asked or old.client_certificate_asked
        facts = replace(
            facts,
            http_status=old.http_status,
            http_failure=old.http_failure,
            client_certificate_asked=asked,
        )
        return replace(seen, step=step, evidence=facts)

    def clock_was_set(self, by: float, now: float) -> None:
        """The clock was set by `by` seconds and says `now`: change all times, so that every age stays as it was."""
        for step, seen in list(self.known.items()):
            self.known[step] = replace(seen, started=clock_adjusted(seen.started, by, now))
        for wanted, seen in list(self._documents.items()):
            self._documents[wanted] = replace(seen, started=clock_adjusted(seen.started, by, now))
        for addresses in self._last_good.values():
            addresses.update({address: clock_adjusted(when, by, now) for address, when in addresses.items()})

    def forget(self, now: float) -> int:
        """Drop answers older than a day at `now` (Unix time), and the oldest answers of names with very many addresses.

        Returns how many observations it dropped.
        """
        old = [s for s, seen in self.known.items() if seen.started < now - TRACKED and kind_of(s).ages]
        self.drop(old)
        crowd = self._beyond()
        self.drop(crowd)
        for host, addresses in list(self._last_good.items()):
            kept = {a: when for a, when in addresses.items() if when >= now - REMEMBERED}
            if kept and host in self._of_name:  # the service still asks for this name
                self._last_good[host] = kept
            else:
                del self._last_good[host]
        live = {_certificates(seen) for seen in self.known.values()}
        self._chains = {chain: chain for chain in live}
        return len(old) + len(crowd)

    def _beyond(self) -> list[Step]:
        """The oldest steps at the addresses of a name and port, beyond the newest `MOST`."""
        by_key: dict[tuple[str, int], list[Step]] = defaultdict(list)
        for step in self.known:
            kind = kind_of(step)
            endpoint = kind.endpoint(step)
            if endpoint is not None and kind.subject(step) == endpoint:  # lists have their own schedule
                by_key[endpoint].append(step)
        crowds = (steps for steps in by_key.values() if len(steps) > MOST)
        return [s for steps in crowds for s in sorted(steps, key=lambda s: -self.known[s].started)[MOST:]]

    def drop(self, steps: Iterable[Step]) -> None:
        """Forget answers, so that the service asks again."""
        for step in steps:
            self.known.pop(step, None)
            self._essence.pop(step, None)
            if step.attempt > 1:
                _discard(self._repeats, replace(step, attempt=1), step)
            wanted = document_of(step)
            if wanted is not None:
                _discard(self._of_document, wanted, step)
                if wanted not in self._of_document:
                    self._documents.pop(wanted, None)
            elif kind_of(step).resolution is not None:
                name = kind_of(step).name(step)
                assert name is not None
                _discard(self._of_name, name, step)

    def dead_resolvers(self, names: int) -> tuple[str, ...]:
        """Resolvers that gave no answer for several names in a row; `names`: how many names the service asks for."""
        needed = max(1, min(DEAD_STREAK, names))
        return tuple(sorted(r for r, silent in self._silent.items() if len(silent) >= needed))

    def unanswered_names(self, resolver: str) -> int:
        """For how many names the resolver has given no answer since its last answer."""
        return len(self._silent.get(resolver, ()))

    def last_addresses(
        self, hosts: Iterable[str], dead: Iterable[str] = ()
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Remembered addresses of those `hosts` that no living resolver (all but `dead`) resolves, the newest first."""
        found, gone = [], frozenset(dead)
        for host in hosts:
            remembered = self._last_good.get(host)
            answers = ((self.known[s], kind_of(s).resolution) for s in self._of_name.get(host, ()))
            if remembered and not any(how and _leads_on(seen, how, gone) for seen, how in answers):
                found.append(
                    (host, tuple(sorted(remembered, key=lambda a: (-remembered[a], a))[:MAX_LAST_GOOD]))
                )
        return tuple(found)

    def lookups_of(self, host: str) -> tuple[Observation, ...]:
        """The newest answer to each question for the name, at every resolver and record type."""
        return tuple(self.known[s] for s in self._of_name.get(host, ()))

    def plan(self, plan: Plan, hosts: tuple[str, ...]) -> Plan:
        """The parameters of a judgement of the present answers."""
        dead = self.dead_resolvers(len(hosts))
        return replace(plan, steady=True, dead=dead, last_good=self.last_addresses(hosts, dead))

    def copy(self) -> Memory:
        """A copy that a judgement in another thread reads while new answers arrive."""
        copied = Memory()
        copied.known = dict(self.known)
        copied._documents = dict(self._documents)
        return copied

    # ----------------------------------------------------------------------------------------------------------------

    def _shared(self, seen: Observation) -> Observation:
        """`seen` with equal parts shared: the step and the evidence of the earlier answer, and one copy of each chain."""
        facts, before = seen.evidence, self.known.get(seen.step)
        if before is not None:
            same = facts is not None and before.evidence == facts
            seen = replace(seen, step=before.step, evidence=before.evidence if same else facts)
            if same:
                return seen
        shown = _certificates(seen)
        if not shown:
            return seen
        chain = self._chains.setdefault(shown, shown)
        if chain is shown:
            return seen
        return replace(seen, evidence=kind_of(seen.step).with_certificates(facts, chain))

    def _void(self, seen: Observation, same: bool) -> list[Step]:
        """Second looks at the same question as `seen` that belong to a replaced answer; `same`: `seen` equals the
        earlier answer.

        A second look that agreed with the first look stays valid while the first look shows the same. Otherwise, with
        many failures and a low rate, every judgement would wait for some second look, and the service would never
        confirm a change.
        """
        repeats = self._repeats.get(seen.step, ())
        return [repeat for repeat in repeats if not same or not _agree(self.known[repeat], seen)]

    def _walk_of(self, step: Step, how: Resolution[Any, Any]) -> list[Step]:
        """Answers of the walk along the chain of a name whose answer has changed: the service asks for them again."""

        def answer_to(link: Step) -> object:
            seen = self.known.get(link)
            return seen.evidence if seen is not None else None

        return [s for s in how.walk_of(step, answer_to) if s in self.known]

    def _take_document(self, wanted: Hashable, seen: Observation) -> None:
        """Drop answers from other addresses before this round of tries: they would hide the result of this round."""
        steps = self._of_document.get(wanted, ())
        place = kind_of(seen.step).place
        here = place(seen.step)  # a second look must not make its own first look invalid
        void = [s for s in steps if place(s) != here and self.known[s].started < seen.started - ROUND]
        _add(self._of_document, wanted, seen.step)
        self.drop(void)
        if has_document(seen) if http_fetch.KIND.asked(seen.step) else got_through(seen):
            self._documents[wanted] = seen
        else:
            self._documents.pop(wanted, None)

    def _take_name(self, step: Step, seen: Observation, how: Resolution[Any, Any]) -> None:
        name, resolver = kind_of(step).name(step), how.resolver(step)
        assert name is not None
        _add(self._of_name, name, step)
        if _unanswered(seen, how):
            self._silent.setdefault(resolver, set()).add(name)
        elif seen.failure is None or seen.failure.code not in LOCAL_CODES:
            self._silent.pop(resolver, None)  # a fault of this host says nothing about the resolver
        for address in _addresses(seen, how)[:MAX_LAST_GOOD]:
            self._last_good[name][address] = seen.started
        if len(remembered := self._last_good.get(name, {})) > 2 * MAX_LAST_GOOD:
            self._last_good[name] = dict(sorted(remembered.items(), key=lambda a: -a[1])[:MAX_LAST_GOOD])


def _certificates(seen: Observation) -> tuple[bytes, ...]:
    return kind_of(seen.step).certificates(seen.evidence) if seen.evidence is not None else ()


def _add(groups: dict[_Group, tuple[_Member, ...]], group: _Group, member: _Member) -> None:
    members = groups.get(group, ())
    if member not in members:
        groups[group] = (*members, member)


def _discard(groups: dict[_Group, tuple[_Member, ...]], group: _Group, member: _Member) -> None:
    """Remove a member from its group, and the group if it is empty."""
    members = tuple(m for m in groups.get(group, ()) if m != member)
    if members:
        groups[group] = members
    else:
        groups.pop(group, None)


def _agree(second: Observation, first: Observation) -> bool:
    """Whether a second look shows the same as the first look; the GET inside TLS, which is rare, is left out."""
    return significant_part(_repeated(second)) == significant_part(_repeated(first))


def _repeated(seen: Observation) -> Observation:
    """The answer without the parts that a second look need not show."""
    if seen.evidence is None:
        return seen
    return replace(seen, evidence=kind_of(seen.step).repeated(seen.evidence))


def _unanswered(seen: Observation, how: Resolution[Any, Any]) -> bool:
    if seen.failure is not None:
        return seen.failure.code in NO_ANSWER
    return seen.evidence is not None and how.unanswered(seen.evidence)


def _addresses(seen: Observation, how: Resolution[Any, Any]) -> tuple[str, ...]:
    return how.addresses(seen.evidence) if seen.evidence is not None else ()


def _leads_on(seen: Observation, how: Resolution[Any, Any], gone: frozenset[str]) -> bool:
    """Whether the answer of a resolver that is not `gone` leads to an address, perhaps by further names that the judgement
    follows."""
    if seen.evidence is None or how.resolver(seen.step) in gone:
        return False
    return bool(how.addresses(seen.evidence)) or how.aliased(seen.evidence)
