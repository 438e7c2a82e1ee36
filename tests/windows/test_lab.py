"""One network of the lab as the program sees it under Wine and on Linux, by an audit and as a service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab.appliance import QUICK
from tests.lab.auditing import audit
from tests.lab.lab import Lab
from tests.lab.plan import Plan
from tests.lab.scenario import essence
from tests.lab.scenarios import SCENARIOS
from tests.windows.installation import installed
from tests.windows.serving import BURST
from tests.windows.wine import Wine

pytestmark = pytest.mark.lab
SPOILT = ("one-of-three-dropped", "one-of-three-reset")
TRIES = 5
Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Network:
    """A lab, a prefix whose sockets are the connector's, and what Linux says of the network."""

    lab: Lab
    wine: Wine
    code: int
    report: Report


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """One address of the service drops what comes, one of another name refuses it."""
    plan, forward = Plan(), []
    for scenario in SCENARIOS:
        if scenario.name in SPOILT:
            scenario.spoil(plan)
            forward += plan.forward
    plan.forward = forward
    with Lab(plan) as lab, installed() as wine:
        code, report = not_starved(lambda: on_linux(lab))
        yield Network(lab, wine, code, report)


def not_starved(audited: Callable[[], tuple[int, Report]]) -> tuple[int, Report]:
    """Exit code and report. On a busy machine the program says itself that it had no time to see: it is asked again."""
    for _ in range(TRIES):
        code, report = audited()
        if not any(verdict["cause"] == "local.starved" for verdict in report["verdicts"]):
            return code, report
    raise AssertionError(f"starved in each of {TRIES} audits")


def on_linux(lab: Lab) -> tuple[int, Report]:
    done = audit(lab)
    assert done.report, done.finished.text
    return done.finished.code, done.report


def under_wine(lab: Lab, wine: Wine) -> tuple[int, Report]:
    path = lab.directory / "wine.json"
    path.unlink(missing_ok=True)
    how = ["--config", f"{lab.directory}/wayclear.toml", "--pace", "fast", "--format", "json"]
    command = wine.wayclear("audit", *how, "--output", str(path))
    done = lab.run(command, environment=wine.environment, timeout=150)
    assert path.exists(), done.text
    return done.code, json.loads(path.read_text("utf-8"))


def test_an_audit_has_the_verdicts_of_linux(network: Network) -> None:
    code, report = not_starved(lambda: under_wine(network.lab, network.wine))
    assert code == network.code == 1
    assert essence(report) == essence(network.report)
    assert {v["cause"] for v in report["verdicts"]} >= {"tcp.timeout", "tcp.reset"}
    assert report["vantage"]["os"].startswith("Windows")


def test_a_service_from_its_start_to_ctrl_c(network: Network) -> None:
    lab, wine = network.lab, network.wine
    config = lab.directory / "serve.toml"
    schedule = "".join(f"{key} = {value:g}\n" for key, value in QUICK.items())
    text = (lab.directory / "wayclear.toml").read_text("utf-8")
    config.write_text(f"{text}[schedule]\n{schedule}", "utf-8")
    script = [
        sys.executable,
        "-m",
        "tests.windows.serving",
        str(wine.prefix),
        str(config),
        f"{lab.directory}/state",
    ]
    done = lab.run(script, timeout=300)
    assert done.code == 0, done.text
    seen: Report = json.loads(done.stdout)

    assert seen["report"]["answer"] == network.report["answer"]
    assert seen["pages"] == {"/": 200, "/metrics": 200, "/nothing": 404}
    assert "wayclear_" in seen["metrics"]
    assert seen["kept"], f"{BURST} connections that reset cost an idle client its own"
    assert seen["seconds after the burst"] < 0.2 * BURST, "a pause for each of them"
    assert seen["code"] == 0
    assert seen["seconds to its end"] < 60
    log = seen["log"]
    assert [line for line in log if "level=error" in line and "wayclear.prom" not in line] == []
    assert len([line for line in log if "wayclear.prom cannot be written" in line]) == 1
    faults = ("Traceback", "no connection can be accepted")
    assert [
        log[max(n - 2, 0) : n + 30] for n, line in enumerate(log) if any(fault in line for fault in faults)
    ] == []
