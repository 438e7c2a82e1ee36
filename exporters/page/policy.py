"""The policy that lets a browser use the page's own style and script, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256

from exporters.page.script import SCRIPT
from exporters.page.stylesheet import STYLE


def source_of(text: str) -> str:
    """The source expression for an inline text (CSP level 3, section 2.3.1)."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


#: The value of the page's `Content-Security-Policy`. `connect-src`: the script asks this server for the page, and nobody
#: else for anything. Trusted Types: nothing on the page turns text into HTML.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src {source_of(STYLE)}",
        f"script-src {source_of(SCRIPT)}",
        "connect-src 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
