"""Moments in words, for a host whose local time is known: local time first, then UTC."""

from __future__ import annotations

from dataclasses import dataclass

from rules.files.report_json import to_rfc3339


@dataclass(frozen=True, slots=True)
class Moments:
    """Writes Unix times. `begun`: the moment whose day needs no date. `offset`: seconds that local time is ahead of UTC; with 0
    or None UTC stands alone."""

    begun: float
    offset: int | None = None

    def minute(self, moment: float) -> str:
        """`09:14 UTC`, `11:14 (09:14 UTC)`, on another day than `begun` `2026-11-03 00:10 (22:10 UTC)`."""
        return self._clock(moment, 5)

    def second(self, moment: float) -> str:
        """As `minute`, with seconds."""
        return self._clock(moment, 8)

    def dated(self, moment: float) -> str:
        """`2026-11-02 09:14 UTC`, `2026-11-02 11:14 local time (09:14 UTC)`."""
        utc = _written(moment)[:16]
        if not self.offset:
            return f"{utc} UTC"
        local = _written(moment + self.offset)[:16]
        return f"{local} local time ({utc if utc[:10] != local[:10] else utc[11:]} UTC)"

    def _clock(self, moment: float, length: int) -> str:
        ahead = self.offset or 0
        local, utc = _written(moment + ahead), _written(moment)[11 : 11 + length]
        date = f"{local[:10]} " if local[:10] != _written(self.begun + ahead)[:10] else ""
        return f"{date}{local[11 : 11 + length]} ({utc} UTC)" if self.offset else f"{date}{utc} UTC"


def _written(moment: float) -> str:
    return to_rfc3339(moment).replace("T", " ")
