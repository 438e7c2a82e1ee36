"""The lab itself behaves: names resolve, chains verify, revocation answers, devices intercept, the firewall blocks."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import pki, plan
from tests.lab.audit_files import current_pki
from tests.lab.lab import ROOT, Lab
from tests.lab.plan import UPSTREAM, Interceptor, Plan, Resolver
from tests.lab.world import TENANT

pytestmark = pytest.mark.lab
BOOTSTRAP = f"{TENANT}.bootstrap.msappproxy.net"
RELAY = "cwap-eur1-weur2.servicebus.windows.net"
LOGIN = "login.microsoftonline.com"


@pytest.fixture(scope="module")
def healthy() -> Iterator[Lab]:
    with Lab() as lab:
        yield lab


def dig(lab: Lab, *arguments: str) -> str:
    """dig's output; asked once more where the machine was too busy to hear the answer."""
    text = ""
    for _ in range(2):
        text = lab.run(["dig", "+time=2", "+tries=2", *arguments]).text
        if "timed out" not in text:
            break
    return text


def s_client(lab: Lab, host: str, *arguments: str) -> str:
    """What `openssl s_client` tells of a handshake, the chain verified against the public roots."""
    argv = ["openssl", "s_client", "-connect", f"{host}:443", "-servername", host, "-showcerts"]
    roots = f"{lab.directory}/public-roots.pem"
    return lab.run(["timeout", "3", *argv, "-CAfile", roots, "-no-CApath", *arguments]).text


def curl(lab: Lab, *arguments: str) -> str:
    return lab.run(["curl", "-sS", "--max-time", "5", *arguments]).text


class TestNames:
    def test_a_name_resolves_through_its_whole_chain(self, healthy: Lab) -> None:
        answer = dig(healthy, "+noall", "+answer", BOOTSTRAP)
        assert answer.count("CNAME") == 2
        assert "trafficmanager.net." in answer
        assert len(re.findall(r"\sA\s+20\.50\.", answer)) == 3

    def test_every_link_of_a_chain_can_be_asked_by_itself(self, healthy: Lab) -> None:
        for link in healthy.plan.world.hosts[RELAY].via:
            assert "40.84." in dig(healthy, "+short", link)

    def test_an_invented_name_does_not_exist(self, healthy: Lab) -> None:
        assert "NXDOMAIN" in dig(healthy, "no-such-label-42.msappproxy.net")

    def test_every_name_of_the_rule_set_has_an_address(self, healthy: Lab) -> None:
        names = sorted(healthy.plan.world.hosts)
        batch = "\n".join(f"{name} A +short" for name in names)
        done = healthy.run(["dig", "+time=2", "+tries=3", "-f", "/dev/stdin"], stdin=batch)
        found = re.findall(r"^\d+\.\d+\.\d+\.\d+$", done.stdout, re.MULTILINE)
        assert len(found) == sum(len(h.v4) for h in healthy.plan.world.hosts.values())

    def test_the_system_resolver_is_the_labs(self, healthy: Lab) -> None:
        assert "40.126." in healthy.run(["getent", "ahostsv4", LOGIN]).stdout


