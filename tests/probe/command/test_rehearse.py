"""`wayclear rehearse` without a network, and what it refuses."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from probe.command import main as cli
from probe.command.main import parse
from probe.command.rehearse import RehearseOptions, parsed, run
from probe.command.shipped_recording import SHIPPED_CAS, SHIPPED_REPORT, shipped
from probe.errors import CommandError
from rules.rehearse.changes import Block, ClosedPort, Inspection
from tests.lab import shipped_recording

CONFIG = ("--config", "tests/probe/empty.toml")


def options(*words: str) -> RehearseOptions:
    return parsed(parse(["rehearse", *words])[1])


def test_the_options_become_changes() -> None:
    made = options(
        "--block", "*.A.example", "--block", "b.example:443", "--no-port-80", "--inspect", "--inspect", "c.*"
    )
    assert made.changes == (
        Block("*.a.example"),
        Block("b.example", 443),
        ClosedPort(80),
        Inspection("*"),
        Inspection("c.*"),
    )
    assert options("--block", "*", "--no-port-80", "--reset").changes == (
        Block("*", reset=True),
        ClosedPort(80, True),
    )


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "nothing is assumed: give --block, --inspect or --no-port-80"),
        (("--reset",), "nothing is assumed"),
        (("--block", "https://x.example/"), "rehearse: --block:"),
        (("--block", "a.example:99999"), "rehearse: --block:"),
        (("--block", ""), "argument --block: is empty"),
        (
            ("--block", "*.fabrikam.example"),
            "has no connection of which this is true: every connection to *.fabrikam",
        ),
        (
            ("--inspect", "nobody.*"),
            "has no connection of which this is true: a device inspects TLS to nobody.*",
        ),
        (("--inspect", "--format", "prometheus"), "a rehearsal gives no metrics"),
        (("--inspect", "--ca-set", "mine.toml"), "--ca-set belongs to a recording of your own"),
        (("--inspect", "--report", "/no/such"), "/no/such: cannot be read"),
        (("--inspect", "--report", "pyproject.toml"), "is not JSON"),
        (("--inspect", "--rules", "entra-cloud-sync"), "does not hold what entra-cloud-sync asks for"),
    ],
)
def test_what_cannot_be_rehearsed_is_one_message(
    words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = cli.main(["rehearse", *CONFIG, *words])
    except SystemExit as error:
        code = int(str(error.code))
    out, err = capsys.readouterr()
    assert (code, out) == (3, "")
    assert told in err


@pytest.mark.parametrize(
    ("words", "answer", "code"),
    [
        (("--block", "*.servicebus.windows.net"), "no", 2),
        (("--inspect",), "no", 2),
        (("--no-port-80",), "degraded", 1),
        (("--block", "cwap-eur1-weur2.servicebus.windows.net"), "degraded", 1),
    ],
)
def test_the_shipped_recording_is_enough(
    words: tuple[str, ...], answer: str, code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rehearsed.json"
    assert cli.main(["rehearse", *CONFIG, *words, "--format", "json", "--output", str(out)]) == code
    report = json.loads(out.read_text("utf-8"))
    assert report["answer"] == answer
    assert report["notes"][0].startswith("REHEARSAL: nothing of this was measured")
    assert report["vantage"]["labels"] == {"REHEARSAL": "nothing of this was measured"}
    assert not [v for v in report["verdicts"] if v["cause"] == "audit.not-recorded"]
    assert capsys.readouterr().err.startswith("REHEARSAL: ")


def test_the_configuration_names_the_region_and_the_teams(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "wayclear.toml"
    config.write_text('region = "Europe"\n[owners]\nfirewall = "NETSEC queue"\n', "utf-8")
    relay = ("rehearse", "--block", "cwap-eur1-weur2.servicebus.windows.net")
    assert cli.main([*relay, "--config", str(config)]) == 2
    shown = " ".join(capsys.readouterr().out.split())
    assert "Who must act: NETSEC queue." in shown
    assert "if your connector group is in Europe" not in shown
    assert cli.main([*relay, *CONFIG]) == 1
    assert "if your connector group is in Europe" in " ".join(capsys.readouterr().out.split())


def test_a_file_is_written_as_by_any_other_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rehearsed.txt"
    assert cli.main(["rehearse", *CONFIG, "--no-port-80", "--output", str(out)]) == 1
    assert out.read_text("utf-8").startswith("REHEARSAL: nothing of this was measured. ")
    assert capsys.readouterr().err == f"REHEARSAL: nothing of this was measured. The rehearsal is in {out}\n"


def test_the_shipped_recording_is_made_from_the_scenario() -> None:
    """Anew with `python -m tests.lab.shipped_recording`, after a change of the rule set or of `healthy`."""
    made = gzip.decompress(shipped(SHIPPED_REPORT).read_bytes()).decode()
    assert made == shipped_recording.report_text()
    assert shipped(SHIPPED_CAS).read_text("utf-8") == shipped_recording.cas_text()


def test_the_help_has_three_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["rehearse", "--help"])
    assert capsys.readouterr().out.count("\n  wayclear rehearse ") == 3


def test_a_rehearsal_of_the_shipped_recording_is_replayed_with_its_own_cas(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.json"
    code = cli.main(["rehearse", "--no-port-80", *CONFIG, "--format", "json", "--output", str(made)])
    assert cli.main(["replay", str(made), *CONFIG]) == code == 1
    shown = capsys.readouterr().out
    assert shown.startswith("DEGRADED")
    assert "REHEARSAL" in shown
    with pytest.raises(CommandError, match="is a rehearsal itself"):
        run(options("--inspect", "--report", str(made), *CONFIG))


def test_a_list_on_no_row_is_told_by_its_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["rehearse", "--no-port-80", *CONFIG]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "off-list" not in shown
    assert "c.example-trust.net (on no list, certificates name it)" in shown
