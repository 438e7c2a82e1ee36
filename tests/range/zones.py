"""The range's DNS: a root and its top-level zones on one BIND, every other zone on a second one, PowerDNS in between."""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path

from tests.range.names import RESOLVER, ROOT_SERVER, ZONE_SERVER, Name

_HEAD = "$TTL 600\n@ IN SOA ns.range-dns.org. hostmaster.range-dns.org. 7 3600 900 604800 300\n@ IN NS {server}.\n"
_OWN_ZONES = ("servicebus.windows.net", "cloudapp.azure.com")


def zone_of(name: str) -> str:
    """The zone that holds `name`: two labels, but for those that are zones of their own."""
    return next((zone for zone in _OWN_ZONES if name.endswith(f".{zone}")), ".".join(name.split(".")[-2:]))


def write(directory: Path, names: tuple[Name, ...]) -> None:
    """Zone files and the configurations of both BINDs and the recursor."""
    records: dict[str, dict[str, None]] = defaultdict(dict)
    for name in names:
        links = (name.name, *name.aliases)
        for link, target in itertools.pairwise(links):
            records[zone_of(link)][f"{link}. 300 IN CNAME {target}."] = None
        for address in name.addresses:
            records[zone_of(links[-1])][f"{links[-1]}. 60 IN A {address}"] = None
    records["range-dns.org"] = {f"ns.range-dns.org. IN A {ZONE_SERVER}": None}
    for zone in tuple(records):
        parent = zone.partition(".")[2]
        if parent.count(".") and parent in records:
            records[parent][f"{zone}. IN NS ns.range-dns.org."] = None
    tops: dict[str, list[str]] = defaultdict(list)
    for zone in records:
        if zone.count(".") == 1:
            tops[zone.rpartition(".")[2]].append(zone)
    for zone, lines in records.items():
        _zone(directory, zone, "ns.range-dns.org", lines)
    for top, zones in tops.items():
        glue = (
            [f"ns.range-dns.org. IN A {ZONE_SERVER}", f"a.range-root.org. IN A {ROOT_SERVER}"]
            if top == "org"
            else []
        )
        _zone(
            directory, top, "a.range-root.org", [f"{zone}. IN NS ns.range-dns.org." for zone in zones] + glue
        )
    root = [f"{top}. IN NS a.range-root.org." for top in tops] + [f"a.range-root.org. IN A {ROOT_SERVER}"]
    _zone(directory, "", "a.range-root.org", root)
    _bind(directory, "root", ROOT_SERVER, ["", *tops])
    _bind(directory, "zones", ZONE_SERVER, list(records))
    (directory / "hints").write_text(
        f". 3600 IN NS a.range-root.org.\na.range-root.org. 3600 IN A {ROOT_SERVER}\n"
    )
    (directory / "recursor").mkdir()
    (directory / "recursor" / "recursor.conf").write_text(
        f"local-address={RESOLVER}\nallow-from=10.77.0.0/24\nhint-file={directory}/hints\nsocket-dir={directory}/recursor\n"
        "dnssec=off\ndont-query=\nquery-local-address=0.0.0.0\nthreads=1\nsecurity-poll-suffix=\nqname-minimization=yes\n"
        "write-pid=no\nexport-etc-hosts=no\ndisable-syslog=yes\n"
    )


def _zone(directory: Path, zone: str, server: str, lines: list[str] | dict[str, None]) -> None:
    (directory / f"zone.{zone}").write_text(_HEAD.format(server=server) + "\n".join(lines) + "\n")


def _bind(directory: Path, name: str, address: str, zones: list[str]) -> None:
    blocks = "".join(
        f'zone "{zone or "."}" {{ type primary; file "{directory}/zone.{zone}"; }};\n' for zone in zones
    )
    (directory / f"{name}.conf").write_text(
        f'options {{ directory "{directory}"; listen-on {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; '
        f'pid-file none; dnssec-validation no; minimal-responses no; notify no; session-keyfile "{directory}/{name}.session"; '
        f'managed-keys-directory "{directory}"; allow-query {{ any; }}; }};\ncontrols {{ }};\n{blocks}'
    )
