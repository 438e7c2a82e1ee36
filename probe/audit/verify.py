"""The loop of `wayclear verify`: rounds of questions, at the pace of an audit, until every flow passes.

It decides nothing: `rules/verify` decides what to ask and what has passed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from probe.audit.pace import PACES
from probe.audit.plan import stores_of
from probe.audit.runner import Runner
from probe.config.settings import Config
from probe.measure.prober import Prober
from probe.version import VERSION
from rules.model.verdict import Report
from rules.verify.rounds import INTERVAL, Progress, Verification

Tell = Callable[[Progress], None]


async def run_rounds(
    verification: Verification, config: Config, *, watch: bool, tell: Tell
) -> tuple[Report, Progress]:
    """Ask until every flow passes, or for one round without `watch`. `tell` is called after each round.

    The last report and progress. Cancelled (that is what asyncio makes of the first Ctrl-C), it ends with those of what it
    has asked.
    """
    prober = Prober(limits=config.limits, stores=stores_of(config))
    slowest = config.limits.tcp + config.limits.tls
    interrupted = False
    try:
        while True:
            begun, due = time.time(), time.monotonic() + INTERVAL
            audit = verification.begin()
            try:
                for step in verification.questions():
                    verification.answered(await prober.measure(step))
                await Runner(audit, prober, PACES[config.pace], slowest=slowest).run()
            except asyncio.CancelledError:
                interrupted = _uncancelled()
            report, progress = verification.end(audit, begun, time.time(), VERSION)
            tell(progress)
            if interrupted or progress.done or not watch:
                return report, progress
            try:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            except asyncio.CancelledError:
                _uncancelled()
                return report, progress
    finally:
        await prober.close()


def _uncancelled() -> bool:
    """Go on with a report after Ctrl-C."""
    if (task := asyncio.current_task()) is not None:
        task.uncancel()
    return True
