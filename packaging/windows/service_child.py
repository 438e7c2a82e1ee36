"""wayclear as the child of wayclear-service.exe: ends in good order when its standard input is closed.

Windows has no SIGTERM from one process to another. The service host holds the other end of the input; when it is asked to
stop it closes it, and when it dies the system does. Either way what follows is what SIGTERM does elsewhere.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

PATIENCE = 10.0  #: seconds for ending in good order; `serve` needs at most 5


def follow(descriptor: int) -> None:
    """Wait for the end of an input, then ask this process to end, and end it if it does not."""
    while os.read(descriptor, 4096):
        pass  # nothing is ever sent
    last_resort = threading.Timer(PATIENCE, os._exit, (1,))
    last_resort.daemon = True
    last_resort.start()
    signal.raise_signal(
        getattr(signal, "SIGBREAK", signal.SIGTERM)
    )  # what `serve` ends on, on Windows and elsewhere


def main() -> int:
    # The descriptor and not sys.stdin: a thread that waits in there would hold up the end of the interpreter.
    threading.Thread(target=follow, args=(sys.stdin.fileno(),), daemon=True).start()
    from probe.command.main import main as wayclear

    return wayclear(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