class TestCertificates:
    def test_service_chain_verifies_over_the_cross_sign(self, healthy: Lab) -> None:
        text = s_client(healthy, RELAY)
        assert "Verify return code: 0 (ok)" in text
        assert f"CN = {pki.TLSG2}" in text
        assert f"CN = {pki.G2}" in text

    def test_every_tls_host_verifies_by_its_name(self, healthy: Lab) -> None:
        roots = f"{healthy.directory}/public-roots.pem"
        names = [h.name for h in healthy.plan.world.hosts.values() if 443 in h.ports]
        argv = ["curl", "-sS", "--cacert", roots, "-w", "\\n:%{ssl_verify_result} %{url}\\n"]
        done = healthy.run([*argv, *(f"https://{n}/" for n in names)])
        assert sorted(re.findall("^:(.*)$", done.stdout, re.MULTILINE)) == sorted(
            f"0 https://{n}/" for n in names
        )

    def test_bootstrap_asks_for_a_client_certificate_and_forbids(self, healthy: Lab) -> None:
        assert "Client Certificate Types" in s_client(healthy, BOOTSTRAP, "-tls1_2")
        assert "403" in curl(healthy, "-k", "-I", f"https://{BOOTSTRAP}/")

    def test_both_families_and_tls_versions_work(self, healthy: Lab) -> None:
        for argument in ("-tls1_2", "-tls1_3"):
            assert "Verify return code: 0 (ok)" in s_client(healthy, LOGIN, "-6", argument)

    def test_keys_are_the_same_on_every_machine(self) -> None:
        assert (
            pki.spki_sha256(pki.Pki(pki.CA_FROM).ca(pki.G2))
            == "4f02a11ac966a3351e6a799b5df280f828de4978ecb1acbd0eed443573a07201"
        )


class TestRevocation:
    def served(self, lab: Lab, url: str) -> Path:
        file = lab.directory / "fetched"
        assert lab.run(["curl", "-sSf", "-o", str(file), url]).code == 0
        return file

    @pytest.mark.parametrize("name", [pki.G2, pki.OCSP04, pki.AZURE03, pki.DIGICERT_TLS, pki.X1_ISSUING])
    def test_crls_verify_under_their_issuer(self, healthy: Lab, name: str) -> None:
        issuer = healthy.directory / "issuer.pem"
        issuer.write_text(pki.pem(pki.Pki(pki.CA_FROM).ca(name)))
        for url in pki.AUTHORITIES[name].sources.crls:
            file = self.served(healthy, url)
            argv = ["openssl", "crl", "-inform", "DER", "-in", str(file), "-CAfile", str(issuer), "-noout"]
            assert "verify OK" in healthy.run(argv).text

    def test_one_crl_is_larger_than_what_a_report_keeps(self, healthy: Lab) -> None:
        file = self.served(healthy, pki.AUTHORITIES[pki.G2].sources.crls[0])
        assert file.stat().st_size > 65_536

    def test_issuers_are_served_where_certificates_say(self, healthy: Lab) -> None:
        for name in (pki.OCSP04, pki.TLSG2, pki.DIGICERT_TLS):
            for url in pki.AUTHORITIES[name].sources.issuers:
                file = self.served(healthy, url)
                text = healthy.run(
                    ["openssl", "x509", "-inform", "DER", "-in", str(file), "-noout", "-subject"]
                ).text
                assert name in text

    @pytest.mark.parametrize("method", ["POST", "GET"])
    def test_ocsp_answers_good(self, healthy: Lab, method: str) -> None:
        made = current_pki()
        leaf = made.leaf([RELAY], pki.OCSP02)
        for file, cert in (("leaf", leaf.cert), ("ca", made.ca(pki.OCSP02))):
            (healthy.directory / f"{file}.pem").write_text(pki.pem(cert))
        files = ["-issuer", f"{healthy.directory}/ca.pem", "-cert", f"{healthy.directory}/leaf.pem"]
        if method == "POST":
            where = ["-url", "http://oneocsp.microsoft.com/ocsp"]
        else:
            request = healthy.directory / "request.der"
            healthy.run(["openssl", "ocsp", *files, "-no_nonce", "-reqout", str(request)])
            encoded = healthy.run(["openssl", "base64", "-A", "-in", str(request)]).stdout
            answer = self.served(healthy, "http://oneocsp.microsoft.com/ocsp/" + encoded.replace("/", "%2F"))
            where = ["-respin", str(answer)]
        trust = ["-VAfile", f"{healthy.directory}/ca.pem", "-no_nonce"]
        text = healthy.run(["openssl", "ocsp", *files, *where, *trust]).text
        assert "Response verify OK" in text
        assert "leaf.pem: good" in text


