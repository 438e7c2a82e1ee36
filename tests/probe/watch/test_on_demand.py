"""`/probe`: what no rule asks for is refused without a packet, and the rest is measured as a connector needs it."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client.parser import text_string_to_metric_families

from probe.watch.asker import BURST
from probe.watch.on_demand import LIMIT, LONGEST, USAGE, _as_wanted, _limit, probe
from rules.model.failure import Code, Failure, Stage
from rules.model.kinds.http_fetch import HttpExchange, HttpFetch
from rules.model.kinds.tls_handshake import TlsHandshake
from rules.model.observation import Observation
from rules.model.verdict import Status
from rules.pki.revocation import CrlSubject, judge_crl
from tests import pki
from tests.lab.revocation_forms import EXTENSIONS, forged_list, point
from tests.probe.internet import BOOT, CRL_PATH, LISTS, RELAY, RESOLVERS, SIGN_IN, ZONE, Internet, Name
from tests.probe.looped import STILL as RARELY
from tests.probe.looped import house, looping
from tests.probe.serve_process import QUICK, STILL, Served, served


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One that measures nothing by itself after its first look."""
    with served(tmp_path_factory.mktemp("probing"), schedule=STILL, web="probe = true") as found:
        found.ready()
        yield found


def values(text: str) -> dict[str, float]:
    """Samples by name, those with labels by their last one."""
    families = text_string_to_metric_families(text)
    return {":".join((s.name, *list(s.labels.values())[-1:])): s.value for f in families for s in f.samples}


def asked(daemon: Served, target: str, more: str = "") -> dict[str, float]:
    status, text, headers = daemon.client.ask(f"/probe?target={target}{more}")
    assert status == 200, text
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    return values(text)


def traffic(daemon: Served) -> tuple[int, int]:
    return len(daemon.net.hits), len(daemon.net.asked)


# --- nothing is sent for what no rule asks for ------------------------------------------------------------------------------

NEVER = [
    "",
    "169.254.169.254", "169.254.169.254:80", "http://169.254.169.254/latest/meta-data/",
    "localhost", "localhost:443", "localhost:19115", "127.0.0.1:443", "[::1]", "[::1]:443", "::1",
    "2130706433", "0x7f000001", "017700000001", "127.1:443", "0",
    f"user@{RELAY}", f"{RELAY}@127.0.0.1", f"https://{RELAY}", f"{RELAY}/", f"{RELAY}#", f"{RELAY}?x",
    f"{RELAY}\r\nHost: x", f"{RELAY}\r\n", f"{RELAY}\0", f" {RELAY}", f"{RELAY} ", f"{RELAY}\t",
    "gopher://127.0.0.1:6379/_INFO", "file:///etc/passwd", "dict://127.0.0.1:11211/", "unix:/run/docker.sock",
    f"{RELAY}:80", f"{RELAY}:22", f"{RELAY}:19115", f"{RELAY}:0443", f"{RELAY}:443 ", f"{RELAY}:٤٤٣", f"{RELAY}:",
    f"{RELAY}:443:443", f"{RELAY}:-443", f"{LISTS}:443",
    RELAY.upper(), RELAY.title(), f"{RELAY}.", f"{RELAY}.:443", f"x{RELAY}", f"{RELAY}.evil.example",
    f"{RELAY}.127.0.0.1.nip.io", RELAY.replace("e", "е", 1), RELAY.replace(".", "。"), "*", "*.svc.example", "svc.example",
    ZONE[RELAY][0], f"{ZONE[RELAY][0]}:443", RESOLVERS[0], "x" * 4000, "%00", "\u202e", "../../metrics", "a,b", f"{RELAY},{BOOT}",
]  # fmt: skip


@pytest.mark.parametrize("target", NEVER, ids=[ascii(t[:40]) for t in NEVER])
def test_a_target_that_no_rule_allows_is_refused_without_a_packet(daemon: Served, target: str) -> None:
    before = traffic(daemon)
    for module in ("", "&module=tls", "&module=http"):
        status, text, _ = daemon.client.ask(f"/probe?target={quote(target, safe='')}{module}")
        assert status in (400, 403), text
        assert target not in text or len(target) < 2, "and not repeated"
    assert traffic(daemon) == before


