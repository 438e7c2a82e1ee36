#!/bin/sh
# Makes sure that Debian packages are installed.   packaging/debian_packages.sh NAME...
#
# As root the missing ones are installed without a question; anybody else is told their names. On a system without
# dpkg nothing can be checked: said once, and left to the reader.
set -eu

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "wayclear: this is not a Debian system; these programs must be there already: $*" >&2
    exit 0
fi

missing=
for name in "$@"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$name" 2>/dev/null || true)
    [ "$state" = installed ] || missing="$missing $name"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "wayclear: these Debian packages are missing. Install them and run this again:" >&2
    echo "    sudo apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

# Nothing that is installed here may start serving on this machine, now or at the next boot: the tests start their own
# servers, in their own namespaces. A policy-rc.d that the administrator has put there stays.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
fi

echo "wayclear: installing Debian packages:$missing" >&2
export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet=2
# shellcheck disable=SC2086  # a list of words on purpose
apt-get install --quiet=2 --yes --no-install-recommends $missing >/dev/null

if command -v systemctl >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    dpkg-query --listfiles $missing | sed -n 's|^\(/usr\)\{0,1\}/lib/systemd/system/\([^/@]*\.service\)$|\2|p' \
        | while read -r unit; do systemctl --quiet disable "$unit" >/dev/null 2>&1 || true; done
fi
