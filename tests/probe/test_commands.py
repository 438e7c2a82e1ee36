"""Whole commands on a machine without a network: namespaces with nothing but loopback."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from probe import commands
from rules.verdict import Endpoint, Status
from rules.wire_schema import schema
from tests.exporters import samples

ROOT = Path(__file__).resolve().parents[2]


def offline(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a network of its own that leads nowhere, without a configuration of this machine."""
    return subprocess.run(
        ["unshare", "-Urn", sys.executable, "-m", "probe", *words, "--config", "tests/probe/empty.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of an audit that met no network."""
    path = tmp_path_factory.mktemp("report") / "report.json"
    done = offline("audit", "--format", "json", "--output", str(path))
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert f"The report is in {path}" in done.stderr
    return path


def test_a_machine_without_a_network_has_one_cause(recorded: Path) -> None:
    data = json.loads(recorded.read_text("utf-8"))
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert data["answer"] == "not-proven"
    assert "local.no-route" in {cause["cause"] for cause in data["causes"]}
    assert all(seen["kind"] in ("local_host", "trust_lookup") for seen in data["observations"])


def test_the_text_goes_to_standard_output_without_colour_or_bar() -> None:
    done = offline("audit")
    assert done.returncode == 3
    assert done.stderr == ""
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
    assert done.stdout.startswith("NOT PROVEN: ")
    assert "[local.no-route]" in done.stdout


def test_exit_zero_is_for_those_who_only_want_the_report() -> None:
    assert offline("audit", "--exit-zero").returncode == 0
    assert offline("audit", "--exit-zero", "--rules", "nope").returncode == 3


@pytest.mark.parametrize("packed", [False, True])
def test_replay_gives_the_verdicts_of_the_live_run(recorded: Path, tmp_path: Path, packed: bool) -> None:
    path = recorded
    if packed:
        path = tmp_path / "report.json.gz"
        path.write_bytes(gzip.compress(recorded.read_bytes()))
    done = offline("replay", str(path), "--format", "json")
    assert done.returncode == 3, done.stderr
    live, again = json.loads(recorded.read_text("utf-8")), json.loads(done.stdout)
    assert again["verdicts"] == live["verdicts"]
    assert again["answer"] == live["answer"]


def test_explain_shows_a_tree() -> None:
    done = offline("explain", "login.microsoftonline.com:443")
    assert done.returncode == 3, done.stderr
    assert done.stdout.startswith("login.microsoftonline.com:443  NOT TESTED\n├─ names\n")
    done = offline("explain", "brand-new.msappproxy.net", "--format", "json", "--exit-zero")
    assert done.returncode == 0, done.stderr
    hosts = {
        verdict["endpoint"]["host"] for verdict in json.loads(done.stdout)["verdicts"] if verdict["endpoint"]
    }
    assert hosts <= {"brand-new.msappproxy.net"}


def test_json_is_utf8_whatever_the_locale(recorded: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "probe", "replay", str(recorded), "--format", "json"],
        cwd=ROOT,
        env={"PYTHONIOENCODING": "ascii", "PATH": ""},
        capture_output=True,
        timeout=60,
        check=False,
    )
    json.loads(done.stdout.decode("utf-8"))


def test_validate_tells_every_fault_and_goes_on(recorded: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("tenannt = 1\npace = 'brutal'\n")
    done = subprocess.run(
        [sys.executable, "-m", "probe", "validate", str(bad), str(recorded), "tests/probe/empty.toml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3
    assert "tenannt" in done.stderr
    assert "brutal" in done.stderr
    assert done.stdout == f"{recorded}: ok\ntests/probe/empty.toml: ok\n"


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((Status.PASS, Status.NOTICE), 0),
        ((Status.PASS, Status.WARN), 1),
        ((Status.WARN, Status.INCONCLUSIVE), 3),
        ((Status.INCONCLUSIVE, Status.FAIL), 2),
        ((Status.FAIL, Status.BROKEN), 3),
        ((), 3),
    ],
)
def test_an_endpoint_has_the_exit_code_of_its_heaviest_verdict(
    statuses: tuple[Status, ...], code: int
) -> None:
    found = [samples.verdict("a.example", status=status) for status in statuses]
    found.append(samples.verdict("b.example", status=Status.FAIL))
    found.append(samples.verdict("a.example", status=Status.BROKEN, endpoint=Endpoint("a.example", 80)))
    report = samples.report(verdicts=tuple(found))
    assert commands._weight(report, "a.example", 443) == code


def test_the_libraries_are_named_with_their_versions() -> None:
    shown = commands.libraries()
    assert shown[0].startswith("OpenSSL ")
    assert all(len(line.split()) >= 2 for line in shown)


def test_c2_a_bad_configuration_ends_with_one_message_before_anything_is_asked(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text('pace = "warp"\nresolver = "192.0.2.53"\n', "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "probe", "audit", "--config", str(bad)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (3, "")
    assert "pace: 'warp' is not polite or fast" in done.stderr
    assert "did you mean resolvers?" in done.stderr
    assert done.stderr.count("wayclear:") == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"verdicts": {}}, "$.verdicts: must be a list"),
        ({"observations": [[]]}, "$.observations[0]: must be an object"),
        (
            {"plan": {"nonce": "x", "public_networks": ["everywhere"]}},
            "$.plan.public_networks[0]: is not a network",
        ),
        ({"started": "yesterday"}, "$.started: must be a time"),
        ({"notes": [[[[[]]]]]}, "$.notes[0]: must be text"),
    ],
)
def test_a_report_that_cannot_be_judged_is_refused_with_its_place(
    recorded: Path, tmp_path: Path, change: dict[str, object], told: str
) -> None:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(json.loads(recorded.read_text("utf-8")) | change), "utf-8")
    done = offline("replay", str(path))
    assert (done.returncode, done.stdout) == (3, "")
    assert told in done.stderr
    assert "bug" not in done.stderr