@pytest.mark.parametrize(
    "query",
    [f"target={RELAY}&target=localhost", f"target={RELAY}&module=tls&module=http", "target", "module=tls"],
)
def test_a_second_parameter_does_not_let_a_target_in(daemon: Served, query: str) -> None:
    before = traffic(daemon)
    assert daemon.client.ask(f"/probe?{query}")[0] in (400, 403)
    assert traffic(daemon) == before


@pytest.mark.parametrize("module", ["icmp", "dns", "http_2xx", "TLS", "tls ", "x" * 1000, "../x"])
def test_a_module_that_is_none_is_told(daemon: Served, module: str) -> None:
    before = traffic(daemon)
    status, text, _ = daemon.client.ask(f"/probe?target={RELAY}&module={quote(module, safe='')}")
    assert (status, text) == (400, "There is no such module; there are tls, http.\n")
    assert traffic(daemon) == before


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.9.0.1", "0.0.0.0", "224.0.0.1"])
def test_a_name_of_the_rules_that_comes_to_resolve_to_us_gets_no_packet(tmp_path: Path, address: str) -> None:
    """DNS rebinding: the guard looks at the address once more, whatever the name is."""
    net = Internet(tmp_path)
    with served(tmp_path, net=net, schedule=QUICK, web="probe = true") as daemon:
        daemon.ready()
        assert asked(daemon, RELAY)["probe_success"] == 1
        net.zone[RELAY] = Name((address,))
        daemon.until(lambda: asked(daemon, RELAY)["probe_success"] == 0)
        begun = time.monotonic()
        assert asked(daemon, RELAY)["probe_success"] == 0
        daemon.until(lambda: len([h for h in net.to(SIGN_IN) if h.at > begun]) >= 2)
        elsewhere = {hit.address for hit in net.hits if hit.at > begun}
        known = {a for name, found in ZONE.items() if name != RELAY for a in found}
        assert elsewhere <= known


@pytest.mark.parametrize("query", ["", "?", "?target=", "?module=tls", "?debug=true", "?module=icmp"])
def test_without_a_target_it_says_how_it_is_used(daemon: Served, query: str) -> None:
    before = traffic(daemon)
    status, text, headers = daemon.client.ask(f"/probe{query}")
    assert (status, text) == (400, USAGE)
    assert text.startswith("Usage: /probe?target=HOST[:PORT]")
    assert headers["content-type"] == "text/plain; charset=utf-8"
    assert traffic(daemon) == before


# --- what is asked for ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [RELAY, f"{RELAY}:443", f"{RELAY}&module=tls", SIGN_IN, BOOT])
def test_a_good_target(daemon: Served, target: str) -> None:
    before = traffic(daemon)[0]
    found = asked(daemon, target)
    assert found["probe_success"] == 1
    assert found["probe_ip_protocol"] == 4
    assert found["probe_tls_version_info:TLSv1.2"] == 1
    assert found["probe_ssl_earliest_cert_expiry"] > time.time()
    assert 0 < found["probe_http_duration_seconds:tls"] < found["probe_duration_seconds"] < 2
    assert traffic(daemon)[0] == before + 1, "one connection"


def debugged(daemon: Served, query: str) -> tuple[int, str, str]:
    status, text, headers = daemon.client.ask(f"/probe?{query}")
    return status, text, headers["content-type"]


