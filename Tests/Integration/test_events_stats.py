"""Events, statistics and the process list."""

import json
import threading
import time
from urllib.parse import quote

import pytest

from engine import IS_PEER, eventually


class Listener:
    """Collects what the events endpoint sends while a test goes on."""

    def __init__(self, engine, *filters):
        words = [word for text in filters for word in ("--filter", text)]
        self.process = engine.popen("events", "--since", str(time.time()), "--format", "{{json .}}",
                                    *words)
        self.events = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def actions(self, kind=None):
        return [e["Action"] for e in self.events if kind in (None, e["Type"])]

    def expect(self, *actions, kind="container"):
        eventually(lambda: all(a in self.actions(kind) for a in actions), 10,
                   f"{actions} among the events")

    def close(self):
        self.process.kill()
        self.process.communicate()
        self.thread.join()


@pytest.fixture
def listen(engine):
    made = []

    def start(*filters):
        made.append(Listener(engine, *filters))
        return made[-1]

    yield start
    for listener in made:
        listener.close()


def test_life_of_a_container(engine, name, listen):
    events = listen()
    engine.docker("run", "--name", name, "--label", "a=b", "busybox", "true")
    engine.docker("rename", name, name + "x")
    engine.docker("rm", name + "x")
    events.expect("create", "attach", "start", "die", "rename", "destroy")
    order = [a for a in events.actions("container")
             if a in ("create", "start", "die", "rename", "destroy")]
    assert order == ["create", "start", "die", "rename", "destroy"]
    created = next(e for e in events.events if e["Action"] == "create" and e["Type"] == "container")
    assert created["Actor"]["Attributes"] == {"image": "busybox", "name": name, "a": "b"}
    assert created["scope"] == "local" and created["timeNano"] // 10**9 == created["time"]
    assert created["id"] == created["Actor"]["ID"] and created["from"] == "busybox"
    died = next(e for e in events.events if e["Action"] == "die")
    assert died["Actor"]["Attributes"]["exitCode"] == "0"


def test_other_container_events(engine, sleeper, listen):
    events = listen("type=container")
    engine.docker("pause", sleeper)
    engine.docker("unpause", sleeper)
    engine.docker("exec", sleeper, "true")
    engine.docker("update", "--memory", "64m", "--memory-swap", "64m", sleeper)
    engine.docker("top", sleeper)
    engine.docker("restart", "-t", "5", sleeper)
    engine.docker("kill", "-s", "USR2", sleeper, check=False)
    engine.docker("stop", "-t", "5", sleeper)
    events.expect("pause", "unpause", "update", "top", "restart", "kill", "stop", "die", "start")
    actions = events.actions()
    assert any(a.startswith("exec_create: true") for a in actions)
    assert any(a.startswith("exec_start: true") for a in actions)
    eventually(lambda: "exec_die" in events.actions())


def test_network_and_volume_events(engine, name, listen):
    events = listen()
    engine.docker("network", "create", name)
    engine.docker("volume", "create", name)
    engine.docker("run", "--rm", "--network", name, "-v", f"{name}:/d", "busybox", "true")
    engine.docker("volume", "rm", name)
    engine.docker("network", "rm", name)
    events.expect("create", "connect", "disconnect", "destroy", kind="network")
    events.expect("create", "mount", "unmount", "destroy", kind="volume")


def test_image_events(engine, name, listen):
    events = listen("type=image")
    engine.docker("tag", "busybox", f"{name}:one")
    engine.docker("rmi", f"{name}:one")
    events.expect("tag", "untag", kind="image")


def test_filters(engine, name, listen):
    only_die = listen("event=die")
    by_label = listen("label=wanted")
    by_name = listen(f"container={name}-b")
    engine.docker("run", "--rm", "--name", f"{name}-a", "--label", "wanted=1", "busybox", "true")
    engine.docker("run", "--rm", "--name", f"{name}-b", "busybox", "true")
    eventually(lambda: only_die.actions() == ["die", "die"])
    by_label.expect("create", "die")
    by_name.expect("create", "die")
    assert {e["Actor"]["Attributes"]["name"] for e in by_label.events} == {f"{name}-a"}
    assert {e["Actor"]["Attributes"]["name"] for e in by_name.events
            if e["Type"] == "container"} == {f"{name}-b"}


def test_since_and_until(engine, name):
    begun = time.time()
    engine.docker("run", "--rm", "--name", name, "busybox", "true")
    eventually(lambda: "destroy" in engine.out(
        "events", "--since", f"{begun:.9f}", "--until", f"{time.time():.9f}", "--filter",
        f"container={name}", "--format", "{{.Action}}"))
    assert engine.out("events", "--since", f"{begun - 1000:.9f}", "--until", f"{begun - 999:.9f}") == ""


