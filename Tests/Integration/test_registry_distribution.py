"""The distribution API at the HTTP level, against a registry without authentication.

Sections in brackets are those of the OCI distribution specification 1.1.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import threading

import pytest

from martlet_registry import MartletRegistry

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]


@pytest.fixture(scope="module")
def registry():
    with MartletRegistry(auth="none") as registry:
        yield registry


@pytest.fixture
def name(request):
    """A repository of the test's own."""
    word = hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    return f"suite/t{word}"


def digest_of(data: bytes, algorithm: str = "sha256") -> str:
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


def error_codes(body: bytes) -> list[str]:
    document = json.loads(body)
    assert document["errors"], document
    for error in document["errors"]:
        assert set(error) <= {"code", "message", "detail"} and error["message"], error
    return [error["code"] for error in document["errors"]]


def expect_error(answer, status: int, code: str):
    assert answer.status == status, (answer.status, answer.body)
    assert error_codes(answer.body) == [code]


def local(location: str) -> str:
    """Path and query of a Location header, which may be absolute."""
    return "/" + location.split("/", 3)[3] if "://" in location else location


def begin(registry, name: str) -> str:
    answer = registry.request("POST", f"/v2/{name}/blobs/uploads/")
    assert answer.status == 202, answer.body
    assert answer.headers["Docker-Upload-UUID"]
    assert answer.headers["Range"] == "0-0"
    return local(answer.headers["Location"])


def with_digest(location: str, digest: str) -> str:
    return location + ("&" if "?" in location else "?") + "digest=" + digest


def push_blob(registry, name: str, data: bytes, algorithm: str = "sha256") -> str:
    digest = digest_of(data, algorithm)
    answer = registry.request("PUT", with_digest(begin(registry, name), digest), data)
    assert answer.status == 201, (answer.status, answer.body)
    assert answer.headers["Docker-Content-Digest"] == digest
    return digest


def descriptor(media_type: str, data: bytes, **more) -> dict:
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)} | more


def manifest_of(config: bytes, layers: list[bytes], **more) -> bytes:
    return json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": descriptor(OCI_CONFIG, config),
        "layers": [descriptor(OCI_LAYER, layer) for layer in layers]} | more).encode()


def push_image(registry, name: str, reference: str | None = None, seed: bytes = b"", **more):
    """Pushes a small image; gives its manifest's bytes and digest."""
    config, layer = b'{"seed":"%s"}' % seed, b"layer " + seed
    push_blob(registry, name, config)
    push_blob(registry, name, layer)
    data = manifest_of(config, [layer], **more)
    return data, put_manifest(registry, name, reference or digest_of(data), data)


def put_manifest(registry, name, reference, data: bytes, media_type=OCI_MANIFEST) -> str:
    answer = registry.request("PUT", f"/v2/{name}/manifests/{reference}", data,
                              {"Content-Type": media_type})
    assert answer.status == 201, (answer.status, answer.body)
    assert answer.headers["Docker-Content-Digest"] == digest_of(data)
    assert answer.headers["Location"]
    return digest_of(data)


# The base

def test_version_check(registry):
    answer = registry.request("GET", "/v2/")
    assert answer.status == 200
    assert answer.headers["Docker-Distribution-Api-Version"] == "registry/2.0"


# Blobs: pushing [4.3]

def test_post_then_put(registry, name):
    data = os.urandom(3000)
    digest = push_blob(registry, name, data)
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["Docker-Content-Digest"] == digest
    assert answer.headers["Content-Length"] == "3000"


def test_single_post(registry, name):
    data = b"in one request"
    digest = digest_of(data)
    answer = registry.request("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", data,
                              {"Content-Type": "application/octet-stream"})
    if answer.status == 202:  # the specification lets a registry fall back
        pytest.fail("the single POST is not supported")
    assert answer.status == 201
    assert local(answer.headers["Location"]) == f"/v2/{name}/blobs/{digest}"
    assert registry.request("GET", f"/v2/{name}/blobs/{digest}").body == data


