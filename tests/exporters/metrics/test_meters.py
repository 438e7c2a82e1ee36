from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from exporters.metrics import catalogue
from exporters.metrics.catalogue import BY_NAME, METERS, PROCESS_METRICS
from exporters.metrics.meters import LOOP_BUCKETS, SCHEDULE_BUCKETS, STAGE_BUCKETS, Meters
from exporters.metrics.text_format import constants
from rules.model.failure import Stage
from rules.model.kind import StageName
from rules.watch.state import Place
from tests.exporters.scrape import promtool, series, values
from tests.exporters.states import NOW, PLACE

#: Exist only when something has set them.
LATER = {
    "wayclear_last_cycle_timestamp_seconds", "wayclear_cycle_duration_seconds", "wayclear_cycle_interval_seconds",
    "wayclear_probes_in_flight",
    "wayclear_config_last_reload_successful", "wayclear_config_last_reload_success_timestamp_seconds",
    "wayclear_web_config_last_reload_successful", "wayclear_web_config_last_reload_success_timestamp_seconds",
    "wayclear_history_writable", "wayclear_history_size_bytes", "wayclear_snapshot_timestamp_seconds",
    "wayclear_build_info", "wayclear_page_info",
}  # fmt: skip


def busy() -> Meters:
    """Everything has happened once."""
    meters = Meters(PLACE)
    for kind in catalogue.ROUND_KIND.values:
        meters.cycle(kind, NOW, 1.5)
    meters.intervals(dict.fromkeys(catalogue.ROUND_KIND.values, 60.0))
    for kind in catalogue.CYCLE_KIND.values:
        meters.cycle_missed(kind, 2)
    for task in catalogue.TASK.values:
        meters.job_missed(task)
    for group, stage in product(catalogue.ANY_GROUP.values, get_args(StageName)):
        meters.stage(group, stage, 0.04)
    for group, failed in product(catalogue.ANY_GROUP.values, Stage):
        meters.failed(group, failed)
    for call in (meters.connection, meters.clock_step, meters.transition, meters.drift):
        call()
    meters.lag(0.02)
    meters.loop_lag(0.002)
    meters.in_flight(3)
    meters.reload(True, NOW)
    meters.web_config(True, NOW)
    meters.sign_ins({"password": 3, "unreadable": 0, "blocked": 1, "certificate": 2})
    meters.history(True, 4, 8192)
    meters.snapshot(NOW)
    meters.rendered(1, 2)
    meters.build("0.1.0", "3.11.2", "OpenSSL 3.5.1")
    meters.page(secure=True)
    return meters


def value(meters: Meters, name: str, *shown: str) -> dict[tuple[str, ...], float]:
    return values(meters.render(), f"wayclear_{name}", *shown)


def test_every_metric_of_the_catalogue_is_there_with_its_labels() -> None:
    found: dict[str, set[str]] = {}
    for name, labels in series(busy().render()):
        found.setdefault(name, set()).update(dict(labels))
    expected = {
        name: {*catalogue.CONSTANT, *(label.name for label in metric.labels)}
        | ({"le"} if name.endswith("_bucket") else set())
        for metric in (*METERS, *PROCESS_METRICS)
        for name in metric.series
    }
    assert found == expected


def test_help_and_type_are_those_of_the_catalogue_in_its_order() -> None:
    lines = busy().render().decode().splitlines()
    heads = [line.split(" ", 3)[2:] for line in lines if line.startswith("# HELP")]
    assert [name for name, _ in heads] == [metric.name for metric in (*METERS, *PROCESS_METRICS)]
    assert all(BY_NAME[name].help == told for name, told in heads)
    types = dict(line.split()[2:] for line in lines if line.startswith("# TYPE"))
    assert types == {metric.name: metric.type for metric in (*METERS, *PROCESS_METRICS)}


class Labelled(Collector):
    """What `Meters` keeps, for prometheus_client's own writer."""

    def __init__(self, meters: Meters) -> None:
        self.families = [f for f in meters._registry.collect() if f.name.startswith("wayclear")]

    def collect(self) -> Iterator[Metric]:
        for family in self.families:
            shown = dict(constants(PLACE))
            family.samples = [s._replace(labels=shown | s.labels) for s in family.samples]
            yield family


def test_lines_are_those_of_the_library_s_own_writer() -> None:
    meters = busy()
    theirs = [
        line for line in generate_latest(Labelled(meters)).decode().splitlines() if "_created" not in line
    ]
    ours = [line for line in meters.render().decode().splitlines() if "process_" not in line]
    assert sorted(ours) == sorted(theirs)


