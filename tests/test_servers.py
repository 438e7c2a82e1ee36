"""The servers that tests use close what they opened."""

import asyncio
import contextlib
import gc
import socket
import ssl
import warnings
from pathlib import Path

import pytest

from tests import pki
from tests.servers import Talk, page, server_context, serving, silent


@pytest.mark.parametrize("talk", [page(), silent], ids=["it has answered and closed", "it is still reading"])
@pytest.mark.parametrize("turns", [0, 1, 2, 3, 4, 50])
def test_leaving_a_server_closes_tls_connections_whose_client_says_no_goodbye(
    tmp_path: Path, talk: Talk, turns: int
) -> None:
    """`turns`: how far the server has come, in turns of its loop, when it is left."""
    context = server_context(pki.authority("Root").leaf(["server.example"]), tmp_path)
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def asked(port: int) -> socket.socket:
        client = trusting.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return client

    async def whole(clients: contextlib.ExitStack) -> None:
        async with serving(talk, context) as place:
            if turns == 50:
                clients.enter_context(await asyncio.to_thread(asked, place.port))
            else:
                clients.enter_context(socket.create_connection(("127.0.0.1", place.port)))
            for _ in range(turns):
                await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as heard, contextlib.ExitStack() as clients:
        warnings.simplefilter("always")
        asyncio.run(whole(clients))
        gc.collect()
    assert [str(one.message) for one in heard if one.category is ResourceWarning] == []