def test_chunks_in_order(registry, name):
    data = os.urandom(30_000)
    location = begin(registry, name)
    for start in range(0, 30_000, 10_000):
        answer = registry.request("PATCH", location, data[start:start + 10_000], {
            "Content-Range": f"{start}-{start + 9999}",
            "Content-Type": "application/octet-stream"})
        assert answer.status == 202, answer.body
        assert answer.headers["Range"] == f"0-{start + 9999}"
        location = local(answer.headers["Location"])
    digest = digest_of(data)
    answer = registry.request("PUT", with_digest(location, digest))
    assert answer.status == 201, answer.body
    assert registry.request("GET", f"/v2/{name}/blobs/{digest}").body == data


def test_a_chunk_out_of_order_is_refused_and_the_upload_goes_on(registry, name):
    data = os.urandom(200)
    location = begin(registry, name)
    answer = registry.request("PATCH", location, data[:100], {"Content-Range": "0-99"})
    location = local(answer.headers["Location"])
    for bad in ("150-199", "0-99", "100-150", "x-y", "199-100"):
        answer = registry.request("PATCH", location, data[100:], {"Content-Range": bad})
        assert answer.status in (400, 416), (bad, answer.status)
        if bad == "150-199":
            assert answer.status == 416
    answer = registry.request("GET", location)
    assert answer.status == 204
    assert answer.headers["Range"] == "0-99"
    location = local(answer.headers["Location"])
    answer = registry.request("PATCH", location, data[100:], {"Content-Range": "100-199"})
    assert answer.status == 202
    answer = registry.request("PUT", with_digest(local(answer.headers["Location"]), digest_of(data)))
    assert answer.status == 201


def test_the_last_chunk_may_come_with_the_put(registry, name):
    data = os.urandom(5000)
    location = begin(registry, name)
    answer = registry.request("PATCH", location, data[:4000])
    answer = registry.request("PUT", with_digest(local(answer.headers["Location"]), digest_of(data)),
                              data[4000:])
    assert answer.status == 201
    assert registry.request("GET", f"/v2/{name}/blobs/{digest_of(data)}").body == data


def test_a_body_in_chunked_coding(registry, name):
    data = os.urandom(100_000)
    location = begin(registry, name)
    pieces = (data[start:start + 7001] for start in range(0, len(data), 7001))
    answer = registry.request("PATCH", location, pieces, {"Transfer-Encoding": "chunked"})
    assert answer.status == 202, answer.body
    answer = registry.request("PUT", with_digest(local(answer.headers["Location"]), digest_of(data)))
    assert answer.status == 201, answer.body


def test_a_wrong_digest_is_refused_and_nothing_is_stored(registry, name):
    wrong = digest_of(b"something else")
    answer = registry.request("PUT", with_digest(begin(registry, name), wrong), b"content")
    expect_error(answer, 400, "DIGEST_INVALID")
    assert registry.request("HEAD", f"/v2/{name}/blobs/{wrong}").status == 404


@pytest.mark.parametrize("digest", [
    "sha256:abc", "md5:" + "0" * 32, "sha256:" + "g" * 64, "sha256:" + "A" * 64, "x", "",
    "sha512:" + "0" * 64])
def test_a_malformed_digest_is_refused(registry, name, digest):
    answer = registry.request("PUT", with_digest(begin(registry, name), digest), b"content")
    expect_error(answer, 400, "DIGEST_INVALID")


def test_put_without_a_digest_is_refused(registry, name):
    expect_error(registry.request("PUT", begin(registry, name), b"x"), 400, "DIGEST_INVALID")


def test_sha512(registry, name):
    data = b"long digest"
    digest = push_blob(registry, name, data, "sha512")
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, data)
    assert answer.headers["Docker-Content-Digest"] == digest


def test_an_empty_blob(registry, name):
    digest = push_blob(registry, name, b"")
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest}")
    assert (answer.status, answer.body) == (200, b"")


def test_an_upload_can_be_looked_at_and_cancelled(registry, name):
    location = begin(registry, name)
    answer = registry.request("GET", location)
    assert answer.status == 204
    assert answer.headers["Docker-Upload-UUID"]
    assert registry.request("DELETE", location).status == 204
    expect_error(registry.request("GET", location), 404, "BLOB_UPLOAD_UNKNOWN")
    expect_error(registry.request("PUT", with_digest(location, digest_of(b"x")), b"x"), 404,
                 "BLOB_UPLOAD_UNKNOWN")


