"""Checks of a recording beyond the types of its values, before any judgement.

A live audit holds only valid addresses, because the measurement accepts no others. A file may hold anything.
"""

from __future__ import annotations

from collections.abc import Iterator

from rules.files.codec import BadReport
from rules.model.kinds import local_host
from rules.model.observation import kind_of
from rules.model.verdict import Plan, Report
from rules.text.address import classify


def check(report: Report) -> None:
    """Raise BadReport, with the place, for an invalid address, network or canary in a report."""
    for path, value in _networks_of_plan(report.plan):
        _network(value, path)
    _canary(report.plan.canary_address, "$.plan.canary_address")
    for at, (_, addresses) in enumerate(report.plan.last_good):
        for address in addresses:
            _address(address, f"$.plan.last_good[{at}]")
    for number, seen in enumerate(report.observations):
        if seen.evidence is None:
            continue
        for path, value in kind_of(seen.step).literals(seen.evidence):
            _address(value, f"$.observations[{number}].facts.{path}")
        facts = local_host.KIND.shown(seen.evidence)
        for at, value in enumerate(facts.networks if facts is not None else ()):
            _network(value, f"$.observations[{number}].facts.networks[{at}]")


def _networks_of_plan(plan: Plan) -> Iterator[tuple[str, str]]:
    for at, value in enumerate(plan.public_networks):
        yield f"$.plan.public_networks[{at}]", value


def _address(value: str, path: str) -> None:
    try:
        classify(value)
    except ValueError:
        raise BadReport(path, "is not an IP address") from None


def _network(value: str, path: str) -> None:
    try:
        classify("192.0.2.1", (value,))
    except ValueError:
        raise BadReport(path, "is not a network in CIDR notation") from None


def _canary(value: str, path: str) -> None:
    """ "address:port", an IPv6 address in brackets; "" for none."""
    address, _, port = value.rpartition(":")
    if not value:
        return
    _address(address.removeprefix("[").removesuffix("]"), path)
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) < 65536):
        raise BadReport(path, "has no port")