class TestDevices:
    @pytest.mark.parametrize("kind", ["squid", "mitmproxy"])
    def test_a_corporate_proxy_signs_with_its_own_ca(self, kind: str) -> None:
        seen = Plan(
            interceptors=[Interceptor(kind, plan.match(port=443), pki.CORPORATE)], os_store=(pki.CORPORATE,)
        )
        with Lab(seen) as lab:
            text = s_client(lab, RELAY)
            assert f"CN = {pki.CORPORATE}" in text
            assert "Verify return code: 0 (ok)" not in text
            trusting = curl(lab, "--cacert", f"{lab.directory}/system-store.pem", "-I", f"https://{RELAY}/")
            assert trusting.startswith("HTTP/1.1 404"), trusting + lab.log(kind)

    def test_a_corporate_proxy_can_leave_names_alone(self) -> None:
        devices = [
            Interceptor("squid", plan.match(port=443), pki.CORPORATE, only=(".servicebus.windows.net",))
        ]
        with Lab(Plan(interceptors=devices)) as lab:
            assert f"CN = {pki.CORPORATE}" in s_client(lab, RELAY)
            assert "Verify return code: 0 (ok)" in s_client(lab, LOGIN)

    def test_a_forger_copies_names_but_not_keys(self) -> None:
        with Lab(Plan(interceptors=[Interceptor("forge", plan.match(port=443))])) as lab:
            text = s_client(lab, RELAY)
            assert f"i:C = US, O = Microsoft Corporation, CN = {pki.OCSP02}" in text
            assert f"i:C = US, O = DigiCert Inc, CN = {pki.G2}" in text
            assert "Verify return code: 0 (ok)" not in text

    def test_a_proxy_that_accepts_everything(self) -> None:
        with Lab(Plan(interceptors=[Interceptor("accept", plan.match(port=443))])) as lab:
            assert "Connected to 198.51.100.9" in curl(lab, "-v", "-m", "1", "https://198.51.100.9/")

    def test_a_block_page_on_port_80(self) -> None:
        devices = [Interceptor("pages", plan.match(port=80), options={"page": "legal"})]
        with Lab(Plan(interceptors=devices)) as lab:
            assert "451" in curl(lab, "-I", "-X", "GET", "http://crl3.digicert.com/DigiCertGlobalRootG2.crl")
            assert "Verify return code: 0 (ok)" in s_client(lab, LOGIN)


class TestFirewall:
    def test_each_way_of_blocking_looks_different(self) -> None:
        seen = Plan()
        dropped, refused, forbidden = seen.world.hosts[BOOTSTRAP].v4
        seen.forward = [plan.drop(to=[dropped]), plan.reset(to=[refused]), plan.prohibit(to=[forbidden])]
        with Lab(seen) as lab:
            said = [curl(lab, "-v", "-m", "1", f"https://{a}/") for a in (dropped, refused, forbidden)]
        assert "timed out" in said[0]
        assert "Connection refused" in said[1]
        assert "No route to host" in said[2]

    def test_a_black_hole_for_one_family(self) -> None:
        with Lab(Plan(ipv6="black-hole")) as lab:
            assert "timed out" in curl(lab, "-6", "-m", "1", f"https://{LOGIN}/")
            assert "Verify return code: 0 (ok)" in s_client(lab, LOGIN, "-4")

    def test_a_large_hello_is_dropped_and_a_small_one_passes(self) -> None:
        with Lab(Plan(forward=["iifname inside tcp dport 443 meta length > 1000 drop"])) as lab:
            assert "Verify return code: 0 (ok)" in s_client(lab, LOGIN)
            assert "Verify return code: 0 (ok)" not in s_client(
                lab, LOGIN, "-alpn", ",".join(["x" * 200] * 10)
            )

    def test_changes_to_the_running_firewall(self, healthy: Lab) -> None:
        healthy.nft("add rule inet lab passing ip daddr 93.184.216.34 tcp dport 80 reject with tcp reset")
        assert "Connection refused" in curl(healthy, "-v", "http://example.com/")


