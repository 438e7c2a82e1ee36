"""The question for the tenant, on real terminals."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import pytest

from probe.command.ask_tenant import ask_tenant
from probe.config.settings import Config, load_rules

TENANT = "11111111-2222-3333-4444-555555555555"
RULES = load_rules(("entra-app-proxy",), ("microsoft-azure",))
SHARED = load_rules(("entra-cloud-sync",), ("microsoft-azure",))


@contextmanager
def terminal() -> Iterator[tuple[TextIO, TextIO, int]]:
    """A terminal: the program's two ends, and the user's."""
    user, program = os.openpty()
    with os.fdopen(os.dup(program), "r") as reader, os.fdopen(program, "w") as writer:
        try:
            yield reader, writer, user
        finally:
            os.close(user)


def nothing(_: object) -> None:
    """No connector is installed here."""


@pytest.mark.parametrize(
    ("typed", "tenant"),
    [("contoso.onmicrosoft.com\n", "contoso.onmicrosoft.com"), ("\n", None), (" \n", None)],
)
def test_it_asks_once_and_enter_skips_it(typed: str, tenant: str | None) -> None:
    with terminal() as (reader, writer, user):
        os.write(user, typed.encode())
        assert ask_tenant(Config(), RULES, reader, writer, nothing) == tenant
        shown = ""
        while "Enter alone skips it" not in shown:  # the terminal's echo comes by itself
            shown += os.read(user, 4096).decode()


def test_it_does_not_ask_where_the_tenant_is_known() -> None:
    with terminal() as (reader, writer, user):
        os.write(user, b"other\n")
        assert (
            ask_tenant(Config(tenant="1" * 8 + "-2222-3333-4444-" + "5" * 12), RULES, reader, writer) is None
        )
        assert ask_tenant(Config(), RULES, reader, writer, lambda _: "known") is None
        assert ask_tenant(Config(only="login.*"), RULES, reader, writer, nothing) is None


def test_it_does_not_ask_in_a_pipe() -> None:
    source, target = os.pipe()
    with (
        os.fdopen(source, "r") as reader,
        os.fdopen(target, "w") as pipe,
        terminal() as (typed, writer, user),
    ):
        os.write(user, b"other\n")
        assert ask_tenant(Config(), RULES, reader, writer, nothing) is None
        assert ask_tenant(Config(), RULES, typed, pipe, nothing) is None


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("not a tenant!!", "is neither a tenant's id nor a domain: the audit goes on without it."),
        (TENANT, f"Tenant       {TENANT} ("),
        ("", "not given, so the tenant's own names were not tested"),
    ],
)
def test_what_is_typed_is_what_the_audit_uses(typed: str, told: str, tmp_path: Path) -> None:
    """On a terminal and in a network of its own; nothing answers the names, which is no matter here."""
    config = tmp_path / "wayclear.toml"
    config.write_text('resolvers = ["127.0.0.1"]\n')
    user, program = os.openpty()
    command = [sys.executable, "-m", "probe", "audit", "--budget", "2", "--config", str(config)]
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--net", *command],
        stdin=program,
        stdout=program,
        stderr=program,
        start_new_session=True,
    ) as audit:
        os.close(program)
        os.write(user, typed.encode() + b"\n")
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed (EIO)
            while piece := os.read(user, 65_536):
                shown += piece
    os.close(user)
    assert told in shown.decode()
    assert b"NOT PROVEN" in shown
    assert audit.returncode == 3
