"""Whether a file has changed, whatever became of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from probe.config.service import ServeConfig
from probe.config.watched_files import Sources, needs_restart
from tests.probe.serve_process import STILL, served


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


def test_what_cannot_be_looked_at_is_like_what_is_not_there(tmp_path: Path) -> None:
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


# --- the service ------------------------------------------------------------------------------------------------------------


def test_what_takes_a_restart_is_compared_with_the_start() -> None:
    begun = ServeConfig()
    web = begun.web
    assert needs_restart(begun, ServeConfig()) == []
    assert needs_restart(begun, replace(begun, site="x", web=replace(web, probe=True))) == []
    for changed in (
        replace(web, listen=("[::1]:1",)),
        replace(web, hosts=("x",)),
        replace(web, config_file="x"),
    ):
        assert needs_restart(begun, replace(begun, web=changed)) == ["web"]
    for history in ({"history_path": "x"}, {"history_days": 1}, {"history_mb": 1}):
        assert needs_restart(begun, replace(begun, **history)) == ["history"]


def test_it_says_that_a_restart_is_needed_as_long_as_one_is_and_that_probe_is_none(tmp_path: Path) -> None:
    said = "[history] is another than at the start: that takes a restart"
    with served(tmp_path, schedule=STILL) as daemon:
        daemon.ready()
        good = daemon.config.read_text()
        time.sleep(
            1
        )  # the first look at files comes when it is ready; a change that it sees is one more reload
        for count, more in enumerate(("[history]\nkeep_days = 7\n",) * 2, 1):
            daemon.config.write_text(f"{good}{more}")
            assert daemon.client.ask("/-/reload", "POST")[0] == 200
            assert daemon.log().count(said) == count
        daemon.config.write_text(f"{good}[web]\nprobe = true\n")
        assert daemon.client.ask("/-/reload", "POST")[0] == 200
        assert daemon.log().count("takes a restart") == 2
        assert daemon.client.status("/probe?target=nobody") == 403


def test_a_rule_file_of_a_configuration_that_was_refused_is_looked_at_until_it_is_mended(
    tmp_path: Path,
) -> None:
    with served(tmp_path, schedule=STILL) as daemon:
        daemon.ready()
        good, rules = daemon.config.read_text(), (tmp_path / "rules.toml").read_text()
        other = tmp_path / "other.toml"
        other.write_text("= =\n")
        daemon.config.write_text('site = "new"\n' + good.replace("rules.toml", "other.toml"))
        assert daemon.client.ask("/-/reload", "POST")[0] == 500
        other.write_text(rules)
        daemon.until(lambda: '"site": "new"' in daemon.client.get("/config"))


#: What a plan is made of raises where the configuration has that site.
BROKEN_PLAN = """
import probe.watch.plans
plain = probe.watch.plans.make_plan
async def make_plan(config, *rest):
    if config.serve.site == "broken":
        raise RuntimeError("a bug of ours")
    return await plain(config, *rest)
probe.watch.plans.make_plan = make_plan
"""


def test_a_reload_that_fails_in_the_middle_leaves_everything_as_it_was(tmp_path: Path) -> None:
    patches = tmp_path / "patches"
    patches.mkdir()
    (patches / "sitecustomize.py").write_text(BROKEN_PLAN)
    with served(tmp_path, schedule=STILL, environment={"PYTHONPATH": str(patches)}) as daemon:
        daemon.ready()
        before, good = daemon.client.get("/config"), daemon.config.read_text()
        daemon.config.write_text('site = "broken"\n' + good.replace("tcp = 1.0", "tcp = 2.0"))
        status, said, _ = daemon.client.ask("/-/reload", "POST")
        assert (status, "a bug of ours" in said) == (500, True)
        assert daemon.client.get("/config") == before
        assert daemon.metric("wayclear_build_info", site="broken") is None
        daemon.config.write_text('site = "good"\n' + good)
        assert daemon.client.ask("/-/reload", "POST")[0] == 200
        assert '"site": "good"' in daemon.client.get("/config")
