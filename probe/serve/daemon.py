"""`wayclear serve`: starts, watches, reloads and stops the appliance.

APScheduler runs a few jobs (`probe/serve/jobs.py`): a tick for each kind, retention, the check for changed files. It uses
the wall clock, so a timer of the event loop restarts the jobs after the clock was set.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import platform
import time
from collections.abc import Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from cryptography.hazmat.backends.openssl import backend

from exporters.metrics.meters import Meters
from exporters.terminal.finding import finding_lines
from probe.audit.state import place_of
from probe.config.service import stretch_warning
from probe.config.settings import Config
from probe.config.watched_files import Options, Sources, needs_restart
from probe.errors import CommandError, one_line
from probe.history.place import default_path
from probe.history.writer import History
from probe.host import signals
from probe.host.clocks import ClockChange, Clocks
from probe.host.systemd import Notifier
from probe.host.windows_event_log import ServiceEvent
from probe.serve.jobs import Job, Jobs
from probe.serve.pages import Pages
from probe.serve.publisher import Publisher, Snapshot
from probe.version import VERSION
from probe.watch.first_sweep import first_sweep, pausing_window
from probe.watch.judgement import Judgement
from probe.watch.loop import Callbacks, WatchLoop
from probe.watch.plans import Planner, lacks_tenant, retry_search
from probe.watch.probers import Probers
from probe.watch.rounds import FinishedRound
from probe.web.app import HttpServer
from probe.web.exporter_toolkit import WebConfigFile
from rules.files.fields import BadFile
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from rules.watch.maintenance import Window
from rules.watch.schedule import KINDS, Kind
from rules.watch.state import Place, State

LOG = logging.getLogger("wayclear")
#: Seconds between two ticks, and how far ahead each one schedules: a late tick misses nothing.
TICK, HORIZON = 30.0, 35.0
#: Seconds between two checks of clocks, loop and windows; of the files; between two retentions.
LOOK_EVERY, FILES_EVERY, RETENTION_EVERY = 5.0, 15.0, 3600.0
#: Seconds that stopping may take.
END = 4.0
T = TypeVar("T")


class Daemon:
    """One appliance with its web server, its history and its jobs."""

    def __init__(self, options: Options, config: Config, rules: Rules) -> None:
        self._options = options
        self._config, self._rules = config, rules
        self._begun = config.serve  # settings that change only with a restart
        place = place_of(config, platform.node())
        self._meters = Meters(place)
        path = config.serve.history_path or default_path(os.environ)
        self._history = History(path, config.serve.history_days, config.serve.history_mb * 1024 * 1024)
        file = config.serve.web.config_file
        self._web = WebConfigFile(file) if file else None
        self._publisher = Publisher(place, self._meters, self._history, self._web)
        self._notifier = Notifier(os.environ)
        self._appliance: WatchLoop | None = None
        self._planner, self._probers = Planner(self._meters), Probers(self._meters)
        self._search: asyncio.Task[None] | None = None  # repeats a lookup of the tenant that failed
        self._stop = asyncio.Event()
        self._reload_wanted = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._sources = Sources(options.files(config))
        self._jobs = self._made_jobs()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._ready = False
        self._fault = self._waits = ""  # what the status page notes
        self._connections = 0
        self._code = 0
        self._clocks = Clocks()
        self._timer: asyncio.TimerHandle | None = None  # of the next check of the clocks
        self._fed = 0.0  # loop time

    # --- from start to end ---------------------------------------------------------------------------------------------

    async def run(self) -> int:
        """Run until a signal ends it, and return the exit code. CommandError if it cannot start."""
        self._meters.build(VERSION, platform.python_version(), backend.openssl_version_text())
        self._meters.reload(True, time.time())
        web, insecure = self._config.serve.web, self._options.allow_insecure
        server = HttpServer(Pages(self).answer, web.listen, self._web, web.hosts, insecure)
        signals.handle_signals(asyncio.get_running_loop(), self.stop, self._reload_wanted.set)
        await server.start()
        try:
            self._look(asyncio.get_running_loop().time())
            self._watch(self._work(server.addresses))
            await self._stop.wait()
        finally:
            self._notifier.stopping()
            await self._close(server)
        return self._code

    async def _work(self, addresses: tuple[str, ...]) -> None:
        """Load the history, make the first sweep, then measure what is due."""
        await self._history.open()
        await self._publisher.begin()
        if self._history.fault and self._history.writable:  # otherwise the first snapshot reports it
            LOG.error("%s", self._history.fault)
        await self._publisher.render(None)
        for address in addresses:
            LOG.info("listening on %s", address)
        self._notifier.ready()
        self._publisher.happened(ServiceEvent.STARTED)
        appliance = await self._begin()
        self._watch(self._reload_for_ever())
        self._watch(self._publisher.render_for_ever(appliance))
        await first_sweep(
            appliance, lambda: pausing_window(self._config), self._look_waits, self._look_begins
        )
        self._ready = True
        self._probers.settled.set()
        found = self._publisher.state(appliance, time.time())
        LOG.info("first look done: %s", found.headline)
        for line in finding_lines(found.report):
            LOG.warning("%s", line)
        if appliance.stretch > 1:
            intervals = self._config.serve.schedule
            LOG.warning("%s", stretch_warning(intervals, appliance.stretch, appliance.schedule.entries()))
        self._jobs.start()
        await appliance.judge_for_ever()

    async def _begin(self) -> WatchLoop:
        async with self._reloading:  # a request that arrives meanwhile is for the values made here
            config, rules = self._config, self._rules
            prober = self._probers.fitting(config)
            self._probers.use(config, prober)
            plan = await self._planner.plan(config, rules, prober, quiet=pausing_window(config) is not None)
            callbacks = Callbacks(self._judged, self._closed)
            confirmation = self._publisher.confirmation()
            self._appliance = WatchLoop(config, rules, plan, prober, self._meters, callbacks, confirmation)
            self._planned(plan)
            return self._appliance

    async def _look_begins(self) -> None:
        waited, self._waits = self._waits, ""
        self._note()
        if waited:
            await self._look_up_tenant()
        LOG.info("first look at %s", ", ".join(r.name for r in self._rules.rulesets))
        self._notifier.status("first look at everything")

    async def _look_waits(self, window: Window) -> None:
        said = f"The maintenance window {window.name} is open: the first look begins when it has ended."
        if said != self._waits:
            LOG.info("%s", said)
            self._notifier.status(said)
            self._waits = said
            self._note()
        await self._look_at_files()  # its job has not begun

    def _note(self) -> None:
        """Update the notes about the service itself on the status page."""
        old = "The configuration was refused, the old one stays in force: "
        self._publisher.refused = self._fault and old + self._fault
        self._publisher.notes = [self._waits] if self._waits else []

    def _planned(self, plan: Plan) -> None:
        """A plan is active: log its notes, and start a search if it has no tenant."""
        for note in plan.notes:
            LOG.warning("%s", note)
        if self._search is not None:
            self._search.cancel()
        self._search = None
        if lacks_tenant(self._config, plan):
            self._search = self._watch(
                retry_search(self._look_up_tenant, lambda: pausing_window(self._config))
            )

    async def _look_up_tenant(self) -> bool:
        """Look up a missing tenant; True if it is known now or not needed."""
        async with self._reloading:
            config, rules, appliance = self._config, self._rules, self._appliance
            if appliance is None or not lacks_tenant(config, appliance.plan):
                return True
            plan = await self._planner.plan(config, rules, self._probers.fitting(config), appliance.asker)
            if lacks_tenant(config, plan):
                return False
            LOG.info("%s is the tenant %s", config.tenant, plan.tenant)
            appliance.reconfigure(config, rules, replace(plan, nonce=appliance.plan.nonce))
            return True

    async def _close(self, server: HttpServer) -> None:
        """End everything within `END` seconds; abandon what hangs."""
        self._jobs.stop()
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        try:
            async with asyncio.timeout(END):
                await server.stop(1.0)
                await asyncio.gather(*self._tasks, return_exceptions=True)
                if self._appliance is not None:
                    await self._appliance.close()
                await self._probers.close()
                await self._publisher.close()
                await self._history.close()
        except TimeoutError:
            LOG.error("not everything came to its end within %g s", END)
        self._notifier.close()
        signals.ignore_signals(asyncio.get_running_loop())

    def stop(self) -> None:
        """End soon; a second call ends the process at
        once. `signals.handle_signals` decides which second signal calls it again."""
        if self._stop.is_set():
            os._exit(1)
        LOG.info("ending")
        self._publisher.happened(ServiceEvent.STOPPED)
        self._stop.set()

    # --- what the pages ask --------------------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Whether the first sweep has ended."""
        return self._ready

    @property
    def snapshot(self) -> Snapshot:
        """The metrics as they were rendered last."""
        return self._publisher.snapshot

    @property
    def place(self) -> Place:
        return self._publisher.place

    @property
    def appliance(self) -> WatchLoop | None:
        return self._appliance

    @property
    def config(self) -> Config:
        return self._config

    def shown(self, now: float) -> State:
        """The state at `now` (Unix time)."""
        return self._publisher.state(self._appliance, now)

    async def reload(self) -> str:
        """Read the files again, one reload at a time; "" for success, else the fault (the old configuration stays)."""
        return await asyncio.shield(self._watch(self._reload()))  # it finishes even if the client disconnects

    async def _reload(self) -> str:
        async with self._reloading:
            return await self._reload_now()

    async def _reload_now(self) -> str:
        self._notifier.reloading()
        self._sources = Sources(await self._files())  # every write from now on is a change
        fault = ""
        try:
            config, rules = await asyncio.to_thread(self._options.load)
            await self._change(config, rules)
        except (BadFile, CommandError) as error:
            fault = one_line(str(error))
        except Exception as error:  # a reload must never end the service
            LOG.exception("the reload failed")
            fault = f"{type(error).__name__}: {error}"
        self._sources.renew(await self._files())
        self._meters.reload(not fault, time.time())
        self._fault = fault
        self._note()
        self._publisher.happened(ServiceEvent.RELOAD_FAILED if fault else ServiceEvent.RELOADED, fault)
        if fault:
            LOG.error("reload refused, the old configuration stays: %s", fault)
        else:
            LOG.info("reloaded")
        self._notifier.ready()
        return fault

    async def _files(self) -> tuple[str, ...]:
        """The files of the configuration in force and of the one on the disk, which may be refused because of one of them."""
        files, config = self._options.files, self._config
        return await asyncio.to_thread(lambda: (*files(config), *files(None)))

    async def _change(self, config: Config, rules: Rules) -> None:
        """Activate this configuration and these rules. Steps that can fail come first, so a failure leaves the old ones
        unchanged."""
        place, appliance, plan = place_of(config, platform.node()), self._appliance, None
        if appliance is not None:
            prober = self._probers.fitting(config)
            try:
                plan = await self._planner.plan(
                    config, rules, prober, appliance.asker, quiet=pausing_window(config)
                )
            except BaseException:
                await self._probers.refuse(prober)
                raise
            if (old := self._probers.use(config, prober)) is not None:
                self._watch(self._probers.bury(old))
            appliance.use(prober)
            appliance.reconfigure(config, rules, replace(plan, nonce=appliance.plan.nonce))
            appliance.paused = pausing_window(config) is not None
        self._config, self._rules, self._publisher.place = config, rules, place
        self._meters.place(place)
        for table in needs_restart(self._begun, config.serve):
            LOG.warning("[%s] is another than at the start: that takes a restart", table)
        if plan is not None:
            self._planned(plan)

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
        for kind in KINDS:
            if kind == job:  # the next tick may come after the end of the period that the last one scheduled
                self._watch(self._tick(kind))

    async def _tick(self, kind: Kind) -> None:
        if self._appliance is not None:
            self._appliance.arm(kind, HORIZON)

    async def _retain(self) -> None:
        now = time.time()
        await self._history.retain(now)
        if self._appliance is not None:
            self._appliance.memory.forget(now)
        gc.collect()

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
            self._stop.set()  # the service manager restarts it

    def _look(self, due: float) -> None:
        """Check the lag of the loop (the prober checks it more often), the clocks and the windows; notify the watchdog.

        One timer for all: waking an idle processor costs more than the work.
        """
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._meters.loop_lag(max(0.0, now - due))
        if (feed := self._notifier.interval) is not None and now - self._fed >= feed:
            self._fed = now
            self._notifier.watchdog()
        due = now + (LOOK_EVERY if feed is None else feed / -(-feed // LOOK_EVERY))
        self._timer = loop.call_at(due, self._look, due)
        if found := self._clocks.compare():
            self._clocks_changed(found)
        if self._appliance is not None and self._ready:
            self._appliance.paused = pausing_window(self._config) is not None

    def _clocks_changed(self, found: ClockChange) -> None:
        """Log a set clock or a suspend, note it in the history, and measure everything once more."""
        if found.stepped:
            self._meters.clock_step()
            self._publisher.note_gap(f"clock stepped {found.stepped:+.0f} s")
            LOG.warning("the clock was set by %+.0f s", found.stepped)
        if found.asleep:
            self._publisher.note_gap(f"resumed after {found.asleep:.0f} s")
            LOG.warning("this host slept for %.0f s", found.asleep)
        if self._appliance is not None and self._ready:
            if found.stepped:
                self._appliance.clock_was_set(found.stepped)
            if found.asleep:
                self._appliance.schedule.catch_up(time.monotonic(), found.asleep)
            self._appliance.look_again()
            self._jobs.start()

    def _judged(self, made: Judgement) -> None:
        self._publisher.judged(made)
        self._notifier.status(f"{made.settled.answer.value}: {len(made.settled.targets)} targets")

    def _closed(self, ended: FinishedRound) -> None:
        made = self._probers.connections
        self._publisher.closed(ended, made - self._connections)
        self._connections = made
