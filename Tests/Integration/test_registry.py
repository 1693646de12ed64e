"""Pull, push and login against a real registry."""

import base64
import http.client
import http.server
import json
import os
import re
import shutil
import subprocess
import threading
import time

import pytest

from conftest import free_port
from engine import IS_PEER, eventually
from image_archive import Image, LayerWriter, canonical, digest_of
from registry import PASSWORD, Registry


@pytest.fixture
def serve():
    """Starts registries for one test."""
    running = []

    def start(**options) -> Registry:
        running.append(Registry(free_port(), **options))
        return running[-1]

    yield start
    for registry in running:
        registry.close()


@pytest.fixture
def registry(serve):
    return serve()


@pytest.fixture
def image(engine, name):
    """An image of three layers, loaded under a name of its own."""
    layers = [LayerWriter().file(f"f{n}", os.urandom(200_000)).finish() for n in range(3)]
    made = Image(layers, {"Cmd": ["/f0"], "Labels": {"test": name}})
    assert engine.load_bytes(made.docker_archive([f"{name}:loaded"])).status == 200
    yield made
    engine.remove_everything()
    for item in engine.get("/images/json"):
        for tag in item["RepoTags"] or []:
            if name in tag:
                engine.request("DELETE", f"/images/{tag}?force=1")
    engine.request("DELETE", f"/images/{made.id}?force=1")


def push(engine, registry, name, tag="one", repository=None):
    target = f"{registry.host}/{repository or 'r/' + name}:{tag}"
    engine.docker("tag", f"{name}:loaded", target)
    return target, engine.out("push", target)


def forget(engine, *tags):
    for tag in tags:
        engine.docker("rmi", "-f", tag)


def test_push_and_pull(engine, registry, image, name):
    target, output = push(engine, registry, name)
    digest = re.search(r"one: digest: (sha256:[0-9a-f]{64}) size: \d+", output)[1]
    body, stored = registry.manifest("r/" + name, "one")
    assert stored == digest
    manifest = json.loads(body)
    assert manifest["config"]["digest"] == image.id and len(manifest["layers"]) == 3
    forget(engine, target, f"{name}:loaded")
    assert engine.request("GET", f"/images/{image.id}/json").status == 404
    output = engine.out("pull", target)
    assert f"Digest: {digest}" in output and f"Status: Downloaded newer image for {target}" in output
    detail = engine.get(f"/images/{target}/json")
    assert detail["Id"] == image.id
    assert f"{registry.host}/r/{name}@{digest}" in detail["RepoDigests"]
    assert f"Status: Image is up to date for {target}" in engine.out("pull", target)


def test_manifest_survives_a_round_trip(engine, registry, image, name):
    """What was pulled is pushed back with the same digest."""
    target, _ = push(engine, registry, name)
    _, digest = registry.manifest("r/" + name, "one")
    forget(engine, target, f"{name}:loaded")
    engine.docker("pull", target)
    engine.docker("tag", target, f"{registry.host}/copy/{name}:two")
    engine.docker("push", f"{registry.host}/copy/{name}:two")
    assert registry.manifest("copy/" + name, "two")[1] == digest


@pytest.mark.newer_than_peer
@pytest.mark.parametrize("form", ["oci", "docker", "oci-zstd"])
def test_foreign_manifests_survive_a_round_trip(engine, registry, name, tmp_path, form):
    """Manifests that others wrote, with their own spelling and compression, keep their digests."""
    made = Image([LayerWriter().file("f", os.urandom(1000)).finish()], {"Cmd": ["/f"]})
    (tmp_path / "image.tar").write_bytes(made.docker_archive([f"{name}:x"]))
    flags = {"oci": ["--format", "oci"], "docker": ["--format", "v2s2"],
             "oci-zstd": ["--format", "oci", "--dest-compress-format", "zstd"]}[form]
    source = f"{registry.host}/foreign/{name}:x"
    subprocess.run(["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false", *flags,
                    f"docker-archive:{tmp_path}/image.tar", f"docker://{source}"], check=True)
    _, digest = registry.manifest("foreign/" + name, "x")
    assert f"Digest: {digest}" in engine.out("pull", source)
    engine.docker("tag", source, f"{registry.host}/again/{name}:x")
    assert digest in engine.out("push", f"{registry.host}/again/{name}:x")
    forget(engine, source, f"{registry.host}/again/{name}:x")


