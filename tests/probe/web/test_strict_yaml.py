"""YAML from untrusted hands: read, or refused with its line, at once and without repeating a value."""

from __future__ import annotations

import contextlib
import time
import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from probe.web.strict_yaml import LARGEST, MOST_NODES, parse_yaml
from rules.files.fields import BadFile


def why(text: str | bytes) -> str:
    with pytest.raises(BadFile) as caught:
        parse_yaml(text.encode() if isinstance(text, str) else text, "web.yml")
    return str(caught.value)


def test_plain_values_with_their_lines() -> None:
    file = parse_yaml(
        b"\xef\xbb\xbf# comment\na: text\nb:\n  - 12\n  - true\nc: {d: 'no', e: \"0443\"}\nf: |\n  x\n  y\n",
        "web.yml",
    )
    assert file.line("b") == 3
    assert file.data == {"a": "text", "b": [12, True], "c": {"d": "no", "e": "0443"}, "f": "x\ny\n"}
    assert (file.line("a"), file.line("b[1]"), file.line("c.e"), file.line("c.unknown"), file.line("z")) == (
        2,
        5,
        6,
        6,
        0,
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n...\n"])
def test_a_file_without_anything_is_an_empty_mapping(text: str) -> None:
    assert parse_yaml(text.encode(), "web.yml").data == {}


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)


def test_an_alias_bomb_costs_nothing() -> None:
    yaml.resolver.Resolver()  # loaded before the measuring
    tracemalloc.start()
    begin = time.process_time()
    assert why(BOMB).startswith("web.yml:1: uses an anchor or an alias")
    took, (_, peak) = time.process_time() - begin, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert took < 2, "thousandths of a second as a rule; without end where it is expanded"
    assert peak < 10_000_000


@pytest.mark.parametrize(
    "text", ["a: *b", "a: &b c", "&a b: c", "- &x 1", "<<: {a: 1}", "a: !!python/name:os.system", "a: !x y"]
)
def test_anchors_aliases_tags_and_merge_keys_are_refused(text: str) -> None:
    assert "web.yml:1: " in why(text)


def test_more_values_than_anybody_writes() -> None:
    assert f"has more than {MOST_NODES} values" in why("a: [" + "1," * (MOST_NODES + 1) + "]")


@pytest.mark.parametrize("depth", [33, 1000, 60_000])
@pytest.mark.parametrize("sign", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused_and_no_recursion(depth: int, sign: str) -> None:
    text = "a:\n  " + sign * depth
    begin = time.process_time()
    message = why(text)
    assert "is nested deeper than 32" in message or "maximum nesting depth" in message
    assert time.process_time() - begin < 5, "hundredths of a second as a rule, minutes where it is quadratic"


def test_the_deepest_nesting_that_is_allowed_is_read() -> None:
    parse_yaml(("a: " + "[" * 31 + "]" * 31).encode(), "web.yml")
    assert "is nested deeper than 32" in why("a: " + "[" * 32 + "]" * 32)


def test_a_key_that_is_there_twice_is_refused_with_both_lines() -> None:
    assert why("a: 1\nb: 2\n'a': 3") == "web.yml:3: 'a' is there twice, on line 1 and on line 3"
    assert "on line 2 and on line 4" in why("x:\n  alice: h1\n  bob: h2\n  alice: h3")


@pytest.mark.parametrize(
    "value",
    ["0443", "1:20", "4_43", "0x1F", "0b1", "+1", "-0", "no", "Yes", "ON", "off", "True", "NO", "~", "null", "", "1.5",
     ".inf", "1e3.0", "1:20.5", "2026-11-25", "=", "<<"],
)  # fmt: skip
def test_values_that_yaml_reads_otherwise_are_refused_with_a_hint(value: str) -> None:
    if value == "1e3.0":  # no number for YAML 1.1, whatever it looks like
        assert parse_yaml(b"a: 1e3.0", "web.yml").data == {"a": "1e3.0"}
        return
    message = why(f"k:\n  secret: {value}\n")
    assert message.startswith("web.yml:2: k.secret: ")
    assert "quotes" in message or "leave the key out" in message or "merge" in message
    assert parse_yaml(f"a: '{value}'".encode(), "web.yml").data == {"a": value}


@pytest.mark.parametrize("key", ["no", "0443", "123", "~", "2026-11-25"])
def test_keys_that_yaml_reads_otherwise_are_refused_with_a_hint(key: str) -> None:
    assert why(f"users:\n  {key}: x").startswith("web.yml:2: a key of users ")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [", "web.yml:"),
        ("a: b: c", "web.yml:1:"),
        ("a: \x01", "holds a character that no text has"),
        (b"a: \xff", "is not UTF-8 text (byte 3)"),
        ("a: 1\n---\nb: 2", "web.yml:2: holds a second document"),
        ("? [a]\n: b", "a list or a mapping as a key"),
        ("- a", "must be a mapping at its top"),
        ("hunter2", "must be a mapping at its top"),
        ("'\\", "is not YAML"),
    ],
)
def test_what_is_no_configuration(text: str | bytes, told: str) -> None:
    assert told in why(text)


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "[hunter2]",
        "a: &hunter2 x",
        "a: hunter2: b",
        "a: 'hunter2",
        "a: !hunter2 x",
        'a: "hunter2\\q"',
        "a: %hunter2",
    ],
)
def test_no_message_repeats_a_value(text: str) -> None:
    assert "hunter2" not in why(text)


@pytest.mark.parametrize(
    "piece", ["a: 1\n", "[", "? ", "'", '"\\', "#", "a", "- ", "| \n", "%", "{", "\n\n", "a: {"]
)
def test_the_largest_file_of_anything_takes_no_time(piece: str) -> None:
    content = (piece * LARGEST)[:LARGEST].encode()
    begin = time.process_time()
    told = ""
    try:
        parse_yaml(content, "web.yml")
    except BadFile as error:
        told = str(error)
    assert len(told) < 5000
    assert time.process_time() - begin < 5, "hundredths of a second as a rule, minutes where it is quadratic"


@given(st.text(alphabet="ab:- \n'\"[]{}#&*!|>%@`,?0\t\\~<", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadFile):  # nothing else may come
        assert isinstance(parse_yaml(text.encode(), "web.yml").data, dict)
