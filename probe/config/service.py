"""The part of the configuration that only `wayclear serve` reads. Described in docs/serve.md."""

from __future__ import annotations

import datetime
import ipaddress
import re
import zoneinfo
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from rules.files.fields import Table
from rules.model.observation import Step, kind_of
from rules.watch.maintenance import DAYS, Window
from rules.watch.schedule import Entry

#: The prober's own port. The range of the exporters (9100 to 9999) has been full since 2023; docs/serve.md.
LISTEN = ("127.0.0.1:19115",)
MIN_CONNECTORS = (
    2  #: connectors of a group that must work, where no number is configured: one fault is no outage then
)
ALONE = 1  #: the same for connectors of no group
KEEP_DAYS = 400
KEEP_MB = 200
_WINDOW = 'maintenance = [{ name = "patches", days = ["sat"], from = "22:00", to = "02:00" }]'
_KEYS_OF_A_WINDOW = (
    ("one time", {"start": "start = 2026-12-01T04:00:00Z", "end": "end = 2026-12-01T06:00:00Z"}),
    ("every week", {"days": 'days = ["sat"]', "from": 'from = "22:00"', "to": 'to = "02:00"'}),
)
_ONE_TIME = ("start", "end")
_EVERY_WEEK = ("days", "from", "to", "timezone")
_LABEL = r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}"


@dataclass(frozen=True, slots=True)
class Intervals:
    """Seconds between two rounds of each kind; `rate` is new connections a second (0: no limit)."""

    service: float = 60.0
    sign_in: float = 900.0
    http: float = 600.0  # least time between two requests inside a service's session
    revocation: float = (
        21_600.0  # most time between two fetches of a list, which is else a quarter of its life
    )
    extras: float = 3600.0
    retry: float = 15.0
    rotation: float = 600.0  # within which every way of asking for a name is used once
    rate: float = 0.5


def stretch_warning(intervals: Intervals, factor: float, entries: Iterable[Entry]) -> str:
    """Why intervals are `factor` times as long as configured: which interval needs most connections, and what to do."""
    wanted = dict.fromkeys(("service", "sign_in", "revocation", "extras"), 0.0)
    for entry in entries:
        if key := _connecting(entry):
            wanted[key] += 1.0 / (entry.interval if key == "revocation" else getattr(intervals, key))
    most = max(wanted, key=lambda key: wanted[key])
    return (
        f"the list is long for {intervals.rate:g} connections a second: intervals are {factor:.1f} times as long as "
        f"configured. {most} = {getattr(intervals, most):g} in [schedule] asks for {wanted[most]:.2g} of "
        f"{sum(wanted.values()):.2g} connections a second: make it longer, or raise rate"
    )


def _connecting(entry: Entry) -> str:
    """The key of the interval at which this entry opens connections; "" if it only asks resolvers."""
    key = entry.key
    if entry.kind in ("service", "revocation"):
        return entry.kind
    if not isinstance(key, tuple):
        return ""
    if entry.kind == "sign-in":
        return "sign_in" if isinstance(key[-1], int) else ""  # a port: the name is not only resolved
    asked = key[-1]
    connects = kind_of(asked).connects if isinstance(asked, Step) else isinstance(asked, tuple)
    return "extras" if key[0] == "extra" and connects else ""


@dataclass(frozen=True, slots=True)
class Web:
    """The web server. `config_file` is exporter-toolkit's; `probe` turns /probe on."""

    listen: tuple[str, ...] = LISTEN
    config_file: str | None = None
    probe: bool = False
    hosts: tuple[str, ...] = ()  # further names by which browsers may call the page


@dataclass(frozen=True, slots=True)
class ServeConfig:
    """All settings that only the service reads."""

    connector: str = ""  # "": this host's name
    connector_group: str = ""
    site: str = ""
    region: str = ""
    inventory: tuple[str, ...] = ()
    min_connectors: int = ALONE
    schedule: Intervals = field(default_factory=Intervals)
    maintenance: tuple[Window, ...] = ()
    web: Web = field(default_factory=Web)
    history_path: str | None = None
    history_days: int = KEEP_DAYS
    history_mb: int = KEEP_MB
    textfile: str | None = None