def test_pull_by_digest(engine, registry, image, name):
    target, _ = push(engine, registry, name)
    _, digest = registry.manifest("r/" + name, "one")
    forget(engine, target, f"{name}:loaded")
    reference = f"{registry.host}/r/{name}@{digest}"
    engine.docker("pull", reference)
    assert engine.get(f"/images/{reference}/json")["Id"] == image.id
    assert engine.get(f"/images/{reference}/json")["RepoTags"] in ([], None)
    forget(engine, reference)


def test_progress_messages(engine, registry, image, name):
    target, _ = push(engine, registry, name)
    forget(engine, target, f"{name}:loaded")
    reply = engine.request("POST", f"/images/create?fromImage={registry.host}/r/{name}&tag=one")
    assert reply.headers["Content-Type"] == "application/json"
    messages = [json.loads(line) for line in reply.body.splitlines() if line.strip()]
    statuses = [message.get("status", "") for message in messages]
    assert statuses[0] == f"Pulling from r/{name}" and messages[0]["id"] == "one"
    for status in ("Pulling fs layer", "Download complete", "Pull complete"):
        assert statuses.count(status) == 3, (status, statuses)
    assert "Downloading" in statuses and "Extracting" in statuses
    detail = next(m for m in messages if m.get("status") == "Extracting")
    assert detail["progressDetail"]["current"] > 0 and "progress" in detail
    assert all(len(m["id"]) == 12 for m in messages if m.get("status") == "Pull complete")


def test_push_messages(engine, registry, image, name):
    target, output = push(engine, registry, name)
    assert f"The push refers to repository [{registry.host}/r/{name}]" in output
    assert output.count("Pushed") == 3
    assert "Layer already exists" in engine.out("push", target)


def test_mounting_between_repositories(engine, registry, image, name):
    """A layer that the registry has in another repository is mounted, not sent again."""
    push(engine, registry, name)
    _, output = push(engine, registry, name, repository="other/" + name)
    assert output.count(f"Mounted from r/{name}") == 3


def test_shared_layers_are_pulled_once(engine, registry, image, name):
    target, _ = push(engine, registry, name)
    second = Image([*image.layers, LayerWriter().file("extra", name).finish()], {"Cmd": ["x"]})
    engine.load_bytes(second.docker_archive([f"{name}:second"]))
    other = f"{registry.host}/r/{name}:second"
    engine.docker("tag", f"{name}:second", other)
    engine.docker("push", other)
    forget(engine, other, f"{name}:second")
    output = engine.out("pull", other)
    assert output.count("Already exists") == 3 and output.count("Pull complete") == 1


def test_all_tags(engine, registry, image, name):
    for tag in ("one", "two"):
        push(engine, registry, name, tag)
    repository = f"{registry.host}/r/{name}"
    forget(engine, repository + ":one", repository + ":two")
    engine.docker("pull", "-a", repository)
    tags = set(engine.out("images", "--format", "{{.Tag}}", repository).split())
    assert tags == {"one", "two"}
    engine.docker("push", "-a", repository)


def test_run_pulls_when_missing(engine, registry, name):
    engine.docker("tag", "busybox", f"{registry.host}/bb/{name}:x")
    engine.docker("push", f"{registry.host}/bb/{name}:x")
    forget(engine, f"{registry.host}/bb/{name}:x")
    result = engine.docker("run", "--rm", f"{registry.host}/bb/{name}:x", "echo", "ran")
    assert result.stdout == "ran\n" and "Unable to find image" in result.stderr
    forget(engine, f"{registry.host}/bb/{name}:x")


def test_what_is_not_there(engine, registry, name):
    message = engine.fails("pull", f"{registry.host}/nothing/here:x")
    assert "not found" in message and "manifest" in message
    message = engine.fails("push", f"{registry.host}/never/tagged:x")
    assert "does not exist locally" in message
    message = engine.fails("pull", f"127.0.0.1:1/nothing:x")
    assert "connection refused" in message
    reply = engine.request("POST", f"/images/create?fromImage={registry.host}/nothing/here&tag=x")
    assert reply.status == 404 or b'"error"' in reply.body


