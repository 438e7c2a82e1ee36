"""Proxy settings of a Windows host: WinHTTP's registry value and the .NET configuration files.

The parsing functions are pure and tested with samples. The registry reader was never run on Windows by this project.

A connector's service takes `defaultProxy` from its own exe.config and, only where that has none, from machine.config
("Work with existing on-premises proxy servers", Microsoft Learn, 2025); Private Access also goes by WinHTTP's setting
(`netsh winhttp set proxy`). The registry value's layout is not documented by Microsoft; it is the one of Internet
Explorer's DefaultConnectionSettings: size, counter, flags, then two strings with their lengths, little-endian.
"""

from __future__ import annotations

import codecs
import struct
import sys
from dataclasses import dataclass
from xml.etree import ElementTree

WINHTTP_KEY = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
WINHTTP_VALUE = "WinHttpSettings"
SIZE_LIMIT = 1_048_576  # bytes of a configuration file
_HEADER = struct.Struct("<III")
_LENGTH = struct.Struct("<I")
_MANUAL = 2  # PROXY_TYPE_PROXY
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class ConfiguredProxy:
    """A setting that was found. `address` is empty where it says that no proxy is to be used."""

    address: str
    bypass: str = ""


def winhttp(value: bytes) -> ConfiguredProxy | None:
    """The proxy in the registry value WinHttpSettings; None for direct access or a value that makes no sense."""
    if len(value) < _HEADER.size + _LENGTH.size:
        return None
    _size, _counter, flags = _HEADER.unpack_from(value)
    if not flags & _MANUAL:
        return None
    address, at = _string(value, _HEADER.size)
    bypass, _ = _string(value, at)
    return ConfiguredProxy(address, bypass) if address else None


def _string(value: bytes, at: int) -> tuple[str, int]:
    if at + _LENGTH.size > len(value):
        return "", len(value)
    (length,) = _LENGTH.unpack_from(value, at)
    end = at + _LENGTH.size + length
    if end > len(value):
        return "", len(value)
    return value[at + _LENGTH.size : end].rstrip(b"\0").decode("ascii", "backslashreplace"), end


def dotnet(document: bytes) -> ConfiguredProxy | None:
    """`system.net/defaultProxy` of a .NET configuration file; None where the file has none that names a proxy.

    `enabled="false"` gives a setting without address: it also keeps machine.config from being asked. Raises ValueError
    for what is no such file; a document type, the way to entities that expand without end, is refused unread.
    """
    if len(document) > SIZE_LIMIT:
        raise ValueError(f"a configuration file over {SIZE_LIMIT} bytes")
    text = _decoded(document)
    if "<!doctype" in text.lower():
        raise ValueError("a configuration file with a document type")
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - expat expands nothing without a document type
    except ElementTree.ParseError as error:
        raise ValueError(f"not XML: {error}") from error
    element = root.find("./system.net/defaultProxy")
    if element is None:
        return None
    if element.get("enabled", "true").strip().lower() == "false":
        return ConfiguredProxy("")
    proxy = element.find("proxy")
    address = proxy.get("proxyaddress", "").strip() if proxy is not None else ""
    bypass = [entry.get("address", "") for entry in element.iterfind("bypasslist/add")]
    if proxy is not None and proxy.get("bypassonlocal", "").strip().lower() == "true":
        bypass.insert(0, "<local>")
    return ConfiguredProxy(address, ";".join(b for b in bypass if b)) if address else None


def _decoded(document: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if document.startswith(bom)), "utf-8")
    try:
        text = document.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"not {encoding}") from error
    if encoding != "utf-16" or not text.startswith("<?xml"):
        return text
    return text.partition("?>")[2]  # its declaration names an encoding that the text no longer has


def read_winhttp() -> bytes | None:
    """The registry value WinHttpSettings of this machine; None on other systems and where there is none."""
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, WINHTTP_KEY) as key:
            value, kind = winreg.QueryValueEx(key, WINHTTP_VALUE)
    except OSError:
        return None
    return bytes(value) if kind == winreg.REG_BINARY else None