def test_an_upload_belongs_to_its_repository(registry, name):
    location = begin(registry, name)
    begin(registry, name + "-other")
    elsewhere = location.replace(name, name + "-other")
    expect_error(registry.request("GET", elsewhere), 404, "BLOB_UPLOAD_UNKNOWN")


@pytest.mark.parametrize("upload", ["no-such", "..%2f..%2fetc", "%00", "a" * 4000])
def test_unknown_uploads(registry, name, upload):
    begin(registry, name)
    answer = registry.request("PATCH", f"/v2/{name}/blobs/uploads/{upload}", b"x")
    assert answer.status in (400, 404), answer.status
    # With slashes in it the path means something else.
    assert error_codes(answer.body)[0] in (
        "BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID", "NOT_FOUND")


def test_the_same_blob_twice_and_at_once(registry, name):
    data = os.urandom(200_000)
    failures = []

    def push():
        try:
            push_blob(registry, name, data)
        except AssertionError as error:
            failures.append(error)

    threads = [threading.Thread(target=push) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures
    assert registry.request("GET", f"/v2/{name}/blobs/{digest_of(data)}").body == data


# Blobs: mounting [4.3.1]

def test_mount_from_another_repository(registry, name):
    data = os.urandom(500)
    digest = push_blob(registry, name + "-source", data)
    answer = registry.request(
        "POST", f"/v2/{name}/blobs/uploads/?mount={digest}&from={name}-source")
    assert answer.status == 201, answer.body
    assert local(answer.headers["Location"]) == f"/v2/{name}/blobs/{digest}"
    assert registry.request("GET", f"/v2/{name}/blobs/{digest}").body == data


def test_mount_without_from(registry, name):
    digest = push_blob(registry, name + "-source", os.urandom(500))
    answer = registry.request("POST", f"/v2/{name}/blobs/uploads/?mount={digest}")
    assert answer.status == 201, answer.body


def test_mount_of_what_is_not_there_begins_an_upload(registry, name):
    digest = digest_of(os.urandom(10))
    begin(registry, name + "-source")
    for query in (f"mount={digest}&from={name}-source", f"mount={digest}",
                  f"mount={digest}&from=no/such"):
        answer = registry.request("POST", f"/v2/{name}/blobs/uploads/?{query}")
        assert answer.status == 202, (query, answer.status)
        assert answer.headers["Docker-Upload-UUID"]


# Blobs: pulling [4.2], deleting [4.4]

def test_head_of_a_blob(registry, name):
    digest = push_blob(registry, name, b"x" * 1234)
    answer = registry.request("HEAD", f"/v2/{name}/blobs/{digest}")
    assert answer.status == 200 and answer.body == b""
    assert answer.headers["Content-Length"] == "1234"
    assert answer.headers["Docker-Content-Digest"] == digest


@pytest.mark.parametrize("header, status, part", [
    ("bytes=0-0", 206, slice(0, 1)), ("bytes=10-19", 206, slice(10, 20)),
    ("bytes=90-", 206, slice(90, None)), ("bytes=-5", 206, slice(-5, None)),
    ("bytes=50-5000", 206, slice(50, None)), ("bytes=-5000", 206, slice(0, None)),
    ("bytes=100-", 416, None), ("bytes=-0", 416, None)])
def test_ranges_of_blobs(registry, name, header, status, part):
    data = bytes(range(100))
    digest = push_blob(registry, name, data)
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": header})
    assert answer.status == status
    if part is not None:
        expected = data[part]
        start = data.index(expected[:1]) if expected else 0
        assert answer.body == expected
        assert answer.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/100"
    else:
        assert answer.headers["Content-Range"] == "bytes */100"


@pytest.mark.parametrize("header", ["bytes=5-1", "bytes=a-b", "lines=1-2", "bytes=", "bytes=1-2,4-5"])
def test_a_range_that_is_none_is_ignored_or_refused(registry, name, header):
    data = bytes(range(100))
    digest = push_blob(registry, name, data)
    answer = registry.request("GET", f"/v2/{name}/blobs/{digest}", headers={"Range": header})
    assert answer.status in (200, 400, 416)
    if answer.status == 200:
        assert answer.body == data


def test_conditional_requests(registry, name):
    digest = push_blob(registry, name, b"blob")
    _, manifest = push_image(registry, name, "tag", b"conditional")
    for path in (f"/v2/{name}/blobs/{digest}", f"/v2/{name}/manifests/tag"):
        etag = registry.request("GET", path).headers["ETag"]
        assert etag.startswith('"')
        answer = registry.request("GET", path, headers={"If-None-Match": etag})
        assert (answer.status, answer.body) == (304, b"")
        other = registry.request("GET", path, headers={"If-None-Match": '"other"'})
        assert other.status == 200


def test_unknown_blobs(registry, name):
    begin(registry, name)
    expect_error(registry.request("GET", f"/v2/{name}/blobs/{digest_of(b'none')}"), 404,
                 "BLOB_UNKNOWN")
    expect_error(registry.request("GET", f"/v2/{name}/blobs/sha256:zz"), 400, "DIGEST_INVALID")


def test_a_blob_is_not_seen_from_another_repository(registry, name):
    digest = push_blob(registry, name, os.urandom(64))
    push_blob(registry, name + "-other", b"its own")
    assert registry.request("HEAD", f"/v2/{name}-other/blobs/{digest}").status == 404


def test_deleting_a_blob(registry, name):
    digest = push_blob(registry, name, os.urandom(64))
    assert registry.request("DELETE", f"/v2/{name}/blobs/{digest}").status == 202
    assert registry.request("GET", f"/v2/{name}/blobs/{digest}").status == 404
    expect_error(registry.request("DELETE", f"/v2/{name}/blobs/{digest}"), 404, "BLOB_UNKNOWN")


# Manifests

def test_a_manifest_by_tag_and_by_digest(registry, name):
    data, digest = push_image(registry, name, "v1", b"both")
    for reference in ("v1", digest):
        answer = registry.request("GET", f"/v2/{name}/manifests/{reference}")
        assert (answer.status, answer.body) == (200, data)
        assert answer.headers["Content-Type"] == OCI_MANIFEST
        assert answer.headers["Docker-Content-Digest"] == digest
        head = registry.request("HEAD", f"/v2/{name}/manifests/{reference}")
        assert (head.status, head.body) == (200, b"")
        assert head.headers["Content-Length"] == str(len(data))


def test_a_manifest_is_served_as_it_came(registry, name):
    config, layer = b"{}", b"odd"
    push_blob(registry, name, config)
    push_blob(registry, name, layer)
    document = json.loads(manifest_of(config, [layer]))
    data = json.dumps(document, indent=7, sort_keys=True).encode() + b"\n\n"
    digest = put_manifest(registry, name, "spaced", data)
    answer = registry.request("GET", f"/v2/{name}/manifests/spaced")
    assert answer.body == data and answer.headers["Docker-Content-Digest"] == digest


def test_a_tag_moves(registry, name):
    _, first = push_image(registry, name, "latest", b"1")
    data, second = push_image(registry, name, "latest", b"2")
    assert registry.request("GET", f"/v2/{name}/manifests/latest").body == data
    assert registry.request("GET", f"/v2/{name}/manifests/{first}").status == 200


def test_docker_schema_2(registry, name):
    config, layer = b'{"os":"linux"}', b"docker layer"
    push_blob(registry, name, config)
    push_blob(registry, name, layer)
    data = json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER_MANIFEST,
        "config": descriptor("application/vnd.docker.container.image.v1+json", config),
        "layers": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", layer)],
    }).encode()
    digest = put_manifest(registry, name, "docker", data, DOCKER_MANIFEST)
    index = json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": [
            {"mediaType": DOCKER_MANIFEST, "digest": digest, "size": len(data),
             "platform": {"os": "linux", "architecture": "amd64"}}]}).encode()
    put_manifest(registry, name, "list", index, DOCKER_LIST)
    answer = registry.request("GET", f"/v2/{name}/manifests/list")
    assert answer.headers["Content-Type"] == DOCKER_LIST


