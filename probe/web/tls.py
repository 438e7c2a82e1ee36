"""TLS of the web server: makes a context from the settings of a web configuration, and reads the names in a client's
certificate.

The settings are Go's, as in exporter-toolkit. Python's `ssl` cannot ask for a certificate without verifying it, accepts
one curve or all, and leaves the suites of TLS 1.3 to OpenSSL. For each difference the program gives a warning or
refuses the setting.
"""

from __future__ import annotations

import datetime
import ssl
import stat
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from probe.host.files import read_file
from rules.files.fields import BadFile, Fault, Table
from rules.text.hostname import shown

LARGEST_PEM = 1024 * 1024  #: bytes: the bundle of all public roots is a quarter of it
_MISMATCH = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")
_UNREADABLE = (ValueError, x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType)
_WORLD = stat.S_IROTH | stat.S_IWOTH

VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
OLD_VERSIONS = ("TLS10", "TLS11")

#: Go's names of curves (crypto/tls.CurveID) to OpenSSL's; X25519MLKEM768 needs an OpenSSL newer than Python's.
CURVES = {"X25519": "X25519", "CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1"}

#: The suites of Go's crypto/tls.CipherSuites() to OpenSSL's names. Neither Go nor Python can choose the suites of TLS
#: 1.3.
TLS13_SUITES = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})
SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256": "AES128-GCM-SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384": "AES256-GCM-SHA384",
    "TLS_RSA_WITH_AES_128_CBC_SHA": "AES128-SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA": "AES256-SHA",
}


class ClientAuth(StrEnum):
    """Go's crypto/tls.ClientAuthType."""

    NONE = "NoClientCert"
    REQUEST = "RequestClientCert"
    REQUIRE_ANY = "RequireAnyClientCert"
    VERIFY_IF_GIVEN = "VerifyClientCertIfGiven"
    REQUIRE_AND_VERIFY = "RequireAndVerifyClientCert"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """`tls_server_config` with absolute paths and only the settings that Python supports: `client_auth` asks for
    nothing or verifies."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_auth: ClientAuth = ClientAuth.NONE
    allowed_sans: tuple[str, ...] = ()
    min_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    max_version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    ciphers: tuple[str, ...] = ()  # OpenSSL's names, TLS 1.2 only; empty: Python's choice
    curve: str = ""  # OpenSSL's name; empty: OpenSSL's choice
    server_preference: bool = True

    @property
    def files(self) -> tuple[str, ...]:
        return tuple(name for name in (self.cert_file, self.key_file, self.client_ca_file) if name)


def read_settings(table: Table, base: str, warnings: list[str]) -> TlsSettings:
    """Parse `tls_server_config`: faults go to the table, ignored settings to `warnings`.

    Names of files are relative to `base`.
    """
    for key in ("cert", "key", "client_ca"):
        if table.has(key):
            table.get(key, type(table.data[key]), "")
            table.fault(key, f"inline PEM is not read here: put it into a file and name that in {key}_file")
    cert, key, ca = (_path(table, f"{name}_file", base) for name in ("cert", "key", "client_ca"))
    for name, value in (("cert_file", cert), ("key_file", key)):
        if not value and not table.has(name):
            table.fault(name, "is missing: TLS needs a certificate and its key", f"{name}: server.pem")
    auth = _client_auth(table, ca, warnings)
    sans = table.texts("client_allowed_sans", "client_allowed_sans: [prometheus.example.test]")
    if sans and auth is ClientAuth.NONE:
        table.fault("client_allowed_sans", "has no effect unless client_auth_type verifies certificates")
    lowest, highest = _versions(table, warnings)
    settings = TlsSettings(
        cert, key, ca, auth, sans, lowest, highest,
        ciphers=_ciphers(table, lowest, warnings),
        curve=_curve(table, warnings),
        server_preference=table.flag("prefer_server_cipher_suites", "prefer_server_cipher_suites: true", True),
    )  # fmt: skip
    table.finish()
    return settings


def _path(table: Table, key: str, base: str) -> str:
    value = table.text(key, f"{key}: server.pem")
    return str(Path(base, value)) if value else ""


def _client_auth(table: Table, ca: str, warnings: list[str]) -> ClientAuth:
    """Go's five policies, as far as they verify: `ssl` cannot accept a certificate without verifying it."""
    key, example = "client_auth_type", "client_auth_type: RequireAndVerifyClientCert"
    if table.data.get(key) == "RequireClientCert":  # exporter-toolkit's older name
        table.text(key, example)
        wanted = ClientAuth.REQUIRE_ANY
    else:
        wanted = table.choice(key, ClientAuth, ClientAuth.NONE, example)
    where = table.where(key)
    if wanted is ClientAuth.NONE:
        if ca:
            table.fault("client_ca_file", "has no effect without client_auth_type", example)
        return wanted
    if wanted is ClientAuth.REQUEST and not ca:
        warnings.append(
            f"{where}: {wanted} is not honoured: no certificate is asked for, as nobody would look at it"
        )
        return ClientAuth.NONE
    if not ca:
        table.fault("client_ca_file", f"is missing: {wanted} needs it here", "client_ca_file: clients-ca.pem")
    stricter = {
        ClientAuth.REQUEST: ClientAuth.VERIFY_IF_GIVEN,
        ClientAuth.REQUIRE_ANY: ClientAuth.REQUIRE_AND_VERIFY,
    }.get(wanted)
    if stricter:
        warnings.append(f"{where}: {wanted} is not honoured: it does not verify, {stricter} is used instead")
    return stricter or wanted


