"""Debian's Alertmanager on a loopback port, with the configuration of this tree."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from dashboards.alerts import BY_NAME
from dashboards.build import HERE

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Alertmanager:
    """One that runs. Alerts are given and asked for through its API v2."""

    port: int

    def _ask(self, method: str, path: str, body: Any = None) -> Any:  # noqa: ANN401
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"Content-Type": "application/json"})
            response = connection.getresponse()
            content = response.read()
            assert response.status == 200, content
            return json.loads(content) if content else None
        finally:
            connection.close()

    def ready(self) -> bool:
        """Whether it answers."""
        try:
            self._ask("GET", "/api/v2/status")
        except OSError:
            return False
        return True

    def tell(self, alerts: Iterable[Labels], resolved: bool = False) -> None:
        """These alerts fire, or have ended."""
        now = datetime.now(UTC)
        ends = now - timedelta(seconds=1) if resolved else now + timedelta(hours=1)
        times = {"startsAt": (now - timedelta(minutes=5)).isoformat(), "endsAt": ends.isoformat()}
        self._ask("POST", "/api/v2/alerts", [{"labels": labels, **times} for labels in alerts])

    def held_back(self) -> dict[str, bool]:
        """Every firing alert (name and connector, site or target) and whether it is inhibited."""
        found = self._ask("GET", "/api/v2/alerts")
        return {named(alert["labels"]): bool(alert["status"]["inhibitedBy"]) for alert in found}

    def receivers(self) -> dict[str, list[str]]:
        """Every firing alert and who would be told."""
        found = self._ask("GET", "/api/v2/alerts")
        return {named(a["labels"]): [r["name"] for r in a["receivers"]] for a in found}

    def settles_at(self, wanted: dict[str, bool]) -> None:
        """Wait for exactly this picture: an inhibition takes effect a moment after its source is told."""
        deadline = time.monotonic() + 5
        while (found := self.held_back()) != wanted:
            assert time.monotonic() < deadline, f"{found} and not {wanted}"
            time.sleep(0.02)


def named(labels: Labels) -> str:
    """`ConnectorDown c1`: an alert as a word."""
    kept = [labels[k] for k in ("connector", "site", "target", "connector_group") if k in labels]
    return " ".join([labels["alertname"].removeprefix("Wayclear"), *kept[:1]])


def firing(name: str, **labels: str) -> Labels:
    """Labels of an alert of this tree."""
    return {"alertname": name, "severity": BY_NAME[name].severity, **labels}


@contextmanager
def alertmanager(directory: Path) -> Iterator[Alertmanager]:
    """Start one, and end it."""
    log = directory / "log"
    command = [
        "prometheus-alertmanager",
        f"--config.file={HERE / 'alertmanager/alertmanager.yml'}",
        f"--storage.path={directory}",
        "--web.listen-address=127.0.0.1:0",
        "--cluster.listen-address=",
    ]
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=directory) as process:
        try:
            yield _started(process, log)
        finally:
            process.terminate()
            process.wait(10)


def _started(process: subprocess.Popen[bytes], log: Path) -> Alertmanager:
    """Its port is in its log; from then on it is asked until it answers."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        match = re.search(r"address=127\.0\.0\.1:(\d+)", log.read_text("utf-8"))
        if match and Alertmanager(int(match[1])).ready():
            return Alertmanager(int(match[1]))
        time.sleep(0.02)
    raise AssertionError(log.read_text("utf-8"))