@pytest.mark.parametrize("reference", ["UPPER/case", "a//b", "x:bad%20tag", "x@sha256:short", ""])
def test_bad_references(engine, reference):
    reply = engine.request("POST", f"/images/create?fromImage={reference}")
    assert 400 <= reply.status < (600 if IS_PEER else 500), reply


def test_distribution_inspect(engine, registry, image, name):
    target, _ = push(engine, registry, name)
    detail = engine.get(f"/distribution/{target}/json")
    _, digest = registry.manifest("r/" + name, "one")
    assert detail["Descriptor"]["digest"] == digest
    assert detail["Platforms"][0] == {"architecture": "amd64", "os": "linux"}
    reply = engine.request("GET", f"/distribution/{registry.host}/no/such:x/json")
    assert reply.status in (401, 403, 404)


# Passwords


@pytest.fixture
def guarded(serve):
    return serve(password=PASSWORD)


def authentication(**fields) -> dict:
    return {"X-Registry-Auth": base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()}


def test_login_push_pull_logout(engine, guarded, image, name):
    message = engine.fails("pull", f"{guarded.host}/r/{name}:one")
    assert "no basic auth credentials" in message or "unauthorized" in message
    message = engine.fails("login", "-u", "robin", "--password-stdin", guarded.host, input="wrong")
    assert "401" in message or "unauthorized" in message
    assert "Login Succeeded" in engine.out("login", "-u", "robin", "--password-stdin", guarded.host,
                                           input="w0rd/with:signs")
    target, _ = push(engine, guarded, name)
    forget(engine, target, f"{name}:loaded")
    engine.docker("pull", target)
    engine.docker("logout", guarded.host)
    forget(engine, target)
    engine.fails("pull", target)


def test_auth_endpoint(engine, guarded):
    fields = {"username": "robin", "password": "w0rd/with:signs", "serveraddress": guarded.host}
    reply = engine.request("POST", "/auth", fields)
    assert reply.status == 200 and reply.json()["Status"] == "Login Succeeded"
    reply = engine.request("POST", "/auth", fields | {"password": "no"})
    assert reply.status in (401, 500) and reply.message


def test_header_credentials(engine, guarded, image, name):
    target = f"{guarded.host}/r/{name}"
    engine.docker("tag", f"{name}:loaded", target + ":one")
    good = authentication(username="robin", password="w0rd/with:signs", serveraddress=guarded.host)
    reply = engine.request("POST", f"/images/{target}/push?tag=one", headers=good)
    assert reply.status == 200 and b'"aux"' in reply.body, reply
    bad = authentication(username="robin", password="wrong", serveraddress=guarded.host)
    reply = engine.request("POST", f"/images/{target}/push?tag=one", headers=bad)
    assert reply.status >= 400 or b'"error"' in reply.body
    reply = engine.request("POST", f"/images/create?fromImage={target}&tag=one",
                           headers={"X-Registry-Auth": "not base64!"})
    assert reply.status in (200, 400, 401, 404, 500)


def test_passwords_stay_out_of_the_log(engine, guarded, image, name):
    engine.docker("login", "-u", "robin", "--password-stdin", guarded.host, input="w0rd/with:signs")
    push(engine, guarded, name)
    log = engine.log_text()
    assert "w0rd/with:signs" not in log
    assert base64.b64encode(b"robin:w0rd/with:signs").decode() not in log
    engine.docker("logout", guarded.host)


