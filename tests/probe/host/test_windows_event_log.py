"""Entries for the Windows Event Log: ids that stay, harmless text, a log that fails without a sound."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.host.windows_event_log import (
    ANSWERS,
    KINDS,
    LONGEST,
    SERVICE_EVENTS,
    STATUSES,
    UNKNOWN,
    Event,
    EventLog,
    Level,
    ServiceEvent,
    service_event,
    transition_event,
    windows_api,
)
from rules.model.verdict import Answer, Status
from rules.watch.events import Transition

WINDOWS_PAGE = Path(__file__).resolve().parents[3] / "docs/windows.md"


def change(
    subject: str, after: str, before: str = "pass", summary: str = "s", cause: str = "ok"
) -> Transition:
    return Transition(1.0, subject, before, after, "ok", cause, summary)


# --- the table -----------------------------------------------------------------------------------------------------


def test_the_ids_are_the_ones_that_were_promised() -> None:
    """An id that means something else tomorrow breaks filters that nobody here knows of: only ever add to this."""
    assert {a.value: k.id for a, k in ANSWERS.items()} == {
        "yes": 101,
        "degraded": 102,
        "no": 103,
        "not-proven": 104,
    }
    assert {s.value: k.id for s, k in STATUSES.items()} == {
        "pass": 201,
        "notice": 201,
        "warn": 202,
        "fail": 203,
        "inconclusive": 204,
        "not-applicable": 205,
        "broken": 206,
    }
    assert {h.value: k.id for h, k in SERVICE_EVENTS.items()} == {
        "started": 301,
        "stopped": 302,
        "reloaded": 303,
        "reload-failed": 304,
        "history-failed": 305,
        "history-recovered": 306,
    }
    assert UNKNOWN.id == 299


def test_every_word_has_an_id_and_every_id_one_meaning_that_the_message_file_can_show() -> None:
    assert (set(ANSWERS), set(STATUSES), set(SERVICE_EVENTS)) == (set(Answer), set(Status), set(ServiceEvent))
    ids = [kind.id for kind in KINDS]
    assert ids == sorted(set(ids))
    assert all(1 <= i <= 1000 for i in ids)


def test_the_page_for_windows_has_the_table() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (.+?) \|$", WINDOWS_PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(str(kind.id), kind.level.value, kind.meaning) for kind in KINDS]


# --- what happened becomes an entry --------------------------------------------------------------------------------


def test_the_connector_cannot_live() -> None:
    told = transition_event(change("connector", "no", "yes", "443 is dropped for 31 names", "tcp.timeout"))
    assert told == Event(
        103, Level.ERROR, "The connector: no, was yes (tcp.timeout). 443 is dropped for 31 names"
    )


def test_a_target_at_first_sight_and_recovered() -> None:
    first = transition_event(change("login.windows.net:443", "pass", before="", summary="all well"))
    assert first == Event(201, Level.INFORMATION, "login.windows.net:443: pass. all well")
    assert transition_event(change("login.windows.net:443", "notice", before="fail")).id == 201


def test_a_word_of_a_later_version_is_told_and_not_lost() -> None:
    assert transition_event(change("connector", "perhaps")).id == 299
    assert transition_event(change("connector", "pass")).id == 299, "no answer, although a status"
    assert transition_event(change("a.example:443", "yes")).id == 299


def test_what_happens_to_the_service() -> None:
    told = service_event(ServiceEvent.RELOAD_FAILED, "wayclear.toml: tenant: is empty")
    assert told.text == (
        "A new configuration is bad; the old one stays in force. wayclear.toml: tenant: is empty"
    )
    assert (told.id, told.level) == (304, Level.WARNING)
    assert service_event(ServiceEvent.STARTED).text == "The service has started."


@pytest.mark.parametrize(
    "text",
    ["fe80::1%1", "%%5", "%1!s!", "a\r\nEvent 4625", "a\0b", "\x1b[2J", "\u202egnp", "\ud800", "%" * 99_999],
)
def test_no_text_of_a_peer_forges_cuts_or_fills_an_entry(text: str) -> None:
    told = transition_event(change("a.example:443", "fail", summary=text)).text
    assert told.isprintable()
    assert not re.search(r"%[0-9%!]", told)
    assert len(told) <= 2 * LONGEST
    assert len(told.encode("utf-16-le")) // 2 < 31_839


@given(st.text(), st.text(), st.text())
def test_any_transition_becomes_an_entry(subject: str, after: str, summary: str) -> None:
    told = transition_event(change(subject, after, summary=summary))
    assert told.id in {kind.id for kind in KINDS}
    assert told.text.isprintable()


# --- the writer ----------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Log:
    """Stands for the three calls of Windows, which are not to be had here."""

    handle: int = 7
    taken: bool = True
    error: Exception | None = None
    calls: list[tuple[object, ...]] = field(default_factory=list)

    def register(self, source: str) -> int:
        self.calls.append(("register", source))
        if self.error:
            raise self.error
        return self.handle

    def report(self, handle: int, level: int, event_id: int, text: str) -> bool:
        self.calls.append(("report", handle, level, event_id, text))
        return self.taken

    def deregister(self, handle: int) -> None:
        self.calls.append(("deregister", handle))


ENTRY = Event(103, Level.ERROR, "text")


def test_opened_once_and_closed_once() -> None:
    api = Log()
    log = EventLog(api)
    assert [log.write(ENTRY), log.write(Event(201, Level.INFORMATION, "x"))] == [True, True]
    log.close()
    log.close()
    assert api.calls == [
        ("register", "wayclear"),
        ("report", 7, 1, 103, "text"),
        ("report", 7, 4, 201, "x"),
        ("deregister", 7),
    ]


def test_a_log_that_takes_nothing_is_opened_anew() -> None:
    api = Log(taken=False)
    log = EventLog(api)
    assert not log.write(ENTRY)
    api.taken = True
    assert log.write(ENTRY)
    assert [call[0] for call in api.calls] == ["register", "report", "deregister", "register", "report"]


@pytest.mark.parametrize(
    "api", [Log(handle=0), Log(error=OSError(5, "denied")), Log(error=ValueError("nul"))]
)
def test_a_log_that_cannot_be_opened_is_no_error(api: Log) -> None:
    log = EventLog(api)
    assert not log.write(ENTRY)
    log.close()
    assert ("deregister", 0) not in api.calls


def test_here_is_no_event_log() -> None:
    assert windows_api() is None
    log = EventLog()
    assert not log.write(ENTRY)
    log.close()
