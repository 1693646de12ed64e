"""The registries under measure, each a process on a folder and a port of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

from engines import BINARY, until, version_of
from load import SmallImage, shared

PASSWORD = "a password for the bench"


class RegistryServer:
    name = ""
    # The account that repositories are under, and what each request says of who asks.
    namespace = "bench"
    authorization = ""
    # Where the blobs lie, below the folder.
    blobs = ""

    def __init__(self, folder: str):
        self.folder = f"{folder}/{self.name.replace(' ', '-')}"
        os.makedirs(self.folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self):
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
                env=os.environ | {"MARTLET_REGISTRY_ADMIN_PASSWORD": PASSWORD})
        until(self.answers)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            tail = Path(self.folder, "log").read_text()[-2000:]
            raise SystemExit(f"bench: {self.name} ended:\n{tail}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
            connection.close()
            return status in (200, 401)
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(120)
            self.process = None

    def pulling(self, name: str) -> dict[str, str]:
        """The headers of a client that pulls from a repository."""
        return {}

    # What there is much of

    def add_tags(self, name: str, tags: list[str], image: SmallImage):
        """Gives an image, which the repository has, further tags."""
        shared(self, 8, tags, lambda wire, tag: wire.push_manifest(name, tag, image.manifest))

    def add_repositories(self, names: list[str], source: str, image: SmallImage):
        """Makes repositories with an image that `source` has."""
        def fill(wire, name):
            for digest in (image.layer_digest, image.config_digest):
                wire.ask("POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={source}",
                         expect=201)
            wire.push_manifest(name, "v1", image.manifest)

        shared(self, 8, names, fill)

    def add_untagged(self, name: str, images: list[SmallImage], deleted: bool):
        """Pushes images without a tag, and deletes their manifests again."""
        def push(wire, image):
            wire.push(name, image.digest, image)
            if deleted:
                wire.ask("DELETE", f"/v2/{name}/manifests/{image.digest}", expect=202)

        shared(self, 8, images, push)

    # Garbage

    def collects(self) -> bool:
        """Whether garbage can be collected."""
        return True

    def collect(self) -> float:
        """Collects garbage; the seconds it took."""
        raise NotImplementedError

    def stored(self) -> int:
        """How many blobs there are."""
        return sum(len(files) for _, _, files in os.walk(f"{self.folder}/{self.blobs}"))

    def memory(self) -> tuple[int, int]:
        """The most bytes that were resident since the start, and those that are now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        peak, now = (int(re.search(rf"^{field}:\s+(\d+)", text, re.M)[1])
                     for field in ("VmHWM", "VmRSS"))
        return peak * 1024, now * 1024


class DockerRegistry(RegistryServer):
    """Debian's, as its package sets it up, but without the log of each request."""

    name = "docker-registry"
    blobs = "data/docker/registry/v2/blobs"

    def __init__(self, folder: str):
        super().__init__(folder)
        self.configuration = self.folder + "/config.yml"
        Path(self.configuration).write_text(json.dumps({
            "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"cache": {"blobdescriptor": "inmemory"},
                        "filesystem": {"rootdirectory": self.folder + "/data"},
                        "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "bench"}}))

    def command(self):
        return ["docker-registry", "serve", self.configuration]

    # Its folders are filled by hand: thousands of pushes would take it minutes.

    def place(self, path: str, data: str | bytes):
        path = f"{self.folder}/data/docker/registry/v2/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data if isinstance(data, bytes) else data.encode())

    def link(self, folder: str, digest: str):
        self.place(f"{folder}/{digest.replace(':', '/')}/link", digest)

    def add_tags(self, name, tags, image):
        for tag in tags:
            folder = f"repositories/{name}/_manifests/tags/{tag}"
            self.place(f"{folder}/current/link", image.digest)
            self.link(f"{folder}/index", image.digest)

    def add_repositories(self, names, source, image):
        for name in names:
            self.link(f"repositories/{name}/_manifests/revisions", image.digest)
            for digest in (image.layer_digest, image.config_digest):
                self.link(f"repositories/{name}/_layers", digest)
            self.add_tags(name, ["v1"], image)

    def add_untagged(self, name, images, deleted):
        for image in images:
            for digest, data in ((image.digest, image.manifest), (image.layer_digest, image.layer),
                                 (image.config_digest, image.config)):
                word = digest.partition(":")[2]
                self.place(f"blobs/sha256/{word[:2]}/{word}/data", data)
            for digest in (image.layer_digest, image.config_digest):
                self.link(f"repositories/{name}/_layers", digest)
            if not deleted:
                self.link(f"repositories/{name}/_manifests/revisions", image.digest)

    def collect(self) -> float:
        # It must not run while it is written to, so what it takes is the command's time.
        begun = time.monotonic()
        subprocess.run(["docker-registry", "garbage-collect", self.configuration], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - begun

    def version(self):
        return version_of("docker-registry", "--version")


class MartletRegistry(RegistryServer):
    name = "martlet"
    auth = "none"
    blobs = "data/storage/blobs"

    def command(self):
        # Not the configuration that this machine's own registry may have.
        return [BINARY, "registry", "serve", "--config", "/dev/null", "--listen",
                f"127.0.0.1:{self.port}", "--auth", self.auth, "--data-root",
                self.folder + "/data", "--log-level", "warning"]

    def collects(self) -> bool:
        said = subprocess.run([BINARY, "registry", "--help"], capture_output=True, text=True)
        return re.search(r"^  gc\b", said.stdout, re.M) is not None

    def collect(self) -> float:
        # While it serves: the command has it do the work, and ends when that is done.
        begun = time.monotonic()
        subprocess.run([BINARY, "registry", "gc", "--grace", "0s", "--insecure", "--server",
                        f"http://127.0.0.1:{self.port}", "--timeout", "10m"], check=True,
                       stdout=subprocess.DEVNULL)
        return time.monotonic() - begun

    def version(self):
        return version_of(BINARY, "--version")


class MartletWithTokens(MartletRegistry):
    """The same with accounts and rules."""

    name = "martlet with tokens"
    auth = "token"
    namespace = "admin"
    authorization = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()

    def pulling(self, name: str) -> dict[str, str]:
        """As clients that pull: a token of the token service, for one repository."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", f"/auth/token?service=martlet-registry&scope=repository:{name}:pull",
                           headers={"Authorization": self.authorization})
        document = json.loads(connection.getresponse().read())
        connection.close()
        return {"Authorization": "Bearer " + document["token"]}
