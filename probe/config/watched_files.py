"""Watches the files that a reload reads, and lists changes that need a restart."""

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
    """The options of the command line. `load` reads the configuration again. It raises BadFile or CommandError."""

    load: Callable[[], tuple[Config, Rules]]
    files: Callable[
        [Config | None], tuple[str, ...]
    ]  # files that a reload reads with this configuration; None: with the one in the files now
    allow_insecure: bool = False


class Sources:
    """Files with their stamps."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._marks: dict[str, FileStamp] = {
            path: file_stamp(Path(path)) for path in dict.fromkeys(paths) if path
        }

    def renew(self, paths: Iterable[str]) -> None:
        """Watch these files from now on. Files that were watched before keep their stamps, so no change is missed."""
        self._marks = {
            path: self._marks[path] if path in self._marks else file_stamp(Path(path))
            for path in dict.fromkeys(paths)
            if path
        }

    def changed(self) -> bool:
        """Whether a file was changed, removed or created since the last call. Waits for the disk: call it in a thread."""
        found = {path: file_stamp(Path(path)) for path in self._marks}
        differs = found != self._marks
        self._marks = found
        return differs


def needs_restart(begun: ServeConfig, wanted: ServeConfig) -> list[str]:
    """Tables of `wanted` that differ from those at the start of the service and that a reload cannot change."""
    found = []
    if replace(wanted.web, probe=begun.web.probe) != begun.web:  # `probe` is read for each request
        found.append("web")
    if _history(wanted) != _history(begun):
        found.append("history")
    return found


def _history(config: ServeConfig) -> tuple[str | None, int, int]:
    return config.history_path, config.history_days, config.history_mb
