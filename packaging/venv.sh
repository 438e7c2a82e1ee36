#!/bin/sh
# Makes or refreshes .venv from a lock with hashes.   packaging/venv.sh run|dev
#
# `run` is what the program needs, `dev` is that plus everything that tests and linters need. A stamp that is keyed by
# the content of the locks makes the second call instant. Asks nothing; as root on Debian it installs python3-venv when
# that is missing, as anybody else it names it and stops.
set -eu

want=${1:?usage: venv.sh run|dev}
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
stamp=.venv/wayclear-stamp

# The clone's own path is part of the key: an environment does not survive being moved.
key=$( { echo "$root"; cat pyproject.toml requirements/run.txt requirements/dev.txt packaging/venv.sh; } | sha256sum | cut -d' ' -f1)

is_current() {
    [ -f "$stamp" ] && .venv/bin/python -c '' 2>/dev/null || return 1
    have=$(cat "$stamp")
    [ "$have" = "dev $key" ] || [ "$have" = "$want $key" ]
}

find_python() {
    for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "wayclear needs Python 3.11 or newer and found none. Install it (Debian: apt-get install python3) or name" \
        "one: make PYTHON=/path/to/python3 ..." >&2
    exit 1
}

is_current && exit 0

for place in . .venv; do
    if [ -e "$place" ] && ! [ -w "$place" ]; then
        echo "wayclear: $(id -un) may not write in $root, where the environment .venv belongs. Run make as the owner of the" \
            "clone ($(stat -c %U . 2>/dev/null || echo another user)), or take a copy of your own: cp -r $root ~/" >&2
        exit 1
    fi
done

# Two calls at once would install over each other; flock is part of every Debian, elsewhere we do without.
if [ "${WAYCLEAR_VENV_LOCKED:-}" != 1 ] && command -v flock >/dev/null 2>&1; then
    WAYCLEAR_VENV_LOCKED=1 exec flock "$root/packaging/venv.sh" "$root/packaging/venv.sh" "$want"
fi

if ! .venv/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
    || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        packaging/debian_packages.sh python3-venv
        "$python" -c 'import ensurepip, venv' || {
            echo "$python cannot make environments (no ensurepip). Name another one: make PYTHON=/usr/bin/python3 ..." >&2
            exit 1
        }
    fi
    rm -rf .venv
    "$python" -m venv .venv
fi

# Never both an environment of the run lock and a stamp that says dev: the stamp goes first and comes back last.
if [ -f "$stamp" ] && [ "$(cut -d' ' -f1 "$stamp")" = dev ]; then want=dev; fi
rm -f "$stamp"
echo "wayclear: installing the locked environment ($want) into .venv" >&2
# The lock is whole, so nothing is resolved: pip 23 would look for `coverage[toml]` beside the pinned `coverage`, and fails
# as soon as a newer one is out.
.venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --only-binary=:all: \
    --requirement "requirements/$want.txt"
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
echo "$want $key" > "$stamp"