class TestResolvers:
    def rules(self, *rules: dict[str, Any]) -> Plan:
        return Plan(resolvers=[Resolver(behaviour={"rules": list(rules)})])

    def test_truncation_sends_dig_to_tcp(self) -> None:
        with Lab(self.rules({"transport": "udp", "do": "truncate"})) as lab:
            assert "Truncated, retrying in TCP mode" in dig(lab, BOOTSTRAP)
            lab.nft("add rule inet lab own iifname inside tcp dport 53 reject with tcp reset")
            assert "connection refused" in dig(lab, BOOTSTRAP)

    def test_loops_and_refusals(self) -> None:
        loop = {"under": RELAY, "do": "loop", "zone": "loop.example.net"}
        refuse = {"under": ".msappproxy.net", "do": "rcode", "rcode": "REFUSED"}
        with Lab(self.rules(loop, refuse)) as lab:
            assert "b.loop.example.net." in dig(lab, RELAY)
            assert "status: REFUSED" in dig(lab, BOOTSTRAP)
            assert "40.126." in dig(lab, "+short", LOGIN)

    def test_junk_does_not_replace_the_answer(self) -> None:
        with Lab(self.rules({"do": "junk"})) as lab:
            assert "20.50." in dig(lab, "+short", BOOTSTRAP)

    def test_what_a_resolver_says_of_its_answers(self) -> None:
        blocked = {"under": RELAY, "do": "rcode", "rcode": "NXDOMAIN", "ede": [[15, "by policy"]]}
        private = {"under": LOGIN, "do": "rcode", "rcode": "NXDOMAIN", "zone": "privatelink.example"}
        bare = {"under": BOOTSTRAP, "do": "no-question"}
        with Lab(self.rules(blocked, private, bare)) as lab:
            assert "EDE: 15 (Blocked): (by policy)" in dig(lab, RELAY)
            assert re.search(r"privatelink\.example\.\s+\d+\s+IN\s+SOA", dig(lab, LOGIN))
            assert "QUERY: 0, ANSWER: 5" in dig(lab, BOOTSTRAP)

    def test_a_resolver_that_answers_from_another_address(self) -> None:
        plan = Plan(resolvers=[Resolver(behaviour={"rules": [], "answer_from": UPSTREAM})])
        with Lab(plan) as lab:
            assert "no servers could be reached" in dig(lab, BOOTSTRAP)  # its socket is connected as well
            assert "20.50." in dig(lab, "+tcp", BOOTSTRAP)

    def test_dns64_makes_addresses_that_work(self) -> None:
        with Lab(Plan(dns64=True, ipv4="absent", resolvers=[Resolver("2a02:810:53::53")])) as lab:
            assert "64:ff9b::" in dig(lab, "+short", RELAY, "AAAA")
            assert "Verify return code: 0 (ok)" in s_client(lab, RELAY)


class TestLife:
    def test_a_killed_test_leaves_nothing(self) -> None:
        code = (
            "import sys; from tests.lab.lab import Lab\n"
            "lab = Lab().__enter__(); print(lab._process.pid, lab.directory, flush=True); sys.stdin.read()"
        )
        argv = [sys.executable, "-c", code]
        with subprocess.Popen(
            argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            first, directory = child.stdout.readline().split()
            child.kill()
        deadline = time.monotonic() + 10
        while (_uses(first, directory) or Path(directory).exists()) and time.monotonic() < deadline:
            time.sleep(0.01)  # processes of another namespace: nobody tells us of their end
        assert not _uses(first, directory)
        assert not Path(directory).exists()

    def test_a_late_command_is_killed(self, healthy: Lab) -> None:
        assert healthy.run(["sleep", "60"], timeout=0.2).late


def _uses(first: str, directory: str) -> list[str]:
    """Processes that belong to a lab: its first one, and all that name its directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            line = (entry / "cmdline").read_text() if entry.name.isdigit() else ""
        except OSError:
            continue
        if line and (entry.name == first or directory in line):
            found.append(entry.name)
    return found
