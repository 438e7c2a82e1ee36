"""Counts all refused sign-ins to the web server and logs some of them, so that a flood fills no disk.

The user name from a client is hostile text, and may be a password that a person has typed in the wrong field. So the
log shows it cut and in harmless form. The program never keeps the password.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Literal, TypeAlias

from rules.text.display import display

Reason: TypeAlias = Literal["password", "unreadable", "blocked", "certificate"]

BURST = 5  #: most log lines at once
INTERVAL = 12.0  #: seconds for each further one
LONGEST = 64  #: most characters of a user's name to show

_WORDS: dict[Reason, str] = {
    "password": "user or password is wrong",
    "unreadable": "the credentials cannot be read",
    "blocked": "too many wrong passwords from this address, it is not asked for another",
    "certificate": "no name of the client certificate is allowed",
}
_log = logging.getLogger("wayclear.http")


class SignIns:
    """Counts and logs refused sign-ins. Use it only on the event loop."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, say: Callable[[str], None] = _log.warning
    ) -> None:
        self.refused: dict[str, int] = dict.fromkeys(_WORDS, 0)  #: since the start
        self._clock, self._say = clock, say
        self._lines, self._at = float(BURST), clock()
        self._untold = 0

    def refuse(self, reason: Reason, user: str, peer: str) -> None:
        """Count a refused sign-in. `user`: as the client sent it, "" if it sent none."""
        self.refused[reason] += 1
        now = self._clock()
        self._lines = min(BURST, self._lines + (now - self._at) / INTERVAL)
        self._at = now
        if self._lines < 1:
            self._untold += 1
            return
        self._lines -= 1
        who = f'user "{display(user, LONGEST)}", ' if user else ""
        more = f"; {self._untold} more since the last such line" if self._untold else ""
        self._untold = 0
        self._say(f"sign-in refused: {_WORDS[reason]} ({who}from {display(peer, LONGEST)}){more}")
