"""Writes entries with fixed ids to the Windows Event Log.

Users filter by the ids, so no id ever gets another meaning. All are between 1 and 1000: the message file of the source
(EventCreate.exe, part of every Windows) has the text "%1" for these only; for another id Event Viewer would say that it
finds no description. docs/windows.md has the table.

The calls into advapi32 were never run on Windows by this project; everything else is tested on every system. Sources:
RegisterEventSourceW and ReportEventW in Microsoft's Windows API reference, 2024.
"""

from __future__ import annotations

import contextlib
import re
import sys
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from rules.model.verdict import Answer, Status
from rules.text.display import display
from rules.watch.events import Transition

SOURCE = "wayclear"  #: the source's name in the log "Application"
LONGEST = 8000  #: characters of an entry; the system takes 31,839
CONNECTOR = "connector"  #: the subject of transitions of the answer


class Level(StrEnum):
    """The level of an entry in Event Viewer."""

    INFORMATION = "Information"
    WARNING = "Warning"
    ERROR = "Error"


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A row of the table: the meaning of an id."""

    id: int
    level: Level
    meaning: str


@dataclass(frozen=True, slots=True)
class Event:
    """One entry as it is written. `text` is escaped and has no insertion string."""

    id: int
    level: Level
    text: str


class ServiceEvent(StrEnum):
    """Events of the service itself."""

    STARTED = "started"
    STOPPED = "stopped"
    RELOADED = "reloaded"
    RELOAD_FAILED = "reload-failed"
    HISTORY_FAILED = "history-failed"
    HISTORY_RECOVERED = "history-recovered"


ANSWERS = {
    Answer.YES: EntryKind(101, Level.INFORMATION, "the connector works here"),
    Answer.DEGRADED: EntryKind(102, Level.WARNING, "the connector is degraded"),
    Answer.NO: EntryKind(103, Level.ERROR, "the connector does not work here"),
    Answer.NOT_PROVEN: EntryKind(104, Level.WARNING, "whether the connector works here is not proven"),
}
_RECOVERED = EntryKind(201, Level.INFORMATION, "a target passes (again)")
STATUSES = {
    Status.PASS: _RECOVERED,
    Status.NOTICE: _RECOVERED,
    Status.WARN: EntryKind(202, Level.WARNING, "a target works only in part, or ought to be mended"),
    Status.FAIL: EntryKind(203, Level.ERROR, "a target fails"),
    Status.INCONCLUSIVE: EntryKind(204, Level.WARNING, "a target could not be measured"),
    Status.NOT_APPLICABLE: EntryKind(205, Level.INFORMATION, "a target does not concern this host"),
    Status.BROKEN: EntryKind(206, Level.ERROR, "a target met a bug of wayclear"),
}
SERVICE_EVENTS = {
    ServiceEvent.STARTED: EntryKind(301, Level.INFORMATION, "the service has started"),
    ServiceEvent.STOPPED: EntryKind(302, Level.INFORMATION, "the service has stopped"),
    ServiceEvent.RELOADED: EntryKind(303, Level.INFORMATION, "the configuration was read again"),
    ServiceEvent.RELOAD_FAILED: EntryKind(
        304, Level.WARNING, "a new configuration is bad; the old one stays in force"
    ),
    ServiceEvent.HISTORY_FAILED: EntryKind(
        305, Level.WARNING, "the history cannot be written; measuring and metrics go on"
    ),
    ServiceEvent.HISTORY_RECOVERED: EntryKind(306, Level.INFORMATION, "the history is written again"),
}
UNKNOWN = EntryKind(299, Level.WARNING, "a change to a word that this version does not know")
#: Every id once, in order.
KINDS = tuple(
    sorted(
        {*ANSWERS.values(), *STATUSES.values(), *SERVICE_EVENTS.values(), UNKNOWN}, key=lambda kind: kind.id
    )
)


def transition_event(transition: Transition) -> Event:
    """The entry for a confirmed change of the connector's answer or of a target's status."""
    kind = _kind(transition)
    was = f", was {transition.before}" if transition.before else ""
    cause = f" ({transition.cause})" if transition.cause not in ("", "ok") else ""
    subject = "The connector" if transition.subject == CONNECTOR else transition.subject
    return _event(kind, f"{subject}: {transition.after}{was}{cause}. {transition.summary}")


def service_event(happening: ServiceEvent, detail: str = "") -> Event:
    """The entry for an event of the service; `detail` is for example the fault of a file."""
    kind = SERVICE_EVENTS[happening]
    return _event(kind, f"{kind.meaning[0].upper()}{kind.meaning[1:]}. {detail}")


def _kind(transition: Transition) -> EntryKind:
    with contextlib.suppress(ValueError):
        if transition.subject == CONNECTOR:
            return ANSWERS[Answer(transition.after)]
        return STATUSES[Status(transition.after)]
    return UNKNOWN


def _event(kind: EntryKind, text: str) -> Event:
    """An entry with escaped text, without "%1": Event Viewer would replace it by another string."""
    return Event(kind.id, kind.level, re.sub(r"%(?=[0-9%!])", "% ", display(text.strip(), LONGEST)))


class Api(Protocol):
    """The three calls of Windows. A handle of 0 is none."""

    def register(self, source: str) -> int: ...

    def report(self, handle: int, level: int, event_id: int, text: str) -> bool: ...

    def deregister(self, handle: int) -> None: ...


#: EVENTLOG_INFORMATION_TYPE, EVENTLOG_WARNING_TYPE, EVENTLOG_ERROR_TYPE
TYPES = {Level.INFORMATION: 4, Level.WARNING: 2, Level.ERROR: 1}


class EventLog:
    """Writes entries. On other systems, and if the log cannot be opened, `write` only returns False.

    A call may wait for the service of the log: do not call it on the event loop.
    """

    def __init__(self, api: Api | None = None) -> None:
        self._api = windows_api() if api is None else api
        self._handle = 0

    def write(self, event: Event) -> bool:
        """Write an entry; False if that failed. Never raises for a fault of the log; opens it when first needed."""
        if self._api is None:
            return False
        with contextlib.suppress(OSError, ValueError):
            self._handle = self._handle or self._api.register(SOURCE)
            if self._handle and self._api.report(self._handle, TYPES[event.level], event.id, event.text):
                return True
        self.close()  # the service of the log may have restarted: the next entry opens it again
        return False

    def close(self) -> None:
        """Close the log; closing twice is fine."""
        handle, self._handle = self._handle, 0
        if handle and self._api is not None:
            with contextlib.suppress(OSError, ValueError):
                self._api.deregister(handle)


def windows_api() -> Api | None:
    """The calls on Windows; None on other systems."""
    if sys.platform == "win32":
        return _Advapi()
    return None


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    class _Advapi:
        """advapi32.dll, with the types of its arguments. OSError if the library or a call is missing."""

        def __init__(self) -> None:
            library = ctypes.WinDLL("advapi32")
            self._register = library.RegisterEventSourceW
            self._register.argtypes = [wintypes.LPCWSTR, wintypes.LPCWSTR]
            self._register.restype = wintypes.HANDLE
            self._report = library.ReportEventW
            self._report.argtypes = [
                wintypes.HANDLE, wintypes.WORD, wintypes.WORD, wintypes.DWORD, ctypes.c_void_p,
                wintypes.WORD, wintypes.DWORD, ctypes.POINTER(wintypes.LPCWSTR), ctypes.c_void_p,
            ]  # fmt: skip
            self._report.restype = wintypes.BOOL
            self._deregister = library.DeregisterEventSource
            self._deregister.argtypes = [wintypes.HANDLE]
            self._deregister.restype = wintypes.BOOL

        def register(self, source: str) -> int:
            return int(self._register(None, source) or 0)

        def report(self, handle: int, level: int, event_id: int, text: str) -> bool:
            strings = (wintypes.LPCWSTR * 1)(text)
            return bool(self._report(handle, level, 0, event_id, None, 1, 0, strings, None))

        def deregister(self, handle: int) -> None:
            self._deregister(handle)
