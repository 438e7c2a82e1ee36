"""`HostNetwork`: direct connections by the operating system's sockets on the running asyncio loop.

Plain asyncio must be fast, because Windows has nothing else. A reader is registered with the selector once per connection,
not once per wait (loop.sock_recv adds and removes it each time), the callback receives, and a connect needs one timer
instead of a task. Loops that report completion instead of readiness (Windows' proactor) use loop.sock_*: that branch was
never run on Windows by this project.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
import time
from collections.abc import Callable

from probe.measure.failure import classify, from_errno, local_failure
from probe.measure.network import Datagrams, NetworkError, Stream, Unconnected
from probe.measure.udp_strays import UnconnectedSocket
from rules.model.failure import Code, Failure, Icmp, Stage

DNS_PORT = 53
_RECVERR_V4 = (socket.IPPROTO_IP, 11)  # linux/in.h IP_RECVERR; Python's socket module does not name these
_RECVERR_V6 = (socket.IPPROTO_IPV6, 25)  # linux/in6.h IPV6_RECVERR
_ORIGIN_ICMP, _ORIGIN_ICMP6 = 2, 3  # linux/errqueue.h: SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err; the offender's sockaddr follows
_PENDING = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, errno.EALREADY, 10035, 10036})
_LINUX = sys.platform == "linux"


def allow_all(_address: str) -> bool:
    """A guard that forbids no address."""
    return False


class HostNetwork:
    """The direct network. `connections` counts started TCP connects, `questions` opened UDP sockets.

    `forbidden` is the last guard before a packet: for a forbidden address no socket is opened (`NetworkError` with DENIED).
    Resolvers come from this host or its user, never from a peer, and often are this host (127.0.0.53). So for UDP to port
    53, and for TCP to port 53 of an address that had UDP, only addresses that no resolver can have are forbidden.
    """

    def __init__(self, forbidden: Callable[[str], bool] = allow_all) -> None:
        self._forbidden = forbidden
        self._resolvers: set[str] = set()
        self.connections = 0
        self.questions = 0

    async def connect(self, address: str, port: int, timeout: float) -> Stream:
        """TCP connection to an address literal within `timeout` seconds; `NetworkError` otherwise."""
        family, target = _target(address, port)
        if not (port == DNS_PORT and address in self._resolvers):
            self._guard(address, self._forbidden(address))
        sock = _socket(family, socket.SOCK_STREAM, Stage.TCP)
        self.connections += 1
        loop = asyncio.get_running_loop()
        begun = time.perf_counter()
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if _completes(loop):
                async with asyncio.timeout(timeout):
                    await loop.sock_connect(sock, target)
            else:
                await _Connecting(loop, sock, target, timeout).done()
            taken = time.perf_counter() - begun
            kind = _CompletionStream if _completes(loop) else _HostStream
            return kind(loop, sock, Stage.TCP, taken)
        except OSError as error:  # TimeoutError is one
            failure, own = _failed(error, sock, Stage.TCP), _own(sock)
            sock.close()
            raise NetworkError(failure, own) from error
        except BaseException:
            sock.close()
            raise

    async def datagrams(self, address: str, port: int) -> Datagrams:
        """UDP socket connected to an address literal; the kernel picks an unpredictable local port."""
        family, target = _target(address, port)
        self._guard(address, _no_resolver(address) if port == DNS_PORT else self._forbidden(address))
        sock = _socket(family, socket.SOCK_DGRAM, Stage.DNS)
        self.questions += 1
        try:
            sock.connect(target)
        except OSError as error:
            sock.close()
            raise _not_begun(error, Stage.DNS) from error
        if port == DNS_PORT:
            self._resolvers.add(address)
        loop = asyncio.get_running_loop()
        return (_CompletionStream if _completes(loop) else _HostStream)(loop, sock, Stage.DNS, 0.0)

    async def unconnected(self, address: str, port: int) -> Unconnected:
        """UDP socket that sends to an address literal and receives answers from other addresses (`udp_strays.py`)."""
        family, target = _target(address, port)
        self._guard(address, _no_resolver(address) if port == DNS_PORT else self._forbidden(address))
        sock = _socket(family, socket.SOCK_DGRAM, Stage.DNS)
        self.questions += 1
        return UnconnectedSocket(sock, target)

    @staticmethod
    def _guard(address: str, refused: bool) -> None:
        if refused:
            raise NetworkError(local_failure(Code.DENIED, f"wayclear sends nothing to {address}"))


class _Connecting:
    """One non-blocking connect: one writer callback, one timer, no task."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        target: tuple[str | int, ...],
        timeout: float,
    ) -> None:
        self._loop, self._sock, self._target, self._timeout = loop, sock, target, timeout
        self._waiter: asyncio.Future[None] = loop.create_future()

    async def done(self) -> None:
        """Returns once connected; raises OSError, `NetworkError` or TimeoutError."""
        number = self._sock.connect_ex(self._target)
        if number and number not in _PENDING:
            raise _not_begun(OSError(number, "connect"), Stage.TCP)
        fd = self._sock.fileno()
        self._loop.add_writer(fd, self._writable)
        timer = self._loop.call_later(self._timeout, self._late)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._loop.remove_writer(fd)

    def _late(self) -> None:
        if not self._waiter.done():
            self._waiter.set_exception(TimeoutError())

    def _writable(self) -> None:
        """The socket is connected, has failed, or has an ICMP message that the kernel does not take as final."""
        if self._waiter.done():
            return
        number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._waiter.set_exception(OSError(number, "connect"))
            return
        try:
            self._sock.getpeername()
        except OSError:
            icmp = _icmp(self._sock)
            if icmp is not None:  # the kernel would repeat the SYN until the timeout
                failure = from_errno(errno.EHOSTUNREACH, Stage.TCP, icmp)
                self._waiter.set_exception(NetworkError(failure, _own(self._sock)))
            return
        self._waiter.set_result(None)


