"""The measure that we are held against: Debian's prometheus-blackbox-exporter, driven over kept-alive connections."""

from __future__ import annotations

import http.client
import queue
import shutil
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.bench.namespace import RESOLVER, TOOLS, BenchError, Service, cpu_seconds
from tests.bench.population import ANY_NAME

PROGRAM = "prometheus-blackbox-exporter"
LISTEN = ("127.0.0.1", 9115)
TLS, DNS = "tcp_tls", "dns"
_MODULES = """\
modules:
  tcp_tls:
    prober: tcp
    timeout: 10s
    tcp:
      preferred_ip_protocol: ip4
      tls: true
      tls_config:
        ca_file: {roots}
        server_name: {server_name}
"""
_DNS_MODULE = """\
  dns{index}:
    prober: dns
    timeout: 5s
    dns:
      preferred_ip_protocol: ip4
      transport_protocol: udp
      query_name: {name}
      query_type: A
"""


class Exporter:
    """The exporter's process and one driver for it. `dns_names`: one module for each, since a module asks one name."""

    def __init__(self, directory: Path, dns_names: Sequence[str], network: int | None = None) -> None:
        if shutil.which(PROGRAM, path=TOOLS) is None:
            raise BenchError(f"{PROGRAM} is not installed: apt-get install {PROGRAM}")
        text = _MODULES.format(roots=directory / "roots.pem", server_name=ANY_NAME)
        text += "".join(_DNS_MODULE.format(index=i, name=n) for i, n in enumerate(dns_names))
        file = directory / "blackbox.yml"
        file.write_text(text)
        listen = f"--web.listen-address={LISTEN[0]}:{LISTEN[1]}"
        argv = [PROGRAM, f"--config.file={file}", listen]
        self._service = Service(argv, directory / "blackbox.log", "Listening on", network)

    @property
    def pid(self) -> int:
        return self._service.process.pid

    def tls_paths(self, addresses: Sequence[str]) -> list[str]:
        """Request targets of one TLS probe of each address."""
        return [f"/probe?module={TLS}&target={a}:443" for a in addresses]

    def dns_paths(self, count: int, names: int) -> list[str]:
        """Request targets of `count` questions, the names in turn."""
        return [f"/probe?module={DNS}{i % names}&target={RESOLVER}" for i in range(count)]

    def cost(self, paths: Sequence[str], in_flight: int) -> float:
        """CPU seconds of the exporter for these probes, `in_flight` at a time; BenchError unless each succeeded."""
        waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for path in paths:
            waiting.put(path)
        bad: list[str] = []
        threads = [threading.Thread(target=self._drive, args=(waiting, bad)) for _ in range(in_flight)]
        before = cpu_seconds(self._service.process.pid)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = cpu_seconds(self._service.process.pid) - before
        if bad:
            raise BenchError(f"{PROGRAM} did not succeed {len(bad)} times; once: {bad[0]}")
        return spent

    @staticmethod
    def _drive(waiting: queue.SimpleQueue[str], bad: list[str]) -> None:
        connection = http.client.HTTPConnection(*LISTEN, timeout=30)
        while True:
            try:
                path = waiting.get_nowait()
            except queue.Empty:
                break
            connection.request("GET", path)
            body = connection.getresponse().read()
            if b"\nprobe_success 1\n" not in body:
                bad.append(f"{path}: {body[-500:]!r}")
        connection.close()

    @staticmethod
    def version() -> str:
        """What it says of itself."""
        done = subprocess.run(
            [PROGRAM, "--version"], capture_output=True, text=True, check=True, env={"PATH": TOOLS}
        )
        return (done.stdout + done.stderr).splitlines()[0].split(" (")[0]

    def stop(self) -> None:
        """End the process."""
        self._service.stop()
