"""The appliance's part of the configuration: every key, what is wrong told by its path with an example that is right."""

from __future__ import annotations

import datetime
import json
import tomllib
import zoneinfo
from dataclasses import fields, replace
from pathlib import Path

import pytest

from probe.config.service import (
    KEEP_DAYS,
    KEEP_MB,
    LISTEN,
    Intervals,
    ServeConfig,
    Web,
    listen_fault,
    stretch_warning,
)
from probe.config.settings import BadFile, load_config, parse_config
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.tcp_connect import TcpConnect
from rules.watch.maintenance import Window
from rules.watch.schedule import Entry, Kind
from tests.packaging.examples import EXAMPLE, OVERLAY, uncommented

GOOD = """
connector = "conn-dublin-1"
connector_group = "Dublin 2"
site = "Dublin"
region = "emea"
inventory = ["conn-dublin-1", "conn-dublin-2"]
min_connectors = 1

[schedule]
service = 30
sign_in = 450
http = 300
revocation = 3600
extras = 1800
retry = 5.5
rotation = 300
rate = 0

[[maintenance]]
name = "upgrade"
start = 2026-12-05T22:00:00Z
end = 2026-12-06T02:00:00+01:00
pause = true

[[maintenance]]
name = "patches"
days = ["sat", "Sunday", "SAT"]
from = "22:00"
to = "02:30"
timezone = "Europe/Dublin"

[web]
listen = ["0.0.0.0:19115", "[::1]:0"]
config_file = "web.yml"
probe = true
hosts = ["Conn1.corp.example"]

[history]
path = "history.sqlite"
keep_days = 90
max_mb = 50

[textfile]
directory = "/var/lib/node"
"""


def parsed(text: str, base: str = "") -> ServeConfig:
    return parse_config(tomllib.loads(text), "wayclear.toml", base=base).serve


def faults(text: str) -> str:
    with pytest.raises(BadFile) as caught:
        parsed(text)
    return str(caught.value)


def test_every_key() -> None:
    base = Path("/etc/wayclear")
    upgrade = datetime.datetime(2026, 12, 5, 22, tzinfo=datetime.UTC).timestamp()
    assert parsed(GOOD, str(base)) == ServeConfig(
        "conn-dublin-1",
        "Dublin 2",
        "Dublin",
        "emea",
        ("conn-dublin-1", "conn-dublin-2"),
        1,
        Intervals(30, 450, 300, 3600, 1800, 5.5, 300, 0),
        (
            Window("upgrade", upgrade, upgrade + 3 * 3600, pause=True),
            Window(
                "patches",
                days=(5, 6),
                begins=22 * 3600,
                ends=2 * 3600 + 1800,
                zone=zoneinfo.ZoneInfo("Europe/Dublin"),
            ),
        ),
        Web(("0.0.0.0:19115", "[::1]:0"), str(base / "web.yml"), True, ("conn1.corp.example",)),
        str(base / "history.sqlite"),
        90,
        50,
        "/var/lib/node",
    )


def test_none_of_them_is_needed() -> None:
    assert parsed("") == ServeConfig()
    assert parsed("[schedule]\n[web]\n[history]\n") == ServeConfig()
    assert (ServeConfig().history_days, ServeConfig().history_mb, Web().listen) == (
        KEEP_DAYS,
        KEEP_MB,
        LISTEN,
    )


def test_a_named_group_has_two_connectors_and_one_without_a_group_stands_alone() -> None:
    assert parsed("").min_connectors == 1
    assert parsed('connector_group = "Europe"').min_connectors == 2
    assert parsed('connector_group = "Europe"\nmin_connectors = 0').min_connectors == 0


def test_the_defaults_are_gentle() -> None:
    assert Intervals() == Intervals(60, 900, 600, 21_600, 3600, 15, 600, 0.5)
    assert not Web().probe
    assert LISTEN == ("127.0.0.1:19115",)


