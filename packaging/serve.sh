#!/bin/sh
# The service in a clone, with its history beside it.   packaging/serve.sh [OPTION...]   (`make serve ARGS=...`)
#
# In a clone that belongs to somebody else the history is kept where it would be without a clone: in the user's own state
# directory. How to ask it is said at once, because `wayclear history` alone would look elsewhere.
set -eu

cd "$(dirname -- "$0")/.."
program=.venv/bin/wayclear

for option in "$@"; do
    case $option in
        --state | --state=* | --check | --help | -h) exec "$program" serve --allow-root "$@" ;;
    esac
done

state=.state
mkdir -p "$state" 2>/dev/null || true
if ! [ -w "$state" ]; then
    state=${XDG_STATE_HOME:-${HOME:-/tmp}/.local/state}/wayclear
    echo "wayclear: $PWD/.state may not be written by $(id -un): the history is kept in $state" >&2
fi
echo "wayclear: what has changed tells: $program history --state $state" >&2
exec "$program" serve --allow-root --state "$state" "$@"
