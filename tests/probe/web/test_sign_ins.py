"""Refused sign-ins: each is counted, some leave a line, and none costs a disk or shows what it should not."""

from __future__ import annotations

import asyncio

import pytest

from exporters.metrics.catalogue import REFUSED
from probe.web.messages import Refusal
from probe.web.sign_ins import BURST, INTERVAL, SignIns
from probe.web.users import TRIES, Authenticator
from tests.probe.web.test_users import PEER, USERS, Clock, basic


def test_every_reason_is_one_of_the_catalogue_s() -> None:
    assert tuple(SignIns().refused) == REFUSED.values


def test_a_flood_leaves_a_few_lines_and_an_exact_count() -> None:
    clock, lines = Clock(), list[str]()
    sign_ins = SignIns(clock, lines.append)
    for n in range(10_000):
        sign_ins.refuse("password", f"user{n}", PEER)
    assert len(lines) == BURST
    assert sign_ins.refused["password"] == 10_000
    clock.now += INTERVAL
    sign_ins.refuse("password", "last", PEER)
    assert lines[-1] == (
        'sign-in refused: user or password is wrong (user "last", from 192.0.2.1); 9995 more since the last such line'
    )
    clock.now += 1e6
    for _ in range(100):
        sign_ins.refuse("blocked", "", PEER)
    assert len(lines) == 2 * BURST + 1


@pytest.mark.parametrize("user", ["a\nCRITICAL: forged", "\x1b[2J", "\u202eecila", "x" * 5000, "\ud800"])
def test_a_name_is_one_short_harmless_line(user: str) -> None:
    lines: list[str] = []
    SignIns(Clock(), lines.append).refuse("password", user, PEER)
    (line,) = lines
    assert line.isprintable()
    assert len(line) < 250
    line.encode()


def test_what_the_authenticator_refuses_is_told_with_name_and_address_and_never_with_the_password() -> None:
    lines: list[str] = []
    clock = Clock()
    sign_ins = SignIns(clock, lines.append)
    one = Authenticator(clock, sign_ins)

    async def tried(header: str | None) -> int:
        try:
            await one.check(USERS, header, PEER)
        except Refusal as error:
            return error.status
        return 200

    async def all_of_them() -> list[int]:
        found = [await tried(None), await tried("Basic !"), await tried(basic("alice", "wonderland"))]
        found += [await tried(basic("alice", f"s3cr3t{n}")) for n in range(TRIES)]
        return [*found, await tried(basic("alice", "wonderland"))]

    try:
        assert asyncio.run(all_of_them()) == [401, 401, 200, *[401] * TRIES, 429]
    finally:
        one.close()
    assert sign_ins.refused == {"password": TRIES, "unreadable": 1, "blocked": 1, "certificate": 0}
    assert lines[1] == 'sign-in refused: user or password is wrong (user "alice", from 192.0.2.1)'
    assert "s3cr3t" not in "".join(lines)
