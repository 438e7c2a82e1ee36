"""Proxy settings of a Windows host: WinHTTP's registry value and the .NET configuration files.

The parsing functions are pure and tested with samples. The registry reader was never run on Windows by this project.

A connector's service takes `defaultProxy` from its own exe.config and, only where that has none, from machine.config
("Work with existing on-premises proxy servers", Microsoft Learn, 2025); Private Access also goes by WinHTTP's setting
(`netsh winhttp set proxy`). The registry value's layout is not documented by Microsoft; it is the one of Internet
Explorer's DefaultConnectionSettings: size, counter, flags, then three strings with their lengths (servers, bypass list,
script), little-endian.
"""

from __future__ import annotations

import codecs
import re
import struct
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from probe.host.files import exists, read_file
from rules.files.fields import BadFile
from rules.judge.proxies import REFUSED, Expressions, expression_fault

WINHTTP_KEY = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
WINHTTP_VALUE = "WinHttpSettings"
SIZE_LIMIT = 1_048_576  # bytes of a configuration file
MOST_ENTRIES = 32  #: of a bypass list
_HEADER = struct.Struct("<III")
_LENGTH = struct.Struct("<I")
_MANUAL, _SCRIPT, _DETECT = 2, 4, 8  # PROXY_TYPE_PROXY, PROXY_TYPE_AUTO_PROXY_URL, PROXY_TYPE_AUTO_DETECT
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True, slots=True)
class ConfiguredProxy:
    """A proxy setting. Without `address`, `automatic` and `faults` it says that no proxy is used."""

    address: str
    bypass: str = ""  # of a .NET file: expressions, separated by ;
    automatic: str = ""  # how a proxy is found if none is named, or before the named one
    faults: tuple[str, ...] = ()


def parse_winhttp(value: bytes) -> ConfiguredProxy | None:
    """The proxy in the registry value WinHttpSettings; None for direct access or a malformed value."""
    if len(value) < _HEADER.size + _LENGTH.size:
        return None
    _size, _counter, flags = _HEADER.unpack_from(value)
    address, at = _string(value, _HEADER.size)
    bypass, at = _string(value, at)
    script, _ = _string(value, at)
    found = ConfiguredProxy(
        address if flags & _MANUAL else "",
        bypass if flags & _MANUAL and address else "",
        _automatic(bool(flags & _DETECT), script if flags & _SCRIPT else ""),
    )
    return found if found.address or found.automatic else None


def _string(value: bytes, at: int) -> tuple[str, int]:
    if at + _LENGTH.size > len(value):
        return "", len(value)
    (length,) = _LENGTH.unpack_from(value, at)
    end = at + _LENGTH.size + length
    if end > len(value):
        return "", len(value)
    return value[at + _LENGTH.size : end].rstrip(b"\0").decode("ascii", "backslashreplace"), end


def _automatic(detected: bool, script: str) -> str:
    """How Windows looks for a proxy, in words; "" if it does not."""
    ways = ["WPAD"] * detected + [f"the script {script}"] * bool(script)
    return " or ".join(ways)


def read_dotnet(path: Path) -> ConfiguredProxy | None:
    """`parse_dotnet` of a file; None if it does not exist. ValueError if it cannot be read or is not a regular file."""
    try:
        if not exists(str(path)):
            return None
        return parse_dotnet(read_file(str(path), SIZE_LIMIT))
    except BadFile as error:
        raise ValueError(error.message) from error


