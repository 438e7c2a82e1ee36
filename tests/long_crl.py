"""Lists of any length for tests, and how much memory a process needed at most."""

from __future__ import annotations

import hashlib

#: What tells the peak of a command: `python -c WRAPPER FILE COMMAND ...` writes it into FILE, in MiB, and ends as it did.
WRAPPER = """
import os, sys
pid = os.fork()
if not pid:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(pid, 0)
open(sys.argv[1], "w").write(str(used.ru_maxrss // 1024))
sys.exit(os.waitstatus_to_exitcode(status))
"""
_ALGORITHM = bytes.fromhex("300a06082a8648ce3d040302")
_NAME = bytes.fromhex("300c310a300806035504030c0178")  # CN=x
_BEGINS, _ENDS = b"\x17\x0d261101000000Z", b"\x17\x0d271101000000Z"


def sequence(content: bytes) -> bytes:
    """A SEQUENCE with its length in as few octets as DER wants."""
    size = len(content)
    length = size.to_bytes((size.bit_length() + 7) // 8)
    head = bytes([size]) if size < 0x80 else bytes([0x80 | len(length)]) + length
    return b"\x30" + head + content


def long_crl(entries: int) -> bytes:
    """A list of so many entries, 28 bytes each, of a CA that is nowhere known; its last 64 bytes are its signature's."""
    listed = b"".join(b"\x30\x1a\x02\x09\x01" + n.to_bytes(8) + _BEGINS for n in range(entries))
    signed = sequence(b"\x02\x01\x01" + _ALGORITHM + _NAME + _BEGINS + _ENDS + sequence(listed))
    return sequence(signed + _ALGORITHM + b"\x03\x41\x00" + bytes(64))


def another(crl: bytes, number: int) -> bytes:
    """The same list with another signature: another document."""
    return crl[:-64] + hashlib.sha512(str(number).encode()).digest()
