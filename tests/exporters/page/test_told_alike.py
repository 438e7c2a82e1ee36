"""The screen, the file, the page and `explain` tell the same of a finding."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from exporters.page.page import render as render_page
from exporters.terminal import audit, summary, tree
from exporters.terminal.style import Style
from rules.model.verdict import CauseGroup, Status
from tests.exporters.html_reader import read
from tests.rules import goldens

WIDE = Style(100_000)  # no line is broken
TOLD = (Status.FAIL, Status.WARN, Status.BROKEN, Status.INCONCLUSIVE)


def roots(name: str) -> list[CauseGroup]:
    return [c for c in goldens.golden(name).causes if c.status in TOLD and not c.because]


def wanted(found: CauseGroup) -> set[str]:
    """What its reader acts on: the line to copy, and each pattern."""
    patterns = found.request.patterns if found.request is not None and found.remedy else ()
    return {found.command, *patterns} - {""}


def one_of_each() -> list[str]:
    """A scenario for each set of causes and requests: their texts are made alike."""
    found: dict[tuple[object, ...], str] = {}
    for name in goldens.NAMES:
        kind = tuple((c.cause.word, c.command, c.request and c.request.action) for c in roots(name))
        found.setdefault(kind, name)
    return list(found.values())


@pytest.mark.parametrize("name", one_of_each())
def test_what_the_screen_says_to_do_is_in_the_file_and_on_the_page(name: str) -> None:
    report = goldens.golden(name)
    screen = summary.render(report, WIDE)
    file = audit.render(report, Style(100_000, verbose=True))
    page = read(render_page(replace(goldens.state(name), report=report), report.finished)).text
    for found in roots(name):
        for part in wanted(found):
            assert part in screen, "on the screen"
            assert part in file, "in the file"
            assert part in page, "on the page"


def test_the_file_names_what_to_allow_and_every_name_that_was_tested() -> None:
    file = audit.render(goldens.golden("service-dropped"), Style(100, verbose=True))
    for pattern in ("*.msappproxy.net", "*.servicebus.windows.net"):
        assert f"{pattern}: TCP 443, never inspect TLS" in file
    (found,) = roots("service-dropped")
    tenant = goldens.golden("service-dropped").vantage.tenant
    assert tenant is not None
    for one in found.tested:
        assert f"{one.host.replace(tenant, '{tenant}')}:443" in file
    assert len(found.tested) == 13


def test_what_may_stay_inspected_stands_apart_with_its_consequence() -> None:
    shown = " ".join(summary.render(goldens.golden("intercepted-by-squid"), Style(100)).split())
    assert "Microsoft does not forbid TLS inspection for login.windows.net, " in shown
    assert "this host must trust the inspecting CA, or signing in and installing fail" in shown


def test_explain_names_what_to_allow_and_has_the_tenants_id_once() -> None:
    report = goldens.golden("service-dropped")
    tenant = report.vantage.tenant
    assert tenant is not None
    told = tree.render(report, f"{tenant}.bootstrap.msappproxy.net", None, Style(100))
    assert "allow: *.msappproxy.net, TCP 443, never inspect TLS" in told
    assert "allow: *.servicebus.windows.net, TCP 443, never inspect TLS" in told
    assert told.count(tenant) == 1


def test_a_fourth_finding_still_says_what_to_allow() -> None:
    """Its remedy speaks of "the patterns below"."""
    report = goldens.golden("service-dropped")
    (found,) = roots("service-dropped")
    many = tuple(replace(found, id=str(number)) for number in range(1, 6))
    shown = summary.render(replace(report, causes=many), WIDE)
    assert len(re.findall(r"Allow +\*\.msappproxy\.net", shown)) == 5
    assert shown.count("Proof") == summary.FULL_FINDINGS
