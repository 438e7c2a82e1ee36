"""The example configuration: a copy of it means the defaults, and every key in it is valid and is warned of where it is made up."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from probe.config.example_values import CONNECTORS
from probe.config.rule_files import DEFAULT_CA_SETS, DEFAULT_RULES
from probe.config.service import KEEP_DAYS, KEEP_MB, LISTEN, Intervals, Web
from probe.config.settings import Config, load_config
from probe.config.validation import validate_file
from tests.packaging.examples import EXAMPLE, OVERLAY, uncommented

ROOT = Path(__file__).resolve().parents[2]
DATA = tomllib.loads(uncommented(EXAMPLE))


@pytest.mark.parametrize("path", [EXAMPLE, OVERLAY], ids=lambda path: path.name)
def test_a_copy_is_clean_and_means_the_defaults(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "wayclear.toml"
    copy.write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "probe", "validate", str(copy)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{copy}: ok\n", "")
    assert replace(load_config(str(copy)), source="") == Config()


@pytest.mark.parametrize("path", [EXAMPLE, OVERLAY], ids=lambda path: path.name)
def test_only_keys_and_tables_are_commented_out_without_a_blank(path: Path) -> None:
    """`# ` is prose and `#key` a key, so that a person (and the tests) can tell them."""
    for line in path.read_text("utf-8").splitlines():
        assert re.match(r"$|# |#?\[\[?[a-z]+\]\]?|#[a-z_]+ = |schema = ", line), line


def test_with_every_key_it_is_valid_and_each_example_is_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "wayclear.toml"
    file.write_text(uncommented(EXAMPLE), "utf-8")
    found = validate_file(str(file))
    assert all(message.startswith(f"warning: {file}: ") for message in found)
    keys = [message.removeprefix(f"warning: {file}: ").partition(":")[0] for message in found]
    assert keys == ["tenant", "resolvers[0]", "resolvers[1]", "web.hosts[0]", "connector", "inventory"]


def test_with_every_key_the_overlay_is_valid_as_well(tmp_path: Path) -> None:
    file = tmp_path / "overlay.toml"
    file.write_text(uncommented(OVERLAY), "utf-8")
    found = validate_file(str(file))
    keys = [message.removeprefix(f"warning: {file}: ").partition(":")[0] for message in found]
    assert keys == ["resolvers[0]", "resolvers[1]", "connector"]


def test_the_invented_connectors_are_those_of_the_example() -> None:
    assert {DATA["connector"], *DATA["inventory"]} <= CONNECTORS


def test_what_is_no_example_is_the_default() -> None:
    assert DATA["schedule"] == {f.name: f.default for f in fields(Intervals)}
    assert (tuple(DATA["rules"]), tuple(DATA["ca_sets"])) == (DEFAULT_RULES, DEFAULT_CA_SETS)
    assert set(DATA["web"]) == {f.name for f in fields(Web)}
    assert (DATA["web"]["listen"], DATA["web"]["probe"]) == (list(LISTEN), Web().probe)
    assert (DATA["history"]["keep_days"], DATA["history"]["max_mb"]) == (KEEP_DAYS, KEEP_MB)


def test_a_value_is_marked_as_an_example_or_is_the_default() -> None:
    text = EXAMPLE.read_text("utf-8")
    marked = set(re.findall(r"^#(?:\[\[?)?([a-z_]+).*# example", text, re.MULTILINE))
    assert marked == {
        "connector", "connector_group", "site", "region", "inventory", "tenant", "resolvers", "hosts",
        "config_file", "path", "directory", "rack", "firewall",
    }  # fmt: skip
