"""The works of the registries. Each gives one repetition's figure of one registry."""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import time

from load import SmallImage, Wire, listed, requests_per_second, shared, throughput


class Size:
    def __init__(self, quick: bool):
        self.quick = quick
        self.runs = 2 if quick else 7
        self.heavy = 1 if quick else 3
        self.seconds = 1 if quick else 4
        self.big = (32 if quick else 1024) << 20
        self.images = 50 if quick else 1000
        self.entries = 500 if quick else 10_000
        self.garbage = 200 if quick else 10_000
        self.big_text = f"{self.big >> 20} MiB"


class Work:
    """One row: what is done, how often, and the ratio to reach. `better` is whether more or less of
    the figure is better."""

    key = ""
    title = ""
    unit = "s"
    better = "less"
    goal: float | None = None
    heavy = False
    # Whether it is done with accounts and rules on, too; docker-registry's package has none of ours.
    with_tokens = False
    seed = 1

    def __init__(self, size: Size, folder: str):
        self.size, self.folder = size, folder
        self.source = random.Random(self.seed)
        self.turn = 0
        self.paths: dict[str, str] = {}

    @property
    def repetitions(self) -> int:
        return self.size.heavy if self.heavy else self.size.runs

    def applies(self, server) -> bool:
        return self.with_tokens or not server.authorization

    def prepare(self, server):
        """Before all repetitions."""

    def measure(self, server):
        raise NotImplementedError


class ManifestGet(Work):
    key, unit, better, goal = "manifest", "requests/s", "more", 5
    title, with_tokens = "manifest GET by tag, 32 connections (wrk)", True

    def prepare(self, server):
        with Wire(server) as wire:
            wire.push(f"{server.namespace}/small", "latest", SmallImage(random.Random(7)))
        self.run(server, 1)

    def run(self, server, seconds: int) -> float:
        name = f"{server.namespace}/small"
        return requests_per_second(server.port, f"/v2/{name}/manifests/latest", seconds,
                                   headers=server.pulling(name))

    def measure(self, server):
        return self.run(server, self.size.seconds)


class Download(Work):
    """Eight clients that fetch one blob again and again."""

    key, unit, better, goal = "download", "bytes/s", "more", 1.5
    title, with_tokens = "blob download, 8 connections, 1 MB", True

    def file_size(self) -> int:
        return 1_000_000

    def prepare(self, server):
        path = noise(self.folder, self.file_size())
        digest = "sha256:" + hashed(path).hexdigest()
        self.paths[server.name] = f"/v2/{server.namespace}/blobs/blobs/{digest}"
        with Wire(server) as wire:
            wire.push_file(f"{server.namespace}/blobs", b"", path, digest)
            wire.fetch(self.paths[server.name])

    def measure(self, server):
        return throughput(server, 8, self.paths[server.name], self.size.seconds)


class BigDownload(Download):
    key, heavy, with_tokens = "big-download", True, False
    title = "blob download, 8 connections, {big_text}"

    def file_size(self) -> int:
        return self.size.big


class BigUpload(Work):
    """One client that sends a blob as docker does: POST, one PATCH with everything, PUT. Each time
    another blob, so that nothing is found to be there."""

    key, unit, better, goal, heavy = "upload", "bytes/s", "more", 1.2, True
    title = "blob upload, {big_text}"

    def measure(self, server):
        self.turn += 1
        path = noise(self.folder, self.size.big)
        lead = b"%032d" % self.turn
        digest = "sha256:" + hashed(path, lead).hexdigest()
        os.sync()
        with Wire(server) as wire:
            begun = time.monotonic()
            wire.push_file("bench/uploads", lead, path, digest)
            elapsed = time.monotonic() - begun
            wire.ask("DELETE", f"/v2/bench/uploads/blobs/{digest}", expect=202)
        return self.size.big / elapsed


