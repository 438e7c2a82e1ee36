"""One audit by itself, without Python's start: `python -m tests.bench.timed_audit CONFIG RULES`.

Prints the seconds and the CPU seconds (children included) from the first question to the last byte of the report, and
the answer, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

from probe.audit.runner import run_audit
from probe.command.main import parse
from probe.config.settings import load_config, load_rules
from rules.files.report_json import pieces
from rules.model.verdict import Report


def main(config_file: str, rules_file: str) -> None:
    """Audit, judge, write to nowhere; print what it took."""
    parse(["audit"])  # loads everything that the command line loads, before the clock starts
    config = load_config(config_file, {"pace": "fast"})
    rules = load_rules((rules_file,), config.ca_sets)
    made: list[Report] = []

    async def whole() -> None:
        made.append(await run_audit(config, rules))

    begun, before = time.monotonic(), sum(os.times()[:4])
    asyncio.run(whole())
    with Path(os.devnull).open("w") as nowhere:
        nowhere.writelines(pieces(made[0]))
    took, spent = time.monotonic() - begun, sum(os.times()[:4]) - before
    print(json.dumps({"took": took, "spent": spent, "answer": made[0].answer.value}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
