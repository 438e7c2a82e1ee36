"""Windows' proxy settings out of samples: the registry value and .NET's configuration files."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.host.windows_proxy import (
    MOST_ENTRIES,
    SIZE_LIMIT,
    ConfiguredProxy,
    parse_dotnet,
    parse_winhttp,
    read_dotnet,
    read_winhttp,
)

DIRECT = bytes.fromhex("18000000 00000000 01000000 00000000 00000000 00000000")


def value(flags: int, proxy: bytes, bypass: bytes = b"") -> bytes:
    """WinHttpSettings as `netsh winhttp set proxy` writes it."""
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (proxy, bypass))
    return struct.pack("<III", 0x28, 4, flags) + texts + bytes(32)


def config(inner: str) -> bytes:
    return f"""<?xml version="1.0" encoding="utf-8" ?>
<configuration>
  <runtime><gcServer enabled="true"/></runtime>
  <system.net>{inner}</system.net>
</configuration>""".encode()


def test_winhttp() -> None:
    assert parse_winhttp(DIRECT) is None
    assert parse_winhttp(value(3, b"proxy.corp.example:8080")) == ConfiguredProxy("proxy.corp.example:8080")
    assert parse_winhttp(value(3, b"p:1", b"<local>;*.corp.example")) == ConfiguredProxy(
        "p:1", "<local>;*.corp.example"
    )
    assert parse_winhttp(value(1, b"was.set.before:8080")) is None  # direct, the old proxy is only remembered


@pytest.mark.parametrize("cut", range(0, 36, 3))
def test_a_value_cut_short_names_no_proxy_or_a_whole_one(cut: int) -> None:
    found = parse_winhttp(value(3, b"proxy:8080", b"x")[:cut])
    assert found is None or found.address == "proxy:8080"


def test_a_length_that_lies() -> None:
    assert parse_winhttp(struct.pack("<IIII", 0x28, 1, 3, 0xFFFFFFFF) + b"proxy") is None


@given(st.binary(max_size=80))
def test_any_value_is_read(data: bytes) -> None:
    found = parse_winhttp(data)
    assert found is None or found.address or found.automatic


def test_winhttp_that_looks_for_a_proxy() -> None:
    assert parse_winhttp(value(9, b"")) == ConfiguredProxy("", automatic="WPAD")
    script = struct.pack("<I", 18) + b"http://wpad.x/wpad"
    with_script = value(5, b"")[:20] + script
    assert parse_winhttp(with_script) == ConfiguredProxy("", automatic="the script http://wpad.x/wpad")


def test_the_proxy_of_a_configuration_file() -> None:
    inner = """<defaultProxy>
        <proxy proxyaddress=" http://proxyserver:8080 " bypassonlocal="True" usesystemdefault="True"/>
        <bypasslist><add address="10\\.9\\..*"/><add/></bypasslist>
    </defaultProxy>"""
    assert parse_dotnet(config(inner)) == ConfiguredProxy("http://proxyserver:8080", "<local>;10\\.9\\..*")


def test_no_proxy_said_and_not_said() -> None:
    assert parse_dotnet(config('<defaultProxy enabled="False"/>')) == ConfiguredProxy("")
    assert parse_dotnet(config("")) is None
    for inner in (
        '<proxy usesystemdefault="false"/>',
        '<proxy autoDetect="False"/>',
        '<proxy bypassonlocal="true"/>',  # System.Net makes a proxy without an address of it
        '<bypasslist><add address="x"/></bypasslist>',
    ):
        assert parse_dotnet(config(f"<defaultProxy>{inner}</defaultProxy>")) == ConfiguredProxy(""), inner


INTERNET = "the Internet options of the account"


@pytest.mark.parametrize(
    ("inner", "address", "automatic"),
    [
        (
            "",
            "",
            INTERNET,
        ),  # "If the defaultProxy element is empty, the settings of Internet Explorer are used"
        ("<proxy/>", "", INTERNET),
        ('<proxy usesystemdefault="True"/>', "", INTERNET),
        ('<proxy autoDetect="true"/>', "", "WPAD"),
        ('<proxy scriptLocation="http://w/wpad.dat"/>', "", "the script http://w/wpad.dat"),
        ('<proxy autoDetect="true" scriptLocation="http://w/x"/>', "", "WPAD or the script http://w/x"),
        ('<proxy autoDetect="true" proxyaddress="http://p:1"/>', "http://p:1", "WPAD"),
        ('<proxy usesystemdefault="true" proxyaddress="http://p:1"/>', "http://p:1", ""),
        ('<module type="Contoso.Proxy, Contoso"/>', "", "a module of the program's own"),
    ],
)
def test_how_a_proxy_is_found(inner: str, address: str, automatic: str) -> None:
    found = parse_dotnet(config(f'<defaultProxy useDefaultCredentials="true">{inner}</defaultProxy>'))
    assert found == ConfiguredProxy(address, automatic=automatic)


def test_a_section_in_another_file_is_a_setting() -> None:
    found = parse_dotnet(config('<defaultProxy configSource="proxy.config"/>'))
    assert found == ConfiguredProxy("", automatic="the file proxy.config")


def test_a_bypass_list_is_read_in_order_and_keeps_its_expressions_apart() -> None:
    inner = r"""<defaultProxy><proxy proxyaddress="http://p:1"/><bypasslist>
        <add address="gone"/><clear/><add address="a{1,3}"/><add address="b;c\;d"/><add address="e"/><remove address="e"/>
        <!-- a remark --><add address="a{1,3}"/></bypasslist></defaultProxy>"""
    assert parse_dotnet(config(inner)) == ConfiguredProxy("http://p:1", r"a{1,3};b\x3bc\x3bd")


def test_what_dotnet_refuses_is_told_and_counts_for_nothing() -> None:
    inner = """<defaultProxy><proxy ProxyAddress="proxy:8080"/>
        <bypasslist><add address="*.msappproxy.net"/><add address="good"/></bypasslist></defaultProxy>"""
    found = parse_dotnet(config(inner))
    assert found is not None
    assert (found.address, found.bypass) == ("proxy:8080", "good")
    told = "\n".join(found.faults)
    assert "must be written proxyaddress" in told
    assert "must begin with http://" in told
    assert "*.msappproxy.net" in told


def test_more_expressions_than_are_read() -> None:
    many = "".join(f'<add address="host{n}"/>' for n in range(MOST_ENTRIES + 1))
    found = parse_dotnet(
        config(
            f'<defaultProxy><proxy proxyaddress="http://p:1"/><bypasslist>{many}</bypasslist></defaultProxy>'
        )
    )
    assert found is not None
    assert found.bypass.count(";") == MOST_ENTRIES - 1
    assert "of which" in found.faults[0]


def test_a_namespace_and_other_letters_of_names_are_passed_over() -> None:
    document = b"""<configuration xmlns="http://schemas.microsoft.com/.NetConfiguration/v2.0"><system.net><defaultProxy>
        <proxy proxyaddress="http://p:1"/></defaultProxy></system.net></configuration>"""
    assert parse_dotnet(document) == ConfiguredProxy("http://p:1")


def test_a_file_that_is_none_or_not_there(tmp_path: Path) -> None:
    assert read_dotnet(tmp_path / "absent" / "x.config") is None
    fifo, large = tmp_path / "fifo", tmp_path / "large"
    subprocess.run(["mkfifo", fifo], check=True)
    large.write_bytes(b" " * (SIZE_LIMIT + 1))
    for path, word in ((fifo, "regular file"), (large, "bytes"), (tmp_path, "regular file")):
        with pytest.raises(ValueError, match=word):
            read_dotnet(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = config('<defaultProxy><proxy proxyaddress="http://p:1"/></defaultProxy>').decode()
    assert parse_dotnet(text.encode(encoding)) == ConfiguredProxy("http://p:1")


@pytest.mark.parametrize(
    ("document", "word"),
    [
        (b'<!DOCTYPE x [<!ENTITY a "b">]><configuration/>', "document type"),
        ('<?xml version="1.0"?><!doctype x><x/>'.encode("utf-16"), "document type"),
        (b"<configuration>", "not XML"),
        (b"\xff\x00not text", "not utf-8"),
        (b"", "not XML"),
        (b" " * (SIZE_LIMIT + 1), "bytes"),
    ],
)
def test_what_is_no_configuration_file_is_refused(document: bytes, word: str) -> None:
    with pytest.raises(ValueError, match=word):
        parse_dotnet(document)


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(document: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_dotnet(document)


def test_elsewhere_there_is_no_registry() -> None:
    assert (read_winhttp() is None) or sys.platform == "win32"
