"""exporter-toolkit's web configuration: what is understood, refused, warned of, and read anew."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import pytest

from probe.web.exporter_toolkit import RateLimit, WebConfigFile, read_web_config
from probe.web.tls import ClientAuth
from rules.files.fields import BadFile
from tests.pki import authority
from tests.probe.http_raw import TLS, bcrypt_hash, pki

HASH = "$2y$10$" + "a" * 53
WHOLE = f"""\
tls_server_config:
  cert_file: server.pem
  key_file: /etc/ssl/server.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
  client_allowed_sans: [prometheus.example.test, 192.0.2.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites:
    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
    - TLS_AES_128_GCM_SHA256
  prefer_server_cipher_suites: false
  curve_preferences: [CurveP256]
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: sameorigin
    X-XSS-Protection: ""
basic_auth_users:
  alice: {HASH}
  "123": "{HASH}"
rate_limit:
  interval: 1m30.5s
  burst: 20
"""


def write(directory: Path, text: str, mode: int = 0o600) -> str:
    path = directory / "web.yml"
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return str(path)


def why(directory: Path, text: str) -> str:
    with pytest.raises(BadFile) as caught:
        read_web_config(write(directory, text))
    return str(caught.value)


def test_every_key_is_understood(tmp_path: Path) -> None:
    config = read_web_config(write(tmp_path, WHOLE))
    tls = config.tls
    assert tls is not None
    assert tls.files == (str(tmp_path / "server.pem"), "/etc/ssl/server.key", str(tmp_path / "ca.pem"))
    assert (tls.client_auth, tls.allowed_sans) == (
        ClientAuth.REQUIRE_AND_VERIFY,
        ("prometheus.example.test", "192.0.2.1"),
    )
    assert (tls.min_version, tls.max_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    assert (tls.ciphers, tls.curve, tls.server_preference) == (
        ("ECDHE-RSA-AES128-GCM-SHA256",),
        "prime256v1",
        False,
    )
    assert config.headers == (
        ("Strict-Transport-Security", "max-age=31536000"),
        ("X-Frame-Options", "sameorigin"),
    )
    assert dict(config.users.hashes) == {"alice": HASH.encode(), "123": HASH.encode()}
    assert config.rate == RateLimit(90.5, 20)
    assert config.asks_who
    assert config.warnings == (
        "tls_server_config.cipher_suites: suites of TLS 1.3 cannot be chosen: all three are offered",
    )


def test_an_empty_file_asks_nobody(tmp_path: Path) -> None:
    config = read_web_config(write(tmp_path, "# nothing yet\n"))
    assert (config.tls, config.headers, bool(config.users), config.rate, config.asks_who) == (
        None, (), False, None, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("tls_server_confg: {}", "line 1: tls_server_confg: is not a key that is known here, did you mean tls_server_config?"),
        ("a: 1\nrate_limits: 2", "line 2: rate_limits: "),
        ("tls_server_config:\n  cert_file: a\n  key_fil: b", "line 3: tls_server_config.key_fil: "),
        ("tls_server_config:\n  cert_file: a", "line 1: tls_server_config.key_file: is missing"),
        ("tls_server_config: x", "must be a mapping"),
        (TLS + "  cert: |\n    x", "line 4: tls_server_config.cert: inline PEM is not read here"),
        (TLS + "  client_auth_type: require", "is none of NoClientCert, RequestClientCert, RequireAnyClientCert"),
        (TLS + "  client_auth_type: RequireAndVerifyClientCert", "tls_server_config.client_ca_file: is missing"),
        (TLS + "  client_auth_type: VerifyClientCertIfGiven", "tls_server_config.client_ca_file: is missing"),
        (TLS + "  client_auth_type: RequireAnyClientCert", "tls_server_config.client_ca_file: is missing"),
        (TLS + "  client_ca_file: ca.pem", "has no effect without client_auth_type"),
        (TLS + "  client_allowed_sans: [a]", "has no effect unless client_auth_type verifies"),
        (TLS + "  min_version: TLS1.2", "line 4: tls_server_config.min_version: 'TLS1.2' is not one of TLS10, TLS11, TLS12, TLS13"),
        (TLS + "  max_version: TLS11", "must be TLS12 or TLS13"),
        (TLS + "  min_version: TLS13\n  max_version: TLS12", "is above max_version"),
        (TLS + "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]", "line 4: tls_server_config.cipher_suites[0]: "),
        (TLS + "  cipher_suites: [TLS_AES_128_GCM_SHA256]", "names no suite of TLS 1.2"),
        (TLS + "  curve_preferences: [P256]", "'P256' is none of X25519, CurveP256"),
        (TLS + "  prefer_server_cipher_suites: 1", "must be true or false"),
        ("http_server_config:\n  headers:\n    Server: x", "line 3: http_server_config.headers.Server: is none of the headers"),
        ("http_server_config:\n  headers:\n    X-Frame-Options: allow", "must be deny or sameorigin"),
        ('http_server_config:\n  headers:\n    X-XSS-Protection: "1\\nA: b"', "must be one line of ASCII"),
        ("http_server_config:\n  headers: x", "headers: must be a mapping"),
        ("http_server_config:\n  http: 2", "http_server_config.http: is not a key"),
        ("basic_auth_users: {}", "is empty"),
        ("basic_auth_users: x", "must be a mapping"),
        ("basic_auth_users:\n  a:b: x", "is no name of a user"),
        ("rate_limit: {}", "rate_limit.interval: is missing"),
        ("rate_limit: {interval: 1, burst: 2}", "rate_limit.interval: is the number 1"),
        ("rate_limit: {interval: 1 s, burst: 2}", "is no duration of Go, such as 500ms"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst: is missing"),
        ("rate_limit: {interval: 1s, burst: 0}", "must be between 1 and"),
        ("a: 1\nb: 2", "web.yml: 2 things are wrong"),
    ],
)  # fmt: skip
def test_each_fault_is_told_with_file_line_and_key(tmp_path: Path, text: str, told: str) -> None:
    message = why(tmp_path, text)
    assert message.startswith(str(tmp_path / "web.yml"))
    assert told in message


@pytest.mark.parametrize(
    "text", ["rate_limit: {interval: 0, burst: 2}", "rate_limit: {interval: 0s, burst: 2}"]
)
def test_an_interval_of_zero_is_no_limit(tmp_path: Path, text: str) -> None:
    assert read_web_config(write(tmp_path, text)).rate is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("hunter2", "is no bcrypt hash"),
        ("12345", "must be a bcrypt hash"),
        ("$2x$10$" + "a" * 53, "is no bcrypt hash"),
        ("$2y$18$" + "a" * 53, "has cost 18: at most 14 is taken"),
        ("$2y$03$" + "a" * 53, "has a cost below 4"),
        ("$2y$10$" + "a" * 52, "is no bcrypt hash"),
        ("[hunter2]", "must be a bcrypt hash"),
    ],
)
def test_a_hash_that_is_none_or_too_dear_is_refused_at_load(tmp_path: Path, value: str, told: str) -> None:
    message = why(tmp_path, f"basic_auth_users:\n  alice: ok\n  bob: {value}\n")
    assert "line 3: basic_auth_users.bob: " in message
    assert told in message


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users:\n  bob: hunter2",
        "basic_auth_users:\n  bob: 'hunter2'",
        "basic_auth_users: hunter2",
        "basic_auth_users: [hunter2]",
        "basic_auth_users:\n  $2y$hunter2: bob",
        "basic_auth_users:\n  bob: 4_43hunter2\n  bob: hunter2",
        "basic_auth_users:\n  bob: *hunter2",
        TLS + "  key: hunter2",
        "tls_server_config: hunter2",
        "rate_limit: hunter2",
    ],
)
def test_a_secret_is_never_in_a_message(tmp_path: Path, text: str) -> None:
    assert "hunter2" not in why(tmp_path, text)


def test_a_secret_is_not_shown_with_the_configuration(tmp_path: Path) -> None:
    config = read_web_config(write(tmp_path, WHOLE))
    assert HASH not in repr(config)
    assert "alice" not in repr(config)


def test_files_with_secrets_that_everybody_can_read_are_a_warning(tmp_path: Path) -> None:
    users = f"basic_auth_users:\n  a: {HASH}\n"
    assert read_web_config(write(tmp_path, users, 0o640)).warnings == ()
    (warning,) = read_web_config(write(tmp_path, users, 0o644)).warnings
    assert (
        f"web.yml holds secrets and can be read by every account of this host: chmod 640 {tmp_path}"
        in warning
    )
    assert "can be written by" in read_web_config(write(tmp_path, users, 0o666)).warnings[0]
    assert read_web_config(write(tmp_path, "rate_limit: {interval: 1s, burst: 2}", 0o644)).warnings == ()


@pytest.mark.parametrize(
    ("text", "told", "becomes"),
    [
        ("client_auth_type: RequestClientCert", "no certificate is asked for", ClientAuth.NONE),
        ("client_ca_file: ca.pem\n  client_auth_type: RequestClientCert", "VerifyClientCertIfGiven is used",
         ClientAuth.VERIFY_IF_GIVEN),
        ("client_ca_file: ca.pem\n  client_auth_type: RequireAnyClientCert", "RequireAndVerifyClientCert is used",
         ClientAuth.REQUIRE_AND_VERIFY),
        ("client_ca_file: ca.pem\n  client_auth_type: RequireClientCert", "RequireAndVerifyClientCert is used",
         ClientAuth.REQUIRE_AND_VERIFY),
        ("min_version: TLS10", "TLS10 is not honoured", ClientAuth.NONE),
        ("curve_preferences: [X25519, CurveP256]", "an order of several cannot", ClientAuth.NONE),
    ],
)  # fmt: skip
def test_what_is_not_honoured_is_a_warning(tmp_path: Path, text: str, told: str, becomes: ClientAuth) -> None:
    config = read_web_config(write(tmp_path, f"{TLS}  {text}\n"))
    (warning,) = config.warnings
    assert told in warning
    assert config.tls is not None
    assert config.tls.client_auth is becomes


@pytest.mark.parametrize("policy", ["NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert"])
def test_policies_that_are_honoured_as_they_are(tmp_path: Path, policy: str) -> None:
    ca = "" if policy == "NoClientCert" else "  client_ca_file: ca.pem\n"
    config = read_web_config(write(tmp_path, f"{TLS}{ca}  client_auth_type: {policy}\n"))
    assert config.warnings == ()
    assert config.tls is not None
    assert config.tls.client_auth == policy
    assert config.asks_who is (policy == "RequireAndVerifyClientCert")


def test_http2_and_different_costs_are_warnings(tmp_path: Path) -> None:
    text = f"http_server_config: {{http2: true}}\nbasic_auth_users:\n  a: {HASH}\n  b: {HASH.replace('10', '12', 1)}\n"
    config = read_web_config(write(tmp_path, text))
    assert [warning.partition(":")[0] for warning in config.warnings] == [
        "http_server_config.http2",
        "basic_auth_users",
    ]


def test_only_regular_files_of_a_size_that_people_write_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"#" * (128 * 1024 + 1))
    for name, told in (
        ("fifo", "regular"),
        ("zero", "regular"),
        (".", "regular"),
        ("large", "at most 131072"),
        ("no", "no such"),
    ):
        with pytest.raises(BadFile, match=told):
            read_web_config(str(tmp_path / name))
    made = pki(tmp_path, TLS.replace("server.key", "fifo"))
    with pytest.raises(BadFile, match="fifo: is not a regular file"):
        WebConfigFile(str(made.config)).current()


# --- read anew -----------------------------------------------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def live(path: Path, told: list[str]) -> tuple[WebConfigFile, Clock]:
    clock = Clock()
    return WebConfigFile(str(path), told.append, clock, told.append), clock


def users(password: str) -> str:
    return f"basic_auth_users:\n  alice: {bcrypt_hash(password)}\n"


def test_a_changed_file_is_read_after_a_second_and_not_before(tmp_path: Path) -> None:
    told: list[str] = []
    path = Path(write(tmp_path, users("one")))
    file, clock = live(path, told)
    first = file.current()
    write(tmp_path, users("two"))
    clock.now = 0.9
    assert file.current() is first
    clock.now = 1.0
    second = file.current()
    assert second is not first
    assert second.config.users != first.config.users
    clock.now = 3.0
    assert file.current() is second
    assert told == []


def test_a_bad_new_version_keeps_the_old_one_and_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    file, clock = live(Path(write(tmp_path, users("one"))), told)
    first = file.current()
    for clock.now, text in (
        (1.0, "basic_auth_users: hunter2"),
        (2.0, ""),
        (3.0, "basic_auth_users: hunter2 "),
    ):
        (tmp_path / "web.yml").write_text(text or "basic_auth_users: hunter2")
        if text:
            assert file.current() is first
    assert len(told) == 1
    assert "line 1: basic_auth_users: must be a mapping" in told[0]
    assert "stays as it was" in told[0]
    assert file.problem
    (tmp_path / "web.yml").unlink()
    clock.now = 5.0
    assert file.current() is first
    assert "cannot be read: no such file" in told[1]
    write(tmp_path, users("three"))
    clock.now = 6.0
    assert file.current() is not first
    assert (file.problem, len(told)) == ("", 3)
    assert told[2] == f"{tmp_path / 'web.yml'}: the web configuration can be used again and is in force"
    clock.now = 8.0
    file.current()
    assert len(told) == 3
    assert all("\n" not in text for text in told)


def test_a_certificate_is_read_anew_when_its_key_has_followed(tmp_path: Path) -> None:
    told: list[str] = []
    made = pki(tmp_path)
    file, clock = live(made.config, told)
    first = file.current()
    assert first.tls is not None
    assert first.tls.names == {"localhost", "prober.example.test"}
    leaf = authority("Web Test Root").leaf(["new.example.test"], "rsa")
    chain, _ = leaf.write(tmp_path, "new")
    chain.replace(tmp_path / "server.pem")
    clock.now = 1.0
    assert file.current() is first
    assert "the key belongs to another certificate" in told[0]
    (tmp_path / "new.key").chmod(0o600)
    (tmp_path / "new.key").replace(tmp_path / "server.key")
    clock.now = 2.0
    second = file.current()
    assert second.tls is not None
    assert second.tls.names == {"new.example.test"}
    assert len(told) == 2
    assert "can be used again" in told[1]


def test_a_version_that_the_server_cannot_take_is_refused(tmp_path: Path) -> None:
    told: list[str] = []
    file, clock = live(Path(write(tmp_path, users("one"))), told)
    first = file.current()
    file.accept_only(lambda new: "" if new.config.users else "it asks nobody")
    write(tmp_path, "")
    clock.now = 1.0
    assert file.current() is first
    assert told == [f"the web configuration stays as it was: {tmp_path / 'web.yml'}: it asks nobody"]


def test_a_new_warning_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    file, clock = live(Path(write(tmp_path, "")), told)
    file.current()
    write(tmp_path, "http_server_config: {http2: true}")
    clock.now = 1.0
    file.current()
    assert [text.partition(":")[0] for text in told] == ["http_server_config.http2"]


def test_a_bad_file_at_the_start_is_an_error(tmp_path: Path) -> None:
    file, _ = live(Path(write(tmp_path, "a: 1")), [])
    with pytest.raises(BadFile, match="line 1: a: is not a key"):
        file.current()


def test_the_examples_of_the_page_are_valid_and_its_table_has_every_key(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "web-config.md").read_text("utf-8")
    examples = re.findall(r"```yaml\n((?:#[^\n]*\n)?tls_server_config.*?)```", page, re.DOTALL)
    configs = [read_web_config(write(tmp_path, example)) for example in examples]
    assert [(config.asks_who, config.warnings) for config in configs] == [(True, ())] * 2
    for line in WHOLE.splitlines():
        if (key := re.match(r"( *)([a-z]+_?[a-z_0-9]+):", line)) and key[2] != "alice":
            assert f"`{key[2]}`" in page or f".{key[2]}`" in page or f"`{key[2]}." in page


def test_it_says_whether_the_server_uses_tls(tmp_path: Path) -> None:
    for directory, text, secure in (("plain", "", False), ("tls", TLS, True)):
        place = tmp_path / directory
        place.mkdir()
        file = WebConfigFile(str(pki(place).config) if text else write(place, text))
        assert not file.secure, "nothing has been read"
        file.current()
        assert file.secure is secure
