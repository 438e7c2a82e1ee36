"""All HTTP and TLS servers of the lab's internet in one process: `python -m tests.lab.servers.internet WORLD.pickle`.

The world is in a pickle that the lab itself has just written. The process listens on the wildcard addresses. SNI or
Host selects the name, the address of the connection selects the behaviour.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
import gzip
import json
import pickle
import re
import ssl
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

from tests.lab.pki import Pki
from tests.lab.revocation import Library, Responder
from tests.lab.revocation_forms import forged_list
from tests.lab.servers import client_hello
from tests.lab.servers.client_certificate import ended_by_hand
from tests.lab.servers.tls_behaviour import RAW_ANSWERS, Contexts
from tests.lab.servers.tls_engine import TlsStream, send_reset
from tests.lab.world import TENANT, TENANT_DOMAINS, Host, World

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LARGE_HELLO = 1_400
PATIENCE = 30.0
HTML = (
    b"<!DOCTYPE html><html><head><title>Web page blocked</title></head><body><h1>Access denied</h1>"
    b"<p>Category: Information Technology. Contact the help desk.</p></body></html>"
)
WELCOME = b"<!DOCTYPE html><html><head><title>Welcome</title></head><body><p>It works.</p></body></html>"
OCSP_HOSTS = ("oneocsp.microsoft.com", "ocsp.digicert.com", "ocsp.msocsp.com")


def response(status: str, body: bytes = b"", media_type: str = "text/html", *extra: str) -> bytes:
    """One HTTP/1.1 answer after which the connection ends."""
    head = [f"HTTP/1.1 {status}", f"Date: {formatdate(usegmt=True)}", "Connection: close"]
    head += [f"Content-Type: {media_type}", f"Content-Length: {len(body)}", *extra]
    return ("\r\n".join(head) + "\r\n\r\n").encode() + body


def plain_answer(behaviour: str) -> bytes | None:
    """The answer of a faulty port-80 host to every request; None if it is not faulty."""
    match behaviour:
        case "html":
            return response("200 OK", HTML)
        case "welcome":
            return response("200 OK", WELCOME)
        case "forbidden":
            return response("403 Forbidden", HTML, "text/html", "Server: BlockPage/1.0")
        case "legal":
            return response("451 Unavailable For Legal Reasons", HTML)
        case "unavailable":
            return response("503 Service Unavailable", b"busy", "text/plain")
        case "hostile-text":
            title = "\x1b[31mFabrikam\u202e blocks this</title><script>alert(1)</script>".encode()
            return response(
                "200 OK", b"<html><title>" + title + b"</html>", "text/html", "Server: \x1b[31mFabrikam"
            )
        case "forged-list":
            return response("200 OK", forged_list(), "application/pkix-crl")
        case "malformed":
            return b"\x00\x01\x02 this is no HTTP\r\n\r\n"
    return sent_on(behaviour) or refusal(behaviour)


def sent_on(behaviour: str) -> bytes | None:
    """Answers that redirect."""
    match behaviour:
        case "redirect":
            return response(
                "302 Found", b"", "text/html", "Location: http://portal.hotel.example/login?from=lab"
            )
        case "moved":
            return response(
                "301 Moved Permanently", b"", "text/html", "Location: https://www.contoso.example/"
            )
        case "meta-refresh":
            there = b'<meta http-equiv="refresh" content="0; url=http://portal.hotel.example/login?from=lab">'
            return response("200 OK", b"<html><head>" + there + b"</head><body></body></html>")
        case "refresh":
            return response("200 OK", b"", "text/html", "Refresh: 0; url=http://gate.fabrikam.example/notice")
    return None


def refusal(behaviour: str) -> bytes | None:
    """Errors of a network device, and one of an origin's CDN."""
    match behaviour:
        case "azure-firewall":
            text = b"HTTP request from 10.10.1.2:51000 to here:80. Action: Deny. Reason: No rule matched."
            return response("470 Status Code 470", text, "text/plain")
        case "filter-503":
            return response("503 Service Unavailable", HTML)
        case "product-502":
            return response("502 Bad Gateway", b"<html></html>", "text/html", "Server: Zscaler/6.2")
        case "squid-503":
            failed = ("Server: squid/5.7", "X-Squid-Error: ERR_CONNECT_FAIL 110")
            text = b"<html><title>ERROR</title><p>Connection to 203.0.113.7 failed.</p></html>"
            return response("503 Service Unavailable", text, "text/html", *failed)
        case "cdn-502":
            marks = ("Via: 1.1 varnish, 1.1 gw (squid/5.7)", "X-Cache: MISS from gw", "X-Served-By: cache-1")
            return response("502 Bad Gateway", b"<html><title>502</title></html>", "text/html", *marks)
    return None


