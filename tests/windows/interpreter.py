"""An embeddable Python for Windows, put together for tests alone: python.org cannot be asked, and nothing of it is released.

The runtime is CPython's own, out of a wheel on PyPI; the standard library is Debian's of the same minor version. What
neither has is compiled here: python.exe, python3.dll and a library that Wine lacks.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements.txt"
LIBRARY = Path("/usr/lib/python3.11")  #: of Debian's libpython3.11-stdlib
COMPILER = "x86_64-w64-mingw32-gcc-win32"
LISTER = "x86_64-w64-mingw32-objdump"
_RUNTIME = re.compile(
    r"deploy_libs/(python311\.dll|libcrypto-3\.dll|libssl-3\.dll|libffi-8\.dll|sqlite3\.dll|(?!_tkinter|_msi|winsound)\w+\.pyd)"
)
_EXPORT = re.compile(r"^\t\[ *\d+\] (\w+)$", re.MULTILINE)
_LEFT_OUT = {
    "test",
    "tests",
    "idlelib",
    "tkinter",
    "lib2to3",
    "pydoc_data",
    "turtledemo",
    "__pycache__",
    "site-packages",
}


def stdlib_files() -> list[Path]:
    """The modules of the standard library, without its tests and its windows."""
    files = sorted(LIBRARY.rglob("*.py"))
    return [file for file in files if not _LEFT_OUT & set(file.relative_to(LIBRARY).parts)]


def embeddable(place: Path) -> Path:
    """`place` filled with the files of an embeddable Python, and the same as a zip file beside it."""
    place.mkdir()
    with zipfile.ZipFile(_downloaded(place.parent)) as wheel:
        for name in wheel.namelist():
            if found := _RUNTIME.fullmatch(name):
                (place / found[1]).write_bytes(wheel.read(name))
    _compile(place)
    with zipfile.ZipFile(place / "python311.zip", "w", zipfile.ZIP_DEFLATED) as library:
        for file in stdlib_files():
            library.write(file, file.relative_to(LIBRARY).as_posix())
    (place / "python311._pth").write_text("python311.zip\n.\n", "ascii")
    packed = place.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(place.iterdir()):
            archive.write(file, file.name)
    return packed


def _downloaded(place: Path) -> Path:
    """The wheel, by pip and with the hash that is noted here."""
    run(
        sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
        "--only-binary=:all:", "--require-hashes", "--platform", "win_amd64", "--implementation", "cp",
        "--python-version", "311", "--dest", str(place), "--requirement", str(LOCK),
    )  # fmt: skip
    (wheel,) = place.glob("*.whl")
    return wheel


def _compile(place: Path) -> None:
    runtime = place / "python311.dll"
    run(COMPILER, "-Os", "-s", "-municode", "-o", f"{place}/python.exe", f"{HERE}/python.c", str(runtime))
    library = ("-Os", "-s", "-shared", "-o")
    run(COMPILER, *library, f"{place}/bcryptprimitives.dll", f"{HERE}/bcryptprimitives.c", "-ladvapi32")
    names = sorted(set(_EXPORT.findall(run(LISTER, "-p", str(runtime)))))
    forwarded = place.parent / "python3.def"
    forwarded.write_text(
        "LIBRARY python3\nEXPORTS\n" + "".join(f"{name} = python311.{name}\n" for name in names)
    )
    run(COMPILER, *library, f"{place}/python3.dll", str(forwarded), "-nostdlib")


def run(*command: str) -> str:
    """What a tool printed; RuntimeError with its complaint where it failed."""
    if shutil.which(command[0]) is None:
        raise RuntimeError(f"{command[0]} is missing: tests/windows/packages.txt names the Debian packages")
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout
