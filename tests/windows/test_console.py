"""The console's mode under Wine, by the real calls: whether it obeys escape sequences."""

from __future__ import annotations

import json

from probe.host.windows_console import PROCESSED, VIRTUAL_TERMINAL
from tests.windows.wine import Wine

ASK = """
import json, sys
from probe.host.windows_console import _Kernel32, shows_escapes
calls = _Kernel32()
with open("CONOUT$", "w") as console, open("NUL", "w") as no_console:
    one, nothing = console.fileno(), no_console.fileno()
    calls.set_mode(one, 1)
    before = calls.mode(one)
    print(json.dumps([before, shows_escapes(console), calls.mode(one), shows_escapes(no_console), calls.mode(nothing)]))
"""
#: The streams of a test are pipes, so that has a console of its own, without a window.
START = """
import subprocess, sys
sys.exit(subprocess.run([sys.executable, "-I", "-c", sys.argv[1]], creationflags=subprocess.CREATE_NO_WINDOW,
    stdin=subprocess.PIPE, stdout=sys.stdout, stderr=sys.stderr).returncode)
"""


def test_a_console_is_asked_to_obey_escapes_and_a_file_is_none(wine: Wine) -> None:
    done = wine.run(wine.python("-I", "-c", START, ASK))
    assert done.code == 0, done.stderr
    before, obeys, after, file_obeys, file_mode = json.loads(done.stdout)
    assert before == PROCESSED
    assert obeys is (after == PROCESSED | VIRTUAL_TERMINAL)
    assert (file_obeys, file_mode) == (False, None)
