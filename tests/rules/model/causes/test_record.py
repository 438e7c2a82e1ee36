"""One cause: what its record says of it."""

from __future__ import annotations

import pytest

from rules.model import causes
from rules.model.causes.record import Cause


def test_causes_are_equal_where_their_words_are() -> None:
    assert causes.TLS_EXPIRED == Cause("tls.expired") != causes.TLS_REVOKED
    assert len({causes.TLS_EXPIRED, Cause("tls.expired"), causes.TLS_REVOKED}) == 2


def test_it_reads_as_its_word() -> None:
    assert f"{causes.DNS_NO_ADDRESS}" == causes.DNS_NO_ADDRESS.word == "dns.no-address"


@pytest.mark.parametrize(
    ("word", "layer"),
    [("dns.nxdomain", "dns"), ("audit.bug", "audit"), ("ok", "other"), ("app.new", "other")],
)
def test_the_layer_is_what_stands_before_the_dot(word: str, layer: str) -> None:
    assert causes.from_word(word).layer == layer


def test_a_word_of_a_newer_version_is_kept_and_advises_nothing() -> None:
    newer = causes.from_word("app.crashed")
    assert (newer.word, newer.owner, newer.remedy, newer.circumstances) == ("app.crashed", "nobody", "", ())
    assert newer == causes.from_word("app.crashed")


def test_it_leads_to_its_entry() -> None:
    assert causes.CRL_NOT_A_CRL.docs == "docs/causes.md#crlnot-a-crl"
