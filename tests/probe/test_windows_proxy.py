"""Windows' proxy settings out of samples: the registry value and .NET's configuration files."""

from __future__ import annotations

import contextlib
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.windows_proxy import SIZE_LIMIT, ConfiguredProxy, dotnet, read_winhttp, winhttp

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
    assert winhttp(DIRECT) is None
    assert winhttp(value(3, b"proxy.corp.example:8080")) == ConfiguredProxy("proxy.corp.example:8080")
    assert winhttp(value(3, b"p:1", b"<local>;*.corp.example")) == ConfiguredProxy(
        "p:1", "<local>;*.corp.example"
    )
    assert winhttp(value(1, b"was.set.before:8080")) is None  # direct, the old proxy is only remembered


@pytest.mark.parametrize("cut", range(0, 36, 3))
def test_a_value_cut_short_names_no_proxy_or_a_whole_one(cut: int) -> None:
    found = winhttp(value(3, b"proxy:8080", b"x")[:cut])
    assert found is None or found.address == "proxy:8080"


def test_a_length_that_lies() -> None:
    assert winhttp(struct.pack("<IIII", 0x28, 1, 3, 0xFFFFFFFF) + b"proxy") is None


@given(st.binary(max_size=80))
def test_any_value_is_read(data: bytes) -> None:
    found = winhttp(data)
    assert found is None or found.address


def test_the_proxy_of_a_configuration_file() -> None:
    inner = """<defaultProxy>
        <proxy proxyaddress=" http://proxyserver:8080 " bypassonlocal="True" usesystemdefault="True"/>
        <bypasslist><add address="10\\.9\\..*"/><add/></bypasslist>
    </defaultProxy>"""
    assert dotnet(config(inner)) == ConfiguredProxy("http://proxyserver:8080", "<local>;10\\.9\\..*")


def test_no_proxy_said_and_not_said() -> None:
    assert dotnet(config('<defaultProxy enabled="False"/>')) == ConfiguredProxy("")
    assert dotnet(config("")) is None
    assert dotnet(config("<defaultProxy/>")) is None
    assert dotnet(config('<defaultProxy><proxy usesystemdefault="True"/></defaultProxy>')) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(encoding: str) -> None:
    text = config('<defaultProxy><proxy proxyaddress="http://p:1"/></defaultProxy>').decode()
    assert dotnet(text.encode(encoding)) == ConfiguredProxy("http://p:1")


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
        dotnet(document)


@given(st.binary(max_size=200))
def test_any_file_is_read_or_refused(document: bytes) -> None:
    with contextlib.suppress(ValueError):
        dotnet(document)


def test_elsewhere_there_is_no_registry() -> None:
    assert (read_winhttp() is None) or sys.platform == "win32"