#: Texts and headers of origins' own errors. No network device wrote any of them.
MENTIONS: tuple[tuple[str, str, str], ...] = (
    ("404 Not Found", "Not found. Trusted by Trend Micro, Fortinet.", "X-Served-From: umbrella-prod-3"),
    ("503 Service Unavailable", "Come back later, or see also forcepoint.", "X-Pool: kerio"),
    ("404 Not Found", "Contact your administrator.", "X-Backend: squidward"),
    ("403 Forbidden", "You were blocked by the firewall of this site.", "X-Node: barracuda7"),
    ("404 Not Found", "Not here. We sell Zscaler and Sophos.", "Server: squid/5.7"),
)


def mention(host: str) -> bytes:
    """An error of an origin: neighbouring names have different errors, and each name has a different page."""
    status, text, mark = MENTIONS[zlib.crc32(host.encode()) % len(MENTIONS)]
    return response(status, f"<html><title>{host}</title><p>{text}</p></html>".encode(), "text/html", mark)


def handed_on(behaviour: str, host: str, target: str, answer: bytes) -> bytes:
    """The correct answer in an odd form that its server, or a device in front of it, uses."""
    head, _, body = answer.partition(b"\r\n\r\n")
    match behaviour:
        case "to-https":
            return response("301 Moved Permanently", b"", "text/html", f"Location: https://{host}{target}")
        case "issuers-page" if target.endswith(".crt"):
            return response("200 OK", HTML)
        case "issuers-missing" if target.endswith(".crt"):
            return response("404 Not Found", b"no such file", "text/plain")
        case "one-page" if b" 404 " in head[:13]:
            return response("200 OK", WELCOME)
        case "mentions" if b" 404 " in head[:13]:
            return mention(host)
        case "compressed" if b"application/pkix-crl" in head:
            packed = gzip.compress(body)
            return response("200 OK", packed, "application/pkix-crl", "Content-Encoding: gzip")
        case "list-as-text" if b"application/pkix-crl" in head:
            text = base64.encodebytes(body)
            pem = b"-----BEGIN X509 CRL-----\n" + text + b"-----END X509 CRL-----\n"
            return response("200 OK", pem, "application/pkix-crl")
        case "list-cut" if b"application/pkix-crl" in head:
            return response("200 OK", body[: len(body) * 9 // 10], "application/pkix-crl")
        case "list-and-more" if b"application/pkix-crl" in head:
            return response("200 OK", body + b"\r\n", "application/pkix-crl")
        case "odd-header":
            odd = b"X-Cache : MISS\r\na line without a colon\r\nTransfer-Encoding: identity"
            return head + b"\r\n" + odd + b"\r\n\r\n" + body
    return answer


def openid_configuration(host: str, tenant: str) -> bytes:
    """The sign-in service's answer about a tenant, for its id or a domain."""
    tenant = TENANT if tenant in TENANT_DOMAINS else tenant
    if "." in tenant:
        text = f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
        body = json.dumps({"error": "invalid_tenant", "error_description": text, "error_codes": [90002]})
        return response("400 Bad Request", body.encode(), "application/json; charset=utf-8")
    said = {
        "token_endpoint": f"https://{host}/{tenant}/oauth2/v2.0/token",
        "jwks_uri": f"https://{host}/{tenant}/discovery/v2.0/keys",
        "issuer": f"https://login.microsoftonline.com/{tenant}/v2.0",
    }
    return response("200 OK", json.dumps(said).encode(), "application/json; charset=utf-8")


async def read_request(read: asyncio.StreamReader | TlsStream) -> tuple[str, str, str, bytes] | None:
    """Method, target, host and body of one request; None if the peer disconnected earlier."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = await (read.read(4096) if isinstance(read, asyncio.StreamReader) else read.read())
        if not piece or len(data) > 65_536:
            return None
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {k.strip().lower(): v.strip() for k, _, v in (line.partition(":") for line in lines[1:])}
    method, target, *_ = [*lines[0].split(" "), "", ""]
    while len(body) < int(fields.get("content-length", "0")):
        piece = await (read.read(4096) if isinstance(read, asyncio.StreamReader) else read.read())
        if not piece:
            return None
        body += piece
    return method, target, fields.get("host", "").partition(":")[0].lower(), body


class Internet:
    """The servers of one world."""

    def __init__(self, world: World, now: datetime.datetime, directory: Path) -> None:
        self.world = world
        self.pki = Pki(now)
        self.contexts = Contexts(self.pki, directory)
        self.documents = Library(self.pki, world.flaws)
        self.responder = Responder(self.pki, world.flaws)
        self.at = {a: h for h in world.hosts.values() for a in h.addresses}

    def host_at(self, address: str, name: str) -> Host | None:
        """The requested host: by name, else the host with that address."""
        if address.startswith("64:ff9b::"):  # the lab's internet is also the NAT64 translator
            tail = address.removeprefix("64:ff9b::")
            if "." not in tail:
                high, _, low = tail.rpartition(":")
                value = int(high or "0", 16) << 16 | int(low or "0", 16)
                tail = ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
            address = tail
        named = self.world.hosts.get(name)
        return named if named is not None and address in named.addresses else self.at.get(address)

    async def port_443(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TLS connection, from the first byte to the HTTP answer."""
        address = writer.get_extra_info("sockname")[0].removeprefix("::ffff:")
        early, hello = b"", None
        while hello is None:
            piece = await reader.read(16_384)
            if not piece:
                return None
            early += piece
            hello = client_hello.read(early)
        host = self.host_at(address, hello.sni)
        if host is None or 443 not in host.ports:
            return send_reset(writer)
        behaviour = host.at.get(address, host.tls)
        if behaviour == "reset":
            return send_reset(writer)
        if behaviour == "silent" or (behaviour == "no-large-hello" and hello.size > LARGE_HELLO):
            await asyncio.sleep(PATIENCE)
            return None
        if behaviour in RAW_ANSWERS:
            writer.write(RAW_ANSWERS[behaviour])
            return await writer.drain()
        context = self.contexts.get(host, behaviour)
        if await ended_by_hand(behaviour, context, reader, writer, early):
            return None
        stream = TlsStream(context, reader, writer, early)
        await stream.handshake(drip=0.5 if behaviour == "drip" else 0.0)
        if (request := await read_request(stream)) is not None:
            await stream.write(self.dated(self.inside_tls(host, request[1])))
            await stream.close()
        return None

    def dated(self, answer: bytes) -> bytes:
        """The answer with the Date of a world whose clock is ahead."""
        if not self.world.clock_ahead:
            return answer
        date = formatdate(time.time() + self.world.clock_ahead, usegmt=True).encode()
        return re.sub(rb"\r\nDate: [^\r]*", b"\r\nDate: " + date, answer, count=1)

    def inside_tls(self, host: Host, target: str) -> bytes:
        """The answer of the genuine service."""
        if host.http == "forbidden":
            return response("403 Forbidden", b"", "text/plain")
        if target.endswith("/.well-known/openid-configuration"):
            return openid_configuration(host.name, target.split("/")[1])
        return self.document(host.name, "GET", target, b"") or response(
            "404 Not Found", b"no such page", "text/plain"
        )

    async def port_80(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One plain HTTP connection."""
        address = writer.get_extra_info("sockname")[0].removeprefix("::ffff:")
        request = await read_request(reader)
        if request is None:
            return None
        method, target, name, body = request
        host = self.host_at(address, name)
        cut = host is not None and host.port80 == "issuers-reset" and target.endswith(".crt")
        if host is None or 80 not in host.ports or host.port80 == "reset" or cut:
            return send_reset(writer)
        if host.port80 == "silent":
            await asyncio.sleep(PATIENCE)
            return None
        answer = plain_answer(host.port80) or self.document(host.name, method, target, body)
        answer = answer or response("404 Not Found", b"no such page", "text/plain")
        writer.write(self.dated(handed_on(host.port80, host.name, target, answer)))
        return await writer.drain()

    def document(self, host: str, method: str, target: str, body: bytes) -> bytes | None:
        """A CRL, a CA certificate or an OCSP answer, if this host has one."""
        if host in OCSP_HOSTS:
            if method == "POST":
                made = self.responder.answer(body)
                return response("200 OK", made.body, made.media_type, *made.headers)
            if len(target) > len("/ocsp/") + 40:
                made = self.responder.from_target(target)
                return response("200 OK", made.body, made.media_type, *made.headers)
        found = self.documents.get(host, target)
        return response("200 OK", found.body, found.media_type, *found.headers) if found else None


def bounded(handler: Handler) -> Handler:
    """The handler with a time limit; it always closes the connection. A peer's fault is not a fault of the lab."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(handler(reader, writer), PATIENCE)
        except (OSError, ValueError, ssl.SSLError, TimeoutError) as error:
            print(
                f"{type(error).__name__}: {error}", flush=True
            )  # into the lab's log: a peer's fault, or ours
        finally:
            writer.close()

    return handle


async def serve(file: Path) -> None:
    """Listen on ports 80 and 443 of every address, and report it on standard output."""
    world: World = pickle.loads(file.read_bytes())
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=world.clock_ahead)
    internet = Internet(world, now, file.parent)
    for port, handler in ((80, internet.port_80), (443, internet.port_443)):
        for family in ("0.0.0.0", "::"):
            await asyncio.start_server(bounded(handler), family, port, backlog=1024)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
