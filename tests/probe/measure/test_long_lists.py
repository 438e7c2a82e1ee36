"""Many long lists at once, from real servers: few are read at a time, the same one is kept once, the sum is bounded."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from dataclasses import replace

from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.http_fetch import measure
from probe.measure.limits import Limits
from probe.measure.long_lists import TURN_AFTER, TURNS, LongLists
from rules.model.failure import Code, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.long_list import LongList
from rules.model.observation import Observation
from rules.pki.long_list import ListReader
from tests.long_crl import another, long_crl
from tests.servers import Talk, page, serving

STEP = HttpFetch("127.0.0.1", 0, "crl.example.test", "/a.crl", "crl", cap=2**25)
LONG = long_crl(40_000)  # 1.1 MB


async def fetched(
    talk: Talk, times: int, lists: LongLists, limits: Limits | None = None
) -> list[Observation]:
    async with serving(talk) as place:
        steps = [replace(STEP, port=place.port, attempt=n) for n in range(times)]
        network = HostNetwork()
        return await asyncio.gather(*(measure(s, network, limits or Limits(), lists) for s in steps))


def kept(seen: Observation) -> LongList | None:
    assert isinstance(seen.evidence, HttpExchange)
    return seen.evidence.long_list


def others(content: bytes) -> Talk:
    """A server of another list each time."""
    numbers = itertools.count()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await page(body=another(content, next(numbers)))(reader, writer)

    return talk


def test_the_same_list_from_many_addresses_is_kept_once() -> None:
    seen = asyncio.run(fetched(page(body=LONG), 8, LongLists()))
    assert all(one.failure is None for one in seen)
    first = kept(seen[0])
    assert first is not None
    assert all(kept(one) is first for one in seen)
    assert (first.count, first.lists(2**64 + 7), first.lists(7)) == (40_000, True, False)


async def turns_taken(lists: LongLists) -> None:
    """Until every turn is taken."""
    while lists.reading < TURNS:  # noqa: ASYNC110 - the readers tell no one when they begin
        await asyncio.sleep(0.01)


def test_few_are_read_at_a_time_and_waiting_takes_none_of_their_time() -> None:
    """A list that waits is not late: the first ones hold their turns for longer than a list may take."""
    held, free, waiting = asyncio.Event(), asyncio.Event(), asyncio.Event()
    numbers = itertools.count()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        number = next(numbers)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(LONG) + LONG[: TURN_AFTER + 1])
        if number == TURNS - 1:
            held.set()
        elif number >= TURNS:
            waiting.set()
        else:
            await held.wait()
        if number < TURNS:
            await free.wait()
        writer.write(LONG[TURN_AFTER + 1 :])
        await writer.drain()

    async def run() -> tuple[list[Observation], Observation]:
        lists, network = LongLists(), HostNetwork()
        async with serving(talk) as place:
            step = replace(STEP, port=place.port)
            first = [asyncio.create_task(measure(step, network, Limits(), lists)) for _ in range(TURNS)]
            await held.wait()
            await turns_taken(lists)
            late = asyncio.create_task(measure(step, network, Limits(crl=0.5), lists))
            await waiting.wait()
            done, _ = await asyncio.wait({late}, timeout=1.0)  # twice as long as it may take
            assert not done
            assert lists.reading == TURNS
            free.set()
            return await asyncio.gather(*first), await late

    first, late = asyncio.run(asyncio.wait_for(run(), 60))
    assert all(one.failure is None for one in [*first, late])


def test_more_entries_than_are_kept_are_told_and_judged_by_nobody() -> None:
    lists, talk = LongLists(most=100_000), others(LONG)

    async def run() -> list[Observation]:
        return [(await fetched(talk, 1, lists))[0] for _ in range(4)]

    seen = asyncio.run(run())  # all four are held here, as a memory holds them
    failures = [one.failure for one in seen]
    assert failures[:2] == [None, None]
    for one in failures[2:]:
        assert one is not None
        assert (one.stage, one.code) == (Stage.HTTP, Code.TOO_LARGE)


def test_what_is_forgotten_makes_room() -> None:
    lists, talk = LongLists(most=100_000), others(LONG)

    async def run() -> list[bool]:
        return [(await fetched(talk, 1, lists))[0].failure is None for _ in range(5)]

    assert asyncio.run(run()) == [True] * 5


def test_a_list_that_gets_no_turn_is_a_fault_of_this_host() -> None:
    async def run() -> str:
        lists = LongLists(turns=1)
        async with lists.turn(ListReader()):
            try:
                async with lists.turn(ListReader(), wait=0.01):
                    return "a turn"
            except TimeoutError:
                return "none"

    assert asyncio.run(asyncio.wait_for(run(), 60)) == "none"


MEASURE = """
import asyncio, json, resource, sys
from dataclasses import replace
from probe.measure.direct_network import HostNetwork
from probe.measure.kinds.http_fetch import measure
from probe.measure.limits import Limits
from probe.measure.long_lists import LongLists
from tests.probe.measure.test_long_lists import STEP

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def main(port):
    lists, network, begun = LongLists(), HostNetwork(), peak()
    steps = [replace(STEP, port=port, attempt=n) for n in range(24)]
    seen = await asyncio.gather(*(measure(s, network, Limits(), lists) for s in steps))
    print(json.dumps([peak() - begun, [s.evidence.size for s in seen]]))

asyncio.run(main(int(sys.argv[1])))
"""


def test_a_process_that_reads_two_hundred_megabytes_of_lists_needs_few() -> None:
    """24 lists of 8.4 MB, each another one, all at once; the peak is the child's own (ru_maxrss)."""

    async def run() -> tuple[int, list[int]]:
        async with serving(others(long_crl(300_000))) as place:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", MEASURE, str(place.port), stdout=asyncio.subprocess.PIPE
            )
            told, _ = await child.communicate()
        grown, sizes = json.loads(told)
        return grown, sizes

    grown, sizes = asyncio.run(run())
    assert sum(sizes) > 100_000_000
    assert grown < 80, f"{grown} MiB for {sum(sizes) >> 20} MiB of lists"
