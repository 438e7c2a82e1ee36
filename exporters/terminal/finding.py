"""The texts of a finding that the terminal, the page and `explain` share: what to allow, what was tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from exporters.terminal.owners import owner_name
from exporters.terminal.style import count, say
from rules.model.geography import GEOGRAPHIES
from rules.model.request import Action, Inspect, Need, Request, RequestRow, TestedName
from rules.model.verdict import CauseGroup, Report, Status
from rules.text.display import display

#: The label of a request.
ACTIONS: Mapping[Action, str] = {"allow": "Allow", "exempt": "Exempt", "resolve": "Resolve"}
NEEDS: Mapping[Need, tuple[str, str]] = {
    "required": ("required", "required"),
    "example": ("example", "examples"),
    "optional": ("optional", "optional"),
    "retired": ("retired by Microsoft", "retired by Microsoft"),
    "named": ("named by certificates", "named by certificates"),
    "untried": ("wildcard without a name to try", "wildcards without a name to try"),
}
_INSPECTION: Mapping[Inspect, str] = {
    "never": ", never inspect TLS",
    "allowed": ", TLS inspection is not forbidden",
    "": "",
}
#: How a wildcard of a request is meant.
WILDCARD = "A wildcard means all names below it, at any depth; the tested names alone are not enough."
NAMED = 2  #: maximum of names in a sentence


def row_text(row: RequestRow, action: Action) -> str:
    """`TCP 443, never inspect TLS`; for a resolver there are no ports."""
    if action == "resolve":
        return "with the public records"
    ports = ", ".join(str(port) for port in row.ports)
    return f"TCP {ports}{_INSPECTION[row.inspect]}{', plain HTTP' if row.ports == (80,) else ''}"


def request_notes(request: Request, most: int | None = None) -> Iterator[str]:
    """Sentences that complete the rows: how deep a wildcard reaches, what may stay inspected, the source. `most`: patterns
    listed in a sentence."""
    if any(pattern.startswith("*.") for pattern in request.patterns):
        yield WILDCARD
    if inspected := inspected_text(request, most):
        yield inspected
    yield f"Source: {say(request.citation)}."


def inspected_text(request: Request, most: int | None = None) -> str:
    """What is intercepted too although Microsoft does not forbid it, and the consequence; "" for none."""
    if not request.may_inspect:
        return ""
    return (
        f"Microsoft does not forbid TLS inspection for {patterns_text(request.may_inspect, most)}; where it stays, this host "
        "must trust the inspecting CA, or signing in and installing fail."
    )


def patterns_text(patterns: Sequence[str], most: int | None = None) -> str:
    """`*.msauth.net, login.windows.net, +12 more`."""
    shown = patterns if most is None or len(patterns) <= most + 1 else patterns[:most]
    more = len(patterns) - len(shown)
    return ", ".join(display(pattern) for pattern in shown) + (f", +{more} more" if more else "")


def tested_text(found: CauseGroup) -> str:
    """`13 names at 17 addresses: 2 required, 11 examples`, with the required names."""
    names = found.tested
    if not names:
        return ""
    addresses = {address for one in names for address in one.addresses}
    at = f" at {count(len(addresses), 'address', 'addresses')}" if addresses else ""
    if len(names) == 1:
        return f"{name_text(names[0])}{at}, {need_text(names[0].need, names[0].pattern, names[0].region)}"
    needs = Counter(one.need for one in names)
    each = ", ".join(f"{number} {NEEDS[need][number > 1]}" for need, number in needs.items())
    first = [one for one in names if one.need == "required"] or list(names)
    shown = ", ".join(name_text(one) for one in first[:NAMED])
    more = ", ..." if len(names) > min(len(first), NAMED) else ""
    return f"{len(names)} names{at}: {each} ({shown}{more})"


def name_text(one: TestedName) -> str:
    """`login.windows.net:443`."""
    return f"{display(one.host)}:{one.port}"


def need_text(need: Need, pattern: str, region: str = "") -> str:
    """Why a name was tested: `example of *.servicebus.windows.net, needed by connector groups in Europe`.

    `region`: the code of a geography (`rules.model.geography`), "" if it is not known. An example of a required wildcard is
    never "not required": a connector needs the names that it is handed.
    """
    if need == "optional":
        return "optional: not in Microsoft's table"
    if need != "example":
        return NEEDS[need][0]
    needed = f", needed by connector groups in {GEOGRAPHIES[region]}" if region in GEOGRAPHIES else ""
    return f"example of {display(pattern, 120)}{needed}"


def finding_lines(report: Report | None) -> Iterator[str]:
    """What is wrong, a line each, for a log: `finding 1: <summary> [tcp.timeout]; who must act: Firewall team`."""
    if report is None:
        return
    for found in report.causes:
        if found.status in (Status.FAIL, Status.WARN, Status.BROKEN) and not found.because:
            who = owner_name(found.owner, report.plan.owners)
            yield f"finding {found.id}: {say(found.summary)} [{display(found.cause.word, 60)}]; who must act: {who}"
