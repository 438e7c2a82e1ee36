"""What several alerts and panels mean by the same word: PromQL with a name.

Every block is aggregated to the labels of a connector (or fewer), so that `job` and `instance`, a second Prometheus
that scrapes the same connector, or a restart under another port make no second connector out of one. Connectors are
told apart by `connector` alone: it is unique in a fleet.
"""

from __future__ import annotations

from rules.rehearse.alerts import INTERCEPTED_SHARE

#: Labels of a connector, and of a target as a connector sees it.
CONNECTOR = "connector, connector_group, site, region"
TARGET = f"{CONNECTOR}, target, port, rule_group"

AGE = "connector:wayclear_round_age:seconds"
OVERDUE = "connector:wayclear_round_overdue:seconds"
ABLE = "connector:wayclear_able:bool"
MUTED = "connector:wayclear_muted:bool"
SHARED = "connector:wayclear_shared_failure:bool"
INTERCEPTED = "connector:wayclear_intercepted:bool"
SILENT = "connector:wayclear_silent:bool"
MISSING = "group:wayclear_missing_connectors:count"

# Whose time tells how old a connector's word is: a round of service names at a scrape, the state in a textfile, which
# lacks the prober's own metrics. For the same reason "reports" is asked of `wayclear_connector_can_live` and never of
# `wayclear_build_info`. Where a daemon has no service names, which the intervals tell, its rounds of sign-in names count.
#
# In a window with `pause` no round ends, so the last moment of a window counts as a round: after it a whole round has to
# be waited for. An hour of memory is enough for every interval up to an hour. So does the end of the ten minutes that a
# first look may take, from the moment at which the daemon read its configuration.
_AGE = f"""
time() - max by ({CONNECTOR}) (
  last_over_time(wayclear_last_cycle_timestamp_seconds{{kind=~"service|audit"}}[1h]) > 0
  or
  last_over_time(wayclear_last_cycle_timestamp_seconds{{kind="sign-in"}}[1h]) > 0
    and on (connector) last_over_time(wayclear_cycle_interval_seconds{{kind="sign-in"}}[5m])
    unless on (connector) last_over_time(wayclear_cycle_interval_seconds{{kind="service"}}[5m])
  or
  max_over_time((wayclear_maintenance * time())[1h:30s]) > 0
  or
  last_over_time(wayclear_config_last_reload_success_timestamp_seconds[1h]) + @10m@
)
""".strip()

# Limits of minutes are for the usual interval of a minute; configured longer, or stretched because the list is long for
# the rate, three intervals are no delay. Without an interval (an audit, a daemon that is gone) the age stands as it is.
_OVERDUE = f"""
{AGE}
unless on (connector) (
  {AGE} <= on (connector) group_left ()
    3 * (
      max by (connector) (last_over_time(wayclear_cycle_interval_seconds{{kind="service"}}[5m]))
      or max by (connector) (last_over_time(wayclear_cycle_interval_seconds{{kind="sign-in"}}[5m]))
    )
)
or 0 * {AGE}
""".strip()

# Not proven counts as able. A connector whose tenant is not configured is not-proven for ever, although everything that
# could be tested passes: were it not able, its group would page from the first day on, and nobody would read the page
# on the day that matters. "No" beats "not proven" in the answer, so a block that was seen is never hidden by this. The
# exception is a fault of the host itself: it measures nothing, so nothing speaks for it.
#
# An answer that is older than 15 minutes and three intervals is none: a textfile collector shows the last file of a dead
# daemon for ever. Who has ended no round and tells no other moment is not old.
_ABLE = f"""
clamp_max(
    max by ({CONNECTOR}) (wayclear_connector_can_live)
  + max by ({CONNECTOR}) (wayclear_connector_not_proven)
  * (1 - max by ({CONNECTOR}) (wayclear_connector_host_fault)),
  1
)
unless on (connector) ({OVERDUE} > @15m@)
""".strip()

# A host that is switched off for its maintenance says nothing any more; its last word stands for two hours.
_MUTED = f"max by ({CONNECTOR}) (last_over_time(wayclear_maintenance[2h])) == 1"


