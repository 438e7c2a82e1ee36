"""`wayclear completion`: what the real shells offer when somebody presses the tab key.

bash and zsh are run on a terminal. There is no PowerShell here: its script is read, not run.
"""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from probe.command.completion import values as offered
from probe.command.completion_scripts import SHELLS, commands_of
from probe.command.main import ENTRIES, whole_parser
from rules.model.geography import GEOGRAPHIES

assert sys.platform != "win32"  # terminals are pseudo terminals here; also tells the type checker

ROOT = Path(__file__).resolve().parents[3]
COMMANDS = commands_of(whole_parser(), offered())
#: What is typed, and what stands on the line after a tab; nothing of it is run.
TYPED = [
    ("wayclear aud", "wayclear audit "),
    ("wayclear hist", "wayclear history "),
    ("wayclear rules sh", "wayclear rules show "),
    ("wayclear --vers", "wayclear --version "),
    ("wayclear audit --ten", "wayclear audit --tenant"),
    ("wayclear audit --pace f", "wayclear audit --pace fast "),
    ("wayclear audit --region eu", "wayclear audit --region eur "),
    ("wayclear rules show microsoft", "wayclear rules show microsoft-azure "),
    ("wayclear rules show own-co", "wayclear rules show own-configuration.toml "),
    ("wayclear audit --pace=f", "wayclear audit --pace=fast "),
    ("wayclear audit --pace polite --format pr", "wayclear audit --pace polite --format prometheus "),
    ("wayclear serve --web.con", "wayclear serve --web.config.file"),
    ("wayclear history --form", "wayclear history --format"),
    ("wayclear replay --form", "wayclear replay --format"),
    ("wayclear audit --config own-co", "wayclear audit --config own-configuration.toml "),
    ("wayclear serve --state own-di", "wayclear serve --state own-directory/"),
    ("wayclear validate own-co", "wayclear validate own-configuration.toml "),
    ("wayclear verify own-co", "wayclear verify own-configuration.toml "),
    ("wayclear completion pow", "wayclear completion powershell "),
]


def script(shell: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "probe", "completion", shell],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


class Shell:
    """An interactive shell on a terminal, in a directory with a file and a directory to complete."""

    def __init__(self, controller: int) -> None:
        self._controller = controller
        self._shown = ""  # and not yet asked for

    def until(self, text: str) -> str:
        """What the shell has shown up to `text`, without the control sequences of its line editor."""
        while text not in self._shown:
            some = select.select([self._controller], [], [], 30)[0]
            assert some, f"{text!r} did not come, only {self._shown!r}"
            self._shown += os.read(self._controller, 65536).decode()
            self._shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07", "", self._shown)
        before, _, self._shown = self._shown.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())


@contextmanager
def shell(directory: Path, *words: str, source: str) -> Iterator[Shell]:
    """A shell without the files of the user, that has read the script."""
    (directory / "own-configuration.toml").touch()
    (directory / "own-directory").mkdir()
    controller, device = pty.openpty()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "TERM": "xterm",
        "PS1": "ready> ",
        "INPUTRC": "/dev/null",
    }
    process = subprocess.Popen(
        words,
        cwd=directory,
        env=environment,
        stdin=device,
        stdout=device,
        stderr=device,
        start_new_session=True,
    )
    os.close(device)
    try:
        found = Shell(controller)
        found.until("ready> ")
        found.type(f"{source}; echo has''read\n")  # the quotes: the echo of the line itself is not the word
        assert "rror" not in found.until("hasread")
        found.until("ready> ")
        yield found
    finally:
        process.kill()
        process.wait(30)
        os.close(controller)


def completed(running: Shell, typed: str, expected: str) -> None:
    running.type(f"{typed}\t")
    running.until(expected)
    running.type("\x15")  # Ctrl-U: an empty line again
    running.type("echo next''one\n")
    running.until("nextone")
    running.until("ready> ")


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script("bash"))
    setting = "bind 'set enable-bracketed-paste off'"
    with shell(
        tmp_path, "bash", "--norc", "--noprofile", "-i", source=f"{setting}; source {tmp_path}/script"
    ) as running:
        for typed, expected in TYPED:
            completed(running, typed, expected)


