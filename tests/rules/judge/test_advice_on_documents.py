"""Which rows stand in this part of the table; what they say is held by test_remedies.py."""

from __future__ import annotations

from rules.judge.advice_on_documents import HTTP, REVOCATION
from rules.judge.remedies import ADVICE


def test_the_rows_are_of_these_layers_and_all_of_them_are_in_the_table() -> None:
    rows = {**HTTP, **REVOCATION}
    assert {cause.partition(".")[0] for cause, _ in rows} <= {"http", "crl", "ocsp", "*"}
    assert len(rows) == len(HTTP) + len(REVOCATION)  # no row twice
    assert rows.items() <= ADVICE.items()
