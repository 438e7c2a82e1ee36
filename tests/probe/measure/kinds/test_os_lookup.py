"""The operating system's resolution behind a deadline: real child processes, good ones and broken ones."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from probe.measure import os_resolver
from probe.measure.kinds.os_lookup import measure
from probe.measure.limits import Limits
from probe.measure.os_resolver import STRIKES, OsResolver
from rules.model.failure import Code, Stage
from rules.model.kinds.os_lookup import OsAnswer, OsLookup
from rules.model.observation import Observation

ROOT = Path(__file__).resolve().parents[4]
#: Children that talk otherwise than ours: reads a line, then does `then`.
CHILD = "import sys, json, time\nfor line in sys.stdin:\n    q = json.loads(line)\n    {then}\n    sys.stdout.flush()\n"
SILENT = "time.sleep(1000)"
FINE = "print(json.dumps({'id': q['id'], 'addresses': ['192.0.2.1'], 'error': 0}))"


def child(then: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-S", "-c", CHILD.format(then=then))


def gone(pid: int) -> bool:
    """No such process, not even as a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def run(body: Callable[[OsResolver], Awaitable[None]], resolver: OsResolver) -> None:
    """Run `body`; afterwards no child may be left in any state."""

    async def whole() -> None:
        try:
            await body(resolver)
        finally:
            pids = resolver.pids
            await resolver.close()
            assert resolver.pids == ()
            assert all(gone(pid) for pid in pids)
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(whole(), debug=True)


async def look_up(resolver: OsResolver, name: str, limit: float = 5.0) -> Observation:
    return await measure(OsLookup(name), resolver, Limits(os_lookup=limit))


def test_an_address_and_an_error() -> None:
    async def body(resolver: OsResolver) -> None:
        seen = await look_up(resolver, "localhost")
        assert seen.failure is None
        assert isinstance(seen.evidence, OsAnswer)
        assert {"127.0.0.1", "::1"} & set(seen.evidence.addresses)
        assert seen.elapsed > 0
        none = await look_up(resolver, "a" * 70 + ".invalid")
        assert none.failure is None  # an error of getaddrinfo is an answer
        assert isinstance(none.evidence, OsAnswer)
        assert none.evidence.addresses == ()
        assert none.evidence.error.startswith("EAI_")
        assert len(resolver.pids) == 1  # one after the other needs one child

    run(body, OsResolver())


def test_no_child_is_started_before_the_first_question() -> None:
    async def body(resolver: OsResolver) -> None:
        assert resolver.pids == ()

    run(body, OsResolver())


def test_a_lookup_that_hangs_is_killed_at_the_deadline() -> None:
    async def body(resolver: OsResolver) -> None:
        task = asyncio.create_task(look_up(resolver, "slow.test", 0.2))
        seen = await task
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code) == (Stage.DNS, Code.TIMEOUT)
        assert seen.elapsed >= 0.2
        assert resolver.pids == ()

    run(body, OsResolver(command=child(SILENT)))


def test_a_late_answer_reaches_nobody() -> None:
    named = FINE.replace("'192.0.2.1'", "'192.0.2.' + str(len(q['name']))")
    slow = "time.sleep(0.5 if q['name'] == 'slow.test' else 0); " + named

    async def body(resolver: OsResolver) -> None:
        first = await look_up(resolver, "slow.test", 0.15)
        assert first.failure is not None
        second = await look_up(resolver, "quick.test", 5)
        assert second.evidence == OsAnswer(("192.0.2.10",))

    run(body, OsResolver(size=1, command=child(slow)))


def test_one_that_hangs_keeps_nobody_else_from_an_answer() -> None:
    mixed = "time.sleep(1000 if q['name'] == 'slow.test' else 0); " + FINE

    async def body(resolver: OsResolver) -> None:
        slow = asyncio.create_task(look_up(resolver, "slow.test", 1.0))
        quick = await asyncio.gather(*(look_up(resolver, f"q{i}.test") for i in range(6)))
        assert not slow.done()
        assert all(seen.evidence == OsAnswer(("192.0.2.1",)) for seen in quick)
        assert len(resolver.pids) <= 3
        assert (await slow).failure is not None

    run(body, OsResolver(size=3, command=child(mixed)))


