"""Maintenance windows: they mute alerts and, if configured, also pause all measurements."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from rules.text.moments import local

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Window:
    """Either one period (`start` to `end`, Unix time) or every week on `days` (0 is Monday) between two times of day.

    `begins` and `ends` are seconds after midnight in `zone`; a window that ends before it begins lasts into the next
    day. `pause`: the service measures nothing during the window.
    """

    name: str
    start: float | None = None
    end: float | None = None
    days: tuple[int, ...] = ()
    begins: int = 0
    ends: int = 0
    zone: datetime.tzinfo = datetime.UTC
    pause: bool = False

    def open(self, now: float) -> bool:
        """Whether `now` (Unix time) is inside."""
        if self.start is not None and self.end is not None:
            return self.start <= now < self.end
        at = local(now, self.zone)
        second = at.hour * 3600 + at.minute * 60 + at.second
        today, yesterday = at.weekday(), (at.weekday() - 1) % 7
        if self.begins < self.ends:
            return today in self.days and self.begins <= second < self.ends
        return (today in self.days and second >= self.begins) or (
            yesterday in self.days and second < self.ends
        )


def open_window(windows: tuple[Window, ...], now: float) -> Window | None:
    """The open window; one that pauses has priority."""
    found = [w for w in windows if w.open(now)]
    return next((w for w in found if w.pause), found[0] if found else None)
