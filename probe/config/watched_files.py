"""Which files a reload reads, whether one of them has changed, and what of a change a reload cannot do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from probe.config.service import ServeConfig
from probe.config.settings import Config
from probe.host.files import FileStamp, file_stamp
from rules.model.ruleset import Rules


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says; `load` reads the configuration anew, and raises BadFile or CommandError."""

    load: Callable[[], tuple[Config, Rules]]
    files: Callable[
        [Config | None], tuple[str, ...]
    ]  # what a reload reads; None: by what stands in the files now
    allow_insecure: bool = False


class Sources:
    """Files with what they looked like when this was made."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._marks: dict[str, FileStamp] = {
            path: file_stamp(Path(path)) for path in dict.fromkeys(paths) if path
        }

    def renew(self, paths: Iterable[str]) -> None:
        """These are read from now on; those that were read before keep their marks: a change since then is one."""
        self._marks = {
            path: self._marks[path] if path in self._marks else file_stamp(Path(path))
            for path in dict.fromkeys(paths)
            if path
        }

    def changed(self) -> bool:
        """Whether a file is another than before, is gone or is there at last. Waits for the disk: call it in a thread."""
        found = {path: file_stamp(Path(path)) for path in self._marks}
        differs = found != self._marks
        self._marks = found
        return differs


def needs_restart(begun: ServeConfig, wanted: ServeConfig) -> list[str]:
    """Tables of `wanted` that differ from those with which the service began, as far as a reload cannot change them."""
    found = []
    if replace(wanted.web, probe=begun.web.probe) != begun.web:  # which is looked at for each request
        found.append("web")
    if _history(wanted) != _history(begun):
        found.append("history")
    return found


def _history(config: ServeConfig) -> tuple[str | None, int, int]:
    return config.history_path, config.history_days, config.history_mb
