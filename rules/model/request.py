"""What a finding asks of the team that must act: what to allow, apart from what was tested."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

#: "allow": let it through unchanged; "exempt": take it out of TLS inspection; "resolve": answer with the public records.
Action: TypeAlias = Literal["allow", "exempt", "resolve"]
#: Whether a device may re-sign TLS: "never" where Microsoft forbids it; "" where there is no TLS (port 80, DNS).
Inspect: TypeAlias = Literal["never", "allowed", ""]
#: "required": this very name must work; "example": one of many names under a pattern, seen in use; "optional": on a row that
#: Microsoft's list does not require; "retired": on one that Microsoft has retired; "named": on no row, certificates name it.
#: "untried": a wildcard under which no name is known that could be tried.
Need: TypeAlias = Literal["required", "example", "optional", "retired", "named", "untried"]


@dataclass(frozen=True, slots=True)
class RequestRow:
    """What has to be allowed, and who says so: a row of the rule set, or a resolver.

    `pattern`: a name, a name with a path ("www.microsoft.com/pkiops"), or "*." and a zone for all names below it, at any
    number of labels; the address of a resolver.
    """

    pattern: str
    ports: tuple[int, ...]
    inspect: Inspect
    purpose: str  # the row's title
    citation: str  # title of the page
    url: str = ""
    date: str = ""  # ISO date of the page


@dataclass(frozen=True, slots=True)
class Request:
    """The rows behind a finding, with what holds for all of them.

    `may_inspect`: patterns that a device intercepts too, and for which Microsoft does not forbid it.
    """

    action: Action
    patterns: tuple[str, ...]
    ports: tuple[int, ...]
    inspect: Inspect  # "never" where it holds for a row
    citation: str  # "page, date", separated by "; "
    rows: tuple[RequestRow, ...] = ()
    may_inspect: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TestedName:
    """A name and port behind a finding, and why it was tested."""

    host: str
    port: int
    need: Need
    pattern: str  # the row's, see `RequestRow`
    region: str = ""  # of an example: the geography whose connectors are handed it ("eur")
    addresses: tuple[str, ...] = ()