class PushMany(Work):
    """Small images, each with a layer and a configuration of its own, in a hundred repositories."""

    key, goal, heavy, with_tokens = "push", 0.5, True, True
    title = "{images} small images pushed, 8 at a time"

    def measure(self, server):
        self.turn += 1
        images = [(f"{server.namespace}/push-{self.turn}-{number % 100}", f"t{number}",
                   SmallImage(self.source))
                  for number in range(self.size.images)]
        os.sync()
        return shared(server, 8, images, lambda wire, item: wire.push(*item))


class Tags(Work):
    key, goal = "tags", 0.1
    title = "`tags/list` with {entries} tags"

    def prepare(self, server):
        image = SmallImage(random.Random(7))
        with Wire(server) as wire:
            wire.push("bench/tags", "first", image)
        server.add_tags("bench/tags", [f"v{number}" for number in range(self.size.entries - 1)], image)
        self.measure(server)

    def measure(self, server):
        # A millisecond is less than what else runs on the machine may take it away for.
        taken = []
        for _ in range(20):
            elapsed, count = listed(server.port, "/v2/bench/tags/tags/list", "tags")
            if count != self.size.entries:
                raise SystemExit(f"bench: {server.name} lists {count} tags")
            taken.append(elapsed)
        return statistics.median(taken)


class Catalogue(Work):
    """All pages: a thousand at a time is the most that both give."""

    key, goal = "catalogue", 0.1
    title = "`_catalog` with {entries} repositories, in pages of 1,000"

    def prepare(self, server):
        image = SmallImage(random.Random(7))
        with Wire(server) as wire:
            # Another work may have pushed it.
            if wire.ask("HEAD", f"/v2/bench/small/blobs/{image.layer_digest}")[9:12] != b"200":
                wire.push("bench/small", "latest", image)
        server.add_repositories([f"catalogue/r{number}" for number in range(self.size.entries)],
                                "bench/small", image)
        self.measure(server)

    def measure(self, server):
        elapsed, count = listed(server.port, "/v2/_catalog?n=1000", "repositories")
        if count < self.size.entries:
            raise SystemExit(f"bench: {server.name} lists {count} repositories")
        return elapsed


class Garbage(Work):
    """Half of the manifests are deleted, and their blobs with them collected."""

    key, goal, heavy = "garbage", 0.1, True
    title = "garbage collection with {garbage} manifests, half of them deleted"

    def applies(self, server) -> bool:
        return super().applies(server) and server.collects()

    def images(self) -> list[SmallImage]:
        return [SmallImage(self.source, 2000) for _ in range(self.size.garbage // 2)]

    def prepare(self, server):
        server.add_untagged("garbage/kept", self.images(), deleted=False)

    def measure(self, server):
        server.add_untagged("garbage/dropped", self.images(), deleted=True)
        before = server.stored()
        os.sync()
        elapsed = server.collect()
        # A layer and a configuration of each.
        if server.stored() > before - self.size.garbage:
            raise SystemExit(f"bench: {server.name} has collected no garbage")
        return elapsed


class Memory(Work):
    """What it took, at most and now, for all that was done in this run."""

    key, unit, goal, heavy = "memory", "bytes", 1.0, True
    title = "resident memory after all of the above"

    @property
    def repetitions(self) -> int:
        return 1

    def measure(self, server):
        return server.memory()


def noise(folder: str, size: int) -> str:
    """A file of so many random bytes, made once."""
    path = f"{folder}/noise-{size}"
    if not os.path.exists(path):
        piece = random.Random(size).randbytes(1 << 20)
        with open(path, "wb") as file:
            for number in range(0, size, len(piece)):
                # No two megabytes are the same.
                data = number.to_bytes(8, "big") + piece[8:]
                file.write(data[:size - number])
    return path


def hashed(path: str, lead: bytes = b""):
    hasher = hashlib.sha256(lead)
    with open(path, "rb") as file:
        while data := file.read(1 << 20):
            hasher.update(data)
    return hasher


WORKS = [ManifestGet, Download, BigDownload, BigUpload, PushMany, Tags, Catalogue, Garbage, Memory]