def parse_serve(top: Table, base: str = "") -> ServeConfig:
    """Read the service's keys of `top`; paths are relative to `base`."""
    history, textfile = (
        _history(top, base),
        _table(top, "textfile", 'textfile = { directory = "/var/lib/node" }'),
    )
    directory = None
    if textfile is not None:
        directory = _path(textfile, "directory", base, required=True)
        textfile.finish()
    return ServeConfig(
        connector=_label(top, "connector", 'connector = "conn-dublin-1"'),
        connector_group=_label(top, "connector_group", 'connector_group = "dublin"'),
        site=_label(top, "site", 'site = "Dublin"'),
        region=_label(top, "region", 'region = "Europe"'),
        inventory=_inventory(top),
        min_connectors=_min_connectors(top),
        schedule=_intervals(top),
        maintenance=tuple(_windows(top)),
        web=_web(top, base),
        history_path=history[0],
        history_days=history[1],
        history_mb=history[2],
        textfile=directory,
    )


def _label(top: Table, key: str, example: str) -> str:
    return top.matched(key, _LABEL, "a name (letters, digits, spaces, . _ -; at most 63)", example)


def _inventory(top: Table) -> tuple[str, ...]:
    example = 'inventory = ["conn-dublin-1", "conn-dublin-2"]'
    found = _texts(top, "inventory", example)
    for place, name in found.items():
        if not re.fullmatch(_LABEL, name):
            top.fault(
                place, "is no name of a connector (letters, digits, spaces, . _ -; at most 63)", example
            )
    if len(found) > 200:
        top.fault("inventory", f"has {len(found)} entries, at most 200 are exported", example)
    return tuple(found.values())[:200]


def _min_connectors(top: Table) -> int:
    """One for connectors of no group: the configuration does not say that there is a second one."""
    example = f"min_connectors = {MIN_CONNECTORS}"
    number = top.number("min_connectors", example, 0, 100)
    if number is None:
        return MIN_CONNECTORS if top.data.get("connector_group") else ALONE
    if number != int(number):
        top.fault("min_connectors", f"is {number:g}, must be a whole number", example)
    return int(number)


def _texts(table: Table, key: str, example: str) -> dict[str, str]:
    """The texts of an array by their place in the file (`listen[2]`). `table.texts` reports values that are no text."""
    found = dict.fromkeys(table.texts(key, example), 0)
    there = table.data.get(key)
    for place, text in reversed(list(enumerate(there if isinstance(there, list) else ()))):
        if isinstance(text, str) and text in found:
            found[text] = place
    return {f"{key}[{place}]": text for text, place in found.items()}


def _table(top: Table, key: str, example: str) -> Table | None:
    data = top.get(key, dict, example)
    if not isinstance(data, dict):
        return None
    return Table(cast("Mapping[str, object]", data), key, top.faults)


def _path(table: Table, key: str, base: str, *, required: bool = False) -> str | None:
    value = table.text(key, f'{key} = "/var/lib/wayclear"', required=required)
    return (str(Path(base, value)) if base else value) if value else None


def _intervals(top: Table) -> Intervals:
    table = _table(top, "schedule", "schedule = { service = 60 }")
    default = Intervals()
    if table is None:
        return default
    lows = {"rate": 0.0, "retry": 1.0}
    values = {}
    for name in Intervals.__dataclass_fields__:
        value = table.number(name, f"{name} = {getattr(default, name):g}", lows.get(name, 1.0), 604_800.0)
        values[name] = float(value) if value is not None else getattr(default, name)
    table.finish()
    return Intervals(**values)


def _web(top: Table, base: str) -> Web:
    example = 'web = { listen = ["127.0.0.1:19115"] }'
    table = _table(top, "web", example)
    if table is None:
        return Web()
    listen = _texts(table, "listen", 'listen = ["127.0.0.1:19115"]')
    for place, text in listen.items():
        if why := listen_fault(text):
            table.fault(place, why, 'listen = ["127.0.0.1:19115"]')
    names = 'hosts = ["conn1.corp.example"]'
    web = Web(
        tuple(listen.values()) or LISTEN,
        _path(table, "config_file", base),
        table.flag("probe", "probe = false"),
        tuple(table.as_host(place, host, names) for place, host in _texts(table, "hosts", names).items()),
    )
    table.finish()
    return web


