"""Where the history lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from probe.history.place import default_path, places_to_read


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


@pytest.mark.parametrize(
    ("platform", "environ", "places"),
    [
        (
            "win32",
            {"ProgramData": r"D:\Data"},
            (r"D:\Data\wayclear\state\history.sqlite", r"D:\Data\wayclear\history.sqlite"),
        ),
        (
            "linux",
            {"HOME": "/h"},
            ("/var/lib/wayclear/history.sqlite", "/h/.local/state/wayclear/history.sqlite"),
        ),
        (
            "linux",
            {"STATE_DIRECTORY": "/s", "XDG_STATE_HOME": "/x"},
            ("/s/history.sqlite", "/var/lib/wayclear/history.sqlite", "/x/wayclear/history.sqlite"),
        ),
        (
            "linux",
            {"STATE_DIRECTORY": "/var/lib/wayclear", "HOME": "/h"},
            ("/var/lib/wayclear/history.sqlite", "/h/.local/state/wayclear/history.sqlite"),
        ),
    ],
)
def test_history_looks_where_a_service_may_write(
    platform: str, environ: dict[str, str], places: tuple[str, ...]
) -> None:
    assert places_to_read(environ, platform) == places
    for root in (True, False):
        assert default_path(environ, platform, root) in places


def test_the_windows_service_writes_where_history_looks_first() -> None:
    """What the installer gives the service as --state."""
    script = (Path(__file__).resolve().parents[3] / "packaging/windows/install.ps1").read_text("utf-8")
    assert r'--state "{1}\state"' in script
    assert "$Data = (Join-Path $env:ProgramData 'wayclear')" in script
