"""One TLS connection of pyOpenSSL on memory BIOs over our own stream: the handshake, the GET inside, the facts.

Nothing is verified here: `rules/` judges. `probe.measure.tls_records` reads the plaintext of TLS 1.2 before OpenSSL does;
facts that TLS 1.3 encrypts come from OpenSSL's callbacks and getters.

**Whether the server proved its key** is OpenSSL's finding, and OpenSSL's output shows it. OpenSSL verifies no certificate
(VERIFY_NONE), but it always verifies the signature of the key over this handshake: if the check of ServerKeyExchange (TLS
1.2) or CertificateVerify (TLS 1.3) fails, it sends an alert and never its second flight. So the key is proved when the
handshake is complete. In TLS 1.2 a server that requires a client certificate may end it early: then the key is proved when
a signed ServerKeyExchange came and our second flight begins with Certificate or ClientKeyExchange. The key is refuted when
OpenSSL writes that alert. Both are plaintext in TLS 1.2, by which a connector is judged. With RSA key exchange nothing is
signed, and only the server's Finished is a proof.

**Whether our empty Certificate was sent** shows in the same flight. It counts only if no further bytes, alert, FIN or RST of
the peer had arrived before: an end that had arrived before is not an answer to it.
"""

from __future__ import annotations

import asyncio
import sys
import time

from OpenSSL import SSL, crypto

from probe.measure.failure import classify, in_stage
from probe.measure.http_client import ResponseReader, request
from probe.measure.limits import Limits
from probe.measure.network import NetworkError, Stream
from probe.measure.tls_hello import ConnectionFacts, client_connection, on_info
from probe.measure.tls_records import (
    CERTIFICATE,
    CLIENT_KEY_EXCHANGE,
    FIRST_BYTES,
    RecordReader,
    first_message,
    refutes_signature,
)
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.tls_handshake import TlsFacts, TlsHandshake

_HANDSHAKES_CAP = 2  # renegotiations that the peer may request after the GET (it wants a certificate)
_GET_BYTES = 65_536  # most bytes that the peer may send after the handshake
_BANNER_WAIT = 0.25  # seconds to wait for the rest of an answer that is not TLS


