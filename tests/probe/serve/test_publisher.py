"""What is published: the state, the snapshot, the textfile, the history; and what a fault in one of them costs."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from exporters.metrics.meters import Meters
from probe.config.service import Intervals, ServeConfig
from probe.history.pending import Row, RowQueue
from probe.history.reader import read_history
from probe.history.writer import Bounds, History
from probe.serve import publisher
from probe.serve.publisher import Publisher
from probe.watch.judgement import Judgement, judge
from probe.watch.loop import Callbacks, WatchLoop
from probe.watch.rounds import FinishedRound
from rules.audit.first_check import FirstCheck
from rules.audit.targets import targets
from rules.model.verdict import Answer, Plan, Status
from rules.watch.confirmation import CONNECTOR, PATIENCE, Confirmation, Moment
from rules.watch.events import Drift, LedgerEntry, Transition
from rules.watch.ledger import Sighting
from rules.watch.maintenance import Window
from rules.watch.memory import Memory
from rules.watch.state import Place
from rules.watch.targets import TargetRecords
from tests.probe.internet import RELAY, ZONE, Internet
from tests.probe.looped import KEEN, STILL, House, going, house, looping, until
from tests.rules import goldens

PLACE = Place("c1")


def judged(name: str, confirmation: Confirmation | None = None, now: float | None = None) -> Judgement:
    """The judgement of a recorded network."""
    report = goldens.recorded(name)
    memory = goldens.memory_of(report.observations)
    hosts = tuple(dict.fromkeys(t.host for t in targets(goldens.rules(), report.plan.tenant) if t.host))
    return judge(
        goldens.rules(),
        memory.plan(report.plan, hosts),
        memory,
        TargetRecords(),
        confirmation or Confirmation(),
        Intervals(),
        Moment(*3 * [report.started if now is None else now]),
        {},
    )


def appliance(**serve: object) -> WatchLoop:
    """As much of an appliance as telling asks for."""
    config = SimpleNamespace(serve=ServeConfig(**serve))  # type: ignore[arg-type]  # a test's short hand
    asker = SimpleNamespace(changed=set(), in_flight=0)
    made = SimpleNamespace(
        config=config,
        asker=asker,
        tracks=TargetRecords(),
        memory=Memory(),
        planned={},
        first_check=lambda: FirstCheck(7, 39, 41.0),
    )
    return cast("WatchLoop", made)


async def new_publisher(tmp_path: Path) -> tuple[Publisher, History]:
    history = History(tmp_path / "history.sqlite")
    await history.open()
    made = Publisher(PLACE, Meters(PLACE), history)
    await made.begin()
    return made, history


async def end(made: Publisher, history: History) -> None:
    await made.close()
    await history.close()


@looping
async def test_before_the_first_judgement_nothing_is_claimed(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    await made.render(None)
    state = made.state(appliance(), 100.0)
    assert (state.report, state.targets) == (None, ())
    assert state.first == FirstCheck(7, 39, 41.0), "how far it is"
    assert b"wayclear_connector_can_live" not in made.snapshot.plain
    assert b"wayclear_connections_opened_total" in made.snapshot.plain
    await end(made, history)


@looping
async def test_a_judgement_is_told_everywhere(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    here = appliance()
    made.judged(judged("healthy"))
    await made.render(here)
    assert b'wayclear_connector_can_live{connector="c1"} 1' in made.snapshot.plain
    assert gzip.decompress(made.snapshot.packed) == made.snapshot.plain
    assert made.state(here, 0.0).headline.startswith("YES")
    await made.close()
    loaded = await history.load()
    assert [(t.subject, t.before, t.after) for t in loaded.transitions] == [("connector", "", "yes")]
    assert {entry.kind for entry in loaded.ledger} >= {"cname", "address", "issuer"}
    await history.close()


@looping
async def test_after_a_restart_it_is_so_since_before(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    await made.close()
    (before,) = made.transitions
    again = Publisher(PLACE, Meters(PLACE), history)
    await again.begin()
    again.judged(judged("healthy"))
    assert again.state(appliance(), 0.0).answer_since == before.at
    await again.close()
    assert len((await history.load()).transitions) == 1
    await history.close()


@looping
async def test_an_answer_that_changed_while_nobody_looked_is_a_transition(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    await made.close()
    again = Publisher(PLACE, Meters(PLACE), history)
    await again.begin()
    again.judged(judged("service-dropped"))
    await again.close()
    newest = (await history.load()).transitions[0]
    assert (newest.before, newest.after, newest.cause) == ("yes", "no", "tcp.timeout")
    await history.close()


@looping
async def test_targets_go_on_where_the_process_before_ended(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    now = goldens.recorded("healthy").started
    made.judged(judged("healthy", made.confirmation(), now))
    await made.close()
    assert [t.subject for t in (await history.load()).transitions] == ["connector"], "no event of each target"
    again = Publisher(PLACE, Meters(PLACE), history)
    await again.begin()
    confirmation = again.confirmation()
    later = now + 86_400
    again.judged(judged("service-dropped", confirmation, later))
    state = again.state(appliance(), later)
    assert {t.since for t in state.targets} == {now}
    again.judged(judged("service-dropped", confirmation, later + PATIENCE))
    await again.close()
    changed = {t.subject: t for t in again.transitions if t.subject != CONNECTOR}
    assert changed
    assert {(t.before, t.after, t.at) for t in changed.values()} == {("pass", "fail", later + PATIENCE)}
    failing = {t.name for t in again.state(appliance(), later).targets if t.status is Status.FAIL}
    assert failing == changed.keys()
    once_more = Publisher(PLACE, Meters(PLACE), history)
    await once_more.begin()
    once_more.judged(judged("service-dropped", once_more.confirmation(), later + 1000))
    for target in once_more.state(appliance(), later).targets:
        assert target.since == (later + PATIENCE if target.name in changed else now)
    await end(once_more, history)
    seen = read_history(tmp_path / "history.sqlite")
    assert {t.subject for t in seen.transitions if not t.before} == {CONNECTOR}
    one = read_history(tmp_path / "history.sqlite", next(iter(changed)))
    assert [(t.before, t.after) for t in one.transitions] == [("pass", "fail"), ("", "pass")]


@looping
async def test_a_held_answer_keeps_its_report(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    confirmation = Confirmation()
    now = goldens.recorded("healthy").started
    made.judged(judged("healthy", confirmation, now))
    made.judged(judged("service-dropped", confirmation, now + 5))  # seen once: not confirmed
    state = made.state(appliance(), now)
    assert state.answer is Answer.YES
    assert state.report is not None
    assert state.report.answer is Answer.YES
    await end(made, history)


@looping
async def test_a_rendering_that_fails_leaves_the_last_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, history = await new_publisher(tmp_path)
    here = appliance()
    made.judged(judged("healthy"))
    await made.render(here)
    good = made.snapshot

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    with monkeypatch.context() as patch, caplog.at_level(logging.CRITICAL):
        patch.setattr(made, "_render", broken)
        await made.render(here)
    assert made.snapshot is good
    await made.render(here)
    assert made.snapshot is not good
    assert b'wayclear_metrics_render_errors_total{connector="c1"} 1' in made.snapshot.plain
    await end(made, history)


@looping
async def test_rounds_and_gaps_are_rows_of_the_history(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.closed(FinishedRound("service", 100.0, 60.0, 13, 2), 17)
    made.note_gap("resumed after 28800 s")
    await made.close()
    await history.close()
    with sqlite3.connect(tmp_path / "history.sqlite") as rows:
        found = rows.execute("SELECT * FROM cycles ORDER BY id").fetchall()
    rows.close()
    assert len(found) == 2
    assert "resumed after 28800 s" in str(found[1])


@looping
async def test_a_row_counts_what_could_not_be_told_of_its_own_kind(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.closed(
        FinishedRound("service", 100.0, 60.0, 13, 2), -5
    )  # before any judgement, and a prober that began anew
    made.judged(judged("healthy"))
    assert made._state is not None
    targets = made._state.targets
    service = next(t for t in targets if t.group == "service")
    sign_in = [t for t in targets if t.group == "sign-in" and t.name != service.name][:2]
    unknown = [replace(t, status=Status.INCONCLUSIVE) for t in (service, *sign_in)]
    twice = replace(
        unknown[0], group="sign-in", rule="another/rule"
    )  # the same name is one target, and a service's
    made._state = replace(made._state, targets=(*unknown, twice))
    made.closed(FinishedRound("service", 160.0, 60.0, 13, 0), 17)
    made.closed(FinishedRound("sign-in", 160.0, 60.0, 9, 0), 3)
    await end(made, history)
    with contextlib.closing(sqlite3.connect(tmp_path / "history.sqlite")) as rows:
        found = rows.execute("SELECT kind, inconclusive, connections FROM cycles ORDER BY id").fetchall()
    assert found == [("service", 0, 0), ("service", 1, 17), ("sign-in", 2, 3)]


@looping
async def test_what_the_history_keeps_no_more_the_ledger_forgets(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    gone = LedgerEntry("removed.test", "address", "203.0.113.1", 1_700_000_000.0, 1_700_000_000.0)
    made._ledger.see([gone])
    made.judged(judged("healthy"))
    await made.close()
    many = len(made._ledger)
    await history.retain(time.time())
    made.judged(judged("healthy"))
    await made.close()
    assert len(made._ledger) == many - 1
    assert made._ledger.forget(1_700_000_001.0) == 0, "it is that one"
    await end(made, history)


@looping
async def test_maintenance_inventory_and_notes_are_of_now(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    here = appliance(maintenance=(Window("patches", 100.0, 200.0),), inventory=("c1", "c2"))
    made.judged(judged("healthy"))
    made.notes = ["something is odd"]
    assert made.state(here, 150.0).maintenance == "patches"
    assert made.state(here, 250.0).maintenance == ""
    assert made.state(here, 150.0).inventory == ("c1", "c2")
    assert made.state(None, 150.0).min_connectors == made.state(here, 150.0).min_connectors == 1
    assert made.state(appliance(min_connectors=2), 150.0).min_connectors == 2
    assert "something is odd" in made.state(here, 150.0).notes
    here = appliance(maintenance=(Window("patches", 100.0, 200.0, pause=True),))
    assert (made.state(here, 150.0).paused, made.state(here, 250.0).paused) == (True, False)
    await end(made, history)


@looping
async def test_what_was_measured_since_is_in_the_next_state(tmp_path: Path) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    here = appliance()
    target = made.state(here, 0.0).targets[0]
    here.tracks.record_of((target.host, target.port)).measured = 12_345.0
    assert made.state(here, 0.0).targets[0].measured != 12_345.0
    here.asker.changed.add((target.host, target.port))
    assert made.state(here, 0.0).targets[0].measured == 12_345.0
    assert here.asker.changed == set()
    await end(made, history)


@looping
async def test_one_break_is_one_line_of_the_log_and_every_transition_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made, history = await new_publisher(tmp_path)
    made.judged(judged("healthy"))
    await until(lambda: not made._tasks)
    names = [t.name for t in made.state(appliance(), 0.0).targets if t.group == "service"]
    broke = tuple(
        Transition(100.0 + n, name, "pass", "fail", "ok", "tcp.timeout", "x") for n, name in enumerate(names)
    )
    answer = Transition(150.0, CONNECTOR, "yes", "no", "ok", "tcp.timeout", "Nothing works.")
    news = tuple(
        Drift(100.0, name, "issuer", "X", f"issuer of {name} now of another class: X") for name in names
    )
    caplog.clear()
    with caplog.at_level(logging.INFO, "wayclear"):
        await made._record_changes((), (*broke, answer), Sighting((), news))
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert told[0] == "connector: yes -> no (tcp.timeout): Nothing works."
    assert told[1].startswith(f"{len(names)} service names: pass -> fail (tcp.timeout): ")
    assert all(name in told[1] for name in names)
    assert told[2].startswith("drift: issuer of these names now of another class: X: ")
    loaded = await history.load()
    assert sum(t.cause == "tcp.timeout" for t in loaded.transitions) == len(names) + 1
    await end(made, history)


def test_a_plan_is_steady_in_every_judgement() -> None:
    assert judged("healthy").report.plan.steady
    assert not Plan("").steady


# --- beside an appliance with a network of its own ----------------------------------------------------------------------

QUICK_DISK = Bounds(busy=0.1, retry=0.02, retry_most=0.1)


@dataclass(slots=True)
class Office:
    """A publisher beside an appliance."""

    publisher: Publisher
    house: House
    history: History

    def line(self, start: str) -> str:
        """The line of the snapshot that starts so."""
        return next(
            (x for x in self.publisher.snapshot.plain.decode().splitlines() if x.startswith(start)), ""
        )


@contextlib.asynccontextmanager
async def office(tmp_path: Path, net: Internet | None = None, *, keen: bool = False, swept: bool = True,
                 path: Path | None = None) -> AsyncIterator[Office]:  # fmt: skip
    """An appliance whose judgements a publisher takes; its history is in `tmp_path`."""
    async with house(net or Internet(tmp_path), KEEN if keen else STILL, swept=False) as here:
        history = History(path or tmp_path / "history.sqlite", bounds=QUICK_DISK)
        await history.open()
        made = Publisher(PLACE, here.meters, history)
        await made.begin()
        here.appliance._callbacks = Callbacks(made.judged, lambda ended: made.closed(ended, 3))
        if swept:
            await here.appliance.sweep()
        try:
            yield Office(made, here, history)
        finally:
            await here.appliance.close()
            await made.close()
            await history.close()


@looping
async def test_a_judgement_is_in_the_next_snapshot_at_once(tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        task = asyncio.create_task(here.publisher.render_for_ever(here.house.appliance))
        await until(lambda: here.publisher.snapshot.taken_at > 0)
        before = here.publisher.snapshot
        await asyncio.sleep(0.1)
        await here.house.appliance._judge()
        await until(lambda: here.publisher.snapshot is not before)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@looping
async def test_a_long_ledger_is_kept_whole_however_few_of_it_wait_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "AT_ONCE", 3)
    waited: list[int] = []
    add = RowQueue.add

    def counted(queue: RowQueue, rows: Iterable[Row]) -> None:
        found = list(rows)
        waited.append(sum(row.table == "ledger" for row in found))
        add(queue, found)

    monkeypatch.setattr(RowQueue, "add", counted)
    async with office(tmp_path) as here:
        await until(lambda: not here.publisher._tasks)
        assert max(waited) == 3, "not all at once"
        known = len(here.publisher._ledger)
        kept = (await here.history.load()).ledger
        assert len(kept) == known > 3 * 3


@looping
async def test_a_change_is_told_everywhere_and_in_order(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with office(tmp_path, net, keen=True) as here, going(here.house):
        for address in ZONE[RELAY]:
            net.places[address] = "forged"
        await until(lambda: here.publisher.state(here.house.appliance, time.time()).answer is Answer.NO)
        net.places.clear()
        await until(lambda: here.publisher.state(here.house.appliance, time.time()).answer is Answer.YES)
        await until(lambda: here.publisher.transitions[0].after == "yes")
        assert [(t.before, t.after) for t in here.publisher.transitions if t.subject == "connector"][
            ::-1
        ] == [
            ("", "yes"),
            ("yes", "no"),
            ("no", "yes"),
        ]
    history = History(tmp_path / "history.sqlite")
    await history.open()
    loaded = await history.load()
    await history.close()
    kept = [(t.before, t.after) for t in loaded.transitions if t.subject == "connector"]
    assert kept[::-1] == [("", "yes"), ("yes", "no"), ("no", "yes")]