def test_an_index(registry, name):
    children = [push_image(registry, name, seed=bytes([65 + number])) for number in range(3)]
    index = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, data) for data, _ in children]}).encode()
    put_manifest(registry, name, "multi", index, OCI_INDEX)
    assert registry.request("GET", f"/v2/{name}/manifests/multi").body == index


def test_an_index_of_what_is_not_there(registry, name):
    index = json.dumps({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_MANIFEST, b"missing")]}).encode()
    answer = registry.request("PUT", f"/v2/{name}/manifests/multi", index,
                              {"Content-Type": OCI_INDEX})
    assert answer.status in (400, 404)
    assert error_codes(answer.body)[0] in ("MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN")
    assert digest_of(b"missing") in answer.body.decode()


def test_a_manifest_of_blobs_that_are_not_there(registry, name):
    push_blob(registry, name, b"{}")
    data = manifest_of(b"{}", [b"never pushed"])
    answer = registry.request("PUT", f"/v2/{name}/manifests/broken", data,
                              {"Content-Type": OCI_MANIFEST})
    assert answer.status in (400, 404)
    assert error_codes(answer.body)[0] in ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN")
    assert digest_of(b"never pushed") in answer.body.decode()
    assert registry.request("GET", f"/v2/{name}/manifests/broken").status == 404
    assert registry.request("GET", f"/v2/{name}/manifests/{digest_of(data)}").status == 404