class Front(threading.Thread):
    """An HTTP server of a few lines before a registry: tokens, faults, slowness."""

    def __init__(self, registry: Registry, handle):
        super().__init__(daemon=True)
        front = self
        self.registry, self.seen = registry, []

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def content(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                parts = []
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)

            def relay(self):
                body = self.content()
                front.seen.append((self.command, self.path, dict(self.headers)))
                answer = handle(self, body)
                if answer is None:
                    passed = {}
                    for key, value in self.headers.items():
                        if key.lower() != "host":
                            passed[key] = f"{passed[key]}, {value}" if key in passed else value
                    status, headers, data = registry.request(self.command, self.path, passed)
                    answer = status, {k: v for k, v in headers.items()
                                      if k.lower() not in ("transfer-encoding", "connection")}, data
                status, headers, data = answer
                self.send_response(status)
                for key, value in headers.items():
                    if key.lower() != "content-length":
                        self.send_header(key, value)
                length = headers.get("Content-Length", str(len(data)))
                self.send_header("Content-Length", length)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(data)
                if int(length) != len(data):
                    self.close_connection = True

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = relay

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"

    def run(self):
        self.server.serve_forever()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def front(registry):
    made = []

    def start(handle) -> Front:
        made.append(Front(registry, handle))
        made[-1].start()
        return made[-1]

    yield start
    for item in made:
        item.close()


def test_bearer_tokens(engine, registry, image, name, front):
    target, _ = push(engine, registry, name)
    forget(engine, target, f"{name}:loaded")
    questions = []

    def handle(request, body):
        if request.path.startswith("/token"):
            questions.append((request.path, request.headers.get("Authorization")))
            return 200, {"Content-Type": "application/json"}, json.dumps(
                {"token": "the-token", "expires_in": 60}).encode()
        if request.headers.get("Authorization") != "Bearer the-token":
            challenge = f'Bearer realm="http://{service.host}/token",service="tests",' \
                        f'scope="repository:r/{name}:pull"'
            return 401, {"WWW-Authenticate": challenge}, b'{"errors":[{"code":"UNAUTHORIZED"}]}'
        return None

    service = front(handle)
    engine.docker("pull", f"{service.host}/r/{name}:one")
    assert "service=tests" in questions[0][0]
    assert f"repository%3Ar%2F{name}%3Apull" in questions[0][0].replace("%3a", "%3A").replace(
        "%2f", "%2F") or f"repository:r/{name}:pull" in questions[0][0]
    assert questions[0][1] is None
    forget(engine, f"{service.host}/r/{name}:one")


def test_refused_tokens(engine, registry, name, front):
    def handle(request, body):
        if request.path.startswith("/token"):
            return 403, {}, b'{"details":"no entry for you"}'
        return 401, {"WWW-Authenticate": f'Bearer realm="http://{service.host}/token"'}, b"{}"

    service = front(handle)
    message = engine.fails("pull", f"{service.host}/r/{name}:one")
    assert re.search("denied|403|unauthorized|no entry", message), message


def test_changed_blobs_are_refused(engine, registry, image, name):
    """A blob whose bytes do not match its digest is never used."""
    target, _ = push(engine, registry, name)
    manifest = json.loads(registry.manifest("r/" + name, "one")[0])
    forget(engine, target, f"{name}:loaded")
    path = registry.blob_file(manifest["layers"][1]["digest"])
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    message = engine.fails("pull", target)
    assert re.search("verif|digest|mismatch|checksum|unexpected", message, re.I), message
    assert engine.request("GET", f"/images/{target}/json").status == 404


