"""The systemd unit: how exposed it is, what it refers to, and whether the program really works inside it.

systemd-analyze and libseccomp come with Debian's package `systemd`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.packaging.sandbox import allowed, settings

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "packaging/systemd"
UNIT = PLACE / "wayclear.service"
EXPOSURE = 1.5
#: What the lines with a reason beside them are about; a line that is added here needs one in the unit as well.
WITH_REASON = (
    "ExecStart", "User", "UMask", "ProcSubset", "MemoryDenyWriteExecute", "RestrictAddressFamilies", "SystemCallErrorNumber",
    "LimitCORE", "LimitNOFILE", "TasksMax", "MemoryMax", "StartLimitIntervalSec", "KillMode", "TimeoutStopSec", "Type",
)  # fmt: skip


def run_in(unit: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command inside the sandbox that the unit describes."""
    return subprocess.run(
        [sys.executable, "-m", "tests.packaging.sandbox", str(unit), *command],
        cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "WAYCLEAR_DEBUG": "1", **variables},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_the_exposure_is_low() -> None:
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = re.search(r"Overall exposure level for wayclear\.service: ([0-9.]+)", run.stdout)
    assert told, run.stderr
    assert float(told[1]) <= EXPOSURE, run.stdout
    assert run.returncode == 0


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """`systemd-analyze verify` names unknown keys and bad values; a program that is not installed here is stood in for."""
    unit = tmp_path / "wayclear.service"
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", UNIT.read_text("utf-8"), flags=re.MULTILINE)
    unit.write_text(text)
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    complaints = [line for line in run.stderr.splitlines() if str(unit) in line or "wayclear.service" in line]
    assert complaints == []
    assert run.returncode == 0, run.stderr


def test_verify_would_have_complained(tmp_path: Path) -> None:
    unit = tmp_path / "wayclear.service"
    unit.write_text(UNIT.read_text("utf-8").replace("ProtectHome=yes", "ProtectHouse=yes"))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert "ProtectHouse" in run.stderr


@pytest.mark.parametrize("key", WITH_REASON)
def test_a_line_that_is_not_self_evident_has_its_reason(key: str) -> None:
    lines = UNIT.read_text("utf-8").splitlines()
    (at,) = [i for i, line in enumerate(lines) if line.startswith(f"{key}=")]
    while at and lines[at - 1] and not lines[at - 1].startswith("#"):
        at -= 1  # one reason for the lines of a group
    assert lines[at - 1].startswith("# ")


def test_the_unit_refers_to_what_the_other_files_make() -> None:
    unit = settings(UNIT)
    (user,) = unit["User"]
    assert re.search(rf"^u {user} - ", (PLACE / "sysusers.d/wayclear.conf").read_text("utf-8"), re.MULTILINE)
    mode = unit["ConfigurationDirectoryMode"][0]
    tmpfiles = (PLACE / "tmpfiles.d/wayclear.conf").read_text("utf-8")
    assert re.search(
        rf"^d /etc/{unit['ConfigurationDirectory'][0]} {mode} root {user} ", tmpfiles, re.MULTILINE
    )
    (environment,) = unit["EnvironmentFile"]
    assert environment == "-/etc/default/wayclear"
    assert re.search(r'^ARGS=""$', (PLACE / "wayclear.default").read_text("utf-8"), re.MULTILINE)


def test_the_command_is_one_that_the_program_knows() -> None:
    from probe.command.main import parse

    _, isolated, module, name, *arguments = shlex.split(settings(UNIT)["ExecStart"][0].replace("$ARGS", ""))
    assert (isolated, module, name) == ("-I", "-m", "probe")
    assert parse(arguments)[1].command == "serve"


