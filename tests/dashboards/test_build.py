"""The committed files are those that the generator makes, and the tools that will read them take them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from dashboards import rules, rules_file
from dashboards.alerts import ALERTS
from dashboards.build import HERE, files
from tests.dashboards import promtool

MADE = files()


@pytest.mark.parametrize("name", MADE)
def test_a_committed_file_is_what_is_made(name: str) -> None:
    assert (HERE / name).read_text("utf-8") == MADE[name], "run `python -m dashboards.build`"


def test_people_are_told_as_soon_and_as_often_as_was_promised() -> None:
    routes = yaml.safe_load(MADE["alertmanager/alertmanager.yml"])["route"]["routes"]
    times = [(r["receiver"], r["group_wait"], r["group_interval"], r["repeat_interval"]) for r in routes]
    assert times == [
        ("nobody", "30s", "5m", "24h"),
        ("page", "45s", "5m", "1h"),
        ("ticket", "15m", "1h", "24h"),  # what is asked seldom comes in one by one
        ("ticket", "3m", "5m", "24h"),
        ("reminder", "1m", "24h", "168h"),  # once a week
    ]


def test_nothing_is_left_over_from_an_earlier_build() -> None:
    committed = {str(p.relative_to(HERE)) for kind in ("*.json", "*.yml") for p in HERE.rglob(kind)}
    assert committed == set(MADE)


def test_the_command_writes_all_of_it_elsewhere_with_the_address_of_a_copy(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "dashboards.build",
        "--out",
        str(tmp_path),
        "--docs",
        "https://wiki.example/alerts",
    ]
    subprocess.run(command, cwd=HERE.parent, check=True, timeout=60)
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*") if p.is_file()} == set(MADE)
    text = (tmp_path / "prometheus/wayclear.rules.yml").read_text("utf-8")
    assert "runbook_url: https://wiki.example/alerts#wayclearconnectordown" in text


@pytest.mark.parametrize("name", [name for name in MADE if name.endswith(".yml")])
def test_yaml_files_have_lf_no_bom_and_no_tab(name: str) -> None:
    raw = (HERE / name).read_bytes()
    assert yaml.safe_load(raw)
    assert not any(mark in raw for mark in (b"\r", b"\t", b"\xef\xbb\xbf"))


def test_promtool_takes_the_rules() -> None:
    done = promtool.run("check", "rules", HERE / "prometheus/wayclear.rules.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_them_shortened() -> None:
    content = rules(scale=1 / 600)["groups"][0]
    assert content["interval"] == "50ms"
    down = next(rule for rule in content["rules"] if rule.get("alert") == "WayclearConnectorDown")
    assert (down["for"], down["keep_firing_for"]) == ("700ms", "1500ms")
    stale = next(rule for rule in content["rules"] if rule.get("alert") == "WayclearProberStale")
    assert stale["expr"].endswith("> 0.5"), "an age that is waited for is shortened as well"


def test_shortened_rules_are_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(rules_file(scale=1 / 60), "utf-8")
    done = promtool.run("check", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_amtool_takes_the_configuration() -> None:
    command = ["amtool", "check-config", str(HERE / "alertmanager/alertmanager.yml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["prometheus/wayclear.rules.yml", "grafana/alerting/wayclear-alerts.yml"])
def test_each_form_says_that_only_one_may_be_enabled(name: str) -> None:
    head = MADE[name].partition("\n\n")[0]
    assert " OR " in head
    assert "never both" in head


def test_every_alert_is_in_the_rules_with_its_severity() -> None:
    found = {r["alert"]: r["labels"]["severity"] for r in rules()["groups"][0]["rules"] if "alert" in r}
    assert found == {alert.name: alert.severity for alert in ALERTS}
