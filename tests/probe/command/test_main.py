"""The real command in a process of its own: words in, a message and an exit code out."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from probe.command import main as cli
from probe.errors import CommandError
from probe.version import VERSION
from tests import recordings

assert sys.platform != "win32"  # terminals are pseudo terminals here; also tells the type checker

ROOT = Path(__file__).resolve().parents[3]
HEAVY = (
    "cryptography",
    "dns",
    "OpenSSL",
    "scapy",
    "apscheduler",
    "prometheus_client",
    "h11",
    "aiohttp",
    "asyncio",
    "hypothesis",
)


def wayclear(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "probe", *words],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a command. To begin:"),
        (("bogus",), "there is no command 'bogus'\n"),
        (("--version", "bogus"), "there is no command 'bogus'\n"),
        (("bogus\x1b[2J",), "there is no command 'bogus\\x1b[2J'\n"),
        (("audit", "--pace", "brutal"), "argument --pace: invalid choice: 'brutal'"),
        (("audit", "--budget", "soon"), "argument --budget: soon is no number of seconds from 1 to 86400"),
        (("audit", "--budget", "nan"), "argument --budget: nan is no number of seconds"),
        (("audit", "--outpu", "x"), "unrecognized arguments: --outpu x"),
        (("audit", "--resolver", "not-an-ip"), "'not-an-ip' is no IP address"),
        (("audit", "--rules", "no-such-set"), "no-such-set"),
        (("audit", "--rules", "./missing.toml"), "missing.toml: cannot be read"),
        (("audit", "--config", "/no/such/file"), "/no/such/file: cannot be read"),
        (("audit", "--config", "/dev/zero"), "is not a regular file"),
        (("audit", "--tenant", "not a tenant"), "neither a GUID nor a domain"),
        (("audit", "--only", "a;b"), "only"),
        (("audit", "--output", "/"), "--output /: is a directory"),
        (("audit", "--output", ""), "argument --output: is empty: was a variable not set?"),
        (("audit", "--config", ""), "argument --config: is empty"),
        (("audit", "--only", " "), "argument --only: is empty"),
        (("audit", "--tenant", ""), "argument --tenant: is empty"),
        (("audit", "--rules", ""), "argument --rules: is empty"),
        (("audit", "--ca-set", ""), "argument --ca-set: is empty"),
        (("audit", "--resolver", ""), "argument --resolver: is empty"),
        (("replay", ""), "argument REPORT: is empty"),
        (("audit", "--resolver", "224.0.0.1"), "'224.0.0.1' is a multicast address"),
        (("audit", "--only", "logn.*"), "--only logn.*: no name of entra-app-proxy matches"),
        (("audit", "--only", "logn.*"), "`wayclear rules show NAME` lists all"),
        (("audit", "--output", "/no/such/dir/x"), "there is no directory /no/such/dir"),
        (("explain",), "HOST[:PORT]"),
        (("explain", "example.org"), "example.org is on no rule of entra-app-proxy"),
        (("explain", "login.windows.net:8080"), "asks for port 8080"),
        (("explain", "https://login.windows.net/"), "holds a URL"),
        (("replay", "/no/such/report"), "/no/such/report: cannot be read"),
        (("replay", "pyproject.toml"), "is not JSON"),
        (("validate",), "FILE"),
        (("validate", "/no/such/file"), "/no/such/file: cannot be read"),
        (("serve", "--listen", ""), "argument --listen: is empty: was a variable not set?"),
        (("serve", "--listen", "localhost:19115"), "--listen: 'localhost:19115' is no address and port"),
        (("serve", "--listen", "x\x1b[2J"), "is no address and port"),
        (("serve", "--overlay", "/no/such"), "/no/such: cannot be read"),
        (("serve", "--state", ""), "argument --state: is empty"),
        (("serve", "--textfile", ""), "argument --textfile: is empty"),
        (("serve", "--web.config.file", ""), "argument --web.config.file: is empty"),
        (("serve", "--web.config.fil", "x"), "unrecognized arguments: --web.config.fil x"),
        (("serve", "--budget", "5"), "unrecognized arguments: --budget 5"),
        (("serve", "--only", "x"), "unrecognized arguments: --only x"),
        (("serve", "extra"), "unrecognized arguments: extra"),
        (
            ("history", "--since", "yesterday", "--state", "/no"),
            "--since yesterday is neither a span of time nor a date",
        ),
        (("history", "--state", "/no"), "there is no history at /no/history.sqlite"),
        (("history", "a@b", "--state", "/no"), "'a@b' holds a user"),
        (("history", "--format", "xml"), "argument --format: invalid choice: 'xml'"),
        (("history", "", "--state", "/no"), "argument ENDPOINT: is empty"),
        (("rules",), "list|show"),
        (("rules", "show", "nope\x1b"), "no set is called 'nope\\x1b'"),
    ],
)
def test_wrong_usage_ends_with_3_and_one_message(words: tuple[str, ...], message: str) -> None:
    done = wayclear(*words)
    assert (done.returncode, done.stdout) == (3, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert all(line.isprintable() for line in done.stderr.splitlines())


def test_without_a_command_a_newcomer_reads_what_to_run() -> None:
    done = wayclear()
    assert (done.returncode, done.stdout) == (3, "")
    told = re.findall(r"^  (wayclear [a-z]+)", done.stderr, re.MULTILINE)
    assert told == ["wayclear audit", "wayclear explain", "wayclear serve"]
    assert done.stderr.endswith(
        "\n  wayclear --help lists the commands, `wayclear COMMAND --help` the options of one\n"
    )


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (("adit",), "there is no command 'adit', did you mean audit?"),
        (("Audit",), "there is no command 'Audit', did you mean audit?"),
        (("histroy",), "there is no command 'histroy', did you mean history?"),
        (("explian", "login.windows.net"), "there is no command 'explian', did you mean explain?"),
        (("audit", "--tennant", "x"), "unrecognized arguments: --tennant x, did you mean --tenant?"),
        (("audit", "--formt=json"), "unrecognized arguments: --formt=json, did you mean --format?"),
        (("serve", "--web.config.fil", "x"), "--web.config.fil x, did you mean --web.config.file?"),
        (("rules", "show", "x", "--hlep"), "unrecognized arguments: --hlep, did you mean --help?"),
        (("--versoin",), "unrecognized arguments: --versoin, did you mean --version?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_right_one(words: tuple[str, ...], advice: str) -> None:
    done = wayclear(*words)
    assert (done.returncode, done.stdout) == (3, "")
    assert f"{advice}\n" in done.stderr


@pytest.mark.parametrize("words", [("zzz",), ("audit", "--zzz"), ("audit", "extra")])
def test_what_is_like_nothing_gets_no_suggestion(words: tuple[str, ...]) -> None:
    assert "did you mean" not in wayclear(*words).stderr


@pytest.mark.parametrize(
    "command", [*(entry.name for entry in cli.ENTRIES if entry.name != "rules"), "rules list"]
)
def test_a_wrong_option_points_to_the_help_of_its_command(command: str) -> None:
    operand = {
        "explain": ["x"],
        "replay": ["x"],
        "validate": ["x"],
        "completion": ["bash"],
        "verify": ["x"],
    }.get(command, [])
    done = wayclear(*command.split(), *operand, "--bogus")
    assert done.stderr.splitlines() == [
        f"wayclear {command}: unrecognized arguments: --bogus",
        f"  wayclear {command} --help lists the options",
    ]


def test_a_wrong_option_before_the_command_points_to_the_help_of_all() -> None:
    assert wayclear("--bogus").stderr.endswith("\n  wayclear --help lists the options\n")


def test_version_names_the_python_and_on_request_the_libraries() -> None:
    done = wayclear("--version")
    assert done.returncode == 0
    assert done.stdout.startswith(f"wayclear {VERSION} (Python {sys.version_info.major}.")
    assert "OpenSSL" not in done.stdout
    for words in (("--version", "--verbose"), ("--verbose", "--version")):
        assert "OpenSSL " in wayclear(*words).stdout


@pytest.mark.parametrize("words", ["['--version']", "['--help']", "['bogus']", "['--bogus']", "[]"])
def test_what_needs_no_network_imports_no_library(words: str) -> None:
    script = (
        "import sys\nfrom probe.__main__ import main\n"
        f"try: main({words})\nexcept SystemExit: pass\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("audit", "--help"),
        ("serve", "--help"),
        ("history", "--help"),
        ("rules", "show", "--help"),
    ],
)
def test_help_is_no_error(words: tuple[str, ...]) -> None:
    done = wayclear(*words)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: ")
    assert done.stderr == ""


@pytest.mark.parametrize("words", [["rules", "show", "entra-app-proxy"], ["--help"], ["rules", "list"]])
def test_a_reader_that_goes_away_is_no_error_to_talk_about(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "probe", *words], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )  # fmt: skip
    finally:
        os.close(writer)
    assert done.stderr == b""
    assert done.returncode in (0, cli.EXIT_PIPE)


@pytest.mark.parametrize(
    "words", [["rules", "list"], ["--version"], ["--help"], ["validate", "rules/sets/entra-cloud-sync.toml"]]
)
def test_a_standard_output_that_takes_nothing_is_a_message(words: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "probe", *words],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("wayclear: standard output cannot be written: No space left on device\n  ")
    assert len(done.stderr.splitlines()) == 2
    assert "--output" not in done.stderr, "these commands have no such option"


def test_a_full_disk_is_a_message_with_the_option_of_the_command(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(recordings.whole("healthy"), "utf-8")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "probe", "replay", str(report)],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    advice = "make room there, or name a file with --output"
    assert (
        done.stderr == f"wayclear: standard output cannot be written: No space left on device\n  {advice}\n"
    )


@pytest.mark.parametrize(
    ("words", "has"),
    [("rules list", False), ("--version", False), ("audit", True), ("replay /dev/null", True)],
)
def test_a_standard_output_that_is_closed_is_a_message(words: str, has: bool) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m probe {words} >&-', sys.executable],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr.startswith("wayclear: standard output is closed\n  ")
    assert ("name a file with --output" in done.stderr) is has


def test_help_goes_to_standard_error_where_standard_output_is_closed() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" -m probe --help >&-', sys.executable],
        cwd=ROOT, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr.startswith("usage: ")
    assert "bug" not in done.stderr


def test_what_this_account_may_not_do_is_a_message(tmp_path: Path) -> None:
    """As nobody, where there is a nobody to become; otherwise as whoever runs the tests."""
    closed = tmp_path / "closed"
    (closed / "wayclear").mkdir(parents=True)
    script = (
        "import os, sys\n"
        f"os.chmod({str(closed)!r}, 0)\n"
        "from probe.command import audit, main\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(main.main(sys.argv[1:]))"
    )
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path(folder.anchor):
            folder.chmod(folder.stat().st_mode | 0o011)
    told = {}
    for name, words in (("output", ["audit", "--output", f"{closed}/x"]), ("default", ["audit"])):
        done = subprocess.run(
            [sys.executable, "-c", script, *words], cwd=ROOT, env=os.environ | {"XDG_CONFIG_HOME": str(closed)},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 3
        told[name] = done.stderr
    closed.chmod(0o700)
    assert told["output"].startswith(
        f"wayclear: --output {closed}/x: cannot be written: Permission denied\n  "
    )
    assert told["default"].startswith(
        f"wayclear: {closed}/wayclear/wayclear.toml: the configuration cannot be looked at: permission denied"
    )


def test_an_interrupt_ends_with_130_and_a_word() -> None:
    """In namespaces without a network, at a moment when the audit is certainly under way."""
    script = (
        "import signal, sys\nfrom probe.command import common, main\n"
        "def hang(config, rules): signal.raise_signal(signal.SIGINT)\n"
        "common.run_measurement = hang\nsys.exit(main.main(['audit']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 128 + signal.SIGINT
    assert done.stderr.strip() == "Interrupted: no report was written."


def test_a_bug_is_one_line_for_people_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: object) -> int:
        raise RuntimeError("odd \x1b")

    monkeypatch.setattr(cli, "_run", broken)
    monkeypatch.delenv("WAYCLEAR_DEBUG", raising=False)
    assert cli.main(["rules", "list"]) == 3
    told = capsys.readouterr().err
    assert "this is a bug: RuntimeError: odd \\x1b" in told
    assert "WAYCLEAR_DEBUG=1" in told
    assert "Traceback" not in told
    monkeypatch.setenv("WAYCLEAR_DEBUG", "1")
    assert cli.main(["rules", "list"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_trouble_is_told_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def troubled(_: object) -> int:
        raise CommandError("what", "advice")

    monkeypatch.setattr(cli, "_run", troubled)
    assert cli.main(["rules", "list"]) == 3
    assert capsys.readouterr().err == "wayclear: what\n  advice\n"


def test_no_color_in_a_pipe_and_color_on_a_terminal() -> None:
    assert "\x1b" not in wayclear("rules", "show", "entra-app-proxy", TERM="xterm").stdout
    assert "\x1b[1m" in on_a_terminal()
    assert "\x1b" not in on_a_terminal(NO_COLOR="1")


def on_a_terminal(**environment: str) -> str:
    """What `rules show` writes to a real terminal."""
    controller, device = pty.openpty()
    base = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    with subprocess.Popen(
        [sys.executable, "-m", "probe", "rules", "show", "entra-app-proxy-china"],
        cwd=ROOT,
        env=base | {"TERM": "xterm"} | environment,
        stdout=device,
        stdin=subprocess.DEVNULL,
    ) as process:
        os.close(device)
        shown = b""
        try:
            while data := os.read(controller, 65536):
                shown += data
        except OSError:  # EIO: the other side is closed
            pass
        assert process.wait(60) == 0
    os.close(controller)
    return shown.decode()


def test_every_option_of_the_issue_is_there() -> None:
    shown = wayclear("audit", "--help").stdout
    wanted = "--tenant --rules --resolver --config --format --output --only --pace --budget"
    wanted += " --verbose --no-color --exit-zero --ca-set"
    assert set(wanted.split()) <= set(re.findall(r"--[a-z-]+", shown))
