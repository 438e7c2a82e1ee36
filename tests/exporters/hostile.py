"""A state in which every text that is not an enumeration was written by an enemy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from itertools import cycle
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rules.watch.state import State
from tests.exporters import samples, states

#: Each sets `window.hostile`, fetches /stolen, or spoils the text around it, if it is taken for anything but text.
PAYLOADS = (
    "<script>window.hostile=1</script>",
    '"><img src=/stolen onerror=window.hostile=1>',
    "</style><style>*{display:none}</style><script>window.hostile=1</script>",
    "javascript:window.hostile=1",
    "' autofocus onfocus='window.hostile=1",
    "--><svg/onload=window.hostile=1><!--",
    "]]></title></textarea><iframe srcdoc='<script>parent.hostile=1</script>'>",
    "x{background:url(/stolen)}@import '/stolen';",
    "<meta http-equiv=refresh content='0;url=/stolen'><base href=/stolen/><link rel=stylesheet href=/stolen>",
    "+ADw-script+AD4-window.hostile=1+ADw-/script+AD4-",
    "&lt;script&gt;&#60;script&#62;&amp;",
    "safe\u202egnp.exe\u2066\u200b\ufeff",
    "\u05d0\u05d1\u05d2 \u0627\u0644\u0639\u0631\u0628\u064a\u0629 123",
    "\x1b]0;owned\x07\x1b[2J\x9b31m\x00\r\n\u2028\u2029",
    "\ud800\udfff\udc80",
    "a" + "\u0301" * 500,
    "=HYPERLINK(\"/stolen\")",
    "W" * 300,
)  # fmt: skip
HUGE = ("A" * 1_000_000, "\u202e" * 1_000_000, "<b>" * 333_334)


def hostile(payloads: tuple[str, ...] = PAYLOADS) -> State:
    """The state with most to tell, its texts replaced by `payloads` in turn."""
    drawn = cycle(payloads)
    state = states.broken(report=samples.report(), host_faults=("local.no-route",))
    spoilt = _spoil(state, State, drawn)
    assert isinstance(spoilt, State)
    return spoilt


def texts(value: object) -> Iterator[str]:
    """Every text in a value, enumerations included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from texts(item)
    elif is_dataclass(value):
        for one in fields(value):
            yield from texts(getattr(value, one.name))


def _spoil(value: Any, hint: Any, drawn: Iterator[str]) -> Any:  # noqa: ANN401 - any value of the state
    if type(value) is str:
        return value if _enumerated(hint) else next(drawn)
    if isinstance(value, tuple):
        hints = get_args(hint)
        each = hints[:1] * len(value) if len(hints) == 2 and hints[1] is Ellipsis else hints
        return tuple(_spoil(v, h, drawn) for v, h in zip(value, each or ("",) * len(value), strict=True))
    if is_dataclass(value) and not isinstance(value, type):
        known = get_type_hints(type(value))
        given = (f.name for f in fields(value) if f.init)
        return replace(value, **{name: _spoil(getattr(value, name), known[name], drawn) for name in given})
    return value


def _enumerated(hint: Any) -> bool:  # noqa: ANN401
    if get_origin(hint) is Literal:
        return True
    return get_origin(hint) is UnionType and any(map(_enumerated, get_args(hint)))
