"""Prepares an audit: the tenant, the parameters, the stores of root certificates."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from probe.audit.tenant import TenantFound, search_tenant
from probe.config.settings import Config
from probe.measure.prober import Prober
from probe.measure.trust_stores import TrustStores
from rules.model.geography import GEOGRAPHIES, geography
from rules.model.ruleset import Rules
from rules.model.verdict import Plan

Lookup = Callable[[Config, Rules, Prober], Awaitable[TenantFound]]


def stores_of(config: Config) -> TrustStores:
    """This host's trust stores, or the files that the configuration names instead."""
    named = (Path(name) if name else None for name in (config.public_roots, config.os_store))
    return TrustStores(*named)


async def find_tenant(config: Config, rules: Rules, prober: Prober) -> TenantFound:
    """The configured tenant; a domain is looked up."""
    if config.tenant is None or not config.tenant_is_domain:
        return TenantFound(config.tenant)
    return await search_tenant(
        config.tenant,
        prober,
        rules,
        resolvers=config.resolvers,
        public_networks=config.public_networks,
        limits=config.limits,
    )


async def make_plan(
    config: Config, rules: Rules, prober: Prober, lookup: Lookup = find_tenant
) -> tuple[Plan, int]:
    """The parameters of this audit, and the number of connections that their lookup opened.

    A tenant given as a domain is looked up first; where that fails the audit runs without one, and its notes say why.
    """
    found = await lookup(config, rules, prober)
    source = config.tenant_source
    plan = Plan(
        nonce=secrets.token_hex(6),
        tenant=found.tenant,
        tenant_source=f"{source} {config.tenant}" if config.tenant_is_domain else source,
        resolvers=config.resolvers,
        only=config.only,
        pace="fast" if config.pace == "fast" else "polite",
        max_addresses=4 if config.pace == "polite" else 32,
        public_networks=config.public_networks,
        canary_address=config.canary_address,
        control_name=config.control_name,
        labels=config.labels,
        region=geography(config.region),
        owners=config.owners,
        notes=tuple(note for note in (found.note, _region_note(config.region)) if note),
    )
    return plan, found.connections


def _region_note(region: str) -> str:
    """Says that a region of the configuration is only a label."""
    if not region or geography(region):
        return ""
    known = ", ".join(GEOGRAPHIES.values())
    return f"The region {region} is only a label: names are required for {known}"
