"""The web configuration: the file of `--web.config.file`, in the format of Prometheus' exporter-toolkit.

It refuses unknown keys and wrong values with file, key and line; a valid setting that this server does not support is a
warning. It reads the file, and the files that it names, again when they change; it logs a bad new version and keeps the
old one. docs/web-config.md describes the file for users.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from probe.errors import one_line
from probe.host.files import FileStamp, file_stamp, read_file
from probe.web.sign_ins import SignIns
from probe.web.strict_yaml import LARGEST, YamlFile, parse_yaml
from probe.web.tls import ClientAuth, TlsServer, TlsSettings, loose_mode, read_settings, tls_server
from probe.web.users import Users, hash_fault
from rules.files.fields import BadFile, Fault, Faults, Table

RECHECK = 1.0  #: seconds between two checks of the files
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
    "Content-Security-Policy": (),
}
_log = logging.getLogger("wayclear.http")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d{1,9}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h))+")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request per `interval` seconds on average, `burst` at once."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A parsed web configuration. `warnings`: unsupported and risky settings."""

    source: str
    tls: TlsSettings | None = None
    headers: tuple[tuple[str, str], ...] = ()
    users: Users = field(default_factory=Users)
    rate: RateLimit | None = None
    warnings: tuple[str, ...] = ()

    @property
    def asks_who(self) -> bool:
        """Whether every client needs a password or a verified certificate."""
        verified = self.tls is not None and self.tls.client_auth is ClientAuth.REQUIRE_AND_VERIFY
        return bool(self.users) or verified


def read_web_config(path: str) -> WebConfig:
    """The web configuration of a file; BadFile with every fault. Certificates are not read yet."""
    file = parse_yaml(read_file(path, LARGEST), path)
    faults = Faults(path)
    warnings: list[str] = []
    try:
        top = Table(file.data, "", faults)
        section = _section(top, "tls_server_config")
        tls = (
            read_settings(section, str(Path(path).absolute().parent), warnings)
            if section is not None
            else None
        )
        headers = _http(top, warnings)
        users = _users(top, warnings)
        rate = _rate(top)
        top.finish()
        faults.raise_if_any()
    except BadFile as error:
        raise BadFile(error.source, [_with_line(fault, file) for fault in error.faults]) from None
    if users:
        warnings.extend(loose_mode(path))
    return WebConfig(path, tls, headers, users, rate, tuple(warnings))


def _with_line(fault: Fault, file: YamlFile) -> Fault:
    line = file.line(fault.key_path)
    return replace(fault, key_path=f"line {line}: {fault.key_path}") if line else fault


def _section(top: Table, key: str) -> Table | None:
    """A mapping under `key`. Faults never quote a value: it may be a secret in the wrong place."""
    value = top.data.get(key)
    top.get(key, type(value), "")  # marks the key as known
    if value is None:
        return None
    if isinstance(value, dict):
        return Table(value, top.where(key), top.faults)
    top.fault(key, "must be a mapping: keys with values, indented below it")
    return None


def _http(top: Table, warnings: list[str]) -> tuple[tuple[str, str], ...]:
    table = _section(top, "http_server_config")
    if table is None:
        return ()
    if table.flag("http2", "http2: false"):
        warnings.append(
            f"{table.where('http2')}: not honoured: HTTP/1.1 is spoken, which every client speaks too"
        )
    found = []
    headers = _section(table, "headers")
    for name in headers.data if headers else ():
        assert headers is not None
        if name not in HEADERS:
            headers.fault(name, f"is none of the headers that can be set: {', '.join(HEADERS)}")
            continue
        value = headers.data[name]
        if value == "":  # exporter-toolkit: unset if blank
            continue
        text = headers.text(name, f"{name}: {(HEADERS[name] or ('...',))[0]}")
        if text and not (text.isascii() and text.isprintable()):
            headers.fault(name, "must be one line of ASCII")
        elif HEADERS[name] and text and text.lower() not in HEADERS[name]:
            headers.fault(name, f"must be {' or '.join(HEADERS[name])}")
        else:
            found.append((name, text))
    table.finish()
    return tuple(found)


