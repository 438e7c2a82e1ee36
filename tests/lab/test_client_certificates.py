"""Servers that this project did not write, each of which requires a client certificate: all of them are reached.

OpenSSL's `s_server -Verify` and GnuTLS's `gnutls-serv --require-client-cert` end the handshake or the session, nginx
completes it and answers 400 inside (as IIS and HTTP.sys answer 403).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.tls_handshake import measure
from rules.model.failure import Code
from rules.model.kinds.tls_handshake import Hello, TlsFacts, TlsHandshake
from rules.model.observation import Observation, got_through
from rules.model.verdict import Status, Verdict
from tests.pki import Leaf
from tests.probe.handshakes import LIMITS, stolen
from tests.rules.script import BOOTSTRAP, QUIET, RELAYS, healthy, judged, leaf, rows

pytestmark = pytest.mark.lab

PATIENCE = 20.0  # seconds within which a server must listen

Command = Callable[[Path, Path, int, Path], list[str]]
"""The server's command line for a certificate file, a key file, a port and a directory of its own."""


def openssl(*versions: str) -> Command:
    def command(chain: Path, key: Path, port: int, _: Path) -> list[str]:
        files = ["-cert", f"{chain}", "-cert_chain", f"{chain}", "-key", f"{key}"]
        return [
            "openssl",
            "s_server",
            "-accept",
            f"127.0.0.1:{port}",
            *files,
            *versions,
            "-Verify",
            "1",
            "-quiet",
        ]

    return command


def gnutls(priority: str) -> Command:
    def command(chain: Path, key: Path, port: int, _: Path) -> list[str]:
        files = ["--x509certfile", f"{chain}", "--x509keyfile", f"{key}", "--x509cafile", f"{chain}"]
        return ["gnutls-serv", "--priority", priority, "-p", f"{port}", *files, "--require-client-cert"]

    return command


def nginx(protocols: str) -> Command:
    def command(chain: Path, key: Path, port: int, directory: Path) -> list[str]:
        paths = "".join(
            f"{kind}_temp_path {directory};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        (directory / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; events {{}}"
            f"http {{ access_log off; {paths} server {{ listen 127.0.0.1:{port} ssl; ssl_protocols {protocols};"
            f"ssl_certificate {chain}; ssl_certificate_key {key};"
            f"ssl_client_certificate {chain}; ssl_verify_client on; }} }}"
        )
        return ["nginx", "-c", f"{directory}/nginx.conf", "-p", f"{directory}"]

    return command


