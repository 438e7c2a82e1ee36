"""The documentation, held to the program: its figures, names, options, causes and links.

Tables that are made from code stand between two comments; `python -m tests.test_docs` writes them anew.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields
from inspect import getsource
from pathlib import Path

import pytest
from OpenSSL import SSL

from exporters.terminal.owners import OWNERS
from probe.audit import plan as planning
from probe.audit import runner
from probe.audit.pace import FAST, POLITE
from probe.command.explain import CODES
from probe.command.main import ENTRIES, parse
from probe.config.rule_files import load_rules
from probe.config.settings import Config
from probe.config.validation import validate_file
from probe.measure import tls_hello
from probe.measure.dns_message import EDNS_SIZE
from probe.measure.http_client import USER_AGENT
from probe.measure.kinds.dns_chain import TRIES
from probe.measure.limits import Limits
from rules.audit.guard import MAX_CONTROLS, MAX_EXTRA_NAMES, RECHECK_AT
from rules.audit.targets import targets
from rules.judge.answer import exit_code
from rules.model import causes
from rules.model.kinds.http_fetch import CRL_CAP
from rules.model.kinds.tls_handshake import Hello
from rules.model.verdict import Answer, Plan, Status
from tests.lab.scenarios import SCENARIOS

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def page(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def flat(name: str) -> str:
    """A page's text without its line ends."""
    return " ".join(page(name).split())


def between(name: str, word: str) -> str:
    """The part of a page between its comments."""
    found = re.search(rf"<!-- {word}: .*? -->\n(.*?)\n<!-- end of {word} -->", page(name), re.DOTALL)
    assert found, f"{name} has no part called {word}"
    return found[1]


# --- links and commands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [str(p.relative_to(ROOT)) for p in PAGES])
def test_links_lead_somewhere(path: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page(path))
    wanted = [link for link in links if not re.match(r"[a-z]+:", link)]
    missing = [w for w in wanted if not ((ROOT / path).parent / w).exists()]
    assert missing == []


@pytest.mark.parametrize("path", [str(p.relative_to(ROOT)) for p in PAGES])
def test_commands_and_options_that_pages_name_exist(path: str) -> None:
    text = page(path)
    spoken = re.findall(r"(?:`|\$ (?:\.venv/bin/)?)wayclear ([a-z]+)", text)
    assert set(spoken) <= {entry.name for entry in ENTRIES}
    named = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", text))
    assert named <= set(re.findall(r"^([a-z-]+):.*##", page("Makefile"), re.MULTILINE))


def test_the_audit_page_explains_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["audit", "--help"])
    offered = set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", capsys.readouterr().out, re.MULTILINE))
    told = set(re.findall(r"^\| `(--[a-z-]+)` \|", page("docs/audit.md"), re.MULTILINE))
    assert told == offered


def test_the_answers_and_statuses_are_explained() -> None:
    text = page("docs/audit.md")
    answers = re.findall(r"^\| ([A-Z ]+) \|", text, re.MULTILINE)
    assert {word.lower().replace(" ", "-") for word in answers} == {a.value for a in Answer}
    words = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert {s.value for s in Status} <= set(words)


def test_the_exit_codes_are_those_of_the_program() -> None:
    rows = re.findall(r"^\| ([A-Z ]+) \| .* \| (\d)\b[^|]*\|$", page("README.md"), re.MULTILINE)
    assert {Answer(w.lower().replace(" ", "-")): int(code) for w, code in rows} == {
        a: exit_code(a, ()) for a in Answer
    }
    told = re.findall(r"^\| (\d) \| ([^|]+) \| ([^|]+) \|$", page("docs/audit.md"), re.MULTILINE)
    words = {
        Status.WARN: "a warning",
        Status.FAIL: "a failure",
        Status.INCONCLUSIVE: "something could not be tested",
    }
    assert {words[status]: code for status, code in CODES.items() if status in words} == {
        word: int(code) for code, _, word in told if int(code)
    }


# --- the configuration ---------------------------------------------------------------------------------------------


