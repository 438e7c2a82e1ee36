"""The default place of the history."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping


def default_path(environ: Mapping[str, str], platform: str = sys.platform, root: bool | None = None) -> str:
    """The machine's place for root and on Windows, the directory of systemd if it gives one, else the user's (XDG)."""
    if platform == "win32":
        return (environ.get("ProgramData") or r"C:\ProgramData") + r"\wayclear\history.sqlite"
    # systemd.exec(5): colons separate several directories
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if given:
        return f"{given}/history.sqlite"
    if root is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        return "/var/lib/wayclear/history.sqlite"
    home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '~'}/.local/state"
    return f"{home}/wayclear/history.sqlite"
