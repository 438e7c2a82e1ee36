"""Network namespaces and private mounts by system call: they leave no names and no files on the host."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
CLONE_NEWUSER = 0x10000000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
PR_SET_PDEATHSIG = 1
SIGKILL = 9

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def die_with_parent() -> None:
    """Ask the kernel to kill this process when the thread that started it ends (prctl(2))."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl")


def unshare(flags: int) -> None:
    """Leave the namespaces named by `flags` for new ones (unshare(2))."""
    _check(_libc.unshare(flags), "unshare")


def enter(fd: int) -> None:
    """Enter the network namespace that `fd` is open on (setns(2))."""
    _check(_libc.setns(fd, CLONE_NEWNET), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2)."""
    result = _libc.mount(source.encode(), target.encode(), kind.encode(), flags, data.encode())
    _check(result, f"mount {source} on {target}")


def new_network() -> int:
    """A descriptor of a fresh network namespace; the caller stays in its own. Not for threads."""
    here = os.open("/proc/self/ns/net", os.O_RDONLY)
    try:
        unshare(CLONE_NEWNET)
        return os.open("/proc/self/ns/net", os.O_RDONLY)
    finally:
        enter(here)
        os.close(here)


def private_files(files: Mapping[str, str]) -> None:
    """In a separate mount namespace, mount the files `files` (path -> file to show there) over the host's.

    `/run` becomes empty, which hides the host's name service caches and whatever a linked resolv.conf points to.
    """
    unshare(CLONE_NEWNS)
    mount("none", "/", flags=MS_REC | MS_PRIVATE)
    mount("tmpfs", "/run", "tmpfs")
    for shown, source in files.items():
        target = Path(shown).resolve()
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        mount(source, str(target), flags=MS_BIND)


def entering(fd: int, files: Mapping[str, str], *, unprivileged: bool = False) -> Callable[[], None]:
    """The steps of a child before its exec to run in namespace `fd` with `files`.

    `unprivileged`: as a user other than root (Squid refuses to serve as root and cannot change its user here).
    """

    def prepare() -> None:
        die_with_parent()
        enter(fd)
        private_files(files)
        if unprivileged:
            _become_nobody()

    return prepare


def identity() -> tuple[int, int]:
    """Our user and group ids. The lab exists on Linux only; elsewhere its modules still type-check."""
    if sys.platform == "win32":
        raise OSError("the lab needs Linux")
    return os.getuid(), os.getgid()


def kill_session(leader: int) -> None:
    """Kill every process of a group; an ended process is not a fault."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError):
            os.killpg(leader, SIGKILL)


def _become_nobody() -> None:
    outside_user, outside_group = identity()
    unshare(CLONE_NEWUSER)
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"1000 {outside_user} 1"),
        ("gid_map", f"1000 {outside_group} 1"),
    ):
        Path(f"/proc/self/{file}").write_text(text, encoding="ascii")
