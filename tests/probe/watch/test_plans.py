"""A tenant that is given as a domain, when the network comes and goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from exporters.metrics.meters import Meters
from probe.audit.tenant import TenantFound
from probe.config.settings import Config
from probe.measure.prober import Prober
from probe.watch import plans
from probe.watch.plans import Planner, lacks_tenant, retry_search
from rules.model.ruleset import Rules
from rules.watch.state import Place
from tests.probe.internet import Internet
from tests.probe.looped import looping
from tests.probe.serve_process import Served, served

TENANT = "11111111-2222-3333-4444-555555555555"
DOMAIN = Config(tenant="contoso.example", tenant_source="configuration")
RULES, PROBER = cast(Rules, None), cast(Prober, None)


class Lookups:
    """What lookups give, one after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: TenantFound) -> None:
        self.answers = list(answers)
        monkeypatch.setattr("probe.audit.plan.search_tenant", self.find)

    async def find(self, *_: object, **__: object) -> TenantFound:
        await asyncio.sleep(0)
        return self.answers.pop(0)


GOOD, BAD = TenantFound(TENANT, "", 1), TenantFound(None, "no network", 2)


def opened(meters: Meters) -> float:
    (line,) = [
        line
        for line in meters.render().decode().splitlines()
        if line.startswith("wayclear_connections_opened_total")
    ]
    return float(line.rpartition(" ")[2])


@looping
async def test_a_lookup_that_fails_takes_no_tenant_away_and_its_connections_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meters = Meters(Place("connector01"))
    now = [1000.0]
    planner, lookups = Planner(meters, lambda: now[0]), Lookups(monkeypatch, BAD, GOOD, BAD, BAD)
    first = await planner.plan(DOMAIN, RULES, PROBER)
    assert (first.tenant, first.notes, lacks_tenant(DOMAIN, first)) == (None, ("no network",), True)
    now[0] += plans.FIRST
    found = await planner.plan(DOMAIN, RULES, PROBER)
    assert (found.tenant, found.notes, lacks_tenant(DOMAIN, found)) == (TENANT, (), False)
    now[0] += plans.FOUND_LASTS
    kept = await planner.plan(DOMAIN, RULES, PROBER)
    assert kept.tenant == TENANT
    assert kept.notes == ("contoso.example could not be looked up anew: the tenant id of before stays.",)
    other = await planner.plan(replace(DOMAIN, tenant="fabrikam.example"), RULES, PROBER)
    assert other.tenant is None, "of another domain nothing is known"
    assert opened(meters) == 7
    assert lookups.answers == []


class Rate:
    """Counts what is spent."""

    def __init__(self) -> None:
        self.spent: list[int] = []

    async def admit(self, times: int = 1) -> None:
        self.spent.append(times)


@looping
async def test_a_hundred_reloads_ask_once_and_take_what_they_open_from_the_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, rate, meters = [0.0], Rate(), Meters(Place("connector01"))
    three = replace(GOOD, connections=3)
    planner, lookups = Planner(meters, lambda: now[0]), Lookups(monkeypatch, three, GOOD, BAD, GOOD)
    for _ in range(100):
        assert (await planner.plan(DOMAIN, RULES, PROBER, rate=rate)).tenant == TENANT
        now[0] += 2.9
    assert (len(lookups.answers), rate.spent, opened(meters)) == (3, [1, 2], 3)
    now[0] += 20.0
    assert (await planner.plan(DOMAIN, RULES, PROBER, rate=rate)).notes == ()
    assert len(lookups.answers) == 2, "after some minutes once more"
    other = replace(DOMAIN, tenant="fabrikam.example")
    assert lacks_tenant(other, await planner.plan(other, RULES, PROBER, rate=rate))
    assert len(lookups.answers) == 1, "another domain is another question"
    assert (await planner.plan(DOMAIN, RULES, PROBER, rate=rate)).tenant == TENANT
    elsewhere = replace(DOMAIN, resolvers=("192.0.2.53",))
    assert (await planner.plan(elsewhere, RULES, PROBER, rate=rate)).tenant == TENANT
    assert (lookups.answers, rate.spent) == ([], [1, 2, 1, 1, 1, 1])


@looping
async def test_a_domain_that_is_not_found_is_asked_for_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, asked = [0.0], []
    planner, lookups = Planner(Meters(Place("connector01")), lambda: now[0]), Lookups(monkeypatch, *[BAD] * 9)
    while now[0] < 2400:
        before = len(lookups.answers)
        plan = await planner.plan(DOMAIN, RULES, PROBER)
        assert plan.notes == ("no network",)
        if len(lookups.answers) < before:
            asked.append(now[0])
        now[0] += 5.0
    assert asked == [0, 15, 45, 105, 225, 465, 945, 1545, 2145]


@looping
async def test_a_plan_can_be_made_without_a_packet(monkeypatch: pytest.MonkeyPatch) -> None:
    planner, lookups = Planner(Meters(Place("connector01"))), Lookups(monkeypatch, GOOD)
    quiet = await planner.plan(DOMAIN, RULES, PROBER, quiet=True)
    assert lacks_tenant(DOMAIN, quiet)
    assert "when the maintenance window has ended" in quiet.notes[0]
    assert lookups.answers == [GOOD]
    await planner.plan(DOMAIN, RULES, PROBER)
    assert (await planner.plan(DOMAIN, RULES, PROBER, quiet=True)).tenant == TENANT
    given = replace(DOMAIN, tenant=TENANT)
    assert (await planner.plan(given, RULES, PROBER, quiet=True)).tenant == TENANT
    assert not lacks_tenant(Config(), await planner.plan(Config(), RULES, PROBER))


@looping
async def test_it_is_searched_for_less_and_less_often_and_never_in_a_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    asked: list[int] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    async def look_up() -> bool:
        asked.append(len(waited))
        if len(asked) == 2:
            raise RuntimeError("a bug of ours")
        return len(asked) == 8

    monkeypatch.setattr("probe.watch.plans.asyncio.sleep", sleep)
    await retry_search(look_up, lambda: len(waited) == 3)
    assert waited == [15, 30, 60, 60, 120, 240, 480, 600, 600]
    assert asked == [1, 2, 4, 5, 6, 7, 8, 9]


#: Lookups of which each gives what stands in a file: nothing, or a tenant.
FROM_FILE = """
import pathlib, probe.watch.plans, probe.audit.plan
from probe.audit.tenant import TenantFound
async def find(*_, **__):
    said = pathlib.Path({file!r}).read_text()
    return TenantFound(said or None, "" if said else "no network", 1)
probe.audit.plan.search_tenant, probe.watch.plans.FIRST = find, 0.3
"""


def test_a_service_finds_its_tenant_when_the_network_comes_and_keeps_it_over_a_reload(tmp_path: Path) -> None:
    said, patches = tmp_path / "tenant", tmp_path / "patches"
    said.write_text("")
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(FROM_FILE.format(file=str(said)))
    net = Internet(tmp_path)

    def vantage(daemon: Served) -> bool:
        return TENANT in daemon.client.get("/report.json")

    with served(
        tmp_path,
        net=net,
        environment={"PYTHONPATH": str(patches)},
        arguments=("--allow-root", "--tenant", "contoso.example"),
    ) as daemon:
        daemon.ready()
        assert not vantage(daemon)
        assert 'msg="no network"' in daemon.log()
        said.write_text(TENANT)
        daemon.until(lambda: vantage(daemon))
        said.write_text("")
        assert daemon.client.ask("/-/reload", "POST")[0] == 200
        assert "could not be looked up anew" not in daemon.log(), "it was looked up a moment ago"
        assert vantage(daemon)
