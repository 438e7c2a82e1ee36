"""The limits are what the documentation promises, and fit inside one another."""

from __future__ import annotations

import dataclasses

import pytest

from probe.measure.limits import Limits
from probe.measure.prober import OUTER
from rules.model.kinds.http_fetch import CRL_CAP


def test_every_limit_is_positive_and_ends_before_the_outer_deadline() -> None:
    limits = Limits()
    for field in dataclasses.fields(limits):
        assert getattr(limits, field.name) > 0
    assert limits.tcp + limits.crl < OUTER
    assert limits.tcp + limits.tls + limits.first_byte < OUTER


def test_a_question_has_room_for_its_retries() -> None:
    assert Limits().dns_name >= 2 * Limits().dns_try


def test_a_crl_of_today_s_size_fits() -> None:
    """DigiCert's partitions reach 9.5 MB since 2026-09; what the rules ask for is what may be read."""
    assert Limits().crl_body == CRL_CAP > 9_500_000
    assert Limits().body < Limits().crl_body


def test_limits_are_values() -> None:
    assert Limits() == Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().tcp = 1.0  # type: ignore[misc]
