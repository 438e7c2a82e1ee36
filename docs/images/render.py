"""Pictures of the program's own output: an audit in the lab, on a real terminal, drawn by headless Chromium.

Run from the root of the repository, as root or with user namespaces, with Debian's `chromium`, `bsdutils` and
`fonts-dejavu-core` installed: `.venv/bin/python -m docs.images.render`. It writes the picture and the README's
quotations. What is changed: the kernel's version, which tells nothing, is shown as [...], and so is what is left out.
"""

from __future__ import annotations

import html
import re
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.lab.auditing import PROGRAM
from tests.lab.demo import clean, intercepted
from tests.lab.lab import Lab
from tests.lab.plan import Plan
from tests.lab.scenarios.tcp import SCENARIOS as TCP

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 100
NETWORKS: dict[str, Callable[[Plan], None]] = {
    "healthy": clean,
    "intercepted": intercepted,
    "service-dropped": next(s.spoil for s in TCP if s.name == "service-dropped"),
}
COLOURS = {"31": "#ff7b72", "32": "#56d364", "33": "#e3b341", "36": "#76e3ea"}
PAGE = """<!doctype html><meta charset="utf-8"><style>
html, body {{ margin: 0; background: #0d1117; }}
pre {{ margin: 0; padding: 18px 22px; color: #d6dde5; font: 15px/1.36 "DejaVu Sans Mono", monospace; }}
</style><pre>{}</pre>"""


def run(name: str) -> tuple[str, str]:
    """The screen of an audit as a terminal shows it (with colour), and the same audit's text in a pipe."""
    plan = Plan()
    NETWORKS[name](plan)
    with Lab(plan) as lab:
        config = ["--config", f"{lab.directory}/wayclear.toml", "--pace", "fast"]
        argv = [*PROGRAM, "audit", *config]
        terminal = ["script", "-qec", f"stty cols {COLUMNS} rows 50; {' '.join(argv)}", "/dev/null"]
        shown = lab.run(terminal, timeout=150, environment={"TERM": "xterm-256color"})
        piped = lab.run(argv, timeout=150)
    return tuple(
        re.sub(r"Linux \d[\w.+-]* \w+(?=[,)])", "[...]", out) for out in (shown.stdout, piped.stdout)
    )  # type: ignore[return-value]


def as_html(text: str) -> str:
    """What is left on the screen after the progress bar was written over, as HTML."""
    lines = []
    for raw in text.replace("\r\n", "\n").split("\n"):
        last = raw.rsplit("\r", 1)[-1]  # the bar writes over its own line and leaves it empty
        lines.append(last.rstrip())
    return "\n".join(_painted(line) for line in lines).strip("\n")


def _painted(line: str) -> str:
    made = ""
    for part in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not part.startswith("\x1b["):
            made += html.escape(part)
            continue
        codes = part[2:-1].split(";")
        if codes == ["0"]:
            made += "</span>"
            continue
        colour = next((f"color:{COLOURS[c]};" for c in codes if c in COLOURS), "")
        weight = "font-weight:bold;" if "1" in codes else "opacity:.6;" if "2" in codes else ""
        made += f'<span style="{colour}{weight}">'
    return made


def draw(name: str, screen: str, lines: int) -> None:
    """The first `lines` lines as a picture."""
    shown = screen.split("\n")
    cut = "\n".join(shown[:lines]) + ("\n[...]" if len(shown) > lines else "")
    height = 36 + round((cut.count("\n") + 1) * 15 * 1.36)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "page.html"
        page.write_text(PAGE.format(cut), encoding="utf-8")
        target = ROOT / "docs" / "images" / f"{name}.png"
        argv = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        argv += [f"--user-data-dir={folder}/profile", f"--window-size=950,{height}", f"--screenshot={target}"]
        subprocess.run([*argv, page.as_uri()], check=True, capture_output=True, timeout=120)


def quote(name: str, text: str) -> None:
    """Put the output between the README's comments."""
    readme = ROOT / "README.md"
    block = f"```console\n$ wayclear audit\n{text.strip()}\n```"
    pattern = rf"(<!-- {name}: [^\n]* -->\n).*?(\n<!-- end of {name} -->)"
    made = re.sub(pattern, lambda m: m[1] + block + m[2], readme.read_text("utf-8"), flags=re.DOTALL)
    readme.write_text(made, encoding="utf-8")


def main() -> None:
    """Two networks as text, one as a picture."""
    for name in NETWORKS:
        shown, piped = run(name)
        if name == "intercepted":
            draw(name, as_html(shown), 46)
        elif name == "healthy":
            quote(name, piped)
        else:  # where it was tested from is told above
            quote(name, re.sub(r"  Tested from.*?\n\n", "  [...]\n\n", piped, flags=re.DOTALL))


if __name__ == "__main__":
    main()
