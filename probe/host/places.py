"""Paths of the facts of this host: files, tables and registry keys of the operating system and of the connector."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from probe.host import windows_proxy

_ENDPOINTS = r"Endpoints\endpoints.txt"
_CONNECTORS = (
    r"Microsoft Entra private network connector\MicrosoftEntraPrivateNetworkConnectorService.exe.config",
    r"Microsoft AAD App Proxy Connector\ApplicationProxyConnectorService.exe.config",
    r"Microsoft Azure AD App Proxy Connector\ApplicationProxyConnectorService.exe.config",
)
_UPDATERS = (
    r"Microsoft Entra private network connector Updater"
    r"\MicrosoftEntraPrivateNetworkConnectorUpdaterService.exe.config",
)


@dataclass(frozen=True, slots=True)
class Places:
    """Paths of the facts. `of_host()` gives this system's; tests give their own."""

    environment: Mapping[str, str] = field(default_factory=dict)
    resolv_conf: Path | None = None
    proc_net: Path | None = None  # Linux' tables of routes and addresses
    endpoints: tuple[Path, ...] = ()  # the connector's own record of its endpoints
    connector_configs: tuple[Path, ...] = ()
    updater_configs: tuple[Path, ...] = ()
    machine_config: Path | None = None
    winhttp: Callable[[], bytes | None] = windows_proxy.read_winhttp

    @classmethod
    def of_host(cls) -> Places:
        """The places of the running system."""
        environment = dict(os.environ)
        if sys.platform != "win32":
            proc = Path("/proc/net") if sys.platform == "linux" else None
            return cls(environment, Path("/etc/resolv.conf"), proc)
        data = Path(environment.get("PROGRAMDATA", r"C:\ProgramData")) / "Microsoft"
        programs = Path(environment.get("PROGRAMFILES", r"C:\Program Files"))
        windows = Path(environment.get("SYSTEMROOT", r"C:\Windows"))
        return cls(
            environment,
            endpoints=(
                data / "Microsoft Entra private network connector" / _ENDPOINTS,
                data / "Microsoft AAD Application Proxy Connector" / _ENDPOINTS,
            ),
            connector_configs=tuple(programs / name for name in _CONNECTORS),
            updater_configs=tuple(programs / name for name in _UPDATERS),
            machine_config=windows / r"Microsoft.NET\Framework64\v4.0.30319\Config\machine.config",
        )