def failing(selector: str) -> str:
    """Checks that were measured and failed at connectors whose word counts; `selector` is of labels, never empty.

    Success and measured are read together: inconclusive is no failure. Interception is somebody's on the way and never
    Microsoft's, a faulty host or one in maintenance proves nothing.
    """
    return f"""
(
  last_over_time(wayclear_check_measured{{{selector}}}[3m]) == 1
  and last_over_time(wayclear_check_success{{{selector}}}[3m]) == 0
)
unless on (connector, target, port) (last_over_time(wayclear_interception_ratio[3m]) > 0)
unless on (connector) (last_over_time(wayclear_connector_host_fault[3m]) == 1)
unless on (connector) {MUTED}
""".strip()


def indented(text: str, by: int) -> str:
    """`text` with its lines, but for the first, moved to the right."""
    return text.replace("\n", "\n" + " " * by)


def sites_where_failing(selector: str) -> str:
    """Number of sites, by target, from which a target fails. Connectors without a site are at no site."""
    return f"""
count by (target, port, rule_group) (
  group by (target, port, rule_group, site) (
    {indented(failing(f'{selector}site!=""'), 4)}
  )
)
""".strip()


_SERVICE = 'rule_group="service", '
# Connectors that are down together with two more sites, over a service name that fails from all three.
_SHARED = f"""
group by ({TARGET}) (
  {indented(failing(_SERVICE + 'site!=""'), 2)}
)
and on (connector) ({ABLE} == 0)
and on (target, port) (
  {indented(sites_where_failing(_SERVICE), 2)}
  > 2
)
""".strip()

# Connectors of which interception of a service name explains everything that fails of the service. Two of the last
# three handshakes are enough: a connector does not accept another's certificate.
_INTERCEPTED = f"""
group by ({CONNECTOR}) (last_over_time(wayclear_interception_ratio{{rule_group="service"}}[3m]) > {INTERCEPTED_SHARE})
unless on (connector) (
  {indented(failing('rule_group="service"'), 2)}
)
""".strip()

# Of the inventory, and nothing of it for three minutes. The labels of its place are those that it had within a day, so
# that a page for its group holds its ticket back; one that was never heard has none.
_IN_INVENTORY = """
(
  max by (connector) (label_join(last_over_time(wayclear_inventory_member[5m]), "connector", "", "member"))
  unless on (connector) last_over_time(wayclear_connector_can_live[3m])
)
""".strip()
_SILENT = f"""
{_IN_INVENTORY}
* on (connector) group_left (connector_group, site, region)
  (0 * topk by (connector) (1, max by ({CONNECTOR}) (max_over_time(timestamp(wayclear_connector_can_live)[1d:5m]))) + 1)
or on (connector)
{_IN_INVENTORY}
""".strip()

# Below its minimum a group is paged. The largest minimum that one of its connectors says now counts, else the last of the
# day; two where none says one.
_MISSING = f"""
(
  max by (connector_group) (last_over_time(wayclear_group_min_connectors[5m]))
  or max by (connector_group) (last_over_time(wayclear_group_min_connectors[1d]))
  or 2 * group by (connector_group) (last_over_time(wayclear_connector_can_live[1d]))
)
- on (connector_group)
(
  count by (connector_group) (({ABLE} == 1) or {MUTED})
  or 0 * group by (connector_group) (last_over_time(wayclear_connector_can_live[1d]))
)
""".strip()

#: In the order in which they are evaluated: each stands behind those that it uses.
BLOCKS: dict[str, str] = {
    AGE: _AGE,
    OVERDUE: _OVERDUE,
    ABLE: _ABLE,
    MUTED: _MUTED,
    SHARED: _SHARED,
    INTERCEPTED: _INTERCEPTED,
    SILENT: _SILENT,
    MISSING: _MISSING,
}
#: What each of them says; recorded rules have no help text of their own.
MEANINGS: dict[str, str] = {
    AGE: "Seconds since the last round of service names ended (of sign-in names where there are no others), or since the end "
    "of a maintenance window, or of the ten minutes for a first look.",
    OVERDUE: "The same where it is more than three intervals, else 0.",
    ABLE: "1: the connector works, or nothing that was measured says otherwise. 0: it cannot. Absent: no recent word.",
    MUTED: "1: a maintenance window of the connector is open, or was when it was last heard within two hours.",
    SHARED: "1: the connector does not work, and this service name fails here and from three sites or more.",
    INTERCEPTED: "1: a service name of the connector is intercepted, and no other one fails.",
    SILENT: "1: the connector is in an inventory, and nothing of it has arrived for three minutes.",
    MISSING: "How many connectors the group has too few: its minimum, less those that work or are in maintenance. "
    "Negative where it has more than it needs.",
}
