"""Asks for the tenant on a terminal when nothing else gives it: without it the answer is at best NOT PROVEN."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TextIO

from probe.config.settings import Config
from probe.host.places import Places
from probe.host.terminal import is_terminal
from probe.measure.kinds import local_host
from rules.audit.targets import targets
from rules.model import causes
from rules.model.ruleset import Rules

QUESTION = (
    "Your tenant's id or one of its domains, such as contoso.onmicrosoft.com. The id is in the Microsoft Entra admin center\n"
    "under Overview (Tenant ID). Enter alone skips it: everything that can be tested without it is tested.\nTenant: "
)


def ask_tenant(
    config: Config,
    rules: Rules,
    reader: TextIO | None = None,
    writer: TextIO | None = None,
    known: Callable[[Places], str | None] = local_host.tenant,
) -> str | None:
    """The tenant that the user enters; None where it is known, not needed, skipped, or there is no terminal.

    Asks once, on standard error, and only if standard input and output are terminals as well: never in a pipe. `known` reads the
    tenant from the files of an installed connector.
    """
    source, target = reader or sys.stdin, writer or sys.stderr
    if config.tenant is not None or not all(map(is_terminal, (source, target, writer or sys.stdout))):
        return None
    needed = any(one.why == causes.AUDIT_NO_TENANT for one in targets(rules, None, config.only))
    if not needed or known(Places.of_host()) is not None:
        return None
    target.write(QUESTION)
    target.flush()
    return source.readline().strip() or None
