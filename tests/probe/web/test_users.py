"""Basic authentication against bcrypt: who gets in, what an attacker learns and what it costs."""

from __future__ import annotations

import asyncio
import base64
import logging
import statistics
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import bcrypt
import pytest

from probe.web import users as web_auth
from probe.web.messages import Refusal
from probe.web.users import MOST_WAITING, Authenticator, Users, hash_fault
from tests.probe.http_raw import bcrypt_hash

T = TypeVar("T")
USERS = Users({"alice": bcrypt_hash("wonderland").encode(), "björn": bcrypt_hash("pässword").encode()})
PEER = "192.0.2.1"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def basic(user: str, password: str | bytes) -> str:
    password = password.encode() if isinstance(password, str) else password
    return "Basic " + base64.b64encode(user.encode() + b":" + password).decode()


def run(use: Callable[[Authenticator], Awaitable[T]], clock: Callable[[], float] = time.monotonic) -> T:
    async def inside() -> T:
        one = Authenticator(clock)
        try:
            return await use(one)
        finally:
            one.close()

    return asyncio.run(inside())


async def status(one: Authenticator, header: str | None, peer: str = PEER, users: Users = USERS) -> int:
    try:
        await one.check(users, header, peer)
    except Refusal as error:
        refusal = error
    else:
        return 200
    if refusal.status == 401:
        assert dict(refusal.headers)["WWW-Authenticate"].startswith('Basic realm="wayclear"')
    else:
        assert int(dict(refusal.headers)["Retry-After"]) >= 1
    return refusal.status


