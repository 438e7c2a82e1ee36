"""Run by the Windows Python: compiles the standard library in its zip file, and the packages beside it.

As in python.org's package, the zip file then holds no sources.
"""

from __future__ import annotations

import compileall
import importlib.util
import marshal
import sys
import zipfile
from pathlib import Path

_UNCHECKED = (0b01).to_bytes(4, "little") + bytes(8)  # PEP 552: a hash that nobody compares


def compile_library(file: Path) -> None:
    made = file.with_suffix(".new")
    with zipfile.ZipFile(file) as sources, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as library:
        for name in sources.namelist():
            code = marshal.dumps(compile(sources.read(name), name, "exec", dont_inherit=True))
            library.writestr(f"{name}c", importlib.util.MAGIC_NUMBER + _UNCHECKED + code)
    made.replace(file)


if __name__ == "__main__":
    place = Path(sys.argv[1])
    compileall.compile_dir(place / "Lib/site-packages", quiet=2)
    compile_library(place / "python311.zip")
