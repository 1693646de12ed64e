"""The registry's configuration: its file, variables over it, what is wrong with it, and init."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from engine import BINARY, eventually
from martlet_registry import ADMIN, MartletRegistry

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]

WRONG = 78
CANNOT_CREATE = 73


def clean() -> dict[str, str]:
    """Our environment without what would configure a registry."""
    return {name: value for name, value in os.environ.items()
            if not name.startswith(("REGISTRY_", "MARTLET_REGISTRY_"))}


def martlet(*words, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([BINARY, "registry", *map(str, words)], capture_output=True, text=True,
                          timeout=120, env=clean() | (environment or {}))


class Configured(MartletRegistry):
    """A registry that is told where to listen and what to keep by its file alone."""

    def __init__(self, text: str = "", environment: dict[str, str] | None = None):
        super().__init__(environment=environment)
        self.config = Path(self.folder) / "c.yml"
        self.config.write_text(
            "version: 0.1\n" + text.format(folder=self.folder, host=self.host, port=self.port))

    def accepts(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex((self.address, self.port)) == 0

    def command(self) -> list[str]:
        return [BINARY, "registry", "serve", "--config", str(self.config)]


PLAIN = """
storage: {{filesystem: {{rootdirectory: {folder}/blobs}}}}
http: {{addr: "{host}"}}
martlet: {{dataroot: {folder}/data}}
"""


def test_the_file_says_how_it_runs():
    text = """
log: {{level: debug, formatter: json, fields: {{service: mine}}, accesslog: {{disabled: false}}}}
storage:
  filesystem: {{rootdirectory: {folder}/blobs, maxthreads: 4}}
  delete: {{enabled: false}}
http:
  addr: "{host}"
  relativeurls: true
  headers: {{X-Mine: [one, two], Docker-Distribution-Api-Version: [never]}}
auth: {{token: {{realm: "http://elsewhere.example/token", service: mine}}}}
martlet:
  dataroot: {folder}/data
  pidfile: {folder}/run/pid
  store: {{sqlite: {{path: {folder}/db/records.db}}}}
  limits: {{manifestsize: 64k}}
"""
    with Configured(text) as registry:
        folder = Path(registry.folder)
        assert (folder / "db/records.db").exists() and (folder / "blobs/blobs").is_dir()
        assert (folder / "run/pid").read_text() == f"{registry.process.pid}\n"
        answer = registry.request("GET", "/v2/")
        assert answer.status == 401
        assert answer.headers.get_all("X-Mine") == ["one", "two"]
        assert answer.headers.get_all("Docker-Distribution-Api-Version") == ["registry/2.0"]
        assert 'realm="http://elsewhere.example/token",service="mine"' in answer.headers[
            "WWW-Authenticate"]
        started = registry.request("POST", "/v2/admin/a/blobs/uploads/", auth=ADMIN)
        assert started.status == 202 and started.headers["Location"].startswith("/v2/admin/a/")
        large = registry.request(
            "PUT", "/v2/admin/a/manifests/v1", body=b" " * 70_000, auth=ADMIN,
            headers={"Content-Type": "application/vnd.oci.image.manifest.v1+json"})
        assert large.status == 413, large
        digest = "sha256:" + "0" * 64
        assert registry.request("DELETE", f"/v2/admin/a/blobs/{digest}", auth=ADMIN).status == 405
        lines = registry.log_text().splitlines()
        assert any('"GET /v2/ HTTP/1.1" 401 - ' in line for line in lines)
        facts = [json.loads(line) for line in lines if line.startswith("{")]
        assert facts and all(fact["service"] == "mine" for fact in facts)
        registry.stop()
        assert registry.process.returncode == 0
        assert not (folder / "run/pid").exists()


def test_variables_go_before_the_file_and_flags_before_both():
    text = PLAIN + "auth: token\nlog: {{level: error}}\n"
    with Configured(text, {"REGISTRY_AUTH": "none", "REGISTRY_LOG_LEVEL": "info"}) as registry:
        assert registry.request("GET", "/v2/").status == 200
        assert "registry listens" in registry.log_text()
    flagged = Configured(text, {"REGISTRY_AUTH": "none"})
    flagged.flags = ["--auth", "token"]
    with flagged:
        assert flagged.request("GET", "/v2/").status == 401


def test_a_variable_names_the_file():
    registry = Configured(PLAIN + "auth: none\n")
    registry.environment |= {"REGISTRY_CONFIGURATION_PATH": str(registry.config)}
    registry.command = lambda: [BINARY, "registry", "serve"]
    with registry:
        assert registry.request("GET", "/v2/").status == 200


def test_read_only():
    with Configured(PLAIN + "auth: none\n") as registry:
        assert registry.request("POST", "/v2/a/blobs/uploads/").status == 202
        registry.stop()
        registry.environment |= {"REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED": "true"}
        registry.start()
        refused = registry.request("POST", "/v2/a/blobs/uploads/")
        assert refused.status in (403, 405, 503), refused
        assert b"read-only" in refused.body


def test_a_password_from_a_file():
    registry = Configured(PLAIN + "auth: token\n")
    del registry.environment["MARTLET_REGISTRY_ADMIN_PASSWORD"]
    password = Path(registry.folder) / "password"
    password.write_text("from a file\n")
    registry.environment |= {
        "REGISTRY_MARTLET_ADMIN_USERNAME": "root",
        "REGISTRY_MARTLET_ADMIN_PASSWORDFILE": str(password)}
    with registry:
        assert registry.request("GET", "/v2/", auth=("root", "from a file")).status == 200
        assert "password" not in registry.log_text()


def test_tls_with_a_client_certificate(tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True)
    registry = Configured(f"""
