"""The operators' pages, held to the program and to Prometheus: options, keys, snippets, figures."""

from __future__ import annotations

import re
import subprocess
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.promql import seconds
from exporters.metrics.catalogue import BY_NAME
from probe.command import serve as serving
from probe.command.main import parse
from probe.config.rule_files import load_rules
from probe.config.service import Intervals, Web
from probe.config.settings import Config
from probe.config.validation import validate_file
from probe.web.exporter_toolkit import read_web_config
from rules.audit.targets import targets
from tests.packaging.examples import EXAMPLE as SHIPPED
from tests.packaging.examples import uncommented

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    name: (ROOT / f"docs/{name}.md").read_text("utf-8") for name in ("install", "serve", "windows", "scaling")
}
EXAMPLE: dict[str, Any] = tomllib.loads(uncommented(SHIPPED))


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


# --- the command and its configuration -----------------------------------------------------------------------------


def test_every_option_of_serve_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["serve", "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z.-]+)", capsys.readouterr().out, re.MULTILINE))
    rows = re.findall(r"^\| (`--[^|]+) \|", PAGES["serve"], re.MULTILINE)
    assert {option for row in rows for option in re.findall(r"`(--[a-z.-]+)`", row)} == offered


def keys_of_the_example() -> set[str]:
    """Every key with its table."""
    found = set()
    for key, value in EXAMPLE.items():
        rows = value if isinstance(value, list) else [value]
        tables = [row for row in rows if isinstance(row, dict)]
        found |= {f"{key}.{inner}" for table in tables for inner in table} if tables else {key}
    return found


def test_every_key_of_the_service_is_explained() -> None:
    audit = {f.name for f in fields(Config)} | {"schema"}
    own = {
        key
        for key in keys_of_the_example()
        if key not in audit and not key.startswith(("labels.", "owners."))
    }
    rows = re.findall(r"^\| (`[a-z_.]+`(?:, `[a-z_.]+`)*) \| ", PAGES["serve"], re.MULTILINE)
    told = {key for row in rows for key in re.findall(r"`([a-z_.]+)`", row)}
    assert told == own
    assert {f"schedule.{f.name}" for f in fields(Intervals)} <= told
    assert {f"web.{f.name}" for f in fields(Web)} <= told


def test_every_page_of_the_server_is_explained() -> None:
    source = (ROOT / "probe/serve/pages.py").read_text("utf-8")
    served = set(re.findall(r'^ +"(/\S*)": self\._', source, re.MULTILINE)) | {"/-/reload"}
    told = set(re.findall(r"^\| `(/[a-z./-]*)", PAGES["serve"], re.MULTILINE))
    assert told == served


def test_the_web_configuration_is_one(tmp_path: Path) -> None:
    (text,) = blocks("serve", "yaml")
    assert "cert_file" in text
    data = yaml.safe_load(text)
    (tmp_path / "web.yml").write_text(yaml.safe_dump({"basic_auth_users": data["basic_auth_users"]}))
    assert read_web_config(str(tmp_path / "web.yml")).asks_who


def test_an_overlay_wins_key_by_key(tmp_path: Path) -> None:
    """As scaling.md says, with its own example."""
    (text,) = blocks("scaling", "toml")
    overlay = tmp_path / "overlay.toml"
    overlay.write_text(text)
    (warning,) = validate_file(str(overlay))
    assert warning.startswith(
        f"warning: {overlay}: connector: conn-dub-01 is the name in wayclear's examples"
    )
    shared = tmp_path / "wayclear.toml"
    shared.write_text(uncommented(SHIPPED), "utf-8")
    (tmp_path / "web.yml").write_text("{}\n")
    _, arguments = parse(["serve", "--config", str(shared), "--overlay", str(overlay)])
    config, _ = serving.load(serving.parsed(arguments))
    assert (config.serve.connector, config.serve.site) == ("conn-dub-01", "Dublin")
    assert config.serve.inventory == tuple(EXAMPLE["inventory"])


# --- Prometheus ----------------------------------------------------------------------------------------------------

SNIPPETS = [text for page in PAGES for text in blocks(page, "yaml") if text.startswith("# /etc/prometheus/")]
CONFIGURATIONS = [text for text in SNIPPETS if text.startswith("# /etc/prometheus/prometheus.yml\n")]


