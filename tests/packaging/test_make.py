"""`make serve` in clones, one's own and somebody else's (a stand-in prints the options), and the options of the demo."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534


@pytest.fixture
def clone() -> Iterator[Path]:
    """As much of a clone as `make serve` needs, where everybody may read it; the environment is there."""
    top = Path(tempfile.mkdtemp(prefix="wayclear-clone-"))
    top.chmod(0o755)
    here = top / "clone"
    shutil.copytree(ROOT / "packaging", here / "packaging")
    shutil.copytree(ROOT / "requirements", here / "requirements")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, here / name)
    programs = here / ".venv/bin"
    programs.mkdir(parents=True)
    for name, does in {"wayclear": 'echo "$@"', "python": "exit 0"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{does}\n")
        (programs / name).chmod(0o755)
    locks = "pyproject.toml requirements/run.txt requirements/dev.txt packaging/venv.sh"
    key = subprocess.run(
        ["sh", "-c", f'{{ echo "$PWD"; cat {locks}; }} | sha256sum'],
        cwd=here, capture_output=True, text=True, check=True,
    ).stdout.split()[0]  # fmt: skip
    (here / ".venv/wayclear-stamp").write_text(f"run {key}\n")
    yield here
    for path in (here, here / ".venv"):
        path.chmod(0o755)
    shutil.rmtree(top)


def made(clone: Path, *words: str, stranger: bool = False) -> subprocess.CompletedProcess[str]:
    """`make serve`, as the owner or as somebody who may only read."""
    who: dict[str, Any] = {}
    if stranger and os.geteuid() == 0:
        who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    elif stranger:
        for path in (clone, clone / ".venv"):
            path.chmod(0o555)
    environment = {"PATH": os.environ["PATH"], "HOME": "/home/somebody"}
    return subprocess.run(
        ["make", "--no-print-directory", "serve", *words],
        cwd=clone, env=environment, capture_output=True, text=True, timeout=30, check=False, **who,
    )  # fmt: skip


def test_the_history_lies_in_the_clone_and_how_to_ask_it_is_said(clone: Path) -> None:
    done = made(clone, "ARGS=--tenant contoso.example")
    assert (done.returncode, done.stdout) == (
        0,
        "serve --allow-root --state .state --tenant contoso.example\n",
    )
    assert done.stderr == "wayclear: what has changed tells: .venv/bin/wayclear history --state .state\n"
    assert (clone / ".state").is_dir()


@pytest.mark.parametrize("words", ["--state /elsewhere", "--state=/elsewhere", "--check"])
def test_nothing_is_said_of_a_history_that_lies_elsewhere_or_nowhere(clone: Path, words: str) -> None:
    done = made(clone, f"ARGS={words}")
    assert (done.returncode, done.stdout) == (0, f"serve --allow-root {words}\n")
    assert done.stderr == ""
    assert not (clone / ".state").exists()


def test_in_a_clone_of_somebody_else_s_the_history_is_the_user_s_own(clone: Path) -> None:
    done = made(clone, stranger=True)
    own = "/home/somebody/.local/state/wayclear"
    assert (done.returncode, done.stdout) == (0, f"serve --allow-root --state {own}\n")
    assert f"{clone}/.state may not be written by " in done.stderr
    assert done.stderr.endswith(f"tells: .venv/bin/wayclear history --state {own}\n")


def test_an_environment_that_cannot_be_made_says_what_to_do(clone: Path) -> None:
    (clone / ".venv/wayclear-stamp").unlink()
    done = made(clone, stranger=True)
    assert done.returncode == 2, "make's own word for a target that failed"
    assert f"may not write in {clone}, where the environment .venv belongs." in done.stderr
    assert f"or take a copy of your own: cp -r {clone} ~/" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("option", "code"), [("--help", 0), ("-h", 0), ("--bogus", 2)])
def test_the_demo_tells_its_use_and_runs_nothing(option: str, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab.demo", option],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = done.stdout or done.stderr
    assert (done.returncode, told.startswith("usage: python -m tests.lab.demo ")) == (code, True)
    assert "=====" not in done.stdout, "no network was made"