def parse_dotnet(document: bytes) -> ConfiguredProxy | None:
    """`system.net/defaultProxy` of a .NET configuration file; None if the file has none.

    An element without a proxy is a setting too: it may say that none is used, or the system's, and then .NET does not read
    machine.config. The elements together mean what System.Net makes of them (Microsoft, "<defaultProxy> element", "<proxy>
    element", "<bypasslist> element"). ValueError for a malformed file. A document type is refused unread, because it
    allows entities that expand without limit.
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
    section = _child(_child(root, "system.net"), "defaultProxy")
    return None if section is None else _setting(section)


def _setting(section: Element) -> ConfiguredProxy:
    faults: list[str] = []
    if _is(section, "enabled", faults) is False:
        return ConfiguredProxy("", faults=tuple(faults))
    elsewhere = _attribute(section, "configSource", faults)
    module = _child(section, "module")
    if elsewhere or module is not None:
        how = f"the file {elsewhere}" if elsewhere else "a module of the program's own"
        return ConfiguredProxy("", automatic=how, faults=tuple(faults))
    proxy = _child(section, "proxy")
    address = _attribute(proxy, "proxyaddress", faults)
    script = _attribute(proxy, "scriptLocation", faults)
    detected, system = _is(proxy, "autoDetect", faults), _is(proxy, "usesystemdefault", faults)
    local = _is(proxy, "bypassonlocal", faults)
    bypass = _bypass_list(_child(section, "bypasslist"), faults)
    if address and not address.lower().startswith(("http://", "https://")):
        faults.append(f"proxyaddress is {address}, it must begin with http://")
    automatic = _automatic(detected is True, script)
    bare = (detected, system, local) == (None, None, None) and not bypass
    if not address and not automatic and (system or bare):
        automatic = "the Internet options of the account"
    if not address and not automatic:
        return ConfiguredProxy("", faults=tuple(faults))
    entries = (["<local>"] if local else []) + bypass
    return ConfiguredProxy(address, Expressions(";".join(entries)), automatic, tuple(faults))


def _bypass_list(element: Element | None, faults: list[str]) -> list[str]:
    """The expressions after all `remove` and `clear` elements. An expression that .NET refuses is a fault."""
    found: list[str] = []
    for entry in element if element is not None else ():
        expression = _attribute(entry, "address", faults)
        match _name(entry):
            case "add" if expression and expression not in found:
                found.append(expression)
            case "remove":
                found = [e for e in found if e != expression]
            case "clear":
                found = []
    if len(found) > MOST_ENTRIES:
        faults.append(f"the bypass list has {len(found)} expressions, of which {MOST_ENTRIES} are read")
    expression_faults = {expression: expression_fault(expression) for expression in found[:MOST_ENTRIES]}
    faults += [f"{fault} with the whole section" for fault in expression_faults.values() if REFUSED in fault]
    return [_one_word(expression) for expression, fault in expression_faults.items() if REFUSED not in fault]


def _one_word(expression: str) -> str:
    """The expression with every semicolon escaped, because a semicolon separates expressions."""
    return re.sub(r"(?<!\\)((?:\\\\)*)\\?;", r"\1\\x3b", expression)


def _name(element: Element) -> str:
    """The name in lower case without its namespace, which old files have and .NET ignores."""
    return str(element.tag).rpartition("}")[2].lower()


def _child(element: Element | None, name: str) -> Element | None:
    return next((e for e in element if _name(e) == name.lower()), None) if element is not None else None


def _attribute(element: Element | None, name: str, faults: list[str]) -> str:
    """An attribute in any spelling of its name. .NET accepts one spelling, and refuses the section for another."""
    for key, value in element.items() if element is not None else ():
        if key.lower() == name.lower():
            if key != name:
                faults.append(f"the attribute {key} must be written {name}, .NET refuses it so")
            return value.strip()
    return ""


def _is(element: Element | None, name: str, faults: list[str]) -> bool | None:
    """The value of a switch; None if it has none."""
    return {"true": True, "false": False}.get(_attribute(element, name, faults).lower())


def _decoded(document: bytes) -> str:
    encoding = next((name for bom, name in _BOMS if document.startswith(bom)), "utf-8")
    try:
        text = document.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(f"not {encoding}") from error
    if encoding != "utf-16" or not text.startswith("<?xml"):
        return text
    return text.partition("?>")[2]  # its declaration has an encoding that the text no longer has


def read_winhttp() -> bytes | None:
    """The registry value WinHttpSettings of this machine; None on other systems and if there is none."""
    if sys.platform != "win32":
        return None
    import winreg

    try:
        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, WINHTTP_KEY) as key:
            value, kind = winreg.QueryValueEx(key, WINHTTP_VALUE)
    except OSError:
        return None
    return bytes(value) if kind == winreg.REG_BINARY else None
