"""Every page of a running service, as a client sees it: what is answered, what is refused, and what is told to nobody."""

from __future__ import annotations

import asyncio
import base64
import datetime
import itertools
import json
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote

import bcrypt
import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from dashboards.alerts import ALERTS
from exporters.page import page
from exporters.page.page import CONTENT_SECURITY_POLICY
from exporters.page.script import SCRIPT
from exporters.runbook import page as runbook
from probe.config.service import ServeConfig
from probe.config.settings import Config, parse_config
from probe.serve import pages
from probe.serve.pages import shown_config
from probe.web.messages import HttpLimits, Request
from rules.files.report_schema import schema
from rules.watch.maintenance import Window
from tests.probe.cell import ROOT, Client
from tests.probe.internet import BOOT, LISTS, RELAY, SIGN_IN, ZONE, Internet
from tests.probe.serve_process import STILL, Served, served

PAGES = ("/", "/metrics", "/report.json", "/config", "/targets", "/runbook", "/-/healthy", "/-/ready")
TYPES = {"/": "text/html", "/metrics": "text/plain; version=0.0.4", "/report.json": "application/json",
         "/config": "application/json", "/targets": "application/json", "/runbook": "text/html"}  # fmt: skip


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that has had its first look."""
    with served(tmp_path_factory.mktemp("pages"), schedule=STILL, top='site = "Dublin"') as found:
        found.ready()
        found.until(lambda: found.metric("wayclear_connector_can_live") == 1)
        yield found


# --- paths and methods ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES)
def test_each_page_is_there_and_its_head_is_the_same_without_a_body(daemon: Served, path: str) -> None:
    status, text, headers = daemon.client.ask(path)
    assert status == 200
    assert text.endswith("\n")
    assert headers["content-type"].startswith(TYPES.get(path, "text/plain"))
    assert headers["x-content-type-options"] == "nosniff"
    again, nothing, same = daemon.client.ask(path, "HEAD")
    assert (again, nothing) == (200, "")
    assert same["content-type"] == headers["content-type"]


@pytest.mark.parametrize("path", [*PAGES, "/probe"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_what_only_reads_is_only_read(daemon: Served, path: str, method: str) -> None:
    status, _, headers = daemon.client.ask(path, method)
    assert status == 405
    assert headers["allow"].startswith("GET, HEAD")
    if method in ("POST", "PUT"):  # methods that some other page might have
        assert headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_a_reload_is_asked_for_with_post(daemon: Served, method: str) -> None:
    before = daemon.log().count("reloaded")
    assert daemon.client.ask("/-/reload", method)[0] == 405
    assert daemon.log().count("reloaded") == before


def test_a_page_of_another_site_cannot_ask_for_it(daemon: Served) -> None:
    before = daemon.log().count("reloaded")
    for headers in (
        {"Origin": "https://evil.example"},
        {"Host": "evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert daemon.client.ask("/-/reload", "POST", headers)[0] in (403, 421), headers
    assert daemon.log().count("reloaded") == before
    assert daemon.client.ask("/", headers={"Host": "evil.example"})[0] == 421


@pytest.mark.parametrize(
    "path",
    ["/nothing", "/metrics/", "//metrics", "/Metrics", "/%6detrics", "/-%2freload", "/-/", "/-/quit", "/debug/pprof",
     "/metrics%00", "/..%2f", "/%2e%2e/etc/passwd", "/<script>alert(1)</script>", "/" + "x" * 4000,
     "/\u202e".encode().decode("latin-1")],
)  # fmt: skip
def test_there_is_no_other_page(daemon: Served, path: str) -> None:
    status, text, _ = daemon.client.ask(quote(path, safe="/%"))
    assert status in (400, 404)
    assert "script" not in text
    assert "passwd" not in text


# --- what each holds --------------------------------------------------------------------------------------------------------


def test_the_metrics_are_prometheus_text_plain_or_packed(daemon: Served) -> None:
    text = daemon.client.get("/metrics")
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"wayclear_connector_can_live", "wayclear_check_success", "wayclear_build_info"} <= names
    with daemon.client.connect() as sock:
        sock.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"
        )
        answer = b""
        while data := sock.recv(65536):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in head.lower()
    assert body[:2] == b"\x1f\x8b"


def test_the_report_can_be_replayed_and_says_the_same(daemon: Served, tmp_path: Path) -> None:
    text = daemon.client.get("/report.json")
    report = json.loads(text)
    jsonschema.Draft202012Validator(schema()).validate(report)
    assert report["started"] == report["finished"] >= max(seen["started"] for seen in report["observations"])
    path = tmp_path / "report.json"
    path.write_text(text)
    files = ["--rules", f"{daemon.directory}/rules.toml", "--ca-set", f"{daemon.directory}/cas.toml"]
    done = subprocess.run(
        [sys.executable, "-m", "probe", "replay", str(path), "--format", "json", *files],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == report["exit_code"] == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["answer"] == report["answer"] == "yes"
    assert again["verdicts"] == report["verdicts"]


def test_the_runbook_has_an_anchor_for_each_alert_and_its_own_policy(daemon: Served) -> None:
    _, text, headers = daemon.client.ask("/runbook")
    for alert in ALERTS:
        assert f'<h3 id="{alert.anchor}">' in text
    assert headers["content-security-policy"] == runbook.CONTENT_SECURITY_POLICY
    assert daemon.metric("wayclear_page_info", scheme="http") == 1


def test_the_targets_are_what_http_sd_takes(daemon: Served) -> None:
    """A list of objects with `targets` and `labels`, all of them texts (Prometheus, HTTP SD)."""
    found = json.loads(daemon.client.get("/targets"))
    assert [one["targets"] for one in found] == [
        [f"{BOOT}:443"],
        [f"{RELAY}:443"],
        [f"{SIGN_IN}:443"],
        [f"{LISTS}:80"],
    ]
    for one in found:
        assert set(one) == {"targets", "labels"}
        assert all(re.fullmatch("__meta_[a-z_]+", name) for name in one["labels"])
        assert all(isinstance(value, str) and value for value in one["labels"].values())


def test_the_status_page_runs_its_own_script_only_and_names_what_counts(daemon: Served) -> None:
    _, text, headers = daemon.client.ask("/")
    assert headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert CONTENT_SECURITY_POLICY.startswith("default-src 'none'")
    assert re.findall(r"<script[^>]*>", text, re.IGNORECASE) == ["<script>"]
    assert f"<script>{SCRIPT}</script>" in text, "the one that the policy allows"
    assert all(name in text for name in (BOOT, RELAY, SIGN_IN, LISTS, ZONE[BOOT][0], "Dublin"))
    assert '<meta http-equiv="refresh" content="30"' in text


@pytest.mark.parametrize(
    ("refresh", "expected"), [("5", "5"), ("3600", "3600"), ("0", None), ("3601", None), ("x", None), ("-1", None),
                              ("1" * 100, None), ("", None), ("%3B0%3Burl=https://evil.example", None), ("٣", None),
                              ("000001" + "9" * 4400, None)],
)  # fmt: skip
def test_how_often_it_is_loaded_again_is_a_number_or_nothing(
    daemon: Served, refresh: str, expected: str | None
) -> None:
    text = daemon.client.get(f"/?refresh={quote(refresh, safe='%=')}")
    found = re.findall(r'http-equiv="refresh" content="([^"]*)"', text)
    assert found == ([expected] if expected else [])


def test_before_the_first_look_has_ended(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.places |= {address: "silent" for found in ZONE.values() for address in found}
    with served(tmp_path, net=net, schedule=STILL) as daemon:
        daemon.until(lambda: len(net.hits) >= 4)
        assert daemon.client.status("/-/healthy") == 200
        for path in ("/-/ready", "/report.json"):
            status, text, headers = daemon.client.ask(path)
            assert (status, headers["retry-after"]) == (503, "15")
            assert "first look" in text
        assert daemon.client.get("/targets") == "[]\n"
        assert daemon.metric("wayclear_build_info") == 1
        assert daemon.metric("wayclear_connector_can_live") is None
        daemon.until(
            lambda: re.search(r"First check still running: \d+ of \d+ names", daemon.client.get("/"))
        )
        net.places.clear()
        daemon.ready()
        assert daemon.client.status("/report.json") == 200


# --- secrets ----------------------------------------------------------------------------------------------------------------


def test_no_secret_of_the_web_configuration_or_the_environment_is_told(tmp_path: Path) -> None:
    """Users, their hashes, and a proxy's password: grepped for in every page, the log, the history and the textfile."""
    password = "correct-horse-battery"
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users:\n  zaphod: {hashed}\n")
    web.chmod(0o600)
    environment = {"HTTPS_PROXY": "http://trillian:mice-are-clever@proxy.example:3128"}
    (tmp_path / "textfiles").mkdir()
    words = ("--allow-root", "--web.config.file", str(web), "--textfile", str(tmp_path / "textfiles"))
    with served(tmp_path, schedule=STILL, environment=environment, arguments=words) as daemon:
        login = {"Authorization": "Basic " + base64.b64encode(f"zaphod:{password}".encode()).decode()}
        client: Client = daemon.client
        daemon.until(lambda: "first look done" in daemon.log())
        daemon.until((tmp_path / "textfiles/wayclear.prom").exists)
        assert client.ask("/metrics")[0] == 401
        told = {path: client.ask(path, headers=login)[1] for path in PAGES}
        assert json.loads(told["/report.json"])["vantage"]["proxy"]
        client.ask("/-/reload", "POST", login)
        daemon.end()
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p != web]
    told |= {str(path): path.read_bytes().decode("latin-1") for path in files}
    assert len(told) > len(PAGES) + 5
    for where, text in told.items():
        for secret in ("zaphod", hashed, hashed[7:29], password, "trillian", "mice-are-clever"):
            assert secret not in text, where


