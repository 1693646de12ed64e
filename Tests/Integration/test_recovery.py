"""Containers outlive the daemon, and a daemon that was killed at any moment finds its state again."""

import glob
import os
import random
import re
import signal
import subprocess
import threading
import time

import pytest

from conftest import free_port
from engine import IS_PEER, Engine, HostState, eventually, mounts_under, processes_of

pytestmark = pytest.mark.own_daemon


@pytest.fixture
def engine(spare_engine):
    """A daemon of this test's own; dockerd keeps containers only when told to."""
    return spare_engine(4, flags=["--live-restore"] if IS_PEER else [])


@pytest.fixture(params=["stop", "kill -9"])
def interrupt(request, engine):
    return engine.stop if request.param == "stop" else engine.kill


def idle(engine, name, *arguments):
    engine.docker("run", "-d", "--init", "--name", name, *arguments, "busybox", "sleep", "600")
    return name


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


def fetch(port):
    from test_networks import fetch as get

    return get("127.0.0.1", port)


def test_containers_go_on(engine, name, interrupt):
    idle(engine, name, "-v", f"{name}:/data", "-e", "A=b")
    before = engine.inspect(name)
    interrupt()
    assert alive(before["State"]["Pid"])
    engine.start()
    after = engine.inspect(name)
    assert after["State"]["Pid"] == before["State"]["Pid"]
    assert after["State"]["StartedAt"] == before["State"]["StartedAt"]
    assert after["State"]["Status"] == "running" and after["RestartCount"] == 0
    for field in ("Config", "HostConfig", "Mounts", "NetworkSettings", "Image", "Created", "Name"):
        assert after[field] == before[field], field
    assert engine.out("exec", name, "sh", "-c", "echo $A") == "b"
    engine.docker("stop", "-t", "5", name)
    assert engine.inspect(name)["State"]["ExitCode"] == 143
    engine.docker("rm", name)


def test_exits_are_learnt(engine, name, interrupt):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "while [ ! -e /dev/shm/go ]; do sleep 0.05; done; exit 7")
    pid = engine.inspect(name)["State"]["Pid"]
    interrupt()
    with open(f"/proc/{pid}/root/dev/shm/go", "w"):
        pass
    eventually(lambda: not alive(pid))
    gone = time.time()
    engine.start()
    state = eventually(lambda: not engine.running(name) and engine.inspect(name)["State"])
    assert state["Status"] == "exited" and state["ExitCode"] == 7
    assert state["FinishedAt"] <= time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(gone + 1)) or IS_PEER
    engine.docker("start", name)
    engine.docker("rm", "-f", name)


def test_exits_by_signal_are_learnt(engine, name):
    idle(engine, name)
    pid = engine.inspect(name)["State"]["Pid"]
    engine.kill()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    engine.start()
    eventually(lambda: not engine.running(name))
    assert engine.inspect(name)["State"]["ExitCode"] == 137


def test_removal_of_what_ended_meanwhile(engine, name):
    engine.docker("run", "-d", "--rm", "--name", name, "-v", "/data", "busybox", "sh", "-c",
                  "while [ ! -e /dev/shm/go ]; do sleep 0.05; done")
    pid = engine.inspect(name)["State"]["Pid"]
    engine.kill()
    with open(f"/proc/{pid}/root/dev/shm/go", "w"):
        pass
    eventually(lambda: not alive(pid))
    engine.start()
    eventually(lambda: engine.request("GET", f"/containers/{name}/json").status == 404)
    eventually(lambda: not engine.get("/volumes")["Volumes"])


def test_restart_policy_for_what_ended_meanwhile(engine, name):
    engine.docker("run", "-d", "--restart", "always", "--name", name, "busybox", "sh", "-c",
                  "sleep 600")
    pid = engine.inspect(name)["State"]["Pid"]
    engine.kill()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid))
    engine.start()
    eventually(lambda: engine.running(name) and engine.inspect(name)["State"]["Pid"] not in (0, pid), 20)


