"""Makes the offline bundle for Windows: Python, every wheel and wayclear itself, so that a server fetches nothing.

    .venv/bin/python packaging/windows/bundle.py --embed python-3.13.9-embed-amd64.zip --sha256 <its SHA-256>

Runs on any machine with the project's environment (`make venv`), Linux or Windows, that reaches a package index. The
embeddable Python ("Windows embeddable package (64-bit)") comes from python.org; its SHA-256 is to be compared with the one
that is published there. docs/windows.md has the whole recipe.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
SUMS = "SHA256SUMS"
#: What goes beside the program: where it is here, and its name in the bundle.
BESIDE = {
    HERE / "install.ps1": "install.ps1",
    HERE / "uninstall.ps1": "uninstall.ps1",
    HERE / "network-service-view.ps1": "network-service-view.ps1",
    ROOT / "packaging/wayclear.example.toml": "wayclear.example.toml",
    HERE / "ServiceHost.cs": "program/ServiceHost.cs",
    HERE / "service_child.py": "program/service_child.py",
}
_PATH_FILE = re.compile(r"python(3)(\d+)\._pth")
_WINDOWS_ONLY = re.compile(r" ; sys_platform == 'win32'(?= )")
#: A pin with its hashes.
_ELSEWHERE_ONLY = re.compile(
    r"^\S+ ; sys_platform != 'win32' \\\n(?: +--hash=\S+ \\\n)* +--hash=\S+\n", re.MULTILINE
)


class CannotBundle(Exception):  # noqa: N818 - said to a person as it is
    """What was tried, what happened, what to do."""


def windows_lock(lock: str) -> str:
    """The lock without the markers of packages for Windows alone, and without the packages for other systems alone.

    pip asks the machine that it runs on, not the one it downloads for: it would leave out the former and take the latter.
    """
    return _WINDOWS_ONLY.sub("", _ELSEWHERE_ONLY.sub("", lock))


def python_version(embed: Path) -> str:
    """ "3.13" of an embeddable Python; CannotBundle for any other file."""
    try:
        names = zipfile.ZipFile(embed).namelist()
    except (OSError, zipfile.BadZipFile) as error:
        raise CannotBundle(f"{embed} cannot be opened as a zip file: {error}. Download it again.") from None
    found = [match for name in names if (match := _PATH_FILE.fullmatch(name))]
    if len(found) != 1 or "python.exe" not in names:
        raise CannotBundle(
            f'{embed} is no embeddable Python: take the "Windows embeddable package (64-bit)".'
        )
    return f"{found[0][1]}.{found[0][2]}"


def check(file: Path, sha256: str) -> None:
    """CannotBundle where the file has another SHA-256 than the published one."""
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise CannotBundle(f"{file} cannot be read: {error.strerror}.") from None
    if found != sha256.lower():
        raise CannotBundle(f"{file} has the SHA-256 {found}, not {sha256}: do not use it.")


def unpack_python(embed: Path, place: Path, version: str) -> None:
    """The embeddable Python, told where packages are. Its ._pth also keeps PYTHON* and the registry out (isolated)."""
    with zipfile.ZipFile(embed) as archive:
        archive.extractall(place)
    short = version.replace(".", "")
    (place / f"python{short}._pth").write_text(f"python{short}.zip\n.\nLib\\site-packages\n", "ascii")


def pip_arguments(version: str, lock: Path, target: Path) -> list[str]:
    """pip for another platform: wheels only, each with the hash that the lock names, nothing resolved."""
    return [
        "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--require-hashes", "--no-deps",
        "--only-binary=:all:", "--platform", "win_amd64", "--implementation", "cp", "--python-version", version,
        "--target", str(target), "--requirement", str(lock),
    ]  # fmt: skip


def install_wheels(version: str, target: Path, work: Path) -> None:
    """The locked wheels for Windows."""
    lock = work / "run-windows.txt"
    lock.write_text(windows_lock((ROOT / "requirements/run.txt").read_text("utf-8")), "utf-8")
    _run(sys.executable, "-m", "pip", *pip_arguments(version, lock, target))
    shutil.rmtree(target / "bin", ignore_errors=True)  # start scripts of the machine that this ran on


def install_wayclear(target: Path, work: Path) -> None:
    """wayclear's own wheel, built from this clone."""
    _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(work))
    (wheel,) = work.glob("wayclear-*.whl")
    with zipfile.ZipFile(wheel) as archive:  # a pure wheel: it is unpacked as it is
        archive.extractall(target)


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBundle(f"{' '.join(command[1:4])} failed:\n{done.stderr.strip()[-2000:]}")


def write_sums(tree: Path) -> None:
    """SHA256SUMS over everything in the bundle: install.ps1 compares before it copies."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(tree).as_posix()}\n"
        for file in sorted(tree.rglob("*"))
        if file.is_file()
    ]
    (tree / SUMS).write_text("".join(lines), "ascii", newline="\n")


def pack(tree: Path, output: Path) -> None:
    """One zip file; the same content gives the same bytes."""
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(tree.rglob("*")):
            if file.is_file():
                entry = zipfile.ZipInfo(f"wayclear/{file.relative_to(tree).as_posix()}")
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, file.read_bytes())


def bundle(embed: Path, sha256: str, output: Path) -> None:
    """The whole of it. CannotBundle with a sentence where something is not as it has to be."""
    check(embed, sha256)
    version = python_version(embed)
    with tempfile.TemporaryDirectory() as name:
        work, tree = Path(name, "work"), Path(name, "tree")
        python = tree / "program/python"
        for place in (work, python):
            place.mkdir(parents=True)
        unpack_python(embed, python, version)
        install_wheels(version, python / "Lib/site-packages", work)
        install_wayclear(python / "Lib/site-packages", work)
        for source, to in BESIDE.items():
            shutil.copyfile(source, tree / to)
        write_sums(tree)
        pack(tree, output)


def main() -> int:
    parser = argparse.ArgumentParser(description="Makes wayclear's offline bundle for Windows.")
    parser.add_argument(
        "--embed", type=Path, required=True, help="the embeddable Python, a zip file from python.org"
    )
    parser.add_argument("--sha256", required=True, help="its SHA-256, as published")
    parser.add_argument("--output", type=Path, default=Path("wayclear-windows.zip"))
    given = parser.parse_args()
    try:
        bundle(given.embed, given.sha256, given.output)
    except CannotBundle as error:
        sys.stderr.write(f"bundle: {error}\n")
        return 1
    digest = hashlib.sha256(given.output.read_bytes()).hexdigest()
    sys.stdout.write(f"{digest}  {given.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
