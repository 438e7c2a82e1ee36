"""How far the first check of the service is."""

from __future__ import annotations

from rules.audit.first_check import FirstCheck, first_check
from rules.audit.machine import Audit
from rules.audit.targets import Target
from rules.model.kinds.tls_handshake import TlsHandshake
from tests.rules.script import BOOTSTRAP, PLAN, RELAYS, RULES, SILENCE, World, healthy


def seen(world: World) -> list[FirstCheck]:
    """The progress after each answer."""
    audit = Audit(RULES, PLAN)
    found = [first_check(audit, 7.0)]
    queue = [ready.step for ready in audit.ready()]
    while queue:
        audit.record(world.answer(queue.pop(0)))
        queue.extend(ready.step for ready in audit.ready())
        found.append(first_check(audit, None))
    return found


def test_it_begins_with_nothing_and_ends_with_every_name() -> None:
    found = seen(healthy())
    assert found[0] == FirstCheck(0, 0, 7.0), "the names are known after this host was asked"
    done = [one.done for one in found]
    assert done == sorted(done), "it never goes back"
    names = {target.host for target in _targets()}
    assert (found[-1].done, found[-1].names) == (len(names), len(names))
    assert len(found[-1].through) == 4
    assert found[-1].failed == found[-1].unresolved == ()


def test_names_that_fail_and_names_without_an_address_are_apart() -> None:
    world = healthy()
    world.when(TlsHandshake, SILENCE, server_name=BOOTSTRAP)
    world.zone.pop(RELAYS[2])
    last = seen(world)[-1]
    assert last.failed == (BOOTSTRAP,)
    assert last.unresolved == (RELAYS[2],)
    assert last.done == last.names


def _targets() -> list[Target]:
    audit = Audit(RULES, PLAN)
    queue = [ready.step for ready in audit.ready()]
    audit.record(healthy().answer(queue[0]))
    return [target for target in audit.targets if target.host is not None]
