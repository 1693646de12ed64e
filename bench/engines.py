"""The engines under measure: daemons on folders of their own, and podman, which has none."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BINARY = os.environ.get("MARTLET_BINARY", str(ROOT / ".build/release/martlet"))


def until(condition, deadline=60.0):
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() > end:
            raise SystemExit(f"bench: not within {deadline} s: {condition}")
        time.sleep(0.01)
    return value


def version_of(*command: str) -> str:
    said = subprocess.run(command, capture_output=True, text=True)
    return said.stdout.strip().replace("\n", ", ")


class Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker", timeout=300)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(300)
        self.sock.connect(self.path)


class Engine:
    """A daemon, driven by the docker client where the client's command is what is measured."""

    name = ""

    def __init__(self, folder: str):
        self.folder = f"{folder}/{self.name}"
        os.makedirs(self.folder)
        self.socket = self.folder + "/docker.sock"
        self.process = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def common(self, number: int) -> list[str]:
        return ["--host", "unix://" + self.socket, "--data-root", self.folder + "/data",
                "--exec-root", self.folder + "/exec", "--pidfile", self.folder + "/pid",
                "--bip", f"10.195.{number}.1/24", "--config-file", self.folder + "/daemon.json"]

    def start(self):
        Path(self.folder, "daemon.json").write_text("{}")
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, start_new_session=True)
        until(self.answers)

    def answers(self) -> bool:
        if self.process.poll() is not None:
            tail = Path(self.folder, "log").read_text()[-2000:]
            raise SystemExit(f"bench: {self.name} ended:\n{tail}")
        try:
            return self.request("GET", "/_ping")[0] == 200
        except OSError:
            return False

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(120)
            self.process = None

    def request(self, method, path, body=None, expect: int | None = None):
        connection = Connection(self.socket)
        data = None if body is None else json.dumps(body)
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if expect and answer.status != expect:
            raise SystemExit(f"bench: {self.name}: {method} {path}: {answer.status} {content!r}")
        return answer.status, content

    def client(self) -> list[str]:
        return ["docker", "-H", "unix://" + self.socket]

    def run(self, *words, **options):
        settings = dict(check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        return subprocess.run([*self.client(), *words], **(settings | options))

    def quietly(self, *words):
        """Runs a command that may fail."""
        self.run(*words, check=False, stderr=subprocess.DEVNULL)

    def load(self, path):
        self.run("load", "-i", str(path))

    def pull(self, reference):
        self.run("pull", "-q", reference)

    def create(self, name, *command):
        self.request("POST", f"/containers/create?name={name}",
                     {"Image": "busybox", "Cmd": command or ["sleep", "3600"]}, expect=201)

    def begin(self, name):
        """Starts a container; it runs when this returns."""
        self.request("POST", f"/containers/{name}/start", expect=204)

    def remove(self, name):
        self.request("DELETE", f"/containers/{name}?force=1")

    def processes(self) -> list[int]:
        """The daemon and all that it keeps for its containers, without the containers."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                try:
                    command = Path(f"/proc/{entry}/cmdline").read_bytes()
                except OSError:
                    continue
                program = os.path.basename(command.partition(b"\0")[0])
                if self.folder.encode() in command and program not in (b"docker", b"podman"):
                    found.append(int(entry))
        return found

    def memory(self) -> tuple[int, int]:
        """Resident and proportional bytes of those processes."""
        resident = proportional = 0
        for pid in self.processes():
            try:
                text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            except OSError:
                continue  # it ended in between
            resident += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1]) * 1024
            proportional += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) * 1024
        return resident, proportional


class Martlet(Engine):
    name = "martlet"

    def command(self):
        return [BINARY, "daemon", *self.common(1),
                "--default-address-pool", "base=10.195.8.0/21,size=24"]

    def version(self):
        return version_of(BINARY, "--version")


class Dockerd(Engine):
    name = "dockerd"

    def command(self):
        return ["dockerd", *self.common(2), "--storage-driver", "overlay2",
                "--default-address-pool", "base=10.195.16.0/21,size=24"]

    def version(self):
        return version_of("dockerd", "--version")


class Podman(Engine):
    """No daemon: every command does its work itself."""

    name = "podman"
    # crun, its default, does not run where cgroup v1 and v2 are mixed.
    runtime = [] if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else ["--runtime", "runc"]

    def start(self):
        pass

    def stop(self):
        pass

    def client(self):
        return ["podman", "--root", self.folder + "/data", "--runroot", self.folder + "/run",
                "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs",
                "--events-backend", "file", "--log-level", "error", *self.runtime]

    def load(self, path):
        self.run("load", "-q", "-i", str(path))

    def pull(self, reference):
        self.run("pull", "-q", "--tls-verify=false", reference)

    def create(self, name, *command):
        self.run("create", "--name", name, "busybox", *(command or ["sleep", "3600"]),
                 stderr=subprocess.DEVNULL)

    def begin(self, name):
        self.run("start", name, stderr=subprocess.DEVNULL)

    def remove(self, name):
        self.quietly("rm", "-f", "-t", "0", name)

    def version(self):
        return version_of("podman", "--version")
