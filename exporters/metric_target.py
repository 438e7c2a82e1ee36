"""The series of one target. Labels come from the rules and from closed lists; nothing here is written by a peer.

A name and port that several rule sets ask for under the same rule group is one target here, because series must be
unique: of each check the worst result is told, the rest is that of the heaviest target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from exporters.catalogue import (
    CHECK,
    FAMILY,
    ISSUER_CLASS,
    RULE_GROUP,
    SERIES_OF_A_TARGET,
    STAGE,
    TLS_VERSION,
)
from exporters.metric_text import cause, clean, finite, labels, number
from rules.state import CheckName, CheckState, TargetState

Key: TypeAlias = tuple[str, int, str]
"""What makes a target's series unique: host, port and rule group, as the labels show them."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a target adds to the sums of its rule group."""

    group: str
    host: str
    addresses: tuple[int, ...]  # ok and failed of IPv4, ok and failed of IPv6
    chain: int | None  # names behind the first; None without an answer
    ttl: float | None
    disagree: bool | None


@dataclass(frozen=True, slots=True)
class TargetText:
    """A target's samples, by family, and what is counted of it."""

    samples: tuple[tuple[str, bytes], ...]
    series: int
    dropped: int
    tally: Tally
    required: bool


def key_of(found: TargetState) -> Key:
    """See `Key`."""
    return clean(found.host), found.port, RULE_GROUP.closed(found.group)


def render(found: Sequence[TargetState], constant: str) -> TargetText:
    """The text of all states of one key. `constant`: the constant labels as text, with a comma behind if there are any."""
    one = found[0] if len(found) == 1 else merged(found)
    host, port, group = key_of(one)
    shown = labels((("target", host), ("port", str(port)), ("rule_group", group), ("via", "direct")))
    lines = list(_lines(one, f"{{{constant}{shown}"))
    families: dict[str, list[str]] = {}
    for family, line in lines[:SERIES_OF_A_TARGET]:
        families.setdefault(family, []).append(f"{family}{line}\n")
    return TargetText(
        tuple((family, "".join(part).encode()) for family, part in families.items()),
        min(len(lines), SERIES_OF_A_TARGET),
        max(0, len(lines) - SERIES_OF_A_TARGET),
        _tally(one, host, group),
        one.required,
    )


def merged(found: Iterable[TargetState]) -> TargetState:
    """The heaviest of several states of one name and port, with the worst result of each check."""
    heaviest = max(found, key=lambda t: t.status.weight)
    return replace(heaviest, checks=tuple(_worst(c for t in found for c in t.checks).values()))


def _worst(checks: Iterable[CheckState]) -> dict[CheckName, CheckState]:
    """One result for each check. A failure is worse than what is not known, and that is worse than a success."""
    worst: dict[CheckName, CheckState] = {}
    for check in checks:
        known = worst.get(check.check)
        if known is None or _badness(check) > _badness(known):
            worst[check.check] = check
    return worst


def _badness(check: CheckState) -> int:
    return 1 if not check.measured else 0 if check.success else 2


def _lines(found: TargetState, base: str) -> Iterator[tuple[str, str]]:
    """Family and the rest of the line, the more important first: what is beyond the limit is left out."""
    checks = _worst(found.checks)
    for name in CHECK.values:
        check = checks.get(name)  # type: ignore[call-overload]  # the list of CheckName's values
        if check is not None:
            success = check.success and check.measured
            yield "wayclear_check_success", f'{base},check="{name}"}} {success:d}'
            yield "wayclear_check_measured", f'{base},check="{name}"}} {check.measured:d}'
    yield "wayclear_target_info", f"{base},{_info(found)}}} 1"
    good, bad = _counts(found)
    yield "wayclear_target_addresses", f'{base},state="ok"}} {sum(good.values())}'
    yield "wayclear_target_addresses", f'{base},state="failed"}} {sum(bad.values())}'
    if finite(found.expiry):
        yield "wayclear_tls_earliest_cert_expiry_timestamp_seconds", f"{base}}} {number(found.expiry)}"
    if found.handshakes > 0:
        ratio = number(found.intercepted / found.handshakes)
        yield "wayclear_interception_ratio", f"{base}}} {ratio}"
    stages = dict(found.stages)
    for stage in STAGE.values:
        seconds = stages.get(stage)  # type: ignore[call-overload]  # the list of StageName's values
        if finite(seconds) and not (
            stage == "http" and "tls" in stages
        ):  # inside TLS it belongs to the tls check
            yield "wayclear_last_stage_duration_seconds", f'{base},stage="{stage}"}} {number(seconds)}'


def _info(found: TargetState) -> str:
    return labels(
        (
            ("check", CHECK.closed(found.check)),
            ("cause", cause(found.cause)),
            ("issuer_class", ISSUER_CLASS.closed(found.issuer_class)),
            ("tls_version", TLS_VERSION.closed(found.tls_version)),
        )
    )


def _counts(found: TargetState) -> tuple[dict[str, int], dict[str, int]]:
    """Addresses whose last try went well, and those whose last try failed, by family."""
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
        group, host, counts, chain, ttl, None if found.resolvers_agree is None else not found.resolvers_agree
    )
