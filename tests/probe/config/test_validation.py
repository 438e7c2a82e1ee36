"""`wayclear validate` of one file: what it is, every fault, and values that somebody left from an example."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from probe.config.example_values import example_warnings
from probe.config.settings import Config, load_config, load_rules_of, parse_config
from probe.config.validation import validate_file
from probe.host.files import LARGEST
from rules.files.fields import BadFile

ROOT = Path(__file__).resolve().parents[3]


def test_validate_tells_what_a_file_is_by_its_schema(tmp_path: Path) -> None:
    for shipped in sorted((ROOT / "rules/sets").glob("*.toml")):
        assert validate_file(str(shipped)) == []
    path = tmp_path / "file"
    for text, told in (
        ('schema = "wayclear.config/1"', []),
        ('pace = "fast"', []),
        ('pace = "slow"', [f"{path}: pace: 'slow' is not polite or fast. For example: pace = \"polite\""]),
        ("pace = \n", [f"{path}:1:8: is not TOML: Invalid value"]),
        (
            "{",
            [
                f"{path}: $: is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
            ],
        ),
    ):
        path.write_text(text)
        assert validate_file(str(path)) == told
    path.write_text('schema = "wayclear.ruleset/1"\npace = "fast"')
    assert any("title: is missing" in line for line in validate_file(str(path)))
    assert validate_file(str(tmp_path / "none")) == [
        f"{tmp_path / 'none'}: cannot be read: no such file or directory"
    ]


def test_an_empty_file_is_fine_as_the_configuration_and_nothing_to_validate(tmp_path: Path) -> None:
    path = tmp_path / "empty.toml"
    path.write_text("# nothing yet\n")
    assert load_config(str(path)) == Config(source=str(path))
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}: schema: is empty")
    assert message.endswith('For example: schema = "wayclear.ruleset/1"')


def test_validate_reads_what_is_packed(tmp_path: Path) -> None:
    path = tmp_path / "own.toml.gz"
    path.write_bytes(gzip.compress(b'pace = "slow"'))
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}: pace: 'slow' is not polite or fast")
    path.write_bytes(gzip.compress(b"#" * (LARGEST + 1)))
    assert validate_file(str(path)) == [f"{path}: has {LARGEST + 1} bytes, at most {LARGEST} are read"]
    path.write_bytes(gzip.compress(json.dumps({"schema": "wayclear.report/1"}).encode()))
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}: $")


def test_validate_warns_of_a_look_alike(tmp_path: Path) -> None:
    text = (ROOT / "rules/sets/entra-app-proxy.toml").read_text("utf-8")
    path = tmp_path / "own.toml"
    path.write_text(text.replace('host = "management.azure.com"', 'host = "management.аzure.com"'), "utf-8")
    (warning,) = validate_file(str(path))
    assert warning.startswith(f"warning: {path}: rule[")
    assert "mixes CYRILLIC and LATIN" in warning


def test_the_example_of_the_documentation_is_right(tmp_path: Path) -> None:
    examples = (ROOT / "docs/rules.md").read_text("utf-8").split("```toml\n")[1:]
    assert len(examples) == 3, "a rule set, a CA set, a configuration"
    for number, example in enumerate(examples):
        path = tmp_path / f"{('my-rules', 'my-cas', 'wayclear')[number]}.toml"
        path.write_text(example.split("```")[0], "utf-8")
        found = validate_file(str(path))
        assert all(message.startswith("warning: ") for message in found)
        keys = [message.removeprefix(f"warning: {path}: ").partition(":")[0] for message in found]
        assert keys == (["tenant", "resolvers[0]"] if number == 2 else [])


# --- files of another format -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "seems"),
    [
        ("tenant: contoso.com\nrules:\n  - entra-app-proxy\n", "YAML"),
        ("# a comment\n---\ntenant: x\n", "YAML"),
        ("- a\n- b\n", "YAML"),
        ("basic_auth_users:\n  a: b\n", "YAML"),
        ('[\n  {"tenant": "x"}\n]\n', "JSON"),
        ("<configuration>\n</configuration>\n", "XML or HTML"),
    ],
)
def test_a_file_of_another_format_is_told_by_its_name(tmp_path: Path, text: str, seems: str) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text(text)
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}:"), message
    assert "is not TOML: " in message
    assert message.endswith(f'. It seems to be {seems}: write it as TOML, key = "value" in each line')
    with pytest.raises(BadFile, match=f"It seems to be {seems}"):
        load_config(str(path))


@pytest.mark.parametrize("text", ["pace = \n", "pace\n", "[schedule\n", "= 1\n", "tenant 'x'\n"])
def test_toml_with_a_fault_is_not_called_another_format(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text(text)
    (message,) = validate_file(str(path))
    assert ("is not TOML" in message, "seems to be" in message) == (True, False)


def test_json_that_is_no_report_is_told(tmp_path: Path) -> None:
    path = tmp_path / "wayclear.json"
    path.write_text('{"tenant": "x", "rules": []}')
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}: seems to be JSON, and no report")
    assert message.endswith('For example: schema = "wayclear.config/1"')
    path.write_text('{"schema": "wayclear.report/1"}')
    (message,) = validate_file(str(path))
    assert message.startswith(f"{path}: $"), "a report, and what is wrong with it"


# --- files that the configuration names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "name"),
    [
        ('rules = ["none.toml"]', "rules[0]", "none.toml"),
        ('rules = ["entra-app-proxy", "own/none.toml"]', "rules[1]", "own/none.toml"),
        ('ca_sets = ["microsoft-azure", "none.toml"]', "ca_sets[1]", "none.toml"),
    ],
)
def test_a_missing_file_is_told_with_the_configuration_and_the_key(
    tmp_path: Path, text: str, key: str, name: str
) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text(text)
    (message,) = validate_file(str(path))
    where = f"{path}: {key}: {tmp_path / name} cannot be read: no such file or directory: "
    assert message == f"{where}correct the name, which is relative to this file, or let this account read it"
    with pytest.raises(BadFile) as caught:
        load_rules_of(load_config(str(path)))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["none.toml", "./none.toml"])
def test_a_missing_file_of_the_command_line_is_told_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text("")
    config = load_config(str(path), {"rules": (name,)})
    with pytest.raises(BadFile) as caught:
        load_rules_of(config, (name,))
    assert str(caught.value) == "none.toml: cannot be read: no such file or directory"


def test_a_fault_in_a_named_file_is_told_where_it_is(tmp_path: Path) -> None:
    path, own = tmp_path / "wayclear.toml", tmp_path / "own.toml"
    path.write_text('rules = ["own.toml"]')
    own.write_text("speling = 1\n")
    assert all(message.startswith(f"{own}: ") for message in validate_file(str(path)))


# --- examples that were left ---------------------------------------------------------------------------------------------


def warned(values: Mapping[str, object]) -> list[str]:
    return [key for key, _ in example_warnings(parse_config(values, "wayclear.toml"))]


@pytest.mark.parametrize(
    "tenant",
    [
        "11111111-2222-3333-4444-555555555555",
        "00000000-0000-0000-0000-000000000000",
        "AAAABBBB-0000-CCCC-1111-DDDD2222EEEE",
        "12345678-1234-1234-1234-123456789012",
        "contoso.onmicrosoft.com",
        "contosolabs.onmicrosoft.com",
        "fabrikam.com",
        "login.example.com",
        "corp.example",
    ],
)
def test_a_sample_tenant_is_warned_of(tenant: str) -> None:
    assert warned({"tenant": tenant}) == ["tenant"]


@pytest.mark.parametrize(
    "tenant",
    [
        "72f988bf-86f1-41af-91ab-2d7cd011db47",
        "11111111-2222-3333-4444-555555555556",
        "mycontoso.com",
        "examples.com",
    ],
)
def test_a_tenant_that_may_be_somebody_s_is_not(tenant: str) -> None:
    assert warned({"tenant": tenant}) == []


@pytest.mark.parametrize("address", ["192.0.2.53", "198.51.100.1", "203.0.113.9", "2001:db8::53", "3fff::1"])
def test_a_documentation_address_is_warned_of(address: str) -> None:
    listen = f"[{address}]:19115" if ":" in address else f"{address}:19115"
    found = {"resolvers": ["10.0.0.53", address], "web": {"listen": ["127.0.0.1:1", listen]}}
    assert warned(found) == ["resolvers[1]", "web.listen[1]"]


def test_names_of_the_example_are_warned_of() -> None:
    serve = {
        "connector": "conn-dub-01",
        "inventory": ["mine", "conn-fra-01"],
        "web": {"hosts": ["a.corp.example"]},
    }
    assert warned(serve) == ["web.hosts[0]", "connector", "inventory"]
    own = {
        "connector": "conn-lon-01",
        "inventory": ["conn-lon-01"],
        "web": {"hosts": ["conn-lon-01.corp.net"]},
    }
    assert warned(own) == []
    # the reserve address of the audit is meant to be one that nobody has
    assert warned({"canary_address": "192.0.2.1:443", "control_name": "www.example.com"}) == []


@pytest.mark.parametrize(("region", "found"), [("Eurpoe", ["region"]), ("Europe", []), ("eur", [])])
def test_a_region_that_is_no_geography_is_warned_of(tmp_path: Path, region: str, found: list[str]) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text(f'region = "{region}"')
    told = [
        message.removeprefix(f"warning: {path}: ").partition(":")[0] for message in validate_file(str(path))
    ]
    assert told == found


def test_a_warning_does_not_fail_the_file(tmp_path: Path) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text('resolvers = ["192.0.2.53"]')
    (message,) = validate_file(str(path))
    assert message == (
        f"warning: {path}: resolvers[0]: 192.0.2.53 is an address for documentation (RFC 5737, RFC 3849, RFC 9637): no "
        "resolver has it. Put in yours, or leave the line out: then those of this host are asked"
    )
