"""sd_notify without a dependency: sends the service's state to the service manager.

The protocol is that of sd_notify(3) and systemd.service(5): assignments, one a line, to the AF_UNIX datagram socket in
NOTIFY_SOCKET ("/path" or "@abstract"). WATCHDOG_USEC and WATCHDOG_PID give the interval of the watchdog. Without
NOTIFY_SOCKET, on Windows and in a container everything here does nothing.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Mapping

from rules.text.display import display

LONGEST_STATUS = 200  #: characters of a status line: `systemctl status` shows one line
LONGEST_WAIT = 0.2  #: seconds that a message may wait for a manager whose queue is full
_MICROSECOND = 1e-6


class Notifier:
    """Sends messages to the service manager whose socket is in `environ`. Each method returns whether it was sent.

    A missing or full socket raises nothing: the service continues without a service manager.
    """

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        # Kept open: the watchdog must be notified also when descriptors have run out.
        self._socket: socket.socket | None = None
        #: Seconds between two calls of `watchdog()`: half of what the manager allows; None without a watchdog.
        self.interval = _interval(environ, os.getpid() if pid is None else pid) if self._address else None

    def ready(self) -> bool:
        """The service has started or reloaded."""
        return self._send("READY=1")

    def reloading(self) -> bool:
        """A reload begins; `ready()` ends it. The time stamp is what Type=notify-reload (systemd 253) asks for."""
        return self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> bool:
        """The service has begun to end."""
        return self._send("STOPPING=1")

    def watchdog(self) -> bool:
        """Notify the watchdog. Call it only from a task that stops if the service hangs."""
        return self._send("WATCHDOG=1")

    def status(self, text: str) -> bool:
        """One line for `systemctl status`, escaped: no text of a peer becomes a second message."""
        return self._send(f"STATUS={display(text, LONGEST_STATUS)}")

    def close(self) -> None:
        """Close the socket; closing twice is fine, and a later message opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, message: str) -> bool:
        if not self._address or sys.platform == "win32":
            return False
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.settimeout(LONGEST_WAIT)
            self._socket.sendto(message.encode("utf-8", "replace"), self._address)
        except (OSError, ValueError):  # ValueError: a NUL inside the path
            return False
        return True


def _address(name: str) -> bytes:
    """The socket's address; b"" for none. Other families of systemd (vsock) are for virtual machines."""
    path = b""
    with contextlib.suppress(UnicodeEncodeError):
        path = name.encode("utf-8", "surrogateescape")
    if path.startswith(b"@") and len(path) > 1:
        return b"\0" + path[1:]
    return path if path.startswith(b"/") else b""


def _interval(environ: Mapping[str, str], pid: int) -> float | None:
    """Half the watchdog's time in seconds; None if there is none, or if it is for another process."""
    period, owner = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if owner and owner != str(pid):
        return None
    if not (period.isascii() and period.isdigit() and len(period) <= 20) or not int(period):
        return None
    return int(period) * _MICROSECOND / 2
