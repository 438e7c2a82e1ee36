"""The stores of this host as they are asked and what their answers weigh."""

from __future__ import annotations

from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.kinds.trust_store import KIND, TrustLookup, TrustRoots
from rules.pki.certificate import facts
from tests import pki
from tests.rules.script import (
    BOOTSTRAP,
    CORPORATE,
    NO_ANSWER,
    QUIET,
    SIGN_IN,
    World,
    by,
    healthy,
    judged,
    rows,
    run,
)

CORPORATE_ROOT = pki.der(CORPORATE.certificate)


def cause(world: World, host: str = BOOTSTRAP) -> str:
    return rows(judged(world, plan=QUIET), host, "tls")[0].cause.word


def test_a_lookup_is_by_subject_once_and_no_connection() -> None:
    audit = run(healthy().when(TlsHandshake, by(CORPORATE)), plan=QUIET)
    subjects = [s.subject for s in audit.seen if isinstance(s, TrustLookup)]
    assert facts(CORPORATE_ROOT).subject in subjects
    assert len(subjects) == len(set(subjects))
    assert not KIND.connects


def test_stores_are_empty_unless_they_say_otherwise() -> None:
    assert TrustRoots() == TrustRoots((), (), None, None, "", "")


def test_a_root_in_the_system_s_store_alone_is_how_interception_works() -> None:
    system = healthy(system=(*healthy().system, CORPORATE_ROOT))
    assert cause(system.when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP)) == "tls.intercepted"


def test_the_same_root_in_nobody_s_store_at_one_name_is_untrusted() -> None:
    assert cause(healthy().when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP)) == "tls.untrusted"


def test_a_root_that_the_public_list_holds_too_is_no_interception() -> None:
    both = healthy(public=(*healthy().public, CORPORATE_ROOT), system=(*healthy().system, CORPORATE_ROOT))
    assert cause(both.when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP)) == "tls.issuer-unexpected"


def test_a_root_of_the_same_name_with_another_key_proves_nothing() -> None:
    namesake = pki.authority("Contoso Inspection CA", kind="rsa")
    public = healthy(public=(*healthy().public, pki.der(namesake.certificate)))
    assert cause(public.when(TlsHandshake, by(CORPORATE), server_name=BOOTSTRAP)) == "tls.untrusted"


def test_expected_keys_need_no_store() -> None:
    empty = healthy(public=(), system=())
    assert cause(empty) == "ok"
    assert cause(empty, SIGN_IN) != "ok", "a public CA does"


def test_a_store_that_cannot_be_read_makes_nothing_green() -> None:
    assert cause(healthy().when(TrustLookup, NO_ANSWER), SIGN_IN) != "ok"
