"""What each panel has to show of the broken fleet of `test_end_to_end.py`, by its values.

The fleet: `conn-dub-1` cannot reach the Relay of a region, `conn-sin-1` is intercepted, `conn-syd-1` cannot reach sign-in,
`conn-dub-2` cannot download three CRLs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.lab.monitoring import MEMBERS

NAMES = tuple(member.name for member in MEMBERS)
FIREWALL = "Firewall team"


@dataclass(frozen=True, slots=True)
class Shown:
    """The samples of one query."""

    samples: tuple[tuple[Mapping[str, str], float], ...]

    @staticmethod
    def read(found: list[dict[str, Any]]) -> Shown:
        """As Prometheus' API gives them."""
        return Shown(tuple((one["metric"], float(one["value"][1])) for one in found))

    def of(self, **labels: str) -> list[float]:
        """The values of the samples with these labels, in order."""
        return sorted(value for own, value in self.samples if labels.items() <= own.items())

    def one(self, **labels: str) -> float:
        """The only one of them."""
        (value,) = self.of(**labels)
        return value

    def all(self, name: str, **labels: str) -> set[str]:
        """The values of a label."""
        return {own.get(name, "") for own, _ in self.samples if labels.items() <= own.items()}

    def by(self, name: str) -> dict[str, float]:
        """The values by one label that tells them apart."""
        assert len(self.all(name)) == len(self.samples), f"{name} does not"
        return {own.get(name, ""): value for own, value in self.samples}


Holds: TypeAlias = Callable[[Shown], bool]


def every(low: float, high: float, *labels: str) -> Holds:
    """Each connector has a value, and each value lies between the two; `labels` are there."""

    def holds(shown: Shown) -> bool:
        inside = all(low <= value <= high for _, value in shown.samples)
        named = all(label in own for own, _ in shown.samples for label in labels)
        return inside and named and shown.all("connector") == set(NAMES)

    return holds


def by_connector(**values: float) -> Holds:
    """These values of the connectors, the other ones have `else_`."""
    else_ = values.pop("else_")
    wanted = dict.fromkeys(NAMES, else_) | {name.replace("_", "-"): value for name, value in values.items()}
    return lambda shown: shown.by("connector") == wanted


def exactly(value: float) -> Holds:
    """One number."""
    return lambda shown: [found for _, found in shown.samples] == [value]


def recent(milliseconds: bool = False) -> Holds:
    """Moments within the last hour."""
    unit = 1000 if milliseconds else 1
    return lambda shown: (
        bool(shown.samples)
        and all(time.time() - 3600 < value / unit <= time.time() + 5 for _, value in shown.samples)
    )
