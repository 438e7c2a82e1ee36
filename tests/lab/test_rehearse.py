"""`wayclear rehearse` beside networks that are really so broken: from the recording of the same lab while it was healthy."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.auditing import PROGRAM, audit
from tests.lab.lab import Finished, Lab
from tests.lab.plan import Interceptor, Plan
from tests.lab.test_verify import SCHEMA, service
from tests.lab.watching import connections, start_watching

pytestmark = pytest.mark.lab

BANNER = "REHEARSAL: nothing of this was measured"


@pytest.fixture(scope="module")
def healthy() -> Iterator[tuple[Lab, Path]]:
    """The lab without a fault, and the report of its audit."""
    with Lab(Plan()) as lab:
        run = audit(lab)
        assert run.report is not None
        assert run.report["answer"] == "yes"
        yield lab, run.path


def rehearse(lab: Lab, report: Path, *words: str) -> Finished:
    config = ("--config", f"{lab.directory}/wayclear.toml")
    return lab.run([*PROGRAM, "rehearse", "--report", str(report), *config, *words], timeout=120)


def roots(report: dict[str, Any]) -> set[tuple[object, ...]]:
    """The findings that follow from no other: what is wrong, who must act, how sure it is, where, and what to allow."""
    return {
        (c["id"], c["cause"], c["status"], c["owner"], c["confidence"], c["remedy"], endpoints(c), asked(c))
        for c in report["causes"]
        if not c["because"] and c["status"] in ("fail", "warn", "broken", "inconclusive")
    }


def endpoints(cause: dict[str, Any]) -> frozenset[tuple[object, ...]]:
    return frozenset((e["host"], e["port"], e["address"]) for e in cause["endpoints"])


def asked(cause: dict[str, Any]) -> str:
    return json.dumps(cause["request"], sort_keys=True)


def relays_dropped(plan: Plan) -> None:
    plan.forward = [plans.drop(to=service(plan, ".servicebus.windows.net"), port=443)]


def relays_refused(plan: Plan) -> None:
    plan.forward = [plans.reset(to=service(plan, ".servicebus.windows.net"), port=443)]


def inspected(plan: Plan) -> None:
    plan.interceptors = [Interceptor("squid", plans.match(port=443), pki.CORPORATE)]
    plan.os_store = (pki.CORPORATE,)


def port_80_closed(plan: Plan) -> None:
    plan.forward = [plans.drop(port=80)]


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (relays_dropped, ("--block", "*.servicebus.windows.net")),
        (relays_refused, ("--block", "*.servicebus.windows.net:443", "--reset")),
        (inspected, ("--inspect",)),
        (port_80_closed, ("--no-port-80",)),
    ],
)
def test_it_says_what_an_audit_of_that_network_says(
    healthy: tuple[Lab, Path], spoil: Any, words: tuple[str, ...]
) -> None:
    lab, path = healthy
    done = rehearse(lab, path, *words, "--format", "json")
    made = json.loads(done.stdout)
    jsonschema.Draft202012Validator(SCHEMA).validate(made)
    plan = Plan()
    spoil(plan)
    with Lab(plan) as other:
        run = audit(other)
    assert run.report is not None
    assert (made["answer"], made["answer_text"]) == (run.report["answer"], run.report["answer_text"])
    assert done.code == run.finished.code
    assert roots(made) == roots(run.report)
    assert len(roots(made)) == 1, "one fault is one finding"


def test_the_text_is_marked_and_tells_the_alerts(healthy: tuple[Lab, Path]) -> None:
    lab, path = healthy
    start_watching(lab)
    done = rehearse(lab, path, "--block", "*.servicebus.windows.net", "--block", "*.msappproxy.net")
    assert connections(lab) == [], "no packet is sent"
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith(BANNER)
    assert lines[-1] == f"{BANNER}."
    flat = " ".join(done.stdout.split())
    assert "The answer was YES, and would be NO." in flat
    assert "REHEARSAL nothing of this was measured" in flat, "beside the place of the measurement"
    assert "NO: a connector" in flat
    assert "ticket WayclearConnectorDown after 7 min: this connector" in flat
    assert "WayclearSignInDown" not in flat


def test_without_a_report_it_takes_the_shipped_one(healthy: tuple[Lab, Path]) -> None:
    lab, _ = healthy
    done = lab.run([*PROGRAM, "rehearse", "--no-port-80"], timeout=60)
    assert done.code == 1, done.text
    flat = " ".join(done.stdout.split())
    assert "The recording is a healthy network of the lab" in flat
    assert "The answer was YES, and would be DEGRADED." in flat
    assert "ticket WayclearCrlUnreachable after 6 h" in flat


def test_a_file_is_marked_as_well_and_is_no_report_to_verify(healthy: tuple[Lab, Path]) -> None:
    lab, path = healthy
    out = lab.directory / "rehearsed.json"
    done = rehearse(lab, path, "--inspect", "--format", "json", "--output", str(out))
    assert done.code == 2
    assert done.stderr.startswith(BANNER)
    report = json.loads(out.read_text())
    assert report["notes"][0].startswith(BANNER)
    assert any(
        note.startswith("Alert that would fire: page WayclearServiceIntercepted") for note in report["notes"]
    )
    words = ["verify", str(out), "--config", f"{lab.directory}/wayclear.toml"]
    refused = lab.run([*PROGRAM, *words], timeout=60)
    assert refused.code == 3
    assert "is a rehearsal" in refused.stderr
