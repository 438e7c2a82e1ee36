"""Limits for the size and depth of files."""

from __future__ import annotations

#: Characters, and bytes, of a report.
LARGEST_REPORT = 128 * 1024 * 1024
#: Nesting depth of objects and lists, or of tables and arrays.
DEEPEST = 32


def deeper(data: object, limit: int) -> bool:
    """Whether dictionaries and lists are nested more than `limit` deep, counting `data`. Not recursive."""
    level = [data]
    for _ in range(limit):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return False
    return True
