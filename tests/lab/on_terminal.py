"""Runs a command on its own terminal and reports what appeared there: `python -m tests.lab.on_terminal OPTIONS
COMMAND...`.

`OPTIONS` is a JSON object. `interrupt`: it types Ctrl-C after this text has appeared ("": never). `columns`: the width
of the terminal. The result is a JSON object on standard output: exit code, the output on the terminal, seconds between
Ctrl-C and the end, and the command lines of processes that the command left behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import sys
import termios
import time
from pathlib import Path


def run(argv: list[str], interrupt: str, columns: int) -> dict[str, object]:
    """Run the command to its end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(argv[0], argv)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    shown, typed = b"", 0.0
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # the other end is closed (EIO)
            piece = b""
        if not piece:
            break
        shown += piece
        if interrupt and not typed and interrupt.encode() in shown:
            typed = time.monotonic()
            os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    ended = time.monotonic()
    return {
        "code": os.waitstatus_to_exitcode(status),
        "shown": shown.decode(errors="replace"),
        "after": ended - typed if typed else 0.0,
        "left": left_behind(pid),
    }


def left_behind(session: int) -> list[str]:
    """Processes of the session that still exist."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session:
                    found.append((entry / "cmdline").read_text().replace("\0", " "))
            except OSError:  # it ended during this loop
                continue
    return found


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    print(json.dumps(run(sys.argv[2:], options.get("interrupt", ""), options.get("columns", 100))))