WRONG = [
    ('connector = ""', "connector: is empty"),
    ('connector = "a\\nb"', "connector: "),
    ('connector = "ünïcode"', "connector: "),
    ('connector = "{injection}"', "connector: '{injection}' is not a name"),
    (f'site = "{"x" * 64}"', "site: "),
    ("region = 3", "region: is the number 3, must be a text in quotes"),
    ('inventory = ["ok", "a b", "\\u0007"]', "inventory[2]: "),
    ('inventory = "conn"', "inventory: is the text 'conn', must be an array"),
    ("inventory = " + json.dumps([f"c{n}" for n in range(201)]), "inventory: has 201 entries, at most 200"),
    ("min_connectors = -1", "min_connectors: is -1, must be between 0 and 100"),
    ("min_connectors = 1.5", "min_connectors: is 1.5, must be a whole number"),
    ('min_connectors = "2"', "min_connectors: is the text '2', must be a number"),
    ("schedule = 60", "schedule: is the number 60, must be a table"),
    ("[schedule]\nservice = 0", "schedule.service: is 0, must be between 1 and 604800"),
    ("[schedule]\nservice = nan", "schedule.service: is nan, must be between"),
    ("[schedule]\nsign_in = inf", "schedule.sign_in: is inf, must be between"),
    ("[schedule]\nrate = -0.5", "schedule.rate: is -0.5, must be between 0 and"),
    ("[schedule]\nretry = 0.2", "schedule.retry: is 0.2, must be between 1 and"),
    ("[schedule]\nhttp = true", "schedule.http: is the boolean true, must be a number"),
    ('[schedule]\nrotation = "60"', "schedule.rotation: is the text '60', must be a number"),
    ("[schedule]\nserivce = 60", "schedule.serivce: is not a key that is known here, did you mean service?"),
    ('[web]\nlisten = ["19115"]', "web.listen[0]: '19115' is no address and port"),
    ('[web]\nlisten = ["localhost:19115"]', "web.listen[0]: 'localhost:19115' is no address and port"),
    ('[web]\nlisten = ["127.0.0.1:70000"]', "web.listen[0]: '127.0.0.1:70000' has no port"),
    ('[web]\nlisten = ["::1:19115"]', "web.listen[0]: "),
    ('[web]\nlisten = "127.0.0.1:1"', "web.listen: is the text '127.0.0.1:1', must be an array"),
    ('[web]\nprobe = "yes"', "web.probe: is the text 'yes', must be true or false"),
    ('[web]\nhosts = ["ok.example", "-bad-.example"]', "web.hosts[1]: "),
    ("[web]\nconfig_file = 1", "web.config_file: is the number 1, must be a text"),
    ("[web]\nport = 1", "web.port: is not a key that is known here"),
    ("[history]\nkeep_days = 0", "history.keep_days: is 0, must be between 1 and 36500"),
    ("[history]\nmax_mb = 1e9", "history.max_mb: "),
    ("[textfile]", "textfile.directory: is missing"),
    ('textfile = "/var"', "textfile: is the text '/var', must be a table"),
    ("maintenance = {}", "maintenance: is a table, must be an array"),
    ("[[maintenance]]\nstart = 2026-12-01T04:00:00Z\nend = 2026-12-01T05:00:00Z", "maintenance[0].name: is missing"),
    ('[[maintenance]]\nname = "x"', "maintenance[0]: has neither start and end nor days, from and to"),
    ('[[maintenance]]\nname = "x"\ndays = ["sat"]\nfrom = "22:00"', "maintenance[0].to: is missing: a window of every week"),
    ('[[maintenance]]\nname = "x"\nto = "22:00"\ndays = []\nfrom = "21:00"', "maintenance[0].days: is empty"),
    ('[[maintenance]]\nname = "x"\nend = 2026-12-01T04:00:00Z', "maintenance[0].start: is missing: a window of one time"),
    ('inventory = ["a", "", "b"]', "inventory[1]: is empty"),
    ('[web]\nlisten = ["127.0.0.1:1", "127.0.0.1:1", "x"]', "web.listen[2]: 'x' is no address and port"),
    ('[[maintenance]]\nname = "x"\ndays = ["caturday"]\nfrom = "22:00"\nto = "23:00"', "maintenance[0].days[0]: "),
    ('[[maintenance]]\nname = "x"\ndays = ["sat"]\nfrom = "24:00"\nto = "23:00"', "maintenance[0].from: "),
    (
        '[[maintenance]]\nname = "x"\ndays = ["sat"]\nfrom = "21:00"\nto = "23:00"\ntimezone = "Mars/Base"',
        "maintenance[0].timezone: 'Mars/Base' is no time zone",
    ),
    (
        '[[maintenance]]\nname = "x"\ndays = ["sat"]\nfrom = "21:00"\nto = "23:00"\ntimezone = "../../etc/passwd"',
        "maintenance[0].timezone: ",
    ),
    (
        '[[maintenance]]\nname = "x"\nstart = 2026-12-01T04:00:00\nend = 2026-12-01T05:00:00Z',
        "maintenance[0].start: has no time zone",
    ),
    (
        '[[maintenance]]\nname = "x"\nstart = 2026-12-01T04:00:00Z\nend = 2026-12-01T04:00:00Z',
        "maintenance[0].end: is not after start",
    ),
    ('[[maintenance]]\nname = "x"\nstart = 2026-12-01\nend = 2026-12-02', "maintenance[0].start: is the date 2026-12-01"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_what_is_wrong_is_told_by_its_path(text: str, told: str) -> None:
    message = faults(text)
    assert message.startswith("wayclear.toml: ")
    assert told in message
    assert message.isprintable() or "\n" in message


@pytest.mark.parametrize(("text", "_"), WRONG, ids=[text[:40] for text, _ in WRONG])
def test_every_example_is_right(text: str, _: str) -> None:
    """An example stands in the table that the fault's path names."""
    with pytest.raises(BadFile) as caught:
        parsed(text)
    for fault in caught.value.faults:
        table = fault.key_path.rpartition(".")[0]
        if not fault.example:
            assert "is not a key that is known here" in fault.message
        elif not table:
            parsed(fault.example)
        elif table.startswith("maintenance"):
            example = tomllib.loads(fault.example)
            window = {"name": "x"} | example
            if not example.keys() & {"start", "end"}:
                window = tomllib.loads('days = ["sat"]\nfrom = "22:00"\nto = "02:00"\n') | window
            if "start" in window:
                window["end"] = window["start"] + datetime.timedelta(hours=1)
            if "end" in window and "start" not in window:
                window["start"] = window["end"] - datetime.timedelta(hours=1)
            parse_config({"maintenance": [window]}, "")
        else:
            parsed(f"[{table}]\n{fault.example}")


WINDOW = '[[maintenance]]\nname = "x"\n'


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('inventory = [""]', "inventory[0]"),
        ('inventory = ["", "a/b"]', "inventory[0] inventory[1]"),
        (f'{WINDOW}days = ["sat"]\nfrom = "22:00"', "maintenance[0].to"),
        (f'{WINDOW}days = ["sat"]\nto = "22:00"', "maintenance[0].from"),
        (f'{WINDOW}from = "22:00"\nto = "23:00"', "maintenance[0].days"),
        (f'{WINDOW}days = ["sat"]\nfrom = "25:00"\nto = "23:00"', "maintenance[0].from"),
        (f'{WINDOW}days = ["caturday"]\nfrom = "22:00"\nto = "23:00"', "maintenance[0].days[0]"),
        (f"{WINDOW}start = 2026-12-01T04:00:00Z", "maintenance[0].end"),
        (f"{WINDOW}start = 2026-12-01T04:00:00\nend = 2026-12-01T05:00:00Z", "maintenance[0].start"),
        (WINDOW, "maintenance[0]"),
        (f'{WINDOW}days = ["sat"]\nto = "24:00"\nfrom = "23:00"', "maintenance[0].to"),
        (f'{WINDOW}days = ["sat"]\nstart = 2026-12-01T04:00:00Z', "maintenance[0]"),
        (
            f'{WINDOW}timezone = "UTC"\nstart = 2026-12-01T04:00:00Z\nend = 2026-12-01T05:00:00Z',
            "maintenance[0]",
        ),
    ],
)
def test_one_fault_is_one_message(text: str, path: str) -> None:
    with pytest.raises(BadFile) as caught:
        parsed(text)
    assert " ".join(fault.key_path for fault in caught.value.faults) == path
    assert "\\x0a" not in str(caught.value)