@contextlib.contextmanager
def running(command: Command, shown: Leaf, directory: Path, key: Path | None = None) -> Iterator[int]:
    """The server with the certificates of `shown`; its port, once it listens."""
    chain, own = shown.write(directory)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with (directory / "log").open("wb") as log:
        server = subprocess.Popen(
            command(chain, key or own, port, directory), stdin=subprocess.PIPE, stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            assert server.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < until, (directory / "log").read_text()
            time.sleep(0.05)
        yield port
    finally:
        server.kill()
        server.communicate()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
    except ConnectionRefusedError:
        return False
    return True


def seen_at(port: int, hello: Hello, path: str | None) -> Observation:
    step = TlsHandshake("127.0.0.1", port, BOOTSTRAP, hello, path)
    return asyncio.run(measure(step, HostNetwork(), replace(LIMITS, tls=PATIENCE, first_byte=PATIENCE)))


def verdicts(seen: Observation, name: str = BOOTSTRAP) -> list[Verdict]:
    """What an audit says in which every judging handshake with the name was met with this."""
    assert isinstance(seen.evidence, TlsFacts)
    answer = (seen.failure, seen.evidence) if seen.failure is not None else seen.evidence
    report = judged(healthy().when(TlsHandshake, answer, server_name=name, hello="connector"), plan=QUIET)
    return rows(report, name, address="203.0.113.1" if name == BOOTSTRAP else "203.0.113.11")


TLS12: dict[str, Command] = {
    "openssl": openssl("-tls1_2"),
    "openssl, 1.2 and 1.3": openssl(),
    "nginx": nginx("TLSv1.2"),
    "nginx, 1.2 and 1.3": nginx("TLSv1.2 TLSv1.3"),
}
TLS13: dict[str, Command] = {
    "openssl": openssl("-tls1_3"),
    "gnutls": gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.3"),
    "nginx": nginx("TLSv1.3"),
}


@pytest.mark.parametrize("path", [None, "/ConnectorBootstrap"])
@pytest.mark.parametrize("server", TLS12)
def test_a_server_that_requires_a_client_certificate_in_tls_1_2_is_reached(
    server: str, path: str | None, tmp_path: Path
) -> None:
    with running(TLS12[server], leaf(BOOTSTRAP), tmp_path) as port:
        seen = seen_at(port, "connector", path)
    assert isinstance(seen.evidence, TlsFacts)
    assert (seen.evidence.client_certificate_asked, seen.evidence.key_proven) == (True, True)
    assert (seen.evidence.version, seen.evidence.certificate_sent, got_through(seen)) == (
        "TLSv1.2",
        True,
        True,
    )
    found = {v.check: v for v in verdicts(seen)}
    assert (found["tls"].status, found["tls"].cause.word) == (Status.PASS, "ok")
    assert all(v.status in (Status.PASS, Status.NOT_APPLICABLE) for v in found.values())
    if "openssl" in server:
        assert "asks for a client certificate" in found["tls"].summary
    elif path:
        assert "HTTP 400" in found["http"].summary


@pytest.mark.parametrize("path", [None, "/renewTrust"])
@pytest.mark.parametrize("server", TLS13)
def test_in_tls_1_3_the_handshake_stands_and_the_end_comes_at_the_first_read(
    server: str, path: str | None, tmp_path: Path
) -> None:
    """RFC 8446 section 4.4.2.4: the server says what it thinks of our Certificate after our Finished."""
    with running(TLS13[server], leaf(BOOTSTRAP), tmp_path) as port:
        seen = seen_at(port, "tls13", path)
    assert isinstance(seen.evidence, TlsFacts)
    assert (seen.failure, seen.evidence.version) == (None, "TLSv1.3")
    assert (
        seen.evidence.client_certificate_asked,
        seen.evidence.key_proven,
        seen.evidence.certificate_sent,
    ) == (
        True,
        True,
        True,
    )
    ends = (400, "") if server == "nginx" else (None, "alert 116")
    assert (seen.evidence.http_status, seen.evidence.http_failure) == (ends if path else (None, ""))


@pytest.mark.parametrize("hello", ["connector", "tls13"])
def test_the_genuine_chain_without_its_key_is_never_reached(hello: Hello, tmp_path: Path) -> None:
    shown = leaf(BOOTSTRAP)
    with running(openssl(), shown, tmp_path, stolen(shown, tmp_path)) as port:
        seen = seen_at(port, hello, None)
    assert isinstance(seen.evidence, TlsFacts)
    assert seen.evidence.chain[0] == shown.chain[0]
    assert (seen.evidence.client_certificate_asked, seen.evidence.key_proven, got_through(seen)) == (
        True,
        False,
        False,
    )
    tls = next(v for v in verdicts(seen) if v.check == "tls")
    assert (tls.status, tls.cause.word) == (Status.FAIL, "tls.malformed")


def test_a_relay_of_which_no_rule_expects_it_is_reached_with_a_notice(tmp_path: Path) -> None:
    with running(openssl("-tls1_2"), leaf(RELAYS[0]), tmp_path) as port:
        seen = seen_at(port, "connector", None)
    tls = next(v for v in verdicts(seen, RELAYS[0]) if v.check == "tls")
    assert (tls.status, tls.cause.word) == (Status.NOTICE, "ok")
    assert "does not expect" in tls.summary


def test_an_alert_that_answers_no_missing_certificate_is_an_alert(tmp_path: Path) -> None:
    """GnuTLS 3.7 calls an empty Certificate of TLS 1.2 wrongly encoded (decode_error): that says nothing of its policy."""
    with running(gnutls("NORMAL:-VERS-ALL:+VERS-TLS1.2"), leaf(BOOTSTRAP), tmp_path) as port:
        seen = seen_at(port, "connector", None)
    assert seen.failure is not None
    assert (seen.failure.code, seen.failure.alert, got_through(seen)) == (Code.ALERT, 50, False)
    assert next(v for v in verdicts(seen) if v.check == "tls").cause.word == "tls.alert"
