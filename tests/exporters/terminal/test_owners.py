"""Who must act, in words."""

from __future__ import annotations

from typing import get_args

from exporters.terminal.owners import OWNERS, owner_text
from rules.model.causes.record import Owner


def test_every_owner_has_words() -> None:
    assert set(OWNERS) == set(get_args(Owner))
    assert owner_text("nobody", ()) == "You"
    assert owner_text("host", ()) == "You, the administrator of this host"
    assert owner_text("microsoft", ()).startswith("Microsoft: open a support case")


def test_the_organisations_own_name_replaces_ours() -> None:
    named = (("firewall", "NETSEC queue"), ("dns", ""))
    assert owner_text("firewall", named) == "NETSEC queue"
    assert owner_text("proxy", named) == "Proxy team"
    assert owner_text("dns", named) == "DNS team", "an empty name is none"


def test_a_name_is_harmless_and_not_endless() -> None:
    assert "\x1b" not in owner_text("firewall", (("firewall", "a\x1b[31m"),))
    assert len(owner_text("firewall", (("firewall", "x" * 5000),))) < 200