def test_a_window_of_two_kinds_is_refused_and_the_keys_of_each_are_told() -> None:
    whole = 'days = ["sat"]\nfrom = "22:00"\nto = "02:00"\n'
    (told,) = faults(f"{WINDOW}{whole}start = 2026-12-01T04:00:00Z\nend = 2026-12-01T05:00:00Z").splitlines()
    assert "one time has start and end; every week has days, from, to" in told


def test_midnight_is_told_to_who_writes_24() -> None:
    told = faults(f'{WINDOW}days = ["sat"]\nfrom = "22:00"\nto = "24:00"')
    assert 'midnight is 00:00. For example: to = "00:00"' in told
    (window,) = parsed(f'{WINDOW}days = ["sat"]\nfrom = "22:00"\nto = "00:00"').maintenance
    assert (window.begins, window.ends) == (79_200, 0)


def test_no_example_has_an_escape_in_it() -> None:
    for text, _ in WRONG:
        with pytest.raises(BadFile) as caught:
            parsed(text)
        assert all(fault.example.isprintable() for fault in caught.value.faults), text


def test_several_faults_are_told_together() -> None:
    found = faults(
        'connector = 1\n[schedule]\nservice = 0\n[web]\nlisten = ["x"]\n[history]\nkeep_days = "a"'
    )
    assert all(
        path in found for path in ("connector", "schedule.service", "web.listen[0]", "history.keep_days")
    )


