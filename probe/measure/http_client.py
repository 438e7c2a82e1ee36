"""One HTTP/1.1 request and its answer, without I/O: h11 parses, and everything that a peer may send has a limit.

It requests no content coding, keeps no state and follows no redirect. Plain HTTP and the GET inside a TLS session use it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import h11

from probe.measure.failure import classify
from probe.measure.http_head import HeadReader
from probe.measure.limits import Limits
from probe.version import VERSION
from rules.model.failure import Code, Failure, Stage
from rules.text.display import display

USER_AGENT = f"wayclear/{VERSION}"  # User-Agent of every request of this program
INTERIM_CAP = 5  # 1xx answers before the real one (RFC 9110 section 15.2)
EVIDENCE = 4_096  # bytes kept of an answer that is not HTTP
_FREE_PIECES, _PIECE = 1_024, 64  # after 1,024 pieces of body, a piece must have 64 bytes on average


def request(
    host: str, port: int, target: str, default_port: int, body: bytes | None = None
) -> bytes | Failure:
    """The bytes of a GET, or with a `body` of an OCSP POST (RFC 6960 appendix A.1).

    A `Failure` if no request can contain the host or target (from a certificate, for example); then nothing is sent.
    """
    literal = f"[{host}]" if ":" in host else host
    headers = [
        ("Host", literal if port == default_port else f"{literal}:{port}"),
        ("User-Agent", USER_AGENT),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),  # without it any coding is acceptable (RFC 9110 section 12.5.3)
        ("Connection", "close"),
    ]
    if body is not None:
        headers += [("Content-Type", "application/ocsp-request"), ("Content-Length", str(len(body)))]
    writer = h11.Connection(h11.CLIENT)
    try:
        head = writer.send(
            h11.Request(method="GET" if body is None else "POST", target=target, headers=headers)
        )
    except (h11.LocalProtocolError, UnicodeEncodeError):
        words = f"not fetched: HTTP cannot carry the address {display(host)} {display(target)}"
        return Failure(Stage.HTTP, Code.MALFORMED, words)
    return (head or b"") + (body or b"")


class ResponseReader:
    """Reads the answer to one request. Feed it the received bytes; malformed bytes raise nothing.

    `done`: no more bytes are needed. `failure`: why the answer is incomplete; what was read before is kept. `head_only`:
    read status and headers only. `cap`: most bytes of body that are read; one more is `TOO_LARGE`. `keep`: most bytes kept in
    `body`, None for all. `whole` is called with each piece of the body.
    """

    def __init__(
        self,
        limits: Limits,
        cap: int = 0,
        head_only: bool = False,
        keep: int | None = None,
        whole: Callable[[bytes], None] | None = None,
    ) -> None:
        self.status: int | None = None
        self.reason = ""
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()
        self.size = 0  # bytes of body that were read
        self.done = False
        self.failure: Failure | None = None
        self._limits = limits
        self._cap = cap
        self._keep = cap if keep is None else keep
        self._whole = whole
        self._head_only = head_only
        self._first = b""
        self._hash = hashlib.sha256()
        self._wire = 0
        self._pieces = 0
        self._interim = 0
        self._heads = HeadReader(limits.header_bytes)
        self._h11 = h11.Connection(h11.CLIENT, max_incomplete_event_size=limits.header_bytes)
        # h11 reads an answer only after a request; any GET will do.
        self._h11.send(h11.Request(method="GET", target="/", headers=[("Host", "-")]))
        self._h11.send(h11.EndOfMessage())

    @property
    def repaired(self) -> tuple[str, ...]:
        """Oddities of the head that were corrected: see `probe/measure/http_head.py`."""
        return self._heads.oddities if self.status is not None else ()

    @property
    def sha256(self) -> str:
        """Hex SHA-256 of the received body; "" before its first byte."""
        return self._hash.hexdigest() if self.size else ""

    def feed(self, data: bytes) -> None:
        """Read the next bytes of the connection; b"" is the peer's FIN."""
        self._wire += len(data)
        if len(self._first) < EVIDENCE:
            self._first += data[: EVIDENCE - len(self._first)]
        if self.status is None and not b"HTTP/".startswith(self._first[:5]):
            self._fail(Code.MALFORMED, "the answer is not HTTP")
        elif self._wire > 2 * self._cap + 8 * self._limits.header_bytes:
            self._fail(Code.TOO_LARGE, f"{self._wire} bytes for {self.size} bytes of body")
        else:
            try:
                plain = self._heads.feed(data)
                if plain:
                    self._read(plain)
                if not data and not self.done:
                    self._read(b"")
            except h11.RemoteProtocolError as error:
                if data:
                    self._end(classify(error, Stage.HTTP))
        if not data and not self.done:
            self._fail(Code.EOF, "closed before the answer was whole")

    def _read(self, plain: bytes) -> None:
        self._h11.receive_data(plain)
        while not self.done and self._take(self._h11.next_event()):
            pass

    def give_up(self, failure: Failure) -> None:
        """The connection ended with `failure`."""
        if not self.done:
            self._end(failure)

    def refuse(self, failure: Failure) -> None:
        """Stop reading; `failure` says why the answer is incomplete."""
        self._end(failure)

    def _take(self, event: object) -> bool:
        """Handle an event; whether another one may follow at once."""
        if isinstance(event, h11.Data):
            self._data(event.data)
        elif isinstance(event, h11.InformationalResponse):
            self._interim += 1
            if self._interim > INTERIM_CAP:
                self._fail(Code.MALFORMED, f"more than {INTERIM_CAP} interim answers")
        elif isinstance(event, h11.Response):
            self._head(event)
        elif isinstance(event, h11.EndOfMessage):
            self.done = True
        elif event is h11.PAUSED:
            self._fail(Code.MALFORMED, "the peer changed to another protocol unasked")
        else:  # NEED_DATA, ConnectionClosed
            return False
        return True

    def _head(self, event: h11.Response) -> None:
        self.status = event.status_code
        self.reason = display(event.reason)
        limits = self._limits
        pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in event.headers]
        size = sum(len(name) + len(value) + 4 for name, value in pairs)
        self.headers = tuple(pairs[: limits.header_count])
        if len(pairs) > limits.header_count or size > limits.header_bytes:
            self._fail(Code.TOO_LARGE, f"{len(pairs)} headers of {size} bytes")
        elif self._head_only:
            self.done = True

    def _data(self, piece: bytes) -> None:
        room = self._cap - self.size
        read = piece if len(piece) <= room else piece[:room]
        self.size += len(read)
        self.body += read[: max(0, self._keep - len(self.body))]
        self._hash.update(read)
        if self._whole is not None:
            self._whole(bytes(read))
        self._pieces += 1
        if len(piece) > room:
            self._fail(Code.TOO_LARGE, f"more than {self._cap} bytes of body")
        elif self._pieces > _FREE_PIECES + self.size // _PIECE:
            self._fail(Code.MALFORMED, f"{self._pieces} chunks for {self.size} bytes of body")

    def _fail(self, code: Code, detail: str) -> None:
        self._end(Failure(Stage.HTTP, code, detail))

    def _end(self, failure: Failure) -> None:
        self.done = True
        self.failure = failure
        if self.status is None:  # not HTTP: its first bytes are the evidence
            self.body = bytearray(self._first[: self._cap])
            self.size = len(self.body)
            self._hash = hashlib.sha256(self.body)
