"""Plans of a service: a tenant that is given as a domain stays known when it cannot be looked up anew."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from exporters.meters import Meters
from probe.config import Config
from probe.measure import Prober
from probe.run import find_tenant, make_plan
from probe.tenant import Found
from rules.display import display
from rules.ruleset import Rules
from rules.verdict import Plan

LOG = logging.getLogger("wayclear")
#: Seconds until a lookup that failed is tried again: the first time, and the longest after each failure doubled it.
FIRST, LONGEST = 15.0, 600.0


class Planner:
    """Makes the plans of one daemon, and remembers the tenant of each domain."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters
        self._known: dict[str, str] = {}

    async def plan(self, config: Config, rules: Rules, prober: Prober, *, quiet: bool = False) -> Plan:
        """A plan; its notes say where its tenant is none, or is not of now. `quiet`: without a packet."""
        plan, opened = await make_plan(config, rules, prober, self._postponed if quiet else self._asked)
        for _ in range(opened):
            self._meters.connection()
        return plan

    async def _asked(self, config: Config, rules: Rules, prober: Prober) -> Found:
        found, domain = await find_tenant(config, rules, prober), config.tenant
        if domain is None or not config.tenant_is_domain:
            return found
        if found.tenant is not None:
            self._known[domain] = found.tenant
        elif domain in self._known:
            note = f"{display(domain)} could not be looked up anew: the tenant id of before stays."
            return replace(found, tenant=self._known[domain], note=note)
        return found

    async def _postponed(self, config: Config, _rules: Rules, _prober: Prober) -> Found:
        domain = config.tenant
        if domain is None or not config.tenant_is_domain:
            return Found(domain)
        if domain in self._known:
            return Found(self._known[domain])
        return Found(None, f"{display(domain)} is looked up when the maintenance window has ended.")


def lacks_tenant(config: Config, plan: Plan) -> bool:
    """Whether a tenant is configured and not known: it is worth another lookup."""
    return config.tenant is not None and plan.tenant is None


async def search(look_up: Callable[[], Awaitable[bool]], paused: Callable[[], object]) -> None:
    """Call `look_up` until it says that it has found, less and less often, and never while `paused` says something."""
    pause = FIRST
    while True:
        await asyncio.sleep(pause)
        if not paused():
            pause = min(2 * pause, LONGEST)
            try:
                if await look_up():
                    return
            except Exception:  # a lookup must never end the service
                LOG.exception("the tenant could not be looked up")
