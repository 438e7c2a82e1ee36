"""The roots with a given name in this host's stores: certifi's file and the operating system's store. No network."""

from __future__ import annotations

from dataclasses import dataclass

from rules.model.kind import Kind


@dataclass(frozen=True, slots=True)
class TrustLookup:
    """Ask both stores for root certificates whose subject is `subject` (a Name, DER)."""

    subject: bytes
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class TrustRoots:
    """Roots (DER) with that subject in the public list (certifi, or the file used instead) and in the system's store.

    The dates are the newest modification of each store (Unix time): an old store is a reason to doubt, not to accuse.
    """

    public: tuple[bytes, ...] = ()
    system: tuple[bytes, ...] = ()
    public_date: float | None = None
    system_date: float | None = None
    public_source: str = ""
    system_source: str = ""


KIND: Kind[TrustLookup, TrustRoots] = Kind(
    word="trust_lookup", step=TrustLookup, evidence=TrustRoots, queue="local"
)
