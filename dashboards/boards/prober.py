"""The prober itself: is what it says fresh, is it gentle, does it remember, does it leak."""

from __future__ import annotations

from typing import Any

from dashboards.panels import (
    BAD_ABOVE_ZERO,
    GOOD_AT_ONE,
    PLACE,
    YES_NO,
    Panel,
    Query,
    board,
    lines,
    number,
    rows,
    to_appliance,
)

UID = "wayclear-prober"
_WHO = "{{connector}}"


def rate(title: str, description: str, metric: str, by: str = "", unit: str = "cps", **more: Any) -> Panel:  # noqa: ANN401
    """A counter's rate, by connector and perhaps one more label."""
    labels = f"connector, {by}" if by else "connector"
    legend = f"{_WHO} {{{{{by}}}}}" if by else _WHO
    expr = f"sum by ({labels}) (rate({metric}{{<S>}}[$__rate_interval]))"
    return lines(title, description, Query(expr, legend), unit=unit, **more)


def happened(title: str, description: str, metric: str, by: str = "") -> Panel:
    """How often something rare happened within an hour, by connector and perhaps one more label."""
    labels = f"connector, {by}" if by else "connector"
    legend = f"{_WHO} {{{{{by}}}}}" if by else _WHO
    return lines(title, description, Query(f"sum by ({labels}) (increase({metric}{{<S>}}[1h]))", legend))


def quantile(title: str, description: str, metric: str, share: float, limit: float) -> Panel:
    """A quantile of a histogram in seconds, by connector, with the limit that it should keep."""
    buckets = f"sum by (le, connector) (rate({metric}_bucket{{<S>}}[$__rate_interval]))"
    expr = f"histogram_quantile({share}, {buckets})"
    return lines(
        title, description, Query(expr, _WHO), unit="s", thresholds=((None, "transparent"), (limit, "red"))
    )


def _health() -> list[Panel]:
    return [
        number("Configuration", "1: the configuration in use is the one on disk.",
               "min(wayclear_config_last_reload_successful{<S>})", thresholds=GOOD_AT_ONE,
               words={"0": ("last reload failed", "red"), "1": ("loaded", "green")}),
        number("Oldest configuration", "When a configuration was last read without a fault.",
               "1000 * min(wayclear_config_last_reload_success_timestamp_seconds{<S>})", unit="dateTimeFromNow"),
        number("Web configuration", "1: the web configuration in use is the one on disk, or nobody has one.",
               "min(wayclear_web_config_last_reload_successful{<S>}) or vector(1)", thresholds=GOOD_AT_ONE,
               words={"0": ("last reload failed", "red"), "1": ("loaded", "green")}),
        number("Oldest web configuration", "When a web configuration was last taken; where nobody has one, when a "
               "configuration was read.",
               "1000 * (min(wayclear_web_config_last_reload_success_timestamp_seconds{<S>}) "
               "or min(wayclear_config_last_reload_success_timestamp_seconds{<S>}))", unit="dateTimeFromNow"),
        number("History", "1: the history takes rows. 0: rows wait in memory.",
               "min(wayclear_history_writable{<S>})", thresholds=GOOD_AT_ONE, words=YES_NO),
        number("Lost rows", "History rows of the last day that could not be written.",
               "sum(increase(wayclear_history_rows_dropped_total{<S>}[1d]))", thresholds=BAD_ABOVE_ZERO),
        number("Render errors", "Of the last day: parts of the scrape that could not be written anew.",
               "sum(increase(wayclear_metrics_render_errors_total{<S>}[1d]))", thresholds=BAD_ABOVE_ZERO),
        number("Refused sign-ins", "Of the last day: sign-ins to the web server that were refused.",
               "sum(increase(wayclear_web_sign_ins_refused_total{<S>}[1d]))", thresholds=BAD_ABOVE_ZERO),
        number("Series left out", "Because of the limits, now.",
               "sum(increase(wayclear_series_dropped_total{<S>}[10m]))", thresholds=BAD_ABOVE_ZERO),
    ]  # fmt: skip


