"""What comes first, and the question that judges an address."""

from __future__ import annotations

from hypothesis import Phase as Hypothesis
from hypothesis import settings
from hypothesis import strategies as st

from rules.audit.machine import Audit
from rules.audit.phases import Phase
from rules.model.kinds.dns_chain import DnsQuestion
from rules.model.kinds.local_host import LocalHost
from rules.model.kinds.os_lookup import OsLookup
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import TrustLookup
from rules.model.observation import Step
from tests.rules.script import (
    BOOTSTRAP,
    PLAN,
    QUIET,
    RELAYS,
    RULES,
    SIGN_IN,
    healthy,
    run,
)

# Seeds do not shrink: a smaller number is another network.
SLOW = settings(max_examples=60, deadline=None, phases=(Hypothesis.explicit, Hypothesis.generate))
ORDERS = st.integers(0, 2**32)
NAMES = (LocalHost, DnsQuestion, OsLookup, TrustLookup)  #: kinds that say where to go


def test_the_judging_handshake_speaks_like_a_connector_and_extras_are_for_the_service_only() -> None:
    audit = run(healthy())
    assert {s.hello for s in audit.seen if isinstance(s, TlsHandshake) and s.server_name == SIGN_IN} == {
        "connector"
    }
    extra = [s for s in audit.seen if isinstance(s, TlsHandshake) and s.server_name == BOOTSTRAP]
    assert {s.hello for s in extra} == {"connector", "tls13", "large"}
    assert all(s.path is None for s in extra if s.hello != "connector")
    quiet = run(healthy(), plan=QUIET)
    assert {s.hello for s in quiet.seen if isinstance(s, TlsHandshake)} == {"connector"}


def test_one_address_of_every_service_name_comes_before_everything_else() -> None:
    audit = Audit(RULES, PLAN)
    phases: dict[Step, Phase] = {}
    waiting = audit.ready()
    while waiting:
        item = waiting.pop(0)
        phases[item.step] = item.phase
        audit.record(healthy().answer(item.step))
        waiting += audit.ready()
    assert phases[TlsHandshake("203.0.113.1", 443, BOOTSTRAP, path="/")] is Phase.FIRST
    assert phases[TlsHandshake("203.0.113.2", 443, BOOTSTRAP, path="/")] is Phase.REST
    assert phases[TlsHandshake("203.0.113.21", 443, SIGN_IN)] is Phase.OTHERS
    assert phases[TlsHandshake("203.0.113.11", 443, RELAYS[0], hello="large")] is Phase.EXTRA
