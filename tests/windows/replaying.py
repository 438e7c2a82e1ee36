"""Run by either Python: replays reports in one process, by the program's own command.

    python replaying.py CONFIG DIRECTORY NAME.ENDING...

From the report NAME.json of the current directory NAME.ENDING is written to DIRECTORY. Printed are the exit codes, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from probe.__main__ import main

FORMATS = {".json": "json", ".txt": "text"}


def replayed(config: str, output: Path) -> int:
    """The exit code."""
    how = ["--config", config, "--verbose", "--format", FORMATS[output.suffix], "--output", str(output)]
    return main(["replay", f"{output.stem}.json", *how])


if __name__ == "__main__":
    _, configuration, directory, *names = sys.argv
    sys.stdout.write(json.dumps({name: replayed(configuration, Path(directory, name)) for name in names}))
