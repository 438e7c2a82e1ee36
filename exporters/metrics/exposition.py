"""The state as Prometheus text, for a scrape, the textfile or a single audit.

A scrape of 2,000 targets has about 20,000 series. Writing all of them for each scraper would cost more than a round
of probes. So every target keeps its text, and only a target whose state changed is written again. `update` leaves one
immutable value behind, so any thread may run `body` meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exporters.metrics import connector
from exporters.metrics import target as metric_target
from exporters.metrics.catalogue import ANY_GROUP, BY_NAME, SERIES, SERIES_BESIDES, STATE
from exporters.metrics.owners import Owners
from exporters.metrics.target import FAMILIES, Key, TargetText
from exporters.metrics.text_format import constants, header, labels, sample
from rules.watch.state import Place, State, TargetState

_HEADERS = tuple((metric.name, header(metric)) for metric in STATE)
_ENDED = BY_NAME["wayclear_last_cycle_timestamp_seconds"]
_INTERVAL = BY_NAME["wayclear_cycle_interval_seconds"]
_PIECE = 250  # targets


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did. `series` counts the snapshot's series, without the prober's own."""

    rendered: int  # targets that were written again
    series: int
    dropped: int  # series left out because of the limits
    errors: int  # parts that could not be written
    fault: Exception | None = None  # the first of those faults


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """The content of a page: targets, and samples without a target, by family."""

    texts: tuple[TargetText, ...] = ()
    besides: tuple[tuple[str, bytes], ...] = ()


class Exposition:
    """The text of the latest state. One thread calls `update`; others may call `body` at the same time."""

    def __init__(self, place: Place) -> None:
        self._snapshot = _Snapshot()
        self._begin(place)

    def _begin(self, place: Place) -> None:
        self._place = place
        self._constant = constants(place)
        self._states: dict[Key, tuple[tuple[TargetState, ...], str]] = {}  # and who must act
        self._texts: dict[Key, TargetText] = {}
        self._besides = connector.Besides((), 0, 0)

    def update(self, state: State) -> Updated:
        """Take a state. A part that cannot be written keeps its old text, is counted, and is tried again the next
        time."""
        if state.place != self._place:  # a reload changed the connector's labels, which are on every series
            self._begin(state.place)
        faults: list[Exception] = []
        wanted = self._wanted(state, faults)
        for key in self._texts.keys() - wanted.keys():
            del self._states[key], self._texts[key]
        rendered = self._render(wanted, Owners.of(state.report), faults)
        try:
            tallies = [text.tally for text in self._texts.values()]
            self._besides = connector.render(state, tallies, self._constant)
        except Exception as error:  # noqa: BLE001 - a bug of ours costs a part of the page, never the page
            faults.append(error)
        beyond = self._beyond()
        kept = tuple(text for key, text in self._texts.items() if key not in beyond)
        self._snapshot = _Snapshot(kept, self._besides.samples)
        return Updated(
            rendered,
            sum(text.series for text in kept) + self._besides.series,
            sum(text.dropped for text in kept)
            + sum(self._texts[key].series for key in beyond)
            + self._besides.dropped,
            len(faults),
            faults[0] if faults else None,
        )

    def parts(self, meters: bytes = b"") -> Iterator[bytes]:
        """The page in pieces: the latest state, then the prober's own metrics as `Meters.render` gives them.

        Families come in the catalogue's order; a family without samples is left out. A piece holds some targets' part
        of a family, because a whole family of thousands of targets takes megabytes.
        """
        shown = self._snapshot
        besides = dict(shown.besides)
        for name, head in _HEADERS:
            texts = shown.texts if name in FAMILIES else ()
            for start in range(0, len(texts), _PIECE):
                piece = "".join([text.lines(name) for text in texts[start : start + _PIECE]])
                if piece:
                    yield head + piece.encode()
                    head = b""
            if name in besides:
                yield head + besides[name]
        yield meters

    def body(self, meters: bytes = b"") -> bytes:
        """The page as a whole."""
        return b"".join(self.parts(meters))

    def _wanted(self, state: State, faults: list[Exception]) -> dict[Key, tuple[TargetState, ...]]:
        """The targets to show: none before there is a report."""
        wanted: dict[Key, tuple[TargetState, ...]] = {}
        for target in state.targets if state.report is not None else ():
            try:
                key = metric_target.key_of(target)
            except Exception as error:  # noqa: BLE001 - as above
                faults.append(error)
            else:
                wanted[key] = (*wanted.get(key, ()), target)
        return wanted

    def _render(
        self, wanted: dict[Key, tuple[TargetState, ...]], named: Owners, faults: list[Exception]
    ) -> int:
        """Write what has changed; return the number of targets written."""
        shown = labels(self._constant)
        constant = f"{shown}," if shown else ""
        rendered = 0
        for key, found in wanted.items():
            who = next((acts for one in by_weight(found) if (acts := named.owner(one))), "")
            if self._states.get(key) == (found, who):
                continue
            try:
                text = metric_target.render(found, constant, who)
            except Exception as error:  # noqa: BLE001 - as above
                faults.append(error)
                continue
            self._states[key] = found, who
            self._texts[key] = text
            rendered += 1
        return rendered

    def _beyond(self) -> frozenset[Key]:
        """Targets beyond the limit. Whole targets are left out, the least important for a connector first."""
        room = SERIES - SERIES_BESIDES
        if sum(text.series for text in self._texts.values()) <= room:
            return frozenset()
        beyond = set()
        for key, text in sorted(
            self._texts.items(),
            key=lambda item: (ANY_GROUP.values.index(item[0][2]), not item[1].required, item[0]),
        ):
            room -= text.series
            if room < 0:
                beyond.add(key)
        return frozenset(beyond)


def by_weight(found: tuple[TargetState, ...]) -> tuple[TargetState, ...]:
    """States of one key, the heaviest first."""
    return found if len(found) == 1 else tuple(sorted(found, key=lambda one: -one.status.rank))


@dataclass(frozen=True, slots=True)
class Ended:
    """When the measurements behind a state ended (Unix time): a round of `kind`, or one audit.

    `intervals`: seconds between rounds, by kind; empty if there will be no further round.
    """

    kind: str
    at: float
    intervals: Mapping[str, float] = field(default_factory=dict)


def from_state(state: State, ended: Ended | None = None) -> str:
    """A single state without the prober's own metrics: for a textfile collector, or one audit.

    `wayclear_last_cycle_timestamp_seconds` tells its age: the time of `ended`, else that of the state. An error in
    writing a part is raised, because a file that lacks a failing target would look healthy.
    """
    exposition = Exposition(state.place)
    done = exposition.update(state)
    if done.fault is not None:
        raise done.fault
    lines = b""
    if state.report is not None:
        last = ended or Ended("audit", state.now)
        place = constants(state.place)
        lines = header(_ENDED) + sample(_ENDED.name, (*place, ("kind", last.kind)), last.at).encode()
        if last.intervals:
            lines += header(_INTERVAL)
        for kind, seconds in sorted(last.intervals.items()):
            lines += sample(_INTERVAL.name, (*place, ("kind", kind)), seconds).encode()
    return exposition.body(lines).decode()
