"""Writes container images as archives that `docker load` and `skopeo` read.

Everything here is deterministic: the same arguments give the same bytes, so image ids are stable
from one run to the next. Only the standard library is used, for this runs on bare machines.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from dataclasses import dataclass, field

CREATED = "2024-01-01T00:00:00Z"
EPOCH = 1704067200


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def canonical(value) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


class LayerWriter:
    """A layer under construction: an uncompressed tar whose entries are written in call order."""

    def __init__(self):
        self._buffer = io.BytesIO()
        self._tar = tarfile.open(fileobj=self._buffer, mode="w", format=tarfile.PAX_FORMAT)

    def _entry(self, name, kind, mode, uid, gid, xattrs=None) -> tarfile.TarInfo:
        info = tarfile.TarInfo(name)
        info.type = kind
        info.mode = mode
        info.uid, info.gid = uid, gid
        info.mtime = EPOCH
        for key, value in (xattrs or {}).items():
            info.pax_headers["SCHILY.xattr." + key] = value
        return info

    def directory(self, name, mode=0o755, uid=0, gid=0, xattrs=None):
        self._tar.addfile(self._entry(name, tarfile.DIRTYPE, mode, uid, gid, xattrs))
        return self

    def file(self, name, data: bytes | str = b"", mode=0o644, uid=0, gid=0, xattrs=None):
        if isinstance(data, str):
            data = data.encode()
        info = self._entry(name, tarfile.REGTYPE, mode, uid, gid, xattrs)
        info.size = len(data)
        self._tar.addfile(info, io.BytesIO(data))
        return self

    def symlink(self, name, target):
        info = self._entry(name, tarfile.SYMTYPE, 0o777, 0, 0)
        info.linkname = target
        self._tar.addfile(info)
        return self

    def hardlink(self, name, target, mode=0o644):
        # Unpackers apply a link's own mode to the inode, so it must be that of the target.
        info = self._entry(name, tarfile.LNKTYPE, mode, 0, 0)
        info.linkname = target
        self._tar.addfile(info)
        return self

    def device(self, name, major, minor, kind=tarfile.CHRTYPE, mode=0o666):
        info = self._entry(name, kind, mode, 0, 0)
        info.devmajor, info.devminor = major, minor
        self._tar.addfile(info)
        return self

    def fifo(self, name, mode=0o644):
        self._tar.addfile(self._entry(name, tarfile.FIFOTYPE, mode, 0, 0))
        return self

    def whiteout(self, name):
        folder, _, base = name.rpartition("/")
        return self.file((folder + "/" if folder else "") + ".wh." + base, mode=0o600)

    def opaque(self, folder):
        return self.file(folder + "/.wh..wh..opq", mode=0o600)

    def finish(self) -> bytes:
        self._tar.close()
        return self._buffer.getvalue()


@dataclass
class Image:
    """An image: layers (uncompressed tars, bottom first) and the container configuration."""

    layers: list[bytes]
    config: dict = field(default_factory=dict)
    history: list[dict] | None = None
    architecture: str = "amd64"

    def configuration(self) -> bytes:
        history = self.history or [
            {"created": CREATED, "created_by": f"layer {index}"} for index in range(len(self.layers))
        ]
        return canonical(
            {
                "architecture": self.architecture,
                "os": "linux",
                "created": CREATED,
                "config": self.config,
                "rootfs": {"type": "layers", "diff_ids": [digest_of(layer) for layer in self.layers]},
                "history": history,
            }
        )

    @property
    def id(self) -> str:
        return digest_of(self.configuration())

    def docker_archive(self, tags: list[str]) -> bytes:
        """The bytes of a docker-archive tar (the form that `docker save` writes)."""
        return docker_archive([(self, tags)])

    def oci_archive(self, tag: str, compression: str = "gzip") -> bytes:
        """The bytes of an OCI layout in a tar."""
        blobs: dict[str, bytes] = {}

        def blob(data: bytes) -> str:
            blobs[digest_of(data)] = data
            return digest_of(data)

        kinds = {
            "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
            "none": "application/vnd.oci.image.layer.v1.tar",
        }
        layers = []
        for layer in self.layers:
            data = gzip.compress(layer, 6, mtime=0) if compression == "gzip" else layer
            layers.append({"mediaType": kinds[compression], "digest": blob(data), "size": len(data)})
        configuration = self.configuration()
        manifest = canonical(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {
                    "mediaType": "application/vnd.oci.image.config.v1+json",
                    "digest": blob(configuration),
                    "size": len(configuration),
                },
                "layers": layers,
            }
        )
        index = canonical(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "manifests": [
                    {
                        "mediaType": "application/vnd.oci.image.manifest.v1+json",
                        "digest": blob(manifest),
                        "size": len(manifest),
                        "annotations": {
                            "org.opencontainers.image.ref.name": tag.rpartition(":")[2],
                            "io.containerd.image.name": qualified(tag),
                        },
                        "platform": {"architecture": self.architecture, "os": "linux"},
                    }
                ],
            }
        )
        files = {"oci-layout": canonical({"imageLayoutVersion": "1.0.0"}), "index.json": index}
        for digest, data in blobs.items():
            files["blobs/sha256/" + digest.partition(":")[2]] = data
        return tar_of(files)


def qualified(tag: str) -> str:
    """`busybox:latest` with the default registry and namespace spelled out."""
    first = tag.partition("/")[0]
    if "/" not in tag:
        return "docker.io/library/" + tag
    if "." not in first and ":" not in first and first != "localhost":
        return "docker.io/" + tag
    return tag


def docker_archive(images: list[tuple[Image, list[str]]]) -> bytes:
    files: dict[str, bytes] = {}
    manifest = []
    for image, tags in images:
        names = []
        for layer in image.layers:
            name = hashlib.sha256(layer).hexdigest() + ".tar"
            files[name] = layer
            names.append(name)
        configuration = image.configuration()
        name = hashlib.sha256(configuration).hexdigest() + ".json"
        files[name] = configuration
        manifest.append({"Config": name, "RepoTags": tags, "Layers": names})
    files["manifest.json"] = canonical(manifest)
    return tar_of(files)


def tar_of(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folders = sorted({parent for name in files for parent in parents(name)})
        for folder in folders:
            info = tarfile.TarInfo(folder)
            info.type, info.mode, info.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            tar.addfile(info)
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), EPOCH
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: index + 1]) for index in range(len(parts))]


def layer_of_folder(folder: str) -> bytes:
    """The tar of a folder's contents, sorted, owned as on disk, with its time stamps flattened."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for root, names, files in os.walk(folder):
            names.sort()
            for name in sorted(files) + names:
                path = os.path.join(root, name)
                relative = os.path.relpath(path, folder)
                status = os.lstat(path)
                info = tar.gettarinfo(path, arcname=relative)
                if info is None:
                    continue
                info.mtime = min(int(status.st_mtime), EPOCH)
                info.uname = info.gname = ""
                attributes = {
                    key: os.getxattr(path, key, follow_symlinks=False)
                    for key in os.listxattr(path, follow_symlinks=False)
                    if key.startswith(("security.capability", "user."))
                }
                for key, value in attributes.items():
                    info.pax_headers["SCHILY.xattr." + key] = value.decode("utf-8", "surrogateescape")
                if info.isreg():
                    with open(path, "rb") as content:
                        tar.addfile(info, content)
                else:
                    tar.addfile(info)
    return buffer.getvalue()
