"""Values that are of the right type and still cannot be judged by."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from rules.recorded import check
from rules.verdict import Report
from rules.wire import BadReport, dumps, loads
from tests.exporters import samples


def changed(report: Report, *path: str | int, value: object) -> Report:
    """`report` as a file would have it with another value at `path`."""
    data: Any = json.loads(dumps(report))
    place = data
    for key in path[:-1]:
        place = place[key]
    assert place[path[-1]] is not None
    place[path[-1]] = value
    return loads(json.dumps(data))


def place_of(report: Report, kind: str) -> int:
    return next(n for n, o in enumerate(json.loads(dumps(report))["observations"]) if o["kind"] == kind)


@pytest.mark.parametrize("report", [samples.report(), samples.healthy(), samples.behind_proxy()])
def test_what_an_audit_wrote_is_fine(report: Report) -> None:
    check(report)


@pytest.mark.parametrize(
    "value", ["", "999.1.1.1", "\x9b2J", "a..b", "10.0.0.1 ", "0x7f.1", "x" * 3000, "::1::"]
)
def test_addresses_that_are_none(value: str) -> None:
    report = samples.report()
    at = place_of(report, "dns_question")
    address = next(
        n
        for n, r in enumerate(json.loads(dumps(report))["observations"][at]["facts"]["records"])
        if r["type"] == "A"
    )
    with pytest.raises(
        BadReport, match=rf"observations\[{at}\]\.facts\.records\[{address}\]\.value: is not an IP"
    ):
        check(changed(report, "observations", at, "facts", "records", address, "value", value=value))
    host = place_of(report, "local_host")
    with pytest.raises(BadReport, match=r"facts\.addresses\[0\]: is not an IP address"):
        check(changed(report, "observations", host, "facts", "addresses", value=[value]))


@pytest.mark.parametrize("value", ["nowhere", "10.0.0.0/33", "10.0.0.0/8/8", "\x00"])
def test_networks_that_are_none(value: str) -> None:
    report = samples.report()
    with pytest.raises(BadReport, match=r"plan\.public_networks\[0\]: is not a network"):
        check(changed(report, "plan", "public_networks", value=[value]))
    at = place_of(report, "local_host")
    with pytest.raises(BadReport, match=r"facts\.networks\[0\]: is not a network"):
        check(changed(report, "observations", at, "facts", "networks", value=[value]))


@pytest.mark.parametrize("value", ["192.0.2.1:443", "[2001:db8::1]:443", ""])
def test_canaries(value: str) -> None:
    report = samples.report()
    check(dataclasses.replace(report, plan=dataclasses.replace(report.plan, canary_address=value)))


@pytest.mark.parametrize(
    "value",
    [
        "192.0.2.1",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:4４3",
        "here:443",
        ":443",
        "1:+1",
    ],
)
def test_canaries_that_are_none(value: str) -> None:
    with pytest.raises(BadReport, match=r"plan\.canary_address"):
        check(changed(samples.report(), "plan", "canary_address", value=value))