def test_refusals(engine):
    reply = engine.request("GET", "/events?since=tomorrow")
    assert reply.status in ((400, 500) if IS_PEER else (400,))
    reply = engine.request("GET", "/events?since=2000000000&until=1000000000")
    assert reply.status == 400


@pytest.mark.newer_than_peer
def test_unknown_filters_are_refused(engine):
    assert engine.request("GET", "/events?until=1&filters=" + quote('{"no":["x"]}')).status == 400


def test_listeners_that_go_leave_nothing(engine):
    files = engine.open_files()
    listeners = [engine.popen("events") for _ in range(10)]
    eventually(lambda: engine.open_files() > files + 5)
    for listener in listeners:
        listener.kill()
        listener.wait()
    eventually(lambda: engine.open_files() <= files + 2)


# stats


def test_one_shot(engine, sleeper):
    stats = engine.get(f"/containers/{sleeper}/stats?stream=0&one-shot=1")
    assert stats["name"] == "/" + sleeper and stats["id"] == engine.inspect(sleeper)["Id"]
    assert stats["memory_stats"]["usage"] > 0 and stats["memory_stats"]["limit"] > 1 << 20
    assert stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["cpu_stats"]["system_cpu_usage"] > 0 and stats["cpu_stats"]["online_cpus"] > 0
    assert stats["pids_stats"]["current"] >= 2
    assert stats["networks"]["eth0"]["rx_bytes"] >= 0
    assert "blkio_stats" in stats and stats["read"] > "2020"


def test_without_stream_there_are_two_samples(engine, sleeper):
    stats = engine.get(f"/containers/{sleeper}/stats?stream=0")
    assert stats["precpu_stats"]["cpu_usage"]["total_usage"] > 0
    assert stats["preread"] < stats["read"] and not stats["preread"].startswith("0001")


def test_stream(engine, sleeper):
    stream = engine.client.containers.get(sleeper).stats(stream=True, decode=True)
    samples = [next(stream) for _ in range(3)]
    assert samples[1]["read"] < samples[2]["read"]
    assert samples[2]["preread"] == samples[1]["read"]
    stream.close()


def test_client_table(engine, sleeper):
    line = engine.out("stats", "--no-stream", "--format", "{{.Name}} {{.CPUPerc}} {{.MemUsage}} {{.PIDs}}",
                      sleeper)
    assert line.startswith(sleeper) and "%" in line and "MiB /" in line.replace("KiB /", "MiB /")


def test_stats_count_work(engine, name):
    engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", "while :; do :; done")
    eventually(lambda: engine.get(f"/containers/{name}/stats?stream=0&one-shot=1")
               ["cpu_stats"]["cpu_usage"]["total_usage"] > 200_000_000)


def test_network_counters(engine, sleeper):
    before = engine.get(f"/containers/{sleeper}/stats?stream=0&one-shot=1")["networks"]["eth0"]
    gateway = engine.inspect(sleeper)["NetworkSettings"]["Networks"]["bridge"]["Gateway"]
    engine.docker("exec", sleeper, "ping", "-c", "3", "-i", "0.2", "-s", "1000", gateway)
    after = engine.get(f"/containers/{sleeper}/stats?stream=0&one-shot=1")["networks"]["eth0"]
    assert after["tx_bytes"] - before["tx_bytes"] >= 3000


def test_stats_of_a_stopped_container(engine, name):
    engine.docker("create", "--name", name, "busybox")
    stats = engine.get(f"/containers/{name}/stats?stream=0")
    assert stats["memory_stats"] == {} or not stats["memory_stats"].get("usage")
    assert engine.request("GET", "/containers/nobody/stats?stream=0").status == 404


# top


def test_top(engine, sleeper):
    eventually(lambda: len(engine.get(f"/containers/{sleeper}/top")["Processes"]) == 2)  # the init's child
    table = engine.get(f"/containers/{sleeper}/top")
    assert table["Titles"][:2] == ["UID", "PID"] and table["Titles"][-1] == "CMD"
    commands = [row[-1] for row in table["Processes"]]
    assert any("sleep 600" in command for command in commands) and len(commands) == 2


def test_top_with_arguments(engine, sleeper):
    eventually(lambda: len(engine.get(f"/containers/{sleeper}/top")["Processes"]) == 2)
    table = engine.get(f"/containers/{sleeper}/top?ps_args=-o%20pid,comm")
    assert table["Titles"] == ["PID", "COMMAND"]
    assert "sleep" in [row[1] for row in table["Processes"]]


def test_top_refusals(engine, sleeper, name):
    engine.docker("create", "--name", name + "c", "busybox")
    assert engine.request("GET", f"/containers/{name}c/top").status in (409, 500)
    assert engine.request("GET", "/containers/nobody/top").status == 404
    assert engine.request("GET", f"/containers/{sleeper}/top?ps_args=--nonsense").status >= 400