@pytest.mark.parametrize(
    "text", ["127.0.0.1:19115", "[::1]:19115", "0.0.0.0:0", "[2001:db8::1]:65535", "[fe80::1%eth0]:80"]
)
def test_places_to_listen(text: str) -> None:
    assert listen_fault(text) == ""


@pytest.mark.parametrize(
    "text", ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:-1", "::1:1", "[127.0.0.1]:1", "[::1]",
             "[::1]:65536", "x" * 100_000, "127.0.0.1:٣", "127.0.0.1:1\n", "\x1b[2J:1"],
)  # fmt: skip
def test_places_where_nobody_can_listen(text: str) -> None:
    why = listen_fault(text)
    assert why
    assert why.isascii()
    assert why.isprintable()
    assert len(why) < 200


def test_the_overlay_s_keys_win(tmp_path: Path) -> None:
    fleet, host = tmp_path / "wayclear.toml", tmp_path / "overlay.toml"
    fleet.write_text(GOOD)
    host.write_text(
        'connector = "conn-dublin-2"\n[schedule]\nservice = 120\n[web]\nlisten = ["127.0.0.1:1"]\n'
    )
    found = load_config(str(fleet), overlay=str(host))
    assert found.serve.connector == "conn-dublin-2"
    assert found.serve.site == "Dublin"
    assert found.serve.schedule == Intervals(120, 450, 300, 3600, 1800, 5.5, 300, 0)
    assert found.serve.web == Web(("127.0.0.1:1",), str(tmp_path / "web.yml"), True, ("conn1.corp.example",))
    assert len(found.serve.maintenance) == 2
    host.write_text("maintenance = []\n")
    assert load_config(str(fleet), overlay=str(host)).serve.maintenance == (), "arrays are taken whole"


def test_the_shipped_example_has_every_key(tmp_path: Path) -> None:
    shared, overlay = tmp_path / "wayclear.toml", tmp_path / "overlay.toml"
    shared.write_text(uncommented(EXAMPLE), "utf-8")
    overlay.write_text(uncommented(OVERLAY), "utf-8")
    data = tomllib.loads(shared.read_text("utf-8"))
    assert set(data["schedule"]) == {one.name for one in fields(Intervals)}
    found = load_config(str(shared), overlay=str(overlay))
    assert found.serve.schedule == Intervals()
    assert found.serve.web.listen == LISTEN
    assert len(found.serve.maintenance) == 2


def entries(kind: Kind, interval: float, *keys: tuple[object, ...]) -> list[Entry]:
    return [Entry(key, kind, interval, 0.0, 0.0) for key in keys]


def test_what_takes_the_rate_is_named() -> None:
    """Extras of one second beside sign-in of five and service names of hours: who reads it knows which key to change."""
    asked = Intervals(service=7200, sign_in=5, http=1, extras=1, rotation=1)
    found = entries("service", 90_000, *((f"s{n}.example", 443) for n in range(20)))
    found += entries("sign-in", 60, ("a.example", 443), ("b.example", 443), ("name", "c.example"))
    found += entries(
        "extra", 1, ("extra", ("tls13", "a.example", 443)), ("extra", TcpConnect("192.0.2.1", 443))
    )
    found += entries(
        "extra", 1, *(("extra", DnsQuestion("192.0.2.53", f"q{n}.example", "A")) for n in range(9))
    )
    found += entries("extra", 1, ("host",), ("heartbeat", "192.0.2.53"))
    found += entries("revocation", 3600, ("document", ("crl", "l.example", 80, "/", None)))
    told = stretch_warning(asked, 12.4, found)
    assert "0.5 connections a second: intervals are 12.4 times as long as configured. " in told
    assert told.endswith(
        "extras = 1 in [schedule] asks for 2 of 2.4 connections a second: make it longer, or raise rate"
    )
    assert "sign_in = 5 in [schedule] asks for 0.4 of 0.4 " in stretch_warning(
        replace(asked, extras=3600), 2, found
    )
    assert "service = 1 in [schedule] asks for 20 of " in stretch_warning(replace(asked, service=1), 2, found)