@pytest.mark.parametrize(
    "then",
    [
        "sys.exit(3)",
        "import os; os.kill(os.getpid(), 11)",
        "print('no JSON')",
        "print('[]')",
        "print('{}')",
        "print(json.dumps({'id': q['id'] + 1, 'addresses': [], 'error': 0}))",
        "print(json.dumps({'id': q['id'], 'addresses': ['no address'], 'error': 0}))",
        "print(json.dumps({'id': q['id'], 'addresses': ['192.0.2.1']}))",
        "sys.stdout.write('x' * 200_000)",
        "sys.stdout.buffer.write(b'\\xff\\n')",
    ],
)
def test_a_child_that_dies_or_babbles_is_a_failure_and_the_next_name_gets_another(then: str) -> None:
    broken = f"exec({then!r}) if q['name'] == 'bad.test' else {FINE}"

    async def body(resolver: OsResolver) -> None:
        bad = await look_up(resolver, "bad.test")
        assert bad.failure is not None
        assert (bad.failure.stage, bad.failure.code) == (Stage.LOCAL, Code.LOOKUP)
        assert resolver.pids == ()
        good = await look_up(resolver, "good.test")
        assert good.evidence == OsAnswer(("192.0.2.1",))

    run(body, OsResolver(command=child(broken)))


def test_children_that_die_one_after_the_other_are_not_started_at_each_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os_resolver, "PAUSE", 0.2)
    starts, well = tmp_path / "starts", tmp_path / "well"
    started = f"open({str(starts)!r}, 'a').write('x')"
    dies = f"__import__('os').path.exists({str(well)!r}) or sys.exit(3); {FINE}"

    async def body(resolver: OsResolver) -> None:
        seen = [await look_up(resolver, f"{n}.test") for n in range(40)]
        assert all(one.failure is not None and one.failure.code is Code.LOOKUP for one in seen)
        assert len(starts.read_text("utf-8")) == STRIKES, "of 40 questions"
        assert seen[-1].failure is not None
        assert "none is started for a while" in seen[-1].failure.detail
        well.touch()
        async with asyncio.timeout(10):
            while (again := await look_up(resolver, "well.test")).failure is not None:  # noqa: ASYNC110 - until the pause is over
                await asyncio.sleep(0.01)
        assert again.evidence == OsAnswer(("192.0.2.1",))
        assert len(starts.read_text("utf-8")) == STRIKES + 1

    command = (sys.executable, "-I", "-S", "-c", f"{started}\n{CHILD.format(then=dies)}")
    run(body, OsResolver(command=command))


def test_no_process_to_be_had_is_of_this_host() -> None:
    async def body(resolver: OsResolver) -> None:
        seen = await look_up(resolver, "a.test")
        assert seen.failure is not None
        assert seen.failure.stage is Stage.LOCAL

    run(body, OsResolver(command=("/nonexistent/python",)))


def test_a_cancelled_lookup_takes_its_child_with_it() -> None:
    async def body(resolver: OsResolver) -> None:
        task = asyncio.create_task(look_up(resolver, "slow.test"))
        async with asyncio.timeout(10):
            while not resolver.pids:  # noqa: ASYNC110 - starting a process has no event
                await asyncio.sleep(0.001)
        (pid,) = resolver.pids
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gone(pid)

    run(body, OsResolver(command=child(SILENT)))


def test_after_a_burst_one_idle_child_remains_and_busy_ones_are_left_alone() -> None:
    async def body(resolver: OsResolver) -> None:
        await asyncio.gather(*(look_up(resolver, f"a{n}.test") for n in range(3)))
        before = resolver.pids
        assert len(before) == 3
        await resolver.rest()
        assert len(resolver.pids) == 1
        assert sum(gone(pid) for pid in before) == 2
        assert (await look_up(resolver, "b.test")).failure is None
        busy = [asyncio.create_task(look_up(resolver, f"c{n}.test")) for n in range(2)]
        await asyncio.sleep(0)
        await resolver.rest()
        assert all(seen.failure is None for seen in await asyncio.gather(*busy))

    run(body, OsResolver(command=child(f"time.sleep(0.2); {FINE}")))


