"""The series of one target. Labels come from the rules and from closed lists; peers write none of them.

Series must be unique. So a name and port that several rule sets list under the same rule group is one target here:
each check shows its worst result, and the rest comes from the target with the heaviest status.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from exporters.metrics.catalogue import (
    CHECK,
    FAMILY,
    ISSUER_CLASS,
    RULE_GROUP,
    SERIES_OF_A_TARGET,
    STAGE,
    TLS_VERSION,
)
from exporters.metrics.owners import needs_action
from exporters.metrics.text_format import cause, clean, finite, labels, number
from rules.watch.state import CheckName, CheckState, TargetState

Key: TypeAlias = tuple[str, int, str]
"""What makes a target's series unique: host, port and rule group, as in the labels."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a target adds to the sums of its rule group."""

    group: str
    host: str
    addresses: tuple[int, ...]  # ok and failed of IPv4, ok and failed of IPv6
    chain: int | None  # names after the first; None without an answer
    ttl: float | None
    disagree: bool | None


FAMILIES = (
    "wayclear_check_success",
    "wayclear_check_measured",
    "wayclear_target_info",
    "wayclear_target_since_timestamp_seconds",
    "wayclear_target_addresses",
    "wayclear_tls_earliest_cert_expiry_timestamp_seconds",
    "wayclear_interception_ratio",
    "wayclear_last_stage_duration_seconds",
)
"""The families that have series for each target."""
_AT = {family: at for at, family in enumerate(FAMILIES)}
_Tails: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetText:
    """A target's samples, and its counts.

    Whole lines would take most of the memory of a target. So its labels are kept once (`base`). The text after the
    labels is kept by family (`tails`, in the order of `FAMILIES`); it is the same for nearly all targets.
    """

    base: str
    tails: tuple[_Tails, ...]
    series: int
    dropped: int
    tally: Tally
    required: bool

    def lines(self, family: str) -> str:
        """The samples of one family, each with its line end."""
        at = _AT.get(family)
        return "" if at is None else "".join([f"{family}{self.base}{tail}\n" for tail in self.tails[at]])


def key_of(found: TargetState) -> Key:
    """The `Key` of a target."""
    return clean(found.host), found.port, RULE_GROUP.closed(found.group)


def render(found: Sequence[TargetState], constant: str, owner: str = "") -> TargetText:
    """The text of all states of one key. `constant`: the constant labels as text, with a trailing comma if there are
    any. `owner`: who must act, "" if no action is needed."""
    one = found[0] if len(found) == 1 else merged(found)
    host, port, group = key_of(one)
    shown = labels((("target", host), ("port", str(port)), ("rule_group", group), ("via", "direct")))
    lines = list(_lines(one, owner))
    tails: list[list[str]] = [[] for _ in FAMILIES]
    for family, line in lines[:SERIES_OF_A_TARGET]:
        tails[_AT[family]].append(line)
    return TargetText(
        f"{{{constant}{shown}",
        tuple(_shared_tails(tuple(part)) for part in tails),
        min(len(lines), SERIES_OF_A_TARGET),
        max(0, len(lines) - SERIES_OF_A_TARGET),
        _tally(one, host, group),
        one.required,
    )


@lru_cache(maxsize=256)
def _shared_tails(tails: _Tails) -> _Tails:
    """One shared copy of equal tails."""
    return tails


@lru_cache(maxsize=256)
def _shared_counts(counts: tuple[int, ...]) -> tuple[int, ...]:
    """One shared copy of equal counts of a `Tally`."""
    return counts


def merged(found: Iterable[TargetState]) -> TargetState:
    """The heaviest of several states of one name and port, with the worst result of each check."""
    heaviest = max(found, key=lambda t: t.status.rank)
    return replace(heaviest, checks=tuple(_worst(c for t in found for c in t.checks).values()))


def _worst(checks: Iterable[CheckState]) -> dict[CheckName, CheckState]:
    """One result for each check, the worst: failure, then unknown, then success."""
    worst: dict[CheckName, CheckState] = {}
    for check in checks:
        known = worst.get(check.check)
        if known is None or _failure_order(check) > _failure_order(known):
            worst[check.check] = check
    return worst


def _failure_order(check: CheckState) -> int:
    return 1 if not check.measured else 0 if check.success else 2


def _lines(found: TargetState, owner: str) -> Iterator[tuple[str, str]]:
    """Family and the text after the target's labels, the more important first: the limit cuts the rest."""
    checks = _worst(found.checks)
    for name in CHECK.values:
        check = checks.get(name)  # type: ignore[call-overload]  # the list of CheckName's values
        if check is not None:
            success = check.success and check.measured
            yield "wayclear_check_success", f',check="{name}"}} {success:d}'
            yield "wayclear_check_measured", f',check="{name}"}} {check.measured:d}'
    yield "wayclear_target_info", f",{_info(found, owner)}}} 1"
    if needs_action(found) and finite(found.since):
        yield "wayclear_target_since_timestamp_seconds", f"}} {number(found.since)}"
    good, bad = _counts(found)
    yield "wayclear_target_addresses", f',state="ok"}} {sum(good.values())}'
    yield "wayclear_target_addresses", f',state="failed"}} {sum(bad.values())}'
    if finite(found.expiry):
        yield "wayclear_tls_earliest_cert_expiry_timestamp_seconds", f"}} {number(found.expiry)}"
    if found.handshakes > 0:
        ratio = number(found.intercepted / found.handshakes)
        yield "wayclear_interception_ratio", f"}} {ratio}"
    stages = dict(found.stages)
    for stage in STAGE.values:
        seconds = stages.get(stage)  # type: ignore[call-overload]  # the list of StageName's values
        # HTTP inside TLS belongs to the tls check.
        if finite(seconds) and not (stage == "http" and "tls" in stages):
            yield "wayclear_last_stage_duration_seconds", f',stage="{stage}"}} {number(seconds)}'


def _info(found: TargetState, owner: str) -> str:
    return labels(
        (
            ("check", CHECK.closed(found.check)),
            ("cause", cause(found.cause)),
            ("owner", owner),
            ("issuer_class", ISSUER_CLASS.closed(found.issuer_class)),
            ("tls_version", TLS_VERSION.closed(found.tls_version)),
        )
    )


def _counts(found: TargetState) -> tuple[dict[str, int], dict[str, int]]:
    """Addresses whose last attempt succeeded, and those whose last attempt failed, by family."""
    good, bad = dict.fromkeys(FAMILY.values, 0), dict.fromkeys(FAMILY.values, 0)
    for address in found.addresses:
        if address.ok is not None:
            (good if address.ok else bad)[address.family] += 1
    return good, bad


def _tally(found: TargetState, host: str, group: str) -> Tally:
    good, bad = _counts(found)
    counts = tuple(n for family in FAMILY.values for n in (good[family], bad[family]))
    answered = found.ttl is not None or bool(found.chain)
    chain = sum(1 for name in found.chain if name != found.host) if answered else None
    ttl = found.ttl if finite(found.ttl) else None
    return Tally(
        group,
        host,
        _shared_counts(counts),
        chain,
        ttl,
        None if found.resolvers_agree is None else not found.resolvers_agree,
    )
