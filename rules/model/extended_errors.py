"""Extended DNS errors: a resolver says in its own words why it did not answer (RFC 8914).

Only those that tell of a policy count. A resolver's word is a sign and no proof: a device that answers in its place can
write it. An error on an answer that resolves (3 Stale Answer, 22 No Reachable Authority, ...) is no fault.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from rules.model.kinds.dns_chain import DnsAnswer
from rules.text.display import display

#: Forged Answer, Blocked, Censored, Filtered (RFC 8914 sections 4.5, 4.16, 4.17, 4.18): the operators of the
#: resolver, or of one that it asks, do not want the name to be resolved.
BLOCKED = frozenset({4, 15, 16, 17})
#: Prohibited (section 4.19): the resolver does not serve the host that asks.
PROHIBITED = 18

_ENTRY = re.compile(r"(\d{1,5})(?![\d.])")


@dataclass(frozen=True, slots=True)
class ResolverStatement:
    """What a resolver says of its policy. `word`: that of the dns cause; `text`: its number, name and text, harmless."""

    word: Literal["sinkholed", "refused"]
    code: int
    text: str


def error_codes(answer: DnsAnswer) -> tuple[int, ...]:
    """The numbers of an answer's extended errors; of a recording that has only their text, those that it begins with."""
    if answer.ede_codes:
        return answer.ede_codes
    begins = (_ENTRY.match(entry) for entry in answer.ede.split("; "))
    return tuple(int(found[1]) for found in begins if found)


def resolver_statement(answer: DnsAnswer | None, resolved: bool) -> ResolverStatement | None:
    """The resolver's own word that the name is blocked, or that this host is not served; None where it says neither.

    `resolved`: the answer leads to an address. Then a policy's number counts all the same (the address may be that of a
    filter's page), a refusal does not, and what is met at the address may prove the contrary.
    """
    if answer is None:
        return None
    told = error_codes(answer)
    blocked = next((code for code in told if code in BLOCKED), None)
    if blocked is not None:
        return ResolverStatement("sinkholed", blocked, _text(answer, blocked))
    if PROHIBITED in told and not resolved:
        return ResolverStatement("refused", PROHIBITED, _text(answer, PROHIBITED))
    return None


def _text(answer: DnsAnswer, code: int) -> str:
    """The entry of the answer's text that begins with this number."""
    for entry in answer.ede.split("; "):
        begins = _ENTRY.match(entry)
        if begins and int(begins[1]) == code:
            return display(entry)
    return display(answer.ede) or str(code)
