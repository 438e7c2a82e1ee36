"""Networks of many names with several addresses each, for tests in virtual time."""

from __future__ import annotations

from rules.model.ruleset import Group, Probe, Rule, Rules
from tests.rules.script import (
    BOOTSTRAP,
    BOOTSTRAP_RULE,
    CITED,
    CRL_RULE,
    OCSP_RULE,
    ZONE,
    World,
    healthy,
    rule,
    rules_of,
)


def listed(
    addresses: int, relays: int = 7, sign_in: int = 8, sources: tuple[Rule, ...] = (CRL_RULE, OCSP_RULE)
) -> tuple[World, Rules]:
    """A network of names with so many addresses each, and the rules that list them."""
    zone, rows = dict(ZONE), [BOOTSTRAP_RULE, *sources]
    samples = [f"s{n}.servicebus.windows.net" for n in range(relays)]
    signs = [f"l{n}.microsoftonline.com" for n in range(sign_in)]
    for number, name in enumerate([BOOTSTRAP, *samples, *signs]):
        zone[name] = tuple(f"203.0.{number + 1}.{n + 1}" for n in range(addresses))
    rows.append(
        rule("relay", "*.servicebus.windows.net", probes=tuple(Probe(n, False, CITED) for n in samples))
    )
    rows += [rule(f"sign-in-{n}", name, Group.SIGN_IN) for n, name in enumerate(signs)]
    return healthy(zone=zone), rules_of(*rows)
