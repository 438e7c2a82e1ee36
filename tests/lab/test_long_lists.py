"""Whatever port 80 sends, audit and daemon stay small: lists of 31 MB at every address, the same one or another each time."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.appliance import serve, until
from tests.lab.auditing import PROGRAM
from tests.lab.lab import Lab
from tests.long_crl import WRAPPER

pytestmark = [pytest.mark.lab, pytest.mark.proof]

#: MiB that audit and daemon may need at most; entries of a list of 31 MB.
MOST, ENTRIES = 200, 1_100_000
#: Fetches after which the daemon is looked at: it has long met every address.
FETCHES = 150
REDIRECT = """
table inet lists {
  chain out { type nat hook prerouting priority -150; iifname "inside" tcp dport 80 counter redirect to :8080; }
  chain in { type filter hook input priority -150; accept; }
}
"""


@contextmanager
def spoilt(which: str) -> Iterator[Lab]:
    """A network whose port 80 answers everything with a long list."""
    with Lab() as lab:
        lab.start_python("long_lists", "firewall", "long_lists", f"{ENTRIES} {which}")
        lab.nft(REDIRECT)
        yield lab


def patient(lab: Lab) -> str:
    """The lab's configuration with the time that a list has outside of it: the machine may be busy."""
    file = lab.directory / "wayclear.toml"
    text = file.read_text(encoding="utf-8")
    assert "crl = 5.0" in text
    file.write_text(text.replace("crl = 5.0", "crl = 60.0"), encoding="utf-8")
    return str(file)


def fetches(lab: Lab) -> int:
    """Connections to port 80 so far."""
    listed = lab.run(["nft", "-j", "list", "table", "inet", "lists"], network="firewall").stdout
    rules = [item["rule"]["expr"] for item in json.loads(listed)["nftables"] if "rule" in item]
    return sum(e["counter"]["packets"] for e in itertools.chain(*rules) if "counter" in e)


@pytest.mark.parametrize("which", ["same", "others"])
@pytest.mark.parametrize("pace", ["fast", "polite"])
def test_an_audit_stays_small(which: str, pace: str) -> None:
    with spoilt(which) as lab:
        peak, out = lab.directory / "peak", lab.directory / "report.json"
        argv = [*PROGRAM, "audit", "--config", patient(lab), "--pace", pace]
        argv += ["--format", "json", "--output", str(out)]
        lab.run([sys.executable, "-c", WRAPPER, str(peak), *argv], timeout=500)
        seen = json.loads(out.read_text(encoding="utf-8"))["observations"]
        needed = int(peak.read_text())
    came = sum((o["facts"] or {}).get("size", 0) for o in seen if o["kind"] == "http_fetch")
    assert came > 100_000_000, "lists were read, one after the other"
    assert needed < MOST, f"{needed} MiB"


@pytest.mark.parametrize("which", ["same", "others"])
def test_the_daemon_stays_small(which: str) -> None:
    with spoilt(which) as lab:
        patient(lab)
        daemon = serve(lab)
        until("every address was met", lambda: fetches(lab) > FETCHES, within=500, every=2.0)
        assert daemon.get("/-/healthy").status == 200
        status = lab.run(["cat", f"/proc/{lab.signal(daemon.name, 0)}/status"]).stdout
    (needed,) = (int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    assert needed < MOST, f"{needed} MiB"