def _rounds() -> list[Panel]:
    return [
        lines("Age of the last round", "Since a round of that kind ended. A ticket is made when service names are older "
              "than five minutes and than three intervals.",
              Query("time() - max by (connector, kind) (wayclear_last_cycle_timestamp_seconds{<S>})",
                    f"{_WHO} {{{{kind}}}}"), unit="s"),
        lines("Duration of a round", "Of the last one of each kind, and its interval: what it is meant to take, stretched "
              "where the list is long for the rate.",
              Query("max by (connector, kind) (wayclear_cycle_duration_seconds{<S>})", f"{_WHO} {{{{kind}}}}"),
              Query("max by (connector, kind) (wayclear_cycle_interval_seconds{<S>})", f"{_WHO} {{{{kind}}}} interval"),
              unit="s"),
        happened("Skipped rounds", "Within an hour: rounds that were late and were left out, by kind. They never stack.",
                 "wayclear_cycles_missed_total", "kind"),
        happened("Missed jobs", "Within an hour: runs that the scheduler missed, by task.",
                 "wayclear_jobs_missed_total", "task"),
        quantile("Lag of the schedule, 99th percentile", "How much later than due a probe began.",
                 "wayclear_schedule_lag_seconds", 0.99, 0.25),
        quantile("Lag of the event loop, 99.9th percentile", "How much later than due the loop woke up.",
                 "wayclear_event_loop_lag_seconds", 0.999, 0.05),
        lines("Age of the snapshot", "Since the state that the scrape shows was made.",
              Query("time() - max by (connector) (wayclear_snapshot_timestamp_seconds{<S>})", _WHO), unit="s"),
        happened("Steps of the clock", "Within an hour: how often the wall clock was set.", "wayclear_clock_steps_total"),
    ]  # fmt: skip


def _load() -> list[Panel]:
    return [
        rate("New connections", "A second; half a connection is what the steady state keeps to.",
             "wayclear_connections_opened_total", thresholds=((None, "transparent"), (0.5, "red"))),
        lines("Probes in flight", "Under way now.",
              Query("max by (connector) (wayclear_probes_in_flight{<S>})", _WHO)),
        rate("CPU", "Seconds of CPU a second.", "process_cpu_seconds_total", unit="percentunit"),
        lines("Memory", "Resident and virtual.",
              Query("max by (connector) (process_resident_memory_bytes{<S>})", f"{_WHO} resident"),
              Query("max by (connector) (process_virtual_memory_bytes{<S>})", f"{_WHO} virtual"), unit="bytes"),
        lines("Descriptors", "Open ones, and how many there may be.",
              Query("max by (connector) (process_open_fds{<S>})", f"{_WHO} open"),
              Query("max by (connector) (process_max_fds{<S>})", f"{_WHO} at most")),
        lines("Size of the history", "Rows, ledgers and indexes, on disk.",
              Query("max by (connector) (wayclear_history_size_bytes{<S>})", _WHO), unit="bytes"),
    ]  # fmt: skip


def _seen() -> list[Panel]:
    return [
        happened("Transitions", "Within an hour: confirmed changes of a verdict.", "wayclear_transitions_total"),
        happened("Drift", "Within an hour: new names, addresses, issuers and sources. An event in the history, and no "
                 "alert.", "wayclear_drift_events_total"),
        rows("Versions", "What runs where.",
             "max by (connector, version, python, openssl) (wayclear_build_info{<S>})", "runs", words=YES_NO),
        rows("Started", "When each process started, last first.",
             "1000 * max by (connector) (process_start_time_seconds{<S>})", "started", sort_down=True,
             unit="dateTimeFromNow"),
        to_appliance(),
    ]  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The dashboard as a JSON tree."""
    return board(
        UID, "wayclear: the prober itself", "Is what it says fresh, is it gentle, does it remember, does it leak.", PLACE,
        [("Health", _health()), ("Rounds", _rounds()), ("Load", _load()), ("What it saw", _seen())],
    )  # fmt: skip