def test_a_blob_of_another_repository_does_not_count(registry, name):
    push_blob(registry, name + "-other", b"layer elsewhere")
    push_blob(registry, name, b"{}")
    answer = registry.request("PUT", f"/v2/{name}/manifests/x",
                              manifest_of(b"{}", [b"layer elsewhere"]),
                              {"Content-Type": OCI_MANIFEST})
    assert answer.status in (400, 404)


def test_layers_that_are_not_distributed_need_not_be_there(registry, name):
    push_blob(registry, name, b"{}")
    layer = {"mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
             "digest": digest_of(b"foreign"), "size": 7, "urls": ["https://example.com/layer"]}
    data = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST,
                       "config": descriptor(OCI_CONFIG, b"{}"), "layers": [layer]}).encode()
    put_manifest(registry, name, "foreign", data)


@pytest.mark.parametrize("data", [
    b"", b"{", b"[]", b"null", b"{}", b'{"schemaVersion":2}', b'{"schemaVersion":1}',
    b'{"schemaVersion":2,"config":5,"layers":{}}', b"\xff\xfe", b'"' + b"x" * 100,
    b'{"schemaVersion":2,"config":' + b"[" * 5000 + b"]" * 5000 + b"}"])
def test_what_is_no_manifest(registry, name, data):
    begin(registry, name)
    answer = registry.request("PUT", f"/v2/{name}/manifests/bad", data,
                              {"Content-Type": OCI_MANIFEST})
    expect_error(answer, 400, "MANIFEST_INVALID")


def test_keys_that_come_twice_are_refused(registry, name):
    push_blob(registry, name, b"{}")
    data = manifest_of(b"{}", []).replace(b'"schemaVersion"', b'"schemaVersion": 2, "schemaVersion"')
    answer = registry.request("PUT", f"/v2/{name}/manifests/twice", data,
                              {"Content-Type": OCI_MANIFEST})
    expect_error(answer, 400, "MANIFEST_INVALID")


def test_media_types_must_agree(registry, name):
    push_blob(registry, name, b"{}")
    data = manifest_of(b"{}", [])
    for media_type in (OCI_INDEX, DOCKER_MANIFEST):
        answer = registry.request("PUT", f"/v2/{name}/manifests/x", data,
                                  {"Content-Type": media_type})
        expect_error(answer, 400, "MANIFEST_INVALID")


