"""Classifies exceptions as `Failure`: the only module that reads the text or the number of an exception.

Libraries are recognised by the module of their exception class, so that no large library is imported here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import socket

from probe.measure.network import NetworkError
from rules.model.failure import LOCAL_STAGE, UNREAD_FORM, Code, Failure, Icmp, Stage
from rules.text.display import display

#: POSIX names and their codes here. Winsock uses the same names with other numbers (10000 + ...): see `_WINDOWS`.
_ERRNO: dict[str, Code] = {
    "ETIMEDOUT": Code.TIMEOUT,
    "ECONNREFUSED": Code.REFUSED,
    "ECONNRESET": Code.RESET,
    "ECONNABORTED": Code.RESET,
    "EPIPE": Code.RESET,
    "ESHUTDOWN": Code.RESET,
    "ENOTCONN": Code.RESET,
    "EHOSTUNREACH": Code.UNREACHABLE,
    "EHOSTDOWN": Code.UNREACHABLE,
    "EPROTO": Code.UNREACHABLE,  # Linux: ICMP protocol unreachable or parameter problem
    "ENOPROTOOPT": Code.UNREACHABLE,  # Linux: ICMP protocol unreachable
    "ENETUNREACH": Code.NO_ROUTE,
    "ENETDOWN": Code.NO_ROUTE,
    "ENONET": Code.NO_ROUTE,
    "EAFNOSUPPORT": Code.NO_ROUTE,  # a host built or booted without IPv6
    "EMFILE": Code.NO_DESCRIPTORS,
    "ENFILE": Code.NO_DESCRIPTORS,
    "ENOBUFS": Code.NO_DESCRIPTORS,
    "ENOMEM": Code.NO_DESCRIPTORS,
    "EADDRNOTAVAIL": Code.NO_PORTS,
    "EADDRINUSE": Code.NO_PORTS,
    "EACCES": Code.DENIED,
    "EPERM": Code.DENIED,
    "EMSGSIZE": Code.TOO_LARGE,
}

#: "Windows Sockets Error Codes" and "System Error Codes (1000-1299)", Microsoft Learn, 2021-01 and 2022-04. The second
#: kind is what overlapped operations (ConnectEx, WSARecv) report. Not yet seen on Windows by this project.
_WINDOWS: dict[int, tuple[str, Code]] = {
    10013: ("WSAEACCES", Code.DENIED),
    10024: ("WSAEMFILE", Code.NO_DESCRIPTORS),
    10040: ("WSAEMSGSIZE", Code.TOO_LARGE),
    10047: ("WSAEAFNOSUPPORT", Code.NO_ROUTE),
    10048: ("WSAEADDRINUSE", Code.NO_PORTS),
    10049: ("WSAEADDRNOTAVAIL", Code.NO_PORTS),
    10050: ("WSAENETDOWN", Code.NO_ROUTE),
    10051: ("WSAENETUNREACH", Code.NO_ROUTE),
    10052: ("WSAENETRESET", Code.RESET),
    10053: ("WSAECONNABORTED", Code.RESET),
    10054: ("WSAECONNRESET", Code.RESET),
    10055: ("WSAENOBUFS", Code.NO_DESCRIPTORS),
    10057: ("WSAENOTCONN", Code.RESET),
    10058: ("WSAESHUTDOWN", Code.RESET),
    10060: ("WSAETIMEDOUT", Code.TIMEOUT),
    10061: ("WSAECONNREFUSED", Code.REFUSED),
    10065: ("WSAEHOSTUNREACH", Code.UNREACHABLE),
    64: ("ERROR_NETNAME_DELETED", Code.RESET),
    121: ("ERROR_SEM_TIMEOUT", Code.TIMEOUT),
    1225: ("ERROR_CONNECTION_REFUSED", Code.REFUSED),
    1231: ("ERROR_NETWORK_UNREACHABLE", Code.NO_ROUTE),
    1232: ("ERROR_HOST_UNREACHABLE", Code.UNREACHABLE),
    1234: ("ERROR_PORT_UNREACHABLE", Code.REFUSED),
    1236: ("ERROR_CONNECTION_ABORTED", Code.RESET),
}
_BY_NUMBER: dict[int, Code] = {
    getattr(errno, name): code for name, code in _ERRNO.items() if hasattr(errno, name)
}

#: TLS alert descriptions (RFC 8446 section 6, RFC 5246 section 7.2, RFC 6066 section 9) in OpenSSL's spelling.
ALERTS: dict[str, int] = {
    "close notify": 0,
    "unexpected message": 10,
    "bad record mac": 20,
    "decryption failed": 21,
    "record overflow": 22,
    "decompression failure": 30,
    "handshake failure": 40,
    "no certificate": 41,
    "bad certificate": 42,
    "unsupported certificate": 43,
    "certificate revoked": 44,
    "certificate expired": 45,
    "certificate unknown": 46,
    "illegal parameter": 47,
    "unknown ca": 48,
    "access denied": 49,
    "decode error": 50,
    "decrypt error": 51,
    "export restriction": 60,
    "protocol version": 70,
    "insufficient security": 71,
    "internal error": 80,
    "inappropriate fallback": 86,
    "user cancelled": 90,
    "no renegotiation": 100,
    "missing extension": 109,
    "unsupported extension": 110,
    "certificate unobtainable": 111,
    "unrecognized name": 112,
    "bad certificate status response": 113,
    "bad certificate hash value": 114,
    "unknown psk identity": 115,
    "certificate required": 116,
    "no application protocol": 120,
}
#: Alerts whose OpenSSL text lacks the word "alert" ("tlsv1 unrecognized name").
_BARE_ALERTS = frozenset({109, 110, 111, 112, 113, 114})

_NOT_TLS = frozenset(
    {
        "wrong version number",
        "unknown protocol",
        "http request",
        "https proxy request",
        "packet length too long",
    }
)
_EOF = frozenset({"unexpected eof while reading", "unexpected eof"})
_TOO_LARGE = frozenset({"excessive message size", "exceeds max fragment size"})
#: The last of OpenSSL's reasons if it could not read a certificate.
_ASN1 = frozenset({"asn1 lib"})


def classify(exception: BaseException, stage: Stage, icmp: Icmp | None = None) -> Failure:
    """The failure for `exception` in `stage`; `icmp` is the message from the socket's error queue.

    An exception that no table has is `Code.BUG`: our fault, never a sign that the network blocks.
    """
    if isinstance(exception, NetworkError):
        return exception.failure
    module = type(exception).__module__.partition(".")[0]
    if module == "OpenSSL":
        return _openssl(exception, stage)
    if module == "dns":
        code = Code.TIMEOUT if type(exception).__name__ == "Timeout" else Code.MALFORMED
        return Failure(stage, code, _said(exception))
    if module == "h11":
        return _h11(exception, stage)
    if isinstance(exception, socket.gaierror):
        return Failure(stage, Code.LOOKUP, gai_name(exception))
    if isinstance(exception, OSError) and (icmp is not None or exception.errno or _winerror(exception)):
        return from_errno(exception.errno or 0, stage, icmp, _winerror(exception))
    if isinstance(exception, (TimeoutError, asyncio.TimeoutError)):
        return Failure(stage, Code.TIMEOUT)
    if isinstance(exception, (asyncio.IncompleteReadError, EOFError)):
        return Failure(stage, Code.EOF)
    return Failure(Stage.LOCAL, Code.BUG, _said(exception))


def from_errno(number: int, stage: Stage, icmp: Icmp | None = None, winerror: int = 0) -> Failure:
    """The failure for an error number of a socket.

    An ICMP message takes precedence over the kernel's number: ENETUNREACH may mean that this host has no route, or that a
    distant router said so, and ICMPv6 "administratively prohibited" looks like EACCES. Only for UDP does port-unreachable
    mean the same as RST for TCP: no program listens. Only DNS uses UDP, so the stage decides.
    """
    windows = _WINDOWS.get(winerror) or _WINDOWS.get(number)
    name, code = windows or (errno.errorcode.get(number, f"errno {number}"), _BY_NUMBER.get(number, Code.BUG))
    if icmp is not None:
        port_unreachable = (icmp.type, icmp.code) in ((3, 3), (1, 4))
        refused = stage is Stage.DNS and port_unreachable and code is Code.REFUSED
        return Failure(stage, Code.REFUSED if refused else Code.UNREACHABLE, name, icmp)
    return local_failure(code, name) if code in LOCAL_STAGE else Failure(stage, code, name)


def local_failure(code: Code, detail: str = "") -> Failure:
    """A failure of this host."""
    return Failure(Stage.LOCAL, code, detail)


def in_stage(failure: Failure, stage: Stage) -> Failure:
    """The failure with `stage`: a reset during the handshake belongs to TLS. A failure of this host keeps its stage."""
    return failure if failure.stage is Stage.LOCAL else dataclasses.replace(failure, stage=stage)


def gai_name(exception: socket.gaierror) -> str:
    """The name of a getaddrinfo error ("EAI_NONAME"), the same on every platform."""
    for name in (
        "EAI_NONAME",
        "EAI_AGAIN",
        "EAI_FAIL",
        "EAI_NODATA",
        "EAI_FAMILY",
        "EAI_SYSTEM",
        "EAI_MEMORY",
    ):
        if exception.errno == getattr(socket, name, None):
            return name
    return f"EAI {exception.errno}"


def alert_number(reason: str) -> int | None:
    """The number of the alert in OpenSSL's reason text; None if the text names no alert of the peer."""
    words = reason.lower()
    if " alert " in words:
        return ALERTS.get(words.partition(" alert ")[2])
    number = ALERTS.get(words.partition(" ")[2])
    return number if number in _BARE_ALERTS else None