class _HostStream:
    """A connected socket, TCP or UDP, on a loop that announces readiness."""

    __slots__ = ("_fd", "_limit", "_loop", "_reading", "_sock", "_stage", "_waiter", "connect_s", "local")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, stage: Stage, connect_s: float
    ) -> None:
        self._loop, self._sock, self._stage = loop, sock, stage
        self._fd = sock.fileno()
        self._limit = 0
        self._reading = False
        self._waiter: asyncio.Future[bytes] | None = None
        self.connect_s = connect_s
        address, port = sock.getsockname()[:2]
        self.local: tuple[str, int] = (
            sys.intern(address),
            port,
        )  # it is kept with the answer; a host has few addresses

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            raise self._error(error) from error
        if sent < len(data):
            await self._send_rest(memoryview(data)[sent:])

    async def _send_rest(self, rest: memoryview) -> None:
        while rest:
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._loop.add_writer(self._fd, _wake, waiter)
            try:
                await waiter
                rest = rest[self._sock.send(rest) :]
            except (BlockingIOError, InterruptedError):
                continue
            except OSError as error:
                raise self._error(error) from error
            finally:
                self._loop.remove_writer(self._fd)

    async def receive(self, limit: int = 65536) -> bytes:
        """The next bytes or datagram; at TCP b"" is the peer's FIN."""
        try:
            return self._sock.recv(limit)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError as error:
            raise self._error(error) from error
        self._limit = limit
        self._waiter = waiter = self._loop.create_future()
        if not self._reading:
            self._loop.add_reader(self._fd, self._readable)
            self._reading = True
        try:
            data: bytes = await waiter
            return data
        except OSError as error:
            raise self._error(error) from error
        finally:
            self._waiter = None

    def _readable(self) -> None:
        waiter = self._waiter
        if waiter is None or waiter.done():  # no caller waits: leave the data in the kernel's buffer
            self._loop.remove_reader(self._fd)
            self._reading = False
            return
        try:
            waiter.set_result(self._sock.recv(self._limit))
        except (BlockingIOError, InterruptedError):
            _icmp(self._sock)  # an error queue that is not emptied wakes the loop again and again
        except OSError as error:
            waiter.set_exception(error)

    def close(self) -> None:
        """Close at once; closing twice is fine."""
        if self._fd >= 0:
            if self._reading:
                self._loop.remove_reader(self._fd)
                self._reading = False
            if self._waiter is not None and not self._waiter.done():
                self._waiter.cancel()
            self._fd = -1
            self._sock.close()

    def _error(self, error: OSError) -> NetworkError:
        return NetworkError(_failed(error, self._sock, self._stage), self.local)


