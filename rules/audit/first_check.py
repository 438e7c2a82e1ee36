"""How far the first check of the service is: the names that have answered or failed, without a verdict."""

from __future__ import annotations

from dataclasses import dataclass

from rules.audit.first_look import progress_word
from rules.audit.machine import Audit
from rules.model.ruleset import Group


@dataclass(frozen=True, slots=True)
class FirstCheck:
    """`done` of `names` have an outcome at the first address of each port. `left`: seconds, None if it is not known.

    Of the service's names: `through` got an answer, `failed` did not, `unresolved` have no address.
    """

    done: int
    names: int
    left: float | None
    through: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


def first_check(audit: Audit, left: float | None) -> FirstCheck:
    """The progress of an audit that still runs, about `left` seconds before its end.

    Every finished handshake counts as an answer, whatever its certificate: the judgement comes at the end.
    """
    words: dict[str, set[str]] = {}
    service: dict[str, None] = {}
    for target in audit.targets:
        if target.host is None:
            continue
        words.setdefault(target.host, set()).add(progress_word(audit, target))
        if target.rule.group is Group.SERVICE:
            service[target.host] = None
    done = sum("open" not in found for found in words.values())
    closed = {host: words[host] for host in service if "open" not in words[host]}
    return FirstCheck(
        done,
        len(words),
        left,
        tuple(host for host, found in closed.items() if found == {"through"}),
        tuple(host for host, found in closed.items() if "failed" in found),
        tuple(host for host, found in closed.items() if "unresolved" in found and "failed" not in found),
    )
