"""Whether a file has changed, whatever became of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from probe.reloading import Sources


def rewritten(path: Path) -> None:
    path.write_text("another text")


def replaced(path: Path) -> None:
    """As an editor or `kubectl` does it: the same length, the same time, another file."""
    seen = path.stat()
    fresh = path.with_suffix(".new")
    fresh.write_text("same")
    os.utime(fresh, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    fresh.replace(path)


def touched(path: Path) -> None:
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000))


def made_a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("change", [rewritten, replaced, touched, Path.unlink, made_a_fifo])
def test_a_change_is_seen_once(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "wayclear.toml"
    path.write_text("same")
    sources = Sources([str(path)])
    assert not sources.changed()
    change(path)
    assert sources.changed()
    assert not sources.changed()


def test_one_that_comes_at_last_is_a_change(tmp_path: Path) -> None:
    path = tmp_path / "wayclear.toml"
    sources = Sources([str(path)])
    assert not sources.changed()
    path.write_text("")
    assert sources.changed()


def test_a_link_is_followed(tmp_path: Path) -> None:
    """A mounted ConfigMap is a link that comes to lead elsewhere."""
    for name in ("one", "two"):
        (tmp_path / name).write_text("same")
    link = tmp_path / "wayclear.toml"
    link.symlink_to("one")
    sources = Sources([str(link)])
    link.unlink()
    link.symlink_to("two")
    assert sources.changed()


def test_c13_what_cannot_be_looked_at_is_like_what_is_not_there(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to("loop")
    assert not Sources([str(loop), "/dev/null/x", "\0", "x" * 5000, ""]).changed()


def test_what_was_written_while_it_was_read_is_a_change(tmp_path: Path) -> None:
    """Marks are taken before the files are read, and those of files that stay are kept."""
    config, rules = tmp_path / "wayclear.toml", tmp_path / "rules.toml"
    config.write_text("one")
    rules.write_text("one")
    sources = Sources([str(config)])
    config.write_text("two, behind the back of whoever reads")
    sources.renew([str(config), str(rules)])
    assert sources.changed()
    assert not sources.changed()
    rules.write_text("two, long after")
    assert sources.changed()
    sources.renew([str(config)])
    rules.write_text("three, which nobody reads any more")
    assert not sources.changed()
