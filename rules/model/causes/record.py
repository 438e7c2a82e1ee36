"""What a cause is: one frozen record of all that the program knows of it beside its judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Confidence: TypeAlias = Literal["proven", "likely", "possible"]
Owner: TypeAlias = Literal["firewall", "proxy", "dns", "host", "pki", "microsoft", "wayclear", "nobody"]
Mechanism: TypeAlias = Literal["name", "size", "protocol", "address", "idle"]
#: "local": this host; "audit": what was not tested, or our own bug; "other": "ok", and layers of newer versions.
Layer: TypeAlias = Literal[
    "dns", "tcp", "tls", "http", "crl", "ocsp", "proxy", "path", "local", "audit", "other"
]
_LAYERS: Mapping[str, Layer] = {name: name for name in get_args(Layer)}


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What was seen of a cause, where that decides what to do: a list that ran out is one thing behind a cache that names
    itself and another where nothing but its date is known.

    `owner`, `confidence` and `plural` are those of the cause where they are not given.
    """

    word: str  # `Verdict.circumstance`
    remedy: str  # a sentence; `{port}` and the like are filled in
    plural: str = ""  # the finding at several endpoints; `{n}` is how many
    owner: Owner | None = None
    confidence: Confidence | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something fails, or is worth a notice: "ok" or "<layer>.<what>". Two causes with the same word are equal.

    `remedy` is for a cause of which nothing more is known: it accuses no device and no team that the evidence does not
    show. `owner` and `confidence` may depend on what was seen (`circumstances`) and on the verdicts of a group
    (`rules.judge.causes`). How much a verdict weighs is decided where it is judged, so a cause has no status.
    """

    word: str
    owner: Owner = field(default="nobody", compare=False)  # who must act: a first guess by layer
    confidence: Confidence = field(default="likely", compare=False)
    mechanism: Mechanism | None = field(default=None, compare=False)  # by what a device selects the traffic
    plural: str = field(default="", compare=False)  # the finding at several endpoints; `{n}` is how many
    remedy: str = field(default="", compare=False)  # a sentence; "" where there is nothing to do
    circumstances: tuple[Circumstance, ...] = field(default=(), compare=False)
    #: The host's or the path's: one finding, whatever it touches.
    host_wide: bool = field(default=False, compare=False)
    #: A name that was not tested for this cause leaves the answer open.
    leaves_open: bool = field(default=False, compare=False)
    #: Why the answer is open, as a part of its sentence.
    open_reason: str = field(default="", compare=False)
    #: Silence alone shows it: it proves nothing once a firewall drops everything of this host's.
    silence: bool = field(default=False, compare=False)
    #: The source of a document said nothing of its own: no connection, or one on which HTTP failed.
    unheard: bool = field(default=False, compare=False)
    #: Said of a certificate because no key of a CA set vouches for it.
    depends_on_ca_set: bool = field(default=False, compare=False)
    #: A CA's signature proves it, on whichever way the certificate and the list came.
    holds_on_any_way: bool = field(default=False, compare=False)

    @property
    def layer(self) -> Layer:
        """The part of the word before the dot."""
        return _LAYERS.get(self.word.partition(".")[0], "other")

    @property
    def docs(self) -> str:
        """Its entry in the documentation, as a path in the repository."""
        return f"docs/causes.md#{self.word.replace('.', '')}"

    def __str__(self) -> str:
        return self.word
