"""The recordings of the lab's scenarios: `tests/scenarios/<name>/report.json`, and beside it what its answers were made of.

A recording keeps what an audit saw and the parameters of the audit, not what the rules said of it: today's rules judge it
again, so no change of their words or verdicts changes the file. Certificates, lists and other long bytes stand once in
`blobs.json`; in their place the report has `{"blob": "<name>"}`. Both are plain JSON with sorted keys, an item a line, so
that git packs them and shows what changed.

`python -m tests.recordings NAME` writes the whole report, which `wayclear replay` reads.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from rules.files.codec import JsonValue

DIRECTORY = Path(__file__).resolve().parent / "scenarios"
_LONG_BYTES = re.compile(r"[A-Za-z0-9+/]{96,}={0,2}")


def names() -> tuple[str, ...]:
    """Of every recording, in order."""
    return tuple(sorted(entry.name for entry in DIRECTORY.iterdir() if entry.is_dir()))


def whole(name: str) -> str:
    """A recording as one JSON report."""
    blobs = json.loads((DIRECTORY / name / "blobs.json").read_text("utf-8"))

    def resolved(value: dict[str, Any]) -> object:
        return blobs[value["blob"]] if value.keys() == {"blob"} else value

    data = json.loads((DIRECTORY / name / "report.json").read_text("utf-8"), object_hook=resolved)
    return json.dumps(data, ensure_ascii=False)


def keep(name: str, report: dict[str, Any]) -> None:
    """Write an audit's report, as parsed JSON, as the recording of a scenario."""
    directory = DIRECTORY / name
    directory.mkdir(parents=True, exist_ok=True)
    for file, text in texts(report).items():
        (directory / file).write_text(text, "utf-8")


def texts(report: dict[str, Any]) -> dict[str, str]:
    """The files of a recording."""
    blobs: dict[str, str] = {}
    seen = [_with_references(item, blobs) for item in report["observations"]]
    judged = {"answer_text": "", "causes": [], "verdicts": []}
    kept = {key: value for key, value in report.items() if key != "summary"} | judged | {"observations": seen}
    return {"report.json": _lines(kept), "blobs.json": _lines(blobs)}


def _with_references(value: JsonValue, blobs: dict[str, str]) -> JsonValue:
    """`value` with names in the place of long bytes, which go to `blobs`."""
    if isinstance(value, dict):
        return {key: _with_references(item, blobs) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_references(item, blobs) for item in value]
    if not isinstance(value, str) or not _LONG_BYTES.fullmatch(value):
        return value
    name = hashlib.sha256(value.encode()).hexdigest()[:16]
    blobs[name] = value
    return {"blob": name}


def _lines(value: dict[str, Any]) -> str:
    """JSON with a key a line, and an item a line where the value is a list."""
    rows = []
    for key in sorted(value):
        item = value[key]
        text = _flat(item)
        if isinstance(item, list) and item:
            text = "[\n" + ",\n".join(map(_flat, item)) + "\n]"
        rows.append(f"{json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(rows) + "\n}\n"


def _flat(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in names():
        sys.exit("usage: python -m tests.recordings NAME, the name of a folder of tests/scenarios")
    print(whole(sys.argv[1]))
