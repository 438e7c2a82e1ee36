"""Basic authentication (RFC 7617) against bcrypt hashes, without information for an attacker.

A hash takes tens of milliseconds on purpose. So threads compute it, two at a time and one per address, and a correct pair is
remembered by a keyed hash: a scrape needs no bcrypt. An unknown user takes as long as a known one. After five wrong tries
within a minute an address gets 429 for every request, so that it can test neither the hashes nor the memory quickly.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import bcrypt

from probe.web.messages import Refusal
from probe.web.sign_ins import SignIns

HIGHEST_COST = 14  #: about a second; each step doubles it
LONGEST_PASSWORD = 72  #: bytes that bcrypt uses
TRIES = 5  #: wrong ones within PERIOD seconds, for one address
PERIOD = 60.0
THREADS = 2
MOST_WAITING = 16  #: requests that wait for a hash; further ones get 503
_REMEMBERED = 256
_ADDRESSES = 4096
_LONGEST_HEADER = 1024
_HASH = re.compile(r"\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}")
_NOBODY = b"." * 53  # salt and digest for an unknown user
_CHALLENGE = (("WWW-Authenticate", 'Basic realm="wayclear", charset="UTF-8"'),)


@dataclass(frozen=True, slots=True)
class Users:
    """Names and bcrypt hashes. Neither is ever displayed."""

    hashes: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.hashes)

    @property
    def costs(self) -> frozenset[int]:
        """The costs in use. If they differ, the time of an answer reveals which users exist."""
        return frozenset(int(value[4:6]) for value in self.hashes.values())

    @property
    def dummy(self) -> bytes:
        """A hash of the highest cost in use that no password has."""
        return f"$2b${max(self.costs, default=4):02d}$".encode() + _NOBODY


def hash_fault(text: str) -> str:
    """The fault of a bcrypt hash, without quoting it; "" for a good one."""
    found = _HASH.fullmatch(text)
    if found is None:
        return (
            "is no bcrypt hash: it begins with $2a$, $2b$ or $2y$ and has 60 characters (docs/web-config.md)"
        )
    if int(found[1]) > HIGHEST_COST:
        return f"has cost {int(found[1])}: at most {HIGHEST_COST} is taken, each step doubles the time of a check"
    return "has a cost below 4, which bcrypt does not know" if int(found[1]) < 4 else ""


@dataclass(slots=True)
class _Tries:
    """The wrong tries of one address. The lock allows one hash at a time for it."""

    wrong: deque[float] = field(default_factory=deque)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Authenticator:
    """Checks credentials. Wrong tries of addresses survive a reload of the users; remembered users do not."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, sign_ins: SignIns | None = None) -> None:
        self._clock = clock
        self._sign_ins = sign_ins or SignIns(clock)
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._addresses: OrderedDict[str, _Tries] = OrderedDict()
        self._waiting = 0
        self._threads: ThreadPoolExecutor | None = None

    async def check(self, users: Users, authorization: str | None, peer: str) -> str:
        """The authenticated user. Refusal 401, 429 after too many wrong tries, 503 if too many requests wait."""
        tries = self._addresses.get(_place(peer))
        if tries is not None:
            self._refuse_if_blocked(tries, peer)
        if authorization is None:
            raise Refusal(401, "user and password are needed", _CHALLENGE)
        try:
            user, password = _credentials(authorization)
        except Refusal:
            self._sign_ins.refuse("unreadable", "", peer)
            raise
        expected = users.hashes.get(user)
        digest = self._digest(user, password, expected)
        if digest in self._right:
            self._right.move_to_end(digest)
            return user
        if self._waiting >= MOST_WAITING:
            raise Refusal(503, "too many sign-ins are being checked", (("Retry-After", "2"),))
        self._waiting += 1
        try:
            same = await self._check_hash(password, expected or users.dummy, digest, peer)
        finally:
            self._waiting -= 1
        if not same:
            self._sign_ins.refuse("password", user, peer)
            raise Refusal(401, "user or password is wrong", _CHALLENGE)
        return user

    def close(self) -> None:
        """Stop the threads; waiting hashes are not computed."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _check_hash(self, password: bytes, known: bytes, digest: bytes, peer: str) -> bool:
        """Whether the password is right. Remember a right one, count a wrong one."""
        tries = self._tries(_place(peer))
        async with tries.lock:
            self._refuse_if_blocked(tries, peer)
            if digest in self._right:  # another request with the same pair came first
                return True
            if await self._matches(password, known):
                self._right[digest] = None
                while len(self._right) > _REMEMBERED:
                    self._right.popitem(last=False)
                return True
            tries.wrong.append(self._clock())
        return False

    async def _matches(self, password: bytes, known: bytes) -> bool:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, "wayclear-bcrypt")
        loop = asyncio.get_running_loop()
        same = await loop.run_in_executor(self._threads, bcrypt.checkpw, password[:LONGEST_PASSWORD], known)
        return same and known[7:] != _NOBODY and len(password) <= LONGEST_PASSWORD

    def _digest(self, user: str, password: bytes, expected: bytes | None) -> bytes:
        """The key of a remembered pair: useless without this process's secret, and bound to the user's hash."""
        parts = (user.encode(), password, expected or b"")
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._key, message, "sha256")

    def _tries(self, place: str) -> _Tries:
        tries = self._addresses.setdefault(place, _Tries())
        self._addresses.move_to_end(place)
        while len(self._addresses) > _ADDRESSES:
            self._addresses.popitem(last=False)
        return tries

    def _refuse_if_blocked(self, tries: _Tries, peer: str) -> None:
        now = self._clock()
        while tries.wrong and tries.wrong[0] <= now - PERIOD:
            tries.wrong.popleft()
        if len(tries.wrong) >= TRIES:
            self._sign_ins.refuse("blocked", "", peer)
            wait = max(1, round(tries.wrong[0] + PERIOD - now + 0.5))
            raise Refusal(429, "too many wrong passwords from this address", (("Retry-After", str(wait)),))


def _credentials(authorization: str) -> tuple[str, bytes]:
    """User and password from the header (RFC 7617 section 2). Refusal 401 for anything else."""
    scheme, _, packed = authorization.partition(" ")
    if scheme.lower() == "basic" and len(packed) <= _LONGEST_HEADER:
        try:
            user, colon, password = base64.b64decode(packed.strip(), validate=True).partition(b":")
            if colon:
                return user.decode(), password
        except (binascii.Error, ValueError):
            pass
    raise Refusal(401, "the credentials cannot be read: user and password by Basic are needed", _CHALLENGE)


def _place(peer: str) -> str:
    """The network that counts as one address: for IPv6 the /64, because a host can use all of it."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return peer
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((int(address) >> 64 << 64, 64)))
