"""Who answers in the range: HAProxy, nginx, `openssl s_server`, `gnutls-serv`, `openssl ocsp`; their configurations."""

from __future__ import annotations

import shutil
import urllib.parse
from pathlib import Path

from tests.range.authorities import AUTHORITIES
from tests.range.names import (
    BOOTSTRAP,
    ENDED,
    PASSED,
    PLAIN,
    REGISTRATION,
    RENEWAL,
    WEB,
    Name,
    leaf_of,
)  # fmt: skip

#: One page for every host that is asked for "/": as a CDN or a load balancer does.
PAGE = "<!doctype html><html><head><title>Default page</title></head><body><h1>It works</h1></body></html>\n"
_BACKENDS = {BOOTSTRAP: 9101, REGISTRATION: 9102, RENEWAL[0]: 9103, RENEWAL[1]: 9104, RENEWAL[2]: 9105}
_OCSP_FROM = 9201

_HAPROXY = """global
  maxconn 500
  log stderr format raw local0 notice
defaults
  timeout connect 5s
  timeout client 20s
  timeout server 20s
frontend passed
  mode tcp
  {passed}
  tcp-request inspect-delay 5s
  tcp-request content accept if {{ req.ssl_hello_type 1 }}
  {rules}
  default_backend b{default}
{backends}
frontend ended
  mode http
  {ended}
  http-request return status 404 content-type text/plain string "nothing here"
frontend wants-a-certificate
  mode http
  bind 127.0.0.1:{own} ssl crt {directory}/bundles/{own_leaf}.pem ca-file {directory}/clients.pem verify required
  http-request return status 200 content-type text/plain string "renewed"
"""


