"""Root certificates of this host by subject: the public list (certifi) and the operating system's store. No network.

The files are read on first use, and again when they have changed. Only the subject of each certificate is read, so a
malformed certificate does no harm and a store takes a few milliseconds. Linux and other Unix: the usual bundle files, then
the ones in OpenSSL's environment variables. Windows: the ROOT store, which SChannel uses (never run there by this project).
macOS: a bundle file, not the keychain; `system_source` says which one.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import datetime
import re
import ssl
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import certifi

from probe.host.files import decode_text, file_stamp, read_file
from rules.files.fields import BadFile

_PEM = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----(.*?)-----END ", re.DOTALL)
#: Bundles of distributions, newest path first: Debian, Fedora and RHEL, SUSE, Alpine and BSD.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/usr/local/etc/ssl/cert.pem",
)
LARGEST = 16 * 1024 * 1024  #: bytes of a bundle: all public roots need a quarter of a MiB
#: Seconds after which Windows' store is read again.
WINDOWS_EVERY = 600.0


@dataclass(frozen=True, slots=True)
class Store:
    """The certificates of one store by subject (Name, DER). `skipped`: number of malformed certificates."""

    source: str
    date: float | None = None  # newest modification, Unix time
    roots: dict[bytes, tuple[bytes, ...]] = field(default_factory=dict)
    skipped: int = 0


class TrustStores:
    """Both stores of this host. `public_pem` and `system_pem` are files (or directories of files) to read instead.

    A store is read on first use, and again when the stamp of a file differs (time, size, inode). A file that cannot be read
    gives an empty store whose source says why.
    """

    def __init__(self, public_pem: Path | None = None, system_pem: Path | None = None) -> None:
        self._public_pem = public_pem
        self._system_pem = system_pem
        self._public: tuple[object, Store] | None = None
        self._system: tuple[object, Store] | None = None

    @property
    def public(self) -> Store:
        """The public list: certifi, dated by its version, because the file has the date of the installation."""
        mark = _mark(self._public_pem or Path(certifi.where()))
        if self._public is None or self._public[0] != mark:
            self._public = mark, self._read_public()
        return self._public[1]

    @property
    def system(self) -> Store:
        """The operating system's store."""
        mark = _mark(self._system_pem) if self._system_pem is not None else _system_mark()
        if self._system is None or self._system[0] != mark:
            self._system = mark, _system() if self._system_pem is None else _from_file(self._system_pem)
        return self._system[1]

    def _read_public(self) -> Store:
        if self._public_pem is not None:
            return _from_file(self._public_pem)
        store = _from_file(Path(certifi.where()))
        return Store(f"certifi {certifi.__version__}", _certifi_date(), store.roots, store.skipped)


def _system() -> Store:
    if sys.platform == "win32":
        listed = ssl.enum_certificates("ROOT")
        return _store("Windows ROOT store", None, (der for der, kind, _trust in listed if kind == "x509_asn"))
    path = _system_path()
    return _from_file(path) if path is not None else Store("no store found")


def _system_path() -> Path | None:
    paths = ssl.get_default_verify_paths()
    for name in (*BUNDLES, paths.cafile):
        if name and Path(name).is_file():
            return Path(name)
    return Path(paths.capath) if paths.capath else None


def _system_mark() -> object:
    """A stamp that differs if the operating system's store may have changed; Windows' store has no file and is read
    regularly."""
    if sys.platform == "win32":
        return time.monotonic() // WINDOWS_EVERY
    path = _system_path()
    return _mark(path) if path is not None else None


def _mark(path: Path) -> object:
    """The stamp of a file, or of every file of a directory, or the reason why it cannot be read."""
    try:
        files = [path, *(_files_of(path) if path.is_dir() else ())]
    except (OSError, ValueError) as error:
        return path, str(error)
    return path, [file_stamp(file) for file in files]


def subject_of(der: bytes) -> bytes:
    """The subject's Name (DER) of a certificate; ValueError if its structure is not that of RFC 5280 section 4.1."""
    at, _end = _content(der, 0, 0x30)  # Certificate
    at, _end = _content(der, at, 0x30)  # TBSCertificate
    if der[at : at + 1] == b"\xa0":  # version
        at = _content(der, at, 0xA0)[1]
    for tag in (0x02, 0x30, 0x30, 0x30):  # serial number, signature, issuer, validity
        at = _content(der, at, tag)[1]
    return der[at : _content(der, at, 0x30)[1]]


def _content(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """Start and end of the content of the element at `at`, which must have `tag`."""
    if at + 2 > len(der) or der[at] != tag:
        raise ValueError(f"no element {tag:#x} at byte {at}")
    length, begin = der[at + 1], at + 2
    if length & 0x80:
        octets = length & 0x7F
        begin += octets
        length = int.from_bytes(der[at + 2 : begin])
        if octets not in (1, 2, 3, 4):
            raise ValueError(f"bad length at byte {at}")
    if begin + length > len(der):
        raise ValueError(f"element at byte {at} is cut off")
    return begin, begin + length


def _store(source: str, date: float | None, certificates: Iterable[bytes]) -> Store:
    roots: dict[bytes, tuple[bytes, ...]] = {}
    skipped = 0
    for der in certificates:
        try:
            subject = subject_of(der)
        except ValueError:
            skipped += 1
            continue
        known = roots.get(subject, ())
        if der not in known:
            roots[subject] = (*known, der)
    return Store(source, date, roots, skipped)


def _ders(pem: bytes) -> Iterable[bytes]:
    for match in _PEM.finditer(pem):
        try:
            yield base64.b64decode(match[1])
        except binascii.Error:
            yield b""  # counted as skipped


def _from_file(path: Path) -> Store:
    try:
        if path.is_dir():
            return _from_directory(path)
        return _store(str(path), path.stat().st_mtime, _ders(_read(path)))
    except BadFile as error:
        return Store(f"{path} (not readable: it {error.message})")
    except OSError as error:
        return Store(f"{path} (not readable: {error.strerror})")


def _read(path: Path) -> bytes:
    """The file's text as UTF-8, from any encoding that editors use. BadFile for a pipe and for a file that never
    ends."""
    content = read_file(str(path), LARGEST)
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return decode_text(content, str(path)).encode() if marked else content


def _files_of(directory: Path) -> list[Path]:
    return [
        file for file in sorted(directory.iterdir()) if file.suffix in (".pem", ".crt") and file.is_file()
    ]


def _from_directory(path: Path) -> Store:
    """A directory with one certificate per file, for systems without a bundle."""
    files = _files_of(path)
    date = max((file.stat().st_mtime for file in files), default=None)
    return _store(str(path), date, (der for file in files for der in _ders(_read(file))))


def _certifi_date() -> float | None:
    try:
        year, month, day = (int(part) for part in certifi.__version__.split(".")[:3])
        return datetime.datetime(year, month, day, tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None
