"""Finds the failed or faulty documents that alone make a status or the answer as bad as it is.

A document is a list (CRL), an OCSP answer or an extra observation. Each has its own interval, which is hours long. If a
target depends on a document, the service has not asked the target whole until it has fetched that document again.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from rules.audit.documents import has_document
from rules.model.kinds.http_fetch import HttpFetch
from rules.model.observation import Observation
from rules.model.verdict import Report, Status, Verdict
from rules.watch.memory import document_of

_FAULTS = (Status.WARN, Status.FAIL)


def answered(seen: Observation) -> bool:
    """Whether an answer arrived; for a document, whether the answer is the document."""
    if isinstance(seen.step, HttpFetch) and seen.step.purpose != "reach":
        return has_document(seen)
    return seen.failure is None


def of_target(rows: Iterable[Verdict], seen: Sequence[Observation]) -> tuple[Hashable, ...]:
    """The documents that make a target's status as bad as it is, as `document` names them.

    Empty if an address or the name is at fault too, because the service asks those anyway. `rows` are the verdicts of
    one target, `seen` the observations of the report.
    """
    rows = [row for row in rows if row.status in _FAULTS]
    worst = max((row.status.rank for row in rows), default=0)
    found: dict[Hashable, None] = {}
    for row in rows:
        if row.status.rank == worst:
            documents = list(_of_row(row, seen))
            if not documents or None in documents:
                return ()
            found.update(dict.fromkeys(documents))
    return tuple(found)


def of_no_target(report: Report, targets: Iterable[tuple[str, tuple[str, int]]]) -> frozenset[Hashable]:
    """The failed documents that make the answer worse although no target depends on them.

    `targets`: the rule, host and port of each target.
    """
    known = set(targets)
    found: set[Hashable] = set()
    for row in report.verdicts:
        about = row.endpoint
        if row.status is not Status.FAIL or about is None or (row.rule, (about.host, about.port)) in known:
            continue
        failed = (one.step for one in _evidence(row, report.observations) if not answered(one))
        found.update(wanted for step in failed if (wanted := document_of(step)) is not None)
    return frozenset(found)


def _of_row(row: Verdict, seen: Sequence[Observation]) -> Iterator[Hashable]:
    """The documents that a row depends on; None for anything else."""
    if row.check == "dns" or (row.endpoint is not None and row.endpoint.port == 80 and row.endpoint.address):
        return  # the service asks a list at an address of its host together with that address
    found = _evidence(row, seen)
    for one in [one for one in found if not answered(one)] or found:
        yield document_of(one.step)


def _evidence(row: Verdict, seen: Sequence[Observation]) -> list[Observation]:
    return [seen[int(number[1:]) - 1] for number in row.evidence]
