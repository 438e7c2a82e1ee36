"""The operating system's own resolution: hosts file, NRPT, search policy. Addresses only, it shows no chain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OsLookup:
    """`getaddrinfo(name)` in a child process that a deadline can kill."""

    name: str  # A-label form, lower case, without the trailing dot
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class OsAnswer:
    """Addresses as the operating system gives them to every program on this host, in its own order."""

    addresses: tuple[str, ...]
    error: str = ""  # "EAI_NONAME", "EAI_AGAIN", ... where resolution failed