def test_an_oversized_manifest(registry, name):
    push_blob(registry, name, b"{}")
    data = manifest_of(b"{}", [], annotations={"fill": "x" * (5 << 20)})
    answer = registry.request("PUT", f"/v2/{name}/manifests/big", data,
                              {"Content-Type": OCI_MANIFEST})
    assert answer.status in (400, 413)
    assert error_codes(answer.body)[0] in ("SIZE_INVALID", "MANIFEST_INVALID")


def test_a_manifest_under_a_digest_that_is_not_its_own(registry, name):
    push_blob(registry, name, b"{}")
    answer = registry.request("PUT", f"/v2/{name}/manifests/{digest_of(b'other')}",
                              manifest_of(b"{}", []), {"Content-Type": OCI_MANIFEST})
    expect_error(answer, 400, "DIGEST_INVALID")


def test_unknown_manifests(registry, name):
    push_image(registry, name, "there")
    expect_error(registry.request("GET", f"/v2/{name}/manifests/other"), 404, "MANIFEST_UNKNOWN")
    expect_error(registry.request("GET", f"/v2/{name}/manifests/{digest_of(b'x')}"), 404,
                 "MANIFEST_UNKNOWN")
    expect_error(registry.request("GET", "/v2/no/such/manifests/latest"), 404, "NAME_UNKNOWN")


def test_deleting_a_tag_keeps_the_manifest(registry, name):
    _, digest = push_image(registry, name, "gone")
    put = registry.request("GET", f"/v2/{name}/manifests/gone").body
    put_manifest(registry, name, "stays", put)
    assert registry.request("DELETE", f"/v2/{name}/manifests/gone").status == 202
    assert registry.request("GET", f"/v2/{name}/manifests/gone").status == 404
    assert registry.request("GET", f"/v2/{name}/manifests/stays").status == 200
    expect_error(registry.request("DELETE", f"/v2/{name}/manifests/gone"), 404, "MANIFEST_UNKNOWN")


def test_deleting_a_manifest_takes_its_tags(registry, name):
    _, digest = push_image(registry, name, "one")
    put_manifest(registry, name, "two", registry.request("GET", f"/v2/{name}/manifests/one").body)
    assert registry.request("DELETE", f"/v2/{name}/manifests/{digest}").status == 202
    for reference in ("one", "two", digest):
        assert registry.request("GET", f"/v2/{name}/manifests/{reference}").status == 404
    assert json.loads(registry.request("GET", f"/v2/{name}/tags/list").body)["tags"] in ([], None)


# Names

@pytest.mark.parametrize("bad", [
    "UPPER/case", "a//b", "-a/b", "a/b-", "a/..%2f..%2fetc", "a/%2e%2e/b", "a/b__", "a" * 300,
    "a/b%00c", "ä/b", "a/.hidden", "a b/c"])
def test_names_that_are_none(registry, bad):
    answer = registry.request("POST", f"/v2/{bad}/blobs/uploads/")
    assert answer.status in (400, 404), answer.status
    if answer.body:
        assert error_codes(answer.body)[0] in ("NAME_INVALID", "NAME_UNKNOWN", "UNSUPPORTED")


@pytest.mark.parametrize("tag", ["-x", ".x", "a" * 129, "a%2fb", "ä", "a b"])
def test_tags_that_are_none(registry, name, tag):
    push_blob(registry, name, b"{}")
    answer = registry.request("PUT", f"/v2/{name}/manifests/{tag}", manifest_of(b"{}", []),
                              {"Content-Type": OCI_MANIFEST})
    assert answer.status in (400, 404), answer.status


@pytest.mark.parametrize("good", ["a/b/c/d", "a/b_c", "a/b__c", "a/b---c", "a1.b2/c", "single"])
def test_names_that_are_good(registry, good):
    push_image(registry, good, "x")
    answer = registry.request("GET", f"/v2/{good}/tags/list")
    assert json.loads(answer.body) == {"name": good, "tags": ["x"]}


# Listing [4.2.5]

