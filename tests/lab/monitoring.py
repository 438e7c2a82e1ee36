"""A fleet in the lab, watched by Debian's Prometheus and Alertmanager with the rules of `dashboards/`.

Four connectors in two groups, each in its own network behind one firewall, so that a firewall rule can break the path
of one and leave the others working. Prometheus and Alertmanager are in a fifth network.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dashboards.alertmanager_config import configuration
from dashboards.prometheus_rules import rules
from dashboards.promql import scaled, seconds
from dashboards.yaml_text import document
from tests.lab import pki
from tests.lab.appliance import PORT, Daemon, fetch, serve, until
from tests.lab.lab import ROOT, Lab
from tests.lab.plan import Interceptor, Plan
from tests.lab.scenarios.names import RELAY
from tests.lab.servers.message_box import BEGINS

#: A minute of the alerts is a second of the lab. An alert whose wait is then longer than `LONGEST` (sign-in an hour,
#: CRLs six) waits for `CUT`, and `keep_firing_for` is shortened to a quarter. The order of the alerts stays the same.
SCALE = 1 / 60
LONGEST, CUT, KEEP = 30.0, "15s", 0.25
#: Seconds after which a prober is stale, instead of five: a round of silent targets takes as long as their timeouts,
#: which are not shortened.
STALE = 10
EVERY = "500ms"
SCHEDULE: Mapping[str, float] = {
    "service": 1,
    "sign_in": 2,
    "http": 2,
    "revocation": 3,
    "extras": 30,
    "retry": 1,
    "rotation": 4,
    "rate": 0,
}
#: All drops here are of TCP, so a handshake may be slow: Squid makes a certificate for each name.
TIMEOUTS = {"dns_try": 0.5, "dns_name": 1.5, "tcp": 1.0, "tls": 5.0, "http": 1.5, "crl": 2.0}
MONITORING, NUMBER = "monitoring", 9
BOX = 9099  #: port of the message box
#: A daemon takes as many seconds to confirm an answer as outside the lab (up to two minutes), and some alerts do not wait
#: for that: a fault of the host, an interception. So Alertmanager's first wait, in which all of it comes together, is not
#: scaled: for pages it is the shipped one, for tickets and reminders it is cut to this.
FIRST_WAIT = "45s"
NEW_ADDRESS = "40.84.255.21"
RULE_SET = ROOT / "rules" / "sets" / "entra-app-proxy.toml"


@dataclass(frozen=True, slots=True)
class Member:
    """A connector of the fleet. `number`: the number of its network and of the firewall's interface to it."""

    name: str
    number: int
    group: str
    site: str

    @property
    def interface(self) -> str:
        return "inside" if self.number == 1 else f"inside{self.number}"


DUB1 = Member("conn-dub-1", 1, "emea", "Dublin")
DUB2 = Member("conn-dub-2", 2, "emea", "Dublin")
SIN1 = Member("conn-sin-1", 3, "apac", "Singapore")
SYD1 = Member("conn-syd-1", 4, "apac", "Sydney")
MEMBERS = (DUB1, DUB2, SIN1, SYD1)


def plan() -> Plan:
    """A healthy network; Squid runs, and no connection is redirected to it. The relay also has `NEW_ADDRESS` (see
    `start`)."""
    made = Plan(
        interceptors=[Interceptor("squid", "", pki.CORPORATE)],
        os_store=(pki.CORPORATE,),
        config={"timeouts": TIMEOUTS, "rules": ["rules.toml"]},
    )
    relay = made.world.hosts[RELAY]
    relay.v4.append(NEW_ADDRESS)
    relay.ttl = 1
    return made


def reviewed(file: Path, days_ago: int) -> str:
    """A set with a review date so many days ago, so that the tests do not depend on the age of the shipped ones."""
    day = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days_ago)
    return re.sub(
        r"^reviewed = .*$", f"reviewed = {day}", file.read_text("utf-8"), count=1, flags=re.MULTILINE
    )


def quick_rules() -> str:
    """The alerts of this tree as a rules file in which minutes are seconds."""
    content = rules(SCALE)
    for rule in content["groups"][0]["rules"]:
        if "alert" in rule:
            rule["for"] = CUT if seconds(rule["for"]) > LONGEST else rule["for"]
            rule["keep_firing_for"] = scaled(rule["keep_firing_for"], KEEP)
        if rule.get("alert") == "WayclearProberStale":
            query, five, _ = rule["expr"].rpartition("> 5")
            assert five, "five minutes are five seconds here"
            rule["expr"] = f"{query}> {STALE}"
    return document(content)