def test_debug_is_the_text_of_explain_and_one_connection(daemon: Served) -> None:
    before = traffic(daemon)[0]
    status, text, kind = debugged(daemon, f"target={RELAY}&debug=true")
    assert (status, kind) == (200, "text/plain; charset=utf-8")
    assert traffic(daemon)[0] == before + 1, "the probe's own, and none for the text"
    tree, _, metrics = text.partition("\nMetrics that this probe answers without debug=true:\n\n")
    assert tree.startswith(f"{RELAY}:443  ok\n├─ names\n")
    assert any(f"─ {address}:443" in tree for address in ZONE[RELAY]), "which of them had its turn"
    assert "certificates as served: chain 1" in tree
    assert "├─ verdict" in tree or "└─ verdict" in tree
    assert values(metrics)["probe_success"] == 1
    for other in ("debug=false", "debug", "debug=1"):  # only "true", as in blackbox_exporter
        assert debugged(daemon, f"target={RELAY}&{other}")[2].startswith("text/plain; version=0.0.4")


def test_debug_has_the_answer_of_the_probe_that_it_is_about(daemon: Served) -> None:
    daemon.net.places |= dict.fromkeys(ZONE[RELAY], "reset")
    try:
        for _ in ZONE[RELAY][1:]:  # each address in turn
            debugged(daemon, f"target={RELAY}&debug=true")
        status, text, _ = debugged(daemon, f"target={RELAY}&debug=true")
        assert (status, text.partition("\n")[0]) == (200, f"{RELAY}:443  FAIL")
        assert "[tls.reset]" in text or "[tcp.reset]" in text
        assert "\nprobe_success 0.0\n" in text
    finally:
        daemon.net.places.clear()


@pytest.mark.parametrize(("target", "expected"), [("localhost", 403), ("", 400)])
def test_debug_lets_no_target_in(daemon: Served, target: str, expected: int) -> None:
    before = traffic(daemon)
    status, text, _ = debugged(daemon, f"target={target}&debug=true")
    assert (status, "verdict" in text) == (expected, False)
    assert traffic(daemon) == before


def test_http_inside_is_not_asked_more_often_because_somebody_probes(daemon: Served) -> None:
    before = len([hit for hit in daemon.net.hits if hit.path == "/"])
    for _ in range(4):
        found = asked(daemon, BOOT)
        assert found["probe_success"] == 1
        assert "probe_http_status_code" not in found, "the last GET's is none of this probe"
    assert len([hit for hit in daemon.net.hits if hit.path == "/"]) == before


@pytest.mark.parametrize("target", [f"{LISTS}:80", f"{LISTS}&module=http", f"{LISTS}:80&module=http"])
def test_a_list_is_answered_from_memory_while_it_is_fresh(daemon: Served, target: str) -> None:
    before = traffic(daemon)[0]
    found = asked(daemon, target)
    assert (found["probe_success"], found["probe_http_status_code"]) == (1, 200)
    assert traffic(daemon)[0] == before


def test_the_limit_is_prometheus(daemon: Served) -> None:
    for target in ZONE[SIGN_IN]:
        daemon.net.places[target] = "silent"
    try:
        begun = time.monotonic()
        status, text, _ = daemon.client.ask(
            f"/probe?target={SIGN_IN}", headers={"X-Prometheus-Scrape-Timeout-Seconds": "1.1"}
        )
        took = time.monotonic() - begun
        found = values(text)
        assert (status, found["probe_success"]) == (200, 0)
        assert found["probe_timeout_seconds"] == pytest.approx(0.6)
        assert 0.55 < took < 1.0
    finally:
        daemon.net.places.clear()


@pytest.mark.parametrize(
    ("header", "expected"),
    [("10", 9.5), ("1e1", 9.5), ("", LIMIT), ("x", LIMIT), ("nan", LIMIT), ("inf", LONGEST), ("-5", 0.5), ("0", 0.5),
     ("1e400", LONGEST), ("99999", LONGEST), ("0.7", 0.5)],
)  # fmt: skip
def test_whatever_the_limit_is_said_to_be(header: str, expected: float) -> None:
    assert _limit({"x-prometheus-scrape-timeout-seconds": header}) == expected
    assert _limit({}) == LIMIT


