"""Maps each path to its page. The daemon gives the values, the exporters make the texts."""

from __future__ import annotations

import asyncio
import datetime
import importlib.resources
import json
import time
import zoneinfo
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Protocol

from exporters.page import page as status_page
from exporters.runbook import page as runbook_page
from probe.config.settings import Config
from probe.serve.publisher import Snapshot
from probe.watch.loop import WatchLoop
from probe.watch.on_demand import explained, probe
from probe.web.messages import Request, Response, takes_gzip
from rules.files import report_json
from rules.text.display import display
from rules.text.moments import utc
from rules.watch.maintenance import DAYS, Window
from rules.watch.state import Place, State

TEXT = "text/plain; charset=utf-8"
#: The version of Prometheus' text format.
METRICS = "text/plain; version=0.0.4; charset=utf-8"
JSON = "application/json"
#: Seconds for which an expensive page is reused.
KEPT = 2.0
#: Probes on demand at once. The web server handles 40 requests of this class at once: probes that wait for the rate limit
#: must leave some for pages.
MOST_PROBES = 32

Page = Callable[[Request], Awaitable[Response]]


class Service(Protocol):
    """The part of the daemon that the pages need."""

    @property
    def ready(self) -> bool: ...

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def place(self) -> Place: ...

    @property
    def appliance(self) -> WatchLoop | None: ...

    @property
    def config(self) -> Config: ...

    def shown(self, now: float) -> State: ...

    async def reload(self) -> str: ...


