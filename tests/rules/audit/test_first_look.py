"""The sentence that a waiting person reads before the report."""

from __future__ import annotations

from rules.audit.first_look import first_look
from rules.audit.machine import Audit
from rules.model.kinds.tls_handshake import TlsHandshake
from tests.rules.script import BOOTSTRAP, PLAN, RELAYS, RULES, SILENCE, World, healthy, leaf, wanting


def looked(world: World) -> list[str]:
    """What is told after each answer, without repetitions."""
    audit = Audit(RULES, PLAN)
    told = [first_look(audit)]
    queue = [ready.step for ready in audit.ready()]
    while queue:
        audit.record(world.answer(queue.pop(0)))
        queue.extend(ready.step for ready in audit.ready())
        told.append(first_look(audit))
    return list(dict.fromkeys(told))


def test_nothing_is_said_before_every_service_name_was_tried_once() -> None:
    first, *rest = looked(healthy())
    assert first == ""
    assert rest == ["First look: 4 of 4 service names answer at their first address"]


def test_a_silent_name_is_named() -> None:
    world = healthy()
    world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
    assert (
        looked(world)[-1]
        == f"First look: 3 of 4 service names answer at their first address; not {BOOTSTRAP}"
    )


def test_a_server_that_wants_a_client_certificate_answers() -> None:
    world = healthy()
    world.when(TlsHandshake, wanting(leaf(BOOTSTRAP).chain), server_name=BOOTSTRAP)
    assert looked(world)[-1] == "First look: 4 of 4 service names answer at their first address"


def test_a_stale_sample_counts_neither_way() -> None:
    world = healthy()
    world.zone.pop(RELAYS[2])
    assert looked(world)[-1].startswith("First look: 3 of 3 ")
