"""The range's CAs and certificates, all made by the `openssl` command: other shapes than the lab's."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

DAYS = 60
_PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
_MANY = 20_000  #: entries of the long list


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA. `lists`: addresses of its list (`{part}`: the number of the partition); `parts`: how many there are."""

    key: str
    name: str
    issuer: str  # key of the CA above; its own for a root
    algorithm: tuple[str, ...]
    digest: str = "sha256"
    pss: bool = False  # signs with RSASSA-PSS
    lists: tuple[str, ...] = ()
    parts: int = 1
    scoped: bool = False  # its lists carry an IssuingDistributionPoint
    delegated: bool = True  # OCSP answers are signed by a responder's certificate, else by the CA itself
    revoked: int = 3  # entries of each list
    issuer_url: str = ""
    ocsp: str = ""
    role: str = "issuing"  # in the CA set; "" for a CA that no set names

    @property
    def subject(self) -> str:
        return f"/C=NL/O=Range Trust Services B.V./CN={self.name}"


RSA2, RSA3 = (("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}") for bits in (2048, 3072))
P256, P384 = (("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}") for curve in ("P-256", "P-384"))
_ROOT_LIST = "Microsoft%20TLS%20RSA%20Root%20G2.crl"

AUTHORITIES = {
    a.key: a
    for a in (
        Authority(
            "r1", "Range Root R1", "r1", RSA3, "sha384", role="root", issuer_url="http://cacerts.digicert.com/RangeRootR1.crt",
            lists=("http://crl3.digicert.com/DigiCertGlobalRootG2.crl", "http://crl4.digicert.com/DigiCertGlobalRootG2.crl"),
            ocsp="http://ocsp.digicert.com/r1",
        ),
        Authority(
            "e2", "Range ECC Root E2", "e2", P384, "sha384", role="root", delegated=False,
            issuer_url="http://caissuers.microsoft.com/pkiops/certs/RangeEccRootE2.crt",
            lists=(f"http://www.microsoft.com/pkiops/crl/{_ROOT_LIST}", f"http://crl2.microsoft.com/pkiops/crl/{_ROOT_LIST}"),
            ocsp="http://oneocsp.microsoft.com/e2",
        ),
        Authority(
            "s1", "Range Service RSA CA 1", "r1", RSA2, pss=True, scoped=True, parts=2,
            issuer_url="http://www.microsoft.com/pkiops/certs/RangeServiceCA1.crt",
            lists=("http://www.microsoft.com/pkiops/crl/service1/partition{part}.crl",
                   "http://crl2.microsoft.com/pkiops/crl/service1/partition{part}.crl"),
            ocsp="http://oneocsp.microsoft.com/s1",
        ),
        Authority(
            "s2", "Range Service ECC CA 2", "e2", P256, revoked=_MANY, ocsp="http://ocsp.digicert.com/s2",
            issuer_url="http://cacerts.digicert.com/RangeServiceCA2.crt",
            lists=("http://crl3.digicert.com/RangeServiceCA2.crl", "http://crl4.digicert.com/RangeServiceCA2.crl"),
        ),
        Authority(
            "po", "Range Policy CA", "r1", RSA2, "sha384", ocsp="http://ocsp.digicert.com/po", delegated=False,
            issuer_url="http://cacerts.digicert.com/RangePolicyCA.crt", lists=("http://crl4.digicert.com/RangePolicyCA.crl",),
        ),
        Authority(
            "w1", "Range Web CA", "po", RSA2, scoped=True, ocsp="http://ocsp.msocsp.com/w1",
            issuer_url="http://caissuers.microsoft.com/pkiops/certs/RangeWebCA.crt",
            lists=("http://crl3.digicert.com/RangeWebCA.crl",),
        ),
        Authority(
            "p1", "Range Public Root P1", "p1", P256, role="", lists=("http://crl.publictrust.net/p1.crl",),
            issuer_url="http://crl.publictrust.net/p1.crt", ocsp="http://ocsp.publictrust.net/p1",
        ),
        Authority(
            "p2", "Range Public TLS CA", "p1", P384, role="", lists=("http://crl.publictrust.net/p2.crl",), scoped=True,
            issuer_url="http://crl.publictrust.net/p2.crt", ocsp="http://ocsp.publictrust.net/p2",
        ),
    )
}  # fmt: skip
PUBLIC_ROOTS = ("r1", "e2", "p1")
#: CAs that are sent after a leaf, in order. "x2": E2's key under R1 (a cross-sign).
SENT = {"s1": ("s1",), "s2": ("s2", "x2"), "w1": ("w1", "po", "r1"), "p2": ("p2",)}


