"""Examples of command lines: three for each command in its `--help`, and what a newcomer is told.

Tests parse each of them with the real parser. Standard library only, as `main.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from probe.command.parser import Parser

_RULES = (
    ("wayclear rules list", "the shipped rule sets and CA sets"),
    ("wayclear rules show entra-app-proxy", "every row of a shipped set, with its sources"),
    ("wayclear rules show ./my-rules.toml", "a set of your own, with what it extends"),
)
#: By the words of a command: a command line (to be copied as it is), and what it is for.
EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "audit": (
        ("wayclear audit --tenant contoso.onmicrosoft.com", "with the names of your own tenant"),
        ("wayclear audit --format json --output report.json", "a report that `replay` judges again"),
        ("wayclear audit --only '*.servicebus.windows.net' --verbose", "only these names, every step"),
    ),
    "explain": (
        ("wayclear explain login.microsoftonline.com", "every address, certificate and revocation list"),
        ("wayclear explain cwap-weur-1.renewtrust.msappproxy.net:443", "a name under a wildcard"),
        (
            "wayclear explain login.microsoftonline.com --resolver 10.0.0.53",
            "with the answers of another resolver",
        ),
    ),
    "replay": (
        ("wayclear replay report.json", "a report that was written with --format json"),
        ("wayclear replay report.json.gz --verbose", "packed, with every endpoint and step"),
        ("wayclear replay report.json --rules ./my-rules.toml", "judged by rules of your own"),
    ),
    "rehearse": (
        ("wayclear rehearse --block '*.servicebus.windows.net'", "a wildcard that a firewall drops"),
        ("wayclear rehearse --inspect --format json", "TLS inspection, as a report in JSON"),
        ("wayclear rehearse --report report.json --no-port-80", "your own network with port 80 closed"),
    ),
    "verify": (
        ("wayclear verify report.json", "one round: does it pass now?"),
        ("wayclear verify 'report.json#1' --watch", "finding 1, until it passes"),
        ("wayclear verify report.json --watch --format json --output verified.json", "with a new report"),
    ),
    "validate": (
        ("wayclear validate /etc/wayclear/wayclear.toml", "the configuration"),
        ("wayclear validate my-rules.toml my-cas.toml", "rule sets and CA sets, several at once"),
        ("wayclear validate report.json", "a report"),
    ),
    "rules": _RULES,
    "rules list": _RULES,
    "rules show": _RULES,
    "serve": (
        ("wayclear serve --tenant contoso.onmicrosoft.com", "its page is at http://127.0.0.1:19115/"),
        ("wayclear serve --config /etc/wayclear/wayclear.toml --check", "only check, then end"),
        (
            "wayclear serve --listen 0.0.0.0:19115 --web.config.file web.yml",
            "for other hosts, with TLS and users",
        ),
    ),
    "history": (
        ("wayclear history --since 7d", "what changed in the last seven days"),
        ("wayclear history login.microsoftonline.com", "one name, and all that was ever seen of it"),
        ("wayclear history connector --format json", "the answers as a whole, for a script"),
    ),
    "completion": (
        (
            "wayclear completion bash > ~/.local/share/bash-completion/completions/wayclear",
            "bash, for the next shell; the directory must exist",
        ),
        (
            "wayclear completion zsh > ~/.zfunc/_wayclear",
            "zsh, with fpath+=~/.zfunc before compinit in ~/.zshrc",
        ),
        (
            "wayclear completion powershell | Out-String | Invoke-Expression",
            "PowerShell: put this line into the file that $PROFILE names",
        ),
    ),
}
#: What to run first.
FIRST = (
    ("wayclear audit", "will a connector work from this network?"),
    ("wayclear explain login.microsoftonline.com", "one endpoint, down to every certificate"),
    ("wayclear serve", "the audit as a service, with a status page and metrics"),
)
#: The answer to `wayclear` without a command.
NEWCOMER = "name a command. To begin:\n" + "".join(f"  {line:<44}  {what}\n" for line, what in FIRST)


def add_examples(parser: Parser, command: str) -> None:
    """Put the examples of `command` at the end of its `--help`."""
    shown = "".join(f"  {line}\n      {what}\n" for line, what in EXAMPLES[command])
    more = f"\n{parser.epilog}" if parser.epilog else ""
    parser.epilog = f"examples:\n{shown}{more}"
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
