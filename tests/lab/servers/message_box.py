"""Takes what Alertmanager sends, as a pager or a ticket queue would: `python -m tests.lab.servers.message_box PORT`.

Each message (a POST) becomes one line of output: a JSON object with the path that it was sent to and its alerts.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEGINS = "message: "


class Handler(BaseHTTPRequestHandler):
    """Answers every POST with 200."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        line = json.dumps({"receiver": self.path.strip("/"), "alerts": told["alerts"]})
        print(f"{BEGINS}{line}", flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Only messages are output."""


def main(port: int) -> None:
    """Listen on loopback until killed."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]))
