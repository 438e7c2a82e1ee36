"""The configuration: file and command line together, and every wrong value told."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from probe.config.settings import (
    BadFile,
    Config,
    check_only,
    default_path,
    load_config,
    load_rules,
    merge,
    parse_config,
)
from probe.errors import CommandError
from probe.measure.limits import Limits

ROOT = Path(__file__).resolve().parents[3]
GOOD = """
schema = "wayclear.config/1"
tenant = "AAAAAAAA-2222-3333-4444-555555555555"
rules = ["entra-app-proxy", "own/rules.toml"]
ca_sets = ["microsoft-azure", "cas.toml"]
resolvers = ["192.0.2.53", "2001:DB8:0::53"]
public_networks = ["198.18.0.0/15"]
public_roots = "roots.pem"
os_store = "/etc/store.pem"
canary_address = "192.0.2.1:443"
control_name = "WWW.example.org"
only = "*.MSAPPPROXY.net"
pace = "fast"
budget = 90

[timeouts]
tcp = 2
crl_body = 1048576

[labels]
site = "Dublin"
"""


def faults(text: str) -> str:
    with pytest.raises(BadFile) as caught:
        parse_config(tomllib.loads(text), "wayclear.toml")
    return str(caught.value)


def test_the_whole_of_a_good_file() -> None:
    base = Path("/etc/wayclear")
    found = parse_config(tomllib.loads(GOOD), "wayclear.toml", base=str(base))
    assert found == Config(
        tenant="aaaaaaaa-2222-3333-4444-555555555555",
        tenant_source="configuration",
        rules=("entra-app-proxy", str(base / "own/rules.toml")),
        ca_sets=("microsoft-azure", str(base / "cas.toml")),
        resolvers=("192.0.2.53", "2001:db8::53"),
        public_networks=("198.18.0.0/15",),
        public_roots=str(base / "roots.pem"),
        os_store="/etc/store.pem",
        canary_address="192.0.2.1:443",
        control_name="www.example.org",
        only="*.msappproxy.net",
        pace="fast",
        budget=90,
        limits=Limits(tcp=2.0, crl_body=1048576),
        labels=(("site", "Dublin"),),
        source="wayclear.toml",
    )
    assert not found.tenant_is_domain


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_config({}, "") == Config()
    assert parse_config({}, "wayclear.toml") == Config(source="wayclear.toml")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('resolver = ["192.0.2.53"]', "resolver: is not a key that is known here, did you mean resolvers?"),
        ('schema = "wayclear.config/2"', "schema: 'wayclear.config/2' is not"),
        ('tenant = "contoso"', "tenant: 'contoso' is neither a GUID nor a domain"),
        ('tenant = "con toso.com"', "tenant: is neither a GUID nor a domain: 'con toso.com' holds a space"),
        ("tenant = 3", "tenant: is the number 3, must be a text"),
        (
            'rules = "entra-app-proxy"',
            "rules: is the text 'entra-app-proxy', must be an array. For example: rules = [",
        ),
        ('rules = ["entra-app-prox"]', "rules[0]: 'entra-app-prox' is neither shipped nor a .toml file"),
        ("rules = []", "rules: is empty"),
        ('ca_sets = [""]', "ca_sets[0]: is empty"),
        ('resolvers = ["dns.example.net"]', "resolvers[0]: 'dns.example.net' is no IP address"),
        (
            'public_networks = ["10.0.0.1/8"]',
            "public_networks[0]: '10.0.0.1/8' has bits set behind its prefix",
        ),
        ('public_networks = ["lab"]', "public_networks[0]: 'lab' is no network in CIDR notation"),
        ('public_networks = ["0.0.0.0/0"]', "public_networks[0]: '0.0.0.0/0' is every address there is"),
        ('canary_address = "192.0.2.1"', "canary_address: '192.0.2.1' is not an IP address and a port"),
        ('canary_address = "192.0.2.1:0"', "is not an IP address and a port"),
        ('canary_address = "192.0.2.1:65536"', "is not an IP address and a port"),
        ('canary_address = "2001:db8::1:443"', "is not an IP address and a port"),
        ('canary_address = "host.example:443"', "is not an IP address and a port"),
        ('control_name = "https://x"', "control_name: 'https://x' holds a URL"),
        ('only = "*/x"', "only: '*/x' is not a glob over host names"),
        ('pace = "slow"', "pace: 'slow' is not polite or fast"),
        ("budget = 0", "budget: is 0, must be between 1 and 86400"),
        ("budget = inf", "budget: is inf, must be between"),
        ('budget = "90"', "budget: is the text '90', must be a number"),
        ("[timeouts]\ntpc = 5", "timeouts.tpc: is not a key that is known here, did you mean tcp?"),
        ("[timeouts]\ntcp = 0", "timeouts.tcp: is 0, must be between 0.05 and 600"),
        ("[timeouts]\nbody = 65536.5", "timeouts.body: is 65536.5, must be a whole number"),
        ("timeouts = 5", "timeouts: is the number 5, must be a table"),
        ("[labels]\nsite = 5", "labels.site: is the number 5, must be a text"),
        ('[labels]\n"a b" = "x"', "labels.a b: is no name of a label"),
        (
            "[labels]\n" + "".join(f'l{i} = "x"\n' for i in range(33)),
            "labels: has 33 entries, at most 32 are kept",
        ),
    ],
)
def test_each_fault_is_told_where_it_is(line: str, told: str) -> None:
    text = faults(line)
    assert text.startswith("wayclear.toml: ")
    assert told in text


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("fe80::1", "is link-local: say on which interface, as in fe80::1%eth0"),
        ("224.0.0.1", "is a multicast address: a resolver is one host"),
        ("ff02::fb", "is a multicast address"),
        ("255.255.255.255", "is a broadcast address"),
        ("0.0.0.0", "means no host, or this one"),
        ("::", "means no host, or this one"),
        ("::ffff:0.0.0.0", "means no host, or this one"),
    ],
)
def test_a_resolver_is_one_host(address: str, told: str) -> None:
    assert f"resolvers[0]: '{address}' {told}" in faults(f'resolvers = ["{address}"]')


def test_resolvers_may_be_near() -> None:
    near = ("127.0.0.53", "::1", "fe80::1%eth0", "169.254.169.253", "10.0.0.255")
    assert parse_config({"resolvers": list(near)}, "").resolvers == near


@pytest.mark.parametrize(
    "line",
    ["labels = 1", "timeouts = 1", '[labels]\n"a b" = "x"', "tenant = 3", "rules = 1", "resolvers = 1",
     "public_networks = 1", "canary_address = 1", "only = 1", "pace = 1", "budget = true", "public_roots = 1"],
)  # fmt: skip
def test_every_example_is_a_line_that_is_right(line: str) -> None:
    with pytest.raises(BadFile) as caught:
        parse_config(tomllib.loads(line), "wayclear.toml")
    for fault in caught.value.faults:
        parse_config(tomllib.loads(fault.example), "wayclear.toml")


def test_a_tenant_may_be_a_domain() -> None:
    found = parse_config({"tenant": "Contoso.onmicrosoft.com"}, "")
    assert (found.tenant, found.tenant_is_domain) == ("contoso.onmicrosoft.com", True)
    assert not Config().tenant_is_domain


def test_an_ipv6_canary_has_brackets() -> None:
    assert parse_config({"canary_address": "[2001:db8::1]:443"}, "").canary_address == "[2001:db8::1]:443"


def test_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text(GOOD)
    overrides = {
        "tenant": "contoso.com",
        "rules": ["own.toml"],
        "resolvers": ("192.0.2.54",),
        "pace": None,
        "budget": 30.0,
    }
    found = load_config(str(path), overrides)
    assert (found.tenant, found.tenant_source) == ("contoso.com", "--tenant")
    assert (found.rules, found.resolvers, found.pace, found.budget) == (
        ("own.toml",),
        ("192.0.2.54",),
        "fast",
        30,
    )
    assert found.ca_sets == ("microsoft-azure", str(tmp_path / "cas.toml"))
    assert found.source == str(path)
    with pytest.raises(BadFile, match=r"^command line: resolvers\[0\]: 'x' is no IP address"):
        load_config(str(path), {"resolvers": ["x"]})


def test_the_default_file_may_be_absent_a_named_one_not(tmp_path: Path) -> None:
    assert load_config(environ={"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}).rules == (
        "entra-app-proxy",
    )
    with pytest.raises(BadFile, match="cannot be read: no such file"):
        load_config(str(tmp_path / "none.toml"))


def test_a_default_file_that_may_not_be_looked_at_is_not_passed_over(tmp_path: Path) -> None:
    """Root may look everywhere: a loop of links is refused to everybody."""
    (tmp_path / "wayclear").symlink_to("wayclear")
    with pytest.raises(BadFile) as caught:
        load_config(environ={"XDG_CONFIG_HOME": str(tmp_path)}, root=False)
    assert str(caught.value).startswith(
        f"{tmp_path}/wayclear/wayclear.toml: the configuration cannot be looked at: "
    )
    assert "--config" in str(caught.value)


def test_an_empty_word_of_the_command_line_is_not_passed_over(tmp_path: Path) -> None:
    for key in ("tenant", "only"):
        with pytest.raises(BadFile, match=f"{key}: is empty"):
            load_config(str(ROOT / "tests/probe/empty.toml"), {key: ""})
    with pytest.raises(BadFile, match="cannot be read"):
        load_config("")


def test_default_places() -> None:
    assert default_path({}, "linux", root=True) == "/etc/wayclear/wayclear.toml"
    assert default_path({"XDG_CONFIG_HOME": "/x"}, "linux", root=False) == "/x/wayclear/wayclear.toml"
    assert default_path({"HOME": "/home/u"}, "linux", root=False) == "/home/u/.config/wayclear/wayclear.toml"
    assert default_path({"ProgramData": "D:\\Data"}, "win32") == "D:\\Data\\wayclear\\wayclear.toml"
    assert default_path({}, "win32") == "C:\\ProgramData\\wayclear\\wayclear.toml"


# --- one configuration for a fleet, and an overlay for each host --------------------------------------------------------


def test_an_overlay_wins_and_the_command_line_over_it(tmp_path: Path) -> None:
    fleet, host = tmp_path / "fleet.toml", tmp_path / "host.toml"
    fleet.write_text(GOOD)
    host.write_text(
        'resolvers = ["192.0.2.99"]\nrules = ["mine.toml"]\n[timeouts]\ntls = 3\n[labels]\nrack = "B7"\n'
    )
    found = load_config(str(fleet), {"tenant": "contoso.com"}, overlay=str(host))
    assert found.resolvers == ("192.0.2.99",), "arrays are taken whole"
    assert found.rules == (str(tmp_path / "mine.toml"),)
    assert (found.limits.tcp, found.limits.tls) == (2, 3), "tables key by key"
    assert dict(found.labels) == {"site": "Dublin", "rack": "B7"}
    assert (found.tenant, found.pace) == ("contoso.com", "fast")
    assert found.source == f"{fleet} with {host}"


def test_a_fault_names_both_files_and_one_that_is_not_there(tmp_path: Path) -> None:
    fleet, host = tmp_path / "fleet.toml", tmp_path / "host.toml"
    fleet.write_text(GOOD)
    host.write_text("speling = 1\n")
    with pytest.raises(BadFile, match=r"fleet\.toml with .*host\.toml: speling"):
        load_config(str(fleet), overlay=str(host))
    with pytest.raises(BadFile, match=r"gone\.toml: cannot be read"):
        load_config(str(fleet), overlay=str(tmp_path / "gone.toml"))
    with pytest.raises(BadFile, match=r"gone\.toml: cannot be read"):
        load_config(environ={"HOME": str(tmp_path)}, root=False, overlay=str(tmp_path / "gone.toml"))


def test_an_overlay_alone_is_a_configuration(tmp_path: Path) -> None:
    host = tmp_path / "host.toml"
    host.write_text('public_roots = "roots.pem"\n')
    found = load_config(environ={"HOME": str(tmp_path)}, root=False, overlay=str(host))
    assert found.public_roots == str(tmp_path / "roots.pem")


def test_merging_changes_neither_side_and_a_table_takes_the_place_of_what_is_none() -> None:
    below: dict[str, object] = {"a": 1, "t": {"x": 1, "y": [1], "deep": {"one": 1}}, "v": 3}
    above: dict[str, object] = {"t": {"y": [2], "deep": {"two": 2}}, "b": 2, "v": {"now": "a table"}}
    kept = (json.dumps(below), json.dumps(above))
    assert merge(below, above) == {
        "a": 1, "b": 2, "t": {"x": 1, "y": [2], "deep": {"one": 1, "two": 2}}, "v": {"now": "a table"},
    }  # fmt: skip
    assert (json.dumps(below), json.dumps(above)) == kept


@pytest.mark.parametrize(
    ("only", "tenant", "matches"),
    [
        ("*", None, True),
        ("5f3b*", None, True),  # the connector's own tenant may begin so
        ("5f3b*", "contoso.com", True),
        ("5f3b*", "11111111-2222-3333-4444-555555555555", False),
        ("1111*", "11111111-2222-3333-4444-555555555555", True),
        ("logn.*", None, False),
        ("*.msappproxy.nte", None, False),
    ],
)
def test_a_glob_that_matches_no_name_is_refused(only: str, tenant: str | None, matches: bool) -> None:
    config = Config(only=only, tenant=tenant)
    if matches:
        check_only("--only", config, load_rules())
        return
    with pytest.raises(CommandError, match="no name of entra-app-proxy matches") as caught:
        check_only("--only", config, load_rules())
    assert "autoupdate.msappproxy.net" in str(caught.value)


def test_a_glob_is_not_held_against_rules_without_a_name() -> None:
    check_only("--only", Config(only="x"), load_rules(("entra-app-proxy-china",)))
