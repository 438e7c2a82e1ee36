#!/bin/sh
# Writes requirements/run.txt and requirements/dev.txt from pyproject.toml.   packaging/lock.sh [--upgrade ...]
#
# One resolution for every platform and every Python from 3.11 on (markers say what is for whom), a hash for each file.
# Pins that still fit stay, unless --upgrade is given. The person's own package indexes are left out of it: a lock must
# say the same thing wherever it is made, and name nobody's disk.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
tools=build/lock-venv
uv=$tools/bin/uv

if [ ! -x "$uv" ]; then
    "${PYTHON:-python3}" -m venv "$tools"
    "$tools/bin/python" -m pip install -qq --disable-pip-version-check 'uv==0.13.9'
fi

compile() {
    env -u UV_INDEX -u UV_INDEX_URL -u UV_DEFAULT_INDEX -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
        UV_CUSTOM_COMPILE_COMMAND='make lock' \
        "$uv" --no-config pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 \
        pyproject.toml --group build "$@"
}

compile "$@" --output-file requirements/run.txt
compile "$@" --group dev --constraints requirements/run.txt --output-file requirements/dev.txt