@dataclass(frozen=True, slots=True)
class Leaf:
    """A server's certificate; the first name is also the file's, with "_" for "*"."""

    names: tuple[str, ...]
    issuer: str
    algorithm: tuple[str, ...] = RSA2
    part: int = 1
    must_staple: bool = False

    @property
    def file(self) -> str:
        return self.names[0].replace("*", "_")


class Maker:
    """Makes everything below `directory`: keys, certificates, lists, indexes for the responders."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._serial = 0x5A17_0000_0000_1000

    def run(self, *arguments: str) -> None:
        done = subprocess.run(
            ["openssl", *arguments],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        if done.returncode:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")

    def file(self, name: str, text: str = "") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def authorities(self) -> None:
        for authority in AUTHORITIES.values():
            self.run("genpkey", *authority.algorithm, "-out", f"{authority.key}.key")
            self.file(f"{authority.key}.index", "")
            self._certificate(authority.key, authority, authority.issuer)
        self._certificate("x2", AUTHORITIES["e2"], "r1")
        for authority in AUTHORITIES.values():
            if authority.delegated:
                self._responder(authority)

    def _certificate(self, file: str, authority: Authority, issuer: str) -> None:
        root = issuer == authority.key
        text = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"
        text += "subjectKeyIdentifier=hash\n"
        text += "" if root else f"authorityKeyIdentifier=keyid\n{_sources(AUTHORITIES[issuer], 1)}"
        self.file(f"{file}.ext", text)
        self.run(
            "req", "-new", "-key", f"{authority.key}.key", "-subj", authority.subject, "-out", f"{file}.csr"
        )
        self._sign(file, issuer, root, authority.name)

    def _sign(self, file: str, issuer: str, root: bool, name: str) -> None:
        above = AUTHORITIES[issuer]
        serial = self._next(above, name)
        by = ("-signkey", f"{issuer}.key") if root else ("-CA", f"{issuer}.pem", "-CAkey", f"{issuer}.key")
        self.run(
            "x509", "-req", "-in", f"{file}.csr", *by, "-set_serial", f"0x{serial}", "-days", str(DAYS), f"-{above.digest}",
            "-extfile", f"{file}.ext", "-out", f"{file}.pem", *(_PSS if above.pss else ()),
        )  # fmt: skip

    def _next(self, issuer: Authority, name: str) -> str:
        """A serial, written into the index that the issuer's responder answers from."""
        self._serial += 0x10001
        serial = f"{self._serial:X}"
        with (self.directory / f"{issuer.key}.index").open("a") as index:
            index.write(f"V\t270101000000Z\t\t{serial}\tunknown\t/CN={name}\n")
        return serial

    def _responder(self, authority: Authority) -> None:
        file = f"{authority.key}-responder"
        self.run("genpkey", *P256, "-out", f"{file}.key")
        self.run(
            "req",
            "-new",
            "-key",
            f"{file}.key",
            "-subj",
            f"/O=Range/CN={authority.name} responder",
            "-out",
            f"{file}.csr",
        )
        self.file(f"{file}.ext", "extendedKeyUsage=OCSPSigning\nkeyUsage=digitalSignature\nnoCheck=ignored\n")
        self._sign(file, authority.key, False, file)

    def leaf(self, leaf: Leaf) -> None:
        names = ",".join(f"DNS:{name}" for name in leaf.names)
        self.file(
            f"{leaf.file}.ext",
            f"subjectAltName={names}\nkeyUsage=critical,digitalSignature,keyEncipherment\nextendedKeyUsage=serverAuth,clientAuth\n"
            f"authorityKeyIdentifier=keyid\n{_sources(AUTHORITIES[leaf.issuer], leaf.part)}",
        )
        self.run("genpkey", *leaf.algorithm, "-out", f"{leaf.file}.key")
        self.run(
            "req",
            "-new",
            "-key",
            f"{leaf.file}.key",
            "-subj",
            f"/O=Range/CN={leaf.names[0]}",
            "-out",
            f"{leaf.file}.csr",
        )
        self._sign(leaf.file, leaf.issuer, False, leaf.names[0])
        above = "".join((self.directory / f"{key}.pem").read_text() for key in SENT[leaf.issuer])
        own = (self.directory / f"{leaf.file}.pem").read_text()
        self.file(f"chains/{leaf.file}.pem", own + above)
        self.file(f"bundles/{leaf.file}.pem", own + above + (self.directory / f"{leaf.file}.key").read_text())

    def documents(self) -> dict[str, Path]:
        """Lists and issuers' certificates by address."""
        found: dict[str, Path] = {}
        for authority in AUTHORITIES.values():
            der = self.directory / f"{authority.key}.crt"
            self.run("x509", "-in", f"{authority.key}.pem", "-outform", "DER", "-out", der.name)
            found[authority.issuer_url] = der
            for part in range(1, authority.parts + 1):
                urls = [url.format(part=part) for url in authority.lists]
                found |= dict.fromkeys(urls, self._list(authority, part, urls))
        return found

    def _list(self, authority: Authority, part: int, urls: list[str]) -> Path:
        file = f"{authority.key}-list{part}"
        revoked = [
            f"R\t270101000000Z\t261001000000Z\t{(part << 40) + n:012X}\tunknown\t/CN=r{n}"
            for n in range(authority.revoked)
        ]
        self.file(f"{file}.index", "".join(f"{line}\n" for line in revoked))
        self.file(f"{file}.number", "1F\n")
        scope = (
            "issuingDistributionPoint=critical,@idp\n[idp]\nfullname="
            + ",".join(f"URI:{url}" for url in urls)
            + "\n"
        )
        self.file(
            f"{file}.cnf",
            f"[ca]\ndefault_ca=one\n[one]\ndatabase={file}.index\ncrlnumber={file}.number\ndefault_md={authority.digest}\n"
            "default_crl_days=7\ncrl_extensions=ext\n[ext]\nauthorityKeyIdentifier=keyid\n"
            + (scope + ("onlyuser=TRUE\n" if authority.key == "w1" else "") if authority.scoped else ""),
        )
        self.run(
            "ca", "-gencrl", "-config", f"{file}.cnf", "-cert", f"{authority.key}.pem", "-keyfile", f"{authority.key}.key",
            "-out", f"{file}.pem", *(_PSS if authority.pss else ()),
        )  # fmt: skip
        self.run("crl", "-in", f"{file}.pem", "-outform", "DER", "-out", f"{file}.crl")
        return self.directory / f"{file}.crl"

    def ca_set(self) -> str:
        """The CA set of the range, as a user would write one."""
        today = "2026-11-23"
        lines = [
            'schema = "wayclear.caset/1"', 'name = "range"', 'title = "CAs of the second range"', f'version = "{today}"',
            f"reviewed = {today}", 'pki_hosts = ["crl3.digicert.com", "www.microsoft.com"]', "[citations.made]",
            'title = "Made for the range"', 'url = "https://example.org/"', f"date = {today}",
        ]  # fmt: skip
        entries = [(a, a.role, AUTHORITIES[a.issuer].name) for a in AUTHORITIES.values() if a.role]
        entries.append((AUTHORITIES["e2"], "cross", AUTHORITIES["r1"].name))
        for authority, role, issuer in entries:
            lines += [
                "[[ca]]", f'name = "{authority.name}"', f'role = "{role}"', f'issuer = "{issuer}"',
                f'spki_sha256 = "{self._key_digest(authority.key)}"', 'citation = "made"',
            ]  # fmt: skip
        return "\n".join(lines) + "\n"

    def _key_digest(self, key: str) -> str:
        self.run("pkey", "-in", f"{key}.key", "-pubout", "-outform", "DER", "-out", f"{key}.spki")
        return hashlib.sha256((self.directory / f"{key}.spki").read_bytes()).hexdigest()

    def roots(self) -> str:
        return "".join((self.directory / f"{key}.pem").read_text() for key in PUBLIC_ROOTS)


def _sources(issuer: Authority, part: int) -> str:
    """The addresses that a certificate of `issuer` names: each list at a distribution point of its own."""
    lists = ",".join(f"URI:{url.format(part=part)}" for url in issuer.lists)
    return f"crlDistributionPoints={lists}\nauthorityInfoAccess=caIssuers;URI:{issuer.issuer_url},OCSP;URI:{issuer.ocsp}\n"