def counting(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The hashes that are computed from now on."""
    asked: list[bytes] = []
    really = bcrypt.checkpw

    def checkpw(password: bytes, known: bytes) -> bool:
        asked.append(known)
        return really(password, known)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    return asked


@pytest.mark.parametrize(("user", "password"), [("alice", "wonderland"), ("björn", "pässword")])
def test_who_knows_the_password_gets_in(user: str, password: str) -> None:
    assert run(lambda one: one.check(USERS, basic(user, password), PEER)) == user
    assert run(lambda one: one.check(USERS, basic(user, password).replace("Basic", "bAsIc"), PEER)) == user


@pytest.mark.parametrize("prefix", ["$2a$", "$2b$", "$2y$"])
def test_every_prefix_that_exporter_toolkit_takes(prefix: str) -> None:
    known = prefix + bcrypt_hash("x")[4:]
    assert hash_fault(known) == ""
    assert run(lambda one: one.check(Users({"a": known.encode()}), basic("a", "x"), PEER)) == "a"


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic", "Basic ", "Basic !!!!", "Basic YWxpY2U=", "Bearer x", basic("alice", "") + "=", "Digest a",
     basic("alice", "Wonderland"), basic("", ""), basic("Alice", "wonderland"), basic("nobody", "wonderland"),
     "Basic " + base64.b64encode(b"\xff\xfe:x").decode(), basic("alice", "x" * 2000), basic("alice", b"a\0b"),
     basic("alice", "wonderland") + ", " + basic("alice", "wonderland")],
)  # fmt: skip
def test_everything_else_is_401(header: str | None) -> None:
    assert run(lambda one: status(one, header)) == 401


def test_a_password_of_more_than_72_bytes_is_wrong_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    users = Users({"a": bcrypt_hash("x" * 72).encode()})
    asked = counting(monkeypatch)

    async def use(one: Authenticator) -> list[int]:
        return [await status(one, basic("a", "x" * n), users=users) for n in (72, 73, 500)]

    assert run(use) == [200, 401, 401]
    assert len(asked) == 3  # as long as any other wrong one takes


def test_a_right_password_costs_one_hash_until_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch)
    changed = Users({"alice": bcrypt_hash("other").encode()})

    async def use(one: Authenticator) -> list[int]:
        good = basic("alice", "wonderland")
        found = [await status(one, good) for _ in range(50)]
        found += await asyncio.gather(*(status(one, basic("björn", "pässword")) for _ in range(10)))
        return [*found, await status(one, good, users=changed), await status(one, good)]

    assert run(use) == [200] * 60 + [401, 200]
    assert len(asked) == 3


def test_after_five_wrong_tries_an_address_waits_whatever_it_sends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = counting(monkeypatch)
    clock = Clock()

    async def use(one: Authenticator) -> list[int]:
        found = []
        for clock.now in (0.0, 10.0, 20.0, 30.0, 40.0):
            found.append(await status(one, basic("alice", f"guess {clock.now}")))
        clock.now = 50.0
        found += [await status(one, basic("alice", "guess")), await status(one, basic("alice", "wonderland"))]
        found += [await status(one, None), await status(one, basic("alice", "wonderland"), "192.0.2.2")]
        clock.now = 60.0  # the first one is a minute ago
        found += [await status(one, basic("alice", "guess")), await status(one, basic("alice", "guess"))]
        clock.now = 140.0
        return [*found, await status(one, basic("alice", "wonderland"))]

    assert run(use, clock) == [401] * 5 + [429, 429, 429, 200] + [401, 429] + [200]
    assert len(asked) == 7  # nothing is computed for an address that waits


def test_a_remembered_password_is_no_oracle() -> None:
    """An address that waits must not learn by speed or by answer whether a guess is what somebody else sent."""

    async def use(one: Authenticator) -> list[int]:
        await status(one, basic("alice", "wonderland"), "192.0.2.9")
        for i in range(5):
            await status(one, basic("alice", f"{i}"))
        return [await status(one, basic("alice", "wonderland")), await status(one, basic("alice", "w"))]

    assert run(use) == [429, 429]


def test_tries_at_once_are_no_more_than_tries_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counting(monkeypatch)

    async def use(one: Authenticator) -> list[int]:
        return await asyncio.gather(*(status(one, basic("alice", f"{i}")) for i in range(MOST_WAITING)))

    assert sorted(run(use)) == [401] * 5 + [429] * (MOST_WAITING - 5)
    assert len(asked) == 5


def test_a_network_of_ipv6_counts_as_one_address() -> None:
    async def use(one: Authenticator) -> list[int]:
        found = [await status(one, basic("alice", "x"), f"2001:db8:0:1::{i}") for i in range(1, 7)]
        return [*found, await status(one, basic("alice", "x"), "2001:db8:0:2::1")]

    assert run(use) == [401] * 5 + [429, 401]


def test_many_addresses_get_two_hashes_at_a_time_and_the_rest_503(monkeypatch: pytest.MonkeyPatch) -> None:
    both, hold = threading.Semaphore(0), threading.Event()
    running: list[int] = []

    def checkpw(password: bytes, known: bytes) -> bool:
        running.append(1)
        both.release()
        assert hold.wait(10)
        return False

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)

    async def use(one: Authenticator) -> list[int]:
        tasks = [
            asyncio.create_task(status(one, basic("alice", "x"), f"192.0.2.{i}"))
            for i in range(MOST_WAITING + 4)
        ]
        loop = asyncio.get_running_loop()
        for _ in range(2):
            assert await loop.run_in_executor(None, both.acquire, True, 10)
        assert len(running) == 2
        assert [task.done() for task in tasks] == [False] * MOST_WAITING + [True] * 4
        hold.set()
        return await asyncio.gather(*tasks)

    assert run(use) == [401] * MOST_WAITING + [503] * 4


def test_an_unknown_user_takes_as_long_as_a_known_one() -> None:
    users = Users({"alice": bcrypt_hash("x", 6).encode(), "bob": bcrypt_hash("y", 8).encode()})
    assert users.dummy.startswith(b"$2b$08$")
    assert hash_fault(users.dummy.decode()) == ""

    async def took(one: Authenticator, user: str, peer: str) -> float:
        begin = time.perf_counter()
        assert await status(one, basic(user, "wrong"), peer, users) == 401
        return time.perf_counter() - begin

    async def use(one: Authenticator) -> tuple[float, float]:
        known, unknown = [], []
        for i in range(15):
            known.append(await took(one, "bob", f"198.51.100.{i}"))
            unknown.append(await took(one, f"nobody {i}", f"203.0.113.{i}"))
        return statistics.median(known), statistics.median(unknown)

    known, unknown = run(use)
    assert 0.5 < known / unknown < 2


def test_the_hash_leaves_the_loop_free() -> None:
    users = Users({"alice": bcrypt_hash("x", 11).encode()})

    async def use(one: Authenticator) -> int:
        checking = asyncio.create_task(status(one, basic("alice", "y"), users=users))
        turns = 0
        while not checking.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert await checking == 401
        return turns

    assert run(use) > 10


def test_addresses_and_passwords_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web_auth, "_ADDRESSES", 20)
    monkeypatch.setattr(web_auth, "_REMEMBERED", 1)

    async def use(one: Authenticator) -> None:
        for i in range(30):
            assert await status(one, basic("alice", "x"), f"10.0.0.{i}") == 401
        for user, password in (("alice", "wonderland"), ("björn", "pässword")):
            assert await status(one, basic(user, password)) == 200
        assert len(one._addresses) == 20
        assert len(one._right) == 1

    run(use)


def test_no_secret_in_memory_or_logs(caplog: pytest.LogCaptureFixture) -> None:
    async def use(one: Authenticator) -> str:
        await status(one, basic("alice", "wonderland"))
        await status(one, basic("alice", "hunter2"))
        return repr(vars(one)) + repr(USERS)

    with caplog.at_level(logging.DEBUG):
        kept = run(use)
    for secret in ("wonderland", "hunter2", "$2b$"):
        assert secret not in kept
        assert secret not in caplog.text
