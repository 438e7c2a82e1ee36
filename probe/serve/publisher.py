"""Publishes judgements: as the state, the metrics snapshot, the textfile and rows of the history.

A scrape never waits for the network or for rendering: it gets the last snapshot, which a thread makes and replaces whole.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from collections import deque
from dataclasses import dataclass, replace

from exporters.metrics.exposition import Exposition
from exporters.metrics.meters import Meters
from exporters.metrics.text_format import gzipped
from exporters.terminal.headline import headline
from probe.config.service import ALONE
from probe.history.writer import History
from probe.host.windows_event_log import Event, EventLog, ServiceEvent, service_event, transition_event
from probe.serve.notes import Notes
from probe.serve.textfile import TextfilePublisher
from probe.version import VERSION
from probe.watch.judgement import Judgement
from probe.watch.loop import WatchLoop
from probe.watch.rounds import FinishedRound
from probe.web.exporter_toolkit import WebConfigFile
from rules.model.verdict import Answer
from rules.watch.confirmation import CONNECTOR, Confirmation, heaviest, status_word
from rules.watch.event_groups import grouped, merged
from rules.watch.events import CycleRow, Drift, Transition
from rules.watch.ledger import Ledger, Sighting, entries
from rules.watch.maintenance import open_window
from rules.watch.state import Place, State
from rules.watch.state_of import host_faults, with_latest

LOG = logging.getLogger("wayclear")
#: Transitions and drift events that the state shows: one break of a long list is many of them.
SHOWN = 300
#: Most seconds between two snapshots while nothing is judged. A judgement makes one at once; a service name is measured once
#: a minute by default.
LATEST = 30.0
#: Ledger entries that are queued for the disk at once while it works: as rows they need several times the memory.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The text of a scrape in gzip, as every Prometheus requests it, and the Unix time of its values."""

    packed: bytes
    taken_at: float

    @property
    def plain(self) -> bytes:
        """The plain text. With many targets this takes milliseconds: call it in a thread."""
        return gzip.decompress(self.packed)