def test_the_connector_s_name_is_shown_although_nobody_configured_it(daemon: Served) -> None:
    shown = json.loads(daemon.client.get("/config"))["connector"]
    assert shown
    assert f'wayclear_maintenance{{connector="{shown}"' in daemon.client.get("/metrics")


def test_a_web_configuration_that_breaks_is_told_until_it_is_mended(tmp_path: Path) -> None:
    web, reloaded = tmp_path / "web.yml", "wayclear_web_config_last_reload_successful"
    web.write_text("http_server_config: {}\n")
    with served(tmp_path, web=f'config_file = "{web}"') as found:
        found.ready()
        assert found.metric(reloaded) == 1
        read = found.metric("wayclear_web_config_last_reload_success_timestamp_seconds")
        web.write_text("speling: 1\nother: 2\n")
        found.until(lambda: found.metric(reloaded) == 0)
        page = found.client.get("/")
        assert "The web configuration was refused, the old one stays in force: " in page
        assert "speling: is not a key" in page
        assert found.metric("wayclear_web_config_last_reload_success_timestamp_seconds") == read
        assert found.metric("wayclear_config_last_reload_successful") == 1
        web.write_text("http_server_config: {http2: false}\n")
        found.until(lambda: found.metric(reloaded) == 1)
        found.until(lambda: "configuration was refused" not in found.client.get("/"), 4)
        told = [line for line in found.log().splitlines() if "web configuration" in line]
        assert len(told) == 2
        assert "level=error" in told[0]
        assert ": 2 things are wrong: line 1: speling: " in told[0]
        assert "level=info" in told[1]
        assert "\\x0a" not in told[0]