def quick_routes() -> str:
    """The routes and inhibitions of this tree with short waits; each receiver but `nobody` is a message box."""
    content = configuration()
    for route in content["route"]["routes"]:
        if seconds(route["group_wait"]) > seconds(FIRST_WAIT):
            route["group_wait"] = FIRST_WAIT
        route["group_interval"] = scaled(route["group_interval"], SCALE)
    for receiver in content["receivers"]:
        if receiver["name"] != "nobody":
            url = f"http://127.0.0.1:{BOX}/{receiver['name']}"
            receiver["webhook_configs"] = [{"url": url, "send_resolved": False}]
    return document(content)


@dataclass(frozen=True, slots=True)
class Message:
    """What one receiver was sent at once: the alerts that fire, as words, and what they say."""

    receiver: str
    alerts: frozenset[str]
    summaries: tuple[str, ...]
    links: tuple[str, ...]


def word(labels: Mapping[str, str]) -> str:
    """An alert as a word: `ConnectorDown conn-dub-1`, `SiteDown Dublin`. All names that a page for a group tells of are
    one word."""
    kinds: tuple[str, ...] = ("connector", "site", "target", "connector_group", "ruleset")
    if labels["alertname"] == "WayclearGroupTellsOfName":
        kinds = ()
    about = next((labels[k] for k in kinds if labels.get(k)), "")
    return f"{labels['alertname'].removeprefix('Wayclear')} {about}".strip()


