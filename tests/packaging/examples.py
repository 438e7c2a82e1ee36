"""The example configurations, and what they are when somebody takes every comment sign in front of a key away."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"
EXAMPLE = PACKAGING / "wayclear.example.toml"
OVERLAY = PACKAGING / "systemd/overlay.example.toml"


def uncommented(path: Path) -> str:
    """The file with every key in force: `#key` is a key, `# ` prose."""
    return re.sub(r"^#(?=\S)", "", path.read_text("utf-8"), flags=re.MULTILINE)
