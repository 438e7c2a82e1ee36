"""Ledgers: all values that each endpoint has shown, taken from a state, and the news among them.

News raises no alert: Microsoft changes names, addresses and issuers all the time. The history keeps it because an
engineer needs it when something breaks: "since Tuesday the chain ends in another zone".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from rules.text.display import display
from rules.text.zones import zone
from rules.watch.events import Drift, LedgerEntry, LedgerKind
from rules.watch.state import State, TargetState

REVOCATION = "revocation"
"""The endpoint of revocation sources that no certificate names, but the rules do."""
REFRESH = 3600.0  #: seconds after which an entry that is still seen is written again, with its new last time
MOST = 1000  #: most entries of one endpoint and kind; if there are more, the one seen longest ago is dropped
_LISTED = 3  # most pieces of news in one sentence
_SHOWN = 100  # characters of a peer's text in a sentence
_UNDER = " under "  # between the class of an issuer and its root

Key: TypeAlias = tuple[str, LedgerKind, str]
_Place: TypeAlias = tuple[str, LedgerKind]


def entries(state: State) -> tuple[LedgerEntry, ...]:
    """Every CNAME, address, issuer and revocation source in `state`, each once.

    The endpoint of names and addresses is the host, because all its ports share them. The endpoint of issuers is
    "host:port". The endpoints of sources are those whose certificates name them, else `REVOCATION`. Addresses that DNS
    does not return now are left out: the ledger has seen them before.
    """
    found: dict[Key, LedgerEntry] = {}
    for target in state.targets:
        at = state.now if target.measured is None else target.measured
        for endpoint, kind, value, mark in _shown_by(target):
            found[endpoint, kind, value] = LedgerEntry(endpoint, kind, value, at, at, mark)
    for source in state.sources:
        for endpoint in source.endpoints or (REVOCATION,):
            found[endpoint, source.kind, source.url] = LedgerEntry(
                endpoint, source.kind, source.url, state.now, state.now
            )
    return tuple(found.values())


def _shown_by(target: TargetState) -> Iterator[tuple[str, LedgerKind, str, str]]:
    """Endpoint, kind, value and mark of everything that one target shows."""
    for name in target.chain:
        if name != target.host:
            yield target.host, "cname", name, ""
    for address in target.addresses:
        if address.current and not address.stale:
            yield target.host, "address", address.address, ""
    if target.issuer:
        mark = issuer_mark(target.issuer_class, target.root)
        yield target.name, "issuer", f"{target.issuer} [{mark}]" if mark else target.issuer, mark


def issuer_mark(issuer_class: str, root: str = "") -> str:
    """The text by which issuers are compared: the class, and the root of the chain if it is known."""
    return f"{issuer_class}{_UNDER}{root}" if root else issuer_class


def drifts(known: Iterable[LedgerEntry], fresh: Iterable[LedgerEntry]) -> tuple[Drift, ...]:
    """The news in `fresh` compared with `known`: at most one drift for an endpoint and kind.

    News is a zone (`rules/text/zones.py`) that a chain never had, an issuer of another class or under another root, a
    new host of a revocation source, and an address whose /16 (IPv4) or /32 (IPv6) is new. The first values of an
    endpoint are not news.
    """
    before: dict[_Place, list[LedgerEntry]] = defaultdict(list)
    for entry in known:
        before[entry.endpoint, entry.kind].append(entry)
    after: dict[_Place, list[LedgerEntry]] = defaultdict(list)
    for entry in fresh:
        after[entry.endpoint, entry.kind].append(entry)
    found = []
    for (endpoint, kind), shown in after.items():
        if not _was_seen(endpoint, kind, before):
            continue
        old = {_feature(entry) for entry in before.get((endpoint, kind), ())}
        if kind == "cname":
            old.add(_suffix(endpoint))  # a name of the host's own zone is not news
        news: dict[str, LedgerEntry] = {}
        for entry in shown:
            feature = _feature(entry)
            if feature and feature not in old:
                news.setdefault(feature, entry)
        if news:
            first = next(iter(news.values()))
            found.append(Drift(first.last, endpoint, kind, first.value, _sentence(endpoint, kind, news, old)))
    return tuple(found)


def _was_seen(endpoint: str, kind: LedgerKind, before: dict[_Place, list[LedgerEntry]]) -> bool:
    """Whether this kind of value was known before. A name with addresses and no CNAME has shown that it had none."""
    return (endpoint, kind) in before or (kind == "cname" and (endpoint, "address") in before)


def _feature(entry: LedgerEntry) -> str:
    """The part by which entries are compared; "" if it is unknown, which is not news."""
    if entry.kind == "cname":
        return _suffix(entry.value)
    if entry.kind == "address":
        return _network(entry.value)
    if entry.kind == "issuer":
        return entry.mark
    return _host(entry.value)


def _suffix(name: str) -> str:
    """The zone by which aliases are compared.

    Possible error: a move from one customer to another under one suffix of the private section (`trafficmanager.net`)
    is not news. It must not be news, because the service itself uses such suffixes.
    """
    return zone(name)


def _network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    return str(ip_network((address.packed, 16 if address.version == 4 else 32), strict=False))


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # brackets without an address
        return ""


def _sentence(endpoint: str, kind: LedgerKind, news: dict[str, LedgerEntry], old: set[str]) -> str:
    """`news`: each new feature with the first entry that shows it; `old`: the known features."""
    place = display(endpoint)
    if kind == "issuer":
        return _issuer_sentence(place, *next(iter(news.items())), old)
    features = [display(feature, _SHOWN) for feature in list(news)[:_LISTED]]
    listed = ", ".join(features) + (f" and {len(news) - _LISTED} more" if len(news) > _LISTED else "")
    many = len(news) > 1
    if kind == "cname":
        return f"{'new suffixes' if many else 'a new suffix'} in the chain of {place}: {listed}"
    if kind == "address":
        return f"{place} now has addresses in {listed}"
    return f"{'new hosts' if many else 'a new host'} of {kind.upper()}s: {listed}"


def _issuer_sentence(place: str, mark: str, entry: LedgerEntry, old: set[str]) -> str:
    """Another root matters less than another class: a CA has many roots, and an interceptor has another class."""
    issuer_class, _, root = mark.partition(_UNDER)
    if root and any(known.partition(_UNDER)[0] == issuer_class for known in old):
        return f"issuer of {place} now under another root, {display(root, _SHOWN)}: {display(entry.value)}"
    return f"issuer of {place} now of another class, {display(issuer_class, _SHOWN)}: {display(entry.value)}"


@dataclass(frozen=True, slots=True)
class Sighting:
    """The additions of one judgement: entries to write, and the news in them."""

    write: tuple[LedgerEntry, ...]
    drifts: tuple[Drift, ...]


class Ledger:
    """Everything that was ever seen, by endpoint. The cost of `see()` is in proportion to the entries seen, not to the
    known ones."""

    def __init__(self, known: Iterable[LedgerEntry] = ()) -> None:
        self._known: dict[Key, LedgerEntry] = {}
        self._written: dict[Key, float] = {}  # the last time that was returned for writing
        self._of: dict[str, tuple[Key, ...]] = {}  # by endpoint, in the order of first seen
        for entry in known:
            self._keep(entry, written=True)

    def __len__(self) -> int:
        return len(self._known)

    def see(self, fresh: Iterable[LedgerEntry]) -> Sighting:
        """Record the entries seen now. Known entries that were written within the hour are not written again."""
        shown = tuple(fresh)
        news = [e for e in shown if (e.endpoint, e.kind, e.value) not in self._known]
        found = drifts(self._context(news), news)
        write = []
        for entry in shown:
            key = (entry.endpoint, entry.kind, entry.value)
            old = self._known.get(key)
            # Also if the clock was set back: otherwise an entry "last seen" next year would stay so until then.
            due = old is None or abs(entry.last - self._written[key]) >= REFRESH
            kept = entry if old is None else replace(old, last=entry.last, mark=entry.mark)
            self._keep(kept, written=due)
            if due:
                write.append(kept)
        return Sighting(tuple(write), found)

    def forget(self, before: float) -> int:
        """Drop entries that were last seen before this Unix time, as the history does. Returns their number."""
        old = {key for key, entry in self._known.items() if entry.last < before}
        for key in old:
            del self._known[key], self._written[key]
        for endpoint in {key[0] for key in old}:
            left = tuple(key for key in self._of[endpoint] if key not in old)
            if left:
                self._of[endpoint] = left
            else:
                del self._of[endpoint]
        return len(old)

    def _context(self, news: Iterable[LedgerEntry]) -> Iterator[LedgerEntry]:
        """All known entries of the endpoints that have something new."""
        for endpoint in dict.fromkeys(entry.endpoint for entry in news):
            yield from (self._known[key] for key in self._of.get(endpoint, ()))

    def _keep(self, entry: LedgerEntry, *, written: bool) -> None:
        """Keep an entry as the one seen last; if there are too many, forget the one seen longest ago."""
        key = (entry.endpoint, entry.kind, entry.value)
        new = key not in self._known
        self._known[key] = entry
        if written:
            self._written[key] = entry.last
        if new:
            held = self._of[entry.endpoint] = (*self._of.get(entry.endpoint, ()), key)
            if len(held) > MOST:
                self._forget_beyond(entry.endpoint, entry.kind)

    def _forget_beyond(self, endpoint: str, kind: LedgerKind) -> None:
        alike = [key for key in self._of[endpoint] if key[1] == kind]
        if len(alike) > MOST:
            # never the newest one: if the clock was set back, it would be news at every judgement
            oldest = min(alike[:-1], key=lambda key: self._known[key].last)
            self._of[endpoint] = tuple(key for key in self._of[endpoint] if key != oldest)
            del self._known[oldest], self._written[oldest]