def test_promtool_has_nothing_to_say() -> None:
    assert promtool(busy().render()) == ""
    assert promtool(Meters(Place("")).render()) == ""


def test_counters_and_histograms_exist_from_0_for_every_known_label() -> None:
    found = series(Meters(PLACE).render())
    ours = {key: number for key, number in found.items() if key[0].startswith("wayclear_")}
    assert set(ours.values()) == {0}
    pairs = set(product(catalogue.ANY_GROUP.values, catalogue.STAGE.values))
    counts = value(Meters(PLACE), "stage_duration_seconds_count", "rule_group", "stage")
    assert set(counts) == pairs
    failures = value(Meters(PLACE), "probe_failures_total", "rule_group", "stage")
    assert set(failures) == set(product(catalogue.ANY_GROUP.values, [stage.value for stage in Stage]))
    assert set(value(Meters(PLACE), "cycles_missed_total", "kind")) == {
        (k,) for k in catalogue.CYCLE_KIND.values
    }
    assert set(value(Meters(PLACE), "jobs_missed_total", "task")) == {(t,) for t in catalogue.TASK.values}
    names = {name for metric in METERS if metric.name not in LATER for name in metric.series}
    assert {name for name, _ in ours} == names, "a gauge that nobody has set is absent, not 0"


def test_there_is_no_series_of_when_a_counter_began() -> None:
    assert b"_created" not in busy().render()


def test_the_constant_labels_are_on_every_series_also_of_the_process() -> None:
    meters = busy()
    assert {dict(labels)["region"] for _, labels in series(meters.render())} == {"eu"}
    assert values(meters.render(), "process_open_fds", "connector")[("connector01",)] > 2
    meters.place(Place("connector02"))
    found = series(meters.render())
    assert {dict(labels)["connector"] for _, labels in found} == {"connector02"}
    assert not any("site" in dict(labels) for _, labels in found)
    assert value(meters, "connections_opened_total") == {(): 1}, "a counter goes on"


def test_odd_text_in_the_configuration_costs_no_scrape() -> None:
    meters = Meters(Place('c"\\\n\ud800'))
    meters.build("0.1", "\udfff", "x\n")
    assert {dict(labels)["connector"] for _, labels in series(meters.render())} == {'c"\\\n\ufffd'}


# --- each of the methods --------------------------------------------------------------------------------------------


def test_stages_and_failures() -> None:
    meters = Meters(PLACE)
    meters.stage("service", "tls", 0.03)
    meters.stage("service", "tls", 7.0)
    meters.failed("sign-in", Stage.TCP)
    shown = ("rule_group", "stage", "le")
    buckets = value(meters, "stage_duration_seconds_bucket", *shown)
    assert {le: n for (group, stage, le), n in buckets.items() if (group, stage) == ("service", "tls")} == {
        **{str(le): 0 if le < 0.03 else 1 if le < 7 else 2 for le in STAGE_BUCKETS}, "+Inf": 2,
    }  # fmt: skip
    assert value(meters, "stage_duration_seconds_sum", *shown[:2])["service", "tls"] == 7.03
    failures = value(meters, "probe_failures_total", *shown[:2])
    assert {pair for pair, number in failures.items() if number} == {("sign-in", "tcp")}


def test_a_group_a_kind_or_a_task_that_is_not_known_is_other() -> None:
    meters = Meters(PLACE)
    for odd in ("", "x" * 1_000, "\ud800"):
        meters.stage(odd, "dns", 0.1)
        meters.failed(odd, Stage.DNS)
        meters.cycle(odd, NOW, 1.0)
        meters.cycle_missed(odd)
        meters.job_missed(odd)
    assert value(meters, "stage_duration_seconds_count", "rule_group", "stage")["other", "dns"] == 3
    assert value(meters, "probe_failures_total", "rule_group", "stage")["other", "dns"] == 3
    assert value(meters, "last_cycle_timestamp_seconds", "kind") == {("other",): NOW}
    assert value(meters, "cycles_missed_total", "kind")[("other",)] == 3
    assert value(meters, "jobs_missed_total", "task")[("other",)] == 3


def test_counts() -> None:
    meters = Meters(PLACE)
    for done in range(1, 4):
        meters.connection()
        meters.transition()
        meters.drift()
        meters.clock_step()
        meters.rendered(errors=done, dropped=20 * done)
    meters.cycle_missed("service", 5)
    meters.job_missed("reload")
    assert value(meters, "connections_opened_total") == value(meters, "transitions_total") == {(): 3}
    assert value(meters, "drift_events_total") == value(meters, "clock_steps_total") == {(): 3}
    assert value(meters, "metrics_render_errors_total") == {(): 3}
    assert value(meters, "series_dropped_total") == {(): 60}
    assert value(meters, "cycles_missed_total", "kind")[("service",)] == 5
    assert value(meters, "jobs_missed_total", "task")[("reload",)] == 1


