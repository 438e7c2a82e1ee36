"""How large and how deep a file may be that is read."""

from __future__ import annotations

#: Characters, and bytes, of a report.
LARGEST_REPORT = 128 * 1024 * 1024
#: Objects and lists, or tables and arrays, inside each other.
DEEPEST = 32


def deeper(data: object, limit: int) -> bool:
    """Whether dictionaries and lists are nested more than `limit` deep, `data` among them; without recursion."""
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
