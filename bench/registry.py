"""Debian's docker-registry on loopback with an image of eight layers."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import json
import random
import socket
import subprocess
import sys
from pathlib import Path

from engines import ROOT, until

sys.path.insert(0, str(ROOT / "scripts"))
from image_archive import Image, LayerWriter, digest_of  # noqa: E402

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
BUSYBOX = "/bin/busybox"


class Registry:
    def __init__(self, folder: str, megabytes: int):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.reference = f"127.0.0.1:{self.port}/bench/layers:latest"
        configuration = folder + "/registry.yml"
        Path(configuration).write_text(json.dumps({
            "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": folder + "/registry"}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "bench"}}))
        self.process = subprocess.Popen(["docker-registry", "serve", configuration],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(self.answers)
        self.fill(Image(layers(megabytes), {"Cmd": ["/bin/true"]}))

    def answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def request(self, method, path, body=b"", kind="application/octet-stream"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, {"Content-Type": kind})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status not in (201, 202):
            raise SystemExit(f"bench: the registry answers {method} {path} with {answer.status}")
        return answer.headers

    def upload(self, blob: bytes, kind: str) -> dict:
        place = self.request("POST", "/v2/bench/layers/blobs/uploads/")["Location"]
        path = "/" + place.split("/", 3)[3] if place.startswith("http") else place
        digest = digest_of(blob)
        self.request("PUT", f"{path}&digest={digest}", blob)
        return {"mediaType": kind, "size": len(blob), "digest": digest}

    def fill(self, image):
        kind = "application/vnd.docker.image.rootfs.diff.tar.gzip"
        manifest = {
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": self.upload(image.configuration(),
                                  "application/vnd.docker.container.image.v1+json"),
            "layers": [self.upload(gzip.compress(layer, 6, mtime=0), kind)
                       for layer in image.layers]}
        self.packed = sum(layer["size"] for layer in manifest["layers"])
        self.request("PUT", "/v2/bench/layers/manifests/latest", json.dumps(manifest).encode(),
                     MANIFEST)

    def close(self):
        self.process.kill()
        self.process.wait()


def layers(megabytes: int) -> list[bytes]:
    """Files of all sizes; half noise, half text, so that they pack as programs do."""
    source = random.Random(1)
    words = [hashlib.sha256(str(number).encode()).hexdigest()[:source.randint(3, 9)]
             for number in range(2000)]
    text = " ".join(source.choices(words, k=400_000)).encode()
    made = []
    for number in range(8):
        layer = LayerWriter()
        if number == 0:
            layer.directory("bin").file("bin/true", Path(BUSYBOX).read_bytes(), mode=0o755)
        layer.directory(f"d{number}")
        left, index = megabytes * 1_000_000 // 8, 0
        while left > 0:
            length = min(left, source.choice([2 << 10, 8 << 10, 32 << 10, 128 << 10, 2 << 20]))
            half = length // 2
            start = source.randrange(max(1, len(text) - half))
            layer.file(f"d{number}/f{index}", source.randbytes(half) + text[start:start + half])
            left, index = left - length, index + 1
        made.append(layer.finish())
    return made
