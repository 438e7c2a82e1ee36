"""The range from outside: make its files, bring it up, run commands as the connector, take it down."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.range import names as world
from tests.range import servers, zones
from tests.range.authorities import Maker

ROOT = Path(__file__).parents[2]


class Internet:
    """A context manager around one instance."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self.directory = Path()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="wayclear-range-"))
        self.directory.chmod(0o755)
        try:
            self._make()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if not os.environ.get("WAYCLEAR_KEEP_RANGE"):
            shutil.rmtree(self.directory, ignore_errors=True)

    def run(self, argv: list[str], timeout: float = 240.0) -> tuple[int, str, str]:
        """(exit code, standard output, standard error) of a command on the connector."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"argv": argv, "timeout": timeout}), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the range ended: {self._said()}")
        answer = json.loads(line)
        return answer["code"], answer["stdout"], answer["stderr"]

    def audit(self) -> tuple[int, dict[str, Any]]:
        """One audit, as a user would run it: (exit code, the report as JSON)."""
        config = str(self.directory / "wayclear.toml")
        code, out, error = self.run(
            [sys.executable, "-m", "probe", "audit", "--config", config, "--pace", "fast", "--format", "json"]
        )
        if not out:
            raise RuntimeError(error)
        report: dict[str, Any] = json.loads(out)
        return code, report

    def _make(self) -> None:
        maker = Maker(self.directory)
        maker.authorities()
        for leaf in world.LEAVES:
            maker.leaf(leaf)
        everything = world.names()
        servers.write(self.directory, everything, maker.documents())
        zones.write(self.directory, everything)
        maker.file("range-cas.toml", maker.ca_set())
        maker.file("roots.pem", maker.roots())
        maker.file(
            "wayclear.toml",
            f'tenant = "{world.TENANT}"\nca_sets = ["{self.directory}/range-cas.toml"]\n'
            f'public_roots = "{self.directory}/roots.pem"\nos_store = "{self.directory}/roots.pem"\n',
        )

    def _start(self) -> None:
        flags = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.getuid() != 0:
            flags += ["--user", "--map-root-user"]
        with (self.directory / "stage.log").open("w") as log:
            self._process = subprocess.Popen(
                ["unshare", *flags, sys.executable, "-m", "tests.range.stage", str(self.directory)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        if self._process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the range did not come up: {self._said()}")

    def _said(self) -> str:
        return "\n".join(
            f"{p.name}: {p.read_text(errors='replace')[-1500:]}" for p in sorted(self.directory.glob("*.log"))
        )
