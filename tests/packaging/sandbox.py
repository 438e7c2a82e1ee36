"""Runs a command under the restrictions of the shipped unit, without systemd as the first process.

    python -m tests.packaging.sandbox UNIT COMMAND...

What is taken from the unit: the system call filter, the address families, MemoryDenyWriteExecute, the capabilities, the
user namespace, NoNewPrivileges, limits and the umask. The rest (mounts, /proc) is systemd's own business. The command
sees no network but a loopback device of its own.
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import re
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
SCMP_ACT_ALLOW, SCMP_ACT_EPERM = 0x7FFF0000, 0x00050001
SCMP_CMP_EQ, SCMP_CMP_MASKED_EQ = 4, 7
PROT_WRITE, PROT_EXEC = 2, 4
LIMITS = {"LimitCORE": resource.RLIMIT_CORE, "LimitNOFILE": resource.RLIMIT_NOFILE}


def settings(unit: Path) -> dict[str, list[str]]:
    """Every setting of [Service] with all its values in order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in unit.read_text("utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section == "[Service]":
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@functools.cache
def groups() -> dict[str, tuple[str, ...]]:
    """systemd's own groups of system calls, as they are listed."""
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, timeout=30, check=True
    ).stdout  # fmt: skip
    blocks = re.findall(r"^(@[a-z-]+)\n((?:    .*\n)+)", listed, re.MULTILINE)
    return {name: tuple(re.findall(r"^    ([@a-z0-9_-]+)$", body, re.MULTILINE)) for name, body in blocks}


def members(names: Iterable[str]) -> set[str]:
    """System calls out of names and groups."""
    found: set[str] = set()
    for name in names:
        found |= members(groups()[name]) if name.startswith("@") else {name}
    return found


def allowed(filters: Iterable[str]) -> set[str]:
    """What SystemCallFilter= lets through: lists are added, lists behind a tilde are taken out again."""
    calls: set[str] = set()
    for one in filters:
        if one.startswith("~"):
            calls -= members(one[1:].split())
        else:
            calls |= members(one.split())
    return calls


class _Compare(ctypes.Structure):
    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("datum_a", ctypes.c_uint64),
        ("datum_b", ctypes.c_uint64),
    )


class Filter:
    """A seccomp filter under construction, by libseccomp, which systemd itself uses."""

    def __init__(self, otherwise: int) -> None:
        self._library = ctypes.CDLL("libseccomp.so.2")
        self._library.seccomp_init.restype = ctypes.c_void_p
        self._context = ctypes.c_void_p(self._library.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action: int, name: str, *compare: tuple[int, int, int, int]) -> None:
        """What happens at the system call `name`; one that this processor does not have is passed over."""
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return
        array = (_Compare * len(compare))(*(_Compare(*one) for one in compare))
        code = self._library.seccomp_rule_add_array(
            self._context, ctypes.c_uint32(action), number, len(compare), array
        )
        assert code == 0, f"{name}: libseccomp says {code}"

    def load(self) -> None:
        assert self._library.seccomp_load(self._context) == 0


def restrict(unit: dict[str, list[str]]) -> None:
    """Take away from this process what the unit takes away. There is no way back."""
    calls = Filter(SCMP_ACT_EPERM)
    for name in sorted(allowed(unit["SystemCallFilter"]) - {"socket"}):
        calls.rule(SCMP_ACT_ALLOW, name)
    for family in " ".join(unit["RestrictAddressFamilies"]).split():
        calls.rule(SCMP_ACT_ALLOW, "socket", (0, SCMP_CMP_EQ, int(getattr(socket, family)), 0))
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    assert libc.unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{user} {user} 1"),
        ("gid_map", f"{group} {group} 1"),
    ):
        Path("/proc/self", file).write_text(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))
    for name, limit in LIMITS.items():
        hard = resource.getrlimit(limit)[1]
        value = int(unit[name][-1])
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    os.umask(int(unit["UMask"][-1], 8))
    if unit["CapabilityBoundingSet"] == [""]:
        for capability in range(64):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL past the last one
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    if unit["MemoryDenyWriteExecute"] == ["yes"]:
        memory = Filter(SCMP_ACT_ALLOW)
        both = PROT_WRITE | PROT_EXEC
        memory.rule(SCMP_ACT_EPERM, "mmap", (2, SCMP_CMP_MASKED_EQ, both, both))
        memory.rule(SCMP_ACT_EPERM, "mprotect", (2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC))
        memory.load()
    calls.load()


def main() -> None:
    unit, *command = sys.argv[1:]
    restrict(settings(Path(unit)))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
