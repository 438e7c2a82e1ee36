"""The files for Windows, as far as they can be held on another system: none of them ever ran on Windows.

Not shown by these tests: that PowerShell, the service and the task do what they are written to do.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "packaging/windows"
SCRIPTS = sorted(PLACE.glob("*.ps1"))
EVERYTHING = [*SCRIPTS, PLACE / "ServiceHost.cs", PLACE / "service_child.py", PLACE / "bundle.py"]


def load(name: str) -> ModuleType:
    """A file that is no module of a package."""
    spec = importlib.util.spec_from_file_location(f"windows_{name}", PLACE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bundle = load("bundle")


def embeddable(place: Path, name: str = "python313._pth") -> Path:
    """What stands for the zip file of python.org."""
    file = place / "python-3.13.9-embed-amd64.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("python.exe", b"MZ")
        archive.writestr(name, "python313.zip\n.\n\n#import site\n")
    return file


def entries(lock: str) -> list[str]:
    """The pins of a lock, each with its hashes."""
    return re.split(r"\n(?=[a-z])", re.sub(r"^#.*\n", "", lock, flags=re.MULTILINE).strip())


# --- the bundle ----------------------------------------------------------------------------------------------------


def test_packages_for_windows_alone_are_not_left_out_on_another_system() -> None:
    lock = (ROOT / "requirements/run.txt").read_text("utf-8")
    made = bundle.windows_lock(lock)
    assert re.search(r"^tzdata==\S+ ; sys_platform == 'win32' \\$", lock, re.MULTILINE)
    assert re.search(r"^tzdata==\S+ \\$", made, re.MULTILINE)
    assert "win32" not in made


def test_packages_for_other_systems_alone_are_left_out_and_all_others_keep_their_hashes() -> None:
    lock = (ROOT / "requirements/run.txt").read_text("utf-8")
    elsewhere = [entry for entry in entries(lock) if "sys_platform != 'win32'" in entry]
    assert [entry.partition("==")[0] for entry in elsewhere] == ["scapy"]
    made = entries(bundle.windows_lock(lock))
    kept = [entry for entry in entries(lock) if entry not in elsewhere]
    assert made == [entry.replace(" ; sys_platform == 'win32'", "") for entry in kept]


def test_nothing_is_taken_without_its_hash_and_nothing_is_compiled() -> None:
    arguments = bundle.pip_arguments("3.13", Path("lock"), Path("target"))
    assert {"--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile"} <= set(arguments)
    assert arguments[arguments.index("--platform") + 1] == "win_amd64"


def test_python_is_told_where_packages_are_and_nothing_else(tmp_path: Path) -> None:
    embed = embeddable(tmp_path)
    version = bundle.python_version(embed)
    assert version == "3.13"
    bundle.unpack_python(embed, tmp_path / "python", version)
    assert (tmp_path / "python/python313._pth").read_text() == "python313.zip\n.\nLib\\site-packages\n"
    assert (tmp_path / "python/python.exe").is_file()


def test_another_file_than_the_published_one_is_not_used(tmp_path: Path) -> None:
    embed = embeddable(tmp_path)
    digest = hashlib.sha256(embed.read_bytes()).hexdigest()
    bundle.check(embed, digest.upper())
    with pytest.raises(bundle.CannotBundle, match="do not use it"):
        bundle.check(embed, "0" * 64)
    with pytest.raises(bundle.CannotBundle, match="cannot be read"):
        bundle.check(tmp_path / "nowhere.zip", digest)


@pytest.mark.parametrize("content", [b"", b"MZ", b"PK\x03\x04 cut"])
def test_what_is_no_zip_file_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(bundle.CannotBundle, match=r"x\.zip cannot be opened as a zip file"):
        bundle.python_version(tmp_path / "x.zip")


def test_the_installer_of_python_is_no_embeddable_one(tmp_path: Path) -> None:
    with pytest.raises(bundle.CannotBundle, match="embeddable package"):
        bundle.python_version(embeddable(tmp_path, "python.cat"))


def test_every_file_of_the_bundle_is_in_the_sums_and_the_zip_is_always_the_same(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "program/python").mkdir(parents=True)
    (tree / "program/python/python.exe").write_bytes(b"MZ")
    (tree / "install.ps1").write_bytes(b"x")
    bundle.write_sums(tree)
    sums = (tree / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(b'x').hexdigest()}  install.ps1\n" + (
        f"{hashlib.sha256(b'MZ').hexdigest()}  program/python/python.exe\n"
    )
    for name in ("a.zip", "b.zip"):
        bundle.pack(tree, tmp_path / name)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert zipfile.ZipFile(tmp_path / "a.zip").testzip() is None


def test_what_goes_into_the_bundle_is_there() -> None:
    assert [str(source) for source in bundle.BESIDE if not source.is_file()] == []
    assert {source for source in bundle.BESIDE if source.suffix == ".ps1"} == set(SCRIPTS)


# --- the service ---------------------------------------------------------------------------------------------------

CHILD = """
import asyncio, os, runpy, signal, sys, threading, types

