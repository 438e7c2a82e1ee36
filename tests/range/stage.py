"""Runs inside namespaces of its own: sets the network up, starts the servers, then runs commands as the connector.

`python -m tests.range.stage DIRECTORY`: says "ready", then takes a line of JSON (`argv`, `timeout`) for each command and
answers with one (`code`, `stdout`, `stderr`). Everything ends with it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.range import servers
from tests.range.names import CONNECTOR, NETWORKS, RESOLVER, ROOT_SERVER, ZONE_SERVER

START = 60.0  #: seconds that the servers may take


def sh(command: str) -> None:
    subprocess.run(["sh", "-ec", command], check=True, capture_output=True, text=True, timeout=60)


def network(directory: Path) -> None:
    """The internet is this namespace, the connector's office another one behind a cable."""
    (directory / "resolv.conf").write_text(f"nameserver {RESOLVER}\noptions timeout:2 attempts:2\n")
    (directory / "hosts").write_text("127.0.0.1 localhost\n127.0.1.1 office\n")
    sh("mount --make-rprivate /; mount -t tmpfs tmpfs /run; mkdir -p /run/netns")
    for name in ("resolv.conf", "hosts"):
        target = Path("/etc", name).resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch()
        sh(f"mount --bind {directory}/{name} {target}")
    sh("hostname office; ip link set lo up; sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv4.ip_forward=1")
    for part in NETWORKS:
        sh(f"ip route add local {part} dev lo")
    for address in (ROOT_SERVER, ZONE_SERVER):  # BIND listens on addresses that an interface has
        sh(f"ip addr add {address}/32 dev lo")
    sh(
        "ip netns add office; ip link add cable type veth peer name eth0 netns office;"
        f"ip addr add {RESOLVER}/24 dev cable; ip link set cable up;"
        f"ip -n office addr add {CONNECTOR}/24 dev eth0; ip -n office link set lo up; ip -n office link set eth0 up;"
        f"ip -n office route add default via {RESOLVER}"
    )


def start(directory: Path) -> None:
    for name, argv in servers.commands(directory).items():
        with (directory / f"{name}.log").open("wb") as log:
            subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=directory, start_new_session=True
            )


def wait_until_ready() -> None:
    """Looks at the kernel's table and connects to nothing: a responder would wait for the request of such a connection."""
    deadline = time.monotonic() + START
    wanted = {*servers.ports(), *(f"{address}:53" for address in (ROOT_SERVER, ZONE_SERVER, RESOLVER))}
    while missing := wanted - listening():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not listening after {START:.0f} s: {sorted(missing)}")
        time.sleep(0.1)


def listening() -> set[str]:
    """ "address:port" of every listener; one on all addresses as "*:port"."""
    table = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=True, timeout=20).stdout
    places = (line.split()[3] for line in table.splitlines())
    return {place.replace("[::]", "*").replace("0.0.0.0", "*") for place in places}


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    directory = Path(sys.argv[1])
    network(directory)
    start(directory)
    wait_until_ready()
    print("ready", flush=True)
    for line in sys.stdin:
        asked = json.loads(line)
        done = subprocess.run(
            ["ip", "netns", "exec", "office", *asked["argv"]],
            capture_output=True, text=True, check=False, timeout=asked["timeout"], env=os.environ | {"HOME": str(directory)},
        )  # fmt: skip
        print(json.dumps({"code": done.returncode, "stdout": done.stdout, "stderr": done.stderr}), flush=True)


if __name__ == "__main__":
    main()
