"""Globs with a bounded cost: `*` any run of characters, `?` one. Users give no regular expressions.

A pattern of n and a text of m characters take at most n * m steps, whatever they are.
"""

from __future__ import annotations


def matches(pattern: str, text: str) -> bool:
    """Whether all of `text` matches `pattern`; both are trimmed and compared without case."""
    pattern, text = pattern.strip().casefold(), text.strip().casefold()
    p = t = 0
    star, resume = -1, 0
    while t < len(text):
        if p < len(pattern) and pattern[p] == "*":
            star, resume = p, t
            p += 1
        elif p < len(pattern) and pattern[p] in ("?", text[t]):
            p += 1
            t += 1
        elif star >= 0:  # only the last star can still change: the part before it has its final match
            resume += 1
            p, t = star + 1, resume
        else:
            return False
    return pattern[p:].strip("*") == ""
