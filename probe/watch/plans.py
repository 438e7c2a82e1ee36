"""Makes the plans of a service. The tenant of a domain stays known if a new lookup fails."""

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
#: Seconds until a failed lookup is tried again: the first wait, and the longest. Each failure doubles the wait.
FIRST, LONGEST = 15.0, 600.0
#: Seconds for which the service does not look up a found tenant again, however often it reads the files.
FOUND_LASTS = 300.0
#: Most lookups to remember: of different domains, or of different ways to ask for one.
MOST_LOOKUPS = 16
#: Seconds by which a timer may fire early.
_EARLY = 0.5


class RateLimiter(Protocol):
    """The rate that all parts of the service share (`probe.watch.asker.Asker`)."""

    async def admit(self, times: int = 1) -> None: ...


@dataclass(frozen=True, slots=True)
class _Lookup:
    """The result of a lookup, when it ended and how long it is valid, in seconds of the monotonic clock."""

    found: TenantFound
    ended: float
    lasts: float


class Planner:
    """Makes the plans of one daemon, and remembers the tenant of each domain.

    A reload alone causes no new lookup: the tenant of a domain stays the same, and repeated reloads must not exceed the
    rate. A found tenant is valid for some minutes, a failure until its next try is due. Another domain, other resolvers
    or another cloud need a new lookup.
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
        """A plan; its notes say if there is no tenant, or if it is from an earlier lookup. `quiet`: if it is true, send
        no packet.

        `rate`: the lookup's connections take their tokens from it; None before there is one.
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
        """The result of a lookup; if it found no tenant, with the tenant of an earlier lookup."""
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
    """Whether a tenant is configured and not known, so that another lookup may help."""
    return config.tenant is not None and plan.tenant is None


async def retry_search(look_up: Callable[[], Awaitable[bool]], paused: Callable[[], object]) -> None:
    """Call `look_up` until it returns true, with growing pauses, and never while `paused` returns something true."""
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