def listen_fault(text: str) -> str:
    """What is wrong with an address to listen on ("127.0.0.1:19115", "[::1]:19115"); "" if it is right."""
    host, colon, port = text.rpartition(":")
    try:
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return f"{text[:80]!a} is no address and port"
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        return f"{text[:80]!a} has no port from 0 to 65535"
    if (address.version == 6) != host.startswith("["):
        return f"{text[:80]!a}: an IPv6 address stands in brackets, as in [::1]:19115"
    return ""


def _history(top: Table, base: str) -> tuple[str | None, int, int]:
    table = _table(top, "history", "history = { keep_days = 400 }")
    if table is None:
        return None, KEEP_DAYS, KEEP_MB
    path = _path(table, "path", base)
    days = table.number("keep_days", "keep_days = 400", 1, 36_500)
    size = table.number("max_mb", "max_mb = 200", 1, 100_000)
    table.finish()
    return path, int(days or KEEP_DAYS), int(size or KEEP_MB)


def _windows(top: Table) -> list[Window]:
    found = []
    for table in top.tables("maintenance", _WINDOW):
        window = _window(table)
        table.finish()
        if window is not None:
            found.append(window)
    return found


def _window(table: Table) -> Window | None:
    name = table.matched("name", _LABEL, "a name", 'name = "patches"', required=True)
    pause = table.flag("pause", "pause = false")
    start, end = _moment(table, "start"), _moment(table, "end")
    days, zone = _days(table), _zone(table)
    begins, ends = _clock(table, "from"), _clock(table, "to")
    if any(map(table.has, _ONE_TIME)) and any(map(table.has, _EVERY_WEEK)):
        # half of it would be ignored silently, and alerts would come in a night that the user wanted to mute
        said = (
            "mixes two kinds of window: one time has start and end; every week has days, from, to and, where it "
            "is not UTC, timezone. Make two windows of it, or leave one kind's keys out"
        )
        table.faults.add(table.path, said, _WINDOW)
        return None
    if start is not None and end is not None:
        if end <= start:
            table.fault("end", "is not after start", "end = 2026-12-01T06:00:00Z")
        return Window(name, start, end, pause=pause)
    if days and begins is not None and ends is not None:
        return Window(name, days=days, begins=begins, ends=ends, zone=zone, pause=pause)
    _tell_what_lacks(table)
    return None


def _tell_what_lacks(table: Table) -> None:
    """Report the missing keys of a window. Faults of the keys that it has were reported before."""
    for what, examples in _KEYS_OF_A_WINDOW:
        if any(map(table.has, examples)):
            for key, example in examples.items():
                if not table.has(key):
                    table.fault(key, f"is missing: a window of {what} has {_listed(examples)}", example)
                elif table.data[key] == []:
                    table.fault(key, "is empty", example)
            return
    table.faults.add(table.path, "has neither start and end nor days, from and to", _WINDOW)


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}"


def _moment(table: Table, key: str) -> float | None:
    example = f"{key} = 2026-12-01T04:00:00Z"
    value = table.get(key, datetime.datetime, example)
    if not isinstance(value, datetime.datetime):
        return None
    if value.tzinfo is None:
        table.fault(key, "has no time zone: write Z or an offset behind it", example)
        return None
    return value.timestamp()


def _days(table: Table) -> tuple[int, ...]:
    example = 'days = ["sat", "sun"]'
    found = []
    for place, day in _texts(table, "days", example).items():
        if day.lower()[:3] not in DAYS:
            table.fault(place, f"{day[:20]!a} is none of {', '.join(DAYS)}", example)
        else:
            found.append(DAYS.index(day.lower()[:3]))
    return tuple(dict.fromkeys(found))


def _clock(table: Table, key: str) -> int | None:
    """A time of day as seconds after midnight."""
    if table.data.get(key) == "24:00":
        table.text(key, "")  # marks the key as read
        table.fault(key, "'24:00' is not a time of day: midnight is 00:00", f'{key} = "00:00"')
        return None
    value = table.matched(key, r"([01][0-9]|2[0-3]):[0-5][0-9]", "a time of day", f'{key} = "22:00"')
    if not value:
        return None
    hours, _, minutes = value.partition(":")
    return int(hours) * 3600 + int(minutes) * 60


def _zone(table: Table) -> datetime.tzinfo:
    example = 'timezone = "Europe/Dublin"'
    name = table.text("timezone", example)
    if not name or name == "UTC":
        return datetime.UTC
    try:
        return zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        table.fault("timezone", f"{name[:60]!a} is no time zone that this system knows", example)
        return datetime.UTC