class Publisher:
    """Publishes the service's results. Everything but `_render` runs on the loop."""

    def __init__(
        self, place: Place, meters: Meters, history: History, web: WebConfigFile | None = None
    ) -> None:
        self.place = place
        self._snapshot = Snapshot(gzipped(()), 0.0)
        self.transitions: deque[Transition] = deque(maxlen=SHOWN)
        self.drifts: deque[Drift] = deque(maxlen=SHOWN)
        self.notes: list[str] = []
        self.refused = ""  # why the configuration on the disk is not in force
        self._meters, self._history, self._web = meters, history, web
        self._exposition = Exposition(place)
        self._events = EventLog()
        self._ledger = Ledger()
        self._forgotten = 0.0  # the oldest time in the history, to which the ledger was cut
        self._started = time.time()
        self._state: State | None = None
        self._last_answer: Transition | None = None
        self._known: dict[str, Transition] = {}  # the last transition of each target before this process
        self._errors = self._dropped = 0
        self._wake = asyncio.Event()
        self._remembering = asyncio.Lock()
        self._textfile = TextfilePublisher()
        self._notes = Notes(history, web, self._textfile, self.happened)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def snapshot(self) -> Snapshot:
        """The last snapshot. If the web configuration has changed since, this starts the next one."""
        if self._notes.web_changed():
            self._wake.set()
        return self._snapshot

    async def begin(self) -> None:
        """Load the history."""
        loaded = await self._history.load()
        self.transitions.extend(loaded.transitions)
        self.drifts.extend(loaded.drifts)
        self._ledger = Ledger(loaded.ledger)
        self._last_answer = loaded.latest.pop(CONNECTOR, None)
        self._known = loaded.latest

    def confirmation(self) -> Confirmation:
        """The confirmation of changes, which starts with the last status of each target in the history."""
        return Confirmation(self._known)

    def state(self, appliance: WatchLoop | None, now: float) -> State:
        """The state at this moment (Unix time)."""
        config = appliance.config.serve if appliance is not None else None
        window = open_window(config.maintenance, now) if config is not None else None
        base = State(
            self.place,
            VERSION,
            now,
            self._started,
            None,
            Answer.NOT_PROVEN,
            self._started,
            "",
            "",
            maintenance=window.name if window is not None else "",
            paused=window is not None and window.pause,
            inventory=config.inventory if config is not None else (),
            min_connectors=config.min_connectors if config is not None else ALONE,
            notes=(*self.notes, *self._notes.shown()),
            transitions=tuple(self.transitions),
            drifts=tuple(self.drifts),
            refused=tuple(filter(None, (self.refused, self._notes.refused()))),
        )
        if appliance is None:
            return base
        if self._state is None:
            return replace(base, first=appliance.first_check())
        changed, appliance.asker.changed = appliance.asker.changed, set()
        targets = self._state.targets
        if changed:
            targets = tuple(
                with_latest(t, appliance.tracks.record_of((t.host, t.port)))
                if (t.host, t.port) in changed
                else t
                for t in targets
            )
            self._state = replace(self._state, targets=targets)
        return replace(
            self._state,
            place=base.place,
            now=now,
            maintenance=base.maintenance,
            paused=base.paused,
            inventory=base.inventory,
            min_connectors=base.min_connectors,
            notes=(*self._state.notes, *base.notes),
            transitions=base.transitions,
            drifts=base.drifts,
            refused=base.refused,
        )

    def judged(self, made: Judgement) -> None:
        """A judgement has been made."""
        settled, before, now = made.settled, self._state, time.time()
        holds = made.report.answer is settled.answer  # otherwise its change is not confirmed yet
        report = made.report if holds or before is None else before.report
        assert report is not None
        self._textfile.judged(now)
        since = settled.answer_since
        if (
            before is None
            and self._last_answer is not None
            and self._last_answer.after == settled.answer.value
        ):
            since = self._last_answer.at  # the answer is older than this process
        elif before is not None and before.answer is settled.answer:
            since = before.answer_since
        self._state = State(
            self.place,
            VERSION,
            now,
            self._started,
            report,
            settled.answer,
            since,
            headline(report),
            report.answer_text,
            settled.targets,
            made.sources,
            host_faults=host_faults(made.report),
            resolvers=made.ways.resolvers,
            notes=report.notes,
        )
        changes = self._first(made, before) + settled.transitions
        self._start(self._remember(settled.first, changes, self._state))
        self._wake.set()

    def closed(self, ended: FinishedRound, connections: int) -> None:
        """A round has ended; `connections` is the number opened since the previous round of any kind."""
        self._textfile.closed(ended.kind, time.time())
        targets = self._state.targets if self._state is not None else ()
        service = {t.key for t in targets if t.group == "service"}  # also if another group has this key
        unclear = {t.key for t in targets if status_word(t.status) == "inconclusive"}
        row = CycleRow(
            ended.kind,
            ended.started,
            ended.duration,
            ended.targets,
            ended.failed,
            len(unclear & service if ended.kind == "service" else unclear - service),
            max(0, connections),
            self._state.answer.value if self._state is not None else "",
        )
        self._start(self._record(row))

    def happened(self, what: ServiceEvent, detail: str = "") -> None:
        """Write an event of the service to the Windows Event Log, and make a snapshot soon."""
        self._wake.set()
        self._start(self._write_event(service_event(what, detail)))

    async def _write_event(self, event: Event) -> None:
        await asyncio.to_thread(self._events.write, event)

    def note_gap(self, text: str) -> None:
        """The clock was set, or this host was suspended: add a row to the history."""
        self._start(self._record(CycleRow("gap", time.time(), 0.0, 0, 0, 0, 0, "", text)))

    async def render_for_ever(self, appliance: WatchLoop) -> None:
        """Make a snapshot after each judgement, and regularly for the details of new answers."""
        while True:
            await self.render(appliance)
            try:
                async with asyncio.timeout(min(LATEST, appliance.config.serve.schedule.service)):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()

    async def render(self, appliance: WatchLoop | None) -> None:
        """One snapshot. The last good one stays when rendering fails."""
        now = time.time()
        state = self.state(appliance, now)
        if appliance is not None:
            self._meters.in_flight(appliance.asker.in_flight)
        self._notes.update(state if appliance is not None else None)
        self._meters.history(self._history.writable, self._history.dropped, self._history.size_bytes)
        self._meters.page(self._web is not None and self._web.secure)
        if self._web is not None:
            self._notes.web_published()
            self._meters.web_config(not self._web.problem, self._web.read_at)
            self._meters.sign_ins(self._web.sign_ins.refused)
        try:
            self._snapshot = await asyncio.to_thread(self._render, state, now)
        except Exception:  # whatever the error is, scrapes get the last snapshot
            LOG.exception("the metrics could not be rendered; the last snapshot stays")
            self._errors += 1
            return
        if appliance is not None:
            self._textfile.publish(appliance.config.serve.textfile, state, appliance.planned)

    def _render(self, state: State, now: float) -> Snapshot:
        done = self._exposition.update(state)
        self._errors += done.errors
        self._dropped += done.dropped
        if done.fault is not None:
            LOG.error("a part of the metrics could not be written: %s", type(done.fault).__name__)
        self._meters.rendered(self._errors, self._dropped)
        self._meters.snapshot(now)
        return Snapshot(gzipped(self._exposition.parts(self._meters.render())), now)

    def _first(self, made: Judgement, before: State | None) -> tuple[Transition, ...]:
        """The transition from the last answer in the history to the answer of the first judgement."""
        last, now = self._last_answer, made.settled.answer.value
        if before is not None or (last is not None and last.after == now):
            return ()
        cause = heaviest(made.report)
        return (
            Transition(
                time.time(),
                CONNECTOR,
                last.after if last is not None else "",
                now,
                last.cause if last is not None else "",
                cause,
                made.report.answer_text,
            ),
        )

    async def _remember(
        self, first: tuple[Transition, ...], transitions: tuple[Transition, ...], state: State
    ) -> None:
        async with self._remembering:  # in the order of the judgements
            if self._forgotten != (border := self._history.border):
                self._forgotten = border
                await asyncio.to_thread(self._ledger.forget, border)
            seen = self._ledger.see(await asyncio.to_thread(entries, state))
            await self._record_changes(first, transitions, seen)

    async def _record_changes(
        self, first: tuple[Transition, ...], transitions: tuple[Transition, ...], seen: Sighting
    ) -> None:
        """Log changes and drift and write them to the history; `first` is written only."""
        for transition in transitions:
            self._meters.transition()
            self.transitions.appendleft(transition)
        told = self._told(transitions)
        for transition in told:
            LOG.log(
                logging.INFO if transition.after in ("yes", "pass") else logging.WARNING,
                "%s: %s -> %s (%s): %s",
                transition.subject,
                transition.before or "first seen",
                transition.after,
                transition.cause,
                transition.summary,
            )
        for drift in seen.drifts:
            self._meters.drift()
            self.drifts.appendleft(drift)
        for group in grouped(seen.drifts):
            names = f": {', '.join(group.subjects)}" if len(group.events) > 1 else ""
            LOG.info("drift: %s%s", group.text, names)
        if first or transitions or seen.drifts or seen.write:  # usually everything, in one transaction
            await self._history.record(first + transitions, seen.write[:AT_ONCE], seen.drifts)
        for start in range(AT_ONCE, len(seen.write), AT_ONCE):  # the first sweep has thousands
            await self._history.record(ledger=seen.write[start : start + AT_ONCE])
        for transition in told:
            await asyncio.to_thread(self._events.write, transition_event(transition))
        if transitions:
            self._wake.set()

    def _told(self, transitions: tuple[Transition, ...]) -> tuple[Transition, ...]:
        """The transitions as people read them in a log: one a cause, that of the answer first."""
        targets = self._state.targets if self._state is not None else ()
        rule_groups = {target.name: target.group for target in targets} if len(transitions) > 1 else {}
        told = (merged(group, rule_groups) for group in grouped(reversed(transitions)))
        return tuple(one for one in told if one is not None)

    async def _record(self, row: CycleRow) -> None:
        await self._history.record(cycle=row)

    def _start(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[call-overload]  # a coroutine of ours
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Wait until everything is written."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._textfile.close()
        self._events.close()
