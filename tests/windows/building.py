"""A Wine prefix with the interpreter and the locked wheels, as the bundle has them: what takes long, and is kept."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from tests.windows import interpreter
from tests.windows.wine import PYTHON, ROOT, SITE, WINE, Finished, Wine

BUNDLE = ROOT / "packaging/windows/bundle.py"


def bundle() -> ModuleType:
    """packaging/windows/bundle.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("windowsbundle", BUNDLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prefix(work: Path) -> Path:
    """A new prefix, made in `work`."""
    wine = Wine(work / "prefix")
    wine.prefix.mkdir()
    bundler = bundle()
    embed = interpreter.embeddable(work / "embed")
    version = bundler.python_version(embed)
    python = wine.prefix / PYTHON
    try:
        _ok(wine.run([WINE, "wineboot", "--init"]))
        _ok(wine.run([WINE, "reg", "add", r"HKCU\Software\Wine", "/v", "Version", "/d", "win10", "/f"]))
        python.mkdir(parents=True)
        bundler.unpack_python(embed, python, version)
        bundler.install_wheels(version, wine.prefix / SITE, work)
        _ok(wine.run(wine.python("-I", str(interpreter.HERE / "precompile.py"), str(python)), timeout=600))
    finally:
        wine.end()
    return wine.prefix


def _ok(done: Finished) -> None:
    if done.code:
        raise RuntimeError(
            f"Wine failed with {done.code}: {(done.stdout + done.stderr).decode(errors='replace')[-2000:]}"
        )
