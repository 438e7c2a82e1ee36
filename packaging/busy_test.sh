#!/bin/sh
# The tests on a machine that is busy, started as things in the background are: SIGINT and SIGHUP ignored, no terminal, and
# four processes beside them that do nothing but compute. Arguments go to pytest; the exit code is pytest's.
set -eu
cd "$(dirname "$0")/.."
python=.venv/bin/python
busy=""
for _ in 1 2 3 4; do
    "$python" -c 'while True: pass' &
    busy="$busy $!"
done
log=$(mktemp)
# shellcheck disable=SC2086  # a list of process ids
trap 'kill $busy 2>/dev/null; rm -f "$log"' EXIT
code=0
# A shell starts what is in the background with SIGINT ignored; nohup adds SIGHUP, setsid takes the terminal away.
nohup setsid --wait "$python" -m pytest -q -p no:cacheprovider "$@" >"$log" 2>&1 &
tests=$!
tail -f --pid "$tests" "$log" &
wait "$tests" || code=$?
wait $! || true
exit "$code"