def _versions(table: Table, warnings: list[str]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    found = {}
    for key, default in (("min_version", "TLS12"), ("max_version", "TLS13")):
        words = (*OLD_VERSIONS, *VERSIONS)
        text = (
            table.matched(key, "|".join(words), f"one of {', '.join(words)}", f"{key}: {default}") or default
        )
        if text in OLD_VERSIONS:
            if key == "max_version":
                table.fault(key, "must be TLS12 or TLS13: older versions are broken", "max_version: TLS13")
            else:
                warnings.append(
                    f"{table.where(key)}: {text} is not honoured: TLS12 is the lowest that is offered"
                )
        found[key] = VERSIONS.get(text, VERSIONS["TLS12"])
    if found["min_version"] > found["max_version"]:
        table.fault("min_version", "is above max_version", "min_version: TLS12")
    return found["min_version"], found["max_version"]


def _ciphers(table: Table, lowest: ssl.TLSVersion, warnings: list[str]) -> tuple[str, ...]:
    """OpenSSL's names of Go's suites."""
    key = "cipher_suites"
    wanted = table.texts(key, "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]")
    for index, name in enumerate(wanted):
        if name not in SUITES and name not in TLS13_SUITES:
            known = ", ".join(SUITES)
            table.fault(f"{key}[{index}]", f"{shown(name)} is none of Go's secure suites ({known})")
    if TLS13_SUITES.intersection(wanted):
        warnings.append(f"{table.where(key)}: suites of TLS 1.3 cannot be chosen: all three are offered")
    chosen = tuple(SUITES[name] for name in wanted if name in SUITES)
    if wanted and not chosen and lowest is ssl.TLSVersion.TLSv1_2:
        table.fault(key, "names no suite of TLS 1.2: add one, or set min_version: TLS13")
    return chosen


def _curve(table: Table, warnings: list[str]) -> str:
    key = "curve_preferences"
    wanted = table.texts(key, "curve_preferences: [X25519]")
    for index, name in enumerate(wanted):
        if name not in CURVES:
            table.fault(f"{key}[{index}]", f"{shown(name)} is none of {', '.join(CURVES)}")
    if len(wanted) > 1:
        warnings.append(
            f"{table.where(key)}: not honoured: one curve can be chosen, an order of several cannot"
        )
        return ""
    return CURVES.get(wanted[0], "") if wanted else ""


@dataclass(frozen=True, slots=True)
class TlsServer:
    """A context for handshakes, the host names of our certificate, and warnings about the files."""

    context: ssl.SSLContext
    names: frozenset[str]
    warnings: tuple[str, ...]


def tls_server(settings: TlsSettings) -> TlsServer:
    """Read certificate, key and client CAs. BadFile with the file's name if it cannot be used."""
    chain = read_file(
        settings.cert_file, LARGEST_PEM
    )  # also refuses a FIFO, where OpenSSL would wait without limit
    read_file(settings.key_file, LARGEST_PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = settings.min_version
    context.maximum_version = settings.max_version
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if not settings.server_preference:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    if settings.ciphers:
        context.set_ciphers(":".join(settings.ciphers))
    if settings.curve:
        try:
            context.set_ecdh_curve(settings.curve)
        except ssl.SSLError as error:  # Debian 12's own Python cannot choose X25519
            raise _bad(
                settings.cert_file, f"this Python's OpenSSL cannot choose the curve {settings.curve} alone"
            ) from error
    _load_pair(context, settings)
    _load_client_cas(context, settings)
    leaf = _leaf(chain, settings.cert_file)
    return TlsServer(context, _names(leaf), (*_age(leaf, settings.cert_file), *loose_mode(settings.key_file)))


def loose_mode(path: str) -> tuple[str, ...]:
    """A warning if every user of this host can read or write a file with secrets."""
    if sys.platform == "win32":
        return ()  # Windows has no mode bits
    try:
        mode = Path(path).stat().st_mode
    except OSError:
        return ()
    if not mode & _WORLD:
        return ()
    what = "written" if mode & stat.S_IWOTH else "read"
    return (f"{path} holds secrets and can be {what} by every account of this host: chmod 640 {path}",)


def client_sans(der: bytes) -> frozenset[str]:
    """The alternative names of a certificate that exporter-toolkit compares: DNS names, e-mail addresses, IP addresses, URIs.

    Empty for a certificate whose names cannot be read.
    """
    try:
        names = x509.load_der_x509_certificate(der).extensions.get_extension_for_oid(
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME
        )
    except _UNREADABLE:
        return frozenset()
    assert isinstance(names.value, x509.SubjectAlternativeName)
    kinds = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.UniformResourceIdentifier)
    return frozenset(str(name.value) for name in names.value if isinstance(name, kinds))


def _load_pair(context: ssl.SSLContext, settings: TlsSettings) -> None:
    encrypted: list[str] = []

    def no_password() -> str:  # otherwise OpenSSL asks on the terminal
        encrypted.append(settings.key_file)
        return ""

    try:
        context.load_cert_chain(settings.cert_file, settings.key_file, password=no_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        if encrypted:
            raise _bad(settings.key_file, "is encrypted with a password: store it without one") from None
        reason = getattr(error, "reason", None) or "no certificate and key in PEM form"
        reason_text = "the key belongs to another certificate" if reason in _MISMATCH else str(reason).lower()
        raise _bad(
            settings.cert_file, f"and {settings.key_file} cannot be used together: {reason_text}"
        ) from None


def _load_client_cas(context: ssl.SSLContext, settings: TlsSettings) -> None:
    if settings.client_auth is ClientAuth.NONE:
        return
    content = read_file(settings.client_ca_file, LARGEST_PEM)
    try:
        context.load_verify_locations(cadata=content.decode("ascii", "ignore"))  # comments may have any bytes
    except (ssl.SSLError, ValueError):
        raise _bad(settings.client_ca_file, "holds no CA certificates in PEM form") from None
    required = settings.client_auth is ClientAuth.REQUIRE_AND_VERIFY
    context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL


def _leaf(chain: bytes, source: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(chain)
    except ValueError as error:
        raise _bad(source, f"begins with a certificate that cannot be read: {error}") from None


def _names(leaf: x509.Certificate) -> frozenset[str]:
    """The host names of our own certificate, in lower case; wildcards with `*.`."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return frozenset()
    return frozenset(name.lower() for name in names.get_values_for_type(x509.DNSName))


def _age(leaf: x509.Certificate, source: str) -> tuple[str, ...]:
    now = datetime.datetime.now(datetime.UTC)
    if leaf.not_valid_after_utc <= now:
        return (f"{source}: the certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}",)
    if leaf.not_valid_before_utc > now:
        return (f"{source}: the certificate begins on {leaf.not_valid_before_utc:%Y-%m-%d}",)
    return ()


def _bad(source: str, message: str) -> BadFile:
    return BadFile(source, [Fault("", message)])