def in_place(root: Path, text: str) -> str:
    """A snippet with its paths under `root`."""
    return text.replace("/etc/prometheus/", f"{root}/")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What the snippets name, where they look for it."""
    for name in ("rules", "targets"):
        (tmp_path / name).mkdir()
    for name in ("wayclear-ca.pem", "wayclear-password", "mimir-password"):
        (tmp_path / name).write_text("x")
    rules = ROOT / "dashboards/prometheus/wayclear.rules.yml"
    (tmp_path / "rules" / rules.name).write_text(rules.read_text("utf-8"), "utf-8")
    for text in SNIPPETS:
        if text not in CONFIGURATIONS:
            path = text.splitlines()[0].removeprefix("# ")
            Path(in_place(tmp_path, path)).write_text(text)
    return tmp_path


def test_there_are_snippets_for_every_way() -> None:
    together = "\n".join(CONFIGURATIONS)
    for word in (
        "static_configs",
        "file_sd_configs",
        "http_sd_configs",
        "remote_write",
        "/federate",
        "rule_files",
    ):
        assert word in together
    assert len(SNIPPETS) == len(CONFIGURATIONS) + 1


@pytest.mark.parametrize("number", range(len(CONFIGURATIONS)))
def test_prometheus_accepts_every_snippet(number: int, place: Path) -> None:
    config = place / "prometheus.yml"
    config.write_text(in_place(place, CONFIGURATIONS[number]))
    run = subprocess.run(
        ["promtool", "check", "config", str(config)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "WARNING" not in run.stdout + run.stderr, "a file that the snippet names is missing"


# --- figures and names ---------------------------------------------------------------------------------------------


def test_the_arithmetic_of_series_is_right() -> None:
    count = len(targets(load_rules(), None))
    assert f"The default rules have {count} targets" in PAGES["scaling"]
    rows = re.findall(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", PAGES["scaling"], re.MULTILINE)
    assert len(rows) == 4
    for row in rows:
        connectors, series, samples = (int(cell.replace(",", "")) for cell in row)
        assert series == connectors * (12 * count + 500)
        assert samples == round(series / 30)


def test_the_recipe_for_driving_probe_leaves_the_schedule_its_rate() -> None:
    (text,) = [text for text in CONFIGURATIONS if "metrics_path: /probe" in text]
    (job,) = yaml.safe_load(text)["scrape_configs"]
    keeps = {"source_labels": ["__meta_wayclear_kind"], "regex": "service", "action": "keep"}
    assert keeps in job["relabel_configs"]
    names = [target.rule.group.value for target in targets(load_rules(), None)]
    usual, driven = Intervals(), seconds(job["scrape_interval"])
    service = names.count("service")
    alone = service / usual.service + (len(names) - service) / usual.sign_in + 0.05  # lists and extras
    assert alone == pytest.approx(0.3, abs=0.03), "about what the page says"
    assert alone + service / driven <= 0.9 * usual.rate
    assert alone + len(names) / driven > usual.rate, "all targets would be too much, as the page says"
    assert seconds(job["scrape_timeout"]) * usual.rate >= service, "all that come at once have their turn"


@pytest.mark.parametrize("page", PAGES)
def test_metrics_that_a_page_names_exist(page: str) -> None:
    named = set(re.findall(r"\bwayclear_[a-z_]+[a-z](?![a-z_]*\.\*)", PAGES[page]))
    assert named - BY_NAME.keys() == set()


def test_alerts_that_a_page_names_exist() -> None:
    rules = (ROOT / "dashboards/prometheus/wayclear.rules.yml").read_text("utf-8")
    for text in PAGES.values():
        for name in re.findall(r"\bWayclear[A-Za-z]+", text):
            assert f"alert: {name}\n" in rules


def test_the_exposure_that_is_told_is_the_one_that_is_counted() -> None:
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(ROOT / "packaging/systemd/wayclear.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    counted = re.search(r"exposure level for wayclear\.service: ([0-9.]+)", run.stdout)
    told = re.search(r"packaging/systemd/wayclear\.service` says ([0-9.]+)", PAGES["install"])
    assert counted
    assert told
    assert float(counted[1]) <= float(told[1]), "newer versions of systemd may count otherwise, never worse"


@pytest.mark.parametrize("page", ["install", "windows"])
def test_what_was_not_tried_is_said(page: str) -> None:
    assert re.search(r"never run|No container engine ran|Nothing on this page was ever run", PAGES[page])


def test_files_that_the_pages_install_exist() -> None:
    named = re.findall(r"(?<![\w/.-])(packaging/[\w./-]+\w|requirements/[\w.]+\w)", "\n".join(PAGES.values()))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