def test_without_a_web_configuration_nothing_is_said_of_it(daemon: Served) -> None:
    assert "wayclear_web_config" not in daemon.client.get("/metrics")


def test_the_configuration_that_is_shown_is_whole() -> None:
    """Each key of the file has its place, so that nobody asks which value is in force."""
    window = Window("patches", days=(5,), begins=3600, ends=7200)
    config = Config(serve=replace(ServeConfig(), maintenance=(window,)))
    shown = shown_config(config, "c1")
    assert {one.name for one in fields(Config)} - {"serve", "limits"} <= set(shown)
    assert {one.name for one in fields(ServeConfig)} <= set(shown)
    assert json.loads(json.dumps(shown, default=str))["schedule"]["service"] == 60
    assert "patches" in json.dumps(shown, default=str)


def test_a_window_is_shown_as_the_file_has_it() -> None:
    written = """
[[maintenance]]
name = "patches"
days = ["wed", "thu"]
from = "22:00"
to = "02:30"
timezone = "Europe/Dublin"
[[maintenance]]
name = "move"
start = 2027-11-24T01:00:00+01:00
end = 2027-11-24T04:00:00.5Z
pause = true
"""
    config = parse_config(tomllib.loads(written), "")
    weekly, once = json.loads(json.dumps(shown_config(config, "c1"), default=str))["maintenance"]
    assert weekly == {
        "name": "patches", "days": ["wed", "thu"], "from": "22:00", "to": "02:30", "timezone": "Europe/Dublin",
        "pause": False,
    }  # fmt: skip
    assert once["start"] == "2027-11-24T00:00:00Z"
    assert datetime.datetime.fromisoformat(once["end"]).timestamp() == config.serve.maintenance[1].end
    assert once.keys() == {"name", "start", "end", "pause"}
    assert once["pause"] is True
    again = [weekly, once | {key: datetime.datetime.fromisoformat(once[key]) for key in ("start", "end")}]
    assert parse_config({"maintenance": again}, "").serve.maintenance == config.serve.maintenance


