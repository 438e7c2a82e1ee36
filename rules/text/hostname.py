"""Host names as people write them, in the one form that all other code compares: lower-case A-labels.

RFC 1123 section 2.1 and RFC 5890 section 2.3.1: letters, digits and hyphens, labels of 1 to 63 octets, at most 253
octets without the trailing dot. Names in other scripts become A-labels (RFC 5891, mapped by UTS 46).
"""

from __future__ import annotations

import re
import unicodedata

import idna

LONGEST = 253
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_SHOWN = 80

#: Scripts that one language uses together, so they are no sign of a look-alike (UTS 39 section 5.1).
_TOGETHER = (
    frozenset({"HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"HAN", "HANGUL"}),
    frozenset({"HAN", "BOPOMOFO"}),
)
_HAN = frozenset({"CJK"})
_COMMON = frozenset({"DIGIT", "MIDDLE", "IDEOGRAPHIC", "COMBINING", "ZERO"})


class BadName(ValueError):  # noqa: N818 (the name says what the caller holds)
    """The text is no host name; the message gives the reason, harmless to print."""


def normalise(text: str) -> str:
    """`text` as lower-case A-labels without the trailing dot; BadName with the reason for anything else.

    An address literal is not a host name: a rule names hosts, whose addresses change daily.
    """
    if not text:
        raise BadName("is empty")
    if len(text) > 4 * LONGEST:
        raise BadName(f"has {len(text)} characters, a host name has at most {LONGEST}")
    if any(ord(char) < 0x21 or ord(char) == 0x7F for char in text):
        raise BadName(f"{shown(text)} holds a space or a control character")
    for sign, what in (
        ("://", "a URL"),
        ("/", "a path"),
        ("@", "a user"),
        (":", "a port or an IPv6 address"),
    ):
        if sign in text:
            raise BadName(f"{shown(text)} holds {what}, only a host name belongs here")
    name = (text if text.isascii() else _to_ascii(text)).lower().removesuffix(".")
    if len(name) > LONGEST:
        raise BadName(f"has {len(name)} octets, a host name has at most {LONGEST}")
    labels = name.split(".")
    for label in labels:
        _check(label, text)
    if labels[-1].isdigit():
        raise BadName(f"{shown(text)} is an address, not a host name")
    return name


def mixed_scripts(text: str) -> tuple[str, ...]:
    """Scripts mixed within one label of `text` although no language uses them together; empty: none.

    `xn--` labels are decoded first. A letter's script is the first word of its Unicode name, which is exact enough to
    distinguish a Cyrillic from a Latin letter.
    """
    for label in text.split("."):
        scripts = {_script(char) for char in unicodedata.normalize("NFKC", _unicode(label))} - _COMMON
        folded = {"HAN" if script in _HAN else script for script in scripts}
        if len(folded) > 1 and not any(folded <= allowed for allowed in _TOGETHER):
            return tuple(sorted(folded))
    return ()


def shown(text: object) -> str:
    """A value of a file for a message: quoted, ASCII only, short. TOML's 0x... may have more digits than Python prints."""
    whole = hex(text) if isinstance(text, int) and text.bit_length() > 1000 else ascii(text)
    return whole if len(whole) <= _SHOWN else whole[: _SHOWN - 3] + "..."


def _to_ascii(text: str) -> str:
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise BadName(f"{shown(text)} is no internationalised name: {shown(str(error))}") from None


def _check(label: str, text: str) -> None:
    if not label:
        raise BadName(f"{shown(text)} has an empty label (two dots in a row, or a dot in front)")
    if len(label) > 63:
        raise BadName(f"{shown(text)} has a label of {len(label)} octets, a label has at most 63")
    if not _LABEL.match(label):
        raise BadName(f"{shown(text)}: the label {shown(label)} is not letters, digits and inner hyphens")
    if label.startswith("xn--"):
        try:
            idna.decode(label)
        except (idna.IDNAError, UnicodeError):
            raise BadName(f"{shown(text)}: {shown(label)} is not a valid A-label") from None


def _unicode(label: str) -> str:
    if not label.lower().startswith("xn--"):
        return label
    try:
        return idna.decode(label)
    except (idna.IDNAError, UnicodeError):
        return label


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN" if char.isalpha() else "DIGIT"
    return unicodedata.name(char, "UNNAMED").split(" ")[0].split("-")[0]