@pytest.mark.parametrize("place", ["forged", "reset", "silent"])
def test_what_a_connector_cannot_use_is_no_success(daemon: Served, place: str) -> None:
    daemon.net.places |= dict.fromkeys(ZONE[RELAY], place)  # type: ignore[arg-type]  # one of the parameters
    try:
        found = asked(daemon, RELAY)
        assert found["probe_success"] == 0
        assert ("probe_ssl_earliest_cert_expiry" in found) is (place == "forged")
    finally:
        daemon.net.places.clear()


def test_a_name_that_is_gone_is_no_success(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    net.zone[RELAY].rcode = "NXDOMAIN"
    with served(tmp_path, net=net, schedule=STILL, web="probe = true") as daemon:
        daemon.ready()
        found = asked(daemon, RELAY)
        assert found["probe_success"] == 0
        assert "probe_ip_protocol" not in found


def test_before_the_first_look_and_in_a_window_it_says_so(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    always = '[[maintenance]]\nname = "now"\nstart = 2020-01-01T00:00:00Z\nend = 2099-01-01T00:00:00Z\npause = true\n'
    with served(tmp_path, net=net, schedule=STILL, web="probe = true", more=always) as daemon:
        daemon.until(lambda: "the first look begins when it has ended" in daemon.log())
        status, text, _ = daemon.client.ask(f"/probe?target={RELAY}")
        assert (status, text) == (503, "The first look has not ended.\n")
        assert traffic(daemon) == (0, 0)
        window = daemon.config.read_text()
        daemon.config.write_text(window.replace(always, ""))
        assert daemon.client.ask("/-/reload", "POST")[0] == 200
        daemon.ready()
        daemon.config.write_text(window)
        assert daemon.client.ask("/-/reload", "POST")[0] == 200
        before = len(net.hits)
        status, text, _ = daemon.client.ask(f"/probe?target={RELAY}")
        assert (status, text[:28]) == (503, "A maintenance window is open")
        assert len(net.hits) == before


def test_it_is_off_unless_it_is_turned_on(tmp_path: Path) -> None:
    with served(tmp_path, schedule=STILL) as daemon:
        daemon.ready()
        before = traffic(daemon)
        status, text, _ = daemon.client.ask(f"/probe?target={RELAY}")
        assert (status, text) == (404, "/probe is off; probe = true under [web] turns it on.\n")
        assert traffic(daemon) == before


# --- what was not asked ------------------------------------------------------------------------------------------------------


@looping
async def test_where_restraint_asks_nothing_it_says_so_and_tells_no_failure(tmp_path: Path) -> None:
    net = Internet(tmp_path)
    async with house(net, RARELY) as here:
        here.appliance.asker.limit(replace(RARELY, rate=100.0), here.plan)
        assert (await probe(here.appliance, {"target": RELAY}, {}))[0] == 200
        failure = Failure(Stage.TCP, Code.TIMEOUT)
        for number in range(here.plan.sweep_limit):
            step = TlsHandshake(f"20.50.9.{number}", 443, RELAY)
            here.appliance.asker.record(Observation(step, 0.0, 5.0, failure), None)
        before = len(net.hits)
        status, text = await probe(here.appliance, {"target": RELAY}, {})
        assert (status, "would look like a scan" in text) == (503, True), text
        assert "probe_success" not in text
        assert len(net.hits) == before


@looping
async def test_whose_turn_does_not_come_has_not_failed(tmp_path: Path) -> None:
    """The service's own rate keeps it waiting; a target that is asked and silent until the limit has failed."""
    net, short = Internet(tmp_path), {"x-prometheus-scrape-timeout-seconds": "0.8"}
    async with house(net, RARELY) as here:
        here.appliance.asker.limit(replace(RARELY, rate=0.1), here.plan)
        for _ in range(BURST):
            assert (await probe(here.appliance, {"target": RELAY}, short))[0] == 200
        before = len(net.hits)
        status, text = await probe(here.appliance, {"target": RELAY}, short)
        assert (status, text.startswith("Its turn did not come within 0.5 s")) == (503, True), text
        assert len(net.hits) == before
        here.appliance.asker.limit(RARELY, here.plan)
        net.places |= dict.fromkeys(ZONE[RELAY], "silent")
        status, text = await probe(here.appliance, {"target": RELAY}, short)
        assert (status, values(text)["probe_success"]) == (200, 0)
        assert len(net.hits) > before


@looping
async def test_the_status_is_told_where_this_probe_has_asked_for_it(tmp_path: Path) -> None:
    async with house(Internet(tmp_path), replace(RARELY, http=0.001)) as here:
        text = (await probe(here.appliance, {"target": BOOT}, {}))[1]
        assert values(text)["probe_http_status_code"] == 403


def test_a_list_is_a_success_where_a_ca_that_was_met_has_signed_it() -> None:
    """A device on port 80 can give a well-formed list of an invented CA."""
    step = HttpFetch("20.50.10.1", 80, LISTS, CRL_PATH, "crl")
    ca, other = pki.authority("A CA"), pki.der(pki.authority("Another CA").certificate)

    def good(body: bytes, *authorities: bytes) -> bool:
        exchange = HttpExchange(0.01, 0.02, 200, body=body, size=len(body))
        return _as_wanted(step, Observation(step, 0.0, 0.1, None, exchange), exchange, authorities)

    real = ca.crl().public_bytes(Encoding.DER)
    assert good(real, other, pki.der(ca.certificate))
    assert not good(real, other)
    assert not good(forged_list(), other, pki.der(ca.certificate))
    assert good(real), "nothing was met yet that it could be held against"


def test_a_notice_never_fails_a_probe() -> None:
    """What is said of a list that is good: its header lines, its form, the address that it names."""
    step = HttpFetch("20.50.10.1", 80, LISTS, CRL_PATH, "crl")
    ca = pki.authority("A CA")
    known = (pki.der(ca.certificate),)
    reasons: dict[str, None] = {}

    def judged(body: bytes, *headers: tuple[str, str], repaired: tuple[str, ...] = ()) -> tuple[bool, bool]:
        exchange = HttpExchange(0.01, 0.02, 200, "", headers, body, len(body), repaired=repaired)
        held = CrlSubject(url=f"http://{LISTS}{CRL_PATH}", bound=False)
        found = judge_crl(exchange, None, known, (), time.time(), LISTS, held)
        reasons[f"{found.cause}:{found.circumstance}"] = None
        seen = Observation(step, 0.0, 0.1, None, exchange)
        return _as_wanted(step, seen, exchange, known), found.status in (Status.FAIL, Status.WARN)

    now, day = pki.today(), datetime.timedelta(days=1)

    def made(*extensions: x509.ExtensionType, reason: x509.ReasonFlags | None = None, days: int = 1) -> bytes:
        found = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
        found = found.last_update(now - 2 * day).next_update(now + days * day)
        for extension in extensions:
            found = found.add_extension(extension, True)
        if reason is not None:
            entry = x509.RevokedCertificateBuilder().serial_number(7).revocation_date(now)
            found = found.add_revoked_certificate(entry.add_extension(x509.CRLReason(reason), False).build())
        return found.sign(ca.key, hashes.SHA256()).public_bytes(Encoding.DER)

    good = made()
    assert judged(good) == (True, False)
    assert judged(good, repaired=("a line without a colon",)) == (True, False)
    assert judged(good, ("content-encoding", "gzip")) == (True, False)
    assert judged(made(reason=x509.ReasonFlags.remove_from_crl)) == (True, False)
    assert judged(made(point("http://sister.example/x.crl"))) == (True, False)
    assert judged(made(point(only_contains_ca_certs=True))) == (True, False)
    assert set(reasons) == {"ok:", "http.odd-header:", "crl.form:removes", "crl.unverified:partition-unknown"}
    for bad in (made(days=-1), made(EXTENSIONS["delta"](""))):
        assert judged(bad) == (False, True)
        assert judged(bad, repaired=("a line without a colon",)) == (False, True)
