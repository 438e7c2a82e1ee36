"""Header lines that are lists of members with parameters: `Cache-Status` (RFC 9211), `Proxy-Status` (RFC 9209), `X-Cache`, `Via`.

Several lines of one name may be folded into one (RFC 9110 section 5.3), so each member is read by itself.
"""

from __future__ import annotations

import re

LONGEST = 2048  #: maximum of characters read of a line

#: Commas inside a quoted text or brackets separate nothing.
_MEMBER = re.compile(r"""(?:[^,"(]|"(?:[^"\\]|\\.)*"|\([^()]*\)|["(])+""")
_NAME = re.compile(r'"((?:[^"\\]|\\.)*)"|([^;"]*)')


def split_members(value: str) -> list[str]:
    """The members of a line, without the blanks around them."""
    return [member for found in _MEMBER.findall(value[:LONGEST]) if (member := found.strip())]


def split_name(member: str) -> tuple[str, str]:
    """The name at the start of a member, without its quotes, and its parameters unchanged."""
    found = _NAME.match(member)
    if found is None:  # it matches nothing as well
        return "", member
    return (found[1] or found[2] or "").strip(), member[found.end() :]
