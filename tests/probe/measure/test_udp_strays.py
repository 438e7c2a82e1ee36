"""A socket that shows who answers without having been asked."""

from __future__ import annotations

import socket

import pytest

from probe.measure.udp_strays import LOOKED_AT, UnconnectedSocket


def bound(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((address, 0))
    sock.settimeout(5.0)
    return sock


def watching(server: socket.socket) -> UnconnectedSocket:
    sock = socket.socket(server.family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    return UnconnectedSocket(sock, server.getsockname())


@pytest.mark.parametrize(("asked", "other"), [("127.0.0.1", "127.0.0.2"), ("::1", "::1")])
def test_what_comes_from_elsewhere_is_seen_and_the_one_that_was_asked_is_not(asked: str, other: str) -> None:
    with bound(asked) as server, bound(other) as stranger:
        strays = watching(server)
        assert strays.arrived() == []
        strays.send(b"question")
        question, peer = server.recvfrom(100)
        assert question == b"question"
        server.sendto(b"answer", peer)
        stranger.sendto(b"stray", peer)
        address, port = stranger.getsockname()[:2]
        assert strays.arrived() == [(b"stray", address, port)]
        strays.close()
        strays.close()  # twice is fine


def test_a_flood_is_looked_at_in_part() -> None:
    with bound("127.0.0.1") as server, bound("127.0.0.1") as stranger:
        strays = watching(server)
        strays.send(b"question")
        _, peer = server.recvfrom(100)
        for _ in range(2 * LOOKED_AT):
            stranger.sendto(b"x", peer)
        assert 0 < len(strays.arrived()) <= LOOKED_AT
        strays.close()


def test_a_port_that_nobody_listens_on_is_silence() -> None:
    with bound("127.0.0.1") as server:
        strays = watching(server)
    strays.send(b"question")
    strays.send(b"again")
    assert strays.arrived() == []
    strays.close()


def test_what_cannot_be_sent_is_not_sent() -> None:
    with bound("127.0.0.1") as server:
        strays = watching(server)
        strays.send(bytes(70_000))
        assert strays.arrived() == []
        strays.close()
