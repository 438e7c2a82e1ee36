"""Where the history lies."""

from __future__ import annotations

import pytest

from probe.history.place import default_path


@pytest.mark.parametrize(
    ("platform", "environ", "root", "path"),
    [
        ("win32", {"ProgramData": r"D:\Data"}, None, r"D:\Data\wayclear\history.sqlite"),
        ("win32", {}, None, r"C:\ProgramData\wayclear\history.sqlite"),
        ("linux", {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, False, "/var/lib/a/history.sqlite"),
        ("linux", {"HOME": "/root"}, True, "/var/lib/wayclear/history.sqlite"),
        ("linux", {"XDG_STATE_HOME": "/s", "HOME": "/h"}, False, "/s/wayclear/history.sqlite"),
        ("linux", {"HOME": "/h"}, False, "/h/.local/state/wayclear/history.sqlite"),
    ],
)
def test_the_place(platform: str, environ: dict[str, str], root: bool | None, path: str) -> None:
    assert default_path(environ, platform, root) == path
