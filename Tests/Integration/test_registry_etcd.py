"""Two registries on one etcd and one folder of blobs, and days without etcd."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from engine import BINARY, eventually
from martlet_registry import ADMIN, MartletRegistry, free_port
from test_registry_distribution import OCI_MANIFEST, digest_of, push_blob, push_image

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]


class Etcd:
    """An etcd of the tests' own."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="martlet-etcd-", dir="/var/tmp")
        self.process: subprocess.Popen | None = None
        self.port, self.peer = free_port(), free_port()
        self.start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Starts it, again with its data; waits until it listens."""
        def attempt():
            if self.process is None or self.process.poll() is not None:
                # what had its port meanwhile goes away some time
                self.process = self.spawn()
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except OSError:
                return False
            return self.process.poll() is None
        eventually(attempt, 60, "etcd listens", interval=0.1)

    def spawn(self) -> subprocess.Popen:
        peer = f"http://127.0.0.1:{self.peer}"
        with open(self.folder + "/log", "ab") as log:
            return subprocess.Popen(
                ["etcd", "--data-dir", self.folder + "/data",
                 "--listen-client-urls", self.endpoint, "--advertise-client-urls", self.endpoint,
                 "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
                 "--initial-cluster", f"default={peer}", "--log-level", "error"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def signal(self, number: int):
        self.process.send_signal(number)

    def kill(self):
        self.process.kill()
        self.process.wait(30)

    def dispose(self):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Replica(MartletRegistry):
    """One of the registries that share an etcd, a folder of blobs, and the key of secrets."""

    def __init__(self, etcd: Etcd):
        super().__init__(storage_folder=Path(etcd.folder) / "storage")
        config = {
            "version": "0.1",
            "martlet": {
                "secretfile": etcd.folder + "/secret.key",
                "store": {"etcd": {"endpoints": [etcd.endpoint], "prefix": "/tests/registry"}}}}
        self.config = Path(self.folder) / "config.yml"
        self.config.write_text(json.dumps(config))  # which is YAML as well

    def command(self) -> list[str]:
        return [BINARY, "registry", "serve", "--config", str(self.config), "--listen", self.host,
                "--data-root", self.folder + "/data", "--storage-root", str(self.storage_folder)]

    def request(self, *arguments, **more):
        """As the administrator, whom a test of one repository gives all rights."""
        more.setdefault("auth", self.bearer if self.bearer else None)
        return super().request(*arguments, **more)

    bearer: str | None = None

    def sign_in(self, name: str):
        self.bearer = None
        self.bearer = self.token(f"repository:{name}:pull,push,delete", auth=ADMIN)


@pytest.fixture(scope="module")
def etcd():
    etcd = Etcd()
    yield etcd
    etcd.dispose()


@pytest.fixture(scope="module")
def replicas(etcd):
    with Replica(etcd) as first, Replica(etcd) as second:
        yield first, second


@pytest.fixture
def name(request, replicas) -> str:
    name = "admin/" + request.node.name.removeprefix("test_").replace("[", "-").replace("]", "")
    for replica in replicas:
        replica.sign_in(name)
    return name


def tags(replica, name: str) -> list[str]:
    answer = replica.request("GET", f"/v2/{name}/tags/list")
    assert answer.status in (200, 404), answer.body
    return json.loads(answer.body)["tags"] if answer.status == 200 else []


def test_what_one_takes_the_other_gives(replicas, name):
    first, second = replicas
    data, digest = push_image(first, name, "one")
    answer = second.request("GET", f"/v2/{name}/manifests/one")
    assert answer.status == 200 and answer.body == data
    for reference in json.loads(data)["layers"]:
        answer = second.request("GET", f"/v2/{name}/blobs/{reference['digest']}")
        assert answer.status == 200 and digest_of(answer.body) == reference["digest"]
    assert tags(second, name) == ["one"]
    # a tag that moves, in the other direction, and one that goes
    changed, other = push_image(second, name, "one", seed=b"other")
    assert first.request("GET", f"/v2/{name}/manifests/one").body == changed
    push_image(second, name, "two")
    eventually(lambda: tags(first, name) == ["one", "two"], 30, "the new tag is listed")
    assert first.request("DELETE", f"/v2/{name}/manifests/{other}").status == 202
    assert second.request("GET", f"/v2/{name}/manifests/{other}").status == 404
    assert second.request("GET", f"/v2/{name}/manifests/one").status == 404
    eventually(lambda: tags(second, name) == ["two"], 30, "the tag is gone from the list")
    assert first.request("GET", f"/v2/{name}/manifests/{digest}").status == 200


def test_an_upload_goes_on_with_the_other(replicas, name):
    first, second = replicas
    location = first.request("POST", f"/v2/{name}/blobs/uploads/").headers["Location"]
    location = "/" + location.split("/", 3)[3] if "://" in location else location
    answer = first.request("PATCH", location, b"half and ")
    assert answer.status == 202, answer.body
    answer = second.request("PATCH", location, b"half", {"Content-Range": "9-12"})
    assert answer.status == 202, answer.body
    digest = digest_of(b"half and half")
    separator = "&" if "?" in location else "?"
    assert second.request("PUT", f"{location}{separator}digest={digest}").status == 201
    assert first.request("GET", f"/v2/{name}/blobs/{digest}").body == b"half and half"


def test_both_at_once(replicas, name):
    """Pushes of the same image and the same tag through both; nothing is left half done."""
    def push(number: int) -> str:
        return push_image(replicas[number % 2], name, "same", seed=b"%d" % (number % 3))[1]

    with ThreadPoolExecutor(8) as pool:
        digests = set(pool.map(push, range(24)))
    assert len(digests) == 3
    heads = {replica.request("HEAD", f"/v2/{name}/manifests/same").headers["Docker-Content-Digest"]
             for replica in replicas}
    assert len(heads) == 1 and heads <= digests
    for digest in digests:
        for replica in replicas:
            assert replica.request("GET", f"/v2/{name}/manifests/{digest}").status == 200


def test_nothing_is_lost_when_etcd_is_killed(etcd, replicas, name):
    pushed: dict[str, bytes] = {}
    stop = threading.Event()

    def push(worker: int):
        number = 0
        while not stop.is_set():
            number += 1
            tag = f"t{worker}-{number}"
            try:
                data, _ = push_image(replicas[worker % 2], name, tag, seed=tag.encode())
                pushed[tag] = data
            except AssertionError:
                pass  # refused, or of unknown outcome: nothing was promised

    with ThreadPoolExecutor(4) as pool:
        pushers = [pool.submit(push, worker) for worker in range(4)]
        try:
            for _ in range(3):
                before = len(pushed)
                eventually(lambda: len(pushed) >= before + 8, 120, "pushes go on")
                etcd.kill()
                etcd.start()
            before = len(pushed)
            eventually(lambda: len(pushed) >= before + 8, 120, "pushes go on")
        finally:
            stop.set()
        for pusher in pushers:
            pusher.result()
    for replica in replicas:
        eventually(lambda: set(tags(replica, name)) >= set(pushed), 60, "all tags are listed")
        for tag, data in pushed.items():
            answer = replica.request("GET", f"/v2/{name}/manifests/{tag}")
            assert answer.status == 200 and answer.body == data


def test_requests_fail_in_bounded_time_while_etcd_stands_still(etcd, replicas, name):
    data, _ = push_image(replicas[0], name, "before")
    etcd.signal(signal.SIGSTOP)
    try:
        answer = replicas[0].request(
            "PUT", f"/v2/{name}/manifests/during", data, {"Content-Type": OCI_MANIFEST},
            timeout=120)
        assert answer.status >= 500, answer.body
    finally:
        etcd.signal(signal.SIGCONT)

    def works():
        try:
            push_image(replicas[0], name, "after")
        except AssertionError:
            return False
        return True

    eventually(works, 60, "pushes work again", interval=0.2)
    assert replicas[1].request("GET", f"/v2/{name}/manifests/after").status == 200


def test_a_replica_that_starts_finds_everything(etcd, replicas, name):
    push_blob(replicas[0], name, b"kept")
    with Replica(etcd) as third:
        third.sign_in(name)
        answer = third.request("GET", f"/v2/{name}/blobs/{digest_of(b'kept')}")
        assert answer.status == 200 and answer.body == b"kept"
        third.kill()
    assert replicas[1].request("GET", f"/v2/{name}/blobs/{digest_of(b'kept')}").body == b"kept"
