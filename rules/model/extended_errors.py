"""Extended DNS errors: a resolver states why it did not answer (RFC 8914).

Only statements of a policy count. They are a sign and no proof: a network device that answers instead can write them.
An error on an answer that resolves (3 Stale Answer, 22 No Reachable Authority, ...) is no fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rules.model.kinds.dns_chain import DnsAnswer
from rules.text.display import display

#: Forged Answer, Blocked, Censored, Filtered (RFC 8914 sections 4.5, 4.16, 4.17, 4.18): the operators of the
#: resolver, or of one that it asks, block the name.
BLOCKED = frozenset({4, 15, 16, 17})
#: Prohibited (section 4.19): the resolver does not serve the host that asks.
PROHIBITED = 18

_ENTRY = re.compile(r"(\d{1,5})(?![\d.])")


@dataclass(frozen=True, slots=True)
class ResolverStatement:
    """A resolver's statement about its policy. `word`: that of the dns cause; `text`: its number, name and text,
    harmless."""

    word: Literal["sinkholed", "refused"]
    code: int
    text: str


def error_codes(answer: DnsAnswer) -> tuple[int, ...]:
    """The numbers of an answer's extended errors. An old recording has only their text: the numbers that it begins with."""
    if answer.ede_codes:
        return answer.ede_codes
    begins = (_ENTRY.match(entry) for entry in answer.ede.split("; "))
    return tuple(int(found[1]) for found in begins if found)


def resolver_statement(answer: DnsAnswer | None, resolved: bool) -> ResolverStatement | None:
    """The resolver's statement that the name is blocked, or that this host is not served; None without either.

    `resolved`: the answer leads to an address. A blocking number still counts (the address may be that of a filter's
    page), a refusal does not, and the answers at the address may prove the contrary.
    """
    if answer is None:
        return None
    codes = error_codes(answer)
    blocked = next((code for code in codes if code in BLOCKED), None)
    if blocked is not None:
        return ResolverStatement("sinkholed", blocked, _text(answer, blocked))
    if PROHIBITED in codes and not resolved:
        return ResolverStatement("refused", PROHIBITED, _text(answer, PROHIBITED))
    return None


def _text(answer: DnsAnswer, code: int) -> str:
    """The entry with this number in the answer's text."""
    for entry in answer.ede.split("; "):
        begins = _ENTRY.match(entry)
        if begins and int(begins[1]) == code:
            return display(entry)
    return display(answer.ede) or str(code)
