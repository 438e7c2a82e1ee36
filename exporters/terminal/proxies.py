"""Proxy settings in words: what each source says, and which program uses which source."""

from __future__ import annotations

from rules.judge.proxies import followed_sources, unreadable_expressions
from rules.model.kinds.local_host import ProxySetting
from rules.model.verdict import Report
from rules.text.display import display


def proxy_words(report: Report) -> str:
    """Every proxy setting found, and which ones the connector and the certificate checks use."""
    found = report.vantage.proxies
    if not found:
        return "none is set on this host"
    shown = "; ".join(f"{_setting_words(p)} ({display(p.source)})" for p in found)
    connector, checks = followed_sources(found)
    if connector or checks:
        shown = (
            f"{shown}. The connector goes by {connector or 'what the system gives'}, certificate checks by "
            f"{checks or 'WinHTTP, where none is set'}"
        )
    return f"{shown}; not used by this audit"


def _setting_words(proxy: ProxySetting) -> str:
    ways = [f"automatic: {display(proxy.automatic)}"] if proxy.automatic else []
    ways += [display(proxy.address)] if proxy.address else []
    if not ways and not proxy.faults:
        return "no proxy"
    return ", ".join([*ways, *(display(fault) for fault in (*proxy.faults, *unreadable_expressions(proxy)))])