def test_bash_lists_all_commands_and_all_options(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script("bash"))
    for one in COMMANDS:
        words = ["wayclear", *one.path.split(), "--"]
        run = (
            f"source {tmp_path}/script; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _wayclear; "
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", run], capture_output=True, text=True, timeout=60, check=True)
        long = [name for option in one.options for name in option.names if name.startswith("--")]
        assert done.stdout.split() == long, one.path
        assert done.stderr == ""


def test_zsh_completes_commands_options_and_values(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script("zsh"))
    source = f"autoload -Uz compinit; compinit -D -u; source {tmp_path}/script"
    with shell(tmp_path, "zsh", "-f", "-i", source=source) as running:
        for typed, expected in TYPED:
            completed(running, typed, expected)


def test_zsh_finds_it_as_a_file_of_its_path(tmp_path: Path) -> None:
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_wayclear").write_text(script("zsh"))
    source = f"fpath+={functions}; autoload -Uz compinit; compinit -D -u"
    with shell(tmp_path, "zsh", "-f", "-i", source=source) as running:
        completed(running, "wayclear aud", "wayclear audit ")
        completed(running, "wayclear audit --pace f", "wayclear audit --pace fast ")


@pytest.mark.parametrize("name", ["bash", "zsh"])
def test_the_shell_reads_the_script_without_a_complaint(name: str, tmp_path: Path) -> None:
    (tmp_path / "script").write_text(script(name))
    done = subprocess.run([name, "-n", str(tmp_path / "script")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- every shell ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHELLS)
def test_every_command_and_option_of_the_parser_is_in_the_script(name: str) -> None:
    text = script(name)
    for one in COMMANDS:
        for word in (*one.path.split(), *(n for option in one.options for n in option.names)):
            assert word in text
    assert {entry.name for entry in ENTRIES} <= {one.path for one in COMMANDS}
    assert "<<" not in text.replace("< <(", ""), "no place is left unfilled"
    assert "==SUPPRESS==" not in text


def test_the_script_of_powershell_has_the_right_form() -> None:
    """Read and never run: there is no PowerShell where this is tested."""
    text = script("powershell")
    assert text.isascii(), "5.1 reads a pipe by the console's code page"
    plain = re.sub(r"'(?:[^'\n]|'')*'", "''", re.sub(r"(?m)^ *#.*$", "", text))
    plain = re.sub(r'"[^"\n]*"', '""', plain)
    assert "'" not in plain.replace("''", ""), "every quoted text ends in its line"
    depth: list[str] = []
    for character in plain:
        if character in "({[":
            depth.append(character)
        elif character in ")}]":
            assert depth.pop() + character in ("()", "{}", "[]")
    assert depth == []
    assert plain.startswith(
        "\nRegister-ArgumentCompleter -Native -CommandName '', '' -ScriptBlock {\n    param("
    )


def entries(name: str) -> dict[str, list[str]]:
    """A table of PowerShell's script: the offered words by their key."""
    (table,) = re.findall(
        rf"^    \${name} = @{{\n(.*?)^    }}", script("powershell"), re.MULTILINE | re.DOTALL
    )
    rows = re.findall(r"^        '([^']*)' = \[ordered\]@{ (.*) }$", table, re.MULTILINE)
    assert len(rows) == len(table.splitlines())
    return {
        key: [
            word
            for word, about in re.findall(r"'((?:[^']|'')*)' = '((?:[^']|'')+)'(?:; |$)", offered)
            if about
        ]
        for key, offered in rows
    }


def test_the_tables_of_powershell_are_those_of_the_parser() -> None:
    commands, options, values = entries("commands"), entries("options"), entries("values")
    assert list(commands) == list(options) == [one.path for one in COMMANDS], "each path is in both"
    for one in COMMANDS:
        assert options[one.path] == [name for option in one.options for name in option.names]
        if one.below:
            assert commands[one.path] == [word for word, _ in one.below]
    assert commands["completion"] == list(SHELLS)
    assert values["audit --pace"] == ["polite", "fast"]
    assert values["audit --region"] == list(GEOGRAPHIES)
    assert "entra-app-proxy" in commands["rules show"]
    assert values["audit --config"] == [], "PowerShell offers files where nothing is offered"
    assert "audit --verbose" not in values