storage: {{{{filesystem: {{{{rootdirectory: {{folder}}/blobs}}}}}}}}
http:
  addr: "{{host}}"
  tls:
    certificate: {tmp_path}/cert.pem
    key: {tmp_path}/key.pem
    clientcas: [{tmp_path}/cert.pem]
    minimumtls: tls1.3
auth: none
martlet: {{{{dataroot: {{folder}}/data}}}}
""")

    def curl(*words) -> str:
        return subprocess.run(
            ["curl", "--silent", "--cacert", tmp_path / "cert.pem", *words,
             f"https://{registry.host}/_ping"], capture_output=True, text=True, timeout=60).stdout

    known = ["--cert", tmp_path / "cert.pem", "--key", tmp_path / "key.pem"]
    registry.answers = lambda: "Healthy" in curl(*known)
    with registry:
        assert curl() == ""
        assert curl(*known, "--tls-max", "1.2") == ""


@pytest.mark.parametrize("text, wanted", [
    ("storage: {filesystem: {rootdir: /x}}",
     "2:24: storage.filesystem.rootdir: unknown key (did you mean rootdirectory?)"),
    ("http: {addr: 5000}\nlog: {level: loud}",
     ['2:14: http.addr: expected HOST:PORT or :PORT, found "5000"',
      '3:14: log.level: expected one of error, warn, info, debug, found "loud"']),
    ("log: *a", "2:6: aliases are not taken: write the value of *a out"),
    ("auth: {htpasswd: {realm: r, path: /p}}",
     "2:8: auth.htpasswd: it is not supported: accounts are kept by the registry itself; "
     "make them there"),
])
def test_what_is_wrong_is_named_and_nothing_starts(tmp_path, text, wanted):
    config = tmp_path / "c.yml"
    config.write_text("version: 0.1\n" + text + "\n")
    done = martlet("serve", "--config", config, "--data-root", tmp_path / "data")
    assert done.returncode == WRONG, done
    wanted = [wanted] if isinstance(wanted, str) else wanted
    assert sorted(done.stderr.splitlines()) == [f"{config}:{line}" for line in wanted]
    assert not (tmp_path / "data").exists()


def test_wrong_variables_and_flags_are_named(tmp_path):
    done = martlet("serve", "--config", "/dev/null", "--data-root", tmp_path / "data",
                   "--listen", "nowhere", environment={"REGISTRY_HTTP_ADR": ":1"})
    assert done.returncode == WRONG
    assert done.stderr.splitlines() == [
        "REGISTRY_HTTP_ADR: unknown variable (did you mean REGISTRY_HTTP_ADDR?)",
        '--listen: http.addr: expected HOST:PORT or :PORT, found "nowhere"']
    done = martlet("serve", "--config", tmp_path / "missing.yml")
    assert done.returncode == WRONG
    assert done.stderr == f"{tmp_path}/missing.yml: there is no such file\n"


def test_capacities_of_actions_that_are_not_there(tmp_path):
    done = martlet("serve", "--config", "/dev/null", "--data-root", tmp_path / "data",
                   "--listen", "127.0.0.1:0",
                   environment={"REGISTRY_MARTLET_JOBS_CAPACITIES_POLL_MIROR": "2"})
    assert done.returncode == 1
    assert "martlet.jobs.capacities.poll_miror: there is no such action (did you mean " \
        "poll_mirror?)" in done.stderr


def test_validate_only_looks(tmp_path):
    done = martlet("serve", "--config", "/dev/null", "--data-root", tmp_path / "data", "--validate")
    assert (done.returncode, done.stdout) == (0, "configuration OK\n")
    assert not (tmp_path / "data").exists()


def test_init_sets_up_once_and_serve_goes_on():
    registry = Configured()
    del registry.environment["MARTLET_REGISTRY_ADMIN_PASSWORD"]
    try:
        os.unlink(registry.config)
        words = ["init", "--config", registry.config, "--root", registry.folder + "/root",
                 "--listen", registry.host, "--administrator", "chief"]
        done = martlet(*words)
        assert done.returncode == 0, done
        assert f"Wrote {registry.config}\n" in done.stdout
        password = done.stdout.split("The administrator's name is chief, the password ")[1].split()[0]
        assert os.stat(registry.config).st_mode & 0o777 == 0o600
        assert sorted(os.listdir(registry.folder)) == ["c.yml", "root"]
        before = registry.config.read_text()
        again = martlet(*words)
        assert again.returncode == CANNOT_CREATE, again
        assert again.stderr == f"{registry.config} is there already, and is not overwritten\n"
        assert registry.config.read_text() == before
        registry.start()
        assert registry.request("GET", "/v2/", auth=("chief", password)).status == 200
        assert registry.request("GET", "/v2/", auth=("chief", "wrong")).status == 401
        assert password not in registry.log_text()
        # a new file for the same folder finds the administrator who is there
        other = martlet("init", "--config", registry.folder + "/other.yml", "--root",
                        registry.folder + "/second")
        assert other.returncode == 0 and "the password " in other.stdout
    finally:
        registry.dispose()


def test_init_that_fails_leaves_no_file(tmp_path):
    (tmp_path / "file").write_text("")
    config = tmp_path / "new/c.yml"
    done = martlet("init", "--config", config, "--root", tmp_path / "file/root")
    assert done.returncode != 0 and "cannot be set up" in done.stderr
    assert not config.exists() and os.listdir(config.parent) == []
    done = martlet("init", "--config", config, "--root", "relative")
    assert done.returncode == WRONG
    assert "martlet.dataroot: expected an absolute path" in done.stderr


def test_the_engine_pushes_to_what_init_made(engine, name):
    """As make run does: set up, start, and docker works at once."""
    registry = Configured()
    registry.environment["MARTLET_REGISTRY_ADMIN_PASSWORD"] = ADMIN[1]
    os.unlink(registry.config)
    home = {"DOCKER_CONFIG": registry.folder + "/docker"}
    target = f"localhost:{registry.port}/admin/{name}:1"
    try:
        done = martlet("init", "--config", registry.config, "--root", registry.folder + "/root",
                       "--listen", registry.host,
                       environment={"MARTLET_REGISTRY_ADMIN_PASSWORD": ADMIN[1]})
        assert done.returncode == 0 and "the password " not in done.stdout, done
        registry.start()
        engine.docker("login", "--username", ADMIN[0], "--password", ADMIN[1],
                      f"localhost:{registry.port}", env=home)
        engine.docker("tag", "hello-world", target)
        engine.docker("push", target, env=home)
        engine.docker("rmi", target)
        engine.docker("pull", target, env=home)
        assert "Hello from Martlet!" in engine.docker("run", "--rm", target).stdout
    finally:
        engine.request("DELETE", f"/images/{target}?force=1")
        registry.dispose()


def test_sigterm_during_a_request_waits_as_long_as_it_is_told():
    text = PLAIN.replace('addr: "{host}"', 'addr: "{host}", draintimeout: 1m') + "auth: none\n"
    with Configured(text) as registry:
        started = registry.request("POST", "/v2/a/blobs/uploads/")
        location = started.headers["Location"]
        path = location[location.index("/v2/"):]

        def pieces():
            yield b"first"
            # a connection whose request has not arrived yet is idle, and closed
            eventually(lambda: b"Reading: 1" in registry.request("GET", "/nginx_status").body, 60,
                       "the upload is under way")
            registry.process.send_signal(signal.SIGTERM)
            # nothing new is let in once it has begun to end
            eventually(lambda: not registry.accepts(), 60, "the listener closes")
            yield b"second"

        answer = registry.request("PATCH", path, body=pieces(),
                                  headers={"Transfer-Encoding": "chunked"})
        assert answer.status == 202, answer
        assert answer.headers["Range"] == "0-10"
        assert registry.process.wait(60) == 0