async def serve():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    print("serving", sys.argv[1:], flush=True)
    await ended.wait()
    print("ended in good order", flush=True)

def main(arguments):
    if arguments == ["deaf"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf", flush=True)
        threading.Event().wait()
    if arguments != ["end"]:
        asyncio.run(serve())
    return 7

sys.modules["probe.command.main"] = cli = types.ModuleType("probe.command.main")
cli.main = main
child = sys.argv.pop(1)
space = runpy.run_path(child)
space["follow"].__globals__["PATIENCE"] = 0.2
sys.exit(space["main"]())
"""


def start(*arguments: str) -> subprocess.Popen[bytes]:
    """The real child with a stand-in for the program, which says when it is there."""
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(PLACE / "service_child.py"), *arguments],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip


def test_the_child_ends_in_good_order_when_its_input_is_closed() -> None:
    with start("serve", "--state", "x y") as child:
        assert child.stdout
        assert child.stdout.readline() == b"serving ['serve', '--state', 'x y']\n"
        out, error = child.communicate(timeout=30)
    assert (out, error, child.returncode) == (b"ended in good order\n", b"", 7)


def test_the_child_ends_when_its_host_is_killed() -> None:
    """The system closes the input then, whoever held it."""
    host = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    command = [sys.executable, "-c", CHILD, str(PLACE / "service_child.py"), "serve"]
    with subprocess.Popen(
        [sys.executable, "-c", host, *command], cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        told = process.stdout.readline() + process.stdout.readline()
        assert b"serving" in told
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == b"ended in good order\n", (
            "the pipe is closed when the child has ended"
        )


def test_a_child_that_does_not_end_is_ended() -> None:
    with start("deaf") as child:
        assert child.stdout
        assert child.stdout.readline() == b"deaf\n"
        child.communicate(timeout=30)
    assert child.returncode == 1


def test_a_child_that_ends_by_itself_has_its_own_code() -> None:
    with start("end") as child:
        assert child.wait(timeout=30) == 7
        assert child.stdin
        child.stdin.close()


def test_the_service_and_the_task_run_commands_that_the_program_knows() -> None:
    from probe.command.main import parse

    image = re.search(
        r"'\"\{0\}\\wayclear-service.exe\" (.+)' -f", (PLACE / "install.ps1").read_text("utf-8")
    )
    assert image
    _log, *arguments = shlex.split(image[1].replace("\\", "/"))
    assert parse([*arguments, "--textfile", "D"])[1].command == "serve"
    task = re.search(
        r"\$arguments = '-I -m probe (.+)' -f", (PLACE / "network-service-view.ps1").read_text("utf-8")
    )
    assert task
    _, parsed = parse(shlex.split(task[1].replace("\\", "/")))
    assert (parsed.command, parsed.exit_zero, parsed.format) == ("audit", True, "json")


def test_the_service_is_not_network_service() -> None:
    text = (PLACE / "install.ps1").read_text("utf-8")
    assert '$account = "NT SERVICE\\$name"' in text
    assert re.findall(r"'obj=', (\S+),", text) == ["$account"]
    rights = re.findall(r"\$\{networkService\}:(\S+)\"", text)
    assert rights == ["(OI)(CI)RX"], "it may read the configuration, nothing else"
    view = (PLACE / "network-service-view.ps1").read_text("utf-8")
    assert "-UserId 'S-1-5-20'" in view
    assert "-ExecutionTimeLimit" in view, "short-lived"


# --- every script --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_fetches_nothing_and_stops_at_the_first_error(script: Path) -> None:
    text = script.read_text("ascii")  # Windows PowerShell 5.1 reads a file without a byte order mark as ANSI
    assert "\r" not in text
    assert "$ErrorActionPreference = 'Stop'" in text
    assert "Set-StrictMode" in text
    fetching = r"Invoke-WebRequest|Invoke-RestMethod|\biwr\b|curl|wget|BitsTransfer|WebClient|Install-Module|https?://|\bpip\b"
    assert not re.search(fetching, text, re.IGNORECASE)
    assert not re.search(r"Invoke-Expression|\biex\b|ExecutionPolicy", text, re.IGNORECASE)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_native_command_that_fails_is_not_passed_over(script: Path) -> None:
    """$ErrorActionPreference does not see exit codes."""
    lines = script.read_text("ascii").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\s+& ", line) and "@Arguments" not in line:
            assert "$LASTEXITCODE" in lines[number + 1], line


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_says_that_it_was_never_run_on_windows(script: Path) -> None:
    assert "ever run on Windows by the project" in script.read_text("ascii")
