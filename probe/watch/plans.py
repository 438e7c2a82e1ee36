"""Plans of a service: a tenant that is given as a domain stays known when it cannot be looked up anew."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import Protocol

from exporters.metrics.meters import Meters
from probe.audit.plan import find_tenant, make_plan
from probe.audit.tenant import TenantFound
from probe.config.settings import Config
from probe.measure.prober import Prober
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from rules.text.display import display

LOG = logging.getLogger("wayclear")
#: Seconds until a lookup that failed is tried again: the first time, and the longest after each failure doubled it.
FIRST, LONGEST = 15.0, 600.0
#: Seconds for which a tenant that was found is not looked up again, however often the files are read.
FOUND_LASTS = 300.0
#: Lookups that are remembered: of so many domains, or ways to ask for one.
MOST_LOOKUPS = 16
#: By how much a timer may come early.
_EARLY = 0.5


class RateLimiter(Protocol):
    """The rate that everything of the service keeps together (`probe.watch.asker.Asker`)."""

    async def admit(self, times: int = 1) -> None: ...


@dataclass(frozen=True, slots=True)
class _Lookup:
    """What a lookup gave, when it ended and how long it stands, in seconds of the monotonic clock."""

    found: TenantFound
    ended: float
    lasts: float


class Planner:
    """Makes the plans of one daemon, and remembers the tenant of each domain.

    A reload is no reason to ask again: the tenant of a domain stays the same, and one who reloads again and again must not
    exceed the rate. What was found stands for some minutes, a failure until its next try is due; another domain, other
    resolvers or another cloud are another question.
    """

    def __init__(self, meters: Meters, clock: Callable[[], float] = time.monotonic) -> None:
        self._meters = meters
        self._clock = clock
        self._known: dict[str, str] = {}
        self._lookups: dict[Hashable, _Lookup] = {}

    async def plan(
        self,
        config: Config,
        rules: Rules,
        prober: Prober,
        rate: RateLimiter | None = None,
        *,
        quiet: object = None,
    ) -> Plan:
        """A plan; its notes say where its tenant is none, or is not of now. `quiet`: without a packet, where there is anything.

        `rate` is what the lookup's connections take their tokens from; None before there is one.
        """

        async def asked(config: Config, rules: Rules, prober: Prober) -> TenantFound:
            return await self._asked(config, rules, prober, rate)

        plan, opened = await make_plan(config, rules, prober, self._postponed if quiet else asked)
        for _ in range(opened):
            self._meters.connection()
        return plan

    async def _asked(
        self, config: Config, rules: Rules, prober: Prober, rate: RateLimiter | None
    ) -> TenantFound:
        domain = config.tenant
        if domain is None or not config.tenant_is_domain:
            return await find_tenant(config, rules, prober)
        about = (domain, config.rules, config.resolvers, config.public_networks, config.public_roots)
        last = self._lookups.get(about)
        if last is not None and self._clock() < last.ended + last.lasts - _EARLY:
            return self._with_known(domain, replace(last.found, connections=0))
        if rate is not None:
            await rate.admit()
        found = await find_tenant(config, rules, prober)
        if rate is not None and found.connections > 1:
            await rate.admit(found.connections - 1)
        if found.tenant is not None:
            self._known[domain] = found.tenant
            lasts = FOUND_LASTS
        else:
            failed_before = last is not None and last.found.tenant is None
            lasts = min(2 * last.lasts, LONGEST) if last is not None and failed_before else FIRST
        self._lookups.pop(about, None)
        self._lookups[about] = _Lookup(found, self._clock(), lasts)
        for old in list(self._lookups)[:-MOST_LOOKUPS]:
            del self._lookups[old]
        return self._with_known(domain, found)

    def _with_known(self, domain: str, found: TenantFound) -> TenantFound:
        """What a lookup gave; where it gave no tenant, with the one of before."""
        if found.tenant is not None or domain not in self._known:
            return found
        note = f"{display(domain)} could not be looked up anew: the tenant id of before stays."
        return replace(found, tenant=self._known[domain], note=note)

    async def _postponed(self, config: Config, _rules: Rules, _prober: Prober) -> TenantFound:
        domain = config.tenant
        if domain is None or not config.tenant_is_domain:
            return TenantFound(domain)
        if domain in self._known:
            return TenantFound(self._known[domain])
        return TenantFound(None, f"{display(domain)} is looked up when the maintenance window has ended.")


def lacks_tenant(config: Config, plan: Plan) -> bool:
    """Whether a tenant is configured and not known: it is worth another lookup."""
    return config.tenant is not None and plan.tenant is None


async def retry_search(look_up: Callable[[], Awaitable[bool]], paused: Callable[[], object]) -> None:
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