class _CompletionStream(_HostStream):
    """The same on a loop that reports completion. Never run on Windows by this project."""

    __slots__ = ()

    async def send(self, data: bytes) -> None:
        """Hand all of `data` to the kernel."""
        try:
            await self._loop.sock_sendall(self._sock, data)
        except OSError as error:
            raise self._error(error) from error

    async def receive(self, limit: int = 65536) -> bytes:
        """The next bytes or datagram; at TCP b"" is the peer's FIN."""
        try:
            data: bytes = await self._loop.sock_recv(self._sock, limit)
            return data
        except OSError as error:
            raise self._error(error) from error


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _completes(loop: asyncio.AbstractEventLoop) -> bool:
    if sys.platform == "win32":
        return isinstance(loop, asyncio.ProactorEventLoop)
    return False


def _target(address: str, port: int) -> tuple[int, tuple[str | int, ...]]:
    """Family and socket address of a literal. ValueError for a name: connect() would resolve it and block."""
    plain, _, zone = address.partition("%")
    try:
        if ":" not in address:
            socket.inet_pton(socket.AF_INET, address)
            return socket.AF_INET, (address, port)
        socket.inet_pton(socket.AF_INET6, plain)
    except OSError as error:
        raise ValueError(f"not an address: {address!r}") from error
    if not zone:
        return socket.AF_INET6, (plain, port, 0, 0)
    try:
        scope = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except OSError as error:
        raise NetworkError(local_failure(Code.NO_ROUTE, f"no interface called {zone}")) from error
    return socket.AF_INET6, (plain, port, 0, scope)


def _no_resolver(address: str) -> bool:
    """Unspecified, broadcast and multicast addresses (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7)."""
    if ":" in address:
        packed = socket.inet_pton(socket.AF_INET6, address.partition("%")[0])
        return packed[0] == 0xFF or not any(packed)
    first = socket.inet_pton(socket.AF_INET, address)[0]
    return first == 0 or first >= 224


def _socket(family: int, kind: int, stage: Stage) -> socket.socket:
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise NetworkError(classify(error, stage)) from error
    sock.setblocking(False)
    if _LINUX:
        sock.setsockopt(*(_RECVERR_V6 if family == socket.AF_INET6 else _RECVERR_V4), 1)
    return sock


def _not_begun(error: OSError, stage: Stage) -> NetworkError:
    """connect() failed at once, before any packet: only this host's routing table can be the reason.

    "unreachable" and "blackhole" routes give EHOSTUNREACH and EINVAL, a link-local address without a zone EINVAL.
    """
    if error.errno in (errno.EHOSTUNREACH, errno.EINVAL):
        return NetworkError(local_failure(Code.NO_ROUTE, errno.errorcode[error.errno]))
    return NetworkError(classify(error, stage))


def _failed(error: BaseException, sock: socket.socket, stage: Stage) -> Failure:
    if isinstance(error, OSError) and not isinstance(error, TimeoutError):
        return classify(error, stage, _icmp(sock))
    return classify(error, stage)


def _own(sock: socket.socket) -> tuple[str, int] | None:
    """Our own (address, port), which a socket has as soon as connect() found a route."""
    try:
        name = sock.getsockname()
    except OSError:
        return None
    known = name[1] and name[0] not in ("0.0.0.0", "::")  # noqa: S104 - a comparison, nothing is bound
    return (str(name[0]), int(name[1])) if known else None


def _icmp(sock: socket.socket) -> Icmp | None:
    """Empty the socket's error queue (ip(7), IP_RECVERR) and return its last ICMP message; None on other systems."""
    if sys.platform != "linux":
        return None
    found: Icmp | None = None
    for _ in range(16):
        try:
            _data, ancillary, _flags, _address = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
        except OSError:
            break
        for level, kind, data in ancillary:
            if (level, kind) in (_RECVERR_V4, _RECVERR_V6):
                found = _extended(data) or found
    return found


def _extended(data: bytes) -> Icmp | None:
    if len(data) < _EXTENDED_ERROR.size:
        return None
    _number, origin, kind, code, _pad, _info, _data = _EXTENDED_ERROR.unpack_from(data)
    if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
        return None
    offender = data[_EXTENDED_ERROR.size :]
    family = int.from_bytes(offender[:2], sys.byteorder) if len(offender) >= 8 else 0
    sender: str | None = None
    if family == socket.AF_INET:
        sender = socket.inet_ntop(socket.AF_INET, offender[4:8])
    elif family == socket.AF_INET6 and len(offender) >= 24:
        sender = socket.inet_ntop(socket.AF_INET6, offender[8:24])
    return Icmp(kind, code, sender)
