"""A registry that hands on the images of another: what went through stays, is fetched once, and is
compared with the other's when it may have changed."""

from __future__ import annotations

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from engine import eventually
from martlet_registry import ADMIN, MartletRegistry
from rest_client import RestClient
from test_registry_distribution import OCI_MANIFEST, digest_of
from test_registry_rest import CONFIG, done, head, push

pytestmark = [pytest.mark.martlet_only, pytest.mark.own_daemon]


class Between:
    """Stands before a registry and counts what is asked of it; can be switched off."""

    def __init__(self, registry: MartletRegistry):
        self.registry = registry
        self.asked: list[str] = []
        self.is_off = False
        self.lock = threading.Lock()

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def forward(self):
                with outer.lock:
                    outer.asked.append(f"{self.command} {self.path}")
                if outer.is_off:
                    self.close_connection = True
                    self.connection.close()
                    return
                upstream = http.client.HTTPConnection(
                    outer.registry.address, outer.registry.port, timeout=60)
                headers = {key: value for key, value in self.headers.items() if key != "Host"}
                upstream.request(self.command, self.path, headers=headers)
                answer = upstream.getresponse()
                body = answer.read()
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    if key.lower() not in ("content-length", "date", "server", "connection"):
                        self.send_header(key, value)
                length = answer.headers["Content-Length"] if self.command == "HEAD" else len(body)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                upstream.close()

            do_GET = do_HEAD = forward

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def count(self, beginning: str) -> int:
        with self.lock:
            return sum(line.startswith(beginning) for line in self.asked)


@pytest.fixture
def chain():
    """The other registry, what stands before it, and the one that hands on."""
    with MartletRegistry(auth="none") as origin, Between(origin) as between:
        with MartletRegistry(auth="none", environment={
                "REGISTRY_PROXY_REMOTEURL": between.url}) as cache:
            yield origin, between, cache


def fetch(registry, repository: str, reference: str):
    return registry.request("GET", f"/v2/{repository}/manifests/{reference}",
                            headers={"Accept": OCI_MANIFEST})


def test_what_went_through_stays_when_the_other_is_gone(chain):
    origin, between, cache = chain
    layer = b"l" * 300_000
    digest = push(origin, "team/app", "v1", layer, auth=None)
    answer = fetch(cache, "team/app", "v1")
    assert answer.status == 200 and digest_of(answer.body) == digest
    for _ in range(2):
        blob = cache.request("GET", f"/v2/team/app/blobs/{digest_of(layer)}")
        assert blob.status == 200 and blob.body == layer
    assert cache.request("GET", f"/v2/team/app/blobs/{digest_of(CONFIG)}").body == CONFIG
    assert between.count(f"GET /v2/team/app/blobs/{digest_of(layer)}") == 1
    assert between.count("GET /v2/team/app/manifests/") == 1
    between.is_off = True
    assert fetch(cache, "team/app", "v1").status == 200
    assert fetch(cache, "team/app", digest).status == 200
    assert cache.request("GET", f"/v2/team/app/blobs/{digest_of(layer)}").body == layer
    cache.stop()
    cache.start()
    # It does not know now how long ago it looked: it asks, and makes do with what it has.
    assert fetch(cache, "team/app", "v1").status == 200
    assert fetch(cache, "team/other", "v1").status == 503
    between.is_off = False
    assert fetch(cache, "team/other", "v1").status == 404


def test_a_name_of_one_part_is_asked_for_as_it_is(chain):
    origin, between, cache = chain
    push(origin, "single", "v1", auth=None)
    assert fetch(cache, "single", "v1").status == 200
    assert between.count("GET /v2/single/manifests/v1") == 1


def test_a_tag_that_moved_is_found_out(chain):
    origin, between, cache = chain
    first = push(origin, "team/app", "latest", b"one", auth=None)
    assert head(cache, "team/app", "latest", None) == first
    second = push(origin, "team/app", "latest", b"two", auth=None)
    assert second != first
    # believed for a while; a restarted registry believes nothing
    assert head(cache, "team/app", "latest", None) == first
    cache.stop()
    cache.start()
    assert head(cache, "team/app", "latest", None) == second
    assert fetch(cache, "team/app", first).status == 200


def test_however_many_ask_it_is_fetched_once(chain):
    origin, between, cache = chain
    layer = b"m" * (4 << 20)
    push(origin, "team/app", "v1", layer, auth=None)
    results = []

    def ask():
        manifest = fetch(cache, "team/app", "v1")
        blob = cache.request("GET", f"/v2/team/app/blobs/{digest_of(layer)}", timeout=120)
        results.append((manifest.status, blob.status, blob.body == layer))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [(200, 200, True)] * 12
    assert between.count(f"GET /v2/team/app/blobs/{digest_of(layer)}") == 1
    assert between.count("GET /v2/team/app/manifests/") == 1


def test_it_takes_nothing(chain):
    origin, between, cache = chain
    assert cache.request("POST", "/v2/team/app/blobs/uploads/").status == 405
    assert cache.request("PUT", "/v2/team/app/manifests/v1", b"{}",
                         {"Content-Type": OCI_MANIFEST}).status == 405


def test_tags_expire():
    with MartletRegistry(auth="none") as origin, Between(origin) as between:
        push(origin, "team/app", "v1", auth=None)
        with MartletRegistry(auth="none", environment={
                "REGISTRY_PROXY_REMOTEURL": between.url, "REGISTRY_PROXY_TTL": "1s"}) as cache:
            assert fetch(cache, "team/app", "v1").status == 200
            rest = RestClient(cache, auth=None)

            def expired():
                job = rest.post("/api/v0/jobs", {"action": "proxy_expiry"})
                assert done(rest, job["id"])["status"] == "done"
                return rest.get("/api/v0/repositories/team/app/tags") == []

            eventually(expired, 60, "the tag has expired")
            assert fetch(cache, "team/app", "v1").status == 200
