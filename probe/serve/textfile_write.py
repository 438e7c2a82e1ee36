"""A file for the textfile collector of node_exporter or windows_exporter, replaced as a whole.

Both collectors read every `*.prom` file of a directory at any moment. So the text goes to a file of another ending beside
it, to the disk, and then takes the name in one step: a reader sees the old text or the new one, never a part.
"""

from __future__ import annotations

import contextlib
import errno
import time
from pathlib import Path

from probe.errors import Trouble
from probe.host.files import UNFINISHED, replace_file
from probe.host.output_file import READABLE

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
