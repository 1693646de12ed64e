"""The registry on a bucket of an S3 server: pushes, pulls, restarts, and days without the server."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import subprocess
import tempfile
import urllib.request
from pathlib import Path

import pytest

import s3_server
from engine import BINARY, IMAGES, eventually
from martlet_registry import MartletRegistry
from test_registry_distribution import (begin, digest_of, expect_error, local, push_blob,
                                        push_image, with_digest)

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]

CHUNK = 5 << 20
SEED = 20261128


def content(size: int, seed: int = SEED) -> bytes:
    return random.Random(seed).randbytes(size)


@pytest.fixture(scope="module")
def s3():
    root = Path(tempfile.mkdtemp(prefix="martlet-s3-", dir="/var/tmp"))
    server = None
    try:
        server = s3_server.started(root)
        yield server
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(root, ignore_errors=True)


class BucketRegistry(MartletRegistry):
    """A registry on a part of the server's bucket; `redirects` is whether clients are sent there."""

    def __init__(self, s3: s3_server.S3Server, name: str, redirects: bool):
        super().__init__(auth="none")
        config = {
            "version": "0.1",
            "storage": {
                "s3": {
                    "bucket": s3_server.BUCKET, "region": "us-east-1",
                    "regionendpoint": s3.endpoint, "accesskey": s3.access_key,
                    "secretkey": s3.secret_key, "forcepathstyle": True, "chunksize": CHUNK,
                    "rootdirectory": f"/registries/{name}"},
                "redirect": {"disable": not redirects}}}
        self.config = Path(self.folder) / "config.yml"
        self.config.write_text(json.dumps(config))  # which is YAML as well

    def command(self) -> list[str]:
        return [BINARY, "registry", "serve", "--config", str(self.config), "--listen", self.host,
                "--auth", self.auth, "--data-root", self.folder + "/data"]


@pytest.fixture(scope="module")
def registry(s3):
    with BucketRegistry(s3, "direct", redirects=False) as registry:
        yield registry


@pytest.mark.parametrize("size", [0, 1, 70_000, CHUNK, CHUNK + 1, 3 * CHUNK - 1])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_blobs_come_back_as_they_were(registry, size, algorithm):
    data = content(size, size)
    digest = push_blob(registry, "s3/blobs", data, algorithm)
    answer = registry.request("GET", f"/v2/s3/blobs/blobs/{digest}")
    assert answer.status == 200 and answer.body == data
    if size > 10:
        answer = registry.request("GET", f"/v2/s3/blobs/blobs/{digest}",
                                  headers={"Range": f"bytes=7-{size - 3}"})
        assert answer.status == 206 and answer.body == data[7:size - 2]


@pytest.mark.parametrize("killed", [False, True])
def test_uploads_outlive_the_registry(s3, killed):
    data = content(4 * CHUNK + 12_345)
    with BucketRegistry(s3, f"outlived-{killed}", redirects=False) as registry:
        location = begin(registry, "s3/upload")
        have = 0
        for size in (1000, CHUNK, 2 * CHUNK + 1, 5):
            answer = registry.request(
                "PATCH", location, data[have:have + size],
                {"Content-Range": f"{have}-{have + size - 1}"})
            assert answer.status == 202, answer.body
            location, have = local(answer.headers["Location"]), have + size
            registry.kill() if killed else registry.stop()
            registry.start()
            answer = registry.request("GET", location)
            assert answer.headers["Range"] == f"0-{have - 1}"
        answer = registry.request("PUT", with_digest(location, digest_of(data)), data[have:])
        assert answer.status == 201, answer.body
        answer = registry.request("GET", f"/v2/s3/upload/blobs/{digest_of(data)}")
        assert answer.status == 200 and answer.body == data


def test_wrong_content_is_refused(registry):
    data = content(2 * CHUNK, 5)
    for size in (100, len(data)):
        answer = registry.request(
            "PUT", with_digest(begin(registry, "s3/wrong"), digest_of(b"other")), data[:size])
        expect_error(answer, 400, "DIGEST_INVALID")
    assert registry.request("HEAD", f"/v2/s3/wrong/blobs/{digest_of(b'other')}").status == 404


def test_clients_are_sent_to_the_bucket(s3, tmp_path):
    with BucketRegistry(s3, "redirecting", redirects=True) as registry:
        data = content(100_000)
        digest = push_blob(registry, "s3/sent", data)
        answer = registry.request("GET", f"/v2/s3/sent/blobs/{digest}")
        assert answer.status == 307 and answer.headers["Location"].startswith(s3.endpoint)
        assert answer.headers["Cache-Control"] == "no-store", "the URL is good for minutes"
        with urllib.request.urlopen(answer.headers["Location"], timeout=60) as there:
            assert there.read() == data
        assert registry.request("HEAD", f"/v2/s3/sent/blobs/{digest}").status == 200
        # A client of the field follows.
        name = f"docker://{registry.host}/s3/image:1"
        for words in ([f"docker-archive:{IMAGES}/busybox.tar", name], [name, f"dir:{tmp_path}/out"]):
            subprocess.run(["skopeo", "copy", "--insecure-policy", "--src-tls-verify=false",
                            "--dest-tls-verify=false", *words], check=True, timeout=300)
        assert (tmp_path / "out/manifest.json").exists()


def test_memory_stays_flat(registry):
    push_blob(registry, "s3/flat", content(3 * CHUNK, 1))
    before = registry.resident()
    piece = content(1 << 20, 2)
    count = 192
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(piece)
    name = "sha256:" + digest.hexdigest()
    location = begin(registry, "s3/flat")
    answer = registry.request(
        "PUT", with_digest(location, name), iter([piece] * count),
        {"Content-Length": str(count * len(piece))}, timeout=300)
    assert answer.status == 201, answer.body
    seen = hashlib.sha256()
    for part in registry.stream(f"/v2/s3/flat/blobs/{name}"):
        seen.update(part)
    assert seen.hexdigest() == digest.hexdigest()
    # Two parts of an upload, and what the allocator keeps of them.
    assert registry.resident() - before < 96 << 20


def test_a_server_that_dies_is_told_and_nothing_is_lost(s3):
    with BucketRegistry(s3, "dying", redirects=False) as registry:
        _, image = push_image(registry, "s3/dying", "1")
        blob = push_blob(registry, "s3/dying", b"kept")
        upload = begin(registry, "s3/dying")
        s3.stop()
        try:
            assert registry.request("GET", f"/v2/s3/dying/blobs/{blob}", timeout=300).status >= 500
            answer = registry.request(
                "POST", f"/v2/s3/dying/blobs/uploads/?digest={digest_of(b'new')}", b"new",
                timeout=300)
            assert answer.status >= 500
            answer = registry.request(
                "PATCH", upload, b"more", {"Content-Range": "0-3"}, timeout=300)
            assert answer.status >= 500
        finally:
            assert s3.start()
        assert registry.request("HEAD", f"/v2/s3/dying/blobs/{digest_of(b'new')}").status == 404

        def answers():
            return registry.request(
                "GET", f"/v2/s3/dying/blobs/{blob}", timeout=300).status == 200

        eventually(answers, 120, "the bucket is read again")
        assert registry.request("GET", f"/v2/s3/dying/blobs/{blob}").body == b"kept"
        assert registry.request("GET", f"/v2/s3/dying/manifests/{image}").status == 200
        push_image(registry, "s3/dying", "2", b"another")