def test_tags_in_pages(registry, name):
    data, _ = push_image(registry, name, "t00")
    tags = [f"t{number:02}" for number in range(25)] + ["UPPER", "a.b", "z_z"]
    for tag in tags:
        put_manifest(registry, name, tag, data)
    answer = registry.request("GET", f"/v2/{name}/tags/list")
    assert json.loads(answer.body) == {"name": name, "tags": sorted(tags)}
    found, path = [], f"/v2/{name}/tags/list?n=10"
    while path:
        answer = registry.request("GET", path)
        page = json.loads(answer.body)["tags"]
        assert len(page) <= 10
        found += page
        link = answer.headers.get("Link")
        assert not link or link.endswith('>; rel="next"')
        path = local(link[1:link.index(">")]) if link else None
    assert found == sorted(tags)
    answer = registry.request("GET", f"/v2/{name}/tags/list?n=3&last=t05")
    assert json.loads(answer.body)["tags"] == ["t06", "t07", "t08"]
    assert json.loads(registry.request("GET", f"/v2/{name}/tags/list?n=0").body)["tags"] == []


@pytest.mark.parametrize("n", ["-1", "x", "99999999999999999999"])
def test_a_page_size_that_is_none(registry, name, n):
    push_image(registry, name, "x")
    answer = registry.request("GET", f"/v2/{name}/tags/list?n={n}")
    assert answer.status in (200, 400)
    if answer.status == 400:
        assert error_codes(answer.body) == ["PAGINATION_NUMBER_INVALID"]


def test_tags_of_an_unknown_repository(registry):
    expect_error(registry.request("GET", "/v2/no/such/tags/list"), 404, "NAME_UNKNOWN")


def test_the_catalogue_in_pages(registry):
    for number in range(5):
        push_image(registry, f"catalogue/r{number}", "x")
    found, path = [], "/v2/_catalog?n=2"
    while path:
        answer = registry.request("GET", path)
        assert answer.status == 200
        found += json.loads(answer.body)["repositories"]
        link = answer.headers.get("Link")
        path = local(link[1:link.index(">")]) if link else None
    assert [entry for entry in found if entry.startswith("catalogue/")] == [
        f"catalogue/r{number}" for number in range(5)]
    assert found == sorted(found)


# Referrers [4.2.6, 4.3.4]

def artefact(subject: dict, artifact_type: str, **more) -> bytes:
    return json.dumps({
        "schemaVersion": 2, "mediaType": OCI_MANIFEST, "artifactType": artifact_type,
        "config": descriptor(EMPTY, b"{}"), "layers": [descriptor(EMPTY, b"{}")],
        "subject": subject} | more).encode()


def test_referrers(registry, name):
    image, digest = push_image(registry, name, "v1", b"subject")
    push_blob(registry, name, b"{}")
    subject = descriptor(OCI_MANIFEST, image)
    expected = []
    for kind in ("application/vnd.example.sbom", "application/vnd.example.signature"):
        data = artefact(subject, kind, annotations={"kind": kind})
        answer = registry.request("PUT", f"/v2/{name}/manifests/{digest_of(data)}", data,
                                  {"Content-Type": OCI_MANIFEST})
        assert answer.status == 201
        assert answer.headers["OCI-Subject"] == digest
        expected.append({"mediaType": OCI_MANIFEST, "digest": digest_of(data), "size": len(data),
                         "artifactType": kind, "annotations": {"kind": kind}})
    answer = registry.request("GET", f"/v2/{name}/referrers/{digest}")
    assert answer.status == 200 and answer.headers["Content-Type"] == OCI_INDEX
    index = json.loads(answer.body)
    assert index["schemaVersion"] == 2 and index["mediaType"] == OCI_INDEX
    key = lambda entry: entry["digest"]  # noqa: E731
    assert sorted(index["manifests"], key=key) == sorted(expected, key=key)
    answer = registry.request(
        "GET", f"/v2/{name}/referrers/{digest}?artifactType=application/vnd.example.sbom")
    assert answer.headers["OCI-Filters-Applied"] == "artifactType"
    assert [entry["artifactType"] for entry in json.loads(answer.body)["manifests"]] == [
        "application/vnd.example.sbom"]
    gone = expected[0]["digest"]
    assert registry.request("DELETE", f"/v2/{name}/manifests/{gone}").status == 202
    answer = registry.request("GET", f"/v2/{name}/referrers/{digest}")
    assert [entry["digest"] for entry in json.loads(answer.body)["manifests"]] == [
        expected[1]["digest"]]