class Session:
    """The state of one connection."""

    def __init__(self, step: TlsHandshake, stream: Stream, limits: Limits) -> None:
        self.step = step
        self.stream = stream
        self.limits = limits
        self.seen = ConnectionFacts()
        self.conn = client_connection(step.hello, step.server_name, self.seen)
        self.records = RecordReader()
        self.hello_size = 0
        self.handshake_s: float | None = None
        self.key_proven = False
        self.key_refuted = False
        self.certificate_sent = False
        self._look: asyncio.Task[bytes] | None = None  # started before our Certificate was sent
        self.http: ResponseReader | None = None
        self.http_failure = ""

    async def handshake(self) -> Failure | None:
        """Make the handshake within the caller's deadline; None for success."""
        try:
            return await self._shake()
        finally:
            if self._look is not None:
                self._look.cancel()

    async def _shake(self) -> Failure | None:
        conn, begin = self.conn, time.monotonic()
        while True:
            try:
                conn.do_handshake()
            except SSL.WantReadError:
                done = False
            except SSL.Error as error:
                return await self._refused(classify(error, Stage.TLS))
            else:
                done = True
            lost = await self._send()
            if done:
                self.handshake_s = time.monotonic() - begin
                self._completed(lost)
                return None
            data = await self._receive()
            if not data:
                return lost or Failure(Stage.TLS, Code.EOF, "closed during the handshake")
            failure = self._take(data, self.limits.tls_bytes)
            if failure is not None:
                await self._rest_of_banner(failure)
                return failure

    async def _send(self) -> Failure | None:
        """Send OpenSSL's output. If the peer no longer receives, first read the reason that it may have sent."""
        out = _written(self.conn)
        if not out:
            return None
        self.hello_size = self.hello_size or len(out)
        kind = first_message(out) if self.handshake_s is None else None
        if kind in (CERTIFICATE, CLIENT_KEY_EXCHANGE):
            self.key_proven = self.records.key_exchange
        # before our second flight the library checks nothing but a signature
        self.key_refuted = not self.key_proven and self.records.key_exchange and refutes_signature(out)
        first = kind == CERTIFICATE and self.records.alert is None and not await self._at_hand()
        try:
            await self.stream.send(out)
        except NetworkError as error:
            return in_stage(error.failure, Stage.TLS)
        self.certificate_sent = self.certificate_sent or first
        return None

    async def _at_hand(self) -> bool:
        """Whether bytes of the peer, or the end of the connection, have arrived; keeps them for `_receive`.

        On a loop that reports completion (Windows), a cancelled read may lose the bytes that it has read.
        """
        self._look = asyncio.create_task(self.stream.receive())
        self._look.add_done_callback(_retrieve)
        await asyncio.sleep(0)
        return self._look.done()

    async def _receive(self) -> bytes:
        look, self._look = self._look, None
        return await (self.stream.receive() if look is None else look)

    def _completed(self, lost: Failure | None) -> None:
        """The handshake is complete: it ends with our last flight in TLS 1.3, with the server's in TLS 1.2."""
        self.key_proven = True
        if self.conn.get_protocol_version_name() == "TLSv1.3":
            self.certificate_sent = self.seen.client_certificate_asked and lost is None

    def _take(self, data: bytes, cap: int) -> Failure | None:
        """Give bytes of the peer to OpenSSL, unless they exceed a limit or are not TLS."""
        records = self.records
        records.feed(data)
        if records.size > cap:
            return Failure(Stage.TLS, Code.TOO_LARGE, f"more than {cap} bytes")
        if records.fault is not None:
            return Failure(Stage.TLS, *records.fault)
        self.conn.bio_write(data)
        return None

    async def _refused(self, failure: Failure) -> Failure:
        """OpenSSL has stopped: send its own alert, and report the peer's alert."""
        await self._send()
        alert = self.records.alert
        if alert is None and failure.code in (Code.ALERT, Code.EOF):
            alert = failure.alert if self.seen.alert is None else self.seen.alert
        if alert == 0:
            return Failure(Stage.TLS, Code.EOF, "close_notify during the handshake", alert=0)
        if alert is not None:
            return Failure(Stage.TLS, Code.ALERT, failure.detail, alert=alert)
        if self.records.version not in (None, "TLSv1.2", "TLSv1.3"):
            return Failure(
                Stage.TLS, Code.MALFORMED, f"the peer chose {self.records.version}, which was not offered"
            )
        if (
            failure.code is Code.NOT_TLS
        ):  # OpenSSL's guess; the first record was TLS, or it had not seen the bytes
            return Failure(Stage.TLS, Code.MALFORMED, failure.detail)
        return failure

    async def _rest_of_banner(self, failure: Failure) -> None:
        """The first bytes of a block page or banner, also if they arrive in pieces."""
        if failure.code is not Code.NOT_TLS:
            return
        try:
            async with asyncio.timeout(_BANNER_WAIT):
                while len(self.records.first) < FIRST_BYTES:
                    data = await self.stream.receive()
                    if not data:
                        return
                    self.records.feed(data)
        except (TimeoutError, NetworkError):
            return

    async def get(self, path: str, body_cap: int = 0) -> None:
        """GET `path` inside the session: status and headers, and up to `body_cap` bytes of a body if it is wanted.

        A failure here is not a failure of the handshake.
        """
        wire = request(self.step.server_name, self.step.port, path, 443)
        if isinstance(wire, Failure):
            self.http_failure = wire.code.value
            return
        if self.step.hello == "connector":
            self.conn.set_info_callback(on_info)
        self.http = ResponseReader(self.limits, body_cap, head_only=not body_cap)
        try:
            async with asyncio.timeout(self.limits.first_byte):
                failure = await self._converse(wire, self.http, _GET_BYTES + 2 * body_cap)
        except NetworkError as error:
            failure = error.failure
        except TimeoutError:
            failure = Failure(Stage.HTTP, Code.TIMEOUT)
        if failure is None or self.http.status is not None:
            return
        alert = failure.alert
        if self.seen.alert is not None and failure.code in (Code.ALERT, Code.EOF, Code.RESET):
            alert = self.seen.alert
        self.http_failure = f"alert {alert}" if alert else failure.code.value

    async def _converse(self, wire: bytes, reader: ResponseReader, most: int) -> Failure | None:
        handshakes = self.seen.handshakes + _HANDSHAKES_CAP
        cap = self.records.size + most
        unsent = wire
        while not reader.done:
            try:
                if unsent:
                    unsent = unsent[self.conn.send(unsent) :]
                reader.feed(self.conn.recv(16_384))
                continue  # OpenSSL may hold more than one record
            except SSL.WantReadError:
                lost = await self._send()
            except SSL.ZeroReturnError:
                reader.feed(b"")
                continue
            except SSL.Error as error:
                await self._send()
                return classify(error, Stage.HTTP)
            if self.seen.handshakes > handshakes:
                return Failure(Stage.HTTP, Code.MALFORMED, "the peer asks for one handshake after another")
            data = await self.stream.receive()
            if not data:
                reader.feed(b"")
                return lost or reader.failure
            failure = self._take(data, cap)
            if failure is not None:
                return failure
        return reader.failure

    def facts(self) -> TlsFacts:
        """The facts seen so far, also of a failed handshake."""
        conn, records, seen = self.conn, self.records, self.seen
        done = self.handshake_s is not None
        is_tls = records.record_count > 0
        return TlsFacts(
            connect_s=self.stream.connect_s,
            handshake_s=self.handshake_s,
            version=sys.intern(conn.get_protocol_version_name()) if done else records.version,
            cipher=sys.intern(conn.get_cipher_name() or "") or None if done else None,
            chain=records.chain or self._decrypted_chain(),
            staple=records.staple or seen.staple,
            client_certificate_asked=records.client_certificate_asked or seen.client_certificate_asked,
            key_proven=self.key_proven,
            key_refuted=self.key_refuted,
            certificate_sent=self.certificate_sent,
            bytes_received=records.size,
            first_bytes=b"" if is_tls else records.first,
            hello_size=self.hello_size,
            http_status=self.http.status if self.http is not None else None,
            http_headers=self.http.headers if self.http is not None else (),
            http_failure=self.http_failure,
        )

    def _decrypted_chain(self) -> tuple[bytes, ...]:
        """The chain of TLS 1.3, which only OpenSSL has seen in plaintext."""
        if self.records.version != "TLSv1.3":
            return ()
        chain = self.conn.get_peer_cert_chain() or ()
        return tuple(crypto.dump_certificate(crypto.FILETYPE_ASN1, certificate) for certificate in chain)


def _retrieve(task: asyncio.Task[bytes]) -> None:
    """Prevents the loop from logging an error for an end of connection that is no longer read."""
    if not task.cancelled():
        task.exception()


def _written(conn: SSL.Connection) -> bytes:
    """All bytes that OpenSSL has written for the peer."""
    out = b""
    try:
        while len(out) % 16_384 == 0:  # a flight is rarely longer than one piece
            out += conn.bio_read(16_384)
    except SSL.WantReadError:
        pass
    return out