def _openssl(exception: BaseException, stage: Stage) -> Failure:
    """pyOpenSSL: `Error` carries [(library, function, reason)], `SysCallError` (errno, text)."""
    kind = type(exception).__name__
    if kind == "ZeroReturnError":
        return Failure(stage, Code.EOF, "close notify")
    if kind == "SysCallError":
        number = exception.args[0] if exception.args and isinstance(exception.args[0], int) else -1
        return Failure(stage, Code.EOF) if number <= 0 else from_errno(number, stage)
    reasons = _openssl_reasons(exception)
    for reason in reasons:
        number_of_alert = alert_number(reason)
        if number_of_alert is not None:
            return Failure(stage, Code.ALERT, reason, alert=number_of_alert)
        if " alert " in reason:
            return Failure(stage, Code.ALERT, reason)
    text = "; ".join(reasons)
    for known, code in ((_EOF, Code.EOF), (_NOT_TLS, Code.NOT_TLS), (_TOO_LARGE, Code.TOO_LARGE)):
        if known.intersection(reasons):
            return Failure(stage, code, text)
    sign = UNREAD_FORM if _ASN1.intersection(reasons) else ""
    return Failure(stage, Code.MALFORMED, text or kind, sign=sign)


def _openssl_reasons(exception: BaseException) -> list[str]:
    errors = exception.args[0] if exception.args else ()
    if not isinstance(errors, (list, tuple)):
        return []
    return [str(e[-1]).lower() for e in errors if isinstance(e, tuple) and e]


def _h11(exception: BaseException, stage: Stage) -> Failure:
    if type(exception).__name__ != "RemoteProtocolError":
        return Failure(Stage.LOCAL, Code.BUG, _said(exception))
    text = str(exception)
    # h11's texts for a FIN within a message and for headers that exceed its buffer
    if "without sending complete message body" in text or "closed connection" in text:
        return Failure(stage, Code.EOF, display(text))
    code = Code.TOO_LARGE if getattr(exception, "error_status_hint", 400) == 431 else Code.MALFORMED
    return Failure(stage, code, display(text))


def _winerror(exception: OSError) -> int:
    return getattr(exception, "winerror", None) or 0


def _said(exception: BaseException) -> str:
    text = str(exception)
    return display(f"{type(exception).__name__}: {text}" if text else type(exception).__name__)
