"""The rules of the house that a machine can hold: rooms, names, imports, locks, what the wheel carries.

Each rule is a pure function from a tree (or a text) to complaints, so that it can be seen to complain.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from rules.model import causes
from rules.model.observation import KINDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("rules", "exporters", "probe")

# Run as a script, a file shadows the library of the same name for everything that it imports.
EXTRA_FORBIDDEN_NAMES = frozenset(
    {"dns", "h11", "idna", "certifi", "scapy", "cryptography", "yaml", "rich", "attr", "aiohttp"}
)
FORBIDDEN_NAMES = sys.stdlib_module_names | EXTRA_FORBIDDEN_NAMES

#: Words of causes. "ok" is also a status, a state and a style.
CAUSES = frozenset(causes.BY_WORD) - {causes.OK.word}

# Libraries that hold a conversation. Those that only hold values (cryptography, certifi, idna) may join any of them.
PROTOCOL_LIBRARIES = frozenset(
    {"dns", "OpenSSL", "h11", "aiohttp", "scapy", "apscheduler", "prometheus_client"}
)

# Modules in which kinds of questions differ and that name none of them: they ask the record of the kind.
KINDLESS = (
    "rules/model/observation.py", "rules/watch/memory.py", "rules/watch/targets.py", "rules/watch/significance.py",
    "probe/watch/judgement.py", "probe/audit/runner.py", "probe/measure/prober.py",
    "exporters/terminal/evidence.py", "exporters/terminal/tree.py", "exporters/terminal/audit.py",
    "rules/files/recording.py",
)  # fmt: skip
KIND_TYPES = frozenset(kind.__name__ for one in KINDS for kind in (one.step, one.evidence))

# Calls that reach the world although the module that offers them is allowed (datetime, the builtins).
IMPURE_CALLS = frozenset({"open", "input", "print", "breakpoint", "datetime.now", "datetime.utcnow", "datetime.today",
                          "date.today", "datetime.datetime.now", "datetime.date.today"})  # fmt: skip
IMPURE_SUBMODULES = frozenset({"urllib.request", "urllib.error", "urllib.robotparser"})


def python_files(root: Path, *tops: str) -> Iterator[Path]:
    """Every Python file under `tops`, relative to `root`."""
    for top in tops:
        yield from sorted(path.relative_to(root) for path in (root / top).rglob("*.py"))


def kind_complaints(text: str) -> list[str]:
    """Types of questions or of their evidence that a module asks for with `isinstance` or `match`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            found |= {name.id for name in ast.walk(node.args[1]) if isinstance(name, ast.Name)}
        elif isinstance(node, ast.MatchClass) and isinstance(node.cls, ast.Name):
            found.add(node.cls.id)
    return sorted(found & KIND_TYPES)


def room_complaints(root: Path) -> list[str]:
    """Rooms (folders of a package) without tests, test folders that mirror no room, levels without `__init__.py`."""
    rooms = {p.parent for p in python_files(root, *PACKAGES) if p.name not in ("__init__.py", "__main__.py")}
    tests = {
        p.parent.relative_to("tests")
        for top in PACKAGES
        for p in python_files(root, f"tests/{top}")
        if p.name.startswith("test_")
    }
    complaints = [f"{room} has no test file in tests/{room}" for room in rooms - tests]
    complaints += [f"tests/{room} mirrors no room" for room in tests - rooms]
    levels = {*rooms, *(Path("tests") / room for room in rooms | tests)}
    complaints += [
        f"{level}/__init__.py is missing" for level in levels if not (root / level / "__init__.py").is_file()
    ]
    return sorted(complaints)


def name_complaints(root: Path) -> list[str]:
    """Modules named like a library that somebody imports."""
    return [
        f"{path} shadows the library {path.stem} when it is run as a script"
        for path in python_files(root, *PACKAGES, "tests")
        if path.stem in FORBIDDEN_NAMES
    ]


def imported(tree: ast.AST) -> Iterator[str]:
    """Every module that `tree` imports, wherever in the file, with its dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def purity_complaints(source: str) -> list[str]:
    """What a file of `rules/` may not do and an import contract cannot say: read a clock, open a file, talk."""
    tree = ast.parse(source)
    called = {ast.unparse(node.func): node.lineno for node in ast.walk(tree) if isinstance(node, ast.Call)}
    complaints = [f"line {line}: calls {name}" for name, line in called.items() if name in IMPURE_CALLS]
    return complaints + [f"imports {name}" for name in sorted(set(imported(tree)) & IMPURE_SUBMODULES)]


#: Readers and tellers of time that guess this host's zone, or that Windows refuses before 1970: `rules/text/moments.py` says which.
DOUBTFUL_CLOCKS = frozenset({"parsedate", "parsedate_tz", "parsedate_to_datetime", "fromtimestamp", "utcfromtimestamp",
                             "strptime", "mktime", "mktime_tz", "localtime", "ctime"})  # fmt: skip


def clock_complaints(source: str) -> list[str]:
    """Calls and imports that read or tell a peer's time otherwise than `rules/text/moments.py` does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else [name]
        found += [f"line {node.lineno}: {n}" for n in names if n in DOUBTFUL_CLOCKS]  # type: ignore[attr-defined]
    return found