def test_the_example_configuration_is_valid_and_has_every_key(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", page("docs/audit.md"), re.DOTALL)
    file = tmp_path / "wayclear.toml"
    file.write_text(example, "utf-8")
    told = [
        message.removeprefix(f"warning: {file}: ").partition(":")[0] for message in validate_file(str(file))
    ]
    assert told == ["tenant", "resolvers[0]", "resolvers[1]"], "examples"
    keys = {f.name for f in fields(Config)} - {"tenant_source", "source", "limits", "serve"}
    data = tomllib.loads(example)
    assert set(data) == keys | {"schema", "timeouts"}
    assert data["timeouts"] == {f.name: f.default for f in fields(Limits)}


# --- what a security team may see ----------------------------------------------------------------------------------


def pace_table() -> str:
    """The table of rates, from the program."""

    def limit(value: float) -> str:
        return f"{value:g}" if value else "no limit"

    found = re.search(
        r"max_addresses=(\d+) if config.pace == \"polite\" else (\d+)", getsource(planning.make_plan)
    )
    assert found
    rows = [
        ("new connections a second", limit(POLITE.rate), limit(FAST.rate)),
        ("at once after a pause (burst)", limit(POLITE.burst), limit(FAST.burst)),
        ("in flight to one address", POLITE.per_address, FAST.per_address),
        ("connections in flight", POLITE.connections, FAST.connections),
        ("addresses tried for each name and family", found[1], found[2]),
        ("DNS questions in flight", POLITE.questions, FAST.questions),
        ("lookups by the operating system in flight", POLITE.lookups, FAST.lookups),
    ]
    head = ["| | polite (the default) | fast |", "| --- | --- | --- |"]
    return "\n".join([*head, *(f"| {what} | {polite} | {fast} |" for what, polite, fast in rows)])


def test_the_rates_are_those_of_the_program() -> None:
    assert between("docs/for-the-soc.md", "rates") == pace_table()


def hello_size(hello: Hello, name: str) -> int:
    conn = tls_hello.client_connection(hello, name, tls_hello.ConnectionFacts())
    with pytest.raises(SSL.WantReadError):
        conn.do_handshake()
    return len(conn.bio_read(65_536))


@pytest.mark.parametrize(
    ("hello", "row"), [("connector", "connector"), ("tls13", "TLS 1.3"), ("large", "large")]
)
def test_the_sizes_of_the_hellos_are_those_on_the_wire(hello: Hello, row: str) -> None:
    told = re.search(
        rf"^\| {re.escape(row)} \| (\d+) \+ length of the name \|", page("docs/for-the-soc.md"), re.MULTILINE
    )
    assert told
    for name in ("www.example.com", "login.microsoftonline.com"):
        assert hello_size(hello, name) == int(told[1]) + len(name)


def test_the_sizes_with_the_control_name_are_right() -> None:
    hellos: tuple[Hello, ...] = ("connector", "tls13", "large")
    small, middle, large = (hello_size(hello, Plan("").control_name) for hello in hellos)
    told = f"With the control name `{Plan('').control_name}` these are {small}, {middle} and {large} bytes."
    assert told in flat("docs/for-the-soc.md")


def test_the_other_figures_are_those_of_the_program() -> None:
    text, plan = flat("docs/for-the-soc.md"), Plan("")
    numbers = {2: "two", 3: "three"}
    first, *others = map(str, RECHECK_AT)
    for told in (
        f"`User-Agent: {USER_AGENT}`",
        "`wayclear-<12 hex digits>.example.com`, type A",
        f"after {plan.sweep_limit} addresses that met silence or a reset within {plan.sweep_window:.0f} s",
        f"The time budget is {runner.BUDGET:.0f} s, or 1.5 times the plan",
        f"EDNS with {EDNS_SIZE} bytes",
        f"Up to {numbers[TRIES]} datagrams",
        f"at most {MAX_EXTRA_NAMES} service names, one address each",
        f"at up to {MAX_CONTROLS} addresses for each unexpected issuer",
        f"when {first}, {' and '.join(others)} addresses have met silence",
        f"up to {CRL_CAP >> 20} MiB",
        f"given up after {Limits().tcp:g} s",
    ):
        assert told in text, told
    assert 'f"wayclear-{self.plan.nonce}.example.com"' in page("rules/audit/machine.py")
    assert "token_hex(6)" in getsource(planning.make_plan)


def names_table() -> str:
    """The names of the default rule set, by group and port."""
    rows: dict[tuple[str, int], dict[str, None]] = {}
    for target in targets(load_rules(), None):
        rows.setdefault((target.rule.group.value, target.port), {})[target.shown] = None
    lines = ["| group | port | names |", "| --- | --- | --- |"]
    for (group, port), names in rows.items():
        lines.append(f"| {group} | {port} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join(lines)


def test_the_names_are_those_of_the_rule_set() -> None:
    assert between("docs/for-the-soc.md", "names") == names_table()


# --- causes --------------------------------------------------------------------------------------------------------


def entries() -> dict[str, str]:
    """Entries of the page on causes, by cause."""
    parts = re.split(r"^### `([a-z0-9.-]+)`$", page("docs/causes.md"), flags=re.MULTILINE)
    assert len(parts[1::2]) == len(set(parts[1::2])), "an entry stands twice"
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_cause_has_an_entry_and_every_entry_a_cause() -> None:
    assert set(entries()) == set(causes.BY_WORD) - {causes.OK.word}


@pytest.mark.parametrize("cause", sorted(entries()))
def test_an_entry_says_what_a_reader_needs(cause: str) -> None:
    labels = re.findall(r"^- \*\*(.+?):\*\* (.+)$", entries()[cause], re.MULTILINE)
    assert [label for label, _ in labels] == ["Means", "Proved by", "Who acts", "Do"]
    assert dict(labels)["Who acts"] == OWNERS[causes.from_word(cause).owner]


@pytest.mark.parametrize("cause", sorted(entries()))
def test_a_cause_leads_to_its_entry(cause: str) -> None:
    path, _, anchor = causes.from_word(cause).docs.partition("#")
    headings = re.findall(r"^#+ (.+)$", page(path), re.MULTILINE)
    assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


# --- the lab -------------------------------------------------------------------------------------------------------


def scenario_table() -> str:
    lines = ["| scenario | network | answer |", "| --- | --- | --- |"]
    lines += [f"| `{s.name}` | {s.title} | {s.answer} |" for s in SCENARIOS]
    return "\n".join(lines)


def test_the_list_of_scenarios_is_complete() -> None:
    assert between("docs/lab.md", "scenarios") == scenario_table()


@pytest.mark.lab
def test_the_example_of_a_lab_by_hand_works(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", page("docs/lab.md"), re.DOTALL)
    exec(compile(example, "docs/lab.md", "exec"), {})
    out = capsys.readouterr().out
    assert out.startswith("DEGRADED: ")
    assert "40.126." in out, "what dig says"


# --- `python -m tests.test_docs` writes the tables anew -------------------------------------------------------------


def write_tables() -> None:
    """Put what belongs there between the comments of each page."""
    for name, word, table in (
        ("docs/for-the-soc.md", "rates", pace_table()),
        ("docs/for-the-soc.md", "names", names_table()),
        ("docs/lab.md", "scenarios", scenario_table()),
    ):
        text = page(name).replace(between(name, word), table)
        (ROOT / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write_tables()
