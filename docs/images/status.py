"""Pictures of the status page: networks of the lab, as they were recorded, on the page that the appliance makes of them.

Run from the root of the repository, with Debian's `chromium`, `chromium-driver` and `fonts-dejavu-core` installed:
`.venv/bin/python -m docs.images.status`. Every fact is from the recordings in tests/scenarios, judged by today's rules.
Only when the network changed is made up: the healthy recording stands for the day before.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path

from exporters.page.page import CONTENT_SECURITY_POLICY, render
from rules.watch.confirmation import Confirmation, Moment
from rules.watch.ledger import Ledger, entries
from rules.watch.state import State
from tests.exporters.browser import Browser, browsing, serving
from tests.exporters.recorded import DAY, recorded

ROOT = Path(__file__).resolve().parents[2]
AGE = 21.0  # seconds from the last answer to the page
#: File, recording, width, height of the cut, dark, what to open before, where the cut begins.
PICTURES = (
    ("status-no", "intercepted-by-squid", 1100, 800, False, "", "body"),
    ("status-degraded", "one-of-three-dropped", 1280, 760, True, ".open details", "#changes"),
    ("status-yes", "healthy", 1280, 760, False, "", "body"),
    ("status-phone-degraded", "one-of-three-dropped", 390, 1350, False, "", "body"),
    ("status-phone-no", "intercepted-by-squid", 390, 1200, True, "", "body"),
)


def since_yesterday(name: str) -> State:
    """The recording after a healthy day: what changed is found by the appliance's own code."""
    now, before = recorded(name), recorded("healthy")
    confirmation, ledger = Confirmation(), Ledger()
    ledger.see(entries(replace(before, now=now.now - DAY)))
    assert before.report is not None
    assert now.report is not None
    asked: dict[Hashable, int] = {}
    for report, targets, at in (
        (before.report, before.targets, now.started),
        (now.report, now.targets, now.now - 660),
        (now.report, now.targets, now.now - 600),
    ):
        settled = confirmation.settle(report, targets, frozenset(), asked, Moment(at, at, at))
        asked = {target.key: settled.number for target in targets}
    return replace(
        now,
        targets=settled.targets,
        answer_since=settled.answer_since,
        transitions=tuple(reversed(settled.transitions)),
        drifts=ledger.see(entries(replace(now, now=now.now - 300))).drifts,
    )


def cut(browser: Browser, start: str, width: int, height: int) -> bytes:
    """A part of the page, from where an element begins."""
    top = browser.run(f"return document.querySelector({start!r}).getBoundingClientRect().top + scrollY")
    return browser.picture((0, int(top), width, height))


def main() -> None:
    """Every picture of the documentation's page."""
    with serving() as site, browsing() as browser:
        for file, name, width, height, dark, opened, start in PICTURES:
            state = since_yesterday(name)
            site.put("/", render(state, state.now + AGE), CONTENT_SECURITY_POLICY)
            browser.look(width, dark=dark)
            browser.open(site.url + "/")
            if opened:
                browser.run(f"document.querySelector({opened!r}).open = true")
            target = ROOT / "docs" / "images" / f"{file}.png"
            target.write_bytes(cut(browser, start, width, height))
            print(target.relative_to(ROOT), target.stat().st_size)  # noqa: T201


if __name__ == "__main__":
    main()