def test_output_of_the_meantime_is_kept(engine, name, interrupt):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c",
                  "i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo $i; sleep 0.01; done")
    eventually(lambda: "10" in engine.out("logs", name).split())
    interrupt()
    time.sleep(0.5)  # output goes on meanwhile
    engine.start()
    assert engine.docker("logs", "-f", name).stdout.split() == [str(n) for n in range(1, 401)]


def test_streaming_goes_on(engine, name):
    engine.docker("run", "-d", "-i", "--name", name, "busybox", "cat")
    engine.kill()
    engine.start()
    from test_attach_exec import Stream

    stream = Stream(engine, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
    stream.send(b"after the crash\n")
    assert stream.frame() == (1, b"after the crash\n")
    stream.close()


def test_terminals_go_on(engine, name):
    engine.docker("run", "-dit", "--name", name, "busybox", "sh")
    engine.kill()
    engine.start()
    from test_attach_exec import Stream

    stream = Stream(engine, f"/containers/{name}/attach?stream=1&stdin=1&stdout=1")
    stream.send(b"echo m$((20+3))\n")
    assert b"m23" in stream.until(b"m23")
    stream.close()
    assert engine.request("POST", f"/containers/{name}/resize?h=44&w=99").status == 200
    assert engine.out("exec", name, "stty", "-F", "/dev/pts/0", "size") == "44 99"


def test_networks_go_on(engine, name, interrupt):
    engine.docker("network", "create", name)
    port = free_port()
    engine.docker("run", "-d", "--init", "--name", name + "a", "--network", name, "-p", f"{port}:80",
                  "busybox", "sh", "-c", "mkdir /w; echo hello > /w/index.html; httpd -f -h /w")
    idle(engine, name + "b", "--network", name)
    eventually(lambda: fetch(port))
    address = engine.inspect(name + "a")["NetworkSettings"]["Networks"][name]["IPAddress"]
    interrupt()
    engine.start()
    assert b"hello" in eventually(lambda: fetch(port))
    assert engine.docker("exec", name + "b", "wget", "-qO-", f"http://{name}a/").stdout == "hello\n"
    idle(engine, name + "c", "--network", name)
    others = {engine.inspect(name + s)["NetworkSettings"]["Networks"][name]["IPAddress"] for s in "abc"}
    assert len(others) == 3 and address in others
    message = engine.fails("run", "--rm", "-p", f"{port}:80", "busybox", "true")
    assert "allocated" in message or "in use" in message
    engine.docker("rm", "-f", name + "a", name + "b", name + "c")
    engine.docker("network", "rm", name)
    assert fetch(port) is None


@pytest.mark.martlet_only
def test_published_ports_answer_while_the_daemon_is_away(engine, name):
    port = free_port()
    engine.docker("run", "-d", "--init", "--name", name, "-p", f"{port}:80", "busybox", "sh", "-c",
                  "mkdir /w; echo hello > /w/index.html; httpd -f -h /w")
    address = engine.inspect(name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    eventually(lambda: fetch(port))
    engine.kill()
    from test_networks import fetch as get

    assert b"hello" in get(address, 80)
    assert b"hello" in fetch(port)
    engine.start()


def test_health_goes_on(engine, name):
    idle(engine, name, "--health-cmd", "test -e /well", "--health-interval", "200ms",
         "--health-retries", "1")
    eventually(lambda: engine.inspect(name)["State"]["Health"]["Status"] == "unhealthy")
    engine.kill()
    engine.start()
    engine.docker("exec", name, "touch", "/well")
    eventually(lambda: engine.inspect(name)["State"]["Health"]["Status"] == "healthy")


def test_paused_stays_paused(engine, name):
    idle(engine, name)
    engine.docker("pause", name)
    engine.kill()
    engine.start()
    assert engine.inspect(name)["State"]["Paused"] is True
    engine.docker("unpause", name)
    assert engine.out("exec", name, "echo", "on") == "on"


def test_a_lost_machine(engine, name):
    """All processes die with the daemon, as when power fails: everything is found stopped."""
    idle(engine, name)
    idle(engine, name + "r", "--restart", "always")
    engine.docker("network", "create", name)
    idle(engine, name + "n", "--network", name, "--restart", "unless-stopped")
    pids = [engine.inspect(name + s)["State"]["Pid"] for s in ("", "r", "n")]
    engine.kill()
    for pid in [*processes_of(engine.folder), *pids]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    eventually(lambda: not any(alive(pid) for pid in pids))
    for path in sorted(mounts_under(engine.folder), key=len, reverse=True):
        subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL)
    engine.start()
    assert engine.inspect(name)["State"]["Status"] == "exited"
    eventually(lambda: engine.running(name + "r") and engine.running(name + "n"), 20)
    engine.docker("start", name)
    assert engine.out("exec", name, "echo", "back") == "back"


def test_stale_files_do_not_stop_the_start(engine, name):
    engine.kill()
    assert os.path.exists(engine.socket)
    engine.start()
    engine.stop()
    with open(engine.folder + "/pid", "w") as file:
        file.write("999999")
    engine.start()


def test_one_daemon_per_data_root(engine):
    second = subprocess.run(engine.command(), capture_output=True, text=True, timeout=30)
    assert second.returncode != 0
    assert second.stderr + second.stdout
    assert engine.request("GET", "/_ping").status == 200


@pytest.mark.martlet_only
def test_broken_load_leaves_nothing(engine, name):
    from image_archive import Image, LayerWriter

    layers = [LayerWriter().file(f"f{n}", os.urandom(3 << 20)).finish() for n in range(4)]
    image = Image(layers, {})
    archive = image.docker_archive([name + ":x"])

    def sizes():
        """Kilobytes of each folder. The database's own size depends on what went before."""
        said = subprocess.run(["du", "-s", *glob.glob(engine.folder + "/data/*/")],
                              capture_output=True, text=True).stdout
        return {line.split()[1]: int(line.split()[0]) for line in said.splitlines()}

    before = sizes()
    loader = threading.Thread(target=lambda: _ignore(engine.load_bytes, archive))
    loader.start()
    time.sleep(0.15)
    engine.kill()
    loader.join()
    engine.start()
    assert engine.load_bytes(archive).status == 200
    assert engine.get(f"/images/{name}:x/json")["Id"] == image.id
    engine.docker("rmi", name + ":x")

    def is_swept():
        return sum(sizes().values()) < sum(before.values()) + 2000

    try:
        eventually(is_swept, 30, "what the broken load left is swept away")
    except AssertionError as error:
        raise AssertionError(f"{error}: {before} {sizes()}") from None


def _ignore(call, *arguments):
    try:
        call(*arguments)
    except (OSError, AssertionError):
        pass


def history(engine: Engine, extra: dict) -> str:
    """What the daemon's log says of the containers that something was left of."""
    names = set(re.findall(r"[0-9a-f]{64}", str(extra)))
    return "\n".join(line for line in engine.log_text().splitlines()
                     if any(name in line or name[:12] in line for name in names))[-6000:]


class Worker(threading.Thread):
    """Works on a daemon that may vanish at any moment, and keeps what it was told of success."""

    def __init__(self, engine: Engine, number: int, seed: int):
        super().__init__(daemon=True)
        self.engine, self.prefix = engine, f"w{number}s{seed}"
        self.random = random.Random(seed * 1000 + number)
        self.running, self.gone, self.networks, self.volumes = set(), set(), set(), set()
        self.unsure = set()
        self.halt = threading.Event()
        self.count = 0

    def call(self, method, path, body=None):
        reply = self.engine.request(method, path, body, timeout=20)
        assert reply.status < 500, f"{method} {path}: {reply}"
        return reply

    def run(self):
        while not self.halt.is_set():
            try:
                self.step()
            except (OSError, EOFError, AssertionError) as error:
                if isinstance(error, AssertionError):
                    self.failure = error
                    return
                if self.halt.wait(0.02):
                    return
            except Exception:  # the connection broke in the middle of an answer
                time.sleep(0.02)

    failure = None

    def step(self):
        self.count += 1
        name = f"{self.prefix}n{self.count}"
        choice = self.random.random()
        if choice < 0.45:
            self.unsure.add(name)
            body = {"Image": "busybox", "Cmd": ["sleep", "600"], "HostConfig": {
                "Binds": [f"{name}:/data"], "NetworkMode": self.random.choice(["bridge", "none"])}}
            if self.call("POST", f"/containers/create?name={name}", body).status == 201:
                if self.call("POST", f"/containers/{name}/start").status == 204:
                    self.running.add(name)
        elif choice < 0.65 and self.running:
            name = self.random.choice(sorted(self.running))
            self.running.discard(name)
            self.unsure.add(name)
            if self.call("DELETE", f"/containers/{name}?force=1").status == 204:
                self.gone.add(name)
        elif choice < 0.8 and self.running:
            name = self.random.choice(sorted(self.running))
            reply = self.call("POST", f"/containers/{name}/exec", {"Cmd": ["true"]})
            if reply.status == 201:
                self.call("POST", f"/exec/{reply.json()['Id']}/start", {"Detach": True})
        elif choice < 0.9 and len(self.networks) < 2:
            if self.call("POST", "/networks/create", {"Name": name}).status == 201:
                self.networks.add(name)
        elif self.networks and choice < 0.95:
            name = self.random.choice(sorted(self.networks))
            self.networks.discard(name)
            self.call("DELETE", f"/networks/{name}")
        else:
            if self.call("POST", "/volumes/create", {"Name": name}).status == 201:
                self.volumes.add(name)


@pytest.mark.martlet_only
@pytest.mark.timeout(400)
def test_killed_at_random_moments(engine):
    """Nothing acknowledged is lost, nothing leaks, nothing is there twice."""
    rounds = int(os.environ.get("MARTLET_TEST_CRASHES", "12"))
    seed = int(os.environ.get("MARTLET_TEST_SEED", "7"))
    chance = random.Random(seed)
    before = HostState(engine)
    running, gone, networks, volumes = set(), set(), set(), set()
    for number in range(rounds):
        workers = [Worker(engine, index, seed + number * 10) for index in range(3)]
        for worker in workers:
            worker.start()
        time.sleep(chance.uniform(0.05, 1.2))
        engine.kill()
        for worker in workers:
            worker.halt.set()
        for worker in workers:
            worker.join(30)
            assert worker.failure is None, worker.failure
            running |= worker.running
            gone |= worker.gone
            networks |= worker.networks
            volumes |= worker.volumes
        engine.start()
        listed = engine.get("/containers/json?all=1")
        names = [container["Names"][0][1:] for container in listed]
        assert len(names) == len(set(names)), "a container is there twice"
        assert not running - set(names), f"round {number}: lost {running - set(names)}"
        assert not gone & set(names), f"round {number}: came back {gone & set(names)}"
        states = {container["Names"][0][1:]: container["State"] for container in listed}
        wrong = {name: states[name] for name in running if states[name] != "running"}
        assert not wrong, f"round {number}: no longer running {wrong}"
        for name in running:
            assert alive(engine.inspect(name)["State"]["Pid"]), name
        found = {network["Name"] for network in engine.get("/networks")}
        assert not networks - found, f"round {number}: lost networks {networks - found}"
        found = {volume["Name"] for volume in engine.get("/volumes")["Volumes"]}
        assert not volumes - found, f"round {number}: lost volumes {volumes - found}"
        addresses = [c["NetworkSettings"]["Networks"]["bridge"]["IPAddress"] for c in listed
                     if c["State"] == "running" and "bridge" in c["NetworkSettings"]["Networks"]]
        assert len(addresses) == len(set(addresses)), "one address for two containers"
        if number % 3 == 2:
            for name in sorted(running):
                engine.docker("rm", "-f", name)
            gone |= running
            running = set()
            for network in engine.get("/networks"):
                if network["Name"] not in ("bridge", "host", "none"):
                    engine.docker("network", "rm", network["Name"])
            networks = set()
    engine.remove_everything()
    end = time.monotonic() + 15
    while extra := HostState(engine).extra(before):
        assert time.monotonic() < end, f"left behind on the host: {extra}\n{history(engine, extra)}"
        time.sleep(0.1)
    assert engine.out("run", "--rm", "busybox", "echo", "well") == "well"
