"""A daemon under test: Martlet's, or dockerd when MARTLET_TEST_PEER=dockerd.

Running the suite against dockerd shows whether a test expects what docker clients expect.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEER = os.environ.get("MARTLET_TEST_PEER", "martlet")
IS_PEER = PEER == "dockerd"
BINARY = os.environ.get("MARTLET_BINARY", str(ROOT / ".build/release/martlet"))
IMAGES = Path(os.environ.get("MARTLET_TEST_IMAGES", "/var/cache/martlet-test-images"))


def eventually(condition, deadline: float = 10.0, message: str = "", interval: float = 0.02):
    """The first true value of `condition`, asked again and again until the deadline (seconds)."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline} s: {message or condition}")
        time.sleep(interval)


class Reply:
    """An HTTP answer, read whole."""

    def __init__(self, status: int, headers, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return self.json()["message"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float):
        super().__init__("docker", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Failure(AssertionError):
    pass


class Engine:
    def __init__(self, number: int = 0, flags: list[str] | None = None, configuration=None,
                 hosts: list[str] | None = None):
        """`number` sets the address range apart, so that several daemons can run at once."""
        self.number = number
        self.folder = tempfile.mkdtemp(prefix=f"martlet-it{number}-", dir="/var/tmp")
        self.socket = self.folder + "/docker.sock"
        self.log = self.folder + "/daemon.log"
        self.flags = flags or []
        self.hosts = hosts or []
        self.configuration = self.folder + "/daemon.json"
        self.write_configuration(configuration or {})
        self.process: subprocess.Popen | None = None
        self._client = None

    # Life of the daemon

    def write_configuration(self, value):
        with open(self.configuration, "w") as file:
            file.write(value if isinstance(value, str) else json.dumps(value, indent=2))

    def command(self) -> list[str]:
        program = ["dockerd", "--storage-driver", "overlay2"] if IS_PEER else [BINARY, "daemon"]
        hosts = [word for host in self.hosts for word in ("--host", host)]
        return [
            *program, "--host", "unix://" + self.socket, *hosts,
            "--data-root", self.folder + "/data", "--exec-root", self.folder + "/exec",
            "--pidfile", self.folder + "/pid", "--config-file", self.configuration,
            "--bip", f"10.199.{self.number * 16}.1/24",
            "--default-address-pool", f"base=10.199.{self.number * 16 + 8}.0/21,size=26",
            "--log-level", "debug", *self.flags,
        ]

    def start(self, deadline: float = 30):
        assert self.process is None, "already started"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True)
        try:
            eventually(self.answers, deadline, "the daemon answers")
        except AssertionError:
            raise Failure("the daemon did not come up:\n" + self.log_tail()) from None
        return self

    def answers(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise Failure(f"the daemon ended ({self.process.returncode}):\n" + self.log_tail())
        try:
            return self.request("GET", "/_ping", timeout=5).status == 200
        except OSError:
            return False

    def stop(self, sign: int = signal.SIGTERM, deadline: float = 30):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(sign)
        try:
            self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.process = None
            raise Failure("the daemon did not stop when asked:\n" + self.log_tail()) from None
        self.process = None

    def kill(self):
        if IS_PEER:
            import pytest

            pytest.skip("dockerd's own containerd keeps it from coming up after a kill")
        self.stop(signal.SIGKILL)

    def restart(self):
        self.stop()
        return self.start()

    def dispose(self):
        """Stops everything that this daemon started and removes its folder, whatever happened."""
        try:
            if self.process is not None and self.process.poll() is None:
                self.remove_everything()
        except Exception:
            pass  # what is left is taken down by hand below
        try:
            self.stop()
        except Failure:
            pass
        groups = [group for name in containers_of(self.folder) for group in container_cgroups(name)]
        for _ in range(100):
            left = processes_of(self.folder) + [pid for group in groups for pid in members(group)]
            if not left:
                break
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.05)
        for group in sorted(groups, key=len, reverse=True):
            try:
                os.rmdir(group)
            except OSError:
                pass
        for path in sorted(mounts_under(self.folder), key=len, reverse=True):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
        clear_network(self.folder)
        if IS_PEER:  # docker0 stays, as another dockerd may use it; the address that was ours goes
            subprocess.run(["ip", "addr", "del", f"10.199.{self.number * 16}.1/24", "dev", "docker0"],
                           stderr=subprocess.DEVNULL)
        if os.environ.get("MARTLET_TEST_KEEP"):
            print(f"kept {self.folder}")
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def log_text(self) -> str:
        with open(self.log, errors="replace") as file:
            return file.read()

    def log_tail(self, lines: int = 25) -> str:
        return "\n".join(self.log_text().splitlines()[-lines:])

    def memory(self) -> int:
        """Resident bytes of the daemon process."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) * 1024

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    # Ways in

    @property
    def environment(self) -> dict:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
        return clean | {"DOCKER_HOST": "unix://" + self.socket,
                        "DOCKER_CONFIG": self.folder + "/client"}

    def let_go(self, container):
        """Lets a container go on that waits for /go. Its end may take the messenger with it."""
        self.docker("exec", container, "touch", "/go", check=False)

    def docker(self, *arguments, check=True, input=None, timeout=60, env=None):
        """Runs the docker client; the result's output is text."""
        result = subprocess.run(
            ["docker", *map(str, arguments)], input=input, capture_output=True, text=True,
            timeout=timeout, env=self.environment | (env or {}), errors="replace",
            stdin=subprocess.DEVNULL if input is None else None)
        if check and result.returncode != 0:
            raise Failure(f"docker {' '.join(map(str, arguments))} gave {result.returncode}\n"
                          f"{result.stdout}{result.stderr}")
        return result

    def out(self, *arguments, **options) -> str:
        """The trimmed standard output of a docker command that must succeed."""
        return self.docker(*arguments, **options).stdout.strip()

    def fails(self, *arguments, **options) -> str:
        """The standard error of a docker command that must not succeed."""
        result = self.docker(*arguments, check=False, **options)
        assert result.returncode != 0, f"should have failed: {result.stdout}{result.stderr}"
        return result.stderr

    def popen(self, *arguments, **options) -> subprocess.Popen:
        settings = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                        env=self.environment)
        return subprocess.Popen(["docker", *map(str, arguments)], **(settings | options))

    @property
    def client(self):
        import docker

        if self._client is None:
            self._client = docker.DockerClient("unix://" + self.socket, version="auto", timeout=60)
        return self._client

    def request(self, method: str, path: str, body=None, headers=None, timeout=30) -> Reply:
        connection = UnixConnection(self.socket, timeout)
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **options):
        reply = self.request("GET", path, **options)
        assert reply.status == 200, f"GET {path}: {reply}"
        return reply.json()

    # Shorthands

    def inspect(self, name: str) -> dict:
        return self.get(f"/containers/{name}/json")

    def running(self, name: str) -> bool:
        return self.inspect(name)["State"]["Running"]

    def load(self, *names: str):
        have = {tag for image in self.get("/images/json") for tag in image["RepoTags"] or []}
        for name in names:
            tag = {"debian": "debian:12"}.get(name, name + ":latest")
            if tag not in have:
                self.docker("load", "-i", IMAGES / (name + ".tar"), timeout=120)

    def load_bytes(self, archive: bytes) -> Reply:
        return self.request("POST", "/images/load?quiet=1", archive,
                            {"Content-Type": "application/x-tar"}, timeout=120)

    def remove_everything(self):
        """Removes all containers, networks and volumes; images stay."""
        for container in self.get("/containers/json?all=1"):
            self.request("DELETE", f"/containers/{container['Id']}?force=1&v=1")
        for network in self.get("/networks"):
            if network["Name"] not in ("bridge", "host", "none"):
                self.request("DELETE", f"/networks/{network['Id']}")
        for volume in self.get("/volumes")["Volumes"] or []:
            self.request("DELETE", f"/volumes/{volume['Name']}?force=1")


