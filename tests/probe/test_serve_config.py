"""The appliance's part of the configuration: every key, and every wrong value told where it is."""

from __future__ import annotations

import datetime
import tomllib
from pathlib import Path

import pytest

from probe.config import BadFile, load_config, merged, parse_config
from probe.serve_config import Intervals, ServeConfig, Web, bad_listen
from rules.maintenance import Window

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
connector = "conn-dublin-1"
connector_group = "dublin"
site = "Dublin"
region = "emea"
inventory = ["conn-dublin-1", "conn-dublin-2"]

[schedule]
service = 30
sign_in = 600
http = 900
revocation = 3600
extras = 1800
retry = 5
rotation = 300
rate = 1.5

[web]
listen = ["127.0.0.1:19116", "[::1]:19116"]
config_file = "web.yml"
probe = true
hosts = ["conn1.corp.example"]

[history]
path = "history.sqlite"
keep_days = 30
max_mb = 10

[textfile]
directory = "/var/lib/node"

[[maintenance]]
name = "patches"
days = ["sat", "Sunday"]
from = "22:00"
to = "02:00"
timezone = "Europe/Dublin"
pause = true

[[maintenance]]
name = "move"
start = 2026-12-01T04:00:00Z
end = 2026-12-01T06:00:00+01:00
"""


def serve(text: str, base: str = "") -> ServeConfig:
    return parse_config(tomllib.loads(text), "wayclear.toml", base=base).serve


def faults(text: str) -> str:
    with pytest.raises(BadFile) as caught:
        parse_config(tomllib.loads(text), "wayclear.toml")
    return str(caught.value)


def test_the_whole_of_a_good_file() -> None:
    found = serve(GOOD, "/etc/wayclear")
    patches, move = found.maintenance
    assert (patches.name, patches.days, patches.begins, patches.ends) == ("patches", (5, 6), 79_200, 7_200)
    assert patches.pause
    assert str(patches.zone) == "Europe/Dublin"
    start = datetime.datetime(2026, 12, 1, 4, tzinfo=datetime.UTC).timestamp()
    assert move == Window("move", start, start + 3600)
    assert found == ServeConfig(
        "conn-dublin-1",
        "dublin",
        "Dublin",
        "emea",
        ("conn-dublin-1", "conn-dublin-2"),
        Intervals(30, 600, 900, 3600, 1800, 5, 300, 1.5),
        (patches, move),
        Web(("127.0.0.1:19116", "[::1]:19116"), "/etc/wayclear/web.yml", True, ("conn1.corp.example",)),
        "/etc/wayclear/history.sqlite",
        30,
        10,
        "/var/lib/node",
    )


def test_without_a_word_the_defaults_hold() -> None:
    assert serve("") == ServeConfig()
    assert serve("schedule = {}") == ServeConfig()
    assert (ServeConfig().schedule.rate, ServeConfig().web.listen) == (0.5, ("127.0.0.1:19115",))


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ('connector = "a\\nb"', "connector", "is not a name"),
        ('connector = "<b>"', "connector", "is not a name"),
        (f'site = "{"x" * 64}"', "site", "is not a name"),
        ('inventory = ["ok", "no/slash"]', "inventory[1]", "no name of a connector"),
        ("schedule = 5", "schedule", "must be a table"),
        ("schedule = { service = 0 }", "schedule.service", "between 1"),
        ("schedule = { rate = -1 }", "schedule.rate", "between 0"),
        ('schedule = { retry = "15" }', "schedule.retry", "must be a number"),
        ("schedule = { servce = 60 }", "schedule.servce", "did you mean service"),
        ('web = { listen = ["localhost:19115"] }', "web.listen[0]", "no address and port"),
        ('web = { listen = ["::1:19115"] }', "web.listen[0]", "brackets"),
        ("web = { probe = 1 }", "web.probe", "must be true or false"),
        ("history = { keep_days = 0 }", "history.keep_days", "between 1"),
        ("history = { size = 5 }", "history.size", "not a key"),
        ("textfile = { dir = '/x' }", "textfile.dir", "not a key"),
        ('maintenance = [{ name = "x" }]', "maintenance[0].name", "neither start and end"),
        (
            'maintenance = [{ days = ["sat"], from = "22:00", to = "23:00" }]',
            "maintenance[0].name",
            "missing",
        ),
        (
            'maintenance = [{ name = "x", days = ["someday"], from = "22:00", to = "23:00" }]',
            "maintenance[0].days[0]",
            "none of mon",
        ),
        (
            'maintenance = [{ name = "x", days = ["sat"], from = "25:00", to = "23:00" }]',
            "maintenance[0].from",
            "not a time of day",
        ),
        (
            'maintenance = [{ name = "x", start = 2026-12-01T06:00:00Z, end = 2026-12-01T04:00:00Z }]',
            "maintenance[0].end",
            "not after start",
        ),
        (
            'maintenance = [{ name = "x", start = 2026-12-01T06:00:00, end = 2026-12-01T08:00:00Z }]',
            "maintenance[0].start",
            "no time zone",
        ),
        (
            'maintenance = [{ name = "x", days = ["sat"], from = "1:00", to = "02:00", timezone = "Mars/Olympus" }]',
            "maintenance[0].timezone",
            "no time zone that this system knows",
        ),
    ],
)
def test_each_fault_is_told_where_it_is(text: str, place: str, hint: str) -> None:
    said = faults(text)
    assert place in said
    assert hint in said


def test_an_inventory_has_an_end() -> None:
    assert "at most 200" in faults(f"inventory = {[f'c{n}' for n in range(201)]}")


@pytest.mark.parametrize(
    "text", ["127.0.0.1:19115", "0.0.0.0:1", "[::]:65535", "[fe80::1%eth0]:80", "127.0.0.1:0"]
)
def test_addresses_to_listen_on(text: str) -> None:
    assert bad_listen(text) == ""


@pytest.mark.parametrize(
    "text", ["", "19115", ":19115", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "[127.0.0.1]:1"]
)
def test_addresses_that_are_none(text: str) -> None:
    assert bad_listen(text) != ""


def test_the_example_file_has_every_key_and_is_valid() -> None:
    example = ROOT / "packaging" / "wayclear.example.toml"
    found = load_config(str(example)).serve
    assert found.schedule == Intervals()


# --- one configuration, with an overlay for each host -------------------------------------------------------------------


def test_an_overlay_wins_key_by_key(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(GOOD)
    (tmp_path / "host.toml").write_text(
        'connector = "conn-2"\nschedule = { service = 45 }\ninventory = ["only"]\n'
    )
    found = load_config(str(tmp_path / "base.toml"), overlay=str(tmp_path / "host.toml"))
    assert found.serve.connector == "conn-2"
    assert (found.serve.schedule.service, found.serve.schedule.sign_in) == (45, 600)
    assert found.serve.inventory == ("only",)
    assert found.serve.site == "Dublin"


def test_a_fault_of_an_overlay_names_both_files(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text(GOOD)
    (tmp_path / "host.toml").write_text("schedule = { service = -1 }\n")
    with pytest.raises(BadFile, match=r"base\.toml with .*host\.toml"):
        load_config(str(tmp_path / "base.toml"), overlay=str(tmp_path / "host.toml"))


def test_an_overlay_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match="cannot be read"):
        load_config(None, environ={"HOME": str(tmp_path)}, root=False, overlay=str(tmp_path / "gone.toml"))


def test_merging_changes_neither_side() -> None:
    below, above = {"a": 1, "t": {"x": 1, "y": [1]}}, {"t": {"y": [2]}, "b": 2}
    assert merged(below, above) == {"a": 1, "b": 2, "t": {"x": 1, "y": [2]}}
    assert below == {"a": 1, "t": {"x": 1, "y": [1]}}
    assert above == {"t": {"y": [2]}, "b": 2}
