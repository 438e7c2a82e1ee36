"""Every exception that the libraries and the system raise, in the closed vocabulary."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

import dns.exception
import dns.name
import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from probe.measure.failure import (
    ALERTS,
    alert_number,
    classify,
    from_errno,
    gai_name,
    in_stage,
    local_failure,
)
from probe.measure.network import NetworkError
from rules.model.failure import LOCAL_STAGE, Code, Failure, Icmp, Stage


def raised(kind: Callable[..., Exception], *arguments: str) -> Exception:
    """An exception of a library whose constructors have no types."""
    return kind(*arguments)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, Code.REFUSED),
        (errno.ECONNRESET, Code.RESET),
        (errno.EPIPE, Code.RESET),
        (errno.ETIMEDOUT, Code.TIMEOUT),
        (errno.EHOSTUNREACH, Code.UNREACHABLE),
        (errno.ENETUNREACH, Code.NO_ROUTE),
        (errno.EMFILE, Code.NO_DESCRIPTORS),
        (errno.ENFILE, Code.NO_DESCRIPTORS),
        (errno.ENOBUFS, Code.NO_DESCRIPTORS),
        (errno.EADDRNOTAVAIL, Code.NO_PORTS),
        (errno.EACCES, Code.DENIED),
        (errno.EPERM, Code.DENIED),
        (errno.EBADF, Code.BUG),
        (10061, Code.REFUSED),
        (10054, Code.RESET),
        (10060, Code.TIMEOUT),
        (10051, Code.NO_ROUTE),
        (10065, Code.UNREACHABLE),
        (10055, Code.NO_DESCRIPTORS),
        (10049, Code.NO_PORTS),
        (10013, Code.DENIED),
    ],
)
def test_error_numbers_of_posix_and_winsock(number: int, code: Code) -> None:
    failure = classify(OSError(number, "text that nobody reads"), Stage.TCP)
    assert failure.code is code
    assert failure.stage is (Stage.LOCAL if code in LOCAL_STAGE else Stage.TCP)
    assert failure.detail.isprintable()
    assert "nobody" not in failure.detail


@pytest.mark.parametrize(
    ("winerror", "code"), [(1225, Code.REFUSED), (1231, Code.NO_ROUTE), (64, Code.RESET)]
)
def test_numbers_of_overlapped_operations_on_windows(winerror: int, code: Code) -> None:
    assert from_errno(errno.EINVAL, Stage.TCP, winerror=winerror).code is code


@given(
    st.sampled_from([errno.ENETUNREACH, errno.EACCES, errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.EPROTO])
)
def test_a_router_s_word_is_never_taken_for_this_host_s(number: int) -> None:
    icmp = Icmp(3, 13, "192.0.2.1")
    failure = classify(OSError(number, ""), Stage.TCP, icmp)
    assert (failure.stage, failure.code, failure.icmp) == (Stage.TCP, Code.UNREACHABLE, icmp)


def test_port_unreachable_is_a_refusal_for_datagrams_only() -> None:
    error, icmp = OSError(errno.ECONNREFUSED, ""), Icmp(3, 3, None)
    assert classify(error, Stage.DNS, icmp).code is Code.REFUSED
    assert classify(error, Stage.TCP, icmp).code is Code.UNREACHABLE
    assert classify(error, Stage.DNS, Icmp(1, 4, "::1")).code is Code.REFUSED


def test_a_network_error_passes_through() -> None:
    failure = Failure(Stage.PROXY, Code.EOF, "said before")
    assert classify(NetworkError(failure), Stage.TLS) is failure


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TimeoutError(), Code.TIMEOUT),
        (asyncio.IncompleteReadError(b"", 2), Code.EOF),
        (EOFError(), Code.EOF),
        (raised(dns.exception.FormError), Code.MALFORMED),
        (raised(dns.name.BadPointer), Code.MALFORMED),
        (raised(dns.name.LabelTooLong), Code.MALFORMED),
        (raised(dns.exception.Timeout), Code.TIMEOUT),
        (SSL.ZeroReturnError(), Code.EOF),
        (SSL.SysCallError(-1, "Unexpected EOF"), Code.EOF),
        (SSL.SysCallError(errno.ECONNRESET, "ECONNRESET"), Code.RESET),
        (SSL.Error([("SSL routines", "", "wrong version number")]), Code.NOT_TLS),
        (SSL.Error([("SSL routines", "", "unexpected eof while reading")]), Code.EOF),
        (SSL.Error([("SSL routines", "", "excessive message size")]), Code.TOO_LARGE),
        (SSL.Error([("SSL routines", "", "bad extension")]), Code.MALFORMED),
        (SSL.Error(), Code.MALFORMED),
        (h11.RemoteProtocolError("illegal status line"), Code.MALFORMED),
        (h11.RemoteProtocolError("Receive buffer too long", 431), Code.TOO_LARGE),
        (
            h11.RemoteProtocolError("peer closed connection without sending complete message body"),
            Code.EOF,
        ),
    ],
)
def test_what_libraries_raise(error: Exception, code: Code) -> None:
    assert classify(error, Stage.TLS) == Failure(Stage.TLS, code, classify(error, Stage.TLS).detail)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("tlsv1 alert protocol version", 70),
        ("sslv3 alert handshake failure", 40),
        ("ssl/tls alert handshake failure", 40),
        ("tlsv1 unrecognized name", 112),
        ("tlsv13 alert certificate required", 116),
        ("tlsv1 alert no application protocol", 120),
        ("wrong version number", None),
        ("bad certificate", None),
        ("tlsv1 alert of a later standard", None),
    ],
)
def test_alerts_of_the_peer(text: str, number: int | None) -> None:
    assert alert_number(text) == number
    failure = classify(SSL.Error([("SSL routines", "", text)]), Stage.TLS)
    assert failure.alert == number
    assert (failure.code is Code.ALERT) == ("alert" in text or number is not None)


def test_alert_numbers_are_one_byte() -> None:
    assert all(0 <= number < 256 for number in ALERTS.values())
    assert len(set(ALERTS.values())) == len(ALERTS)


def test_whatever_nothing_names_is_our_own_bug() -> None:
    failure = classify(KeyError("x\x1b[2J"), Stage.HTTP)
    assert (failure.stage, failure.code) == (Stage.LOCAL, Code.BUG)
    assert failure.detail.startswith("KeyError")
    assert failure.detail.isprintable()
    assert classify(h11.LocalProtocolError("we"), Stage.HTTP).code is Code.BUG


@pytest.mark.parametrize(
    ("number", "name"),
    [(socket.EAI_NONAME, "EAI_NONAME"), (socket.EAI_AGAIN, "EAI_AGAIN"), (-999, "EAI -999")],
)
def test_names_of_resolution_errors(number: int, name: str) -> None:
    error = socket.gaierror(number, "text of the C library, in any language")
    assert gai_name(error) == name
    assert classify(error, Stage.DNS) == Failure(Stage.DNS, Code.LOOKUP, name)


def test_a_failure_moves_to_the_stage_where_it_was_met_unless_it_is_of_this_host() -> None:
    assert in_stage(Failure(Stage.TCP, Code.RESET, "ECONNRESET"), Stage.TLS) == Failure(
        Stage.TLS, Code.RESET, "ECONNRESET"
    )
    assert in_stage(local_failure(Code.NO_PORTS), Stage.TLS).stage is Stage.LOCAL


@given(st.binary(max_size=40), st.sampled_from(Stage))
def test_details_are_one_harmless_line(junk: bytes, stage: Stage) -> None:
    text = junk.decode("latin-1")
    errors = (ValueError(text), raised(dns.exception.SyntaxError, text), h11.RemoteProtocolError(text))
    for error in errors:
        assert classify(error, stage).detail.isprintable()
