"""Host names: what is normalised, what is refused and why."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.text.hostname import BadName, mixed_scripts, normalise, shown


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Login.Windows.NET", "login.windows.net"),
        ("login.windows.net.", "login.windows.net"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("ｌｏｇｉｎ.windows.net", "login.windows.net"),  # fullwidth letters are the same name (UTS 46)
        ("mіcrosoft.com", "xn--mcrosoft-thh.com"),  # Cyrillic і
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a" * 63 + ".example", "a" * 63 + ".example"),
        ("g0-bn-vaz0001-sb.servicebus.windows.net", "g0-bn-vaz0001-sb.servicebus.windows.net"),
    ],
)
def test_one_form(text: str, name: str) -> None:
    assert normalise(text) == name


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (".", "empty label"),
        ("login.windows.net\0", "control character"),
        ("login\n.windows.net", "control character"),
        ("login windows.net", "space"),
        ("https://login.windows.net", "URL"),
        ("login.windows.net/common", "path"),
        ("user@login.windows.net", "user"),
        ("login.windows.net:443", "port"),
        ("2001:db8::1", "IPv6"),
        ("192.0.2.1", "address"),
        ("a" * 64 + ".example", "64 octets"),
        (".".join(["a" * 50] * 6), "at most 253"),
        ("a" * 5000, "at most 253"),
        ("ex..ample.com", "empty label"),
        (".example.com", "empty label"),
        ("-a.com", "letters, digits"),
        ("a-.com", "letters, digits"),
        ("a_b.com", "letters, digits"),
        ("*.example.com", "letters, digits"),
        ("xn--zzzzzzz9999.com", "A-label"),
        ("a\u200d.com", "internationalised"),  # a zero-width joiner where no script needs one
        ("\ud800.com", "internationalised"),
    ],
)
def test_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(BadName, match=why) as caught:
        normalise(text)
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def outcome(text: str) -> tuple[str, str]:
    try:
        return normalise(text), ""
    except BadName as error:
        return "", str(error)


@given(st.text(max_size=300))
def test_whatever_comes_is_a_name_or_a_reason(text: str) -> None:
    name, reason = outcome(text)
    assert bool(name) != bool(reason)
    assert reason.isprintable()
    assert name.isascii()
    assert len(name) <= 253
    if name:
        assert normalise(name) == name


@pytest.mark.parametrize(
    ("text", "scripts"),
    [
        ("microsoft.com", ()),
        ("m1crosoft-2.com", ()),
        ("mіcrosoft.com", ("CYRILLIC", "LATIN")),
        ("xn--mcrosoft-thh.com", ("CYRILLIC", "LATIN")),
        ("почта.example", ()),  # one script in each label
        ("東京タワー.example", ()),
        ("ｍicrosoft.com", ()),  # fullwidth Latin is Latin
        ("xn--zzzzzzz9999.com", ()),
    ],
)
def test_letters_that_no_language_writes_together(text: str, scripts: tuple[str, ...]) -> None:
    assert mixed_scripts(text) == scripts


def test_values_in_messages_are_short_and_harmless() -> None:
    assert shown("\x1b[31m") == "'\\x1b[31m'"
    assert len(shown("x" * 1000)) == 80
