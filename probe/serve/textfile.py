"""The service's textfile. Its age is the age of the measurements, not of the file.

If the service runs but measures nothing, the file must become stale. Before the first sweep has ended it has maintenance,
inventory and the last round of the old file: without that time, or with a new one, a service that never ends its first
sweep would not be overdue.

The collectors of node_exporter and windows_exporter read every `*.prom` file of a directory at any moment. So the text is
first written and synced to a file with another ending, which is then renamed: a reader sees the old text or the new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import math
import re
import time
from collections.abc import Mapping
from pathlib import Path

from exporters.metrics.catalogue import BY_NAME
from exporters.metrics.exposition import Ended, from_state
from exporters.metrics.text_format import constants, header, labels
from probe.errors import CommandError
from probe.host.files import UNFINISHED, read_file, replace_file
from probe.host.output_file import READABLE
from rules.files.fields import BadFile
from rules.watch.state import Place, State

LOG = logging.getLogger("wayclear")
TEXTFILE = "wayclear.prom"
#: Most bytes of a textfile to read. With 10,000 names, the most in a rule set, the program's file has less than half.
LARGEST = 16 * 1024 * 1024
#: Least seconds between two textfiles while nothing changes.
TEXTFILE_EVERY = 15.0
ENDING = ".prom"
ABANDONED = 3600.0  #: seconds after which the writer of an unfinished file must have been killed

_ADVICE = {
    errno.ENOENT: "make the directory, or name the one that the collector reads",
    errno.ENOTDIR: "name the directory that the collector reads",
    errno.EACCES: "let this account write in that directory",
    errno.EPERM: "let this account write in that directory",
    errno.EROFS: "name a directory that can be written",
    errno.ENOSPC: "make room there",
}
_KEPT = tuple(
    BY_NAME[name] for name in ("wayclear_last_cycle_timestamp_seconds", "wayclear_cycle_interval_seconds")
)
_SAMPLE = re.compile(r'kind="(?:audit|service|sign-in)"\} [0-9]{1,12}(?:\.[0-9]{1,6})?')


class TextfilePublisher:
    """Writes the textfile in a thread, one at a time. Everything but `_write` runs on the loop."""

    def __init__(self) -> None:
        self._looked = 0.0  # Unix time of the first judgement
        self._rounds: dict[str, float] = {}  # Unix time of the end of the last one of each kind
        self._written_at = -math.inf  # monotonic
        # Of the last file: whether it had a report, and the maintenance window.
        self._alert_inputs: tuple[bool, str] | None = None
        self._writing: asyncio.Task[None] | None = None
        self.fault = ""  #: why the last write failed, "" for success

    @property
    def writing(self) -> bool:
        """Whether a thread is writing now."""
        return self._writing is not None

    def judged(self, now: float) -> None:
        """A judgement was made at `now` (Unix time). The first one is that of the first sweep."""
        self._looked = self._looked or now

    def closed(self, kind: str, now: float) -> None:
        """A round of `kind` has ended at `now` (Unix time)."""
        self._rounds[kind] = now

    def ended(self, state: State, intervals: Mapping[str, float]) -> Ended:
        """The round that gives the age of `state`: the last one of service names, or of any kind if there are none.

        Until a round has ended, it is the first sweep, which counts as an audit.
        """
        if any(target.group == "service" for target in state.targets):
            at = self._rounds.get("service")
            return Ended("audit", self._looked, intervals) if at is None else Ended("service", at, intervals)
        return Ended("audit", max(self._rounds.values(), default=self._looked), intervals)

    def publish(self, directory: str | None, state: State, intervals: Mapping[str, float]) -> None:
        """If it is due, start to write into `directory` (None: nowhere). Never waits for the disk.

        `intervals`: the intended length of a round in seconds, by kind.
        """
        if not directory:  # a reload may have removed it
            self.fault = ""
            return
        alert_inputs = (
            state.report is not None,
            state.maintenance,
        )  # alerts depend on both: a change is written at once
        due = alert_inputs != self._alert_inputs or time.monotonic() - self._written_at >= TEXTFILE_EVERY
        if due and self._writing is None:
            self._written_at, self._alert_inputs = time.monotonic(), alert_inputs
            ended = self.ended(state, intervals) if state.report is not None else None
            self._writing = asyncio.create_task(self._publish(directory, state, ended))

    async def _publish(self, directory: str, state: State, ended: Ended | None) -> None:
        try:
            await asyncio.to_thread(self._write, directory, state, ended)
        finally:
            self._writing = None

    def _write(self, directory: str, state: State, ended: Ended | None) -> None:
        fault = ""
        try:
            kept = last_round(directory, state.place) if ended is None else ""
            write_textfile(directory, TEXTFILE, from_state(state, ended) + kept)
        except CommandError as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - whatever the error is, the old file stays
            fault = f"the textfile could not be written: {type(error).__name__}: {error}"
        if fault and fault != self.fault:
            LOG.error("%s", fault)
        elif self.fault and not fault:
            LOG.info("the textfile can be written again")
        self.fault = fault

    async def close(self) -> None:
        """Wait until the present write has ended."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)


def last_round(directory: str, place: Place) -> str:
    """The lines of the textfile in `directory` about the last round and the intervals; "" if it has none for `place`, or
    cannot be read."""
    try:
        content = read_file(str(Path(directory) / TEXTFILE), LARGEST)
    except BadFile:  # the next write reports what is wrong
        return ""
    lines = content.decode("utf-8", "replace").split("\n")
    known = labels(constants(place))
    kept = ""
    for metric in _KEPT:
        begin = f"{metric.name}{{{known}," if known else f"{metric.name}{{"
        found = [x for x in lines if x.startswith(begin) and _SAMPLE.fullmatch(x.removeprefix(begin))]
        if found:
            kept += (
                header(metric).decode() + "\n".join({x.partition("} ")[0]: x for x in found}.values()) + "\n"
            )
    return kept


def write_textfile(directory: str, name: str, text: str) -> None:
    """Write `text` to the file `name` (`*.prom`) in `directory`, in UTF-8 and with its line ends unchanged.

    CommandError if that is impossible: then the old file stays whole, and no other file is left. Waits for the disk: call
    it in a thread.
    """
    path = Path(directory) / name
    if path.name != name or not name.endswith(ENDING):
        raise CommandError(
            f"{name!r} is no name for a textfile", f"name a file that ends in {ENDING}, without a directory"
        )
    content = text.encode()
    try:
        _sweep(path)
        replace_file(str(path), [content], READABLE)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()
        advice = _ADVICE.get(error.errno or 0, "") if isinstance(error, OSError) else ""
        raise CommandError(
            f"{path} cannot be written: {reason}", advice or "name another directory"
        ) from error


def _sweep(path: Path) -> None:
    """Remove the unfinished files of killed writers."""
    with contextlib.suppress(OSError):  # another process removed it first, or the directory may not be listed
        for left in path.parent.iterdir():
            mine = left.name.startswith(f".{path.name}.") and left.name.endswith(UNFINISHED)
            if mine and time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