def test_broken_downloads_are_taken_up_again(engine, registry, image, name, front):
    """A connection that breaks in the middle of a layer costs a retry, not the pull."""
    target, _ = push(engine, registry, name)
    manifest = json.loads(registry.manifest("r/" + name, "one")[0])
    forget(engine, target, f"{name}:loaded")
    digest, failures = manifest["layers"][0]["digest"], []

    def handle(request, body):
        if request.path.endswith(digest) and request.command == "GET" and len(failures) < 2:
            failures.append(request.headers.get("Range"))
            status, headers, data = registry.request("GET", request.path, {
                k: v for k, v in request.headers.items() if k.lower() == "range"})
            return status, dict(headers) | {"Content-Length": str(len(data))}, data[: len(data) // 2]
        return None

    service = front(handle)
    engine.docker("pull", f"{service.host}/r/{name}:one", timeout=90)
    assert len(failures) == 2
    assert engine.get(f"/images/{service.host}/r/{name}:one/json")["Id"] == image.id
    forget(engine, f"{service.host}/r/{name}:one")


@pytest.mark.martlet_only
def test_broken_downloads_resume_where_they_broke(engine, registry, image, name, front):
    target, _ = push(engine, registry, name)
    manifest = json.loads(registry.manifest("r/" + name, "one")[0])
    forget(engine, target, f"{name}:loaded")
    digest, ranges = manifest["layers"][0]["digest"], []

    def handle(request, body):
        if request.path.endswith(digest) and request.command == "GET":
            ranges.append(request.headers.get("Range"))
            if len(ranges) == 1:
                status, headers, data = registry.request("GET", request.path)
                return status, dict(headers) | {"Content-Length": str(len(data))}, data[: len(data) // 2]
        return None

    service = front(handle)
    engine.docker("pull", f"{service.host}/r/{name}:one", timeout=90)
    assert ranges[0] is None and ranges[1] and re.match(r"bytes=[1-9]\d*-", ranges[1]), ranges
    forget(engine, f"{service.host}/r/{name}:one")


def test_registry_errors_reach_the_user(engine, registry, name, front):
    service = front(lambda request, body: (
        500, {"Content-Type": "application/json"},
        b'{"errors":[{"code":"UNKNOWN","message":"the disk is on fire"}]}')
        if "/manifests/" in request.path else None)
    message = engine.fails("pull", f"{service.host}/r/{name}:one")
    assert re.search("500|fire|Internal", message), message


@pytest.mark.parametrize("answer", [
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}, b"{broken"),
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}, b"[]"),
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}, b'{"schemaVersion":2}'),
    (200, {"Content-Type": "text/html"}, b"<html>hello</html>"),
    (200, {"Content-Type": "application/vnd.oci.image.index.v1+json"},
     b'{"schemaVersion":2,"manifests":[]}'),
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"}, b" " * (9 << 20)),
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"},
     json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:../../etc/passwd", "size": 1,
                 "mediaType": "application/vnd.docker.container.image.v1+json"},
                 "layers": []}).encode()),
    (200, {"Content-Type": "application/vnd.docker.distribution.manifest.v2+json"},
     json.dumps({"schemaVersion": 2, "config": {"digest": "sha256:" + "0" * 64, "size": -5,
                 "mediaType": "application/vnd.docker.container.image.v1+json"},
                 "layers": []}).encode()),
], ids=["broken json", "a list", "no config", "html", "empty index", "nine megabytes", "path as digest",
        "negative size"])
def test_hostile_manifests(engine, registry, name, front, answer):
    service = front(lambda request, body: answer if "/manifests/" in request.path else None)
    message = engine.fails("pull", f"{service.host}/r/{name}:one", timeout=90)
    assert message.strip() and "goroutine" not in message
    assert engine.request("GET", "/_ping").status == 200


def test_index_selects_the_platform(engine, registry, name, tmp_path):
    """Of a manifest list, this machine's platform is taken, or the one asked for."""
    made = {}
    for architecture in ("amd64", "arm64"):
        image = Image([LayerWriter().file("arch", architecture).finish()], {"Cmd": [architecture]},
                      architecture=architecture)
        (tmp_path / f"{architecture}.tar").write_bytes(image.docker_archive([f"{name}:{architecture}"]))
        subprocess.run(["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false",
                        f"docker-archive:{tmp_path}/{architecture}.tar",
                        f"docker://{registry.host}/multi/{name}:{architecture}"], check=True)
        body, digest = registry.manifest("multi/" + name, architecture)
        made[architecture] = {
            "mediaType": json.loads(body)["mediaType"], "digest": digest, "size": len(body),
            "platform": {"architecture": architecture, "os": "linux"}}
    index = canonical({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [made["arm64"], made["amd64"]]})
    connection = http.client.HTTPConnection("127.0.0.1", registry.port)
    connection.request("PUT", f"/v2/multi/{name}/manifests/both", index, {
        "Content-Type": "application/vnd.docker.distribution.manifest.list.v2+json"})
    assert connection.getresponse().status == 201
    target = f"{registry.host}/multi/{name}:both"
    assert f"Digest: {digest_of(index)}" in engine.out("pull", target)
    assert engine.get(f"/images/{target}/json")["Architecture"] == "amd64"
    forget(engine, target)
    engine.docker("pull", "--platform", "linux/arm64", target)
    assert engine.get(f"/images/{target}/json")["Architecture"] == "arm64"
    forget(engine, target)
    message = engine.fails("pull", "--platform", "linux/s390x", target)
    assert "no matching manifest" in message


