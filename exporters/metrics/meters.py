"""The prober's own metrics: counters and histograms that grow while it runs, kept by prometheus_client.

Each service has one `Meters` with its own registry. Every known label value starts at 0, so `rate()` sees the first
event. A gauge is absent until it is set. A call costs one or two microseconds, and any thread may make it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from exporters.metrics.catalogue import (
    ANY_GROUP,
    BY_NAME,
    CATALOGUE,
    CYCLE_KIND,
    FAILED_STAGE,
    REFUSED,
    ROUND_KIND,
    STAGE,
    TASK,
)
from exporters.metrics.text_format import clean, constants, labels
from rules.model.failure import Stage
from rules.model.kind import StageName
from rules.watch.state import Place

#: Of a stage on a network, in seconds: a nearby resolver, a handshake over an ocean, the limits of 5 and 10 s.
STAGE_BUCKETS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Of a probe that begins late, in seconds.
SCHEDULE_BUCKETS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0)
#: Of a loop that wakes up late, in seconds.
LOOP_BUCKETS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)

_ORDER: Final = {metric.name.removesuffix("_total"): place for place, metric in enumerate(CATALOGUE)}


class Meters:
    """See the module. Durations are in seconds, moments Unix time."""

    def __init__(self, place: Place) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.place(place)
        durations = self._histogram("wayclear_stage_duration_seconds", STAGE_BUCKETS)
        failures = self._counter("wayclear_probe_failures_total")
        self._durations = {pair: durations.labels(*pair) for pair in product(ANY_GROUP.values, STAGE.values)}
        self._failures = {
            pair: failures.labels(*pair) for pair in product(ANY_GROUP.values, FAILED_STAGE.values)
        }
        self._connections = self._counter("wayclear_connections_opened_total")
        self._in_flight = self._gauge("wayclear_probes_in_flight")
        self._transitions = self._counter("wayclear_transitions_total")
        self._drifts = self._counter("wayclear_drift_events_total")

        self._ended = self._gauge("wayclear_last_cycle_timestamp_seconds")
        self._took = self._gauge("wayclear_cycle_duration_seconds")
        self._intervals = self._gauge("wayclear_cycle_interval_seconds")
        self._late = self._counter("wayclear_cycles_missed_total")
        self._misfires = self._counter("wayclear_jobs_missed_total")
        self._lag = self._histogram("wayclear_schedule_lag_seconds", SCHEDULE_BUCKETS)
        self._loop_lag = self._histogram("wayclear_event_loop_lag_seconds", LOOP_BUCKETS)
        self._clock_steps = self._counter("wayclear_clock_steps_total")
        for kind in CYCLE_KIND.values:
            self._late.labels(kind)
        for task in TASK.values:
            self._misfires.labels(task)

        self._reloaded = self._gauge("wayclear_config_last_reload_successful")
        self._reloaded_at = self._gauge("wayclear_config_last_reload_success_timestamp_seconds")
        self._web_reloaded = self._gauge("wayclear_web_config_last_reload_successful")
        self._web_reloaded_at = self._gauge("wayclear_web_config_last_reload_success_timestamp_seconds")
        refused = self._counter("wayclear_web_sign_ins_refused_total")
        self._refused = {reason: _Total(refused.labels(reason)) for reason in REFUSED.values}
        self._writable = self._gauge("wayclear_history_writable")
        self._rows_dropped = _Total(self._counter("wayclear_history_rows_dropped_total"))
        self._history_size = self._gauge("wayclear_history_size_bytes")
        self._snapshot_at = self._gauge("wayclear_snapshot_timestamp_seconds")
        self._render_errors = _Total(self._counter("wayclear_metrics_render_errors_total"))
        self._series_dropped = _Total(self._counter("wayclear_series_dropped_total"))
        self._build = self._gauge("wayclear_build_info")
        self._page = self._gauge("wayclear_page_info")

    # --- probing: the hot path -------------------------------------------------------------------------------------

    def stage(self, rule_group: str, stage: StageName, seconds: float) -> None:
        """A stage succeeded. A probe of no rule has the group ""."""
        self._durations[ANY_GROUP.closed(rule_group), stage].observe(seconds)

    def failed(self, rule_group: str, stage: Stage) -> None:
        """A probe failed in `stage`."""
        self._failures[ANY_GROUP.closed(rule_group), stage].inc()

    def connection(self) -> None:
        """A TCP connection was opened or attempted."""
        self._connections.inc()

    def in_flight(self, number: int) -> None:
        """`number` probes are running now."""
        self._in_flight.set(number)

    def lag(self, seconds: float) -> None:
        """A probe began `seconds` later than due."""
        self._lag.observe(max(0.0, seconds))

    def loop_lag(self, seconds: float) -> None:
        """The event loop woke up `seconds` later than due."""
        self._loop_lag.observe(max(0.0, seconds))

    def transition(self) -> None:
        """A change of a verdict was confirmed."""
        self._transitions.inc()

    def drift(self) -> None:
        """The probe saw something new: a name, an address, an issuer, a source."""
        self._drifts.inc()

    # --- rounds and schedule ---------------------------------------------------------------------------------------

    def cycle(self, kind: str, at: float, duration: float) -> None:
        """A round of `kind` ended at `at` and took `duration`."""
        kind = ROUND_KIND.closed(kind)
        self._ended.labels(kind).set(at)
        self._took.labels(kind).set(duration)

    def intervals(self, planned: Mapping[str, float]) -> None:
        """Seconds between rounds, by kind. A missing kind has no targets from now on."""
        for kind in ROUND_KIND.values:
            if kind in planned:
                self._intervals.labels(kind).set(planned[kind])
            else:
                self._intervals.remove(kind)

    def cycle_missed(self, kind: str, number: int = 1) -> None:
        """`number` rounds of `kind` were late and skipped."""
        self._late.labels(CYCLE_KIND.closed(kind)).inc(number)

    def job_missed(self, job: str) -> None:
        """The scheduler missed a run of `job`: a kind of round, or another task."""
        self._misfires.labels(TASK.closed(job)).inc()

    def clock_step(self) -> None:
        """The wall clock was set."""
        self._clock_steps.inc()

    # --- the prober itself -----------------------------------------------------------------------------------------

    def place(self, place: Place) -> None:
        """The constant labels from now on; a reload may change them."""
        self._series = _Series(dict(constants(place)))

    def reload(self, ok: bool, at: float) -> None:
        """The configuration was read, at the start or later."""
        self._reloaded.set(ok)
        if ok:
            self._reloaded_at.set(at)

    def web_config(self, ok: bool, at: float) -> None:
        """Whether the newest web configuration is in use; `at`: when one was last accepted."""
        self._web_reloaded.set(ok)
        self._web_reloaded_at.set(at)

    def sign_ins(self, refused: Mapping[str, int]) -> None:
        """Sign-ins to the web server refused since the start, by reason."""
        for reason, total in refused.items():
            self._refused[reason].to(total)

    def history(self, writable: bool, dropped: int, size: int) -> None:
        """Whether the history accepts rows, the number of rows lost since it was opened, and its size in bytes."""
        self._writable.set(writable)
        self._rows_dropped.to(dropped)
        self._history_size.set(size)

    def snapshot(self, at: float) -> None:
        """Scrapes now show the state made at `at`."""
        self._snapshot_at.set(at)

    def rendered(self, errors: int, dropped: int) -> None:
        """The page was written. `errors`: parts that failed since the start; `dropped`: series beyond the limits."""
        self._render_errors.to(errors)
        self._series_dropped.to(dropped)

    def build(self, version: str, python: str, openssl: str) -> None:
        """The versions that run here."""
        self._build.labels(clean(version), clean(python), clean(openssl)).set(1)

    def page(self, secure: bool) -> None:
        """Whether the own page is reached over TLS."""
        self._page.clear()
        self._page.labels("https" if secure else "http").set(1)

    def render(self) -> bytes:
        """All own metrics as text of format 0.0.4, in the order of the catalogue, with the constant labels.

        Only the value of a line changes, so the rest of the line is kept. prometheus_client's own writer looks at
        every label again, which takes three times as long.
        """
        series, lines = self._series, []
        for family in sorted(self._registry.collect(), key=lambda f: _ORDER.get(f.name, len(_ORDER))):
            created = f"{family.name}_created"  # an OpenMetrics sample; in this format it would add a gauge to each series
            samples = [s for s in family.samples if s.name != created and not math.isnan(s.value)]
            if samples:
                lines.append(_header_lines(family))
                lines += [series.line(s.name, s.labels, s.value) for s in samples]
        return "".join(lines).encode()

    # --- creating the metrics --------------------------------------------------------------------------------------

    def _names(self, name: str) -> tuple[str, ...]:
        return tuple(label.name for label in BY_NAME[name].labels)

    def _counter(self, name: str) -> Counter:
        return Counter(name, BY_NAME[name].help, self._names(name), registry=self._registry)

    def _histogram(self, name: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(
            name, BY_NAME[name].help, self._names(name), registry=self._registry, buckets=buckets
        )

    def _gauge(self, name: str) -> Gauge:
        """A gauge without a value: absent until it is set."""
        gauge = Gauge(name, BY_NAME[name].help, self._names(name), registry=self._registry)
        if not BY_NAME[name].labels:
            gauge.set(math.nan)
        return gauge


class _Total:
    """A counter that follows a total from elsewhere. When the total falls, it has restarted from 0, as `rate()`
    assumes."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._seen = 0

    def to(self, total: int) -> None:
        self._counter.inc(total - self._seen if total >= self._seen else total)
        self._seen = total


class _Series:
    """Sample lines under constant labels. The text before the value is made once."""

    def __init__(self, constant: dict[str, str]) -> None:
        self._constant = constant
        self._made: dict[tuple[str, ...], str] = {}

    def line(self, name: str, own: dict[str, str], value: float) -> str:
        key = (name, *own.values())  # a name always has the same labels in the same order
        made = self._made.get(key)
        if made is None:
            shown = labels(sorted((self._constant | own).items()))
            made = self._made[key] = f"{name}{{{shown}}}" if shown else name
        return f"{made} {floatToGoString(value)}\n"  # type: ignore[no-untyped-call]


def _header_lines(family: Family) -> str:
    """The two header lines of a family."""
    name = f"{family.name}_total" if family.type == "counter" else family.name
    help_text = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
    return f"# HELP {name} {help_text}\n# TYPE {name} {family.type}\n"
