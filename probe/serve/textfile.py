"""The service's textfile: written beside the snapshots, and as old as what was measured.

Its age must not be that of its writing: while the loop lives and nothing is measured, the file has to grow stale. Before
the first look has ended it tells maintenance and inventory, and the last round that the file of before told: without that
moment a service that never ends its first look would not be overdue, and with a new one it would not be either.

The collectors of node_exporter and windows_exporter read every `*.prom` file of a directory at any moment. So the text goes
to a file of another ending beside it, to the disk, and then takes the name in one step: a reader sees the old text or the
new one, never a part.
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
from probe.errors import Trouble
from probe.host.files import UNFINISHED, read_file, replace_file
from probe.host.output_file import READABLE
from rules.files.fields import BadFile
from rules.watch.state import Place, State

LOG = logging.getLogger("wayclear")
TEXTFILE = "wayclear.prom"
#: Bytes of a textfile that is read: with 10,000 names, the most that a rule set has, one of ours is not half as long.
LARGEST = 16 * 1024 * 1024
#: Seconds between two textfiles while nothing changes.
TEXTFILE_EVERY = 15.0
ENDING = ".prom"
ABANDONED = 3600.0  #: seconds after which an unfinished file belongs to nobody: its writer was killed

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


class TextfileTeller:
    """Writes now and then, one at a time, in a thread. Everything but `_write` runs on the loop."""

    def __init__(self) -> None:
        self._looked = 0.0  # Unix time of the first judgement
        self._rounds: dict[str, float] = {}  # Unix time at which the last one of each kind ended
        self._written_at = -math.inf  # monotonic
        self._told: tuple[bool, str] | None = None  # whether with a report, and the window
        self._writing: asyncio.Task[None] | None = None
        self.fault = ""  #: why it was not written the last time

    @property
    def writing(self) -> bool:
        """Whether one is being written."""
        return self._writing is not None

    def judged(self, now: float) -> None:
        """A judgement was made at `now` (Unix time); the first one is that of the first look."""
        self._looked = self._looked or now

    def closed(self, kind: str, now: float) -> None:
        """A round of `kind` has ended at `now` (Unix time)."""
        self._rounds[kind] = now

    def ended(self, state: State, intervals: Mapping[str, float]) -> Ended:
        """What tells the age of `state`: the last round of service names, or of any kind where there are none.

        Until one has ended it is the first look, which is an audit.
        """
        if any(target.group == "service" for target in state.targets):
            at = self._rounds.get("service")
            return Ended("audit", self._looked, intervals) if at is None else Ended("service", at, intervals)
        return Ended("audit", max(self._rounds.values(), default=self._looked), intervals)

    def tell(self, directory: str | None, state: State, intervals: Mapping[str, float]) -> None:
        """Begin to write into `directory`, None for nowhere, where that is due; one that does not answer keeps nobody waiting.

        `intervals`: the intended length of a round in seconds, by kind.
        """
        if not directory:  # a reload has taken it away
            self.fault = ""
            return
        told = (state.report is not None, state.maintenance)  # an alert waits for neither
        due = told != self._told or time.monotonic() - self._written_at >= TEXTFILE_EVERY
        if due and self._writing is None:
            self._written_at, self._told = time.monotonic(), told
            ended = self.ended(state, intervals) if state.report is not None else None
            self._writing = asyncio.create_task(self._tell(directory, state, ended))

    async def _tell(self, directory: str, state: State, ended: Ended | None) -> None:
        try:
            await asyncio.to_thread(self._write, directory, state, ended)
        finally:
            self._writing = None

    def _write(self, directory: str, state: State, ended: Ended | None) -> None:
        fault = ""
        try:
            kept = last_round(directory, state.place) if ended is None else ""
            write(directory, TEXTFILE, from_state(state, ended) + kept)
        except Trouble as error:
            fault = str(error)
        except Exception as error:  # noqa: BLE001 - whatever the error is, the old file stays
            fault = f"the textfile could not be written: {type(error).__name__}: {error}"
        if fault and fault != self.fault:
            LOG.error("%s", fault)
        elif self.fault and not fault:
            LOG.info("the textfile can be written again")
        self.fault = fault

    async def close(self) -> None:
        """Let what is being written come to its end."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)


def last_round(directory: str, place: Place) -> str:
    """The lines of the textfile in `directory` that tell the last round and the intervals; "" where it has none of
    `place`, or cannot be read."""
    try:
        content = read_file(str(Path(directory) / TEXTFILE), LARGEST)
    except BadFile:  # what is wrong with the place is said when it is written
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


def write(directory: str, name: str, text: str) -> None:
    """Put `text` into `directory` under `name` (`*.prom`), in UTF-8 and with its line ends as they are.

    Trouble where that is not possible; whatever happens, the file that was there stays whole, and nothing else is left.
    Waits for the disk: call it in a thread.
    """
    path = Path(directory) / name
    if path.name != name or not name.endswith(ENDING):
        raise Trouble(
            f"{name!r} is no name for a textfile", f"name a file that ends in {ENDING}, without a directory"
        )
    content = text.encode()
    try:
        _sweep(path)
        replace_file(str(path), [content], READABLE)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = (error.strerror if isinstance(error, OSError) and error.strerror else str(error)).lower()
        advice = _ADVICE.get(error.errno or 0, "") if isinstance(error, OSError) else ""
        raise Trouble(f"{path} cannot be written: {reason}", advice or "name another directory") from error


def _sweep(path: Path) -> None:
    """Remove what writers of this file left behind when they were killed."""
    with contextlib.suppress(OSError):  # another one is quicker, or the directory may not be listed
        for left in path.parent.iterdir():
            mine = left.name.startswith(f".{path.name}.") and left.name.endswith(UNFINISHED)
            if mine and time.time() - left.stat().st_mtime > ABANDONED:
                left.unlink()
