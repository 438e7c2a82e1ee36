"""Notes of the service about itself: one log line when a condition begins and ends, a sentence on the page meanwhile."""

from __future__ import annotations

import logging
from collections.abc import Callable

from probe.history.writer import History
from probe.host.windows_event_log import ServiceEvent
from probe.serve.textfile import TextfilePublisher
from probe.web.exporter_toolkit import WebConfigFile
from rules.watch.state import State

LOG = logging.getLogger("wayclear")


class Notes:
    """Checks the history, the web configuration, the textfile and the maintenance windows. Runs on the loop.

    `happened` writes an event to the Event Log.
    """

    def __init__(
        self,
        history: History,
        web: WebConfigFile | None,
        textfile: TextfilePublisher,
        happened: Callable[[ServiceEvent, str], None],
    ) -> None:
        self._history, self._web, self._textfile, self._happened = history, web, textfile, happened
        self._writable = True
        self._window = ("", False)  # the window that was logged last, and whether it pauses
        self._web_seen = ("", 0.0)

    def shown(self) -> tuple[str, ...]:
        """Sentences for the page about the present faults."""
        found = []
        if not self._writable:
            found.append(self._history.fault or "The history cannot be written.")
        if self._textfile.fault:
            found.append(f"The textfile is not written: {self._textfile.fault}")
        return tuple(found)

    def refused(self) -> str:
        """Why the web configuration on the disk is not in force; "" if it is."""
        problem = self._web.problem if self._web is not None else ""
        return problem and f"The web configuration was refused, the old one stays in force: {problem}"

    def update(self, state: State | None) -> None:
        """Log what has changed; without a state only for the history."""
        self._look_at_history()
        if state is not None:
            self._look_at_window(state)

    def _look_at_history(self) -> None:
        writable = self._history.writable
        if writable == self._writable:
            return
        self._writable = writable
        if writable:
            LOG.info("the history can be written again")
        else:
            LOG.error("%s", self._history.fault or "the history cannot be written")
        self._happened(
            ServiceEvent.HISTORY_RECOVERED if writable else ServiceEvent.HISTORY_FAILED, self._history.fault
        )

    def _look_at_window(self, state: State) -> None:
        (last_window, _), current = self._window, (state.maintenance, state.paused)
        if current == self._window:
            return
        self._window = current
        if last_window and last_window != state.maintenance:
            LOG.info("the maintenance window %s has ended", last_window)
        if state.maintenance:
            means = "nothing is asked until it has ended" if state.paused else "it is measured on"
            LOG.info("the maintenance window %s is open: alerts are muted, %s", state.maintenance, means)

    def web_changed(self) -> bool:
        """Whether the web configuration was read, or refused, since the last `web_published`."""
        return self._web_now() != self._web_seen

    def web_published(self) -> None:
        """The next snapshot has the present web configuration."""
        self._web_seen = self._web_now()

    def _web_now(self) -> tuple[str, float]:
        return ("", 0.0) if self._web is None else (self._web.problem, self._web.read_at)