def test_a_page_is_made_once_for_all_who_ask_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it takes to make: 60 clients on / had it made 60 times, one after the other."""
    made: list[float] = []
    go = threading.Event()

    def render(state: SimpleNamespace, now: float, refresh: int | None) -> str:
        assert go.wait(30)
        made.append(now)
        return "page"

    monkeypatch.setattr(page, "render", render)
    moments = itertools.count(1.0)
    service = SimpleNamespace(shown=lambda now: SimpleNamespace(now=next(moments)))

    async def run() -> None:
        made_by = pages.Pages(cast(Any, service))
        ask = Request("GET", "/", {}, {}, "127.0.0.1")
        crowd = [asyncio.create_task(made_by.answer(ask)) for _ in range(60)]
        await asyncio.sleep(0)
        crowd[0].cancel()  # whoever asked first leaves
        go.set()
        answers = await asyncio.gather(*crowd[1:], made_by.answer(ask))
        assert {answer.body for answer in answers} == {b"page"}
        assert made == [1.0]
        monkeypatch.setattr(pages, "KEPT", 0.0)
        made_by = pages.Pages(cast(Any, service))
        for _ in range(2):
            await made_by.answer(ask)
        assert made == [1.0, 2.0, 3.0], "not for ever"

    asyncio.run(run())


def test_a_crowd_of_probes_leaves_room_for_scrapes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two Prometheus that drive /probe at once: what waits for the rate must not keep /metrics and the others out."""
    turn = asyncio.Event()

    async def waits(*_: object) -> tuple[int, str]:
        await turn.wait()
        return 200, ""

    monkeypatch.setattr(pages, "probe", waits)
    web = SimpleNamespace(probe=True)
    daemon = SimpleNamespace(config=SimpleNamespace(serve=SimpleNamespace(web=web)), appliance=None)

    async def run() -> None:
        made = pages.Pages(cast(Any, daemon))
        ask = Request("GET", "/probe", {"target": "a.example"}, {}, "127.0.0.1")
        crowd = [asyncio.create_task(made.answer(ask)) for _ in range(pages.MOST_PROBES)]
        await asyncio.sleep(0)
        refused = await made.answer(ask)
        assert (refused.status, refused.headers) == (503, (("Retry-After", "1"),))
        assert (await made.answer(replace(ask, path="/-/healthy"))).status == 200
        turn.set()
        assert {one.status for one in await asyncio.gather(*crowd)} == {200}
        assert (await made.answer(ask)).status == 200, "room again"

    asyncio.run(run())
    assert HttpLimits().in_flight > pages.MOST_PROBES
