from __future__ import annotations

import gzip
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from exporters.metrics.catalogue import Metric
from exporters.metrics.text_format import cause, constants, escape, finite, gzipped, header, number, sample
from rules.watch.state import Place
from tests.exporters.scrape import as_openmetrics, series

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ODD = st.text(st.sampled_from('"\\\n\r\t\0 ,={}#n\u2028\u0085\u00e9\U0001f600'))


@given(TEXT | ODD, TEXT | ODD)
def test_a_label_reads_back_exactly(one: str, other: str) -> None:
    text = sample("m", (("a", one), ("b", other)), 1)
    assert text.count("\n") == 1
    assert series(text.replace("m{", "# HELP m x\n# TYPE m gauge\nm{", 1)) == {
        ("m", frozenset({("a", one), ("b", other)})): 1
    }


@given(TEXT | ODD)
def test_a_label_is_written_as_the_library_writes_it(value: str) -> None:
    registry = CollectorRegistry()
    Gauge("m", "x", ["a"], registry=registry).labels(value).set(1)
    theirs = generate_latest(registry).decode().split("# TYPE m gauge\n", 1)[1]
    assert theirs == sample("m", (("a", value),), 1)[:-1] + ".0\n"


@given(ODD)
def test_a_label_reads_back_as_openmetrics(value: str) -> None:
    assert as_openmetrics("# HELP m x\n# TYPE m gauge\n" + sample("m", (("a", value),), 1)) == 1


@given(st.text(st.characters(codec=None)))
def test_a_lone_surrogate_does_not_cost_the_scrape(value: str) -> None:
    text = sample("m", (("a", f"x\ud800{value}\udfffy"),), 1)
    assert "\ufffd" in text.encode().decode()


def test_a_label_of_100_kb_reads_back_exactly() -> None:
    value = 'a"\\\n\r\0\u2028' * 15_000
    text = sample("m", (("a", value),), 1)
    assert series("# HELP m x\n# TYPE m gauge\n" + text) == {("m", frozenset({("a", value)})): 1}


def test_constant_labels_that_are_not_configured_are_left_out() -> None:
    assert constants(Place("c1", site="Vienna")) == (("connector", "c1"), ("site", "Vienna"))
    assert constants(Place("")) == ()
    assert constants(Place("c\ud800")) == (("connector", "c\ufffd"),)
    assert sample("m", constants(Place("")), 1) == "m 1\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "1"), (False, "0"), (3.0, "3"), (-0.0, "0"), (0.0451234567, "0.045123"), (1e-9, "0"),
        (1_793_610_845.12, "1793610845.12"), (253_402_300_799.0, "253402300799"), (-62_135_596_800.0, "-62135596800"),
    ],
)  # fmt: skip
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_number_is_right_to_the_microsecond(value: float) -> None:
    assert math.isclose(float(number(value)), value, abs_tol=1e-6)


def test_what_is_no_number() -> None:
    assert [finite(value) for value in (None, math.nan, math.inf, 0.0)] == [False, False, False, True]


@pytest.mark.parametrize("value", ["ok", "tls.reset", "dns.resolvers-disagree", "crl.not-a-crl", "x.9"])
def test_a_cause_is_a_label(value: str) -> None:
    assert cause(value) == value


@pytest.mark.parametrize(
    "value",
    ["", "OK", "ok\n", "tls.reset\n", "tls", "tls.", ".reset", "tls.reset by CN=x", "tls.r\u00e9set", "tls.\ud800",
     "tls.a.b", "1.2", "a." + "b" * 63],
)  # fmt: skip
def test_what_is_no_cause_is_no_label(value: str) -> None:
    assert cause(value) == "other"


def test_help_stays_in_its_line() -> None:
    metric = Metric("m", "gauge", 'a\\b\n"c"', (), "x")
    assert header(metric) == b'# HELP m a\\\\b\\n"c"\n# TYPE m gauge\n'


def test_gzip_is_whole_and_small() -> None:
    body = b"".join(sample("m", (("a", escape(str(n))),), n).encode() for n in range(10_000))
    packed = gzipped([body])
    assert gzip.decompress(packed) == body
    assert len(packed) < len(body) / 3
    assert packed == gzipped([body]), "it holds no time of its making"
