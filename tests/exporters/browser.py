"""A real browser for pages: Debian's Chromium without a screen, driven over WebDriver, and a small real server for it.

Needs the Debian packages `chromium` and `chromium-driver`. Loopback only; the browser's own calls home are off.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

LIMIT = 25  # seconds for any one thing that the browser is asked
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
    "--no-proxy-server", "--host-resolver-rules=MAP * ^NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
ICON = "/favicon.ico"  #: what the browser asks a site for by itself, once and at some time: no page's doing
CODES = {"Tab": 9, "Enter": 13}


@dataclass
class Site:
    """A server on loopback: `pages` maps a path (with its query) to HTML and headers; `asked` is what was asked for."""

    url: str
    pages: dict[str, tuple[str, dict[str, str]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def put(self, path: str, page: str, policy: str | None = None) -> str:
        """Offer a page, with a Content-Security-Policy where one is given; its URL."""
        self.pages[path] = (page, {} if policy is None else {"Content-Security-Policy": policy})
        return self.url + path

    def wait_for(self, requests: int) -> bool:
        """Wait until so many requests have come; whether they have within `LIMIT`."""
        with self.came:
            return self.came.wait_for(lambda: len(self.asked) >= requests, LIMIT)


@contextmanager
def serving() -> Iterator[Site]:
    """A `Site` for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != ICON:
                with site.came:
                    site.asked.append(self.path)
                    site.came.notify_all()
            page, headers = site.pages.get(self.path, ("", {}))
            body = page.encode()
            self.send_response(200 if self.path in site.pages else 404)
            for name, value in {"Content-Type": "text/html; charset=utf-8", **headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """The tests look at `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Browser:
    """A WebDriver session (W3C WebDriver, and Chromium's DevTools commands through it)."""

    def __init__(self, driver: str, session: str) -> None:
        self._session = f"{driver}/session/{session}"

    def ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - the protocol talks JSON
        return request(method, self._session + path, body)

    def cdp(self, command: str, **parameters: object) -> Any:  # noqa: ANN401
        return self.ask("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def open(self, url: str) -> None:
        """Load a page and forget what the console said before."""
        self.console()
        self.ask("POST", "/url", {"url": url})

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401
        """The result of a script of ours, run in the page from outside: no policy of the page holds it."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def console(self) -> list[str]:
        """What the console said since it was last asked: errors, violations of the policy, console.log."""
        return [entry["message"] for entry in self.ask("POST", "/se/log", {"type": "browser"})]

    def look(self, width: int, height: int = 800, dark: bool = False, media: str = "screen") -> None:
        """From now on as on a screen of this width in CSS pixels, with this colour scheme, or on paper."""
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.cdp("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def scripts(self, allowed: bool) -> None:
        """Whether scripts of pages that are loaded from now on may run."""
        self.cdp("Emulation.setScriptExecutionDisabled", value=not allowed)

    def press(self, key: str) -> None:
        """A key as from a keyboard."""
        text = {"text": "\r"} if key == "Enter" else {}
        known = {"key": key, "code": key, "windowsVirtualKeyCode": CODES[key]}
        self.cdp("Input.dispatchKeyEvent", type="keyDown", **known, **text)
        self.cdp("Input.dispatchKeyEvent", type="keyUp", **known)

    def picture(self, part: tuple[int, int, int, int] | None = None) -> bytes:
        """The screen as a PNG, or a part of the whole page: left, top, width, height in CSS pixels."""
        clip = (
            {}
            if part is None
            else {"clip": dict(zip(("x", "y", "width", "height"), part, strict=True), scale=1)}
        )
        shot = self.cdp(
            "Page.captureScreenshot", format="png", captureBeyondViewport=part is not None, **clip
        )
        return b64decode(shot["data"])


def request(method: str, url: str, body: object = None) -> Any:  # noqa: ANN401
    """One command of the protocol; its errors carry the driver's words."""
    data = None if method == "GET" else json.dumps(body or {}).encode()
    asked = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=LIMIT) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        with error:
            raise AssertionError(f"{method} {url}: {error.read().decode()[:2000]}") from error


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser with a new, empty profile; it and its driver end with the block."""
    with tempfile.TemporaryDirectory(prefix="wayclear-browser-", ignore_cleanup_errors=True) as profile:
        argv = ["chromedriver", "--port=0", "--log-level=SEVERE"]
        driver = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            assert driver.stdout is not None
            found = next(m for line in driver.stdout if (m := re.search(r"successfully on port (\d+)", line)))
            url = f"http://127.0.0.1:{found[1]}"
            options = {"args": [*ARGUMENTS, f"--user-data-dir={profile}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            made = request("POST", f"{url}/session", {"capabilities": {"alwaysMatch": wanted}})
            try:
                yield Browser(url, made["sessionId"])
            finally:
                request("DELETE", f"{url}/session/{made['sessionId']}")
        finally:
            driver.terminate()
            driver.wait(LIMIT)
            if driver.stdout is not None:
                driver.stdout.close()
