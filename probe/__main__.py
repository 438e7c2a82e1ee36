"""`wayclear` and `python -m probe`."""

from __future__ import annotations

import sys

from probe.command.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