def test_referrers_of_nothing(registry, name):
    begin(registry, name)
    answer = registry.request("GET", f"/v2/{name}/referrers/{digest_of(b'nothing')}")
    assert answer.status == 200
    assert json.loads(answer.body)["manifests"] == []
    assert registry.request("GET", f"/v2/{name}/referrers/sha256:x").status == 400


def test_a_subject_may_come_later(registry, name):
    push_blob(registry, name, b"{}")
    config, layer = b'{"later":1}', b"later layer"
    image = manifest_of(config, [layer])
    data = artefact(descriptor(OCI_MANIFEST, image), "application/vnd.example.early")
    put_manifest(registry, name, digest_of(data), data)
    answer = registry.request("GET", f"/v2/{name}/referrers/{digest_of(image)}")
    assert [entry["digest"] for entry in json.loads(answer.body)["manifests"]] == [digest_of(data)]


def test_the_type_of_an_image_that_refers_is_its_configurations(registry, name):
    image, digest = push_image(registry, name, "v1", b"subject")
    data, referrer = push_image(registry, name, seed=b"referrer",
                                subject=descriptor(OCI_MANIFEST, image))
    answer = registry.request("GET", f"/v2/{name}/referrers/{digest}")
    [entry] = json.loads(answer.body)["manifests"]
    assert (entry["digest"], entry["artifactType"]) == (referrer, OCI_CONFIG)


# Errors

@pytest.mark.parametrize("method, path", [
    ("POST", "/v2/"), ("PUT", "/v2/a/b/tags/list"), ("POST", "/v2/a/b/manifests/x"),
    ("PATCH", "/v2/_catalog"), ("DELETE", "/v2/a/b/tags/list")])
def test_methods_that_are_not_there(registry, method, path):
    answer = registry.request(method, path)
    assert answer.status == 405, answer.status
    assert error_codes(answer.body) == ["UNSUPPORTED"]


@pytest.mark.parametrize("path", ["/v2/a/b/nothing/x", "/v2/a/b", "/v3/"])
def test_paths_that_are_not_there(registry, path):
    assert registry.request("GET", path).status == 404


def test_requests_at_random(registry, name):
    """Whatever is asked, an answer comes and the registry stays up."""
    chance = random.Random(20261128)
    words = ["v2", "a", "b", "..", "%2e%2e", "manifests", "blobs", "uploads", "tags", "list",
             "referrers", "_catalog", "sha256:" + "0" * 64, "latest", "%", "%zz", "", "?", "?n=",
             "digest=", "\x7f", "~", name]
    for _ in range(400):
        path = "/v2/" + "/".join(chance.choice(words) for _ in range(chance.randrange(7)))
        path = path.replace("\x7f", "%7f").replace(" ", "%20")
        method = chance.choice(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
        answer = registry.request(method, path, os.urandom(chance.randrange(40)))
        assert 200 <= answer.status < 500, (method, path, answer.status)
    assert registry.request("GET", "/v2/").status == 200


# Restarts

def test_everything_is_there_after_a_kill(name):
    with MartletRegistry(auth="none") as registry:
        data, digest = push_image(registry, name, "kept", b"kept")
        content = os.urandom(50_000)
        location = begin(registry, name)
        answer = registry.request("PATCH", location, content[:20_000])
        location = local(answer.headers["Location"])
        registry.kill()
        registry.start()
        assert registry.request("GET", f"/v2/{name}/manifests/kept").body == data
        answer = registry.request("GET", location)
        assert answer.status == 204 and answer.headers["Range"] == "0-19999"
        answer = registry.request("PATCH", local(answer.headers["Location"]), content[20_000:],
                                  {"Content-Range": "20000-49999"})
        assert answer.status == 202
        answer = registry.request(
            "PUT", with_digest(local(answer.headers["Location"]), digest_of(content)))
        assert answer.status == 201
        answer = registry.request("GET", f"/v2/{name}/blobs/{digest_of(content)}")
        assert answer.body == content