def cause_complaints(source: str, words: Collection[str]) -> list[str]:
    """Causes that are written as bare words in a file, where a typo would type-check; docstrings and comments may name them."""
    tree = ast.parse(source)
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        f"line {node.lineno}: {node.value!r} is a word and not the record of rules.model.causes"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in words and id(node) not in texts
    ]


def protocol_libraries(source: str) -> set[str]:
    """The protocol libraries that a file imports."""
    return {name.partition(".")[0] for name in imported(ast.parse(source))} & PROTOCOL_LIBRARIES


def lock_complaints(text: str) -> list[str]:
    """Lines of a lock that are not `name==version`, a hash or a comment: an index, a path, a pin without a hash."""
    complaints = []
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        requirement, *hashes = re.split(r"\s+--hash=", entry.strip())
        if not re.fullmatch(r"[a-z0-9-]+==[^\s;@]+( ; .+)?", requirement):
            complaints.append(f"not a pin: {requirement}")
        if not hashes or not all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes):
            complaints.append(f"without a sound hash: {requirement}")
    return complaints


def pins(lock: Path) -> dict[str, str]:
    """Name to version, of one lock."""
    return dict(re.findall(r"^([a-z0-9-]+)==([^\s;]+)", lock.read_text("utf-8"), re.MULTILINE))


