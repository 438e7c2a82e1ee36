"""Who may ask what, over real sockets: Host, pages from elsewhere, rates, users, and the headers of every answer."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from probe.web.access import host_name
from probe.web.app import HttpServer
from probe.web.exporter_toolkit import WebConfigFile
from probe.web.messages import Response
from tests.probe.http_raw import PATIENT, TLS, Asked, ask, bcrypt_hash, pki, web

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


async def statuses(server: HttpServer, *hosts: str) -> list[int]:
    return [(await ask(server, host=host)).status for host in hosts]


def test_a_name_that_is_not_ours_is_refused_and_never_reaches_a_page() -> None:
    asked = Asked()

    async def main() -> None:
        async with web(asked, hosts=("Prober.example.test",)) as server:
            port = server.addresses[0].rpartition(":")[2]
            rebound = (
                "evil.example", f"evil.example:{port}", "localhost.evil.example", "127.0.0.1.evil.example",
                "2130706433", "0x7f.1", "127.1", "prober.example.test.evil.example", "xn--lcalhost-ieb",
            )  # fmt: skip
            assert await statuses(server, *rebound) == [421] * len(rebound)
            broken = (
                "",
                "a b",
                "user@localhost",
                "localhost/",
                "[::1",
                "localhost:x",
                "::1",
                "localhost:123456",
            )
            assert await statuses(server, *broken) == [400] * len(broken)
            assert asked.requests == []
            own = socket.gethostname()
            good = (
                "localhost", f"localhost:{port}", "LocalHost.", "127.0.0.1", f"127.0.0.1:{port}", "[::1]", "[::1]:1",
                "192.0.2.1", own, own.upper(), "prober.example.test", "PROBER.example.test.:1",
            )  # fmt: skip
            assert await statuses(server, *good) == [200] * len(good)

    asyncio.run(main())


def test_over_tls_the_names_of_the_certificate_are_ours(tmp_path: Path) -> None:
    made = pki(tmp_path, names=("localhost", "prober.example.test", "*.probers.example.test"))

    async def main() -> None:
        async with web(Asked(), PATIENT, web_config=WebConfigFile(str(made.config))) as server:
            names = (
                "prober.example.test",
                "a.probers.example.test",
                "b.a.probers.example.test",
                "evil.example",
            )
            found = [(await ask(server, host=name, context=made.client())).status for name in names]
            assert found == [200, 200, 421, 421]

    asyncio.run(main())


@pytest.mark.parametrize(
    ("method", "header", "status"),
    [
        ("POST", "Origin: http://evil.example", 403), ("POST", "Origin: null", 403), ("POST", "Origin: http://localhost", 403),
        ("PUT", "Origin: http://evil.example", 403), ("POST", "Sec-Fetch-Site: cross-site", 403),
        ("POST", "Sec-Fetch-Site: same-site", 403), ("POST", "Sec-Fetch-Site: x", 403),
        ("POST", "Sec-Fetch-Site: same-origin", 200), ("POST", "Sec-Fetch-Site: none", 200), ("POST", "X-A: 1", 200),
        ("GET", "Origin: http://evil.example", 200), ("GET", "Sec-Fetch-Site: cross-site", 200),
    ],
)  # fmt: skip
def test_a_page_from_elsewhere_changes_nothing(method: str, header: str, status: int) -> None:
    asked = Asked()

    async def main() -> None:
        async with web(asked) as server:
            answer = await ask(server, "/-/reload", header, method=method)
            assert answer.status == status
            assert len(asked.requests) == (status == 200)
            assert not any(name.startswith("access-control") for name in answer.headers)

    asyncio.run(main())


def test_security_headers_are_on_every_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with web(Asked()) as server:
            for path, host, method in (("/", "localhost", "GET"), ("/", "evil.example", "GET"), ("*", "localhost", "GET"),
                                       ("/", "localhost", "DELETE")):  # fmt: skip
                answer = await ask(server, path, host=host, method=method)
                assert SECURITY.items() <= answer.headers.items()
                assert "server" not in answer.headers

    asyncio.run(main())


def test_a_page_sets_its_own_policy_and_the_configuration_adds_to_it(tmp_path: Path) -> None:
    policy = "default-src 'none'; style-src 'sha256-abc'"
    asked = Asked(
        Response(200, b"", headers=(("Content-Security-Policy", policy), ("Cache-Control", "max-age=1")))
    )
    path = tmp_path / "web.yml"
    path.write_text(
        "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n"
        "    Content-Security-Policy: frame-src 'none'\n    Strict-Transport-Security: max-age=1\n"
    )

    async def main() -> None:
        async with web(asked, web_config=WebConfigFile(str(path))) as server:
            raw = await ask(server)
            assert raw.headers["x-frame-options"] == "sameorigin"
            assert raw.headers["strict-transport-security"] == "max-age=1"
            assert raw.headers["cache-control"] == "max-age=1"
            found = server.headers(asked.answer)
            assert [v for k, v in found if k == "Content-Security-Policy"] == [policy, "frame-src 'none'"]

    asyncio.run(main())


def test_users_are_asked_for_everything(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users:\n  alice: {bcrypt_hash('wonderland')}\n")
    asked = Asked()

    async def main() -> None:
        async with web(asked, PATIENT, web_config=WebConfigFile(str(path))) as server:
            for page in ("/", "/metrics", "/-/healthy", "/none"):
                answer = await ask(server, page)
                assert (answer.status, answer.headers["www-authenticate"]) == (
                    401,
                    'Basic realm="wayclear", charset="UTF-8"',
                )
            assert asked.requests == []
            good = "Authorization: Basic YWxpY2U6d29uZGVybGFuZA=="
            assert (await ask(server, "/metrics", good)).status == 200
            assert asked.requests[0].user == "alice"
            found = [(await ask(server, "/", "Authorization: Basic YWxpY2U6eA==")).status for _ in range(6)]
            assert found == [401] * 5 + [429]
            assert (await ask(server, "/", good)).status == 429

    asyncio.run(main())


def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    text = TLS + (
        "  client_ca_file: ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n"
        "  client_allowed_sans: [prometheus.example.test, 'spiffe://example.test/scraper', 192.0.2.7]\n"
    )
    made = pki(tmp_path, text)
    asked = Asked()

    async def main() -> None:
        async with web(asked, PATIENT, web_config=WebConfigFile(str(made.config))) as server:
            names = ("prometheus.example.test", "spiffe://example.test/scraper", "192.0.2.7", "other.example.test",
                     "x.prometheus.example.test", "192.0.2.8")  # fmt: skip
            found = [(await ask(server, context=made.client(name))).status for name in names]
            assert found == [200, 200, 200, 403, 403, 403]
            assert len(asked.requests) == 3

    asyncio.run(main())


def test_rate_limit(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("rate_limit: {interval: 10s, burst: 3}")

    async def main() -> None:
        async with web(Asked(), web_config=WebConfigFile(str(path))) as server:
            answers = [await ask(server) for _ in range(5)]
            assert [answer.status for answer in answers] == [200, 200, 200, 429, 429]
            assert answers[3].headers["retry-after"] == "10"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("A.Example.:80", "a.example"),
        ("[::1]:80", "::1"),
        ("a_b", "a_b"),
        ("a:b", ""),
        ("ä", ""),
        ("a" * 254, ""),
    ],
)
def test_the_name_of_a_host_header(host: str, name: str) -> None:
    assert host_name(host) == name
