"""`python -m tests.lab.shipped_recording`: the recording that `wayclear rehearse` takes without `--report`, from `healthy`.

It is the scenario's recording with the lab's labels left out, and beside it the lab's CAs, which signed what it shows. A
test makes both anew, so a change of the rule set or a new recording of `healthy` needs this command.
"""

from __future__ import annotations

import gzip
import json

from probe.command.shipped_recording import SHIPPED_CAS, SHIPPED_REPORT, shipped
from tests import recordings
from tests.lab import audit_files


def report_text() -> str:
    """The recording."""
    report = json.loads(recordings.whole("healthy"))
    report["vantage"] |= {"host": "connector", "user": "connector", "labels": {}}
    report["plan"] |= {"labels": []}
    report["rulesets"] = []
    for seen in report["observations"]:
        if seen["kind"] == "local_host":
            seen["facts"] |= {"host": "connector", "user": "connector"}
        if seen["kind"] == "trust_lookup":
            seen["facts"] |= {"public_source": "", "system_source": ""}
    return json.dumps(report, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"


def cas_text() -> str:
    """The CA set under a name of its own."""
    return audit_files.ca_set().replace('name = "lab"', 'name = "rehearsal"', 1)


def main() -> None:
    """Write both."""
    shipped(SHIPPED_CAS).write_text(cas_text(), "utf-8", newline="\n")
    shipped(SHIPPED_REPORT).write_bytes(gzip.compress(report_text().encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
