"""An S3 server (SeaweedFS) to test with, on the loopback and in a folder of its own."""

from __future__ import annotations

import json
import os
import pathlib
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

WEED = pathlib.Path(__file__).resolve().parent.parent / ".build/python/bin/weed"
BUCKET = "martlet"
# How long one try to start may take: the machine may be busy with everything else.
START_SECONDS = 120
# Ports are free when they are chosen, and may be taken when they are used.
TRIES = 3


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


class S3Server:
    """One server, which keeps its data and its ports when it is started again."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.access_key, self.secret_key = secrets.token_hex(8), secrets.token_hex(20)
        names = ["master", "volume", "filer", "s3"]
        *ports, self.tls_port = free_ports(2 * len(names) + 1)
        self.ports = dict(zip(names, ports))
        self.grpc_ports = dict(zip(names, ports[len(names):]))
        self.endpoint = f"http://127.0.0.1:{self.ports['s3']}"
        # With a certificate that nobody has signed.
        self.tls_endpoint = f"https://127.0.0.1:{self.tls_port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Whether it answers and stores."""
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [{
            "name": "tests", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{"accessKey": self.access_key, "secretKey": self.secret_key}]}]}))
        key, certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        if not certificate.exists():
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                 "-nodes", "-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out",
                 str(certificate)], check=True, capture_output=True)
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        flags = [f"-{name}.port={port}" for name, port in self.ports.items()]
        flags += [f"-{name}.port.grpc={port}" for name, port in self.grpc_ports.items()]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [str(WEED), "-logtostderr=true", "server", f"-dir={data}", "-ip=127.0.0.1",
                 "-ip.bind=127.0.0.1", "-s3", f"-s3.config={config}",
                 f"-s3.port.https={self.tls_port}", f"-s3.key.file={key}",
                 f"-s3.cert.file={certificate}", "-s3.port.iceberg=0",
                 "-s3.port.lance=0", "-s3.iam=false", "-master.telemetry=false",
                 "-master.volumeSizeLimitMB=1024", "-volume.max=100",
                 f"-filer.localSocket={self.folder}/filer.sock",
                 f"-s3.localSocket={self.folder}/s3.sock", *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                start_new_session=True,
                env={"PATH": os.environ.get("PATH", ""), "HOME": str(self.folder)})
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if self.can_store():
                return True
            time.sleep(0.1)
        return False

    def can_store(self) -> bool:
        """Stores a file, and so makes the bucket, by way of the filer, which takes no signatures."""
        file = f"http://127.0.0.1:{self.ports['filer']}/buckets/{BUCKET}/.started"
        try:
            request = urllib.request.Request(file, data=b"started", method="PUT")
            urllib.request.urlopen(request, timeout=10).close()
            with urllib.request.urlopen(file, timeout=10) as answer:
                if answer.read() != b"started":
                    return False
            try:
                urllib.request.urlopen(self.endpoint + "/", timeout=10).close()
            except urllib.error.HTTPError:
                pass  # it answers, and wants a signature
            return True
        except (OSError, urllib.error.URLError):
            return False

    def stop(self) -> None:
        """Ends it at once, as a crash would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


def started(root: pathlib.Path) -> S3Server:
    """A server that runs in a folder below this one. Exits if there is none to be had."""
    if not WEED.exists():
        sys.exit(f"there is no {WEED}; scripts/python-environment installs it")
    for number in range(TRIES):
        folder = root / str(number)
        folder.mkdir()
        server = S3Server(folder)
        if server.start():
            return server
        server.stop()
        log = (folder / "log").read_text(errors="replace").splitlines()
        print("the S3 server did not start:", *log[-30:], sep="\n", file=sys.stderr)
    sys.exit("there is no S3 server to test with")
