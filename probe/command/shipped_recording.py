"""The recording that `wayclear rehearse` changes without --report, and the CAs that signed what it shows."""

from __future__ import annotations

import importlib.resources
from pathlib import Path

from rules.model.verdict import Report
from rules.rehearse.marks import is_rehearsal

#: Files of `rules/rehearse`; `tests/lab/shipped_recording.py` makes both.
SHIPPED_REPORT, SHIPPED_CAS = "healthy.json.gz", "healthy-cas.toml"
CA_SET = "rehearsal"  #: the name of that CA set


def shipped(name: str) -> Path:
    """A file that is a part of the program."""
    return Path(str(importlib.resources.files("rules.rehearse").joinpath(name)))


def is_of_shipped(report: Report) -> bool:
    """Whether a report is a rehearsal of the shipped recording: it needs the shipped CAs."""
    return is_rehearsal(report) and any(
        used.kind == "cas" and used.name == CA_SET for used in report.rulesets
    )
