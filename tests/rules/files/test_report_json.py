"""The report as JSON: what scripts rely on, and what it survives."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from enum import Enum
from typing import Any, Literal, Union

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rules.files.codec import Hint, JsonValue, recorded, unrecorded
from rules.files.report_json import BadReport, dumps, from_rfc3339, loads, pieces, to_rfc3339
from rules.model import causes
from rules.model.kinds.http_fetch import BODY_KEPT, CrlDigest, HttpExchange
from rules.model.observation import EVIDENCE, STEPS, Observation
from rules.model.verdict import Report, Vantage
from tests.exporters import samples

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TIMES = st.integers(0, 4_000_000_000_000).map(lambda ms: ms / 1000)
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(-(2**53), 2**53),
    float: st.integers(0, 10**12).map(lambda us: round(us / 1_000_000, 6)),
    bytes: st.binary(max_size=40),
}


def parsed(report: Report) -> JsonValue:
    """The JSON that a report is written as."""
    return json.loads(dumps(report))


def read(data: object) -> Report:
    """The report that is read from JSON."""
    return loads(json.dumps(data))


def fields_of(cls: Hint) -> dict[str, Hint]:
    hints = typing.get_type_hints(cls)
    return {name: hints[name] for name in recorded(cls)}


def values(hint: Hint) -> st.SearchStrategy[Any]:
    """Any value of a type, as the wire may carry it."""
    origin: Any = typing.get_origin(hint)
    arguments = typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.none() | values(next(arm for arm in arguments if arm is not types.NoneType))
    if origin is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(values(arguments[0]), max_size=2).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, arguments))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if hint is Observation:
        return observations()
    if hint is Vantage:
        labels = st.dictionaries(TEXT, TEXT, max_size=2).map(lambda found: tuple(found.items()))
        return st.builds(
            Vantage, **{n: values(h) for n, h in fields_of(Vantage).items() if n != "labels"}, labels=labels
        )
    if dataclasses.is_dataclass(hint):
        times = {"started": TIMES, "finished": TIMES} if hint is Report else {}
        build: Any = hint
        return st.builds(build, **({name: values(of) for name, of in fields_of(hint).items()} | times))
    return PLAIN[hint]


def observations() -> st.SearchStrategy[Observation]:
    def of(kind: str) -> st.SearchStrategy[Observation]:
        fields = {
            n: values(h)
            for n, h in fields_of(Observation).items()
            if n not in ("step", "evidence", "started")
        }
        step, evidence = values(STEPS[kind]), st.none() | values(EVIDENCE[kind])
        return st.builds(Observation, step=step, evidence=evidence, started=TIMES, **fields)

    return st.sampled_from(sorted(STEPS)).flatmap(of)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None
)
@given(values(Report))
def test_there_and_back(report: Report) -> None:
    assert loads(dumps(report)) == report


@pytest.mark.parametrize("report", [samples.report(), samples.healthy(), samples.behind_proxy()])
def test_samples_there_and_back(report: Report) -> None:
    again = loads(dumps(report).encode())
    assert again == dataclasses.replace(report, finished=again.finished, observations=again.observations)
    for mine, theirs in zip(report.observations, again.observations, strict=True):
        assert dataclasses.replace(theirs, started=mine.started) == mine
        assert abs(theirs.started - mine.started) < 0.001


def test_what_acts_on_a_terminal_is_escaped() -> None:
    acting = "\x1b]0;\x07\x7f\x9b2J\x85\u202e\u2028\u200b\ufeff\U000e0001"
    report = dataclasses.replace(samples.report(), notes=(f"{acting}é漢\U0001f600",))
    text = dumps(report)
    assert all(char.isprintable() or char == "\n" for char in text)
    assert "é漢\U0001f600" in text
    assert loads(text).notes == report.notes


def test_the_top_level_is_the_contract() -> None:
    data = parsed(samples.report())
    assert data["schema"] == "wayclear.report/1"
    assert data["started"] == "2026-11-02T09:14:05.120Z"
    assert data["answer"] == "no"
    assert data["summary"]["fail"] == 8
    assert data["vantage"]["proxy"] is None
    assert data["vantage"]["labels"] == {"site": "Vienna"}
    assert data["verdicts"][0]["endpoint"] == {"host": samples.REGIONAL[0], "port": 443, "address": None}
    seen = data["observations"][4]
    assert list(seen) == ["id", "kind", "step", "started", "elapsed_s", "failure", "facts", "local", "stale"]
    assert (seen["id"], seen["kind"], seen["local"]) == ("o5", "tls_handshake", ["10.20.0.5", 53211])
    assert seen["facts"]["chain"] == ["MAMCAQE="]
    cause = data["causes"][0]
    for key in ("cause", "summary", "remedy", "hop", "mechanism", "confidence", "endpoints"):
        assert key in cause


def test_proxies_are_an_object_or_null() -> None:
    proxy = parsed(samples.behind_proxy())["vantage"]["proxy"]
    assert proxy["settings"][0]["source"] == "environment HTTPS_PROXY"


def test_a_large_body_is_dropped_and_its_digest_stays() -> None:
    digest = CrlDigest(b"\x30\x00", 1.0, None, None, (), ("0a",))
    seen = samples.observations()[7]
    assert isinstance(seen.evidence, HttpExchange)
    for size, kept in ((BODY_KEPT, True), (BODY_KEPT + 1, False)):
        evidence = dataclasses.replace(seen.evidence, body=b"x" * size, size=size, digest=digest)
        report = samples.report(observations=(dataclasses.replace(seen, evidence=evidence),))
        (again,) = loads(dumps(report)).observations
        assert isinstance(again.evidence, HttpExchange)
        assert (again.evidence.body is not None) is kept
        assert (again.evidence.size, again.evidence.digest) == (size, digest)


def test_an_observation_of_a_kind_to_come_is_left_out_with_a_note() -> None:
    data = parsed(samples.report())
    strange = {"id": "o1", "kind": "path_trace\x1b", "step": {"ttl": 3}, "hops": [[]]}
    for number, item in enumerate(data["observations"], 2):
        item["id"] = f"o{number}"
    data["observations"].insert(0, strange)
    data["verdicts"][0]["evidence"] = ["o1", "o3"]
    report = read(data)
    assert report.verdicts[0].evidence == ("o2",)
    assert report.observations[1].step == samples.observations()[1].step
    assert (
        report.notes[-1]
        == "1 observations of a kind that this version does not know were left out: path_trace\\x1b"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not JSON"),
        ("[]", "$: must be an object, is a list"),
        ("{}", "$.schema: is missing"),
        ('{"schema": "wayclear.report/2"}', "written by another version"),
        ('{"schema": NaN}', "NaN is not a JSON value"),
        ("[" * 100_000, "is nested deeper than 32"),
        ("[" * 33 + "]" * 33, "is nested deeper than 32"),
        ('{"a":' * 40 + "1" + "}" * 40, "is nested deeper than 32"),
        ("1" * 5_000, "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
    ],
    ids=range(10),
)
def test_what_is_no_report_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(BadReport) as caught:
        loads(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("vantage", "labels"), {"site": 3}, "$.vantage.labels[0][1]: must be text, is a number"),
        (("vantage", "proxy"), [], "$.vantage.proxy: must be an object, is a list"),
        (("vantage", "proxy"), {}, "$.vantage.proxy.settings: is missing"),
        (("vantage", "tenant"), 3, "$.vantage.tenant: must be text, is a number"),
        (("started",), 3, "$.started: must be text, is a number"),
        (("started",), "now", "$.started: must be a time such as 2026-11-02T09:14:05.120Z, is 'now'"),
        (("answer",), "maybe", "$.answer: must be one of yes, degraded, no, not-proven, is 'maybe'"),
        (("verdicts", 1, "check"), [], "$.verdicts[1].check: must be one of dns, tcp, tls, http, crl, "),
        (("verdicts", 0, "endpoint", "port"), 1e300, "$.verdicts[0].endpoint.port: is larger than 2^53"),
        (("causes", 0, "details"), [["a"]], "$.causes[0].details[0]: must have 2 items, has 1"),
        (("observations",), {}, "$.observations: must be a list, is an object"),
        (("observations", 2), 3, "$.observations[2]: must be an object, is a number"),
        (("observations", 2), {}, "$.observations[2].kind: is missing"),
        (("observations", 2, "step"), None, "$.observations[2].step: must be an object, is null"),
        (("observations", 2, "step"), {}, "$.observations[2].step.resolver: is missing"),
        (("observations", 2, "facts"), [], "$.observations[2].facts: must be an object, is a list"),
        (("observations", 2, "elapsed_s"), "1", "$.observations[2].elapsed_s: must be a number, is text"),
        (("observations", 2, "failure"), {"stage": "x"}, "$.observations[2].failure."),
        (
            ("observations", 4, "facts", "chain", 0),
            "MA=",
            "$.observations[4].facts.chain[0]: must be base64, is",
        ),
        (
            ("observations", 4, "local"),
            ["a", None],
            "$.observations[4].local[1]: must be a whole number, is null",
        ),
        (("new",), json.loads("[" * 31 + "]" * 31), ""),
        (("new",), json.loads("[" * 32 + "]" * 32), "$: is nested deeper than 32"),
    ],
    ids=str,
)
def test_a_fault_is_told_with_its_place(path: tuple[Any, ...], value: object, message: str) -> None:
    data = parsed(samples.report())
    spot = data
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    if not message:
        assert read(data) == read(parsed(samples.report()))
        return
    with pytest.raises(BadReport) as caught:
        read(data)
    assert str(caught.value).startswith(message)


def test_a_cause_is_its_word_and_one_of_a_newer_version_is_kept() -> None:
    data = parsed(samples.report())
    data["verdicts"][0]["cause"], data["causes"][0]["cause"] = "app.crashed", "tls.expired"
    report = read(data)
    assert report.causes[0].cause is causes.TLS_EXPIRED
    newer = report.verdicts[0].cause
    assert (parsed(report)["verdicts"][0]["cause"], newer.layer, newer.remedy) == ("app.crashed", "other", "")
    for value, name in ((3, "a number"), ({"word": "ok"}, "an object")):
        data["verdicts"][1]["cause"] = value
        with pytest.raises(BadReport, match=rf"\$\.verdicts\[1\]\.cause: must be text, is {name}"):
            read(data)


def test_what_is_not_recorded_is_not_read_from_a_file() -> None:
    """Else a file could bring judgements of its own with an answer."""
    data = parsed(samples.report())
    seen = next(item for item in data["observations"] if item["kind"] == "http_fetch")
    seen["facts"] |= {"judged": {"crl.example": {"kind": "page"}}, "long_list": {"skeleton": "AA=="}}
    evidence = next(o.evidence for o in read(data).observations if isinstance(o.evidence, HttpExchange))
    assert unrecorded(HttpExchange) == ("long_list", "judged")
    assert (evidence.long_list, evidence.judged) == (None, {})


def test_lone_surrogates_of_a_file_are_escaped() -> None:
    data = parsed(samples.report())
    data["notes"] = ["a\ud800", "\ud83d\ude00"]
    text = json.dumps(data)
    assert "\\ud800" in text
    assert loads(text).notes == loads(text.encode()).notes == ("a\\ud800", "\U0001f600")


def test_a_giant_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rules.files.report_json.LARGEST_REPORT", 1000)
    with pytest.raises(BadReport, match="is larger than"):
        loads(b" " * 1001)


@pytest.mark.parametrize(
    "key", sorted(parsed(samples.healthy()).keys() - {"summary", "notes", "stopped", "verified"})
)
def test_each_key_of_the_top_level_is_needed(key: str) -> None:
    data = parsed(samples.healthy())
    del data[key]
    with pytest.raises(BadReport, match=rf"\$\.{key}: is missing"):
        read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def places(data: JsonValue, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path] if path else []
    for key, inner in (
        data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    ):
        found += places(inner, (*path, key))
    return found


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_value_anywhere_is_a_report_or_a_refusal(data: st.DataObject) -> None:
    whole = parsed(samples.report())
    *way, last = data.draw(st.sampled_from(places(whole)))
    spot = whole
    for key in way:
        spot = spot[key]
    spot[last] = data.draw(JSON)
    try:
        report = read(whole)
    except BadReport as refusal:
        place = refusal.path
    else:
        place = "$"
        dumps(report).encode("utf-8")
    assert place.startswith("$")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1970-01-01T00:00:00.000Z", 0.0),
        ("2026-11-02T09:14:05.120Z", samples.START),
        ("2026-11-02T10:14:05.120+01:00", samples.START),
    ],
)
def test_times(text: str, value: float) -> None:
    assert from_rfc3339(text, "$") == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-02",
        "2026-11-02T09:14:05",
        "2026-13-02T09:14:05Z",
        "0001-01-01T00:00:00+01:00",
    ],
)
def test_a_time_without_a_zone_is_refused(text: str) -> None:
    with pytest.raises(BadReport, match="must be a time such as"):
        from_rfc3339(text, "$.started")


def test_times_are_rounded_not_cut() -> None:
    assert to_rfc3339(0.9996) == "1970-01-01T00:00:01.000Z"


def test_the_pieces_are_what_json_would_write_in_one_go() -> None:
    report = samples.report()
    whole = "".join(pieces(report))
    assert whole == json.dumps(json.loads(whole), indent=1, ensure_ascii=False) + "\n"
    bare = dataclasses.replace(report, verdicts=(), observations=())
    assert parsed(bare)["observations"] == []
    assert "".join(pieces(bare)) == json.dumps(parsed(bare), indent=1, ensure_ascii=False) + "\n"
