"""The closed vocabulary of causes: one record each, in exactly one of the files of this folder.

Use it as `causes.DNS_NXDOMAIN`. A verdict holds the record, so mypy finds a typo; reports as JSON, metrics and the
history hold its word. A new cause needs a record here, an entry in docs/causes.md and the judgement that finds it.
"""

from __future__ import annotations

from types import MappingProxyType

from rules.model.causes import connection, document, resolution, untested
from rules.model.causes.any_cause import *  # noqa: F403 - one name for the whole vocabulary: `causes.X`
from rules.model.causes.connection import *  # noqa: F403 - as above
from rules.model.causes.document import *  # noqa: F403 - as above
from rules.model.causes.record import Cause
from rules.model.causes.resolution import *  # noqa: F403 - as above
from rules.model.causes.untested import *  # noqa: F403 - as above

OK = Cause("ok")

#: By word, in the order of the records.
BY_WORD = MappingProxyType(
    {
        cause.word: cause
        for cause in (
            OK,
            *(
                found
                for layer in (untested, resolution, connection, document)
                for found in vars(layer).values()
                if isinstance(found, Cause)
            ),
        )
    }
)


def from_word(word: str) -> Cause:
    """The cause with this word. An unknown word, recorded by a newer version, gives a cause without a remedy."""
    return BY_WORD.get(word) or Cause(word)