def write(directory: Path, names: tuple[Name, ...], documents: dict[str, Path]) -> None:
    """Every configuration file and what nginx serves on port 80."""
    (directory / "clients.pem").write_text((directory / "s1.pem").read_text())
    (directory / "haproxy.cfg").write_text(_haproxy(directory, names))
    (directory / "nginx.conf").write_text(_nginx(directory, names))
    (directory / "www" / "page").mkdir(parents=True)
    (directory / "www" / "page" / "index.html").write_text(PAGE)
    for url, source in documents.items():
        parts = urllib.parse.urlsplit(url)
        target = directory / "www" / (parts.hostname or "") / urllib.parse.unquote(parts.path.lstrip("/"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def _haproxy(directory: Path, names: tuple[Name, ...]) -> str:
    ended = sorted({leaf_of(n.name).file for n in names if n.addresses[0] in ENDED})
    certificates = " ".join(f"crt {directory}/bundles/{file}.pem" for file in ended)
    return _HAPROXY.format(
        directory=directory,
        passed="\n  ".join(f"bind {address}:443" for address in PASSED),
        rules="\n  ".join(
            f"use_backend b{port} if {{ req.ssl_sni -i {name} }}" for name, port in _BACKENDS.items()
        ),
        default=_BACKENDS[REGISTRATION],
        backends="\n".join(
            f"backend b{port}\n  mode tcp\n  server one 127.0.0.1:{port}" for port in _BACKENDS.values()
        ),
        ended="\n  ".join(f"bind {address}:443 ssl {certificates}" for address in ENDED),
        own=_BACKENDS[RENEWAL[2]],
        own_leaf=leaf_of(RENEWAL[2]).file,
    )


def _nginx(directory: Path, names: tuple[Name, ...]) -> str:
    lines = [
        "daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;",
        "events { worker_connections 512; }",
        f"http {{ access_log off; merge_slashes off; root {directory}/www; default_type application/octet-stream;",
        "types { text/html html; application/pkix-crl crl; application/pkix-cert crt; }",
        f"client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxied; fastcgi_temp_path {directory}/f;",
        f"uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;",
    ]
    secure = [n.name for n in names if 443 in n.ports and n.addresses[0] in (*WEB, *PLAIN)]
    for number, name in enumerate(secure):
        listen = " ".join(
            f"listen {a}:443 ssl{' default_server' if not number else ''};" for a in (*WEB, *PLAIN)
        )
        lines.append(_secure(directory, listen, name, 'return 200 "web\\n";'))
    backend = f"listen 127.0.0.1:{_BACKENDS[REGISTRATION]} ssl;"
    lines.append(_secure(directory, backend, REGISTRATION, 'return 404 "no such page\\n";'))
    plain = " ".join(f"listen {address}:80;" for address in PLAIN)
    responders = "".join(
        f"location /{key}/ {{ proxy_pass http://127.0.0.1:{_OCSP_FROM + n}/; }} "
        f"location = /{key} {{ proxy_pass http://127.0.0.1:{_OCSP_FROM + n}/; }} "
        for n, key in enumerate(AUTHORITIES)
    )
    for name in (n.name for n in names if 80 in n.ports):
        own = responders if "ocsp" in name else ""
        page = f"location = / {{ root {directory}/www/page; try_files /index.html =404; default_type text/html; }}"
        lines.append(f"server {{ {plain} server_name {name}; root {directory}/www/{name}; {page} {own} }}")
    return "\n".join([*lines, "}"])


def _secure(directory: Path, listen: str, name: str, answer: str) -> str:
    file = leaf_of(name).file
    return (
        f"server {{ {listen} server_name {name}; ssl_certificate {directory}/chains/{file}.pem; "
        f"ssl_certificate_key {directory}/{file}.key; ssl_protocols TLSv1.2 TLSv1.3; location / {{ {answer} }} }}"
    )


def commands(directory: Path) -> dict[str, list[str]]:
    """What to start, by name."""
    boot, first, second = (leaf_of(name).file for name in (BOOTSTRAP, RENEWAL[0], RENEWAL[1]))
    made = {
        "bind-root": ["named", "-g", "-c", f"{directory}/root.conf"],
        "bind-zones": ["named", "-g", "-c", f"{directory}/zones.conf"],
        "recursor": ["pdns_recursor", f"--config-dir={directory}/recursor", "--daemon=no"],
        "haproxy": ["haproxy", "-db", "-f", f"{directory}/haproxy.cfg"],
        "nginx": ["nginx", "-p", str(directory), "-c", f"{directory}/nginx.conf"],
        "bootstrap": [*_s_server(directory, boot, _BACKENDS[BOOTSTRAP]), "-no_tls1_3"],
        "renewal-1": _s_server(directory, first, _BACKENDS[RENEWAL[0]]),
        # asks for a certificate and goes on without one: the third habit
        "renewal-2": [
            "gnutls-serv", "--port", str(_BACKENDS[RENEWAL[1]]), "--x509certfile", f"{directory}/chains/{second}.pem",
            "--x509keyfile", f"{directory}/{second}.key", "--x509cafile", f"{directory}/clients.pem", "--http", "--quiet",
        ],
    }  # fmt: skip
    for number, authority in enumerate(AUTHORITIES.values()):
        signer = f"{authority.key}-responder" if authority.delegated else authority.key
        made[f"ocsp-{authority.key}"] = [
            "openssl", "ocsp", "-port", str(_OCSP_FROM + number), "-index", f"{directory}/{authority.key}.index",
            "-CA", f"{directory}/{authority.key}.pem", "-rsigner", f"{directory}/{signer}.pem",
            "-rkey", f"{directory}/{signer}.key", "-rmd", "sha256", "-nmin", "2880",
            *(("-rsigopt", "rsa_padding_mode:pss") if authority.pss and not authority.delegated else ()),
        ]  # fmt: skip
    return made


def _s_server(directory: Path, file: str, port: int) -> list[str]:
    return [
        "openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", f"{directory}/{file}.pem",
        "-key", f"{directory}/{file}.key", "-cert_chain", f"{directory}/chains/{file}.pem",
        "-CAfile", f"{directory}/clients.pem", "-no-CApath", "-no-CAstore",
        "-Verify", "3", "-verify_return_error", "-www", "-quiet",
    ]  # fmt: skip


def ports() -> set[str]:
    """Where the servers listen once the range is ready, "address:port"."""
    secure = {f"{address}:443" for address in (*PASSED, *ENDED, *WEB)}
    own = {f"127.0.0.1:{port}" for name, port in _BACKENDS.items() if name != RENEWAL[1]}
    responders = {f"*:{_OCSP_FROM + number}" for number in range(len(AUTHORITIES))}
    return secure | own | responders | {f"*:{_BACKENDS[RENEWAL[1]]}", *(f"{address}:80" for address in PLAIN)}