def _users(top: Table, warnings: list[str]) -> Users:
    """Users and hashes. No message quotes a hash, or a name that could be one."""
    key = "basic_auth_users"
    table = _section(top, key)
    if table is None:
        return Users()
    if not table.data:
        top.fault(key, "is empty: leave it out, or name a user")
    found: dict[str, bytes] = {}
    for name, value in table.data.items():
        if name.startswith("$2"):
            top.fault(key, "has a hash where a user's name belongs: write `name: hash`")
        elif not name or ":" in name or not name.isprintable():
            table.fault(name, "is no name of a user: it is empty, or holds a colon or a control character")
        elif not isinstance(value, str):
            table.fault(name, "must be a bcrypt hash: put it in quotes")
        elif problem := hash_fault(value):
            table.fault(name, problem)
        else:
            found[name] = value.encode()
    users = Users(found)
    if len(users.costs) > 1:
        warnings.append(f"{key}: hashes of different cost: the time of an answer tells which users exist")
    return users


def _rate(top: Table) -> RateLimit | None:
    table = _section(top, "rate_limit")
    if table is None:
        return None
    example = "interval: 1s"
    interval = 0.0
    if table.data.get("interval") == 0:  # exporter-toolkit: no limit
        table.get("interval", int, example)
    else:
        text = table.text("interval", example, required=True)
        if text and text != "0" and not _DURATION.fullmatch(text):
            table.fault("interval", "is no duration of Go, such as 500ms or 1m30s", example)
        interval = sum(float(n) * _UNITS[u] for n, u in re.findall(r"([\d.]+)(ns|us|µs|ms|s|m|h)", text))
    burst = table.number("burst", "burst: 20", 1, 1_000_000)
    if interval and burst is None and not table.has("burst"):
        table.fault("burst", "is missing: without it every request would be refused", "burst: 20")
    table.finish()
    return RateLimit(interval, int(burst or 1)) if interval else None


# --- the live file -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with its certificates read; `tls` is None without TLS."""

    config: WebConfig
    tls: TlsServer | None

    @property
    def warnings(self) -> tuple[str, ...]:
        return (*self.config.warnings, *(self.tls.warnings if self.tls else ()))


class WebConfigFile:
    """The present web configuration: `current()` checks the files at most once a second and reads changed ones again.

    `on_error` gets one text for each new version that cannot be used, `on_recovery` one when the files can be used again.
    `problem`: the present fault, "" for none. `read_at`: Unix time of the last accepted version.
    """

    def __init__(
        self,
        path: str,
        on_error: Callable[[str], None] = _log.error,
        clock: Callable[[], float] = time.monotonic,
        on_recovery: Callable[[str], None] = _log.info,
    ) -> None:
        self.path = path
        self.sign_ins = SignIns()  #: refused sign-ins of its users and certificates
        self.problem = ""
        self.read_at = 0.0
        self._on_error, self._on_recovery = on_error, on_recovery
        self._clock = clock
        self._accept: Callable[[Loaded], str] = lambda loaded: ""
        self._loaded: Loaded | None = None
        self._looked = 0.0
        self._seen: dict[str, FileStamp] = {}

    def accept_only(self, accept: Callable[[Loaded], str]) -> None:
        """From now on accept a new version only if `accept` returns ""; it returns what the version lacks."""
        self._accept = accept

    @property
    def secure(self) -> bool:
        """Whether the server uses TLS, as last read."""
        return self._loaded is not None and self._loaded.tls is not None

    def current(self) -> Loaded:
        """The configuration in force. BadFile only at the first call, without an older version to keep."""
        now = self._clock()
        if self._loaded is None:
            self._loaded = self._read()
            self._looked, self.read_at = now, time.time()
        elif now - self._looked >= RECHECK:
            self._looked = now
            if any(file_stamp(Path(name)) != seen for name, seen in self._seen.items()):
                self._read_anew(self._loaded)
        return self._loaded

    def _read(self) -> Loaded:
        """Read the file and the files that it names; take the stamp of each before reading it."""
        self._seen = {name: file_stamp(Path(name)) for name in (self.path, *self._seen)}
        config = read_web_config(self.path)
        if config.tls is None:
            return Loaded(config, None)
        self._seen = {
            self.path: self._seen[self.path],
            **{name: file_stamp(Path(name)) for name in config.tls.files},
        }
        return Loaded(config, tls_server(config.tls))

    def _read_anew(self, old: Loaded) -> None:
        try:
            new = self._read()
            problem = self._accept(new)
        except BadFile as error:
            problem = one_line(str(error))
        else:
            if not problem:
                if self.problem:
                    self._on_recovery(f"{self.path}: the web configuration can be used again and is in force")
                self._loaded, self.problem, self.read_at = new, "", time.time()
                for warning in set(new.warnings) - set(old.warnings):
                    self._on_error(warning)
                return
            problem = f"{self.path}: {problem}"
        if problem != self.problem:
            self.problem = problem
            self._on_error(f"the web configuration stays as it was: {problem}")