def test_close_ends_idle_and_busy_children() -> None:
    mixed = "time.sleep(1000 if q['name'] == 'slow.test' else 0); " + FINE

    async def body(resolver: OsResolver) -> None:
        slow = asyncio.create_task(look_up(resolver, "slow.test"))
        await asyncio.gather(*(look_up(resolver, f"q{i}.test") for i in range(3)))
        pids = resolver.pids
        assert len(pids) >= 2
        await resolver.close()
        assert all(gone(pid) for pid in pids)
        assert (await slow).failure is not None
        assert (await look_up(resolver, "after.test")).failure is not None
        assert resolver.pids == ()

    run(body, OsResolver(command=child(mixed)))


def test_an_idle_child_that_died_is_replaced_unseen() -> None:
    async def body(resolver: OsResolver) -> None:
        await look_up(resolver, "localhost")
        (pid,) = resolver.pids
        os.kill(pid, 9)
        async with asyncio.timeout(10):
            while not gone(pid):  # noqa: ASYNC110 - reaped by the loop's watcher
                await asyncio.sleep(0.001)
        seen = await look_up(resolver, "localhost")
        assert seen.failure is None
        assert resolver.pids != (pid,)

    run(body, OsResolver())


def test_a_question_to_a_child_that_has_just_died_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Ctrl-C reaches the children as well, and the next question finds the other end of its pipe closed."""

    async def body(resolver: OsResolver) -> None:
        await look_up(resolver, "localhost")
        (pid,) = resolver.pids
        os.kill(pid, 9)
        with contextlib.suppress(ChildProcessError):  # the loop's thread was here before
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222  # the loop must not hear of it
        assert (await look_up(resolver, "localhost")).failure is None

    run(body, OsResolver())
    gc.collect()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_children_outlive_no_parent_and_take_its_environment(tmp_path: Path) -> None:
    """The parent is killed outright; its child must end by itself, and has seen the parent's variables."""
    marker = tmp_path / "environment"
    then = f"open({str(marker)!r}, 'w').write(__import__('os').environ.get('HOSTALIASES', '')); " + FINE
    script = f"""
import asyncio, json, os, sys
from probe.measure.os_resolver import OsResolver
async def main():
    resolver = OsResolver(command={child(then)!r})
    await resolver.lookup("a.test", 10)
    print(json.dumps(resolver.pids), flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""

    async def body(_resolver: OsResolver) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            script,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "HOSTALIASES": "parent"},
            cwd=ROOT,
        )
        assert process.stdout is not None
        (pid,) = json.loads(await process.stdout.readline())
        await process.wait()
        async with asyncio.timeout(10):
            while not (gone(pid) or "Z" in state(pid)):  # noqa: ASYNC110 - not our child
                await asyncio.sleep(0.001)

    run(body, OsResolver())
    assert marker.read_text() == "parent"


def state(pid: int) -> str:
    """The process' state letter; an orphan may stay a zombie where process 1 does not reap."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


# --- nobody is told of children that are unknown -----------------------------------------------------------------------


def test_a_child_that_dies_before_it_is_killed_is_reaped_by_who_waits_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def body(resolver: OsResolver) -> None:
        asked = asyncio.create_task(look_up(resolver, "localhost"))
        await asyncio.sleep(0)
        (one,) = resolver._all
        await one.start()
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)  # as the end of a session does it: everybody gets the signal
        one.kill()
        found = await asked
        answered = isinstance(found.evidence, OsAnswer) and found.evidence.addresses
        assert found.failure is not None or answered  # on a busy machine the child may answer before it dies

    for _ in range(60):  # 1 in 10 was met
        asyncio.run(closed_after(body))
    assert "nknown child" not in caplog.text


def test_one_that_is_given_up_while_it_starts_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    for moment in range(40):

        async def body(resolver: OsResolver, moment: int = moment) -> None:
            asked = asyncio.create_task(look_up(resolver, "localhost"))
            await asyncio.sleep(moment * 0.0003)
            asked.cancel()
            await asyncio.sleep(0)
            asked.cancel()

        asyncio.run(closed_after(body))
    for thread in threading.enumerate():
        if thread.name.startswith("waitpid"):
            thread.join(5)
    assert "is closed" not in caplog.text
    assert "nknown child" not in caplog.text


async def closed_after(body: Callable[[OsResolver], Awaitable[None]]) -> None:
    resolver = OsResolver()
    try:
        await body(resolver)
    finally:
        await resolver.close()
    assert resolver.pids == ()
