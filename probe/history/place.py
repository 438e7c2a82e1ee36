"""Where the history lies: the place that `serve` writes to, and the places that `history` looks at."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

SYSTEM = "/var/lib/wayclear/history.sqlite"  #: of root, and of the shipped systemd unit


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
    return SYSTEM if root else _own(environ)


def places_to_read(environ: Mapping[str, str], platform: str = sys.platform) -> tuple[str, ...]:
    """Every place where a service of this host may write, the system's first.

    Who asks is seldom the account that writes: the service has an account of its own.
    """
    if platform == "win32":
        shared = default_path(environ, platform)
        service = shared.replace("history.sqlite", r"state\history.sqlite")  # packaging/windows/install.ps1
        return service, shared
    given = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    own = (f"{given}/history.sqlite",) if given else ()
    return tuple(dict.fromkeys((*own, SYSTEM, _own(environ))))


def _own(environ: Mapping[str, str]) -> str:
    """The place of the user's own state (XDG)."""
    home = environ.get("XDG_STATE_HOME") or f"{environ.get('HOME') or '~'}/.local/state"
    return f"{home}/wayclear/history.sqlite"
