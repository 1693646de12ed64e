"""Martlet's own registry for a test: a real process in folders of its own."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

from engine import BINARY, Reply, eventually

ADMIN = ("admin", "a password for tests")


def free_port() -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MartletRegistry:
    """`auth` is "none" or "token"; the administrator of the latter is ADMIN."""

    def __init__(self, auth: str = "token", storage_folder: Path | None = None,
                 flags: list[str] | None = None, environment: dict[str, str] | None = None):
        self.auth, self.flags = auth, flags or []
        self.address = "127.0.0.1"
        self.folder = tempfile.mkdtemp(prefix="martlet-own-registry-", dir="/var/tmp")
        self.storage_folder = Path(storage_folder or self.folder + "/storage")
        self.log = self.folder + "/log"
        inherited = {name: value for name, value in os.environ.items()
                     if not name.startswith("REGISTRY_")}
        self.environment = inherited | {"MARTLET_REGISTRY_ADMIN_PASSWORD": ADMIN[1]} | (
            environment or {})
        self.port = free_port()
        self.process: subprocess.Popen | None = None

    @property
    def host(self) -> str:
        return f"{self.address}:{self.port}"

    # Life

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.dispose()
            raise
        return self

    def __exit__(self, *_):
        self.dispose()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.command(), *self.flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment)
        eventually(self.answers, 60, "the registry answers")

    def command(self) -> list[str]:
        # not the configuration that this machine's own registry may have
        return [BINARY, "registry", "serve", "--config", "/dev/null", "--listen", self.host,
                "--auth", self.auth, "--data-root", self.folder + "/data",
                "--storage-root", str(self.storage_folder)]

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log_text()
        try:
            return self.request("GET", "/v2/", timeout=5).status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(30)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def dispose(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self) -> str:
        return Path(self.log).read_text(errors="replace")

    # What the kernel knows of it

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident(self) -> int:
        """Bytes of memory that are its own: without pages of files."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("the kernel does not tell")

    # Requests

    def request(self, method: str, path: str, body=None, headers=None,
                auth: tuple[str, str] | str | None = None, timeout: float = 60) -> Reply:
        """`body` is bytes, or pieces that are sent one by one; `auth` is name and password, or a
        token."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout)
        headers = dict(headers or {})
        if isinstance(auth, str):
            headers["Authorization"] = "Bearer " + auth
        elif auth:
            headers["Authorization"] = "Basic " + base64.b64encode(
                ":".join(auth).encode()).decode()
        # http.client refuses paths that are not ASCII; the point of a test may be to send them.
        path = "".join(character if ord(character) < 128 and character != " " else
                       "".join(f"%{byte:02X}" for byte in character.encode())
                       for character in path)
        try:
            chunked = headers.get("Transfer-Encoding") == "chunked"
            connection.request(method, path, body=body, headers=headers, encode_chunked=chunked)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def stream(self, path: str, size: int = 1 << 20):
        """The body of an answer, piece by piece."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=300)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            assert answer.status == 200, answer.status
            while piece := answer.read(size):
                yield piece
        finally:
            connection.close()

    def token(self, scope: str = "", auth: tuple[str, str] | None = None) -> str:
        query = f"?service=martlet-registry&scope={scope}" if scope else "?service=martlet-registry"
        answer = self.request("GET", "/auth/token" + query, auth=auth)
        assert answer.status == 200, answer
        return json.loads(answer.body)["token"]