def test_pull_that_is_given_up(engine, registry, image, name, front):
    """A client that goes away stops its pull; the next one is not disturbed."""
    target, _ = push(engine, registry, name)
    forget(engine, target, f"{name}:loaded")
    gate = threading.Event()

    def handle(request, body):
        if "/blobs/" in request.path:
            gate.wait(20)
        return None

    service = front(handle)
    reference = f"{service.host}/r/{name}:one"
    process = engine.popen("pull", reference)
    eventually(lambda: any("/blobs/" in path for _, path, _ in service.seen))
    process.kill()
    process.wait()
    gate.set()
    engine.docker("pull", reference, timeout=60)
    forget(engine, reference)


def test_same_pull_twice_at_once(engine, registry, image, name):
    target, _ = push(engine, registry, name)
    forget(engine, target, f"{name}:loaded")
    processes = [engine.popen("pull", target) for _ in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    assert engine.get(f"/images/{target}/json")["Id"] == image.id


# Certificates, mirrors


def certificate(folder, host="127.0.0.1"):
    key, crt = folder / "key.pem", folder / "crt.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout",
                    key, "-out", crt, "-subj", "/CN=registry", "-addext",
                    f"subjectAltName=IP:{host},DNS:registry.test"], check=True, capture_output=True)
    return crt, key


@pytest.fixture
def own_certificates():
    """Writes a CA into the folder that daemons read, and takes it away again."""
    made = []

    def put(host, crt, root="/etc/docker/certs.d"):
        folder = f"{root}/{host}"
        os.makedirs(folder)
        made.append(folder)
        with open(folder + "/ca.crt", "wb") as file:
            file.write(crt.read_bytes())

    yield put
    for folder in made:
        shutil.rmtree(folder)
        try:
            os.removedirs(os.path.dirname(folder))
        except OSError:
            pass


def hosts_own_address() -> str:
    """An address of this machine that is not loopback: loopback registries are trusted as they are."""
    seen = subprocess.run(["ip", "-4", "-o", "addr", "show", "scope", "global"], capture_output=True,
                          text=True).stdout
    found = re.findall(r"inet ([\d.]+)/", seen)
    if not found:
        pytest.skip("this machine has no address but loopback")
    return found[0]


@pytest.fixture
def distant(tmp_path):
    """Starts a registry at an address that is not loopback; gives its host and certificate."""
    made = []

    def start(tls: bool):
        address, port = hosts_own_address(), free_port()
        settings = {"addr": f"{address}:{port}", "secret": "for tests"}
        crt, key = certificate(tmp_path, address)
        if tls:
            settings["tls"] = {"certificate": str(crt), "key": str(key)}
        made.append(Registry(port, address=address, extra={"http": settings}))
        return made[-1].host, crt

    yield start
    for registry in made:
        registry.close()


def test_custom_authority(engine, image, name, distant, own_certificates):
    host, crt = distant(tls=True)
    target = f"{host}/r/{name}:one"
    engine.docker("tag", f"{name}:loaded", target)
    message = engine.fails("push", target)
    assert re.search("certificate|x509", message, re.I) and ".cc:" not in message, message
    own_certificates(host, crt)
    engine.docker("push", target)
    forget(engine, target)
    engine.docker("pull", target)


def test_plain_http_is_refused_beyond_loopback(engine, name, distant):
    host, _ = distant(tls=False)
    message = engine.fails("pull", f"{host}/r/{name}:one")
    assert re.search("HTTPS|https|TLS|tls", message), message


