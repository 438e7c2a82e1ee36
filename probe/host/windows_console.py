"""The console of Windows: whether it obeys escape sequences.

Windows Terminal always does. The older console does from Windows 10 version 1511, and only after a program has asked for it
("Console Virtual Terminal Sequences" and "SetConsoleMode function", learn.microsoft.com). Where it does not, it shows the
sequences as text.
"""

from __future__ import annotations

import sys
from typing import IO, Protocol

PROCESSED = 0x0001  #: ENABLE_PROCESSED_OUTPUT, which the next one needs
VIRTUAL_TERMINAL = 0x0004  #: ENABLE_VIRTUAL_TERMINAL_PROCESSING


class Console(Protocol):
    """The two calls of kernel32.dll, by the number of a file descriptor."""

    def mode(self, descriptor: int) -> int | None:
        """The output mode; None if this is no console."""
        ...

    def set_mode(self, descriptor: int, mode: int) -> bool:
        """Whether the console took the mode."""
        ...


def obeys_escapes(stream: IO[str], console: Console) -> bool:
    """Whether the console behind `stream` obeys escape sequences. Asks it to."""
    try:
        descriptor = stream.fileno()
        mode = console.mode(descriptor)
        if mode is None:
            return False
        wanted = mode | PROCESSED | VIRTUAL_TERMINAL
        return mode == wanted or console.set_mode(descriptor, wanted)
    except (OSError, ValueError, AttributeError):  # no stream, closed, or a call is missing
        return False


def shows_escapes(stream: IO[str]) -> bool:
    """Whether the terminal behind `stream` obeys escape sequences: on other systems than Windows always."""
    if sys.platform == "win32":
        try:
            return obeys_escapes(stream, _Kernel32())
        except (OSError, AttributeError):  # the library or a call is missing
            return False
    return True


if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    class _Kernel32:
        """kernel32.dll itself. Run under Wine (tests/windows), never on Windows."""

        def __init__(self) -> None:
            library = ctypes.WinDLL("kernel32")
            self._get = library.GetConsoleMode
            self._get.argtypes = [wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD)]
            self._get.restype = wintypes.BOOL
            self._set = library.SetConsoleMode
            self._set.argtypes = [wintypes.HANDLE, wintypes.DWORD]
            self._set.restype = wintypes.BOOL

        def mode(self, descriptor: int) -> int | None:
            found = wintypes.DWORD()
            known = self._get(msvcrt.get_osfhandle(descriptor), ctypes.byref(found))
            return found.value if known else None

        def set_mode(self, descriptor: int, mode: int) -> bool:
            return bool(self._set(msvcrt.get_osfhandle(descriptor), mode))