class Pages:
    """Answers requests. Only `/-/reload` changes anything."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._made: dict[str, tuple[float, Response]] = {}  # until when each is reused (monotonic)
        self._making: dict[str, asyncio.Task[Response]] = {}
        self._turn = asyncio.Lock()
        self._probing = 0
        self._get: dict[str, Page] = {
            "/": self._status,
            "/metrics": self._metrics,
            "/report.json": self._report,
            "/config": self._config,
            "/targets": self._targets,
            "/runbook": self._runbook,
            "/probe": self._probe,
            "/-/healthy": self._healthy,
            "/-/ready": self._ready,
        }

    async def answer(self, request: Request) -> Response:
        """The answer to one request."""
        if request.path == "/-/reload":
            if request.method != "POST":
                return _plain(405, "The reload is asked for with POST.\n", (("Allow", "POST"),))
            fault = await self._service.reload()
            return (
                _plain(500, f"Not reloaded, the old configuration stays: {fault}\n")
                if fault
                else _plain(200, "Reloaded.\n")
            )
        page = self._get.get(request.path)
        if page is None:
            return _plain(404, "There is no such page; / leads to those that there are.\n")
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "This page is only read.\n", (("Allow", "GET, HEAD"),))
        return await page(request)

    async def _metrics(self, request: Request) -> Response:
        snapshot = self._service.snapshot
        if takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(200, b"", METRICS, gzip_body=snapshot.packed)
        plain = await asyncio.to_thread(lambda: snapshot.plain)
        return Response(200, plain, METRICS, gzip_body=snapshot.packed)

    async def _status(self, request: Request) -> Response:
        refresh = _refresh(request)
        return await self._once(f"/?{refresh}", lambda state: self._page(state, refresh))

    def _page(self, state: State, refresh: int | None) -> Response:
        text = status_page.render(state, state.now, refresh)
        headers = (("Content-Security-Policy", status_page.CONTENT_SECURITY_POLICY),)
        return Response(200, text.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)

    async def _report(self, _: Request) -> Response:
        return await self._once("/report.json", self._made_report)

    def _made_report(self, state: State) -> Response:
        if state.report is None:
            text = "The first look has not ended: there is no report yet.\n"
            return _plain(503, text, (("Retry-After", "15"),))
        return Response(200, report_json.dumps(state.report).encode(), JSON)

    async def _config(self, _: Request) -> Response:
        return Response(200, _json(shown_config(self._service.config, self._service.place.connector)), JSON)

    async def _targets(self, _: Request) -> Response:
        """For `http_sd_configs`, if Prometheus drives `/probe`."""
        appliance = self._service.appliance
        watched = appliance.watched.values() if appliance is not None else ()
        rows = [
            {
                "targets": [f"{one.key[0]}:{one.key[1]}"],
                "labels": {"__meta_wayclear_rule_group": one.group, "__meta_wayclear_kind": one.kind},
            }
            for one in watched
        ]
        return Response(200, _json(rows), JSON)

    async def _runbook(self, _: Request) -> Response:
        """The runbooks of the alerts, which link to it."""
        return await self._once("/runbook", self._made_runbook)

    def _made_runbook(self, state: State) -> Response:
        text = importlib.resources.files("exporters").joinpath("runbook", "alerts.md").read_text("utf-8")
        headers = (("Content-Security-Policy", runbook_page.CONTENT_SECURITY_POLICY),)
        page = runbook_page.render(text, state.place.connector)
        return Response(200, page.encode("utf-8", "replace"), "text/html; charset=utf-8", headers)

    async def _probe(self, request: Request) -> Response:
        if not self._service.config.serve.web.probe:
            return _plain(404, "/probe is off; probe = true under [web] turns it on.\n")
        if self._probing >= MOST_PROBES:
            text = f"{MOST_PROBES} probes are under way. It was not asked.\n"
            return _plain(503, text, (("Retry-After", "1"),))
        self._probing += 1
        try:
            status, text = await probe(self._service.appliance, request.query, request.headers)
            debug = status == 200 and request.query.get("debug") == "true"
            if debug:
                async with self._turn:
                    text = await explained(self._service.appliance, request.query, text)
        finally:
            self._probing -= 1
        return Response(status, text.encode("utf-8", "replace"), TEXT if debug or status != 200 else METRICS)

    async def _healthy(self, _: Request) -> Response:
        return _plain(200, "wayclear is healthy.\n")

    async def _ready(self, _: Request) -> Response:
        if self._service.ready:
            return _plain(200, "wayclear is ready.\n")
        return _plain(503, "The first look has not ended.\n", (("Retry-After", "15"),))

    async def _once(self, key: str, make: Callable[[State], Response]) -> Response:
        """A page of one state: all concurrent requests share it, and it is reused for `KEPT` seconds."""
        until, made = self._made.get(key, (0.0, None))
        if made is not None and time.monotonic() < until:
            return made
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.create_task(self._make(key, make))
        return await asyncio.shield(task)  # a client that disconnects does not cancel it for the others

    async def _make(self, key: str, make: Callable[[State], Response]) -> Response:
        """Make one page at a time, in a thread. The state is read on the loop, which owns it."""
        try:
            async with self._turn:
                made = await asyncio.to_thread(make, self._service.shown(time.time()))
            now = time.monotonic()
            self._made = {k: v for k, v in self._made.items() if now < v[0]}
            if made.status == 200:
                self._made[key] = now + KEPT, made
            return made
        finally:
            del self._making[key]


def shown_config(config: Config, connector: str) -> dict[str, object]:
    """The configuration in force, with the connector's name as it is reported.

    It has no secrets: users and keys are in the files of the web configuration.
    """
    shown = {f.name: getattr(config, f.name) for f in fields(Config) if f.name not in ("serve", "limits")}
    serve = {
        f.name: getattr(config.serve, f.name)
        for f in fields(config.serve)
        if f.name not in ("maintenance", "schedule", "web")
    }
    return {
        **shown,
        "labels": dict(config.labels),
        "timeouts": asdict(config.limits),
        **serve,
        "connector": connector,
        "schedule": asdict(config.serve.schedule),
        "web": asdict(config.serve.web),
        "maintenance": [_window(window) for window in config.serve.maintenance],
    }


def _window(window: Window) -> dict[str, object]:
    """A window in JSON types, with the keys and values of the configuration file."""
    shown: dict[str, object] = {"name": window.name}
    if window.start is not None and window.end is not None:
        shown |= {"start": _moment(window.start), "end": _moment(window.end)}
    else:
        shown |= {"days": [DAYS[day] for day in window.days]}
        shown |= {"from": _clock(window.begins), "to": _clock(window.ends), "timezone": _zone(window.zone)}
    return {**shown, "pause": window.pause}


def _moment(at: float) -> str:
    """Unix time in RFC 3339."""
    return utc(at).isoformat().replace("+00:00", "Z")


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"


def _zone(zone: datetime.tzinfo) -> str:
    return (zone.key if isinstance(zone, zoneinfo.ZoneInfo) else "") or "UTC"


def _refresh(request: Request) -> int | None:
    value = request.query.get("refresh", "30")
    fits = value.isascii() and value.isdigit() and len(value) <= 4  # int() raises for very long texts
    return int(value) if fits and 0 < int(value) <= 3600 else None


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, default=str) + "\n").encode()


def _plain(status: int, text: str, headers: tuple[tuple[str, str], ...] = ()) -> Response:
    return Response(status, display(text.rstrip("\n"), 2000).encode() + b"\n", TEXT, headers)
