"""Whole commands on a machine without a network: namespaces with nothing but loopback."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from probe.command import explain
from probe.command.libraries import libraries
from probe.history.writer import History
from rules.files.report_schema import schema
from rules.model.verdict import Status
from rules.watch.events import Transition
from tests.exporters import samples
from tests.probe.isolated import isolated

ROOT = Path(__file__).resolve().parents[3]


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
    assert "tests/probe/empty.toml: schema: is empty" in done.stderr
    assert "tenannt" in done.stderr
    assert "brutal" in done.stderr
    assert done.stdout == f"{recorded}: ok\n"


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
    found.append(samples.verdict("a.example", status=Status.BROKEN, port=80))
    report = samples.report(verdicts=tuple(found))
    assert explain.heaviest(report, "a.example", 443) == code


def test_the_libraries_are_named_with_their_versions() -> None:
    shown = libraries()
    assert shown[0].startswith("OpenSSL ")
    assert all(len(line.split()) >= 2 for line in shown)


def test_a_bad_configuration_ends_with_one_message_before_anything_is_asked(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("link", ["same", "soft", "hard"])
def test_a_recording_is_never_written_over(recorded: Path, tmp_path: Path, link: str) -> None:
    output = recorded if link == "same" else tmp_path / link
    if link == "soft":
        output.symlink_to(recorded)
    elif link == "hard":
        output.hardlink_to(recorded)
    before = recorded.read_bytes()
    done = offline("replay", str(recorded), "--output", str(output))
    assert (done.returncode, done.stdout) == (3, "")
    assert "would be overwritten" in done.stderr
    assert recorded.read_bytes() == before


def test_rules_of_ones_own_are_never_written_over(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text((ROOT / "rules/sets/entra-cloud-sync.toml").read_text("utf-8"), "utf-8")
    done = offline("audit", "--rules", str(own), "--output", str(own))
    assert done.returncode == 3
    assert "would be overwritten" in done.stderr


def test_standard_streams_by_their_usual_name(recorded: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "probe", "replay", "-", "--format", "json", "--output", "-", "--exit-zero"],
        cwd=ROOT, input=recorded.read_bytes(), capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["answer"] == "not-proven"
    assert not (ROOT / "-").exists()
    done = subprocess.run(
        [sys.executable, "-m", "probe", "replay", "-"],
        cwd=ROOT, input=b"[]", capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith(b"wayclear: standard input: $")


def test_replay_into_what_takes_nothing_is_a_message(recorded: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "probe", "replay", str(recorded), "--format", "json"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("wayclear: standard output cannot be written: No space left on device\n")


def test_only_some_names_is_said_at_the_head() -> None:
    done = offline("audit", "--only", "LOGIN.*")
    assert done.returncode == 3
    assert "only names like login.*" in " ".join(done.stdout.partition("WHO MUST ACT")[0].split())


def test_nothing_is_asked_of_rules_without_a_name() -> None:
    done = offline("audit", "--rules", "entra-app-proxy-china")
    head = " ".join(done.stdout.partition("Tested from")[0].split())
    assert "Microsoft publishes no list" in head


def test_rules_of_ones_own_are_shown_with_what_they_extend(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        'schema = "wayclear.ruleset/1"\nname = "contoso-app-proxy"\ntitle = "Ours"\nversion = "1"\n'
        'reviewed = 2026-10-01\nextends = "entra-app-proxy"\nremove = ["msecnd"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "probe", "rules", "show", str(own)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("contoso-app-proxy: Ours\n")
    assert "login.microsoftonline.com" in done.stdout
    assert "msecnd.net" not in done.stdout


#: An audit whose resolver has been asked and stays silent, interrupted at that moment.
INTERRUPTED = """
    import signal, socket, subprocess, sys
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 53))
    silent.settimeout(30)
    words = ["audit", "--resolver", "127.0.0.1", "--config", "tests/probe/empty.toml", "--format", "json"]
    audit = subprocess.Popen(
        [sys.executable, "-m", "probe", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    silent.recv(4096)
    begun = time.monotonic()
    audit.send_signal(signal.SIGINT)
    out, err = audit.communicate(timeout=30)
    show([audit.returncode, out, err, time.monotonic() - begun])
"""
NETWORK = """
    ip link add near type veth peer name far; ip link set far up
    ip addr add 10.9.0.1/24 dev near; ip link set near up
    ip route add default via 10.9.0.2
"""


def test_an_interrupted_audit_tells_what_it_saw(tmp_path: Path) -> None:
    code, out, err, took = cast("tuple[int, str, str, float]", isolated(NETWORK, INTERRUPTED))
    assert (code, err) == (130, "Interrupted: the report holds what was seen until then.\n")
    assert took < 2
    data = json.loads(out)
    jsonschema.Draft202012Validator(schema()).validate(data)
    assert (data["answer"], data["stopped"]) == ("not-proven", "interrupted")
    assert {cause["cause"] for cause in data["causes"]} >= {"audit.not-reached"}
    assert not any(cause["cause"].startswith(("dns.", "local.")) for cause in data["causes"])
    (tmp_path / "r.json").write_text(out, "utf-8")
    again = json.loads(offline("replay", str(tmp_path / "r.json"), "--format", "json").stdout)
    assert again["verdicts"] == data["verdicts"]


#: An audit whose resolver knows no name and whose system has no resolver that answers, interrupted or ended by the budget.
UNKNOWN = """
    import json, signal, socket, subprocess, sys, tempfile
    import dns.message, dns.rcode
    resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    resolver.bind(("127.0.0.1", 53))
    words = ["audit", "--resolver", "127.0.0.1", "--config", "tests/probe/empty.toml", "--format", "json", *BUDGET]
    out = tempfile.TemporaryFile()  # a pipe would be full before it is read
    audit = subprocess.Popen([sys.executable, "-m", "probe", *words], stdout=out, stderr=subprocess.DEVNULL)
    names, told = set(), False
    resolver.settimeout(0.2)
    while audit.poll() is None:
        try:
            question, place = resolver.recvfrom(4096)
        except TimeoutError:
            continue
        asked = dns.message.from_wire(question)
        reply = dns.message.make_response(asked)
        reply.set_rcode(dns.rcode.NXDOMAIN)
        resolver.sendto(reply.to_wire(), place)
        names.add(str(asked.question[0].name).lower())
        if not BUDGET and not told and len(names) > 15:
            told = True
            audit.send_signal(signal.SIGINT)
    out.seek(0)
    report = json.load(out)
    show([report["stopped"], [[c["cause"], c["owner"]] for c in report["causes"]]])
"""


def test_an_interrupt_and_the_budget_tell_the_same_of_a_host_that_resolves_nothing() -> None:
    found = [isolated(NETWORK, f"    BUDGET = {words}\n{UNKNOWN}") for words in ([], ["--budget", "3"])]
    assert found[0] == ["interrupted", [["local.no-resolver", "host"]]]
    assert found[1] == ["budget", [["local.no-resolver", "host"]]]


def test_the_second_interrupt_ends_at_once() -> None:
    script = (
        "import asyncio, signal, sys\nfrom probe.command import common, main\n"
        "async def hang(config, rules, tell):\n"
        "    signal.raise_signal(signal.SIGINT)\n"
        "    try: await asyncio.sleep(60)\n"
        "    except asyncio.CancelledError:\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "common.run_audit = hang\nsys.exit(main.main(['audit', '--config', 'tests/probe/empty.toml']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 130
    assert done.stderr.strip() == "Interrupted: no report was written."


# --- the service's own commands ---------------------------------------------------------------------------------------------


def test_the_history_is_told_as_text_and_as_json_and_never_written(tmp_path: Path) -> None:
    async def written() -> None:
        history = History(tmp_path / "history.sqlite")
        await history.open()
        at = time.time()
        changed = Transition(
            at, "login.windows.net:443", "pass", "fail", "ok", "tcp.timeout", "no answer \x1b[2J"
        )
        await history.record([changed])
        await history.close()

    asyncio.run(written())
    before = (tmp_path / "history.sqlite").read_bytes()
    text = offline("history", "--state", str(tmp_path))
    assert (text.returncode, text.stderr) == (0, f"Read from {tmp_path / 'history.sqlite'}\n")
    assert "login.windows.net:443" in text.stdout
    assert "tcp.timeout" in text.stdout
    assert "\x1b" not in text.stdout
    told = json.loads(offline("history", "--state", str(tmp_path), "--format", "json").stdout)
    assert "tcp.timeout" in json.dumps(told)
    nobody = offline("history", "other.example", "--state", str(tmp_path))
    assert "login.windows.net" not in nobody.stdout
    assert (tmp_path / "history.sqlite").read_bytes() == before


def test_metrics_of_one_audit_are_prometheus_text() -> None:
    done = offline("audit", "--format", "prometheus", "--exit-zero")
    assert done.returncode == 0, done.stderr
    families = {f.name: f for f in text_string_to_metric_families(done.stdout)}
    assert [s.value for s in families["wayclear_connector_can_live"].samples] == [0]
    assert [s.value for s in families["wayclear_connector_host_fault"].samples] == [1], (
        "a host without a route"
    )
    assert done.stdout.endswith("\n")


def test_serve_can_be_asked_for_its_configuration_alone(tmp_path: Path) -> None:
    done = offline("serve", "--check", "--allow-root", "--state", str(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "tests/probe/empty.toml: ok\n", "")
