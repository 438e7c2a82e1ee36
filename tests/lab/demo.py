"""`make demo`: the same audit on a clean network and on two broken ones, all on this machine.

It sends nothing to the internet: the lab provides the networks, the servers and the names of Microsoft's services.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable

from tests.lab import pki
from tests.lab import plan as plans
from tests.lab.auditing import PROGRAM
from tests.lab.lab import Lab, LabError
from tests.lab.plan import Interceptor, Plan

TOOLS = ("unshare", "ip", "nft", "nsd", "unbound", "squid")


def clean(_plan: Plan) -> None:
    """A healthy network."""


def intercepted(plan: Plan) -> None:
    """Squid intercepts TLS with a CA that the administrator put into the system's store."""
    plan.interceptors = [Interceptor("squid", plans.match(port=443), pki.CORPORATE)]
    plan.os_store = (pki.CORPORATE,)


def half_open(plan: Plan) -> None:
    """A firewall that allows only Microsoft 365's list, and blocks port 80."""
    service = [*plan.world.matching(".msappproxy.net"), *plan.world.matching(".servicebus.windows.net")]
    plan.forward = [plans.drop(to=[a for h in service for a in h.v4], port=443), plans.drop(port=80)]


NETWORKS: tuple[tuple[str, Callable[[Plan], None]], ...] = (
    ("1. A network that lets the connector live", clean),
    ("2. A corporate proxy inspects TLS, with a CA that this host trusts", intercepted),
    ("3. A firewall lets sign-in through, drops the service and blocks port 80", half_open),
)


def show(title: str, spoil: Callable[[Plan], None]) -> None:
    """Start one network, audit it, print the program's output."""
    print(f"\n{'=' * 100}\n{title}\n{'=' * 100}", flush=True)
    plan = Plan()
    spoil(plan)
    with Lab(plan) as lab:
        config = ["--config", f"{lab.directory}/wayclear.toml", "--format", "text", "--pace", "fast"]
        done = lab.run([*PROGRAM, "audit", *config], timeout=150)
    print(done.stdout, end="")
    if done.stderr:
        print(done.stderr, end="", file=sys.stderr)
    print(f"\n(exit code {done.code}, {done.elapsed:.1f} s)", flush=True)


def main() -> int:
    """Returns 0 if all three networks were audited, whatever the audits found."""
    titles = "\n".join(f"  {title}" for title, _ in NETWORKS)
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab.demo",
        description="Audits three networks that the lab makes on this machine. Nothing is sent to the internet.",
        epilog=f"The networks:\n{titles}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    path = "/usr/sbin:/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin"
    missing = [tool for tool in TOOLS if shutil.which(tool, path=path) is None]
    if missing:
        print(f"demo: {', '.join(missing)} not found. Install the packages named in tests/lab/packages.txt.")
        return 1
    try:
        for title, spoil in NETWORKS:
            show(title, spoil)
    except LabError as error:
        print(f"demo: the lab could not be built: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
