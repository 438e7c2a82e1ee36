"""The container's files, as far as they can be held without a container engine: none ran here.

Not shown by these tests: that the image builds, that it starts read-only, that the four containers find each other.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from probe.config.service import LISTEN

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "packaging/container"
COMPOSE: dict[str, Any] = yaml.safe_load((PLACE / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
CONTAINERFILE = re.sub(r"\\\n", " ", (PLACE / "Containerfile").read_text("utf-8"))
#: A tag that is a version; "latest", no tag at all and a bare major version are none.
PINNED = re.compile(r"[a-z0-9.-]+/[a-z0-9./-]+:v?\d+\.\d+[a-z0-9.-]*")
#: Made by the person who starts it, from the example beside it.
OWN_FILES = {PLACE / "wayclear.toml": ROOT / "packaging/wayclear.example.toml"}


def mounts() -> list[tuple[str, Path, str, str]]:
    """Service, place here, place there and options of every file and directory of this repository that is mounted."""
    found = []
    for name, service in SERVICES.items():
        for volume in service["volumes"]:
            here, there, *options = volume.split(":")
            if here.startswith("."):
                found.append((name, (PLACE / here).resolve(), there, ",".join(options)))
    return found


# --- the image -----------------------------------------------------------------------------------------------------


def instructions(word: str) -> list[str]:
    return re.findall(rf"^{word} (.*)$", CONTAINERFILE, re.MULTILINE)


def test_what_the_image_is_made_of_is_pinned_and_there() -> None:
    images = [line.split()[0] for line in instructions("FROM")]
    assert len(images) == 2
    assert all(PINNED.fullmatch(image) for image in images)
    sources = [path for line in instructions("COPY") if "--from" not in line for path in line.split()[:-1]]
    assert sources
    assert [path for path in sources if not (ROOT / path).exists()] == []
    seen = re.findall(r"^!(.+)$", (PLACE / "Containerfile.dockerignore").read_text("utf-8"), re.MULTILINE)
    assert set(seen) == set(sources), "what is copied is what the build may see"


def test_nothing_is_installed_without_a_hash() -> None:
    installs = re.findall(r"pip install ([^&\n]*)", CONTAINERFILE)
    assert len(installs) == 2
    for arguments in installs:
        assert "--require-hashes" in arguments or "--no-index" in arguments
    assert not re.search(
        r"curl|wget|apt-get|\bADD\b", re.sub(r"^#.*$", "", CONTAINERFILE, flags=re.MULTILINE)
    )


def test_it_does_not_run_as_root() -> None:
    (user,) = instructions("USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user), "a number: `runAsNonRoot` can check it"


def test_the_health_check_is_a_program_that_tells_up_from_down(tmp_path: Path) -> None:
    """Run as it stands, against a server that answers and against nobody."""
    (check,) = instructions("HEALTHCHECK")
    command = yaml.safe_load(check[check.index("[") :])
    assert command[:2] == ["/opt/wayclear/bin/python", "-I"]
    code = command[-1]
    assert f"'{LISTEN[0].rpartition(':')[0]}', {LISTEN[0].rpartition(':')[2]}" in code
    server = (
        "import http.server, subprocess, sys\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200 if self.path == '/-/healthy' else 404); self.end_headers()\n"
        "    def log_message(self, *_): pass\n"
        "import threading\n"
        "s = http.server.HTTPServer(('127.0.0.1', 0), H)\n"
        "threading.Thread(target=s.serve_forever, daemon=True).start()\n"
        "code = sys.argv[1].replace('19115', str(s.server_port))\n"
        "up = subprocess.run([sys.executable, '-I', '-c', code]).returncode\n"
        "lost = subprocess.run([sys.executable, '-I', '-c', code.replace('healthy', 'ill')]).returncode\n"
        "s.shutdown(); s.server_close()\n"
        "down = subprocess.run([sys.executable, '-I', '-c', code], stderr=subprocess.DEVNULL).returncode\n"
        "print(up, lost, down)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", server, code], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    assert run.stdout.split() == ["0", "1", "1"]


def test_the_commands_are_ones_that_the_program_knows() -> None:
    from probe.command.main import parse

    (entry,), (words,) = instructions("ENTRYPOINT"), instructions("CMD")
    assert yaml.safe_load(entry) == ["/opt/wayclear/bin/python", "-I", "-m", "probe"]
    for arguments in (yaml.safe_load(words), SERVICES["wayclear"]["command"]):
        assert parse(arguments)[1].command == "serve"


# --- compose -------------------------------------------------------------------------------------------------------


def test_the_version_of_the_image_is_the_program_s() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert SERVICES["wayclear"]["image"] == f"localhost/wayclear:{version}"
    build = SERVICES["wayclear"]["build"]
    assert (PLACE / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).is_file()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_and_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert PINNED.fullmatch(service["image"])
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "ports" not in service, "loopback only: nothing is published"


@pytest.mark.parametrize(("name", "here", "there", "options"), mounts())
def test_what_is_mounted_is_in_the_repository_and_read_only(
    name: str, here: Path, there: str, options: str
) -> None:
    assert OWN_FILES.get(here, here).exists(), f"{name} mounts {here}"
    assert there.startswith("/")
    assert options == "ro"


def test_every_service_listens_on_loopback_only() -> None:
    assert {service["network_mode"] for service in SERVICES.values()} == {"host"}
    for name in ("prometheus", "alertmanager"):
        (address,) = [c for c in SERVICES[name]["command"] if c.startswith("--web.listen-address=")]
        assert address.partition("=")[2].startswith("127.0.0.1:")
    assert "--cluster.listen-address=" in SERVICES["alertmanager"]["command"]
    assert SERVICES["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] == "127.0.0.1"
    assert "--allow-insecure" not in SERVICES["wayclear"]["command"]


def test_nobody_has_a_password_that_everybody_knows() -> None:
    password = SERVICES["grafana"]["environment"]["GF_SECURITY_ADMIN_PASSWORD"]
    assert re.fullmatch(r"\$\{\w+:\?.+\}", password), "compose refuses to start without one"


def test_alerts_come_from_prometheus_and_not_from_grafana_as_well() -> None:
    places = [there for name, _, there, _ in mounts() if name == "grafana"]
    assert places
    assert not [there for there in places if "alerting" in there or there == "/etc/grafana/provisioning"]


def test_dashboards_and_data_source_are_where_grafana_is_told_to_look() -> None:
    here = {there: path for name, path, there, _ in mounts() if name == "grafana"}
    (source,) = yaml.safe_load(here["/etc/grafana/provisioning/datasources/wayclear.yml"].read_text("utf-8"))[
        "datasources"
    ]
    shipped = ROOT / "dashboards/grafana/provisioning/datasources/wayclear.yml"
    (usual,) = yaml.safe_load(shipped.read_text("utf-8"))["datasources"]
    own = next(c for c in SERVICES["prometheus"]["command"] if c.startswith("--web.listen-address="))
    assert source == {**usual, "url": f"http://{own.partition('=')[2]}"}
    (providers,) = here["/etc/grafana/provisioning/dashboards"].glob("*.y*ml")
    wanted = [p["options"]["path"] for p in yaml.safe_load(providers.read_text("utf-8"))["providers"]]
    assert wanted
    assert [path for path in wanted if path not in here] == []
    assert list(here[wanted[0]].rglob("*.json"))


# --- what the containers read --------------------------------------------------------------------------------------


def resolved(name: str, file: str, tmp_path: Path) -> Path:
    """A configuration as the container of `name` sees it, with every mounted path put where it is here."""
    here = {there: path for service, path, there, _ in mounts() if service == name}
    text = here[file].read_text("utf-8")
    for there, path in here.items():
        text = text.replace(there, str(path))
    made = tmp_path / Path(file).name
    made.write_text(text, "utf-8")
    return made


def test_prometheus_accepts_its_configuration_and_the_rules(tmp_path: Path) -> None:
    config = resolved("prometheus", "/etc/prometheus/prometheus.yml", tmp_path)
    run = subprocess.run(
        ["promtool", "check", "config", str(config)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"SUCCESS: \d+ rules found", run.stdout)


def test_prometheus_scrapes_what_listens_and_tells_who_listens() -> None:
    config = yaml.safe_load((PLACE / "prometheus.yml").read_text("utf-8"))
    jobs = {job["job_name"]: job["static_configs"][0]["targets"] for job in config["scrape_configs"]}
    assert jobs["wayclear"] == list(LISTEN)
    (managers,) = config["alerting"]["alertmanagers"]
    assert (
        f"--web.listen-address={managers['static_configs'][0]['targets'][0]}"
        in SERVICES["alertmanager"]["command"]
    )


def test_alertmanager_accepts_its_configuration(tmp_path: Path) -> None:
    config = resolved("alertmanager", "/etc/alertmanager/alertmanager.yml", tmp_path)
    run = subprocess.run(
        ["amtool", "check-config", str(config)], capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_commands_in_the_comments_name_files_that_exist() -> None:
    text = (PLACE / "compose.yaml").read_text("utf-8") + (PLACE / "Containerfile").read_text("utf-8")
    for command in re.findall(r"^#     (\S.*?)(?:\s+#.*)?$", text, re.MULTILINE):
        words = [word for word in shlex.split(command) if "/" in word or word.endswith((".toml", ".yaml"))]
        for word in words:
            assert (ROOT / word).exists() or (PLACE / word).exists() or PLACE / word in OWN_FILES, command
