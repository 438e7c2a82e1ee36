"""The facts of a host: of this one, of made-up ones, and of networks of the test's own."""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.host.places import Places
from probe.measure.kinds.local_host import (
    environment_proxies,
    masked,
    masked_list,
    measure,
    proxies,
    resolvers,
    tenant,
)
from rules.model.kinds.local_host import HostFacts, LocalHost, ProxySetting
from tests.probe.host.test_windows_proxy import config, value
from tests.probe.isolated import isolated

TENANT = "11111111-2222-3333-4444-55555555abcd"


def facts(places: Places | None = None) -> HostFacts:
    seen = asyncio.run(measure(LocalHost(), places))
    assert seen.failure is None
    assert isinstance(seen.evidence, HostFacts)
    return seen.evidence


def test_this_host() -> None:
    found = facts()
    assert found.host == socket.gethostname()
    assert found.user
    assert platform.machine() in found.os
    assert {"127.0.0.1", *found.sources} <= set(found.addresses)
    assert found.route_v4 == any("." in source for source in found.sources)
    assert found.route_v6 == any(":" in source for source in found.sources)
    assert found.descriptors is None or found.descriptors > 0


def test_an_account_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 987_654)
    assert facts(Places()).user == "uid 987654"


def test_a_host_without_a_network() -> None:
    body = """
        from probe.measure.kinds.local_host import LocalHost, measure
        f = asyncio.run(measure(LocalHost())).evidence
        show([f.sources, f.route_v4, f.route_v6, sorted(f.addresses), f.networks])
    """
    assert isolated("", body) == [[], False, False, ["127.0.0.1", "::1"], []]


def test_a_host_with_both_families_and_its_packets() -> None:
    setup = """
        ip link add near type veth peer name far; ip link set far up
        ip addr add 10.9.0.1/24 dev near; ip -6 addr add 2600:9::1/64 dev near nodad; ip link set near up
        ip route add default via 10.9.0.2; ip -6 route add default via 2600:9::2
    """
    body = """
        from pathlib import Path
        from probe.measure.kinds.local_host import LocalHost, measure
        def udp_sent():
            lines = Path("/proc/net/snmp").read_text().splitlines()
            names, values = [line.split() for line in lines if line.startswith("Udp:")]
            return values[names.index("OutDatagrams")]
        before = udp_sent()
        f = asyncio.run(measure(LocalHost())).evidence
        show([f.sources, f.route_v4, f.route_v6, "10.9.0.1" in f.addresses, list(f.networks)[0], before == udp_sent()])
    """
    assert isolated(setup, body) == [["10.9.0.1", "2600:9::1"], True, True, True, "10.9.0.0/24", True]


