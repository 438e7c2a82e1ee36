"""`wayclear serve`: what starts, watches, reloads and ends the appliance.

APScheduler owns a handful of jobs (`probe/jobs.py`): a tick for each kind, retention, the look for changed files. It
schedules by the wall clock, so a watcher on the loop's own clock makes the jobs anew after a step.
"""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.backends.openssl import backend

from exporters.meters import Meters
from probe.appliance import Appliance, Told
from probe.clocks import Change, watch
from probe.config import Config
from probe.event_log import Happening
from probe.history import History, default_path
from probe.http_server import HttpServer
from probe.jobs import Job, Jobs
from probe.judging import Judged
from probe.kinds.trust_store import TrustStores
from probe.measure import Prober
from probe.notify import Notifier
from probe.one_shot import place_of
from probe.pages import Pages
from probe.reloading import Sources
from probe.rounds import Closed
from probe.run import make_plan
from probe.telling import Teller
from probe.trouble import Trouble, one_line
from probe.version import VERSION
from probe.web_config import WebConfigFile
from rules.fields import BadFile
from rules.maintenance import open_window
from rules.ruleset import Rules
from rules.schedule import KINDS, Kind
from rules.state import State
from rules.verdict import Plan

LOG = logging.getLogger("wayclear")
#: Seconds between two ticks, and how far ahead each looks: a tick that is late misses nothing.
TICK, HORIZON = 10.0, 15.0
#: Seconds between two looks at the clocks, at the loop's lag, at the files; between two retentions.
CLOCKS_EVERY, LAG_EVERY, FILES_EVERY, RETENTION_EVERY = 5.0, 5.0, 10.0, 3600.0
#: Seconds in which it ends.
END = 4.0
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `load` reads the configuration anew, and raises BadFile or Trouble."""

    load: Callable[[], tuple[Config, Rules]]
    files: Callable[[Config], tuple[str, ...]]  # what a reload reads
    allow_insecure: bool = False


class Daemon:
    """One appliance with its web server, history and jobs."""

    def __init__(self, options: Options, config: Config, rules: Rules) -> None:
        self._options = options
        self._config, self._rules = config, rules
        self._place = place_of(config, platform.node())
        self._meters = Meters(self._place)
        path = config.serve.history_path or default_path(os.environ)
        self._history = History(path, config.serve.history_days, config.serve.history_mb * 1024 * 1024)
        file = config.serve.web.config_file
        self._web = WebConfigFile(file) if file else None
        self._teller = Teller(self._place, self._meters, self._history, self._web)
        self._notifier = Notifier(os.environ)
        self._appliance: Appliance | None = None
        self._prober: Prober | None = None
        self._stop = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._sources = Sources(options.files(config))
        self._jobs = self._made_jobs()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready = False
        self._connections = 0
        self._code = 0
        self._lag: asyncio.TimerHandle | None = None
        self._fed = 0.0  # loop time
        # of configurations before; what they began may still be under way
        self._retired: list[Prober | None] = []

    # --- from start to end ---------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Until a signal ends it; the exit code. Trouble where it cannot begin."""
        self._meters.build(VERSION, platform.python_version(), backend.openssl_version_text())
        self._meters.reload(True, time.time())
        web, insecure = self._config.serve.web, self._options.allow_insecure
        server = HttpServer(Pages(self).answer, web.listen, self._web, web.hosts, insecure)
        self._signals()
        await server.start()
        try:
            self._look_at_lag(asyncio.get_running_loop().time())
            self._watch(watch(CLOCKS_EVERY, self._clocks_changed))
            self._watch(self._work(server.addresses))
            await self._stop.wait()
        finally:
            self._notifier.stopping()
            await self._close(server)
        return self._code

    async def _work(self, addresses: tuple[str, ...]) -> None:
        """What the history knows, the first sweep, then whatever is due."""
        await self._history.open()
        await self._teller.begin()
        if self._history.trouble and self._history.writable:  # else it is told with the first snapshot
            LOG.error("%s", self._history.trouble)
        await self._teller.render(None)
        for address in addresses:
            LOG.info("listening on %s", address)
        self._notifier.ready()
        self._teller.happened(Happening.STARTED)
        plan, _ = await self._begin()
        appliance = self._appliance
        assert appliance is not None
        LOG.info("first look at %s", ", ".join(r.name for r in self._rules.rulesets))
        self._notifier.status("first look at everything")
        self._plan_told(plan)
        self._watch(self._reload_for_ever())
        self._watch(self._teller.render_for_ever(appliance))
        await appliance.sweep()
        self._ready = True
        LOG.info("first look done: %s", self._teller.state(appliance, time.time()).headline)
        if appliance.stretch > 1:
            LOG.warning(
                "the list is long for %g connections a second: intervals are %.1f times as long as configured",
                self._config.serve.schedule.rate,
                appliance.stretch,
            )
        self._jobs.start()
        await appliance.judge_for_ever()

    async def _begin(self) -> tuple[Plan, int]:
        self._prober = _prober(self._config, self._meters)
        plan, opened = await make_plan(self._config, self._rules, self._prober)
        told = Told(self._judged, self._closed, self._teller.confirmation())
        self._appliance = Appliance(self._config, self._rules, plan, self._prober, self._meters, told)
        return plan, opened

    def _plan_told(self, plan: Plan) -> None:
        for note in plan.notes:
            LOG.warning("%s", note)

    async def _close(self, server: HttpServer) -> None:
        """Everything ends within `END` seconds, what hangs is left behind."""
        self._jobs.stop()
        if self._lag is not None:
            self._lag.cancel()
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(END):
                await server.stop(1.0)
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if self._appliance is not None:
                    await self._appliance.close()
                for prober in (*self._retired, self._prober):
                    if prober is not None:
                        await prober.close()
                await self._teller.close()
                await self._history.close()
        except TimeoutError:
            LOG.error("not everything came to its end within %g s", END)
        self._notifier.close()
        self._hear_nothing_more()

    def stop(self) -> None:
        """End soon; a second call ends at once."""
        if self._stop.is_set():
            os._exit(1)
        LOG.info("ending")
        self._teller.happened(Happening.STOPPED)
        self._stop.set()

    # --- what the pages ask --------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether the first look has ended."""
        return self._ready

    @property
    def teller(self) -> Teller:
        return self._teller

    @property
    def appliance(self) -> Appliance | None:
        return self._appliance

    @property
    def config(self) -> Config:
        return self._config

    def shown(self, now: float) -> State:
        """Everything at this moment (Unix time)."""
        return self._teller.state(self._appliance, now)

    async def reload(self) -> str:
        """Read the files anew; "" when they are in force now, else what is wrong (the old ones stay).

        It comes to its end although whoever asked for it goes, and one comes after the other.
        """
        return await asyncio.shield(self._watch(self._reload()))

    async def _reload(self) -> str:
        async with self._reloading:
            return await self._reload_now()

    async def _reload_now(self) -> str:
        self._notifier.reloading()
        self._sources = Sources(self._options.files(self._config))  # what is written from now on is a change
        fault = ""
        try:
            config, rules = await asyncio.to_thread(self._options.load)
            await self._change(config, rules)
        except (BadFile, Trouble) as error:
            fault = one_line(str(error))
        except Exception as error:  # a reload must never end the service
            LOG.exception("the reload failed")
            fault = f"{type(error).__name__}: {error}"
        self._sources.renew(self._options.files(self._config))
        self._meters.reload(not fault, time.time())
        self._teller.notes = (
            [f"The configuration could not be reloaded, the old one is in force: {fault}"] if fault else []
        )
        self._teller.happened(Happening.RELOAD_FAILED if fault else Happening.RELOADED, fault)
        if fault:
            LOG.error("reload refused, the old configuration stays: %s", fault)
        else:
            LOG.info("reloaded")
        self._notifier.ready()
        return fault

    async def _change(self, config: Config, rules: Rules) -> None:
        old = self._config.serve
        fixed = {"history": old.history_path != config.serve.history_path, "web": old.web != config.serve.web}
        for word in [word for word, changed in fixed.items() if changed]:
            LOG.warning("[%s] has changed: that takes a restart", word)
        measuring = (config.limits, config.public_roots, config.os_store)
        if self._appliance is not None and measuring != (
            self._config.limits,
            self._config.public_roots,
            self._config.os_store,
        ):
            self._retired.append(self._prober)
            self._prober = _prober(config, self._meters)
            self._appliance.use(self._prober)
        self._config, self._rules = config, rules
        self._place = place_of(config, platform.node())
        self._teller.place = self._place
        self._meters.place(self._place)
        if self._appliance is not None and self._prober is not None:
            plan, _ = await make_plan(config, rules, self._prober)
            self._appliance.reconfigure(config, rules, replace(plan, nonce=self._appliance.plan.nonce))

    # --- jobs ----------------------------------------------------------------------------------------------------------

    def _made_jobs(self) -> Jobs:
        ticks: dict[str, tuple[float, Job]] = {kind: (TICK, partial(self._tick, kind)) for kind in KINDS}
        others: dict[str, tuple[float, Job]] = {
            "retention": (RETENTION_EVERY, self._retain),
            "reload": (FILES_EVERY, self._look_at_files),
        }
        return Jobs({**ticks, **others}, self._missed)

    def _missed(self, job: str) -> None:
        LOG.warning("the job %s was missed", job)
        self._meters.job_missed(job)

    async def _tick(self, kind: Kind) -> None:
        appliance = self._appliance
        if appliance is None:
            return
        window = open_window(self._config.serve.maintenance, time.time())
        appliance.paused = window is not None and window.pause
        appliance.arm(kind, HORIZON)

    async def _retain(self) -> None:
        now = time.time()
        await self._history.retain(now)
        if self._appliance is not None:
            self._appliance.memory.forget(now)

    async def _look_at_files(self) -> None:
        if await asyncio.to_thread(self._sources.changed):
            LOG.info("a file has changed")
            self._reload_wanted.set()

    async def _reload_for_ever(self) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            await self.reload()

    # --- watchers on the loop's own clock --------------------------------------------------------------------------------

    def _watch(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._watched)
        return task

    def _watched(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and not self._stop.is_set():
            LOG.critical("a part of the service died", exc_info=task.exception())
            self._code = 1
            self._stop.set()  # whoever watches the service starts it anew

    def _look_at_lag(self, due: float) -> None:
        """How late the loop is (the prober looks more often while it measures), and the watchdog's sign of life.

        A bare timer: what wakes an idle processor costs more than what it does.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._meters.loop_lag(max(0.0, now - due))
        if (feed := self._notifier.interval) is not None and now - self._fed >= feed:
            self._fed = now
            self._notifier.watchdog()
        due = now + (LAG_EVERY if feed is None else feed / -(-feed // LAG_EVERY))
        self._lag = loop.call_at(due, self._look_at_lag, due)

    def _clocks_changed(self, found: Change) -> None:
        """A step or a sleep costs one extra look, and is told."""
        if found.stepped:
            self._meters.clock_step()
            self._teller.note_gap(f"clock stepped {found.stepped:+.0f} s")
            LOG.warning("the clock was set by %+.0f s", found.stepped)
        if found.asleep:
            self._teller.note_gap(f"resumed after {found.asleep:.0f} s")
            LOG.warning("this host slept for %.0f s", found.asleep)
        if self._appliance is not None and self._ready:
            if found.stepped:
                self._appliance.clock_was_set(found.stepped)
            if found.asleep:
                self._appliance.schedule.catch_up(time.monotonic(), found.asleep)
            self._appliance.look_again()
            self._jobs.start()

    def _judged(self, made: Judged) -> None:
        self._teller.judged(made)
        answer = made.settled.answer.value
        self._notifier.status(f"{answer}: {len(made.settled.targets)} targets")

    def _closed(self, ended: Closed) -> None:
        assert self._prober is not None
        made = self._prober.connections
        self._teller.closed(ended, made - self._connections)
        self._connections = made

    def _signals(self) -> None:
        loop = asyncio.get_running_loop()
        if sys.platform == "win32":
            for number in (signal.SIGINT, signal.SIGBREAK):
                signal.signal(number, lambda *_: loop.call_soon_threadsafe(self.stop))
            return
        loop.add_signal_handler(signal.SIGTERM, self.stop)
        loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_wanted.set)

    @staticmethod
    def _hear_nothing_more() -> None:
        """What comes now must not kill a process that is about to end well: closing the loop would let it."""
        if sys.platform != "win32":
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                asyncio.get_running_loop().remove_signal_handler(number)
                signal.signal(number, signal.SIG_IGN)


def _prober(config: Config, meters: Meters) -> Prober:
    stores = TrustStores(_path(config.public_roots), _path(config.os_store))
    return Prober(limits=config.limits, stores=stores, late=meters.loop_lag)


def _path(name: str | None) -> Path | None:
    return Path(name) if name else None
