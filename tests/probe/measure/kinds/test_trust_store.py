"""Roots by subject, out of stores that hold what they like."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from probe.measure import trust_stores
from probe.measure.kinds.trust_store import measure
from probe.measure.trust_stores import TrustStores, subject_of
from rules.model.kinds.trust_store import TrustLookup, TrustRoots
from tests.pki import authority, der


def ask(subject: bytes, stores: TrustStores) -> TrustRoots:
    observation = asyncio.run(measure(TrustLookup(subject), stores))
    assert observation.failure is None
    assert isinstance(observation.evidence, TrustRoots)
    return observation.evidence


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(c.public_bytes(Encoding.PEM) for c in certificates)


def test_the_files_that_play_the_stores_answer_by_subject(tmp_path: Path) -> None:
    ours, theirs = authority("Public Root").certificate, authority("Inspection CA").certificate
    public, system = tmp_path / "public.pem", tmp_path / "system.pem"
    public.write_bytes(pem(ours))
    system.write_bytes(pem(ours, theirs))
    os.utime(public, (1_700_000_000, 1_700_000_000))
    stores = TrustStores(public, system)

    facts = ask(theirs.subject.public_bytes(), stores)
    assert (facts.public, facts.system) == ((), (der(theirs),))
    assert facts.public_date == 1_700_000_000
    assert (facts.public_source, facts.system_source) == (str(public), str(system))
    facts = ask(ours.subject.public_bytes(), stores)
    assert facts.public == facts.system == (der(ours),)


def test_two_roots_of_one_name_are_both_told_and_a_repeated_one_once(tmp_path: Path) -> None:
    first, second = authority("Root", kind="ec").certificate, authority("Root", kind="rsa").certificate
    file = tmp_path / "store.pem"
    file.write_bytes(pem(first, second, first))
    assert ask(first.subject.public_bytes(), TrustStores(file, file)).public == (der(first), der(second))


def test_what_is_no_certificate_is_skipped_and_counted(tmp_path: Path) -> None:
    good = authority("Good Root").certificate
    armour = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
    file = tmp_path / "store.pem"
    file.write_bytes(
        b"# a comment\xff\n"
        + armour % b"AAAA"
        + armour % b"A"
        + pem(good)
        + armour % b""
        + b"-----BEGIN CERTIFICATE-----"
    )
    stores = TrustStores(file, file)
    assert ask(good.subject.public_bytes(), stores).system == (der(good),)
    assert stores.system.skipped == 3


def test_a_missing_file_is_an_empty_store_that_says_why(tmp_path: Path) -> None:
    missing = tmp_path / "none.pem"
    facts = ask(b"", TrustStores(missing, missing))
    assert facts.public == facts.system == ()
    assert (
        facts.public_source == facts.system_source == f"{missing} (not readable: No such file or directory)"
    )
    assert facts.public_date is None


@pytest.mark.parametrize("what", ["pipe", "endless", "huge"])
def test_what_is_no_file_of_certificates_holds_nobody(tmp_path: Path, what: str) -> None:
    path = tmp_path / "roots.pem"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "endless":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(64 << 30)
    store = TrustStores(system_pem=path).system
    assert store.roots == {}
    assert store.source.startswith(f"{path} (not readable: it ")


def test_a_file_that_powershell_has_written(tmp_path: Path) -> None:
    root = authority("First").certificate
    (tmp_path / "roots.pem").write_bytes(pem(root).decode().encode("utf-16"))
    assert TrustStores(system_pem=tmp_path / "roots.pem").system.roots == {
        root.subject.public_bytes(): (der(root),)
    }


def test_a_directory_is_read_file_by_file(tmp_path: Path) -> None:
    first, second = authority("First").certificate, authority("Second").certificate
    for number, name in enumerate(("a.crt", "b.pem", "readme.txt")):
        (tmp_path / name).write_bytes(pem((first, second, second)[number]))
        os.utime(tmp_path / name, (1_700_000_000 + number,) * 2)
    (tmp_path / "c.pem").mkdir()
    store = TrustStores(system_pem=tmp_path).system
    assert store.roots == {c.subject.public_bytes(): (der(c),) for c in (first, second)}
    assert (store.source, store.date, store.skipped) == (str(tmp_path), 1_700_000_001, 0)


def test_nothing_is_read_before_the_first_question(tmp_path: Path) -> None:
    file = tmp_path / "late.pem"
    stores = TrustStores(file, file)
    root = authority("Late Root").certificate
    file.write_bytes(pem(root))
    assert ask(root.subject.public_bytes(), stores).public == (der(root),)


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of roots in certifi's own file
def test_every_root_of_certifi_is_found_under_the_subject_that_cryptography_reads() -> None:
    roots = x509.load_pem_x509_certificates(Path(certifi.where()).read_bytes())
    stores = TrustStores()
    assert len(roots) > 100
    assert all(der(root) in stores.public.roots[root.subject.public_bytes()] for root in roots)
    assert stores.public.skipped == 0
    assert stores.public.source == f"certifi {certifi.__version__}"
    assert stores.public.date is not None
    assert 1_700_000_000 < stores.public.date < time.time() + 86_400 * 3650


def test_the_store_of_this_host_is_found_or_said_to_be_missing() -> None:
    system = TrustStores().system
    assert system.source
    assert bool(system.roots) == (system.date is not None)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_subject_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert subject_of(data)[0] == 0x30


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_certificate_never_does_more_than_that(at: int, value: int) -> None:
    whole = bytearray(der(authority("Damaged Root").certificate))
    whole[at % len(whole)] = value
    for data in (bytes(whole), bytes(whole[:at])):
        with contextlib.suppress(ValueError):
            assert subject_of(data)[0] == 0x30


@pytest.mark.parametrize("shape", ["file", "directory"])
def test_a_store_that_has_changed_is_read_again_and_only_then(tmp_path: Path, shape: str) -> None:
    first, second = authority("First").certificate, authority("Second").certificate
    place = tmp_path if shape == "directory" else tmp_path / "store.pem"
    file = tmp_path / "store.pem"
    file.write_bytes(pem(first))
    stores = TrustStores(place, place)
    asked = second.subject.public_bytes()
    assert ask(asked, stores).public == ()
    before = stores.public, stores.system
    assert (stores.public, stores.system) == before
    assert stores.public is before[0], "it is kept"
    fresh = tmp_path / "fresh.new"
    fresh.write_bytes(pem(first, second))
    fresh.replace(file)
    facts = ask(asked, stores)
    assert facts.public == facts.system == (der(second),)
    file.unlink()
    assert ask(asked, stores).public == ()
    file.write_bytes(pem(second))
    assert ask(asked, stores).system == (der(second),)


def test_the_bundle_of_the_system_is_read_again_when_another_takes_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = authority("First").certificate, authority("Second").certificate
    one, two = tmp_path / "one.pem", tmp_path / "two.pem"
    monkeypatch.setattr(trust_stores, "BUNDLES", (str(one), str(two)))
    two.write_bytes(pem(second))
    stores = TrustStores()
    assert ask(second.subject.public_bytes(), stores).system == (der(second),)
    one.write_bytes(pem(first))
    assert ask(first.subject.public_bytes(), stores).system == (der(first),)
    assert ask(b"", stores).system_source == str(one)
