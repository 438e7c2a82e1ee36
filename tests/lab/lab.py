"""One lab: starts it, runs commands as the connector, removes it."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab import audit_files, configs, namespaces
from tests.lab import pki as certificates
from tests.lab.plan import CONNECTOR, UPSTREAM, Interceptor, Plan, Resolver
from tests.lab.world import HOSTILE_AUTHORITATIVE

ROOT = Path(__file__).parents[2]
#: Seconds for which a SYN may be repeated: longer than the program waits for any connection.
LONGEST_SYN = 30.0


class LabError(Exception):
    """The lab itself could not be built or used; the text gives the command and the system's answer."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The output of a command in the lab. `late`: it was killed at its time limit."""

    code: int
    stdout: str
    stderr: str
    elapsed: float
    late: bool

    @property
    def text(self) -> str:
        return self.stdout + self.stderr


@dataclass(slots=True)
class Connection:
    """One TCP connection seen from the firewall. Unix time; `ended`: the first FIN or RST, None before it."""

    began: float
    address: str
    port: int
    ended: float | None = None


class Lab:
    """A context manager around one instance. Several may run at the same time; they share nothing."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[str] | None = None
        self.directory = Path()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="wayclear-lab-"))
        self.directory.chmod(0o755)
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the lab and remove its directory."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        shutil.rmtree(self.directory, ignore_errors=True)

    def run(
        self,
        argv: list[str],
        *,
        network: str = "connector",
        timeout: float = 60.0,
        environment: dict[str, str] | None = None,
        stdin: str = "",
        cwd: Path | None = None,
    ) -> Finished:
        """Run a command in a namespace of the lab, with the connector's resolv.conf and hosts file."""
        answer = self._call(
            "run",
            network=network,
            argv=argv,
            files=self._files(),
            env=self._environment() | (environment or {}),
            cwd=str(cwd or ROOT),
            timeout=timeout,
            stdin=stdin,
        )
        return Finished(*(answer[k] for k in ("code", "stdout", "stderr", "elapsed", "late")))

    def nft(self, text: str) -> str:
        """Change the firewall of the running lab."""
        return str(self._call("batch", network="firewall", argv=["nft", "-f", "-"], text=text)["stdout"])

    def connect(self, name: str, number: int) -> str:
        """Add a further network beside the connector's, with an interface `insideNUMBER` at the firewall. Returns its
        IPv4 address."""
        self._call("network", name=name)
        self._call("batch", network=name, argv=["sh", "-s"], text=configs.sysctls(name))
        for network, text in configs.beside(name, number).items():
            self._call("batch", network=network, argv=["ip", "-batch", "-"], text=text)
        return f"10.10.{number}.2"

    def resolve_as_planned(self) -> None:
        """Reload the DNS with the present `plan.world`; its TTLs decide when clients notice."""
        configs.write_dns(self.directory, self.plan.world)
        self.signal("nsd", signal.SIGHUP if sys.platform == "linux" else 0)

    def start_python(self, name: str, network: str, module: str, argument: str) -> None:
        """Start a further server of `tests.lab.servers` in the running lab."""
        self._many([self._python(name, network, module, argument)])

    def start(self, name: str, argv: list[str], ready: str, *, network: str = "connector") -> None:
        """Start a program as a service of the running lab, as the connector sees the network. `log` returns its
        output."""
        self._many(
            [
                self._service(name, network, argv, ready, env=self._environment() | {"PYTHONPATH": str(ROOT)})
                | {"files": self._files()}
            ]
        )

    def signal(self, service: str, number: int) -> int:
        """Send a signal to a service of the running lab (0: none). Its process id, as commands of the lab see it."""
        return int(self._call("signal", name=service, number=number)["pid"])

    def stop(self, service: str) -> None:
        """Kill one server of the running lab."""
        self._call("stop", name=service)

    def log(self, service: str) -> str:
        """The output of a server so far."""
        return (self.directory / f"{service}.log").read_text(errors="replace")

    def watch(self) -> None:
        """Start to record, at the firewall, when each connection of the connector begins and ends: see
        `connections`."""
        options = {"interface": "inside", "inside": list(CONNECTOR)}
        self._many(
            [self._python("connections", "firewall", "connections", self._options("connections", options))]
        )

    def connections(self) -> list[Connection]:
        """The connector's TCP connections since `watch`, as the firewall saw them, in the order in which they began."""
        made: list[Connection] = []
        newest: dict[tuple[str, int, str, int], Connection] = {}
        for line in self.log("connections").splitlines()[1:]:
            when, what, *ends = json.loads(line)
            key = (ends[0], ends[1], ends[2], ends[3])
            known = newest.get(key)
            if what == "syn":  # the same two ends again: a repeated SYN, or much later a reused port
                if known is None or known.ended is not None or when - known.began > LONGEST_SYN:
                    newest[key] = Connection(when, ends[2], ends[3])
                    made.append(newest[key])
            elif known is not None and known.ended is None:
                known.ended = when
        return made

    # --- building ---------------------------------------------------------------------------------------------

    def _start(self) -> None:
        flags = ["--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if namespaces.identity()[0] != 0:
            flags += ["--user", "--map-root-user"]
        self._process = subprocess.Popen(
            ["unshare", *flags, sys.executable, "-m", "tests.lab.supervisor", str(self.directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        )
        self._write_files()
        self._many(
            [self._batch(n, ["sh", "-s"], configs.sysctls(n)) for n in ("connector", "firewall", "internet")]
        )
        self._many([self._batch("firewall", ["ip", "-batch", "-"], configs.links(self.plan)["firewall"])])
        self._many(
            [
                self._batch("connector", ["ip", "-batch", "-"], configs.links(self.plan)["connector"]),
                self._batch("internet", ["ip", "-batch", "-"], configs.links(self.plan)["internet"]),
                self._batch("firewall", ["nft", "-f", "-"], configs.ruleset(self.plan)),
            ]
        )
        self._many([*self._internet(), *self._resolvers(), *map(self._interceptor, self.plan.interceptors)])

    def _write_files(self) -> None:
        plan = self.plan
        configs.write_dns(self.directory, plan.world)
        (self.directory / "world.pickle").write_bytes(pickle.dumps(plan.world))
        servers = plan.resolv_conf if plan.resolv_conf is not None else [r.address for r in plan.resolvers]
        lines = [*(f"nameserver {a}" for a in servers), "options timeout:1 attempts:2"]
        (self.directory / "resolv.conf").write_text("\n".join(lines) + "\n")
        (self.directory / "hosts").write_text("\n".join(["127.0.0.1 localhost", *plan.hosts]) + "\n")
        (self.directory / "nsswitch.conf").write_text("hosts: files dns\n")
        audit_files.write(self.directory, plan)

    def _internet(self) -> list[dict[str, Any]]:
        made = [
            self._service(
                "nsd", "internet", ["nsd", "-d", "-c", f"{self.directory}/nsd.conf"], "nsd started"
            ),
            self._python("internet", "internet", "internet", f"{self.directory}/world.pickle"),
        ]
        if self.plan.world.hostile_zones:
            options = {"listen": HOSTILE_AUTHORITATIVE, "rules": self.plan.world.hostile_rules}
            file = self._options("hostile-zones", options | {"world": f"{self.directory}/world.pickle"})
            made.append(self._python("hostile-zones", "internet", "hostile_dns", file))
        return made

    def _resolvers(self) -> list[dict[str, Any]]:
        made = []
        for resolver in self.plan.resolvers:
            if resolver.dead:
                continue
            if not resolver.behaviour:
                made.append(self._unbound(resolver, resolver.address))
                continue
            made.append(self._unbound(Resolver(lines=resolver.lines), UPSTREAM))
            options = {
                "role": "resolver",
                "listen": resolver.address,
                "upstream": UPSTREAM,
                **resolver.behaviour,
            }
            file = self._options(f"resolver-{resolver.address}", options)
            made.append(self._python(f"resolver-{resolver.address}", "firewall", "hostile_dns", file))
        return made

    def _unbound(self, resolver: Resolver, address: str) -> dict[str, Any]:
        file = configs.write_unbound(self.directory, resolver, address, dns64=self.plan.dns64)
        return self._service(
            f"unbound-{address}", "firewall", ["unbound", "-d", "-c", str(file)], "start of service"
        )

    def _interceptor(self, interceptor: Interceptor) -> dict[str, Any]:
        made = certificates.AUTHORITIES.get(interceptor.ca)
        if made is not None:
            pki = audit_files.current_pki()
            text = certificates.key_pem(certificates.derived_key(made.label)) + certificates.pem(
                pki.ca(made.name)
            )
            (self.directory / f"{interceptor.kind}-ca.pem").write_text(text)
        if interceptor.kind == "squid":
            return self._squid(interceptor)
        if interceptor.kind == "mitmproxy":
            return self._mitmproxy(interceptor)
        options = {
            "kind": interceptor.kind,
            "ca": interceptor.ca,
            "only": interceptor.only,
            **interceptor.options,
        }
        options["port"] = configs.PORTS[interceptor.kind]
        file = self._options(f"{interceptor.kind}", options)
        return self._python(interceptor.kind, "firewall", "middlebox", file)

    def _squid(self, interceptor: Interceptor) -> dict[str, Any]:
        resolver = self.plan.resolvers[0].address
        file = configs.write_squid(self.directory, interceptor, resolver)
        database = [configs.CERTIFICATE_HELPER, "-c", "-s", f"{self.directory}/ssl_db", "-M", "4MB"]
        subprocess.run(database, check=True, capture_output=True)
        argv = ["squid", "-N", "-d", "1", "-n", f"lab{os.getpid()}x{next(self._numbers)}", "-f", str(file)]
        return self._service(
            "squid", "firewall", argv, "Accepting NAT intercepted SSL bumped", unprivileged=True
        )

    def _mitmproxy(self, interceptor: Interceptor) -> dict[str, Any]:
        state = self.directory / "mitmproxy"
        state.mkdir()
        shutil.copy(self.directory / "mitmproxy-ca.pem", state / "mitmproxy-ca.pem")
        options = {
            "confdir": str(state),
            "ssl_verify_upstream_trusted_ca": f"{self.directory}/system-store.pem",
        }
        options |= {"upstream_cert": "true", "block_global": "false", "connection_strategy": "lazy"}
        argv = [
            "mitmdump",
            "--mode",
            "transparent",
            "--listen-port",
            str(configs.MITMPROXY_PORT),
            "--showhost",
        ]
        for key, value in options.items():
            argv += ["--set", f"{key}={value}"]
        for name in interceptor.only:
            argv += ["--allow-hosts", name]
        home = {"HOME": str(self.directory), "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8"}
        return self._service("mitmproxy", "firewall", argv, "listening at", env=home)

    # --- talking to the supervisor ----------------------------------------------------------------------------

    def _files(self) -> dict[str, str]:
        return {
            f"/etc/{name}": f"{self.directory}/{name}" for name in ("resolv.conf", "hosts", "nsswitch.conf")
        }

    def _environment(self) -> dict[str, str]:
        proxies = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}
        inherited = {k: v for k, v in os.environ.items() if k.lower() not in proxies}
        own = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"}
        own |= {"XDG_STATE_HOME": f"{self.directory}/state", "XDG_CONFIG_HOME": f"{self.directory}/config"}
        return inherited | own | {"LC_ALL": "C.UTF-8"} | self.plan.environment

    def _options(self, name: str, options: dict[str, Any]) -> str:
        file = self.directory / f"{name}.json"
        file.write_text(json.dumps(options))
        return str(file)

    def _python(self, name: str, network: str, module: str, file: str) -> dict[str, Any]:
        argv = [sys.executable, "-m", f"tests.lab.servers.{module}", file]
        return self._service(name, network, argv, "ready")

    def _service(self, name: str, network: str, argv: list[str], ready: str, **how: Any) -> dict[str, Any]:
        log = f"{self.directory}/{name}.log"
        files = self._files() if network == "firewall" else {}
        return {
            "op": "service",
            "name": name,
            "network": network,
            "argv": argv,
            "log": log,
            "ready": ready,
        } | {
            "files": files,
            **how,
        }

    def _batch(self, network: str, argv: list[str], text: str) -> dict[str, Any]:
        return {"op": "batch", "network": network, "argv": argv, "text": text}

    def _call(self, op: str, **arguments: Any) -> dict[str, Any]:
        return self._many([{"op": op, **arguments}])[0]

    def _many(self, commands: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Send all commands at once and gather their answers."""
        if self._process is None or self._process.stdin is None or self._process.stdout is None:
            raise LabError("the lab is not running; use it as a context manager")
        numbers = [next(self._numbers) for _ in commands]
        for number, command in zip(numbers, commands, strict=True):
            self._process.stdin.write(json.dumps(command | {"id": number}) + "\n")
        self._process.stdin.flush()
        answers: dict[int, dict[str, Any]] = {}
        while len(answers) < len(numbers):
            line = self._process.stdout.readline()
            if not line:
                raise LabError(
                    f"the lab's first process ended (exit {self._process.wait()}). Network namespaces are needed: "
                    "run as root, or where `unshare -Urnm true` works"
                )
            answer = json.loads(line)
            answers[answer.pop("id")] = answer
        failed = [a["error"] for a in answers.values() if "error" in a]
        if failed:
            raise LabError("; ".join(failed))
        return [answers[n] for n in numbers]
