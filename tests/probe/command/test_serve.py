"""`wayclear serve` before it serves: what keeps it from beginning, in one message, quickly, and with nothing touched."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from probe.command import serve as serving
from probe.command.main import parse
from probe.config.rule_files import shipped_names
from probe.config.service import LISTEN
from probe.config.settings import BadFile
from probe.errors import CommandError
from tests.probe.cell import Cell
from tests.probe.internet import Internet
from tests.probe.serve_process import FAULTS, QUICK, Served, served

ROOT = Path(__file__).resolve().parents[3]


def options(*words: str) -> serving.ServeOptions:
    return serving.parsed(parse(["serve", *words])[1])


def started(directory: Path, *words: str, around: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """A service that is expected to end by itself."""
    config = directory / "wayclear.toml"
    command = [
        sys.executable,
        "-m",
        "probe",
        "serve",
        "--config",
        str(config),
        "--state",
        str(directory / "state"),
    ]
    return subprocess.run(
        [*around, *command, *words], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
    )


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A directory with the files of a small internet, and a configuration that is right."""
    net = Internet(tmp_path)
    net.write()
    (tmp_path / "wayclear.toml").write_text(net.config(schedule=QUICK))
    return tmp_path


# --- a bad file at the start ------------------------------------------------------------------------------------------------