# What the host shows of a daemon


SERVANTS = {"conmon", "runc", "dockerd", "containerd-shim-runc-v2", "docker-proxy", "containerd"}


def processes_of(folder: str, daemon_too: bool = True) -> list[int]:
    """A daemon's own processes: its program or a servant's, with its folder on the command line."""
    programs = SERVANTS | {os.path.basename(BINARY)}
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                command = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            program = os.path.basename(command.partition(b"\0")[0]).decode(errors="replace")
            if folder.encode() + b"/" in command and program in programs:
                if daemon_too or program != "containerd":
                    found.append(int(entry))
    return found


def described(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        state = re.search(r"State:\s+(\w)", Path(f"/proc/{pid}/status").read_text())[1]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return f"{pid} {state} children [{children}] {words[0]} … {' '.join(words)[-200:]}"
    except OSError:
        return f"{pid} gone"


def mounts_under(folder: str) -> list[str]:
    with open("/proc/self/mountinfo") as file:
        return [line.split()[4] for line in file if line.split()[4].startswith(folder)]


def instance_of(exec_root: str) -> str:
    """The short name that a daemon gives to its bridge and table: the FNV-1a hash of its exec root."""
    value = 2166136261
    for byte in exec_root.encode():
        value = ((value ^ byte) * 16777619) & 0xFFFFFFFF
    return f"{value:08x}"


def table_of(folder: str) -> str:
    return "martlet_" + instance_of(folder + "/exec")


def forward_rules(table: str) -> list[tuple[str, str]]:
    """The rules that a daemon put into the chain that other programs guard: link and handle."""
    seen = subprocess.run(["nft", "-a", "list", "chain", "ip", "filter", "FORWARD"],
                          capture_output=True, text=True).stdout
    return re.findall(rf'comment "{table}:([^"]+)".*# handle (\d+)', seen)


def links(folder: str) -> set[str]:
    """The bridges of the daemon of this folder and what is plugged into them; nobody else's."""
    table = table_of(folder)
    own = subprocess.run(["nft", "list", "table", "inet", table], capture_output=True, text=True).stdout
    names = set(re.findall(r"mt-[0-9a-f]{12}", own)) | {link for link, _ in forward_rules(table)}
    names.add("ml" + instance_of(folder + "/exec"))
    described = json.loads(subprocess.run(["ip", "-j", "link"], capture_output=True).stdout)
    return {link["ifname"] for link in described
            if link["ifname"] in names or link.get("master") in names}


def clear_network(folder: str):
    """Takes down the bridges and rules that the daemon of this folder left, as dockerd leaves its own."""
    table = table_of(folder)
    for link in links(folder):
        subprocess.run(["ip", "link", "del", link], stderr=subprocess.DEVNULL)
    for _, handle in forward_rules(table):
        subprocess.run(["nft", "delete", "rule", "ip", "filter", "FORWARD", "handle", handle],
                       stderr=subprocess.DEVNULL)
    subprocess.run(["nft", "delete", "table", "inet", table], stderr=subprocess.DEVNULL)


def containers_of(folder: str) -> set[str]:
    """Identifiers of containers with a monitor that serves the folder."""
    found = set()
    for pid in processes_of(folder):
        try:
            found |= set(re.findall(r"[0-9a-f]{64}", Path(f"/proc/{pid}/cmdline").read_text()))
        except OSError:
            continue
    return found


def container_cgroups(name: str = "[0-9a-f]{64}") -> set[str]:
    """Control groups named for a container, or for one of this or any daemon."""
    found = set()
    for root, folders, _ in os.walk("/sys/fs/cgroup"):
        for folder in folders:
            if re.search(name, folder):
                found.add(os.path.join(root, folder))
    return found


def members(group: str) -> list[int]:
    try:
        return [int(line) for line in Path(group, "cgroup.procs").read_text().split()]
    except OSError:
        return []


def nft_addresses(prefix: str) -> set[str]:
    """Addresses of single containers in nftables, each with the line that names it; not subnets."""
    result = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True)
    found = set()
    for line in result.stdout.splitlines():
        for address in re.findall(rf"\b{re.escape(prefix)}\d+\b(?!/)", line):
            found.add(f"{address} in {re.sub(r'packets [0-9]+ bytes [0-9]+', '', line.strip())[:200]}")
    return found


class HostState:
    """What a daemon leaves on the host besides its own folders."""

    def __init__(self, engine: Engine):
        # dockerd keeps the host's own namespace mounted once a container has used it.
        self.mounts = {m for m in mounts_under(engine.folder) if not m.endswith("/netns/default")}
        self.links = links(engine.folder)
        # Those without a process: other daemons of this machine may be running containers.
        parent = "/docker/" if IS_PEER else "/martlet/"
        self.cgroups = {group for group in container_cgroups()
                        if parent in group and not members(group)}
        daemon = {engine.process.pid} if engine.process else set()
        self.processes = {described(pid)
                          for pid in processes_of(engine.folder, daemon_too=False) if pid not in daemon}
        self.elements = nft_addresses(f"10.199.{engine.number * 16}.")

    def extra(self, before: HostState) -> dict:
        """What is here and was not there."""
        found = {
            name: sorted(getattr(self, name) - getattr(before, name))
            for name in ("mounts", "links", "cgroups", "processes", "elements")
        }
        return {name: values for name, values in found.items() if values}
