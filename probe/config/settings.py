"""The configuration: a TOML file, overridden by the command line.

Unknown keys and bad values are refused, as in rule sets, with the file, the key's path and a correct example. Every key is
optional; without a file the defaults below hold. Described for users in docs/rules.md.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Literal, cast

from probe.config.rule_files import (
    DEFAULT_CA_SETS,
    DEFAULT_RULES,
    is_file_name,
    load_rules,
    shipped_interceptors,
    shipped_names,
    shipped_sets,
)
from probe.config.service import ServeConfig, parse_serve
from probe.errors import CommandError
from probe.host.files import exists, read_toml
from probe.measure.limits import Limits
from rules.audit.targets import targets
from rules.files.fields import BadFile, Fault, Faults, Table
from rules.model.causes.record import OWNED
from rules.model.ruleset import Rules
from rules.text.address import AddressClass, classify
from rules.text.hostname import BadName, normalise, shown

__all__ = [
    "BadFile",
    "Config",
    "check_only",
    "default_path",
    "load_config",
    "load_rules",
    "load_rules_of",
    "parse_config",
    "shipped_interceptors",
    "shipped_names",
    "shipped_sets",
]

SCHEMA = "wayclear.config/1"
COMMAND_LINE = "command line"
_GUID = re.compile(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}\Z")
_DAY = 86_400.0
_IDS = re.compile(r"[0-9a-f*?-]+")  # a glob over GUIDs
_NAMED = 8  # names in the message when none matched
_EXAMPLE_TENANT = 'tenant = "contoso.onmicrosoft.com"'


@dataclass(frozen=True, slots=True)
class Config:
    """How to audit. Paths are absolute or relative to the working directory. `budget`: seconds; None: by the plan."""

    tenant: str | None = None  # GUID in lower case, or a domain that `probe.audit.tenant` looks up
    tenant_source: str = ""  # "--tenant", "configuration"
    rules: tuple[str, ...] = DEFAULT_RULES
    ca_sets: tuple[str, ...] = DEFAULT_CA_SETS
    resolvers: tuple[str, ...] = ()  # empty: those of this host
    public_networks: tuple[str, ...] = ()
    public_roots: str | None = None  # PEM file instead of certifi's list
    os_store: str | None = None  # PEM file instead of the operating system's store
    canary_address: str = ""  # "address:port"
    control_name: str = "www.example.com"
    only: str = ""
    pace: Literal["polite", "fast"] = "polite"
    budget: float | None = None
    limits: Limits = field(default_factory=Limits)
    labels: tuple[tuple[str, str], ...] = ()
    owners: tuple[tuple[str, str], ...] = ()  # by `causes.record.Owner`: this organisation's own words
    region: str = ""  # of the connector's group; one that Microsoft names makes its names required
    serve: ServeConfig = field(default_factory=ServeConfig)
    source: str = ""  # the file it was read from, "" for none

    @property
    def tenant_is_domain(self) -> bool:
        return self.tenant is not None and _GUID.match(self.tenant) is None


def load_config(
    path: str | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    root: bool | None = None,
    overlay: str | None = None,
) -> Config:
    """The configuration of `path`, which must exist, or of the default place, which may be missing.

    `overlay` is a second file whose keys win: a fleet shares the first file, and the second is this host's. `overrides`
    come from the command line, by the names of the keys; None means not given. BadFile for any fault.
    """
    place = default_path(os.environ if environ is None else environ, root=root) if path is None else path
    config = Config()
    there = path is not None or _is_there(place)
    if there or overlay is not None:
        file = read_toml(place) if there else None
        over = read_toml(overlay) if overlay is not None else None
        source = " with ".join(one.source for one in (file, over) if one is not None)
        data = merge(file.data if file is not None else {}, over.data if over is not None else {})
        config = parse_config(data, source, base=str(Path(place if there else overlay or "").parent))
    said = {key: value for key, value in (overrides or {}).items() if value is not None}
    if not said:
        return config
    given = parse_config(
        {key: list(v) if isinstance(v, tuple) else v for key, v in said.items()}, COMMAND_LINE
    )
    changed = {key: getattr(given, key) for key in said}
    if "tenant" in said:
        changed["tenant_source"] = "--tenant"
    return replace(config, **changed)


def merge(below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """`below` overridden by `above`: tables are merged key by key, arrays are replaced."""
    made = dict(below)
    for key, value in above.items():
        old = made.get(key)
        made[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return made


def default_path(environ: Mapping[str, str], platform: str = sys.platform, root: bool | None = None) -> str:
    """The default place of the configuration: the machine's for root and on Windows, else the user's (XDG)."""
    if platform == "win32":
        return (environ.get("ProgramData") or r"C:\ProgramData") + r"\wayclear\wayclear.toml"
    if root is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        return "/etc/wayclear/wayclear.toml"
    home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME') or '~'}/.config"
    return f"{home}/wayclear/wayclear.toml"


def _is_there(place: str) -> bool:
    """Whether the default place has a configuration. BadFile if this account may not look."""
    try:
        return exists(place)
    except BadFile as error:
        message = f"the configuration {error.message}; let this account read it, or name another one"
        raise BadFile(place, [Fault("", message, "--config wayclear.toml")]) from None


def parse_config(data: Mapping[str, object], source: str, *, base: str = "") -> Config:
    """A configuration from a mapping; names of files are relative to `base`. BadFile with every fault."""
    faults = Faults(source)
    top = Table(data, "", faults)
    top.matched("schema", re.escape(SCHEMA), SCHEMA, f'schema = "{SCHEMA}"')
    default = Config()
    tenant = _tenant(top)
    serve = parse_serve(top, base)
    config = Config(
        tenant=tenant,
        tenant_source="configuration" if tenant else "",
        rules=_names(top, "rules", base) or default.rules,
        ca_sets=_names(top, "ca_sets", base) or default.ca_sets,
        resolvers=_addresses(top),
        public_networks=_networks(top),
        public_roots=_path(top, "public_roots", base),
        os_store=_path(top, "os_store", base),
        canary_address=_canary(top),
        control_name=top.host("control_name", 'control_name = "www.example.com"', required=False)
        or default.control_name,
        only=_only(top),
        pace="fast"
        if top.matched("pace", "polite|fast", "polite or fast", 'pace = "polite"') == "fast"
        else "polite",
        budget=top.number("budget", "budget = 120", 1, _DAY),
        limits=_limits(top),
        labels=_labels(top),
        owners=_owners(top),
        region=serve.region,
        serve=serve,
        source="" if source == COMMAND_LINE else source,
    )
    top.finish()
    faults.raise_if_any()
    return config


def load_rules_of(config: Config, given: Collection[str] = ()) -> Rules:
    """The rules that `config` names. BadFile for a fault; a file that cannot be read is told with its key.

    `given`: names from the command line, which no key of the configuration holds.
    """
    try:
        return load_rules(config.rules, config.ca_sets)
    except BadFile as error:
        names = {"rules": config.rules, "ca_sets": config.ca_sets}
        keys = [
            f"{key}[{found.index(error.source)}]" for key, found in names.items() if error.source in found
        ]
        unread = error.message.startswith("cannot be read")
        if not unread or not keys or not config.source or error.source in given:
            raise
        advice = "correct the name, which is relative to this file, or let this account read it"
        fault = Fault(keys[0], f"{error.source} {error.message}: {advice}")
        raise BadFile(config.source, [fault]) from None


def check_only(said: str, config: Config, rules: Rules) -> None:
    """CommandError if `only` matches no name of the rules: it has a typing error, and nothing would be measured."""
    known = None if config.tenant_is_domain else config.tenant
    everything = targets(rules, known)
    first = config.only.partition(".")[0]
    # If the tenant is not known yet (a domain, or a connector's own), the glob may begin with its id.
    tenants = (known, first if known is None and _IDS.fullmatch(first) else known)
    if not config.only or not everything or any(targets(rules, tenant, config.only) for tenant in tenants):
        return
    names = list(dict.fromkeys(target.shown for target in everything))
    sets = ", ".join(ruleset.name for ruleset in rules.rulesets)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    raise CommandError(
        f"{said} {config.only}: no name of {sets} matches",
        f"there are {', '.join(names[:_NAMED])}{more}; `wayclear rules show NAME` lists all",
    )


def _tenant(top: Table) -> str | None:
    """A tenant's GUID in lower case, or one of its domains."""
    value = top.text("tenant", _EXAMPLE_TENANT)
    if not value or _GUID.match(value.lower()):
        return value.lower() or None
    try:
        name = normalise(value)
    except BadName as error:
        top.fault("tenant", f"is neither a GUID nor a domain: {error}", _EXAMPLE_TENANT)
        return None
    if "." not in name:
        top.fault("tenant", f"{shown(value)} is neither a GUID nor a domain", _EXAMPLE_TENANT)
        return None
    return name


