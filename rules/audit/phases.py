"""What an audit asks first: phases, and the question that judges an address."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from rules.audit.targets import Target
from rules.model.kinds.http_fetch import CRL_CAP, HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Step
from rules.model.ruleset import Group


class Phase(IntEnum):
    """The priority of a step when not everything can be asked at once."""

    LOCAL = 0
    LOOK_UP = 1
    FIRST = 2  # one address of every name of the service
    OTHERS = 3  # one address of every other name
    REST = 4  # further addresses, second looks
    REVOCATION = 5
    EXTRA = 6  # canaries, TLS 1.3, large hello, every link of a chain by itself


@dataclass(frozen=True, slots=True)
class Ready:
    phase: Phase
    step: Step


def phase_of(target: Target, index: int) -> Phase:
    """The phase of a target's address number `index` (from 0)."""
    if index:
        return Phase.REST
    return Phase.FIRST if target.rule.group is Group.SERVICE else Phase.OTHERS


def is_extra(step: TlsHandshake | HttpFetch) -> bool:
    """Whether the handshake is a comparison: TLS 1.3 or the large hello, which judge no address."""
    return isinstance(step, TlsHandshake) and step.hello != "connector"


def step_for(target: Target, address: str) -> TlsHandshake | HttpFetch:
    """The handshake or fetch that judges one address of a target with a name."""
    assert target.host is not None
    if target.port != 80:
        return TlsHandshake(address, target.port, target.host, "connector", target.path)
    document = target.document
    if document is not None and document.kind == "crl":
        return HttpFetch(address, 80, target.host, document.path, "crl", cap=CRL_CAP)
    path = document.path if document else (target.path or target.rule.path or "/")
    return HttpFetch(address, 80, target.host, path)
