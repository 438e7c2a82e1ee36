"""Checks one file for `wayclear validate`: its faults, and what is allowed but looks wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from probe.config.example_values import example_warnings
from probe.config.rule_files import check_file
from probe.config.settings import SCHEMA, Config, load_rules_of, parse_config
from probe.host.files import LARGEST, TomlFile, decode_text, parse_toml, read_input, shown_name
from rules.files import recording, report_json
from rules.files.fields import BadFile, Fault
from rules.files.limits import LARGEST_REPORT
from rules.files.rule_set import SCHEMA as RULES_SCHEMA
from rules.model.geography import GEOGRAPHIES, geography
from rules.text.display import display

SCHEMA_LINE = f'schema = "{SCHEMA}"'  #: the first line of a configuration


def validate_file(path: str) -> list[str]:
    """The faults of a file (rule set, CA set, interceptors, configuration or report), one message each; [] for none.

    The `schema` in the file says what it is; without one it is a configuration. An empty file is a fault: it could be
    anything. `-` is standard input; gzip is unpacked. A message about something that is allowed but looks wrong begins
    with "warning: ".
    """
    try:
        content, source = read_input(path, LARGEST_REPORT), shown_name(path)
        text = decode_text(content, source)
        if text.lstrip()[:1] == "{":
            return _validate_report(text, source)
        if len(content) > LARGEST:
            raise BadFile(source, [Fault("", f"has {len(content)} bytes, at most {LARGEST} are read")])
        return _validate_toml(parse_toml(content, source))
    except BadFile as error:
        return [f"{error.source}: {fault}" for fault in error.faults]


def _validate_toml(file: TomlFile) -> list[str]:
    if not file.data:
        message = "is empty: begin a rule set with this line, a CA set or a configuration with its own schema"
        raise BadFile(file.source, [Fault("schema", message, f'schema = "{RULES_SCHEMA}"')])
    schema = file.data.get("schema", SCHEMA)
    if (
        schema != SCHEMA
        and isinstance(schema, str)
        and re.match(r"wayclear\.(ruleset|caset|interceptors)/", schema)
    ):
        return [f"warning: {file.source}: {text}" for text in check_file(file)]
    config = parse_config(file.data, file.source, base=str(Path(file.source).parent))
    load_rules_of(config)
    found = (*region_warnings(config), *example_warnings(config))
    return [f"warning: {file.source}: {key}: {text}" for key, text in found]


def region_warnings(config: Config) -> Iterator[tuple[str, str]]:
    """The key and a sentence, where the region is a label and makes no names required."""
    if config.region and not geography(config.region):
        known = ", ".join(GEOGRAPHIES.values())
        yield (
            "region",
            (
                f"{display(config.region, 60)} is no geography of connector groups ({known}), so it is only a label and makes no "
                "region's names required"
            ),
        )


def _validate_report(content: str, path: str) -> list[str]:
    try:
        recording.check(report_json.loads(content))
    except report_json.BadReport as error:
        return [f"{path}: {_other_json(content) or error}"]
    return []


def _other_json(content: str) -> str:
    """Why this JSON object is no report, if nothing in it is of a report; "" if it may be one or is not JSON."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return ""
    keys = set(found) if isinstance(found, dict) else set()
    if not keys or keys & {"schema", "observations", "verdicts"}:
        return ""
    return (
        f'seems to be JSON, and no report: it has no "schema" and no observations. A configuration, a rule set or a CA set '
        f"is a TOML file. For example: {SCHEMA_LINE}"
    )
