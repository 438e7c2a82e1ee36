"""A network of a test's own: user and network namespaces, with the same rights for root and for everybody else."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def isolated(setup: str, body: str) -> object:
    """Run the shell lines `setup` and then the Python lines `body` in namespaces that end with them.

    `body` sees `show(value)`; what it shows last is returned, by way of JSON. `/run` is empty, for `ip netns add`.
    """
    prelude = "import asyncio, json, time\ndef show(value): print(json.dumps(value))\n"
    shell = (
        f'set -e\nmount -t tmpfs tmpfs /run\nip link set lo up\n{textwrap.dedent(setup)}\nexec "$0" -c "$1"'
    )
    done = subprocess.run(
        ["unshare", "-Urnm", "sh", "-c", shell, sys.executable, prelude + textwrap.dedent(body)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown: object = json.loads(done.stdout.splitlines()[-1])
    return shown