def test_lags_are_never_negative() -> None:
    meters = Meters(PLACE)
    for seconds in (-3600.0, 0.002, 0.2):
        meters.lag(seconds)
        meters.loop_lag(seconds)
    for name, bounds in (("schedule_lag", SCHEDULE_BUCKETS), ("event_loop_lag", LOOP_BUCKETS)):
        assert value(meters, f"{name}_seconds_sum") == {(): 0.202}
        found = value(meters, f"{name}_seconds_bucket", "le")
        assert found[(str(bounds[0]),)] == (2 if bounds[0] > 0.002 else 1)
        assert found[("+Inf",)] == 3


def test_a_round_tells_when_it_ended_and_how_long_it_took() -> None:
    meters = Meters(PLACE)
    meters.cycle("service", NOW, 2.5)
    meters.cycle("service", NOW + 60, 1.5)
    assert value(meters, "last_cycle_timestamp_seconds", "kind") == {("service",): NOW + 60}
    assert value(meters, "cycle_duration_seconds", "kind") == {("service",): 1.5}


def test_a_kind_without_targets_has_no_interval() -> None:
    meters = Meters(PLACE)
    meters.intervals({"service": 60.0, "sign-in": 900.0, "no kind": 1.0})
    assert value(meters, "cycle_interval_seconds", "kind") == {("service",): 60.0, ("sign-in",): 900.0}
    meters.intervals({"sign-in": 1800.0})
    assert value(meters, "cycle_interval_seconds", "kind") == {("sign-in",): 1800.0}
    assert "wayclear_cycle_duration_seconds" not in meters.render().decode(), (
        "what has no rounds has no duration"
    )


def test_the_web_configuration_has_gauges_of_its_own() -> None:
    meters = Meters(PLACE)
    assert b"wayclear_web_config" not in meters.render(), "absent without one"
    meters.web_config(False, NOW)
    assert value(meters, "web_config_last_reload_successful") == {(): 0}
    assert value(meters, "web_config_last_reload_success_timestamp_seconds") == {(): NOW}
    assert value(meters, "config_last_reload_successful") == {}


def test_the_page_has_one_scheme_at_a_time() -> None:
    meters = Meters(PLACE)
    for secure, scheme in ((False, "http"), (True, "https"), (False, "http")):
        meters.page(secure)
        assert value(meters, "page_info", "scheme") == {(scheme,): 1}


def test_a_bad_reload_keeps_the_time_of_the_good_one() -> None:
    meters = Meters(PLACE)
    meters.reload(True, NOW)
    meters.reload(False, NOW + 60)
    assert value(meters, "config_last_reload_successful") == {(): 0}
    assert value(meters, "config_last_reload_success_timestamp_seconds") == {(): NOW}


def test_the_history_tells_its_own_total() -> None:
    meters = Meters(PLACE)
    for writable, dropped, size in ((True, 0, 4096), (False, 7, 4096), (False, 9, 4096), (True, 9, 8192)):
        meters.history(writable, dropped, size)
    assert value(meters, "history_rows_dropped_total") == {(): 9}
    meters.history(True, 1, 8192)
    assert value(meters, "history_rows_dropped_total") == {(): 10}, "another history was opened"
    assert value(meters, "history_writable") == {(): 1}
    assert value(meters, "history_size_bytes") == {(): 8192}


def test_calls_of_several_threads_are_all_counted() -> None:
    meters = Meters(PLACE)

    def work() -> None:
        for _ in range(2_000):
            meters.connection()
            meters.stage("service", "dns", 0.01)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        assert series(meters.render())
    for thread in threads:
        thread.join()
    assert value(meters, "connections_opened_total") == {(): 8_000}
    assert value(meters, "stage_duration_seconds_count", "rule_group", "stage")["service", "dns"] == 8_000


@pytest.mark.parametrize("bounds", [STAGE_BUCKETS, SCHEDULE_BUCKETS, LOOP_BUCKETS])
def test_bounds_rise(bounds: tuple[float, ...]) -> None:
    assert list(bounds) == sorted(set(bounds))


def test_the_process_is_this_one() -> None:
    found = values(busy().render(), "process_open_fds")
    assert abs(found[()] - len(list(Path(f"/proc/{os.getpid()}/fd").iterdir()))) < 5