@pytest.mark.own_daemon
def test_insecure_registries(spare_engine, distant, name):
    host, _ = distant(tls=False)
    engine = spare_engine(3, configuration={"insecure-registries": [host]})
    engine.docker("tag", "busybox", f"{host}/r/{name}:x")
    engine.docker("push", f"{host}/r/{name}:x")
    forget(engine, f"{host}/r/{name}:x")
    engine.docker("pull", f"{host}/r/{name}:x")


@pytest.mark.own_daemon
def test_mirrors(spare_engine, registry, name):
    """`docker pull NAME` asks the mirror first."""
    engine = spare_engine(3, flags=["--registry-mirror", f"http://{registry.host}"])
    engine.docker("tag", "busybox", f"{registry.host}/library/{name}:x")
    engine.docker("push", f"{registry.host}/library/{name}:x")
    forget(engine, f"{registry.host}/library/{name}:x")
    engine.docker("pull", f"{name}:x")
    assert engine.out("run", "--rm", f"{name}:x", "echo", "mirrored") == "mirrored"
    assert f"http://{registry.host}/" in engine.get("/info")["RegistryConfig"]["Mirrors"]


@pytest.mark.martlet_only
def test_authorities_of_our_own_folder(engine, image, name, distant, own_certificates):
    host, crt = distant(tls=True)
    target = f"{host}/r/{name}:one"
    own_certificates(host, crt, "/etc/martlet/certs.d")
    engine.docker("tag", f"{name}:loaded", target)
    engine.docker("push", target)


@pytest.mark.own_daemon
def test_as_many_downloads_at_once_as_allowed(spare_engine, engine, registry, image, name, front):
    target, _ = push(engine, registry, name)
    current, most, lock = [0], [0], threading.Lock()

    def handle(request, body):
        if "/blobs/" not in request.path or request.command != "GET":
            return None
        with lock:
            current[0] += 1
            most[0] = max(most[0], current[0])
        time.sleep(0.2)  # long enough for others to come
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        status, answer, data = registry.request("GET", request.path, headers)
        with lock:
            current[0] -= 1
        return status, dict(answer), data

    service = front(handle)
    for allowed in (1, 2):
        most[0] = 0
        other = spare_engine(4 + allowed, images=(), configuration={"max-concurrent-downloads": allowed})
        other.docker("pull", f"{service.host}/r/{name}:one")
        assert 1 <= most[0] <= allowed + 1, most  # the image's configuration comes beside the layers
        other.stop()


def test_pushing_with_a_token(engine, registry, image, name, front):
    """Tokens are asked for with the scope that the registry names, and credentials go to the token service only."""
    asked = []

    def handle(request, body):
        if request.path.startswith("/token"):
            asked.append((request.path, request.headers.get("Authorization")))
            return 200, {"Content-Type": "application/json"}, b'{"access_token":"writer","expires_in":300}'
        if request.headers.get("Authorization") != "Bearer writer":
            assert "Basic" not in (request.headers.get("Authorization") or "")
            challenge = f'Bearer realm="http://{service.host}/token",service="tests",' \
                        f'scope="repository:p/{name}:pull,push"'
            return 401, {"WWW-Authenticate": challenge}, b"{}"
        if request.command in ("POST", "PUT", "PATCH"):
            return relayed(request, body)
        return None

    def relayed(request, body):
        connection = http.client.HTTPConnection("127.0.0.1", registry.port)
        headers = {k: v for k, v in request.headers.items()
                   if k.lower() not in ("host", "authorization", "transfer-encoding")}
        path = request.path if request.path.startswith("/") else "/" + request.path
        connection.request(request.command, path, body, headers | {"Host": service.host})
        answer = connection.getresponse()
        return answer.status, {k: v for k, v in answer.getheaders()}, answer.read()

    service = front(handle)
    target = f"{service.host}/p/{name}"
    engine.docker("tag", f"{name}:loaded", target + ":one")
    reply = engine.request("POST", f"/images/{target}/push?tag=one", headers=authentication(
        username="robin", password="w0rd", serveraddress=service.host))
    assert b'"error"' not in reply.body and reply.status == 200, reply
    assert asked and asked[0][1] == "Basic " + base64.b64encode(b"robin:w0rd").decode()
    assert registry.manifest("p/" + name, "one")
