"""What of a configuration reaches the plan of an audit."""

from __future__ import annotations

import asyncio

from probe.audit.plan import make_plan
from probe.audit.tenant import TenantFound
from probe.config.settings import Config
from probe.measure.prober import Prober
from rules.model.ruleset import Rules
from rules.model.verdict import Plan
from tests.rules import goldens

TENANT = "11111111-2222-3333-4444-555555555555"


async def _known(_config: Config, _rules: Rules, _prober: Prober) -> TenantFound:
    return TenantFound(TENANT)


def planned(config: Config) -> Plan:
    async def made() -> Plan:
        plan, _ = await make_plan(config, goldens.rules(), Prober(), _known)
        return plan

    return asyncio.run(made())


def test_the_region_and_the_names_of_the_teams_are_part_of_it() -> None:
    plan = planned(Config(tenant=TENANT, region="Europe", owners=(("firewall", "NETSEC queue"),)))
    assert (plan.tenant, plan.region, plan.owners) == (TENANT, "eur", (("firewall", "NETSEC queue"),))
    assert plan.notes == ()


def test_a_region_that_is_no_geography_is_a_label_and_is_said_to_be_one() -> None:
    plan = planned(Config(tenant=TENANT, region="emea"))
    assert plan.region == ""
    assert [note for note in plan.notes if "emea is only a label" in note] == list(plan.notes) != []
