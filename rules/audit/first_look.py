"""An interim report during an audit: what has answered so far, without a verdict."""

from __future__ import annotations

from rules.audit.machine import Audit
from rules.audit.targets import Target
from rules.model.failure import Code
from rules.model.observation import got_through
from rules.model.ruleset import Group

SHOWN = 3  #: maximum of names listed


def first_look(audit: Audit) -> str:
    """One sentence about the first address of every service name; "" while one of them has no answer.

    Every finished handshake counts, whatever its certificate: the report judges certificates.
    """
    found: dict[str, list[str]] = {"through": [], "failed": [], "unresolved": []}
    for target in audit.targets:
        if target.rule.group is not Group.SERVICE or target.host is None:
            continue
        word = progress_word(audit, target)
        if word == "open":
            return ""
        found[word].append(target.host)
    through, silent = found["through"], found["failed"]
    if not through and not silent:
        return ""
    total = len(through) + len(silent) + (len(found["unresolved"]) if not through else 0)
    text = f"First look: {len(through)} of {total} service names answer at their first address"
    if silent:
        more = f" and {len(silent) - SHOWN} more" if len(silent) > SHOWN else ""
        text += f"; not {', '.join(silent[:SHOWN])}{more}"
    return text


def progress_word(audit: Audit, target: Target) -> str:
    """What is known of a target's first address: "open" (nothing yet), "through", "failed" or "unresolved"."""
    assert target.host is not None
    if not audit.names.complete(target.host):
        return "open"
    first = next((c for c in audit.candidates(target.host) if c.tried), None)
    if first is None:
        return "unresolved"
    seen = audit.seen.get(audit.step_for(target, first.address))
    if seen is None:
        return "open"
    if seen.failure is not None and seen.failure.code in (Code.NOT_REACHED, Code.NOT_RECORDED):
        return "open"
    return "through" if got_through(seen) else "failed"
