"""The lookup process by itself, as it is started."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from probe.measure.os_lookup_child import lookup
from probe.measure.os_resolver import CHILD
from tests.probe.isolated import isolated


def talk(*lines: str) -> list[dict[str, object]]:
    """What the child says to these lines, by id; it must end by itself at the end of its input."""
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(CHILD)],
        input="".join(line + "\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    return sorted((json.loads(line) for line in done.stdout.splitlines()), key=lambda answer: answer["id"])


def test_it_ends_with_its_input() -> None:
    assert talk() == []


def test_it_answers_with_the_ids_asked() -> None:
    said = talk('{"id": 1, "name": "127.0.0.1"}', '{"id": 7, "name": "::1"}')
    assert said == [
        {"id": 1, "addresses": ["127.0.0.1"], "error": 0},
        {"id": 7, "addresses": ["::1"], "error": 0},
    ]


@pytest.mark.parametrize(
    "name",
    ["", "a" * 300, "a..b", "\u0000", "\ud800", "m\u0456crosoft.test", 'a"b', "a\\b", '"}'],
)
def test_names_that_are_none_are_errors_and_no_end(name: str) -> None:
    said = talk(json.dumps({"id": 1, "name": name}), '{"id": 2, "name": "127.0.0.1"}')
    assert [answer["id"] for answer in said] == [1, 2]
    assert said[1]["error"] == 0


def test_the_standard_library_is_all_it_loads() -> None:
    code = f"import sys, runpy; sys.stdin.close(); sys.stdin = iter(()); runpy.run_path({str(CHILD)!r}, run_name='__main__')"
    code += "; print(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, timeout=20, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & {"probe", "rules", "asyncio", "ssl", "dns", "idna"}


def test_addresses_come_without_duplicates_in_the_system_s_order() -> None:
    addresses, error = lookup("localhost")
    assert error == 0
    assert len(addresses) == len(set(addresses))
    assert set(addresses) <= {"127.0.0.1", "::1"}


def test_the_hosts_file_counts() -> None:
    setup = """
        printf '192.0.2.7 pinned.test\\n2001:db8::7 pinned.test\\n' > /run/hosts
        mount --bind /run/hosts /etc/hosts
    """
    body = """
        from probe.measure.os_lookup_child import lookup
        show([sorted(lookup("pinned.test")[0]), lookup("pinned.test")[1], lookup("other.test")[1] != 0])
    """
    assert isolated(setup, body) == [["192.0.2.7", "2001:db8::7"], 0, True]
