"""Which connection the rate lets go first."""

from __future__ import annotations

import asyncio
import time

import pytest

from probe.host.token_bucket import TokenBucket
from probe.watch.asker import Admission, Priority
from tests.probe.looped import looping


@looping
async def test_what_a_change_waits_for_goes_first_and_equals_go_in_order() -> None:
    admission, bucket, went = Admission(), TokenBucket(50.0, 1), list[str]()

    async def connect(name: str, priority: Priority) -> None:
        await admission.admit(bucket, 1, priority)
        went.append(name)

    bucket.take(time.monotonic())
    wanted = {
        "extra": Priority.EXTRA,
        "regular": Priority.REGULAR,
        "regular too": Priority.REGULAR,
        "awaited": Priority.AWAITED,
        "change": Priority.CHANGE,
    }
    await asyncio.gather(*(connect(name, priority) for name, priority in wanted.items()))
    assert went == ["change", "awaited", "regular", "regular too", "extra"]


@looping
async def test_one_that_gives_up_keeps_nobody_waiting() -> None:
    admission, bucket = Admission(), TokenBucket(50.0, 1)
    bucket.take(time.monotonic())
    first = asyncio.create_task(admission.admit(bucket, 1, Priority.CHANGE))
    second = asyncio.create_task(admission.admit(bucket, 1, Priority.REGULAR))
    await asyncio.sleep(0)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first


@looping
async def test_a_lookup_of_several_connections_spends_all_their_tokens() -> None:
    admission, bucket = Admission(), TokenBucket(50.0, 1)
    await admission.admit(bucket, 3, Priority.REGULAR)
    assert bucket.wait(time.monotonic()) > 2 / 50.0