def test_resolvers_in_order_without_what_is_no_address(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_bytes(
        b"# nameserver 192.0.2.9\nnameserver 127.0.0.53\nsearch corp.example\nnameserver\n"
        b"nameserver fe80::1%eth0 # the router\nnameserver dns.example\nnameserver 127.0.0.53\n\xff\xfe\n"
        b"options edns0\n  nameserver 192.0.2.1\n"
    )
    assert resolvers(Places(resolv_conf=file)) == ("127.0.0.53", "fe80::1%eth0", "192.0.2.1")
    assert resolvers(Places(resolv_conf=tmp_path / "none")) == ()
    assert resolvers(Places(resolv_conf=tmp_path)) == ()


def test_a_fifo_holds_nobody(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    subprocess.run(["mkfifo", fifo], check=True)
    assert tenant(Places(endpoints=(fifo,))) is None


def test_proxies_of_the_environment() -> None:
    environment = {
        "HTTPS_PROXY": "http://user:secret@proxy.corp.example:8080",
        "https_proxy": "http://user:secret@proxy.corp.example:8080",
        "http_proxy": "http://other.corp.example:3128/",
        "HTTP_PROXY": " ",
        "ALL_PROXY": "socks5://x",
        "NO_PROXY": "localhost,.corp.example",
    }
    assert list(environment_proxies(environment)) == [
        ProxySetting(
            "environment HTTPS_PROXY", "http://***@proxy.corp.example:8080", "localhost,.corp.example"
        ),
        ProxySetting("environment http_proxy", "http://other.corp.example:3128/", "localhost,.corp.example"),
        ProxySetting("environment ALL_PROXY", "socks5://x", "localhost,.corp.example"),
    ]


@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.sampled_from(["http://", "socks5://", ""]))
def test_no_credential_is_ever_shown(user: str, secret: str, scheme: str) -> None:
    marked = f"<{secret}>"
    shown = masked(f"{scheme}{user}:{marked}@proxy.corp.example:8080/path")
    assert marked not in shown
    assert "proxy.corp.example:8080" in shown
    assert shown.isprintable()


def test_windows_settings_in_the_order_that_the_service_takes_them(tmp_path: Path) -> None:
    own, machine = tmp_path / "connector.exe.config", tmp_path / "machine.config"
    machine.write_bytes(config('<defaultProxy><proxy proxyaddress="http://u:p@machine:1"/></defaultProxy>'))
    places = Places(
        connector_configs=(tmp_path / "absent", own),
        machine_config=machine,
        winhttp=lambda: value(3, b"w:8080", b"x"),
    )
    of_winhttp = ProxySetting("WinHTTP", "w:8080", "x")
    assert list(proxies(places)) == [of_winhttp, ProxySetting("machine.config", "http://***@machine:1")]
    own.write_bytes(config('<defaultProxy><proxy proxyaddress="http://own:2"/></defaultProxy>'))
    assert list(proxies(places)) == [of_winhttp, ProxySetting("connector exe.config", "http://own:2")]
    own.write_bytes(config('<defaultProxy enabled="false"/>'))
    assert list(proxies(places)) == [of_winhttp, ProxySetting("connector exe.config", "")]
    own.write_bytes(config('<defaultProxy><proxy autoDetect="true"/></defaultProxy>'))
    assert list(proxies(places))[1:] == [ProxySetting("connector exe.config", "", automatic="WPAD")]
    own.write_bytes(b"<!DOCTYPE x><x/>")
    of_machine, broken = list(proxies(places))[1:]
    assert of_machine.source == "machine.config"
    assert (broken.source, broken.address) == ("connector exe.config", "")
    assert "cannot be read: a configuration file with a document type" in broken.faults[0]


def test_the_updater_s_own_file_is_told_beside(tmp_path: Path) -> None:
    updater = tmp_path / "updater.exe.config"
    updater.write_bytes(config('<defaultProxy><proxy proxyaddress="http://u:p@own:2"/></defaultProxy>'))
    places = Places(updater_configs=(updater,))
    assert list(proxies(places)) == [ProxySetting("updater exe.config", "http://***@own:2")]


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "text",
    [
        f"localhost,http://user:{SECRET}@proxy.corp.example:8080,.corp.example",
        f"user:{SECRET}@proxy",
        f"localhost user:pa,{SECRET};x@proxy",
        f"localhost,http://user:{SECRET},more://x@proxy",
        f"http=http://u:{SECRET}@a:80;https=http://u:{SECRET}@b:80",
        f"https=u:{SECRET}@a:80",
        f"CORP\\user:{SECRET}@a:80",
        f"http://u:{SECRET}/x?y#z@a:80",
    ],
)
def test_no_credential_in_any_text_about_a_proxy(tmp_path: Path, text: str) -> None:
    own = tmp_path / "own.exe.config"
    told = text.replace("&", "&amp;")
    own.write_bytes(
        config(
            f'<defaultProxy><proxy proxyaddress="{told}" scriptLocation="{told}" ProxyAddress="{told}"/>'
            f'<bypasslist><add address="{told}"/><add address="*{told}"/></bypasslist></defaultProxy>'
        )
    )
    raw = text.encode()
    found = [
        *proxies(Places(connector_configs=(own,), winhttp=lambda: value(3, raw, raw))),
        *environment_proxies({"https_proxy": text, "no_proxy": text}),
    ]
    assert [p.source for p in found] == ["WinHTTP", "connector exe.config", "environment https_proxy"]
    assert SECRET not in repr(found)


def test_servers_beside_a_credential_stay_readable() -> None:
    assert masked_list(f"localhost,10.0.0.0/8,user:{SECRET}@a:80,b") == "localhost,10.0.0.0/8,***@a:80,b"
    plain = "localhost, .corp.example;*.x [::1]:80 http://y:3128 <local> <-loopback> 2001:db8::/32"
    assert masked_list(plain) == plain


def test_a_list_that_is_too_long_ends_between_two_entries() -> None:
    many = ",".join(f"host{n}.corp.example" for n in range(1000))
    (found,) = environment_proxies({"https_proxy": "http://p:1", "no_proxy": many})
    assert found.bypass.endswith(".corp.example")
    assert many.startswith(found.bypass)
    assert "its end is not read" in found.faults[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_tenant_out_of_the_connector_s_own_file(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "endpoints.txt"
    file.write_text(
        f'{{"Bootstrap": "https://{TENANT.upper()}.bootstrap.msappproxy.net:443/", "Id": "{TENANT[::-1]}"}}',
        encoding,
    )
    assert tenant(Places(endpoints=(tmp_path / "absent", file))) == TENANT


@pytest.mark.parametrize(
    "text", ["", "{}", "https://bootstrap.msappproxy.net", f"x{TENANT}.other.msappproxy.net"]
)
def test_no_tenant_is_made_up(tmp_path: Path, text: str) -> None:
    file = tmp_path / "endpoints.txt"
    file.write_text(text)
    assert tenant(Places(endpoints=(file,))) is None


def test_tables_that_are_not_to_be_read(tmp_path: Path) -> None:
    for name in ("fib_trie", "if_inet6", "route", "ipv6_route"):
        (tmp_path / name).write_text("zz " * 200 + "\n" + "zz " * 200)
    found = facts(Places(proc_net=tmp_path))
    assert set(found.addresses) == set(found.sources)
    assert found.networks == ()


def test_the_places_of_the_host_are_this_system_s() -> None:
    places = Places.of_host()
    assert places.resolv_conf == Path("/etc/resolv.conf")
    assert places.environment == dict(os.environ)