def _names(top: Table, key: str, base: str) -> tuple[str, ...]:
    """Rule sets or CA sets: shipped names as they are, files relative to the configuration's directory."""
    example = f'{key} = ["{DEFAULT_RULES[0] if key == "rules" else DEFAULT_CA_SETS[0]}", "my-own.toml"]'
    found = top.texts(key, example, required=top.has(key))
    for index, name in enumerate(found):
        if not is_file_name(name) and name not in shipped_names():
            top.fault(f"{key}[{index}]", f"{shown(name)} is neither shipped nor a .toml file", example)
    return tuple(_relative(name, base) if is_file_name(name) else name for name in found)


def _addresses(top: Table) -> tuple[str, ...]:
    """Resolvers: address literals of one host each, normalised."""
    example = 'resolvers = ["192.0.2.53", "2001:db8::53"]'
    found = []
    for index, text in enumerate(top.texts("resolvers", example)):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            top.fault(f"resolvers[{index}]", f"{shown(text)} is no IP address", example)
            continue
        if why := _no_resolver(address):
            top.fault(f"resolvers[{index}]", f"{shown(text)} {why}", example)
        found.append(str(address))
    return _distinct(found)


def _no_resolver(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Why no resolver can have this address; "" where one can."""
    place = classify(address)
    if place is AddressClass.UNSPECIFIED:
        return "means no host, or this one"
    if place is AddressClass.MULTICAST:
        many = "a broadcast" if address == ipaddress.IPv4Address("255.255.255.255") else "a multicast"
        return f"is {many} address: a resolver is one host"
    if isinstance(address, ipaddress.IPv6Address) and address.is_link_local and not address.scope_id:
        return f"is link-local: say on which interface, as in {address}%eth0"
    return ""


def _networks(top: Table) -> tuple[str, ...]:
    """Networks that count as public, in CIDR notation; the whole internet is not one."""
    example = 'public_networks = ["198.18.0.0/15"]'
    found = []
    for index, text in enumerate(top.texts("public_networks", example)):
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            hint = (
                "has bits set behind its prefix"
                if "host bits" in str(error)
                else "is no network in CIDR notation"
            )
            top.fault(f"public_networks[{index}]", f"{shown(text)} {hint}", example)
            continue
        if network.prefixlen == 0:
            top.fault(f"public_networks[{index}]", f"{shown(text)} is every address there is", example)
        found.append(str(network))
    return _distinct(found)


def _canary(top: Table) -> str:
    """An address and a port that nothing listens on, "" for none."""
    example = 'canary_address = "192.0.2.1:443"'
    value = top.text("canary_address", example)
    host, _, port = value.rpartition(":")
    try:
        if not value:
            return ""
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        top.fault("canary_address", f"{shown(value)} is not an IP address and a port", example)
        return ""
    if (
        not re.fullmatch(r"[1-9][0-9]{0,4}", port)
        or int(port) > 65535
        or (address.version == 6) != host.startswith("[")
    ):
        top.fault("canary_address", f"{shown(value)} is not an IP address and a port", example)
        return ""
    return value


def _only(top: Table) -> str:
    """A glob over host names: letters, digits, dots, hyphens, `*` and `?`."""
    example = 'only = "*.msappproxy.net"'
    return top.matched("only", r"[A-Za-z0-9.*?{}-]{1,253}", "a glob over host names", example).lower()


def _path(top: Table, key: str, base: str) -> str | None:
    value = top.text(key, f'{key} = "roots.pem"')
    return _relative(value, base) if value else None


def _relative(name: str, base: str) -> str:
    return str(Path(base, name)) if base else name


def _limits(top: Table) -> Limits:
    """`[timeouts]`: seconds and bytes by the names of `Limits`."""
    example = "timeouts = { tcp = 5.0 }"
    data = top.get("timeouts", dict, example)
    if not isinstance(data, dict):
        return Limits()
    table = Table(cast("Mapping[str, object]", data), "timeouts", top.faults)
    changed: dict[str, float] = {}
    for one in fields(Limits):
        whole = isinstance(one.default, int)
        low, high = (64, 2**30) if whole else (0.05, 600.0)
        value = table.number(one.name, f"{one.name} = {one.default}", low, high)
        if value is None:
            continue
        if whole and not isinstance(value, int):
            table.fault(one.name, f"is {value}, must be a whole number", f"{one.name} = {one.default}")
        changed[one.name] = value if whole else float(value)
    table.finish()
    return replace(Limits(), **changed)  # type: ignore[arg-type]  # names and kinds are those of the fields


def _labels(top: Table) -> tuple[tuple[str, str], ...]:
    """`[labels]`: what the user calls this place, in the report."""
    example = 'labels = { site = "Dublin" }'
    data = top.get("labels", dict, example)
    if not isinstance(data, dict):
        return ()
    table = Table(cast("Mapping[str, object]", data), "labels", top.faults)
    if len(data) > 32:
        top.fault("labels", f"has {len(data)} entries, at most 32 are kept", example)
    found = []
    for key in list(data)[:32]:
        value = table.text(key, example, most=200)
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,62}", key):
            table.fault(key, "is no name of a label (letters, digits, _ . -)", example)
        found.append((key, value))
    return tuple(found)


def _owners(top: Table) -> tuple[tuple[str, str], ...]:
    """`[owners]`: what this organisation calls the teams that a finding names."""
    example = 'owners = { firewall = "NETSEC queue" }'
    data = top.get("owners", dict, example)
    if not isinstance(data, dict):
        return ()
    table = Table(cast("Mapping[str, object]", data), "owners", top.faults)
    found = tuple((owner, table.text(owner, example, most=80)) for owner in OWNED)
    table.finish()
    return tuple((owner, name) for owner, name in found if name)


def _distinct(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