#: The program with an eye on what it does: any socket, database or directory that it makes ends it.
WATCHED = """
import os, sys
def seen(event, arguments):
    if event.startswith(("socket.", "sqlite3.", "os.mkdir")):
        os.write(2, f"it did {event}\\n".encode())
        os._exit(99)
sys.addaudithook(seen)
from probe.command.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("spoil", FAULTS)
def test_a_bad_file_is_one_message_and_nothing_is_touched(
    files: Path, spoil: Callable[[Served], str]
) -> None:
    config, state = files / "wayclear.toml", files / "state"
    expected = spoil(SimpleNamespace(config=config, directory=files))  # type: ignore[arg-type]  # what it looks at
    words = ["serve", "--config", str(config), "--state", str(state), "--allow-root"]
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert expected in done.stderr
    assert done.stderr.startswith("wayclear: ")
    assert done.stderr.count("wayclear: ") == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not state.exists()


def test_a_check_says_so_and_does_no_more(files: Path) -> None:
    before = sorted(files.rglob("*"))
    done = started(files, "--check", "--allow-root")
    assert sorted(files.rglob("*")) == before
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{files / 'wayclear.toml'}: ok\n"
    assert not (files / "state").exists()
    (files / "wayclear.toml").write_text("speling = 1")
    done = started(files, "--check", "--allow-root")
    assert done.returncode == 3


# --- who may run it, and where it listens -----------------------------------------------------------------------------------


def as_root() -> list[str]:
    return [] if os.geteuid() == 0 else ["unshare", "-Ur"]


@pytest.mark.parametrize("words", [(), ("--check",)], ids=["start", "check"])
def test_as_root_it_refuses_to_start(files: Path, words: tuple[str, ...]) -> None:
    done = started(files, *words, around=as_root())
    assert done.returncode == 3
    assert "as root it would run for months with rights that it does not need" in done.stderr
    assert "--allow-root" in done.stderr
    assert not (files / "state").exists()


def test_as_another_user_than_root_it_does_not_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    serving._refuse_root(False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    serving._refuse_root(True)
    with pytest.raises(CommandError, match="as root"):
        serving._refuse_root(False)
    monkeypatch.delattr(os, "geteuid")
    serving._refuse_root(False)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--listen", "0.0.0.0:19115"], "0.0.0.0"),
        (["--listen", "127.0.0.1:0", "--listen", "10.9.0.1:0"], "10.9.0.1"),
        (["--listen", "20.51.0.1:19115"], "20.51.0.1"),
        (["--listen", "nonsense"], "--listen: 'nonsense' is no address and port"),
        (["--web.config.file", "/nowhere/web.yml"], "/nowhere/web.yml"),
        (["--listen", "127.0.0.1:19115"], "19115"),
    ],
)
def test_it_says_why_it_cannot_listen_and_touches_no_history(
    files: Path, words: list[str], told: str
) -> None:
    """Elsewhere than on loopback without a web configuration; at an address that is not here; at a port that is taken."""
    with Cell(files) as cell, cell.listen("127.0.0.1", 19115):
        more = ["--allow-insecure"] if told == "20.51.0.1" else []
        done = started(files, "--allow-root", *words, *more, around=cell.inside([]))
    assert done.returncode == 3, done.stderr
    assert told in done.stderr
    assert done.stderr.count("wayclear: ") == 1
    assert "Traceback" not in done.stderr
    assert not (files / "state").exists()


# --- the command line over the files ----------------------------------------------------------------------------------------


def test_options_win_over_both_files(files: Path) -> None:
    overlay = files / "overlay.toml"
    overlay.write_text('connector = "one"\ntenant = "contoso.com"\n[web]\nlisten = ["127.0.0.1:1"]\n')
    words = ["--config", str(files / "wayclear.toml"), "--overlay", str(overlay)]
    config, rules = serving.load(options(*words))
    assert (config.serve.connector, config.tenant, config.serve.web.listen) == (
        "one",
        "contoso.com",
        ("127.0.0.1:1",),
    )
    assert [one.name for one in rules.rulesets] == ["small"]
    more = ["--listen", "127.0.0.1:2", "--listen", "[::1]:2", "--tenant", "fabrikam.com", "--state", "/var/x"]
    web = files / "web.yml"
    web.write_text("http_server_config:\n  http2: false\n")
    more += ["--textfile", "/var/t", "--web.config.file", str(web), "--rules", shipped_names()[0]]
    config, rules = serving.load(options(*words, *more))
    assert config.serve.web.listen == ("127.0.0.1:2", "[::1]:2")
    assert config.serve.web.config_file == str(web)
    assert (config.tenant, config.tenant_source) == ("fabrikam.com", "--tenant")
    assert (config.serve.history_path, config.serve.textfile) == ("/var/x/history.sqlite", "/var/t")
    assert config.serve.connector == "one"
    assert serving.load(options("--config", str(files / "wayclear.toml")))[0].serve.web.listen == LISTEN


def test_a_reload_looks_at_every_file_that_it_reads(files: Path) -> None:
    overlay = files / "overlay.toml"
    overlay.write_text("")
    said = options("--config", str(files / "wayclear.toml"), "--overlay", str(overlay))
    config, _ = serving.load(said)
    found = {Path(name).name for name in serving._files(said, config)}
    assert found == {"wayclear.toml", "overlay.toml", "rules.toml", "cas.toml", "roots.pem"}

    (files / "wayclear.toml").write_text("schedule = {\n")
    assert {Path(name).name for name in serving._files(said, None)} == {"wayclear.toml", "overlay.toml"}


def test_a_reload_looks_at_the_files_that_a_rule_set_extends_however_broken_they_are(files: Path) -> None:
    config, below = files / "wayclear.toml", files / "below"
    below.mkdir()
    (files / "mine.toml").write_text('extends = "below/base.toml"\n')
    (below / "base.toml").write_text('extends = "circle.toml"\n')
    (below / "circle.toml").write_text('extends = "../mine.toml"\n')
    (files / "broken.toml").write_text("= =\n")
    (files / "shipped.toml").write_text('extends = "entra-app-proxy"\n')
    names = ("mine", "broken", "gone", "shipped")
    config.write_text("rules = [" + ", ".join(f'"{name}.toml"' for name in names) + "]\n")
    said = options("--config", str(config))
    found = {os.path.relpath(name, files) for name in serving._files(said, None)}
    assert found == {
        "wayclear.toml", "mine.toml", "below/base.toml", "below/circle.toml", "broken.toml", "gone.toml", "shipped.toml",
    } | ({"below/../mine.toml"} & found)  # fmt: skip


# --- what a check and a reload look at beside the files' own rules ---------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--listen", "0.0.0.0:19120"], "does not listen on 0.0.0.0:19120"),
        (["--web.config.file", "/nowhere/web.yml"], "cannot be read"),
    ],
)
def test_what_would_keep_it_from_beginning_is_no_good_configuration(extra: list[str], message: str) -> None:
    with pytest.raises((CommandError, BadFile), match=message):
        serving.load(options(*extra))


def test_a_glob_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "wayclear.toml"
    file.write_text('only = "*.nomatch.example"\n')
    with pytest.raises(CommandError, match="no name of entra-app-proxy matches"):
        serving.load(options("--config", str(file)))


def checked(*words: str) -> int:
    return serving.run(options("--check", "--allow-root", *words))


def test_a_check_looks_at_the_directories(tmp_path: Path) -> None:
    file, state = tmp_path / "file", str(tmp_path / "state")
    file.write_text("")
    with pytest.raises(CommandError, match="is none that is seen"):
        checked("--state", state, "--textfile", str(tmp_path / "gone"))
    assert checked("--state", state, "--textfile", str(tmp_path)) == 0
    with pytest.raises(
        CommandError, match=r"the state directory: in .*file no file can be made: Not a directory"
    ):
        checked("--state", str(file))
    assert list(tmp_path.iterdir()) == [file], "nothing is left behind"


def test_a_check_tries_whether_the_directories_may_be_written() -> None:
    """/proc takes no file from anybody, root or not, and is there everywhere."""
    with pytest.raises(CommandError, match=r"the textfile's directory: in /proc no file can be made: "):
        checked("--textfile", "/proc")
    with pytest.raises(CommandError, match=r"the state directory: in /proc no file can be made: "):
        checked("--state", "/proc/wayclear/below")


#: An account that owns its files and has no other rights, not even root's.
UNPRIVILEGED = ["unshare", "-Ur", "setpriv", "--bounding-set=-all", "--inh-caps=-all"]


@pytest.mark.parametrize("mode", [0o500, 0])
@pytest.mark.parametrize("what", ["--state", "--textfile"])
def test_a_check_refuses_what_this_account_may_not_write(files: Path, what: str, mode: int) -> None:
    closed = files / "closed"
    closed.mkdir()
    closed.chmod(mode)
    named = closed if what == "--textfile" else closed / "below"
    done = started(files, "--check", "--allow-root", what, str(named), around=UNPRIVILEGED)
    closed.chmod(0o700)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"in {closed} no file can be made: Permission denied" in done.stderr
    assert list(closed.iterdir()) == []


def test_a_check_refuses_a_history_that_this_account_may_not_write(files: Path) -> None:
    history = files / "state" / "history.sqlite"
    history.parent.mkdir()
    history.write_bytes(b"")
    history.chmod(0o400)
    done = started(files, "--check", "--allow-root", around=UNPRIVILEGED)
    assert done.returncode == 3
    assert f"the history {history} may not be written" in done.stderr


def test_a_textfile_that_is_no_directory_is_refused_at_the_start(files: Path) -> None:
    (files / "metrics.prom").write_text("")
    done = started(files, "--allow-root", "--textfile", str(files / "metrics.prom"))
    assert done.returncode == 3
    assert "metrics.prom is a file" in done.stderr
    assert not (files / "state").exists()


def test_the_log_names_the_interval_that_stretches_the_others(tmp_path: Path) -> None:
    schedule = "service = 7200\nsign_in = 5\nhttp = 1\nextras = 1\nrotation = 1\nrate = 4\n"
    with served(tmp_path, schedule=schedule) as daemon:
        daemon.ready()
        daemon.until(lambda: "times as long as configured" in daemon.log())
    assert "configured. extras = 1 in [schedule] asks for " in daemon.log()