class Fleet:
    """The running fleet. `start` it inside a lab made from `plan()`."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.daemons: dict[str, Daemon] = {}

    def start(self) -> None:
        """Start networks and daemons, and after the first sweep of all daemons Prometheus and Alertmanager."""
        self.review(0)
        cas = self.lab.directory / "lab-cas.toml"
        cas.write_text(reviewed(cas, 0), "utf-8")
        relay = self.lab.plan.world.hosts[RELAY]
        relay.v4.remove(NEW_ADDRESS)  # its server exists, and no name leads to it yet
        self.lab.resolve_as_planned()
        self.lab.connect(MONITORING, NUMBER)
        for member in MEMBERS:
            network = "connector"
            if member.number > 1:
                network = f"connector{member.number}"
                self.lab.connect(network, member.number)
            self.daemons[member.name] = self._serve(member, network)
        for daemon in self.daemons.values():
            daemon.ready()
        self.lab.start_python("messages", MONITORING, "message_box", str(BOX))
        self._start_alertmanager()
        self._start_prometheus()
        until("Prometheus has scraped everybody", self._scraped, 20)
        until("what was pending before that is none", lambda: not self.alerts("pending"), 5)

    def restart(self, member: Member) -> None:
        """Start a daemon again that was killed."""
        self.daemons[member.name] = self._serve(member, self.daemons[member.name].network)
        self.daemons[member.name].ready()

    def restart_alertmanager(self) -> None:
        """Let Alertmanager forget all groups of alerts.

        A group that has told of an alert lives on for half a minute after that one has resolved. What fires meanwhile is
        told at the group's next interval, so it does not wait for the rest of its outage. Prometheus also sends what has
        resolved again for 15 minutes. So outside the lab an outage that begins within these may take two messages:
        docs/alerts.md says so.
        """
        self.lab.stop("alertmanager")
        shutil.rmtree(self.lab.directory / "alertmanager")
        self._start_alertmanager()

    def review(self, days_ago: int) -> None:
        """Give every daemon a rule set of this age; each reads it again by itself."""
        (self.lab.directory / "rules.toml").write_text(reviewed(RULE_SET, days_ago), "utf-8")

    # --- breaking and repairing ----------------------------------------------------------------------------------------

    def block(self, member: Member, rule: str, chain: str = "passing") -> None:
        """An nft rule for packets from this member only."""
        self.lab.nft(f"add rule inet lab {chain} iifname {member.interface} {rule}")

    def intercept(self, member: Member, match: str, port: int) -> None:
        """Redirect matching packets to a device of the firewall."""
        hook = "{ type nat hook prerouting priority -100; }"
        self.lab.nft(
            f"add chain inet lab divert {hook}\n"
            f"add rule inet lab divert iifname {member.interface} {match} redirect to :{port}\n"
        )

    def repair(self) -> None:
        """Restore the firewall."""
        self.lab.nft(
            "add chain inet lab divert { type nat hook prerouting priority -100; }\n"
            "flush chain inet lab passing\nflush chain inet lab own\nflush chain inet lab divert\n"
        )

    # --- asking --------------------------------------------------------------------------------------------------------

    def api(self, path: str, **parameters: str) -> Any:
        """Prometheus' HTTP API: the data of its answer."""
        query = urllib.parse.urlencode(parameters)
        reply = fetch(self.lab, f"http://127.0.0.1:9090/api/v1/{path}?{query}", network=MONITORING)
        told = json.loads(reply.text)
        assert told["status"] == "success", f"{parameters}: {told.get('error', reply.text)}"
        assert not told.get("warnings"), f"{parameters}: {told['warnings']}"
        return told["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """An instant query; the samples, whatever their type."""
        data = self.api("query", query=expr)
        if data["resultType"] in ("scalar", "string"):
            return [{"metric": {}, "value": data["result"]}]
        found: list[dict[str, Any]] = data["result"]
        return found

    def alerts(self, *states: str) -> set[str]:
        """Alerts in one of these states, as words."""
        return {word(a["labels"]) for a in self.api("alerts")["alerts"] if a["state"] in states}

    def fired(self, since: float) -> set[str]:
        """Every alert that fired at any moment since then (monotonic time)."""
        span = int((time.monotonic() - since) * 1000)
        found = self.query(f'max_over_time(ALERTS{{alertstate="firing"}}[{span}ms])')
        return {word(one["metric"]) for one in found}

    def told(self) -> dict[str, bool]:
        """Alertmanager's alerts as words, and whether another alert inhibits each."""
        reply = fetch(self.lab, "http://127.0.0.1:9093/api/v2/alerts", network=MONITORING)
        return {word(a["labels"]): bool(a["status"]["inhibitedBy"]) for a in json.loads(reply.text)}

    def receivers(self) -> dict[str, set[str]]:
        """The receivers of Alertmanager's alerts."""
        reply = fetch(self.lab, "http://127.0.0.1:9093/api/v2/alerts", network=MONITORING)
        return {word(a["labels"]): {r["name"] for r in a["receivers"]} for a in json.loads(reply.text)}

    def messages(self) -> list[Message]:
        """Every message that somebody was sent since the start."""
        found = []
        for line in self.lab.log("messages").splitlines():
            if line.startswith(BEGINS):
                told = json.loads(line.removeprefix(BEGINS))
                firing = [one for one in told["alerts"] if one["status"] == "firing"]
                texts = [one["annotations"] for one in firing]
                found.append(
                    Message(
                        told["receiver"],
                        frozenset(word(one["labels"]) for one in firing),
                        tuple(text["summary"] for text in texts),
                        tuple(text["runbook_url"] for text in texts),
                    )
                )
        return found

    # --- building ------------------------------------------------------------------------------------------------------

    def _serve(self, member: Member, network: str) -> Daemon:
        top = {
            "connector_group": member.group,
            "site": member.site,
            "region": "emea" if member.group == "emea" else "apac",
            "inventory": [m.name for m in MEMBERS],
        }
        address = f"10.10.{member.number}.2"
        return serve(self.lab, member.name, network=network, address=address, schedule=SCHEDULE, top=top)

    def _start_alertmanager(self) -> None:
        file = self.lab.directory / "alertmanager.yml"
        file.write_text(quick_routes(), "utf-8")
        argv = [
            "prometheus-alertmanager",
            f"--config.file={file}",
            f"--storage.path={self.lab.directory}/alertmanager",
            "--web.listen-address=127.0.0.1:9093",
            "--cluster.listen-address=",
        ]
        self.lab.start("alertmanager", argv, "address=127.0.0.1:9093", network=MONITORING)

    def _start_prometheus(self) -> None:
        directory = self.lab.directory
        (directory / "rules.yml").write_text(quick_rules(), "utf-8")
        targets = [f"10.10.{m.number}.2:{PORT}" for m in MEMBERS]
        config = {
            "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": ["127.0.0.1:9093"]}]}]},
            "scrape_configs": [{"job_name": "wayclear", "static_configs": [{"targets": targets}]}],
        }
        (directory / "prometheus.yml").write_text(document(config), "utf-8")
        argv = [
            "prometheus",
            f"--config.file={directory}/prometheus.yml",
            f"--storage.tsdb.path={directory}/tsdb",
            "--web.listen-address=127.0.0.1:9090",
            # Else what has resolved is sent again for 15 minutes, and Alertmanager makes a group for it.
            "--rules.alert.resend-delay=1h",
        ]
        self.lab.start("prometheus", argv, "Server is ready to receive web requests", network=MONITORING)

    def _scraped(self) -> bool:
        return len(self.query("up == 1")) == len(MEMBERS) and bool(self.query("connector:wayclear_able:bool"))
