"""A registry on loopback for a test: Debian's docker-registry, with or without a password."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

from engine import eventually

PASSWORD = ("robin", "w0rd/with:signs")
PASSWORD_HASH = "$2b$04$eOALen1zHoARgqfAmJtVCeydktGxBnQOsakLUnQ3ipRCo.01ssyxa"


class Registry:
    def __init__(self, port: int, password: tuple[str, str] | None = None, extra=None,
                 address: str = "127.0.0.1"):
        """`password` is a user's name and word; `extra` replaces sections of the settings."""
        self.folder = tempfile.mkdtemp(prefix="martlet-registry-", dir="/var/tmp")
        self.port, self.password, self.address = port, password, address
        self.host = f"{address}:{port}"
        settings = {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": self.folder + "/data"},
                        "delete": {"enabled": True}},
            "http": {"addr": f"127.0.0.1:{port}", "secret": "for tests"},
        } | (extra or {})
        if password:
            assert password == PASSWORD, "only this one has its bcrypt hash here"
            Path(self.folder + "/htpasswd").write_text(f"{password[0]}:{PASSWORD_HASH}\n")
            settings["auth"] = {"htpasswd": {"realm": "tests", "path": self.folder + "/htpasswd"}}
        Path(self.folder + "/config.yml").write_text(json.dumps(settings))
        self.log = open(self.folder + "/log", "wb")
        self.process = subprocess.Popen(["docker-registry", "serve", self.folder + "/config.yml"],
                                        stdout=self.log, stderr=self.log)
        eventually(self.answers, 15, "the registry answers")

    def answers(self) -> bool:
        assert self.process.poll() is None, Path(self.folder + "/log").read_text()
        try:
            socket.create_connection((self.address, self.port), 1).close()
            return True
        except OSError:
            return False

    def request(self, method: str, path: str, headers=None):
        connection = http.client.HTTPConnection(self.address, self.port, timeout=10)
        headers = dict(headers or {})
        if self.password:
            word = base64.b64encode(":".join(self.password).encode()).decode()
            headers["Authorization"] = "Basic " + word
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def manifest(self, repository: str, reference: str):
        """The manifest's bytes as stored, and its digest."""
        accepted = ", ".join([
            "application/vnd.oci.image.index.v1+json", "application/vnd.oci.image.manifest.v1+json",
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.docker.distribution.manifest.v2+json"])
        status, headers, body = self.request("GET", f"/v2/{repository}/manifests/{reference}",
                                             {"Accept": accepted})
        assert status == 200, (status, body)
        return body, "sha256:" + hashlib.sha256(body).hexdigest()

    def blob_file(self, digest: str) -> Path:
        word = digest.partition(":")[2]
        return Path(self.folder, "data/docker/registry/v2/blobs/sha256", word[:2], word, "data")

    def access_log(self) -> str:
        return Path(self.folder + "/log").read_text()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)