@pytest.mark.parametrize("name", ["sysusers", "tmpfiles"])
def test_the_files_for_users_and_directories_are_understood(name: str, tmp_path: Path) -> None:
    """The real tools make user and directory below a root of their own."""
    for place in ("etc", "usr/lib"):
        (tmp_path / place).mkdir(parents=True)
    made = []
    for tool in ("sysusers", name):  # a directory's group has to exist first
        run = subprocess.run(
            [f"systemd-{tool}", f"--root={tmp_path}", *(["--create"] if tool == "tmpfiles" else []),
             str(PLACE / f"{tool}.d/wayclear.conf")],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        made.append((run.returncode, run.stderr))
    assert made[-1][0] == 0, made
    assert "wayclear:" in (tmp_path / "etc/passwd").read_text("utf-8")
    assert name == "sysusers" or (tmp_path / "etc/wayclear").stat().st_mode & 0o777 == 0o750


def test_the_overlay_is_toml() -> None:
    overlay = tomllib.loads((PLACE / "overlay.example.toml").read_text("utf-8"))
    assert overlay["schema"] == "wayclear.config/1"


# --- the program inside the restrictions ---------------------------------------------------------------------------


def test_the_filter_is_what_systemd_would_make_of_it() -> None:
    calls = allowed(settings(UNIT)["SystemCallFilter"])
    assert {"clone3", "vfork", "execve", "pidfd_open", "epoll_wait", "fdatasync", "sendto", "futex"} <= calls
    assert not {"mount", "ptrace", "bpf", "chown", "setuid", "init_module", "setpriority", "keyctl"} & calls


def test_what_the_service_is_made_of_works_inside(tmp_path: Path) -> None:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        manager.settimeout(10)
        run = run_in(
            UNIT, sys.executable, str(ROOT / "tests/packaging/workload.py"), str(tmp_path), NOTIFY_SOCKET=name
        )
        assert run.returncode == 0, run.stdout + run.stderr
        assert manager.recv(99) == b"READY=1"
    assert run.stdout.splitlines() == [
        "restrictions", "history", "textfile", "own process", "names", "signals", "web and threads", "handshake", "manager",
    ]  # fmt: skip


def test_the_program_itself_works_inside(tmp_path: Path) -> None:
    """A whole audit of a host that has no network but its loopback: the report says so, and nothing is `broken`."""
    run = run_in(
        UNIT, sys.executable, "-I", "-m", "probe", "audit", "--format", "json", "--exit-zero",
        "--output", str(tmp_path / "report.json"), HOME=str(tmp_path),
    )  # fmt: skip
    assert run.returncode == 0, run.stderr
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["stopped"] == "no-route"
    assert report["summary"].get("broken", 0) == 0


def test_the_service_itself_works_inside(tmp_path: Path) -> None:
    """From READY to the end, with the unit's own command, where there is no network but loopback."""
    (tmp_path / "wayclear.toml").write_text('schema = "wayclear.config/1"\n')
    (command,) = settings(UNIT)["ExecStart"]
    places = {
        "/etc/wayclear/wayclear.toml": str(tmp_path / "wayclear.toml"),
        "/var/lib/wayclear": str(tmp_path),
    }
    arguments = [places.get(word, word) for word in shlex.split(command)[1:] if word != "$ARGS"]
    if os.geteuid() == 0:  # without the unit's user
        arguments.append("--allow-root")
    program = str(ROOT / "tests/packaging/service.py")
    run = run_in(UNIT, sys.executable, program, str(tmp_path), *arguments, HOME=str(tmp_path))
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.splitlines() == [
        "READY=1", "healthy 200", "metrics", "RELOADING=1", "READY=1", "STOPPING=1",
        "ended with 0", "in time True",
    ]  # fmt: skip
    history = tmp_path / "history.sqlite"
    assert history.is_file()
    assert history.stat().st_mode & 0o027 == 0, "others may not read it, nor the group write"
    assert "Traceback" not in run.stderr


def test_the_reason_for_memory_deny_write_execute_still_holds(tmp_path: Path) -> None:
    """The day this fails the line can be turned on."""
    unit = tmp_path / "wayclear.service"
    line = "MemoryDenyWriteExecute=no"
    text = UNIT.read_text("utf-8")
    assert line in text
    unit.write_text(text.replace(line, "MemoryDenyWriteExecute=yes"))
    run = run_in(unit, sys.executable, "-c", "from OpenSSL import SSL\n"
                 "SSL.Context(SSL.TLS_CLIENT_METHOD).set_info_callback(print)")  # fmt: skip
    assert run.returncode != 0
    assert "MemoryError" in run.stderr