def canonical(requirement: str) -> str:
    """`coverage[toml]>=7` -> `coverage`, as a lock spells it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower()


# --- the tree ------------------------------------------------------------------------------------------------------


def test_every_room_has_its_tests() -> None:
    assert room_complaints(ROOT) == []


def test_no_module_shadows_a_library() -> None:
    assert name_complaints(ROOT) == []


@pytest.mark.parametrize("path", [str(p) for p in python_files(ROOT, "rules")])
def test_rules_reach_nothing(path: str) -> None:
    assert purity_complaints((ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize("path", [str(p) for p in python_files(ROOT, *PACKAGES)])
def test_a_peers_time_is_read_and_told_in_one_place(path: str) -> None:
    assert clock_complaints((ROOT / path).read_text("utf-8")) == []


@pytest.mark.parametrize("path", [str(p) for p in python_files(ROOT, *PACKAGES)])
def test_a_cause_is_named_by_its_record(path: str) -> None:
    if Path(path).parent != Path("rules/model/causes"):
        assert cause_complaints((ROOT / path).read_text("utf-8"), CAUSES) == []


def test_a_typo_in_a_cause_does_not_type_check(tmp_path: Path) -> None:
    lines = [
        "from rules.model import causes",
        "from rules.model.verdict import Verdict",
        "def f(v: Verdict) -> bool:",
        "    return v.cause == causes.DNS_NXDOMAIN",
        "def g(v: Verdict) -> bool:",
        "    return v.cause == causes.DNS_NXDOMIAN",
        "def h(v: Verdict) -> bool:",
        "    return v.cause == 'dns.nxdomian'",
        "def i(v: Verdict) -> bool:",
        "    return v.cause in ('dns.nxdomian', 'dns.timeout')",
    ]
    write(tmp_path, "typo.py", "\n".join(lines))
    run = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(tmp_path / "typo.py")],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert set(re.findall(r"typo\.py:(\d+): error: ", run.stdout)) == {"6", "8", "10"}, run.stdout


@pytest.mark.parametrize("path", KINDLESS)
def test_where_kinds_differ_their_records_say_how(path: str) -> None:
    assert kind_complaints((ROOT / path).read_text("utf-8")) == []


def test_a_ladder_of_types_is_seen() -> None:
    ladder = "def f(x):\n    if isinstance(x, TlsHandshake | int): ...\n    match x:\n        case DnsAnswer(): ...\n"
    assert kind_complaints(ladder) == ["DnsAnswer", "TlsHandshake"]


@pytest.mark.parametrize("path", [str(p) for p in python_files(ROOT, "probe/measure/kinds")])
def test_each_kind_of_probe_speaks_through_one_library(path: str) -> None:
    found = protocol_libraries((ROOT / path).read_text("utf-8"))
    assert len(found) <= 1, f"{path} speaks through {sorted(found)}"


def test_import_contracts_hold() -> None:
    lint = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_the_version_is_told_without_loading_a_library() -> None:
    run = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "probe", "--version"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines() if "|" in line
    }
    third_party = PROTOCOL_LIBRARIES | {
        "cryptography",
        "certifi",
        "idna",
        "service_identity",
        "attr",
    }
    assert loaded & (third_party | {"asyncio", "ssl"}) == set()


# --- the locks and the wheel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_a_lock_holds_pins_and_hashes_only(name: str) -> None:
    assert lock_complaints((ROOT / "requirements" / name).read_text("utf-8")) == []


def test_the_locks_agree_with_each_other_and_with_pyproject() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    run, dev = pins(ROOT / "requirements/run.txt"), pins(ROOT / "requirements/dev.txt")
    groups = pyproject["dependency-groups"]
    assert run.items() <= dev.items()
    assert {canonical(r) for r in [*pyproject["project"]["dependencies"], *groups["build"]]} <= run.keys()
    assert {canonical(r) for r in groups["dev"]} <= dev.keys()
    assert "colorama" in dev, "what only Windows needs has to be locked too"


def test_the_wheel_carries_the_data_and_nothing_else_at_its_top(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    (wheel,) = tmp_path.glob("wayclear-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [
        p
        for d in ("rules/sets", "rules/schema")
        if (ROOT / d).is_dir()
        for p in (ROOT / d).iterdir()
        if p.is_file()
    ]
    assert {str(p.relative_to(ROOT)) for p in data} <= names
    assert {f"{package}/py.typed" for package in PACKAGES} <= names
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == set(PACKAGES)


# --- the rules themselves can complain -----------------------------------------------------------------------------


def write(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, "utf-8")


def test_a_room_without_tests_and_tests_without_a_room_are_found(tmp_path: Path) -> None:
    for name in (
        "rules/__init__.py",
        "rules/a/__init__.py",
        "rules/a/x.py",
        "rules/b/__init__.py",
        "rules/b/x.py",
        "tests/rules/b/test_x.py",
        "tests/rules/c/__init__.py",
        "tests/rules/c/test_x.py",
    ):
        write(tmp_path, name)
    assert room_complaints(tmp_path) == [
        "rules/a has no test file in tests/rules/a",
        "tests/rules/a/__init__.py is missing",
        "tests/rules/b/__init__.py is missing",
        "tests/rules/c mirrors no room",
    ]


def test_a_module_that_shadows_a_library_is_found(tmp_path: Path) -> None:
    write(tmp_path, "probe/ssl.py")
    write(tmp_path, "probe/tls_handshake.py")
    assert name_complaints(tmp_path) == ["probe/ssl.py shadows the library ssl when it is run as a script"]


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime\nx = datetime.now()",
        "import datetime\nx = datetime.datetime.now(datetime.UTC)",
        "open('x')",
        "import urllib.request",
        "from urllib import request",
    ],
)
def test_purity_complains(source: str) -> None:
    assert len(purity_complaints(source)) == 1


def test_purity_lets_pure_things_pass() -> None:
    source = "from urllib.parse import urlsplit\nfrom datetime import datetime, UTC\nx = datetime.fromtimestamp(0, UTC)"
    assert purity_complaints(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "from email.utils import parsedate_to_datetime",
        "import email.utils\nemail.utils.parsedate(text)",
        "import datetime\ndatetime.datetime.fromtimestamp(at, datetime.UTC)",
        "from datetime import datetime as moment\nmoment.strptime(text, form)",
        "import time\ntime.localtime(at)",
    ],
)
def test_a_doubtful_clock_is_found(source: str) -> None:
    assert len(clock_complaints(source)) == 1
    assert clock_complaints("from rules.text.moments import utc\nutc(0).isoformat()") == []


def test_a_cause_as_a_bare_word_is_found() -> None:
    told = (
        '"""A docstring may name `dns.timeout`."""\n"dns.timeout"\n# "dns.timeout"\nx = "not dns.timeout"\n'
    )
    assert cause_complaints(told, CAUSES) == []
    for line in ('x = "dns.timeout"', 'f("dns.timeout")', '{"dns.timeout": 1}', 'v.cause == "dns.timeout"'):
        assert len(cause_complaints(told + line, CAUSES)) == 1


def test_protocol_libraries_are_found_wherever_they_are_imported() -> None:
    source = "import dns.message\ndef f():\n    from OpenSSL import SSL\nimport certifi"
    assert protocol_libraries(source) == {"dns", "OpenSSL"}


@pytest.mark.parametrize(
    "line",
    [
        "--extra-index-url file:///somewhere",
        "--find-links /somewhere",
        "h11==0.16.0",
        "h11 @ file:///somewhere/h11.whl --hash=sha256:" + "0" * 64,
        "h11>=0.16 --hash=sha256:" + "0" * 64,
        "h11==0.16.0 --hash=md5:00",
    ],
)
def test_a_lock_with_anything_else_is_refused(line: str) -> None:
    assert lock_complaints(line) != []
