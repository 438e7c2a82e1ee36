"""Targets of requests, and who takes gzip."""

from __future__ import annotations

import pytest

from probe.web.messages import Refusal, read_target, takes_gzip


def test_path_and_parameters() -> None:
    assert read_target("/probe?target=a%20b&module=x+y&z") == (
        "/probe",
        {"target": "a b", "module": "x y", "z": ""},
    )
    assert read_target("/%C3%A4?") == ("/%C3%A4", {}), "an encoded path is not the plain one"


@pytest.mark.parametrize(
    "target",
    [
        "/?a=1&a=2", "/?a=%ff",
        "/?" + "&".join(f"a{i}=1" for i in range(33)),
    ],
)  # fmt: skip
def test_targets_that_are_refused(target: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_target(target)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True), ("deflate, GZIP;q=0.5", True), ("*", True), ("br;q=1.0, *;q=0.1", True), ("", False),
        ("identity", False), ("gzip;q=0", False), ("gzip; q=0.000", False), ("gzip;q=0, *", False), ("*;q=0", False),
    ],
)  # fmt: skip
def test_who_takes_gzip(header: str, taken: bool) -> None:
    assert takes_gzip(header) is taken
