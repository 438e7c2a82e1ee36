"""The record of a cause: all that the program knows about it, apart from its judgement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

Confidence: TypeAlias = Literal["proven", "likely", "possible"]
Owner: TypeAlias = Literal["firewall", "proxy", "dns", "host", "pki", "microsoft", "wayclear", "nobody"]
#: Owners whom an organisation may call by names of its own.
OWNED: tuple[Owner, ...] = ("firewall", "proxy", "dns", "host", "pki")
Mechanism: TypeAlias = Literal["name", "size", "protocol", "address", "idle"]
#: "local": this host; "audit": what was not tested, or our own bug; "other": "ok", and layers of newer versions.
Layer: TypeAlias = Literal[
    "dns", "tcp", "tls", "http", "crl", "ocsp", "proxy", "path", "local", "audit", "other"
]
_LAYERS: Mapping[str, Layer] = {name: name for name in get_args(Layer)}


@dataclass(frozen=True, slots=True)
class Circumstance:
    """An observed fact that decides the remedy of a cause. Example: an outdated list is one problem behind a cache that
    names itself, and another where only its date is known.

    `owner`, `confidence` and `plural` default to those of the cause.
    """

    word: str  # `Verdict.circumstance`
    remedy: str  # a sentence with placeholders such as `{port}`
    plural: str = ""  # the finding at several endpoints; `{n}` is how many
    owner: Owner | None = None
    confidence: Confidence | None = None
    command: str = ""  # a line to copy; "": that of the cause


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something fails, or is worth a notice: "ok" or "<layer>.<what>". Two causes with the same word are equal.

    `remedy` is for a cause without further facts: it accuses no device and no team without evidence. The circumstance
    (`circumstances`) and the verdicts of a group (`rules.judge.causes`) may change `owner` and `confidence`. The
    judgement decides the status, so a cause has none.
    """

    word: str
    owner: Owner = field(default="nobody", compare=False)  # who must act: a first guess by layer
    confidence: Confidence = field(default="likely", compare=False)
    plural: str = field(default="", compare=False)  # the finding at several endpoints; `{n}` is how many
    remedy: str = field(default="", compare=False)  # a sentence; "" where nothing has to be done
    command: str = field(default="", compare=False)  # a line to copy that belongs to the remedy
    posix_command: str = field(
        default="", compare=False
    )  # the same for a host without Windows; "": `command` itself
    circumstances: tuple[Circumstance, ...] = field(default=(), compare=False)
    #: One finding about the host or the path, for all endpoints.
    host_wide: bool = field(default=False, compare=False)
    #: A name that was not tested because of this cause leaves the answer open.
    leaves_open: bool = field(default=False, compare=False)
    #: Why the answer is open, as a part of its sentence.
    open_reason: str = field(default="", compare=False)
    #: Only silence shows it: it proves nothing once a firewall drops everything from this host.
    silence: bool = field(default=False, compare=False)
    #: The source of a document gave no answer of its own: no connection, or HTTP failed on it.
    unheard: bool = field(default=False, compare=False)
    #: Applies to a certificate because no key of a CA set vouches for it.
    depends_on_ca_set: bool = field(default=False, compare=False)

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
