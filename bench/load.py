"""What loads a registry: clients that cost less than the server they measure.

Sockets by hand instead of an HTTP library, `sendfile` for what is sent, and what is received is
dropped in the kernel (`MSG_TRUNC`), so that on two cores it is the server that is busy.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import re
import socket
import struct
import subprocess
import threading
import time

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Wire:
    """One connection that is kept. Understands only what registries answer to short requests."""

    def __init__(self, server):
        port, self.login = server.port, ""
        if server.authorization:
            self.login = f"Authorization: {server.authorization}\r\n"
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        # Python's own time limits cost a poll for each call.
        self.socket.settimeout(None)
        limit = struct.pack("ll", 120, 0)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, limit)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""
        self.scratch = bytearray(1 << 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method: str, path: str, body: bytes = b"", kind: str = "", length=None):
        head = f"{method} {path} HTTP/1.1\r\nHost: registry\r\n{self.login}"
        if method not in ("GET", "HEAD", "DELETE"):
            head += f"Content-Length: {len(body) if length is None else length}\r\n"
        if kind:
            head += f"Content-Type: {kind}\r\n"
        self.socket.sendall(head.encode() + b"\r\n" + body)

    def head(self) -> tuple[int, bytes]:
        """The status and the head of the answer; what came after it stays in `rest`."""
        data = self.rest
        while (end := data.find(b"\r\n\r\n")) < 0:
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit("bench: the registry closed the connection")
            data += piece
        self.rest = data[end + 4:]
        return int(data[9:12]), data[:end + 2]

    def length(self, head: bytes) -> int:
        found = re.search(rb"\r\ncontent-length: *(\d+)\r", head, re.I)
        return int(found[1]) if found else 0

    def drop(self, count: int):
        """Lets the kernel drop the rest of a body."""
        left = count - len(self.rest)
        self.rest = self.rest[count:]
        while left > 0:
            taken = self.socket.recv_into(self.scratch, min(left, len(self.scratch)),
                                          socket.MSG_TRUNC)
            if not taken:
                raise SystemExit("bench: the registry ended a body early")
            left -= taken

    def ask(self, method: str, path: str, body: bytes = b"", kind: str = "", expect=None) -> bytes:
        """Sends, reads the answer, and gives its head."""
        self.send(method, path, body, kind)
        status, head = self.head()
        if method != "HEAD":
            self.drop(self.length(head))
        if expect and status != expect:
            raise SystemExit(f"bench: {method} {path} is answered with {status}")
        return head

    def fetch(self, path: str) -> int:
        self.send("GET", path)
        status, head = self.head()
        if status != 200:
            raise SystemExit(f"bench: GET {path} is answered with {status}")
        length = self.length(head)
        self.drop(length)
        return length

    def location(self, head: bytes) -> str:
        place = re.search(rb"\r\nlocation: *([^\r]+)\r", head, re.I)[1].decode()
        return "/" + place.split("/", 3)[3] if "://" in place else place

    # Pushing, as docker does

    def begin(self, name: str) -> str:
        return self.location(self.ask("POST", f"/v2/{name}/blobs/uploads/", expect=202))

    def commit(self, place: str, digest: str):
        mark = "&" if "?" in place else "?"
        self.ask("PUT", f"{place}{mark}digest={digest}", expect=201)

    def push_blob(self, name: str, data: bytes, digest: str):
        self.ask("HEAD", f"/v2/{name}/blobs/{digest}", expect=404)
        place = self.location(self.ask("PATCH", self.begin(name), data, "application/octet-stream",
                                       expect=202))
        self.commit(place, digest)

    def push_file(self, name: str, lead: bytes, path: str, digest: str):
        """A blob of a few bytes and then a file."""
        size = os.stat(path).st_size
        place = self.begin(name)
        self.send("PATCH", place, lead, "application/octet-stream", length=len(lead) + size)
        with open(path, "rb") as file:
            sent = 0
            while sent < size:
                sent += os.sendfile(self.socket.fileno(), file.fileno(), sent, size - sent)
        status, head = self.head()
        self.drop(self.length(head))
        if status != 202:
            raise SystemExit(f"bench: an upload is answered with {status}")
        self.commit(self.location(head), digest)

    def push_manifest(self, name: str, reference: str, manifest: bytes):
        self.ask("PUT", f"/v2/{name}/manifests/{reference}", manifest, MANIFEST, expect=201)

    def push(self, name: str, tag: str, image: "SmallImage"):
        self.push_blob(name, image.layer, image.layer_digest)
        self.push_blob(name, image.config, image.config_digest)
        self.push_manifest(name, tag, image.manifest)


class SmallImage:
    """A layer of ten kilobytes of noise, a configuration, and the manifest."""

    def __init__(self, source: random.Random, size: int = 10_000):
        self.layer = source.randbytes(size)
        self.layer_digest = digest_of(self.layer)
        self.config = json.dumps({
            "architecture": "amd64", "os": "linux", "config": {"Cmd": ["/bin/true"]},
            "rootfs": {"type": "layers", "diff_ids": [self.layer_digest]}}).encode()
        self.config_digest = digest_of(self.config)
        self.manifest = manifest_of((CONFIG, self.config), (LAYER, self.layer))
        self.digest = digest_of(self.manifest)


def manifest_of(config: tuple[str, bytes], layer: tuple[str, bytes], **more) -> bytes:
    config, layer = ({"mediaType": kind, "digest": digest_of(data), "size": len(data)}
                     for kind, data in (config, layer))
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config,
                       "layers": [layer]} | more).encode()


def together(server, clients: int, work) -> float:
    """Runs `work(wire, number)` for each of so many clients at once; the seconds it took."""
    failures: list[BaseException] = []
    start = threading.Barrier(clients + 1)

    def client(number: int):
        try:
            with Wire(server) as wire:
                start.wait(60)
                work(wire, number)
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    try:
        start.wait(60)
    except threading.BrokenBarrierError:
        pass  # a client says why
    begun = time.monotonic()
    for thread in threads:
        thread.join()
    elapsed = time.monotonic() - begun
    if failures:
        raise failures[0]
    return elapsed


def shared(server, clients: int, items: list, work) -> float:
    """Has `work(wire, item)` done once for each item, by so many clients at once."""
    left = iter(items)
    lock = threading.Lock()

    def client(wire: Wire, _):
        while True:
            with lock:
                item = next(left, None)
            if item is None:
                return
            work(wire, item)

    return together(server, clients, client)


def throughput(server, clients: int, path: str, seconds: float) -> float:
    """Bytes per second that so many clients receive who fetch a path again and again."""
    taken = [0] * clients

    def client(wire: Wire, number: int):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            taken[number] += wire.fetch(path)

    elapsed = together(server, clients, client)
    return sum(taken) / elapsed


def requests_per_second(port: int, path: str, seconds: int, connections: int = 32,
                        headers: dict[str, str] | None = None) -> float:
    """What wrk measures."""
    words = [word for item in ({"Accept": MANIFEST} | (headers or {})).items()
             for word in ("-H", ": ".join(item))]
    said = subprocess.run(
        ["wrk", "-t", "2", "-c", str(connections), "-d", f"{seconds}s", *words,
         f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit("bench: wrk met errors:\n" + said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])


def listed(port: int, path: str, key: str) -> tuple[float, int]:
    """Fetches a list, page after page; the seconds, and how many entries there are."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    pages = []
    begun = time.monotonic()
    while path:
        connection.request("GET", path)
        answer = connection.getresponse()
        pages.append(answer.read())
        if answer.status != 200:
            raise SystemExit(f"bench: GET {path} is answered with {answer.status}")
        link = re.match(r"<([^>]+)>", answer.headers.get("Link") or "")
        path = link and link[1]
        if path and "://" in path:
            path = "/" + path.split("/", 3)[3]
    elapsed = time.monotonic() - begun
    connection.close()
    return elapsed, sum(len(json.loads(page)[key]) for page in pages)
