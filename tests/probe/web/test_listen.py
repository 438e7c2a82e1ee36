"""Where the server listens, and where it refuses to."""

from __future__ import annotations

import errno
import socket

import pytest

from probe.errors import CommandError
from probe.web import listen
from probe.web.exporter_toolkit import WebConfig
from probe.web.listen import (
    LOOPBACK,
    bound_address,
    check_exposure,
    missing_protection,
    open_sockets,
    parse_addresses,
)
from probe.web.tls import ClientAuth, TlsSettings
from probe.web.users import Users

TLS = TlsSettings("a", "b")
USERS = Users({"a": b"$2b$04$" + b"." * 53})


def test_the_default_is_loopback_of_both_families() -> None:
    assert [str(place) for place in parse_addresses(LOOPBACK)] == ["127.0.0.1:19115", "[::1]:19115"]
    check_exposure(parse_addresses(LOOPBACK), None, False)


@pytest.mark.parametrize(
    "text", ["", "19115", ":19115", "localhost:19115", "127.0.0.1", "127.0.0.1:65536", "::1:80", "[127.0.0.1]:80",
             "127.0.0.1:١", "[::1]", "1.2.3:80", "127.0.0.1:80\n"],
)  # fmt: skip
def test_what_is_no_address_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(
        CommandError, match=r"write an address and a port, as in 127\.0\.0\.1:19115"
    ) as caught:
        parse_addresses([text])
    assert "\n" not in caught.value.what


def test_nowhere_is_no_place() -> None:
    with pytest.raises(CommandError, match="no address"):
        parse_addresses([])


@pytest.mark.parametrize(
    "place", ["0.0.0.0:1", "[::]:1", "192.0.2.1:1", "[2001:db8::1]:1", "[::ffff:127.0.0.1]:1"]
)
@pytest.mark.parametrize(
    ("config", "why"),
    [
        (None, "there is no web configuration"),
        (WebConfig("f"), "no TLS"),
        (WebConfig("f", users=USERS), "no TLS"),
        (WebConfig("f", tls=TLS), "asks nobody"),
        (WebConfig("f", tls=TlsSettings("a", "b", "c", ClientAuth.VERIFY_IF_GIVEN)), "asks nobody"),
    ],
)
def test_beyond_loopback_needs_tls_and_somebody_who_asks(
    place: str, config: WebConfig | None, why: str
) -> None:
    with pytest.raises(CommandError, match=why) as caught:
        check_exposure(parse_addresses([LOOPBACK[0], place]), config, False)
    assert "--web.config.file with tls_server_config" in caught.value.advice
    assert listen.ALLOW_INSECURE in caught.value.advice
    check_exposure(parse_addresses([place]), config, True)


def test_tls_with_users_or_with_client_certificates_may_listen_anywhere() -> None:
    for config in (
        WebConfig("f", tls=TLS, users=USERS),
        WebConfig("f", tls=TlsSettings("a", "b", "c", ClientAuth.REQUIRE_AND_VERIFY)),
    ):
        assert missing_protection(config) == ""
        check_exposure(parse_addresses(["0.0.0.0:1"]), config, False)


def test_a_port_that_is_taken_is_told_and_nothing_stays_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=f"cannot listen on 127.0.0.1:{port}: the port is taken"):
            open_sockets(parse_addresses(["[::1]:0", f"127.0.0.1:{port}"]))


def test_an_address_that_this_host_has_not() -> None:
    with pytest.raises(CommandError, match=r"192\.0\.2\.1:0: no interface has that address"):
        open_sockets(parse_addresses(["192.0.2.1:0"]))


def test_both_families_have_sockets_of_their_own() -> None:
    sockets = open_sockets(parse_addresses(["127.0.0.1:0", "[::1]:0"]))
    try:
        assert [bound_address(sock).rpartition(":")[0] for sock in sockets] == ["127.0.0.1", "[::1]"]
    finally:
        for sock in sockets:
            sock.close()


def test_a_host_without_ipv6_does_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    really = listen._listening

    def without(place: listen.ListenAddress) -> socket.socket:
        if place.address.version == 6:
            raise OSError(errno.EADDRNOTAVAIL, "Cannot assign requested address")
        return really(place)

    monkeypatch.setattr(listen, "_listening", without)
    (only,) = open_sockets(parse_addresses(["127.0.0.1:0", "[::1]:0"]))
    only.close()
    with pytest.raises(CommandError, match=r"\[::1\]:0: no interface"):
        open_sockets(parse_addresses(["[::1]:0"]))
